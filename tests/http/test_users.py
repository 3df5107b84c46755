"""Who runs it: another user than the one whose data it is, root, nobody who may write there."""
import os
import re
import shutil
import subprocess

import pytest

import exchange
import processes
import wire
from exchange import refused, text

NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]


@pytest.fixture
def program(tmp_path):
    """The program where every user can run it."""
    home = tmp_path / "bin"
    home.mkdir(mode=0o755)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    return shutil.copy(processes.WAYBILL, home)


def run(program, data, *arguments, prefix=(), **environment):
    return subprocess.run([*processes.AS_ROOT, *prefix, "env", f"WAYBILL_DATA_DIR={data}", *(f"{k}={v}" for k, v in environment.items()), program, *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=processes.PATIENCE)


@pytest.mark.parametrize("command", [["ls"], ["gc"], ["token", "add", "a", "--can", "upload"], ["serve", "-l", "127.0.0.1:1"]])
def test_who_may_not_is_told_where_and_as_whom(program, tmp_path, command):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    done = run(program, data, *command, prefix=NOBODY)
    assert done.returncode == 1 and str(data) in done.stderr and "Permission denied" in done.stderr and "runs as nobody (user 65534)" in done.stderr, done
    assert os.listdir(data) == []


def test_root_leaves_nothing_of_its_own_in_the_data_of_another(program, fresh):
    door = fresh("fastcgi")
    door.put("a.txt", text(100))
    door.process.terminate()
    door.process.wait()
    give = [*processes.AS_ROOT, "chown", "-R"]
    subprocess.run([*give, "nobody:nogroup", door.data], check=True)
    for command in (["token", "add", "alice", "--can", "upload"], ["gc"], ["verify"], ["ls"], ["rm", "--since", "2020-01-01T00:00:00Z", "--yes"]):
        done = run(program, door.data, *command)
        assert done.returncode == 0, (command, done)
    owners = subprocess.run([*processes.AS_ROOT, "find", door.data, "!", "-user", "nobody"], capture_output=True, text=True, check=True).stdout
    assert owners == "", owners
    subprocess.run([*give, f"{os.getuid()}:{os.getgid()}", door.data], check=True)


def test_plain_cgi_that_cannot_serve_says_which_request(fresh):
    """The client gets no more than a number, by which the log has the reason."""
    door = fresh("cgi")
    shutil.rmtree(door.data)
    door.data.write_bytes(b"a file")
    done = subprocess.run([processes.WAYBILL], env={**door.environment(), **wire.variables("GET", "/files", None, None)},
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=processes.PATIENCE)
    answer, said = exchange.parse_cgi(done.stdout), done.stderr.decode()
    problem = refused(answer, 500, "internal")
    assert re.fullmatch(r"[0-9a-f]{12}-0", answer["X-Request-Id"]) and problem["request_id"] == answer["X-Request-Id"]
    assert done.returncode == 1 and f'request_id={answer["X-Request-Id"]} reason="Cannot open {door.data}' in said, said
