"""test_full.py: a disk that is really full: 507, nothing half kept, and when there is space again all
goes on by itself.

On a small tmpfs and a small ext4 in a mount namespace that run.sh made; where this machine lets
nobody mount, on the disk there is, with the shim saying ENOSPC to all that would take space.
"""
import contextlib
import errno
import os
import subprocess

import pytest

import rig
import exchange
import processes
import wire
from chance import chance, noise

MIB = 1 << 20
SIZE = 40 * MIB


class TooFull:
    """A disk of SIZE bytes, and someone else who can fill it."""

    def __init__(self, top):
        self.top, self.hog = top, top / "hog"

    def fill(self, leave=0):
        """Take all but `leave` bytes."""
        with open(self.hog, "ab") as file:
            for step in (MIB, 65536, 4096):
                with contextlib.suppress(OSError):
                    while self.left() - leave >= step:
                        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, step)

    def left(self):
        st = os.statvfs(self.top)
        return st.f_bavail * st.f_frsize

    def empty(self):
        self.hog.unlink(missing_ok=True)


class Pretended:
    """Where nothing can be mounted: no real limit, but every taking of space fails while it is full."""

    def __init__(self):
        self.worker = None

    def fill(self, leave=0):
        kinds = rig.CREATE | rig.WRITE | rig.ALLOCATE | rig.LINK | rig.RENAME
        self.worker.control.arm(kinds, 1, errno.ENOSPC, 1 << 30)

    def empty(self):
        self.worker.control.disarm()


def own_mounts():
    """Are we in a mount namespace that ends with us? Only then anything is mounted."""
    outer = os.environ.get("FAULTS_OUTER_NAMESPACE")
    return outer is not None and os.readlink("/proc/self/ns/mnt") != outer


def mount(kind, home):
    top = home / "small"
    top.mkdir()
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "none", top]
    else:
        image = home / "image"
        with open(image, "wb") as file:
            file.truncate(SIZE)
        made = subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-m", "0", image], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        command = ["mount", "-o", "loop", image, top]
    return top if subprocess.run(command, capture_output=True).returncode == 0 else None


@pytest.fixture(params=["tmpfs", "ext4", "pretended"])
def small(request, tmp_path, make_worker):
    """(the disk, a worker on it)."""
    top = mount(request.param, tmp_path) if request.param != "pretended" and own_mounts() else None
    if top is None:
        print(f"{request.param}: pretended by the shim")
        disk = Pretended()
        disk.worker = make_worker({"max_bytes": "200M", "deny_types": "x/none"}, shimmed=True)
        yield disk, disk.worker
        return
    worker = make_worker({"max_bytes": "200M", "deny_types": "x/none"}, disk=top)
    yield TooFull(top), worker
    worker.close()
    subprocess.run(["umount", "-l", top], check=True)


def refused(worker, answer, before):
    assert answer.status == 507 and answer.json["error"] == "insufficient_storage", (answer, worker.said())
    assert worker.listed() == before
    rig.wait_quiet_but_for_uploads(worker)


def test_declared_bytes_are_refused_before_they_are_read(small):
    """What does not fit is refused by its declared length alone."""
    disk, worker = small
    if isinstance(disk, Pretended):
        disk.fill()
        refused(worker, worker.put("big", bytes(3 * MIB)), {})
    else:
        answer = worker.request("PUT", "/upload/big", {}, bytes(SIZE), stop=1000)
        refused(worker, answer, {})
    disk.empty()
    assert worker.put("fits", b"x" * 1000).status == 201
    worker.stop()
    assert len(rig.settled(worker)) == 1


def test_filled_by_uploads(small):
    """Upload until nothing goes in any more: yes or 507, every yes is true; delete, and it goes on."""
    disk, worker = small
    kept, pick = {}, chance()
    for n in range(100):
        if n == 12 and isinstance(disk, Pretended):
            disk.fill()
        before = dict(kept)
        body = pick.randbytes(pick.choice([900_000, 2_500_000]))
        if n % 2:
            answer = worker.put("filling", body)
        else:  # its parts' sizes are not declared
            answer = worker.send_form(exchange.Upload("f", "a", body[:700_000]), exchange.Upload("f", "b", body[700_000:]))
        if answer.status != 201:
            break
        kept.update(rig.new_ids(answer))
    refused(worker, answer, before)
    assert len(kept) > 8
    if isinstance(disk, Pretended):
        disk.empty()
    for id, digest in sorted(kept.items()):
        assert rig.sha256((worker.data / "objects" / digest).read_bytes()) == digest
    for id in sorted(kept)[:6]:
        assert worker.request("DELETE", f"/files/{id}").status == 204, worker.said()
        del kept[id]
    again = worker.put("after", pick.randbytes(600_000))
    assert again.status == 201, (again, worker.said())
    kept.update(rig.new_ids(again))
    worker.stop()
    assert rig.settled(worker) == kept


def test_filled_by_somebody_else_meanwhile(small):
    """While a body comes in, another program takes all space there is."""
    disk, worker = small
    first = worker.put("first", b"1" * 5000)
    before = rig.new_ids(first)
    for size in (3 * MIB, 40_000, 10):
        headers, body = exchange.form(exchange.Upload("f", "x", noise(size)))
        with worker.connect() as sock:
            sock.sendall(wire.begin() + worker.params("POST", "/upload", headers, len(body)))
            stdin, half = worker.stdin(body), len(body) // 2
            sock.sendall(stdin[:half])
            disk.fill()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(stdin[half:])
            answer = worker.answer(sock)
        if answer.status == 201:  # there was room enough in what was allocated already
            before.update(rig.new_ids(answer))
            assert worker.listed() == before
        else:
            refused(worker, answer, before)
        assert worker.get(f"/files/{next(iter(before))}/content").status == 200
        disk.empty()
    answer = worker.put("after", b"2" * 5000)
    assert answer.status == 201 and worker.alive(), worker.said()
    before.update(rig.new_ids(answer))
    worker.stop()
    assert rig.settled(worker) == before


def test_started_on_a_full_disk(small):
    """It says why it does not start, or serves what is there; with space it is well."""
    disk, worker = small
    kept = rig.new_ids(worker.put("first", b"1" * 5000))
    worker.kill()
    disk.fill()
    worker.start(wait=False)
    processes.wait_until(lambda: worker.process.poll() is not None or worker._serves((200, 503)), "a start")
    if worker.process.poll() is None:
        worker.intact(*next(iter(kept.items())))
    else:
        assert worker.process.returncode == 1 and "waybill: " in worker.said()
    disk.empty()
    worker.kill()
    worker.start()
    assert worker.listed() == kept and worker.put("more", b"3").status == 201
