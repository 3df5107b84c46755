"""Several processes on one data_dir: what one does must neither stop nor mislead the others."""
import contextlib
import fcntl
import os
import sqlite3
import struct
import subprocess

from exchange import refused, text
from processes import PATIENCE, WAYBILL
from shell import waybill

LOCKS = 1 << 40  # where the ledger's locks begin: its own, then one for each process
MAGIC_010 = struct.pack("<QQ", 0x7265676465770A01, 64 + 16384 * 32)  # as 0.1.0 marks its ledger


def lock(file, byte):
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, LOCKS + byte, 1, 0))


@contextlib.contextmanager
def ledger(door):
    with open(door.data / "partial" / "ledger", "r+b", buffering=0) as file:
        yield file


def complaint(door, *arguments):
    """What a command says that must not succeed."""
    done = subprocess.run([WAYBILL, *arguments], env=door.environment(), timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode != 0, done
    return done.stderr


def test_a_neighbour_that_was_stopped(fresh):
    """It holds the ledger's lock and will not let go: uploads are told to come again, all else is answered."""
    door = fresh("fastcgi", quota_bytes="1G", max_bytes="1M")
    kept = door.put("before.txt", text(500)).file
    with ledger(door) as held:
        lock(held, 0)
        for name in ("first.txt", "second.txt"):
            answer = door.put(name, text(500, seed=3))
            refused(answer, 503, "busy")
            assert answer["Retry-After"]
        assert door.get("/healthz").status == 200
        assert door.get("/metrics").status == 200
        assert door.get(f"/files/{kept['id']}/content").body == text(500)
    assert door.put("after.txt", text(500, seed=4)).status == 201
    assert "ledger busy" in door.said()


def test_an_older_version_serves_already(fresh):
    """Its uploads would be entered into a catalog that it does not know any more."""
    door = fresh("fastcgi")
    door.process.terminate()
    door.process.wait()
    with ledger(door) as held:
        lock(held, 7)
        held.write(MAGIC_010)
        for command in (["gc"], ["serve", "-l", f"unix:{door.home}/other.socket"]):
            assert "Another version of waybill is serving" in complaint(door, *command)
    waybill(door, "gc")


def test_a_newer_version_has_migrated(fresh):
    """A worker that still runs stops writing, and says so; what is there is read all the same."""
    door = fresh("fastcgi")
    kept = door.put("before.txt", text(500)).file
    with contextlib.closing(sqlite3.connect(door.data / "waybill.db", isolation_level=None)) as catalog:
        [version] = catalog.execute("PRAGMA user_version").fetchone()
        catalog.execute(f"PRAGMA user_version = {version + 1}")
        answer = door.put("late.txt", text(500, seed=3))
        refused(answer, 503, "busy", "brought up to date")
        assert answer["Retry-After"]
        assert door.get(f"/files/{kept['id']}/content").body == text(500)
        assert "changed by another version of waybill" in door.said()
        catalog.execute(f"PRAGMA user_version = {version}")
    assert door.put("after.txt", text(500, seed=4)).status == 201
