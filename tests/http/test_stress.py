"""Large bodies in little memory; stalls; space; stopping."""
import hashlib
import http.client
import os
import signal
import socket
import subprocess

import pytest

import harness
import processes
from exchange import BOUNDARY, read_http, refused
from processes import PATIENCE, ended, wait_until
from wire import STDIN, begin, record

MIB, GIB = 1 << 20, 1 << 30
BLOCK = hashlib.sha256(b"block").digest() * (MIB // 32)


def peak(pid):
    """Most memory the process has had, in bytes."""
    status = open(f"/proc/{pid}/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def send_large(door, head, size, tail=b""):
    with door.connect() as sock:
        sock.sendall(head)
        for _ in range(size // MIB):
            sock.sendall(BLOCK)
        sock.sendall(tail)
        return read_http(sock, "PUT")


def digest_of(size):
    digest = hashlib.sha256()
    for _ in range(size // MIB):
        digest.update(BLOCK)
    return digest.hexdigest()


def put_large(door, size):
    return send_large(door, door.head("PUT", "/upload/large.bin", {}, size), size)


def form_large(door, size):
    start = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; filename="large.bin"\r\n\r\n').encode()
    end = f"\r\n--{BOUNDARY}--\r\n".encode()
    head = door.head("POST", "/upload", {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
                     len(start) + size + len(end))
    return send_large(door, head + start, size, end)


@pytest.mark.parametrize("send", [put_large, form_large])
def test_a_gibibyte(fresh, send):
    """Stored and read back byte for byte; the worker's memory does not know how large it was."""
    door = fresh("lighttpd", max_bytes="2G")
    for _ in range(3):
        assert send(door, MIB).file["size"] == MIB
    [worker] = door.workers()
    small = peak(worker)
    file = send(door, GIB).file
    grown = peak(worker) - small
    assert file["size"] == GIB and file["sha256"] == digest_of(GIB)
    assert grown < 2 * MIB, f"grew by {grown} bytes"
    with door.connect() as sock:
        sock.sendall(door.head("GET", f"/files/{file['id']}/content"))
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        digest, count = hashlib.sha256(), 0
        while piece := answer.read(MIB):
            digest.update(piece)
            count += len(piece)
    assert count == GIB and digest.hexdigest() == file["sha256"]
    assert peak(worker) - small < 2 * MIB


def test_body_timeout(fresh):
    """A body that stalls is given up with 408; nothing stays."""
    for kind in ("fastcgi", "lighttpd"):
        door = fresh(kind, body_timeout="1s")
        before = door.stored()
        answer = door.request("PUT", "/upload/slow", {"Content-Length": "100000"}, b"x" * 1000, stop=1000)
        refused(answer, 408, "body_timeout")
        wait_until(lambda: door.stored() == before, "nothing kept")


def test_no_space_by_configuration(open_door):
    door = open_door(min_free_bytes="100000G")
    before = door.stored()
    answer = door.request("PUT", "/upload/a", {"Content-Length": "1000"}, b"", stop=0)
    refused(answer, 507, "insufficient_storage")
    assert door.stored() == before


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    subprocess.run([*processes.AS_ROOT, "mount", "-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", where], check=True)
    yield where
    subprocess.run([*processes.AS_ROOT, "umount", "-l", where], check=True)


def test_no_space_on_disk(small_disk):
    """Refused by the declared length, before the body; uploads that fit still work."""
    (small_disk / "d").mkdir()
    door = harness.FastCGIDoor({"min_free_bytes": "1M"}, data=small_disk / "d")
    try:
        before = door.stored()
        answer = door.request("PUT", "/upload/a", {"Content-Length": str(20 * MIB)}, b"", stop=0)
        refused(answer, 507, "insufficient_storage")
        assert door.stored() == before
        assert door.put("fits", bytes(MIB)).status == 201
    finally:
        door.close()


def test_reservations_side_by_side(small_disk):
    """Two declared bodies that fit singly but not together: the second is refused at once."""
    (small_disk / "d").mkdir()
    door = harness.FastCGIDoor({"min_free_bytes": "1M"}, data=small_disk / "d")
    try:
        with door.connect() as sock:
            sock.sendall(begin() + door.params("PUT", "/upload/first", length=9 * MIB) + record(STDIN, b"x" * 1000))
            # The first one's reservation is made as soon as its headers are read: wait for that, or the
            # second might come first.
            wait_until(lambda: door.get("/healthz").json["reserved_bytes"] >= 9 * MIB, "the first to be reserved")
            answer = wait_until(lambda: reserve_refused(door), "the second to be refused")
            refused(answer, 507, "insufficient_storage")
    finally:
        door.close()


def reserve_refused(door):
    with door.connect() as sock:
        sock.sendall(begin() + door.params("PUT", "/upload/second", length=9 * MIB))
        sock.settimeout(1)
        try:
            return door.answer(sock)
        except (socket.timeout, AssertionError):
            return None


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGUSR1])
def test_stopping_finishes_what_is_under_way(fresh, sign):
    door = fresh("fastcgi")
    content = bytes(200000)
    with door.connect() as sock:
        sock.sendall(begin() + door.params("PUT", "/upload/last", length=len(content)) + record(STDIN, content[:60000]))
        assert door.alive()
        door.process.send_signal(sign)
        wait_until(lambda: not accepts(door), "no new requests")
        for at in range(60000, len(content), 60000):
            sock.sendall(record(STDIN, content[at:at + 60000]))
        sock.sendall(record(STDIN))
        assert door.answer(sock).file["sha256"] == hashlib.sha256(content).hexdigest()
    assert door.process.wait(PATIENCE) == 0, door.said()


def accepts(door):
    try:
        with door.connect() as sock:
            sock.settimeout(2)
            sock.sendall(begin() + door.params("GET", "/upload") + record(STDIN))
            return bool(sock.recv(1))
    except OSError:
        return False


def test_idle_worker_stops_at_once(fresh):
    door = fresh("fastcgi")
    door.process.terminate()
    assert door.process.wait(5) == 0


def test_server_leaves_nobody_behind(fresh):
    door = fresh("lighttpd")
    door.put("a", b"x")
    workers = door.workers()
    assert len(workers) == 1
    door.process.terminate()
    door.process.wait(PATIENCE)
    wait_until(lambda: all(ended(pid) for pid in workers), "the worker to end")


def test_crash_costs_one_request(fresh):
    """lighttpd starts another; what was stored is there."""
    door = fresh("lighttpd")
    file = door.put("a", b"x").file
    for pid in door.workers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: door.get("/healthz").status == 200, "another worker")
    assert door.get(f"/files/{file['id']}/content").body == b"x"
