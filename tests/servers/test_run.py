"""test_run.py: `make run` with these servers, as root and as an ordinary user; Ctrl-C and SIGTERM
leave nothing behind."""
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import pytest

from harness import PATIENCE, TOP, WAYBILL, free_port, wait_until

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


@pytest.mark.parametrize("how", ["ctrl-c", "sigterm"])
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("server", ["lighttpd", "apache", "nginx"])
def test_make_run(home, server, user, how):
    port, uid = free_port(), USERS[user]
    worker = home / "waybill"
    shutil.copy(WAYBILL, worker)  # where that user can reach it
    data = home / "own" / "data"
    data.parent.mkdir()
    os.chown(data.parent, uid, uid)
    environment = {**os.environ, "PREBUILT": "1", "WAYBILL": str(worker), "RUN": str(home / "own" / "run"), "HOME": str(home)}
    identity = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}
    with open(home / "log", "wb") as log:
        make = subprocess.Popen(["make", "run", f"SERVER={server}", f"PORT={port}", "BASE=/drop", f"DATA={data}"], cwd=TOP,
                                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0, **identity)
    try:
        def serves():
            assert make.poll() is None, (home / "log").read_text()
            try:
                return fetch(f"http://127.0.0.1:{port}/drop/")[0] == 200
            except (OSError, urllib.error.URLError):
                return False
        wait_until(serves, "the page")
        assert f"http://127.0.0.1:{port}/drop/" in (home / "log").read_text()
        assert fetch(f"http://127.0.0.1:{port}/drop/upload/x.txt", b"hello")[0] == 201
        owner = (data / "waybill.db").stat().st_uid
        assert owner == (pwd.getpwnam("www-data").pw_uid if uid == 0 else uid)
        if how == "ctrl-c":
            os.killpg(make.pid, signal.SIGINT)  # the terminal sends it to all in the foreground
        else:
            make.send_signal(signal.SIGTERM)
        make.wait(PATIENCE)
        wait_until(lambda: not processes(home), f"all to end: {processes(home)}")
    finally:
        for pid in processes(home):
            os.kill(pid, signal.SIGKILL)
        make.wait()
