"""waybill backup and restore: what was kept is there again."""
import re
import subprocess

from backups import LINE, PATCH, TUS, catalog, records, run, sound
from backups import backup, elsewhere, near, restored  # noqa: F401 (fixtures)
from exchange import text


def test_there_and_back(backup, restored):
    assert backup.take() == (4, 3, 0, 0, 9000, 9000)
    again = restored(backup)
    assert re.fullmatch(r"restored 4 files from .*: 3 objects, 9000 bytes; [\d.]+ s\n(All of it is root's.*\n)?",
                        again.done.stdout) and not again.done.stderr
    assert records(again) == records(backup.door)
    sound(again)
    assert again.request("DELETE", f"/files/{backup.files[0]['id']}", backup.token).status == 204  # tokens, too
    assert again.put("more", b"m").status == 201
    sound(again)
    sound(backup.door)


def test_only_what_is_new(backup):
    assert backup.take()[1:4] == (3, 0, 0)
    assert backup.take() == (4, 0, 3, 0, 0, 9000)
    backup.put("four.txt", text(500, 4))
    backup.put("one again.txt", text(3000, 1))
    assert backup.take() == (6, 1, 3, 0, 500, 9500)
    backup.rm(backup.files[3])
    backup.rm(backup.files[1])  # its content has another file
    assert backup.take() == (4, 0, 3, 1, 0, 6500)
    assert sorted(p.name for p in (backup.dir / "objects").iterdir()) == \
        sorted(p.name for p in (backup.data / "objects").iterdir())


def test_an_empty_store(fresh, restored):
    door = fresh("fastcgi")
    done = run(door, "backup", door.home / "backup")
    assert LINE.fullmatch(done.stdout).groups()[:4] == ("0", "0", "0", "0")
    door.dir, door.door = door.home / "backup", door
    assert records(restored(door)) == {}


def test_what_it_holds(backup):
    """Nothing for others; a catalog by itself, without a log beside it; and no unfinished uploads."""
    upload = backup.door.request("POST", "/upload", {**TUS, "Upload-Length": "5000"}, b"")["Location"]
    assert backup.door.request("PATCH", upload, PATCH, text(2000, 9)).status == 204
    backup.take()
    found = {str(p.relative_to(backup.dir)): p for p in backup.dir.rglob("*")}
    assert set(found) == {"waybill-backup", "waybill.db", "objects", *(f"objects/{f['sha256']}" for f in backup.files)}
    assert backup.dir.stat().st_mode & 0o7777 == 0o750
    assert all(p.stat().st_mode & 0o777 == (0o750 if p.is_dir() else 0o640) for p in found.values())
    assert catalog(backup.dir).execute("SELECT count(*) FROM uploads").fetchone() == (0,)
    assert (backup.dir / "waybill.db").read_bytes()[18:20] == b"\1\1"  # needs no write-ahead log to be read
    assert backup.door.request("HEAD", upload, TUS).status == 200


def test_restored_uploads_begin_anew(near, restored):
    upload = near.door.request("POST", "/upload", {**TUS, "Upload-Length": "5000"}, b"")["Location"]
    assert near.door.request("PATCH", upload, PATCH, text(2000, 9)).status == 204
    done = near.door.request("POST", "/upload", {**TUS, "Upload-Length": "3"}, b"")["Location"]
    assert near.door.request("PATCH", done, PATCH, b"abc").status == 204
    near.take()
    again = restored(near)
    assert again.request("HEAD", upload, TUS).status == 404
    assert again.request("HEAD", done, TUS)["Upload-Offset"] == "3"  # a finished one is remembered
    sound(again)


def test_restored_is_independent(near, restored):
    """The backup may share its files with data_dir; what was restored shares with neither."""
    near.take()
    again = restored(near)
    assert all(p.stat().st_nlink == 1 for p in (again.data / "objects").iterdir())
    backups = {p.stat().st_ino for p in (near.dir / "objects").iterdir()}
    assert not backups & {p.stat().st_ino for p in (again.data / "objects").iterdir()}


def shares(one, other):
    """By inode, or by the blocks that filefrag shows."""
    if one.stat().st_ino == other.stat().st_ino:
        return True
    shown = [subprocess.run(["filefrag", "-v", p], capture_output=True, text=True, check=True).stdout for p in (one, other)]
    return all("shared" in one for one in shown)


def test_the_same_file_system_shares(near):
    near.take()
    assert all(shares(near.object(i), near.object(i, near.dir)) for i in range(4))
