"""sites.py: what is measured: waybill and its peers, each a front server and what stands behind it.

Every site has a directory of its own with a name never used before: ext4 is several times slower
where thousands of files were deleted in the last minutes.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
BUILD = pathlib.Path(os.environ["BUILD"])
TICK = os.sysconf("SC_CLK_TCK")
PATH = os.environ["PATH"] + ":/usr/sbin"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def family(pids):
    """These processes and all below them."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, todo = [], list(pids)
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds(pids):
    """User and system time of a family, of its dead included."""
    total = 0
    for pid in family(pids):
        try:
            total += sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]))
        except OSError:
            pass
    return total / TICK


def pss_kib(pids):
    """Proportional set size of a family."""
    total = 0
    for pid in family(pids):
        try:
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(rollup.partition("\nPss:")[2].split()[0])
        except (OSError, IndexError):
            pass
    return total


class Site:
    upload = "/upload"  # where PUT and forms go to
    post = "/upload"

    def __init__(self, home, name):
        self.name, self.port = name, free_port()
        self.home = home / name.replace(" ", "-")
        self.store = self.home / "store"
        self.store.mkdir(parents=True)
        self.fronts, self.workers = [], []
        self.start()
        end = time.monotonic() + 20
        while not self.answers():
            if time.monotonic() > end:
                raise SystemExit(f"{name} does not serve; see {self.home}/log")
            time.sleep(0.05)

    def run(self, *command, **environment):
        command = ("setpriv", "--pdeathsig", "TERM", *command)  # ends with us, whatever ends us
        with open(self.home / "log", "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home,
                                    start_new_session=True, env={"PATH": PATH, **environment})

    def nginx(self, server):
        """nginx in the foreground around one server {} block."""
        (self.home / "tmp").mkdir()
        (self.home / "nginx.conf").write_text(
            ("user root;\n" if os.geteuid() == 0 else "") +
            f"daemon off; worker_processes auto; pid {self.home}/nginx.pid; error_log stderr;\n"
            "events { worker_connections 1024; }\n"
            "http { access_log off; keepalive_requests 1000000000;\n" +
            "".join(f"{what}_temp_path {self.home}/tmp;\n" for what in ("client_body", "fastcgi", "proxy", "uwsgi", "scgi")) +
            server + "}\n")
        self.fronts.append(self.run("nginx", "-e", "stderr", "-c", str(self.home / "nginx.conf")))

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def pids(self):
        return [p.pid for p in self.fronts + self.workers]

    def worker_pids(self):
        return [p.pid for p in self.workers or self.fronts]

    def forget_large(self):
        """Large files go between rounds, or their write-back would run into the next one."""
        for path in self.store.rglob("*"):
            if path.is_file() and path.stat().st_size > 100 << 20:
                path.unlink()

    def stop(self):
        for process in self.fronts + self.workers:
            process.send_signal(signal.SIGTERM)
        for process in self.fronts + self.workers:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)


class Waybill(Site):
    def __init__(self, home, name, site="nginx.conf", **settings):
        self.site, self.settings = site, settings
        super().__init__(home, name)

    def start(self):
        spool, sock = self.home / "spool", self.home / "s"
        spool.mkdir()
        settings = {"data_dir": self.store, "max_bytes": "2G", "max_files": 1000, **self.settings}
        if "bodyfile" in self.site:
            settings["body_file_dir"] = spool
        (self.home / "waybill.conf").write_text("".join(f"{k} = {v}\n" for k, v in settings.items()))
        self.workers.append(self.run(str(BUILD / "waybill"), "serve", "-l", f"unix:{sock}", "-c", str(self.home / "waybill.conf")))
        while not sock.exists():
            time.sleep(0.05)
            if self.workers[0].poll() is not None:
                raise SystemExit((self.home / "log").read_text())
        self.nginx(subprocess.run([TOP / "www/servers/fill.sh", self.site, f"PORT={self.port}", f"SOCKET={sock}",
                                   f"SPOOL={spool}"], check=True, capture_output=True, text=True).stdout)


class PHP(Site):
    """nginx, not buffering, and PHP-FPM with the least script that does the same."""
    upload = post = "/upload.php"

    def start(self):
        sock = self.home / "s"
        (self.home / "php.ini").write_text(
            "upload_max_filesize = 2G\npost_max_size = 2G\nmax_file_uploads = 100\nopcache.enable = 1\n"
            f"upload_tmp_dir = {self.store}\nsys_temp_dir = {self.store}\n")
        (self.home / "fpm.conf").write_text(
            f"[global]\nerror_log = {self.home}/fpm.log\ndaemonize = no\n[www]\nlisten = {sock}\n"
            f"pm = static\npm.max_children = 6\n")
        root = ["-R"] if os.geteuid() == 0 else []
        user = "user = root\n" if os.geteuid() == 0 else ""
        with open(self.home / "fpm.conf", "a") as conf:
            conf.write(user)
        fpm = sorted(pathlib.Path("/usr/sbin").glob("php-fpm8*"))[-1]
        self.workers.append(self.run(str(fpm), "-F", *root, "-c", str(self.home / "php.ini"), "-y", str(self.home / "fpm.conf")))
        self.make_table()
        while not sock.exists():
            time.sleep(0.05)
            if self.workers[0].poll() is not None:
                raise SystemExit((self.home / "log").read_text())
        variables = {"SCRIPT_FILENAME": HERE / "upload.php", "STORE": self.store, "REQUEST_METHOD": "$request_method",
                     "REQUEST_URI": "$request_uri", "QUERY_STRING": "$query_string",
                     "CONTENT_TYPE": "$content_type", "CONTENT_LENGTH": "$content_length"}
        self.nginx(f"server {{ listen 127.0.0.1:{self.port}; client_max_body_size 0;\n"
                   "location / { fastcgi_request_buffering off; fastcgi_read_timeout 300s;\n" +
                   "".join(f"fastcgi_param {k} {v};\n" for k, v in variables.items()) +
                   f"fastcgi_pass unix:{sock}; }} }}\n")

    def make_table(self):
        import sqlite3
        with sqlite3.connect(self.store / "catalog.db") as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE files (id INTEGER PRIMARY KEY, key TEXT UNIQUE, name TEXT, size INTEGER, type TEXT,"
                       " sha256 TEXT, uploaded_at TEXT)")

    def fill(self, rows):
        import sqlite3
        with sqlite3.connect(self.store / "catalog.db") as db:
            db.executemany("INSERT INTO files (key, name, size, type, sha256, uploaded_at) VALUES (?, ?, ?, ?, ?, ?)",
                           ((os.urandom(16).hex(), f"file-{i}.txt", 21, "text/plain", os.urandom(32).hex(),
                             "2026-11-22T11:33:00Z") for i in range(rows)))


class Dav(Site):
    """nginx's own PUT: only stores."""
    upload = "/dav"

    def start(self):
        self.nginx(f"server {{ listen 127.0.0.1:{self.port}; client_max_body_size 0; root {self.store};\n"
                   f"client_body_temp_path {self.store}/tmp; location / {{ dav_methods PUT; create_full_put_path on; }} }}\n")


class Floor(Site):
    """One process that receives, writes, hashes and links: floor.c."""

    def start(self):
        self.workers.append(self.run(str(BUILD / "bench/floor"), str(self.port), str(self.store)))
