"""waybill backup and restore: damage on both sides."""
import os

import pytest

from backups import LINE, catalog, records, run
from backups import backup, elsewhere, near, restored  # noqa: F401 (fixtures)
from exchange import text
from shell import waybill


def flip(path, at=1000):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.unlink()  # not through a hard link
    path.write_bytes(content)


DAMAGE = {"missing": lambda p: p.unlink(), "wrong-hash": flip,
          "unreadable": lambda p: (p.unlink(), p.symlink_to("/etc/passwd"))}


@pytest.mark.parametrize("word", DAMAGE)
def test_damaged_at_the_source(backup, restored, word):
    """Said; all else is copied; the record stays, as verify says of both stores alike."""
    DAMAGE[word](backup.object(1))
    done = run(backup.door, "backup", backup.dir, status=1)
    assert done.stderr.splitlines()[0].startswith(f"{word} object={backup.files[1]['sha256']}: not in the backup")
    assert LINE.fullmatch(done.stdout).groups()[:4] == ("4", "2", "0", "0")
    assert not backup.object(1, backup.dir).is_symlink() and not backup.object(1, backup.dir).exists()
    again = restored(backup, status=1)
    assert f"missing object={backup.files[1]['sha256']}: not restored" in again.done.stderr
    *lines, _ = waybill(again, "verify", status=1).splitlines()
    assert [line.split()[0] for line in lines] == ["missing", "lost", "lost"]
    assert again.get(f"/files/{backup.files[0]['id']}/content").body == text(3000, 1)


def test_damaged_at_the_source_but_not_in_the_backup(backup, restored):
    backup.take()
    flip(backup.object(1))
    for options in ((), ("--full",)):
        assert backup.take(*options)[1:4] == (0, 3, 0)
    assert len(records(restored(backup))) == 4


@pytest.mark.parametrize("damage", [flip, lambda p: (p.unlink(), p.write_bytes(b"short")), lambda p: p.unlink(),
                                    lambda p: (p.unlink(), p.symlink_to("/etc/passwd"))],
                         ids=["flipped", "cut", "gone", "link"])
def test_damaged_in_the_backup(backup, restored, damage):
    """What has another length or is no file is seen at once, a flipped bit by --full."""
    backup.take()
    damage(backup.object(1, backup.dir))
    if damage is flip:
        assert backup.take()[1:3] == (0, 3)
        again = restored(backup, status=1)
        assert f"wrong-hash object={backup.files[1]['sha256']}: not restored" in again.done.stderr
        assert sum("lost id=" in line for line in waybill(again, "verify", status=1).splitlines()) == 2
        assert again.get(f"/files/{backup.files[1]['id']}/content").status == 404  # nor served
    done = run(backup.door, "backup", *(["--full"] if damage is flip else []), backup.dir)
    assert LINE.fullmatch(done.stdout).groups()[1:3] == ("1", "2")
    gone = "replaced object=" not in done.stderr
    assert gone == ("exist" in done.stderr or not done.stderr) and os.path.exists("/etc/passwd")
    assert len(records(restored(backup))) == 4


def test_damaged_catalog(near, restored):
    """A catalog with broken pages does not take the place of a whole one."""
    near.take()
    near.door.process.terminate()
    near.door.process.wait()
    good = (near.dir / "waybill.db").read_bytes()
    root = catalog(near.data).execute("SELECT rootpage FROM sqlite_schema WHERE name = 'files'").fetchone()[0]
    with open(near.data / "waybill.db", "r+b") as f:
        f.seek((root - 1) * 4096)
        f.write(b"\xff" * 64)
    assert "damaged" in run(near.door, "backup", near.dir, status=1).stderr
    assert (near.dir / "waybill.db").read_bytes() == good
    assert len(records(restored(near))) == 4
    (near.dir / "waybill.db").write_bytes((near.data / "waybill.db").read_bytes())
    done = run(near.door, "restore", near.dir, status=1, WAYBILL_DATA_DIR=str(near.door.home / "bad"))
    assert "damaged" in done.stderr and "the backup" in done.stderr
