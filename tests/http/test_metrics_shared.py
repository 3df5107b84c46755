"""/metrics of several processes on one data_dir: one sum, whichever of them is asked, whoever comes and goes."""
import contextlib
import fcntl
import os
import struct

import pytest

import harness
import processes
import wire
from exchange import refused, text
from processes import wait_until
from test_operations import exposition, value
from wire import begin, record

PUTS = {"route": "/upload/{id}", "status": "201"}
LOCKS = 1 << 40


@pytest.fixture
def pair(fresh):
    """Two doors on one data_dir."""
    first = fresh("fastcgi")
    with contextlib.closing(harness.FastCGIDoor(data=first.data)) as second:
        yield first, second


def figure(door, name, **labels):
    return value(exposition(door.get("/metrics")), f"waybill_{name}", **labels)


def test_two_workers_show_one_sum(pair):
    first, second = pair
    for i, door in enumerate((first, first, second)):
        assert door.put(f"{i}.txt", text(100 + i)).status == 201
    refused(second.get("/nothing/here"), 404, "not_found")
    for door, other in (pair, pair[::-1]):
        wait_until(lambda: figure(door, "requests_total", **PUTS) == 3, "what the other one has counted")
        assert figure(door, "processes") == 2
        assert figure(door, "refusals_total", error="not_found") == 1
        assert figure(door, "received_bytes_total") == 303
        assert figure(door, "commits_total") >= 3
        assert figure(door, "request_seconds", sample="waybill_request_seconds_count") >= 4


def test_what_is_under_way_is_seen_by_the_other_and_ends_with_its_process(pair):
    first, second = pair
    quiet = figure(second, "sniffers")
    with first.connect() as held:
        held.sendall(begin() + first.params("PUT", "/upload/slow", None, 5000) + record(wire.STDIN, b"x"))
        wait_until(lambda: figure(second, "bodies_in_flight") == 1, "the upload under way")
        processes.kill_serving(first.process)
        wait_until(lambda: figure(second, "processes") == 1, "the end of the first")
        assert figure(second, "bodies_in_flight") == 0
        assert figure(second, "requests_in_flight") == 1
        assert 0 < figure(second, "sniffers") <= quiet


def test_counters_never_go_back(fresh):
    """Not when a worker ends, nor when the only one starts again."""
    first = fresh("fastcgi")
    assert first.put("a.txt", text(100)).status == 201
    before = figure(first, "commits_total")
    with contextlib.closing(harness.FastCGIDoor(data=first.data)) as second:
        assert second.put("b.txt", text(200)).status == 201
    assert figure(first, "requests_total", **PUTS) == 2
    first.process.terminate()
    assert first.process.wait(processes.PATIENCE) == 0
    with contextlib.closing(harness.FastCGIDoor(data=first.data)) as again:
        assert figure(again, "requests_total", **PUTS) == 2
        assert figure(again, "commits_total") > before
        assert figure(again, "processes") == 1


def test_plain_cgi_counts_too(fresh):
    """Each request is a process of its own there."""
    door = fresh("cgi")
    for i in range(3):
        assert door.put(f"{i}.txt", text(100)).status == 201
    assert figure(door, "requests_total", **PUTS) == 3
    assert figure(door, "processes") == 1


def test_a_file_of_another_layout_is_replaced(fresh):
    first = fresh("fastcgi")
    assert first.put("a.txt", text(100)).status == 201
    path = first.data / "metrics"
    first.process.terminate()
    first.process.wait()
    path.write_bytes(b"\xff" * 5000)
    with contextlib.closing(harness.FastCGIDoor(data=first.data)) as again:
        assert figure(again, "requests_total", **PUTS) == 0
        assert again.put("b.txt", text(200)).status == 201
        assert figure(again, "requests_total", **PUTS) == 1
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("spoil", ["folder", "link", "held"])
def test_a_file_that_is_none_is_said_and_costs_no_service(fresh, spoil):
    """A directory, a link to elsewhere, or a lock that is never let go: the worker counts for itself."""
    first = fresh("fastcgi")
    first.process.terminate()
    first.process.wait()
    path, elsewhere = first.data / "metrics", first.home / "elsewhere"
    with contextlib.ExitStack() as stack:
        if spoil == "held":
            file = stack.enter_context(open(path, "r+b", buffering=0))
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, LOCKS, 1, 0))
        else:
            path.unlink()
            path.mkdir() if spoil == "folder" else path.symlink_to(elsewhere)
        door = stack.enter_context(contextlib.closing(harness.FastCGIDoor(data=first.data)))
        assert door.put("a.txt", text(100)).status == 201
        assert figure(door, "requests_total", **PUTS) == 1
        assert "metrics are of this process alone" in door.said()
        assert not elsewhere.exists()
