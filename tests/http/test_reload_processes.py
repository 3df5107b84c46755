"""SIGHUP: when parents and workers die, and what the parent is."""
import os
import pathlib
import subprocess

import pytest

import processes
import wire
from processes import PATIENCE, WAYBILL, children, wait_until, workers_of
from reloading import gone, hang_up, messages, parent, slow_upload


# ---- when processes die ---------------------------------------------------------------------------

def test_a_worker_that_is_killed_is_replaced(fresh):
    """Behind the same socket: requests wait. An older one's upload is not touched by it."""
    door = fresh("fastcgi")
    with slow_upload(door) as finish:
        hang_up(door)
        [old, dead] = door.workers()
        processes.kill_dead(dead)
        assert door.put("a", b"a").status == 201
        assert door.workers()[0] == old and dead not in door.workers()
        finish()
    assert [line["exit"] for line in messages(door, "the worker has ended, another follows")] == ["137"]
    door.process.terminate()
    assert door.process.wait(PATIENCE) == 0


def test_the_parent_is_killed(fresh):
    """Its workers finish what is under way, and end."""
    door = fresh("fastcgi")
    with slow_upload(door) as finish:
        hang_up(door)
        both = door.workers()
        assert len(both) == 2
        door.process.kill()
        door.process.wait()
        wait_until(lambda: gone(both[1]), "the one without an upload to end")
        finish()
    wait_until(lambda: gone(both[0]), "the other to end")


def test_no_worker_can_take_its_place(fresh):
    """Then waybill ends as that one did: whoever supervises it may know better."""
    door = fresh("fastcgi")
    told = hang_up(door)
    (door.data / "objects").chmod(0o757)
    processes.kill_dead(int(told["pid"]))
    assert door.process.wait(PATIENCE) == 1
    assert "chmod o-w" in door.said()


# ---- what the parent is, and where there is none --------------------------------------------------

def test_the_parent_holds_nothing(fresh):
    """Of the store, or of those who ask: only the door."""
    door = fresh("fastcgi")
    hang_up(door)
    with slow_upload(door) as finish:
        held = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{door.process.pid}/fd").iterdir()]
        finish()
    assert not [name for name in held if str(door.data) in name], held
    assert len([name for name in held if name.startswith("socket:")]) == 1, held
    assert len(os.listdir(f"/proc/{door.process.pid}/task")) == 1
    assert "NoNewPrivs:\t1" in pathlib.Path(f"/proc/{door.process.pid}/status").read_text()


def test_plain_cgi_has_no_parent(fresh):
    door = fresh("cgi")
    env = {**door.environment(), **wire.variables("PUT", "/upload/a", {}, 5)}
    child = subprocess.Popen([WAYBILL], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_until(lambda: children(child.pid), "its sniffers")
        assert workers_of(child.pid) == []
    finally:
        output, _ = child.communicate(b"hello", timeout=PATIENCE)
    assert b"Status: 201" in output


@pytest.mark.parametrize("why, status", [("max_bytes = many\n", 2), ("", 1)], ids=["configuration", "data_dir"])
def test_it_ends_at_once_where_it_cannot_start(tmp_path, why, status):
    (tmp_path / "file").touch()
    config = tmp_path / "waybill.conf"
    config.write_text(f"data_dir = {tmp_path}/file\n{why}")
    done = subprocess.run([WAYBILL, "serve", "-c", config, "-l", f"unix:{tmp_path}/s"], capture_output=True, text=True,
                          timeout=PATIENCE, env={"PATH": os.environ["PATH"]})
    assert done.returncode == status and done.stderr.startswith("waybill: "), done
    assert not (tmp_path / "s").exists()


def test_behind_lighttpd(fresh):
    """Which started it and counts it by its process: that stays the same, and SIGTERM to it drains all."""
    door = fresh("lighttpd")
    pid = parent(door)
    hang_up(door, pid=pid)
    assert parent(door) == pid and door.put("a", b"a").status == 201
    door.process.terminate()
    wait_until(lambda: gone(pid), "the parent to end with lighttpd")
    assert door.workers() == []
