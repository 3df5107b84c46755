"""waybill backup and restore: what was kept is there again, beside uploads, kills and damage."""
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time

import pytest

import harness
from harness import text
from shell import add_token, bearer, waybill

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
LINE = re.compile(r"backed up (\d+) files to \S+: (\d+) objects new, (\d+) kept, (\d+) removed; "
                  r"(\d+) bytes new of (\d+); [\d.]+ s\n")


def run(door, *words, status=0, **environment):
    done = subprocess.run([harness.WAYBILL, *map(str, words)], env=door.environment(**environment), timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == status, (words, done)
    return done


class Backup:
    """A store of four files of three contents, and where its backup goes."""

    def __init__(self, door, to):
        self.door, self.data, self.dir, self.again = door, door.data, to, []
        self.token = bearer(add_token(door, "alice", "upload,delete"))
        self.files = [self.put(name, text(3000, seed))
                      for name, seed in (("one.txt", 1), ("two.txt", 2), ("two again.txt", 2), ("three.txt", 3))]

    def put(self, name, content):
        return self.door.request("PUT", f"/upload/{name.replace(' ', '%20')}", self.token, content).file

    def serve_again(self):
        """By another worker, which ends with the test."""
        self.door = harness.FastCGIDoor(data=self.data)
        self.again.append(self.door)

    def rm(self, file):
        assert self.door.request("DELETE", f"/files/{file['id']}", self.token).status == 204

    def take(self, *options, status=0):
        """(files, new, kept, removed, bytes new, bytes) of the one line that it prints."""
        done = run(self.door, "backup", *options, self.dir, status=status)
        assert status or not done.stderr, done
        return tuple(map(int, LINE.fullmatch(done.stdout).groups()))

    def refused(self, *needles):
        done = run(self.door, "backup", self.dir, status=1)
        assert not done.stdout and all(n in done.stderr for n in needles), done
        return done

    def object(self, i, top=None):
        return (top or self.data) / "objects" / self.files[i]["sha256"]


@pytest.fixture
def elsewhere():
    """On another file system than the doors' data."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="wbb-", dir="/dev/shm"))
    assert top.stat().st_dev != os.stat("/tmp").st_dev, "/dev/shm and /tmp have to be two file systems"
    yield top / "backup"
    shutil.rmtree(top)


@pytest.fixture(params=["here", "elsewhere"])
def backup(request, fresh):
    door = fresh("fastcgi")
    yield Backup(door, door.home / "backup" if request.param == "here" else request.getfixturevalue("elsewhere"))


@pytest.fixture
def near(fresh):
    door = fresh("fastcgi")
    backup = Backup(door, door.home / "backup")
    yield backup
    for door in backup.again:
        door.close()


@pytest.fixture
def restored():
    """restored(backup, status=): a door to a data_dir that was restored from it."""
    doors = []

    def restore(backup, status=0, data=None):
        data = data or backup.door.home / f"restored-{len(doors)}"
        done = run(backup.door, "restore", backup.dir, status=status, WAYBILL_DATA_DIR=str(data))
        doors.append(harness.FastCGIDoor(data=data))
        doors[-1].done = done
        return doors[-1]
    yield restore
    for door in doors:
        door.close()


def records(door):
    """All records, as JSON tells them, with the bytes that their URL gives."""
    files, url = {}, "/files?limit=1000"
    while url:
        page = door.get(url).json
        files.update((f["id"], f) for f in page["files"])
        url = page["next"]
    for file in files.values():
        answer = door.get(f"/files/{file['id']}/content")
        assert answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == file["sha256"], file
    return files


def sound(door):
    assert "all is well" in waybill(door, "verify")


def catalog(path):
    return sqlite3.connect(f"file:{path}/waybill.db?mode=ro", uri=True)


# ---- there and back ------------------------------------------------------------------------------

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


# ---- beside servers ------------------------------------------------------------------------------

def test_beside_uploads_and_deletes(near, restored):
    """Content comes and goes while backup after backup is made; each is sound, and has what was
    acknowledged before it and not deleted since."""
    over, kept, failures, lock = threading.Event(), {}, [], threading.Lock()
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")

    def busy(number):
        pick, n = random.Random(seed + number), 0
        while not over.is_set():
            n += 1
            file = near.put("busy", text(2000, pick.randrange(6)))  # the same few contents, all the time
            if n % 5:
                near.rm(file)
            else:
                own = near.put("own", text(300, 1000 * number + n + 7000))
                with lock:
                    kept.update({file["id"]: file, own["id"]: own})

    def guarded(number):
        try:
            busy(number)
        except BaseException as problem:
            failures.append(problem)
    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    try:
        round = 0
        while round < 8 or len(kept) < 60:
            round += 1
            with lock:
                before = dict(kept)
            near.take(*(("--full",) if round % 3 == 2 else ()))
            door = restored(near)
            there = records(door)
            assert before.items() <= there.items()
            sound(door)
            assert not failures and not (near.dir / "waybill.db.new").exists()
            near.door.request("PUT", "/upload/between", near.token, b"x")
    finally:
        over.set()
        [t.join() for t in threads]
    assert not failures and len(kept) >= 60
    sound(near.door)


def test_deleted_while_it_is_copied(near, restored):
    """A catalog that names what is gone meanwhile is never published: an object is taken away between
    the catalog's copy and its own, with the record."""
    contents = [text(100, 100 + n) for n in range(400)]
    files = [near.put(f"{n}", c) for n, c in enumerate(contents)]
    for n in range(0, 60, 3):  # forms, of which a part goes
        parts = [harness.Upload("f", f"{n}", text(200, 1000 + n + i)) for i in range(3)]
        files += near.door.send_form(*parts, ("note", f"form {n}"), headers=near.token).json["files"]
    for _ in range(5):
        doomed = sorted(files, key=lambda f: f["sha256"])[-60:]  # the last in order
        process = subprocess.Popen([harness.WAYBILL, "backup", str(near.dir)], env=near.door.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        harness.wait_until(lambda: (near.dir / "waybill.db.new").exists() or process.poll() is not None, "the copy")
        for file in doomed:
            near.rm(file)
        out, err = process.communicate()
        assert process.returncode == 0 and not err, (out, err)
        rows = {r[0] for r in catalog(near.dir).execute("SELECT lower(hex(sha256)) FROM files")}
        assert rows == {p.name for p in (near.dir / "objects").iterdir()}
        sound(restored(near))  # sums and forms, too
        gone = {f["id"] for f in doomed}
        files = [f for f in files if f["id"] not in gone]


def test_two_at_once(near):
    near.take()
    with open(near.dir / "waybill-backup", "r+b") as mark:
        import fcntl
        fcntl.flock(mark, fcntl.LOCK_SH)  # as rsync under flock -s would
        near.refused("Another backup or restore is at work in")
    near.take()


# ---- killed, and full ----------------------------------------------------------------------------

def test_killed_at_any_moment(near, restored):
    """The backup before stays whole; the next one goes on."""
    near.take()
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    pick, took = random.Random(seed), 0.05
    for round in range(8):
        before = records(near.door)
        for n in range(12):
            near.put(f"{round}-{n}", text(pick.randrange(1, 5000), 50 * round + n + 10))
        near.rm(near.put("short", b"lived"))
        process = subprocess.Popen([harness.WAYBILL, "backup", str(near.dir)], env=near.door.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            process.wait(pick.uniform(0, took))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        after = records(near.door)
        data = near.door.home / f"killed-{round}"
        door = restored(near, data=data)
        assert records(door) in (before, after)
        near.take()
        assert not list((near.dir / "objects").glob("tmp-*"))
        assert records(restored(near)) == after


def test_restore_killed(near, restored):
    """Half a restore is not served from; said again, it is finished."""
    for n in range(60):
        near.put(f"{n}", text(3000, 100 + n))
    near.take()
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    pick, stopped, round = random.Random(seed), 0, 0
    began = time.monotonic()
    run(near.door, "restore", near.dir, WAYBILL_DATA_DIR=str(near.door.home / "whole"))
    took = time.monotonic() - began
    while stopped < 5 and round < 60:  # whatever the speed of the machine: five that were stopped half way
        round += 1
        data = near.door.home / f"half-{round}"
        environment = near.door.environment(WAYBILL_DATA_DIR=str(data))
        process = subprocess.Popen([harness.WAYBILL, "restore", str(near.dir)], env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            process.wait(pick.uniform(0, took))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        if not (data / "restoring").exists() and not (data / "waybill.db").exists():
            continue  # stopped before it had begun
        if (data / "restoring").exists():
            stopped += 1
            for words in (["ls"], ["gc"], ["serve", "-l", f"unix:{near.door.home}/x"], ["backup", str(near.dir) + "2"]):
                done = subprocess.run([harness.WAYBILL, *words], env=environment, capture_output=True, text=True, timeout=30)
                assert done.returncode == 1 and "Run `waybill restore` again" in done.stderr, done
            run(near.door, "restore", near.dir, WAYBILL_DATA_DIR=str(data))
        door = harness.FastCGIDoor(data=data)
        try:
            assert records(door) == records(near.door)
            sound(door)
        finally:
            door.close()
    assert stopped == 5, (stopped, round, took)


def test_another_backup_over_half_a_restore(near):
    """What only the first one had does not stay."""
    near.take()
    data = near.door.home / "half"
    (data / "objects").mkdir(parents=True)
    (data / "restoring").write_text("")
    stray = hashlib.sha256(b"stray").hexdigest()
    (data / "objects" / stray).write_bytes(b"stray")
    (data / "objects" / near.files[0]["sha256"]).write_bytes(bytes(3000))  # not synced when it died
    (data / "waybill.db.restoring").write_bytes(b"half")
    (data / "waybill.db.restoring-wal").write_bytes(b"half")
    run(near.door, "restore", near.dir, WAYBILL_DATA_DIR=str(data))
    assert not (data / "objects" / stray).exists() and not list(data.glob("waybill.db.*"))
    door = harness.FastCGIDoor(data=data)
    try:
        assert records(door) == records(near.door)
    finally:
        door.close()


# ---- damage --------------------------------------------------------------------------------------

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


# ---- refused -------------------------------------------------------------------------------------

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


# ---- whose backup --------------------------------------------------------------------------------

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


def stop(door):
    door.process.terminate()
    assert door.process.wait(harness.PATIENCE) == 0


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
    give = [*harness.AS_ROOT, "chown", "-R"]
    subprocess.run([*give, "nobody:nogroup", near.dir, other.home], check=True)
    subprocess.run([*give, "root:root", near.dir / "waybill.db"], check=True)
    program = shutil.copy(harness.WAYBILL, near.door.home)
    done = subprocess.run([*harness.AS_ROOT, *nobody, "env", f"WAYBILL_DATA_DIR={other.data}", program, "backup", near.dir],
                          capture_output=True, text=True, timeout=harness.PATIENCE)
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
