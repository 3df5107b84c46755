"""waybill backup and restore: what is refused, and what does not stand in the way."""
import sqlite3

import pytest

from backups import records, run, stop
from backups import near, restored  # noqa: F401 (fixtures)


def test_refused_directories(near):
    good, home = near.dir, near.door.home
    for near.dir in (near.data, near.data / "backup", near.data / "objects"):
        near.refused("lies in data_dir")
    assert not (near.data / "backup").exists()
    near.dir = home  # above data_dir, and not empty
    near.refused("is not empty, and no backup of waybill's")
    near.dir = home / "none" / "below"
    near.refused("Cannot create", "No such file")
    near.dir = home / "waybill.conf"
    near.refused("Cannot open", "Not a directory")
    near.dir = home / "wide"
    near.dir.mkdir()
    near.dir.chmod(0o777)
    near.refused("Everybody on this machine can write to", "chmod o-w")
    near.dir = home / "to data"
    near.dir.symlink_to(near.data)
    near.refused("lies in data_dir")
    near.dir = home / "new disk"
    (near.dir / "lost+found").mkdir(parents=True)
    near.take() if " " not in str(near.dir) else run(near.door, "backup", near.dir)
    near.dir = good


def test_links_in_the_backup_lead_nowhere(near):
    near.take()
    target = near.door.home / "target"
    target.write_bytes(b"precious")
    (near.dir / "waybill.db").unlink()
    (near.dir / "waybill.db").symlink_to(target)
    (near.dir / "waybill.db.new").symlink_to(target)
    (near.dir / "objects" / ("tmp-" + "0" * 64)).symlink_to(target)
    run(near.door, "backup", near.dir)  # says that the catalog there could not be read
    assert target.read_bytes() == b"precious" and not (near.dir / "waybill.db").is_symlink()
    (near.dir / "waybill.db").unlink()
    (near.dir / "waybill.db").symlink_to(target)
    run(near.door, "restore", near.dir, status=1, WAYBILL_DATA_DIR=str(near.door.home / "r"))
    moved = near.door.home / "moved"
    (near.dir / "objects").rename(moved)
    (near.dir / "objects").symlink_to(moved)
    near.refused("objects")
    (near.dir / "waybill-backup").unlink()
    (near.dir / "waybill-backup").symlink_to(target)
    near.refused("Cannot open the mark")


def test_refused_restores(near):
    near.take()
    (near.door.home / "empty").mkdir()
    nothing = run(near.door, "restore", near.door.home / "empty", status=1, WAYBILL_DATA_DIR=str(near.door.home / "r"))
    assert "is no backup: there is no waybill-backup" in nothing.stderr and not (near.door.home / "r").exists()
    full = run(near.door, "restore", near.dir, status=1)
    assert "is not empty: there is" in full.stderr and "move away" in full.stderr
    inside = run(near.door, "restore", near.dir, status=1, WAYBILL_DATA_DIR=str(near.dir / "data"))
    assert "lie in each other" in inside.stderr
    (near.dir / "waybill.db").unlink()
    begun = run(near.door, "restore", near.dir, status=1, WAYBILL_DATA_DIR=str(near.door.home / "r"))
    assert "no backup has come to its end" in begun.stderr
    (near.dir / "waybill-backup").write_text("waybill backup 2\n")
    near.refused("newer waybill's, or damaged")


@pytest.mark.parametrize("left", [b"", b"waybill ba", bytes(200), b"waybill" + bytes(10)])
def test_a_mark_that_a_power_cut_tore_is_made_anew(near, restored, left):
    near.take()
    mark = near.dir / "waybill-backup"
    whole = mark.read_bytes()
    mark.write_bytes(left)
    assert len(records(restored(near))) == 4
    near.take()
    assert mark.read_bytes() == whole


def test_usage(near):
    for words in (["backup"], ["backup", "a", "b"], ["backup", "--fast", "a"], ["restore"], ["restore", "--full", "a"]):
        assert run(near.door, *words, status=2).stderr


def test_an_empty_catalog_is_called_so(near):
    """As whoever refuses to go on without the right one may leave it."""
    stop(near.door)
    for path in near.data.glob("waybill.db*"):
        path.unlink()
    assert "--adopt" in run(near.door, "gc", status=1).stderr
    for words in (["ls"], ["token", "ls"], ["backup", near.dir]):
        done = run(near.door, *words, status=1)
        assert "is empty" in done.stderr or "There is no catalog" in done.stderr, done


def test_an_older_catalog_is_not_guessed_at(near):
    near.door.process.terminate()
    near.door.process.wait()
    with sqlite3.connect(near.data / "waybill.db") as db:
        db.execute("PRAGMA user_version = 1")
    near.refused("made by an older waybill")
    with sqlite3.connect(near.data / "waybill.db") as db:
        db.execute("PRAGMA user_version = 99")
    near.refused("made by a newer waybill")


def test_into_a_packaged_data_dir(near, restored):
    """What the package and the web server have made there does not stand in the way."""
    near.take()
    data = near.door.home / "packaged"
    (data / "spool").mkdir(parents=True)
    assert records(restored(near, data=data)) == records(near.door)
