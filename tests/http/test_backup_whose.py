"""waybill backup: of whose data_dir it is, and who may go on with it."""
import os
import shutil
import sqlite3
import subprocess

import processes
from backups import LINE, records, run, stop
from backups import near, restored  # noqa: F401 (fixtures)


def test_another_store_does_not_take_its_place(near, fresh, restored):
    """As where the file system of data_dir is not mounted, and an empty store was made in its place."""
    near.take()
    before = {p: p.stat().st_mtime_ns for p in near.dir.rglob("*")}
    other = fresh("fastcgi")
    other.put("stranger", b"s")
    assert "is the backup of another data_dir" in run(other, "backup", near.dir, status=1).stderr
    left = {p: p.stat().st_mtime_ns for p in near.dir.rglob("*") if p.name != "waybill.db.new"}
    assert left.keys() == before.keys()
    assert len(records(restored(near))) == 4


def test_an_older_catalog_does_not_take_its_place(near, restored):
    stop(near.door)
    older = (near.data / "waybill.db").read_bytes()
    near.serve_again()
    near.put("newer", b"n")
    near.take()
    stop(near.door)
    (near.data / "waybill.db").write_bytes(older)
    near.refused("not, or no longer, the catalog of the objects beside it")
    (near.data / "generation").unlink()
    near.refused("a later state of this catalog")
    assert len(records(restored(near))) == 5


def test_a_catalog_that_cannot_be_read_is_not_replaced(near, fresh, restored):
    """Who cannot tell what is there must not take its place: locked by somebody, or another user's."""
    near.take()
    other = fresh("fastcgi")
    other.put("stranger", b"s")
    holder = sqlite3.connect(near.dir / "waybill.db")
    holder.execute("BEGIN EXCLUSIVE")
    locked = run(other, "backup", near.dir, status=1)
    assert "cannot be read" in locked.stderr and "left as it is" in locked.stderr, locked
    holder.close()
    nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    give = [*processes.AS_ROOT, "chown", "-R"]
    subprocess.run([*give, "nobody:nogroup", near.dir, other.home], check=True)
    subprocess.run([*give, "root:root", near.dir / "waybill.db"], check=True)
    program = shutil.copy(processes.WAYBILL, near.door.home)
    done = subprocess.run([*processes.AS_ROOT, *nobody, "env", f"WAYBILL_DATA_DIR={other.data}", program, "backup", near.dir],
                          capture_output=True, text=True, timeout=processes.PATIENCE)
    assert done.returncode == 1 and "Permission denied" in done.stderr, done
    subprocess.run([*give, f"{os.getuid()}:{os.getgid()}", near.dir, other.home], check=True)
    assert "is the backup of another data_dir" in run(other, "backup", near.dir, status=1).stderr
    assert len(records(restored(near))) == 4


def test_after_a_restore_it_goes_on(near, restored):
    """A restored data_dir may go on with the backup that it came from; the old one may not any more
    once it has."""
    near.take()
    again = restored(near)
    again.put("after", b"a")
    old, near.door, near.data = near.door, again, again.data
    assert near.take()[:4] == (5, 1, 3, 0)
    assert "another data_dir" in run(old, "backup", near.dir, status=1).stderr


def test_right_after_a_restore(near):
    near.take()
    data = near.door.home / "r"
    run(near.door, "restore", near.dir, WAYBILL_DATA_DIR=str(data))
    done = run(near.door, "backup", near.dir, WAYBILL_DATA_DIR=str(data))
    assert LINE.fullmatch(done.stdout).groups()[:4] == ("4", "0", "3", "0")


def test_after_an_adoption_it_goes_on(near):
    """As the catalog of the same data_dir, though under a new id."""
    near.take()
    near.put("later", b"l")
    stop(near.door)
    shutil.copy(near.dir / "waybill.db", near.data / "waybill.db")  # instead of a restore
    near.refused("not, or no longer, the catalog of the objects beside it")
    assert "adopted" in run(near.door, "verify", "--adopt").stdout
    assert (near.data / "waybill.db").read_bytes()[18:20] == b"\2\2"  # with a write-ahead log again
    assert near.take()[:4] == (5, 1, 3, 0)


def test_after_a_restore_and_an_adoption_it_goes_on(near, restored):
    """A new id each, of which the backup knows neither."""
    near.take()
    near.door = restored(near)
    near.data = near.door.data
    stop(near.door)
    older = (near.data / "waybill.db").read_bytes()
    near.serve_again()
    near.put("later", b"l")
    stop(near.door)
    (near.data / "waybill.db").write_bytes(older)
    run(near.door, "verify", "--adopt")
    assert near.take()[:4] == (5, 1, 3, 0)


def test_a_copy_of_a_backup_is_one(near, restored):
    near.take()
    copy = near.door.home / "copy"
    subprocess.run(["cp", "-r", near.dir, copy], check=True)
    shutil.rmtree(near.dir)
    near.dir = copy
    near.put("later", b"l")
    assert near.take()[:4] == (5, 1, 3, 0)
    assert records(restored(near)) == records(near.door)
