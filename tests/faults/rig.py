"""rig.py: a worker that can be killed, cut off, starved, and a close look at what it leaves."""
import contextlib
import ctypes
import datetime
import errno
import hashlib
import mmap
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "http"))
import harness  # noqa: E402
import processes  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
WAYBILL = processes.WAYBILL
(OPEN, CREATE, WRITE, SYNC, ALLOCATE, LINK, TRUNCATE, RENAME, UNLINK, MAP, READ, STAT,
 LOCK) = (1 << n for n in range(13))
CHANGES = CREATE | WRITE | ALLOCATE | LINK | RENAME
EMPTY = hashlib.sha256(b"").hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def utc(seconds):
    """As the API writes it, to the second."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


# ---- the shim ------------------------------------------------------------------------------------

_built = None


def shim():
    """shim.so, built once a session."""
    global _built
    if _built is None:
        folder = tempfile.mkdtemp(prefix="wbf-shim-")
        _built = os.path.join(folder, "shim.so")
        subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-shared",
                        "-fPIC", "-o", _built, *map(str, sorted(HERE.glob("shim*.c")))], check=True)
    return _built


def forget_shim():
    if _built:
        shutil.rmtree(os.path.dirname(_built), ignore_errors=True)


class Control(ctypes.Structure):
    """struct control of shim.c, in memory shared with the worker."""
    _fields_ = [(name, ctypes.c_int32) for name in ("kinds", "nth", "times", "err", "seen", "fired",
                                                         "clock")]
    _fields_ += [("what", ctypes.c_char * 228)]

    @classmethod
    def at(cls, path):
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as file:
            return cls.from_buffer(mmap.mmap(file.fileno(), 4096))

    def arm(self, kinds, nth=1, err=errno.EIO, times=1):
        """Let the nth call of these kinds, and times - 1 more, fail."""
        self.kinds = 0
        self.nth, self.times, self.err, self.seen, self.fired = nth, times, err, 0, 0
        self.kinds = kinds

    def disarm(self):
        """How many calls failed."""
        self.kinds = 0
        return self.fired


# ---- the worker ----------------------------------------------------------------------------------

class Worker(harness.FastCGIDoor):
    """`waybill serve` on disk/data, spoken to in FastCGI. It survives its own death: start() again."""

    def __init__(self, config=None, shimmed=False, disk=None, start=True, powerless=False,
                 **environment):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="wbf-"))
        self.home.chmod(0o755)
        self.disk = pathlib.Path(disk) if disk else self.home / "disk"
        self.disk.mkdir(exist_ok=True)
        self.data = self.disk / "data"
        self.base, self.path, self.log = "", self.home / "s" / "s", self.home / "log"
        self.path.parent.mkdir()
        self.config, self.process, self.powerless = self.home / "waybill.conf", None, powerless
        self.more_environment = environment
        self.settings = {"data_dir": str(self.data), "log": "warn", "min_free_bytes": "0", "threads": "16",
                         "delete_access": "open", **(config or {})}
        self.records, self.control, self.shimmed = self.home / "records", None, shimmed
        if shimmed:
            self.settings["sandbox"] = "off"  # its jail would refuse what the shim does besides
            self.records.touch()
            self.control = Control.at(self.home / "control")
        if start:
            self.start()

    def write_config(self, **more):
        """Only where it has changed: a worker may just be reading it."""
        self.settings.update(more)
        text = "".join(f"{key} = {value}\n" for key, value in self.settings.items())
        if not self.config.exists() or self.config.read_text() != text:
            self.config.write_text(text)

    def environment(self, recorded=False):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL")}
        keep.update(self.more_environment, WAYBILL_CONFIG=str(self.config))
        if self.shimmed:
            keep.update(LD_PRELOAD=shim(), FAULTS_ROOT=str(self.disk), FAULTS_CONTROL=str(self.home / "control"))
        if recorded:
            keep["FAULTS_LOG"] = str(self.records)
        return keep

    def _command(self, *words):
        """As a process that ends with this one."""
        words, bound = [WAYBILL, *words], ["setpriv", "--pdeathsig", "KILL"]
        if self.powerless and os.geteuid() == 0:  # root, to whom modes of files apply
            bound += ["--bounding-set=-all", "--inh-caps=-all"]
        return [*bound, *words]

    def start(self, wait=True, recorded=False, ready=(200,)):
        self.write_config()
        self.path.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self._command("serve", "-l", f"unix:{self.path}"),
                                            env=self.environment(recorded), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        if wait:
            processes.wait_until(lambda: self._serves(ready), "the worker to serve")
        return self

    def _serves(self, ready):
        assert self.process.poll() is None, "the worker ended: " + self.said()
        try:
            return self.path.exists() and self.get("/healthz?ready").status in ready
        except (OSError, AssertionError):
            return False

    def kill(self):
        """kill -9, the sniffers included by their own doing."""
        processes.kill_serving(self.process)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(processes.PATIENCE) == 0, self.said()

    def close(self):
        processes.kill_serving(self.process)
        with contextlib.suppress(ProcessLookupError):  # what has no name yet
            os.killpg(self.process.pid, signal.SIGKILL)
        if self.control:
            self.control.disarm()
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, *words, check=None):
        """A subcommand; `check`: the exit status it must have."""
        self.write_config()
        done = subprocess.run(self._command(*words), env=self.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode >= 0, f"waybill {words} died of signal {-done.returncode}: {done.stderr}"
        if check is not None:
            assert done.returncode == check and "Sanitizer" not in done.stderr, (words, done.returncode, done.stdout, done.stderr)
        return done

    def run_cgi(self, method, path):
        """One request as plain CGI."""
        self.write_config()
        request = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": "",
                   "QUERY_STRING": "", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
                   "HTTP_HOST": "localhost"}
        return subprocess.run([WAYBILL], env={**self.environment(), **request}, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60)

    # ---- what it says ----------------------------------------------------------------------------

    def health(self):
        return self.get("/healthz").json

    def listed(self):
        """{id: sha256} of all files, by the API."""
        out, url = {}, "/files?limit=1000"
        while url:
            page = self.get(url)
            assert page.status == 200, (page, self.said())
            out.update((f["id"], f["sha256"]) for f in page.json["files"])
            url = page.json["next"]
        return out

    def intact(self, id, digest):
        answer = self.get(f"/files/{id}/content")
        assert answer.status == 200 and sha256(answer.body) == digest, (
            id, digest, answer, self.get(f"/files/{id}"), (self.data / "objects" / digest).exists())

    def children(self):
        """(pid of the sniffer parent, [pids of its children]); above it is only its guard."""
        for guard in [guard for worker in self.workers() for guard in pids_below(worker)]:
            for parent in pids_below(guard):
                return parent, pids_below(parent)
        return None, []


pids_below = processes.children


def new_ids(answer):
    """{id: sha256} of a 201."""
    return {f["id"]: f["sha256"] for f in answer.json["files"]}


def reboot(data):
    """What the record of a data_dir says of this boot is of another one now."""
    path = data / "generation"
    magic, line, _, rest = struct.unpack("<8s16s16s24s8x", path.read_bytes())
    record = magic + line + b"another boot, so" + rest
    path.write_bytes(record + hashlib.sha256(record).digest()[:8])


# ---- looking at what is left -----------------------------------------------------------------------

def object_problems(data, rows):
    """Rows without an intact object, objects without a row."""
    objects = {p.name: p for p in (data / "objects").iterdir()}
    for digest in sorted({row["sha256"] for row in rows}):
        if digest not in objects:
            yield f"object {digest} is missing"
        elif sha256(objects[digest].read_bytes()) != digest:
            yield f"object {digest} is corrupt"
    for orphan in sorted(objects.keys() - {row["sha256"] for row in rows}):
        yield f"object {orphan} belongs to nobody"


def sum_problems(db, rows):
    distinct = {row["sha256"]: row["size"] for row in rows}
    store = db.execute("SELECT files, bytes FROM store").fetchone()
    fields = db.execute("SELECT ifnull(sum(length(CAST(fields AS BLOB))), 0) FROM forms").fetchone()[0]
    if tuple(store) != (len(rows), sum(distinct.values()) + fields):
        yield f"sums are wrong: {tuple(store)}"
    refs = {digest: count for digest, count in db.execute("SELECT lower(hex(sha256)), refs FROM objects")}
    counted = {}
    for row in rows:
        counted[row["sha256"]] = counted.get(row["sha256"], 0) + 1
    if refs != counted:
        yield "references are counted wrong"


def problems(data):
    """All that is wrong with a data_dir after gc, by our own reckoning: ([problem], {id: sha256}).
    Works on a copy of the catalog where none is open, so that looking changes nothing."""
    found = []
    db = sqlite3.connect(f"file:{data}/waybill.db?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    try:
        check = [row[0] for row in db.execute("PRAGMA integrity_check")]
        if check != ["ok"]:
            found.append(f"integrity_check: {check[:3]}")
        rows = db.execute("SELECT id, size, lower(hex(sha256)) AS sha256 FROM files").fetchall()
        uploads = {row[0] for row in db.execute("SELECT id FROM uploads")}
        found += object_problems(data, rows)
        found += sum_problems(db, rows)
    finally:
        db.close()
    left = {p.name for p in (data / "partial").iterdir()} - {"ledger", "wanted"} - uploads
    found += [f"partial/{name} is left" for name in sorted(left)]
    return found, {row["id"]: row["sha256"] for row in rows}


def settled(worker):
    """gc, then `waybill verify` and our own eyes find nothing wrong. {id: sha256} of what is there."""
    worker.run("gc", check=0)
    worker.run("verify", check=0)
    found, rows = problems(worker.data)
    assert not found, (found, worker.said())
    return rows


def said_crash(worker):
    """What a sanitizer or an abort would have left in the log."""
    return re.search(r"AddressSanitizer|runtime error|ThreadSanitizer|stack smashing|abort", worker.said())


def unfinished(data):
    """Bytes that resumable uploads under way have reserved."""
    db = sqlite3.connect(f"file:{data}/waybill.db?mode=ro", uri=True)
    try:
        return db.execute("SELECT coalesce(sum(coalesce(length, offset)), 0) FROM uploads WHERE state = 0 AND offset > 0").fetchone()[0]
    finally:
        db.close()


def wait_quiet_but_for_uploads(worker):
    """Nothing reserved any more but by uploads that may yet be resumed."""
    processes.wait_until(lambda: worker.health()["reserved_bytes"] == unfinished(worker.data),
                       "reservations to be released")
