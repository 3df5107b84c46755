"""test_house.py: what keeps house beside clients: it goes on whatever the clock does, and holds nobody up."""
import fcntl
import os
import signal
import sqlite3
import struct
import subprocess

import pytest

import rig
import processes

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.mark.parametrize("step", [-86400, -3600 * 24 * 3650, 86400], ids=lambda s: f"{s} s")
def test_the_clock_steps(make_worker, step):
    """Sweeping goes on, as often as before."""
    worker = make_worker(shimmed=True)

    def swept(content):
        orphan = worker.data / "objects" / rig.sha256(content)
        orphan.write_bytes(content)

        def gone():
            worker.process.send_signal(signal.SIGHUP)
            return not orphan.exists()
        processes.wait_until(gone, "an orphan to be swept")
    swept(b"before")
    worker.control.clock = step
    for content in (b"after", b"again"):
        swept(content)
    assert worker.put("x", b"x").status == 201


# ---- verify beside clients ------------------------------------------------------------------------

F_OFD_GETLK = 36
HUGE = 1 << 40  # to read all of it takes minutes at least


def is_locked(path):
    fd = os.open(path, os.O_RDWR)
    try:
        lock = fcntl.fcntl(fd, F_OFD_GETLK, struct.pack("hhqqixxxx", fcntl.F_WRLCK, 0, 0, 0, 0))
        return struct.unpack_from("h", lock)[0] != fcntl.F_UNLCK
    finally:
        os.close(fd)


def grow(worker, id):
    """Have an upload at offset 64 stand at HUGE: a file with a hole, and a digest that counts as far."""
    with open(worker.data / "partial" / id, "r+b") as file:
        file.truncate(HUGE + 10)
    with sqlite3.connect(worker.data / "waybill.db") as db:
        (digest,) = db.execute("SELECT digest FROM uploads WHERE id = ?", (id,)).fetchone()
        blocks = struct.pack("<Q", 1)  # of 64 bytes, that went into the digest
        assert digest.count(blocks) == 1
        digest = digest.replace(blocks, struct.pack("<Q", HUGE // 64))
        db.execute("UPDATE uploads SET digest = ?, offset = ?, length = ?, allocated = ? WHERE id = ?",
                   (digest, HUGE, HUGE + 10, HUGE + 10, id))


@pytest.fixture
def verifying(make_worker):
    """A verify that has just begun to hash an upload of HUGE bytes, and the upload."""
    worker = make_worker({"max_bytes": "4T"})
    path = worker.request("POST", "/upload", {**TUS, "Upload-Length": "74"}, b"")["Location"]
    id = path.rsplit("/", 1)[1]
    assert worker.request("PATCH", path, {**PATCH, "Upload-Offset": "0"}, b"x" * 64).status == 204
    grow(worker, id)
    process = subprocess.Popen([rig.WAYBILL, "verify"], env=worker.environment(), stdout=subprocess.PIPE, text=True)
    try:
        processes.wait_until(lambda: is_locked(worker.data / "partial" / id), "verify to hold it")
        yield worker, path, process
    finally:
        process.kill()
        process.wait()


def test_an_upload_is_resumed_beside_verify(verifying):
    """Whoever wants its bytes gets them, and verify goes on with the rest."""
    worker, path, process = verifying
    assert process.poll() is None
    answer = worker.request("PATCH", path, {**PATCH, "Upload-Offset": str(HUGE)}, b"12345")
    assert answer.status == 204, answer
    out, _ = process.communicate(timeout=processes.PATIENCE)
    assert process.returncode == 0 and "all is well" in out, out


def test_an_upload_is_asked_for_beside_verify(verifying):
    worker, path, process = verifying
    answer = worker.request("HEAD", path, TUS)
    assert answer.status == 200 and answer["Upload-Offset"] == str(HUGE)
    assert process.wait(processes.PATIENCE) == 0


def test_an_upload_is_ended_beside_verify(verifying):
    worker, path, process = verifying
    assert worker.request("DELETE", path, TUS).status == 204
    assert process.wait(processes.PATIENCE) == 0
    assert not list((worker.data / "partial").glob(path.rsplit("/", 1)[1]))


# ---- a digest that another build has stored -------------------------------------------------------

@pytest.mark.parametrize("change", [lambda d: d[:4] + bytes(len(d) - 4), lambda d: d + bytes(8), lambda d: d[:50]],
                         ids=["as long", "longer", "shorter"])
def test_a_digest_of_another_build(worker, change):
    """Says nothing of the bytes: they are taken as they are, and resumed from themselves."""
    path = worker.request("POST", "/upload", {**TUS, "Upload-Length": "10"}, b"")["Location"]
    id = path.rsplit("/", 1)[1]
    assert worker.request("PATCH", path, {**PATCH, "Upload-Offset": "0"}, b"12345").status == 204
    with sqlite3.connect(worker.data / "waybill.db") as db:
        (digest,) = db.execute("SELECT digest FROM uploads WHERE id = ?", (id,)).fetchone()
        db.execute("UPDATE uploads SET digest = ? WHERE id = ?", (change(digest), id))
    assert "all is well" in worker.run("verify", "--repair", check=0).stdout
    assert worker.request("PATCH", path, {**PATCH, "Upload-Offset": "5"}, b"67890").status == 204
    assert list(worker.listed().values()) == [rig.sha256(b"1234567890")]
