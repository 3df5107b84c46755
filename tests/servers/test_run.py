"""test_run.py: `make run` with these servers, as root and as an ordinary user: whatever ends it, nothing
stays behind; what it cannot serve it says, and harms nobody."""
import contextlib
import os
import pathlib
import pwd
import shutil
import re
import signal
import sqlite3
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from processes import PATIENCE, TOP, WAYBILL, free_port, wait_until

SERVERS = ["lighttpd", "apache", "nginx"]
USERS = {"root": 0, "nobody": 65534} if os.geteuid() == 0 else {pwd.getpwuid(os.geteuid()).pw_name: os.geteuid()}


@pytest.fixture
def home():
    path = pathlib.Path(tempfile.mkdtemp(prefix="wbt-run-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def processes(home):
    """Whatever runs with this test's directory in its command or environment."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                said = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if str(home).encode() in said and state != "Z":
                found[int(entry.name)] = said.split(b"\0")[0]
    return found


def fetch(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=data, method="PUT" if data else "GET"), timeout=PATIENCE) as got:
        return got.status, got.read()


class Run:
    """`make run`, by `uid`, with its data, its log and its worker in `home`."""

    def __init__(self, home, server="lighttpd", uid=os.geteuid(), port=None, environment=None, **overrides):
        self.home, self.port, self.log = home, port or free_port(), home / f"log-{len(list(home.iterdir()))}"
        self.data = home / "own" / "data"
        self.data.parent.mkdir(exist_ok=True)
        os.chown(self.data.parent, uid, uid)
        worker = home / "waybill"  # where that user can reach it
        if not worker.exists():
            shutil.copy(WAYBILL, worker)
        overrides = {"SERVER": server, "PORT": self.port, "BASE": "/drop", "DATA": self.data, **overrides}
        identity = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}
        with open(self.log, "wb") as log:
            self.make = subprocess.Popen(
                ["env", "--default-signal=INT", "make", "run", *(f"{key}={value}" for key, value in overrides.items())], cwd=TOP,
                env={**os.environ, "SERVE_PREBUILT": "1", "WAYBILL": str(worker), "HOME": str(home), **(environment or {})},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0, **identity)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/drop{path}"

    def said(self):
        return self.log.read_text(errors="replace")

    def serves(self):
        assert self.make.poll() is None, self.said()
        try:
            return fetch(self.url("/"))[0] == 200 and self.url("/") in self.said()
        except (OSError, urllib.error.URLError):
            return False

    def server(self):
        """The process that make started; its directory is where it works."""
        [pid] = [int(pid) for pid in pathlib.Path(f"/proc/{self.make.pid}/task/{self.make.pid}/children").read_text().split()]
        return pid

    def directory(self):
        return pathlib.Path(os.readlink(f"/proc/{self.server()}/cwd")).parent

    def ended(self):
        """Its exit status, once nothing of it is left."""
        status = self.make.wait(PATIENCE)
        wait_until(lambda: not processes(self.home), f"all to end: {processes(self.home)}")
        assert not left_in_tmp(self.home)
        return status


def left_in_tmp(home):
    """Directories of runs that mention this test's."""
    found = []
    for worker in pathlib.Path("/tmp").glob("waybill-run-*/worker"):
        with contextlib.suppress(OSError):
            found += [worker.parent] if str(home) in worker.read_text() else []
    return found


@pytest.fixture
def run(home):
    yield lambda *how, **more: Run(home, *how, **more)
    for pid in processes(home):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


# nginx's own workers outlive a killed master, so that end is not nginx's.
ENDS = [(server, how) for server in SERVERS for how in ("ctrl-c", "sigterm", "server killed")
        if (server, how) != ("nginx", "server killed")]


@pytest.mark.parametrize("server, how", ENDS)
@pytest.mark.parametrize("user", USERS)
def test_make_run(run, server, user, how):
    uid = USERS[user]
    one = run(server, uid)
    wait_until(one.serves, "the page")
    assert fetch(one.url("/upload/x.txt"), b"hello")[0] == 201
    owner = (one.data / "waybill.db").stat().st_uid
    assert owner == (pwd.getpwnam("www-data").pw_uid if uid == 0 else uid)
    [line] = [line for line in one.said().splitlines() if line.startswith("waybill: ")]
    assert line == f"waybill: {one.url('/')} ({server}; data in {one.data}; Ctrl-C stops)"
    folder = one.directory()
    if how == "ctrl-c":
        os.killpg(one.make.pid, signal.SIGINT)  # the terminal sends it to all in the foreground
    elif how == "sigterm":
        one.make.send_signal(signal.SIGTERM)
    else:
        os.kill(one.server(), signal.SIGKILL)
    one.ended()
    assert not folder.exists()


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("server", SERVERS)
def test_its_directory_is_private(run, server, user):
    """And whoever serves may not change what root runs."""
    one = run(server, USERS[user])
    wait_until(one.serves, "the page")
    folder = one.directory()
    assert re.fullmatch(r"/tmp/waybill-run-\w{8}", str(folder))
    for path in (folder, *(p for p in folder.iterdir() if p.name != "own")):
        at = path.lstat()
        assert at.st_uid == USERS[user] and not at.st_mode & 0o022, path
    assert not folder.stat().st_mode & 0o007
    one.make.terminate()
    one.ended()


def test_nothing_of_others_is_touched(run, home):
    """Not what RUN names, nor what lies in /tmp under a name that can be foreseen."""
    port = free_port()
    precious, secret = home / "precious", home / "secret"
    precious.mkdir()
    (precious / "thesis.tex").write_text("years of work")
    secret.write_text("root's own")
    secret.chmod(0o600)
    planted = [pathlib.Path(f"/tmp/waybill-run-{user}-{port}") for user in ("www-data", *USERS)]
    try:
        for folder in planted:
            folder.mkdir(exist_ok=True)
            for name in ("worker", "site.conf", "main.conf", "waybill.conf"):
                (folder / name).symlink_to(secret)
            if os.geteuid() == 0:
                shutil.chown(folder, "www-data")
        one = run(port=port, environment={"RUN": str(precious), "TMPDIR": str(precious)})
        wait_until(one.serves, "the page")
        one.make.terminate()
        one.ended()
        assert [p.name for p in precious.iterdir()] == ["thesis.tex"]
        assert all(len(list(folder.iterdir())) == 4 for folder in planted)
        assert secret.read_text() == "root's own" and secret.stat().st_mode & 0o777 == 0o600
    finally:
        for folder in planted:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("server", SERVERS)
def test_used_port(run, server):
    """The second says so, and the first goes on."""
    first = run("lighttpd")
    wait_until(first.serves, "the page")
    second = run(server, port=first.port)
    assert second.make.wait(PATIENCE) != 0
    assert f"port {first.port} is in use" in second.said() and "http://" not in second.said()
    assert first.directory().exists()
    assert fetch(first.url("/upload/x.txt"), b"hello")[0] == 201
    first.make.terminate()
    first.ended()


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("fault", ["misspelt key", "no such file", "another program's catalog"])
def test_what_cannot_be_served(run, home, server, fault):
    """It ends at once, with the reason, instead of a worker that is started again and again."""
    conf = home / "typo.conf"
    if fault == "misspelt key":
        conf.write_text("max_bytes = 1M\nmax_file = 3\n")
        reason = f"{conf}:2: max_file: no such key; did you mean max_files?"
    elif fault == "no such file":
        reason = f"CONF={conf} cannot be read"
    else:
        conf.write_text("")
        reason = "waybill.db is not a catalog of waybill"
        for folder in ("objects", "partial"):
            (home / "own" / "data" / folder).mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(home / "own" / "data" / "waybill.db")) as catalog:
            catalog.execute("CREATE TABLE notes (text)")
    one = run(server, CONF=conf)
    assert one.ended() != 0
    assert reason in one.said() and "http://" not in one.said(), one.said()
