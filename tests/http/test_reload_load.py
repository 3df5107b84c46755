"""SIGHUP under load, bare and behind web servers; over connections that are kept."""
import pytest

import harness
import wire
from processes import wait_until
from reloading import Load, hang_up, messages, parent
from wire import END, STDIN, STDOUT, VALUES, begin, record


@pytest.mark.parametrize("server", ["fastcgi", "lighttpd", "nginx-keepalive"])
def test_ten_reloads_under_load(server):
    door = harness.FastCGIDoor() if server == "fastcgi" else harness.ServerDoor(server)
    try:
        pid = parent(door)
        with Load(door) as load:
            for _ in range(10):
                hang_up(door, pid=pid)
                served = load.done
                wait_until(lambda: load.done > served + 30 or load.failures, "more requests")
        assert parent(door) == pid
        assert len({line["pid"] for line in messages(door, "reloaded")}) == 10
    finally:
        door.close()


@pytest.mark.parametrize("server, behind", [("harness", []), ("nginx/1.22.1", [VALUES])])
def test_a_connection_that_is_kept(fresh, server, behind):
    """The server in front may have sent a request over it: that is answered, and closes it. nginx would
    send the next one meanwhile, but for bytes behind the answer's end."""
    door = fresh("fastcgi", threads="4")
    [old] = door.workers()
    with door.connect() as busy, door.connect() as idle:
        for sock in (busy, idle):
            sock.sendall(begin(keep=True) + door.params("GET", "/upload") + record(STDIN))
            assert door.answer(sock).status == 200
        hang_up(door)
        busy.sendall(begin(keep=True) + door.params("PUT", "/upload/kept", {}, 5, SERVER_SOFTWARE=server)
                     + record(STDIN, b"hello") + record(STDIN))
        stream, kinds = busy.makefile("rb"), []
        while one := wire.read_record(stream):
            kinds.append(one[0])
        assert kinds == [STDOUT] * (len(kinds) - 1 - len(behind)) + [END] + behind
        assert door.workers()[0] == old
        idle.close()
        wait_until(lambda: old not in door.workers(), "the old worker to end")
