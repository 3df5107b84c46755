"""waybill verify: damage of every kind is found and named; --repair leaves a store that verifies."""
import hashlib
import os
import pty
import sqlite3
import subprocess
import threading

import pytest

import processes
from exchange import text
from shell import add_token, bearer, waybill

TUS = {"Tus-Resumable": "1.0.0"}


class Store:
    """Three files, one content twice, and an unfinished upload."""

    def __init__(self, door):
        self.door, self.data = door, door.data
        self.token = bearer(add_token(door, "alice", "upload"))
        self.files = [door.request("PUT", f"/upload/{name}", self.token, text(3000, seed)).file
                      for name, seed in (("one.txt", 1), ("two.txt", 2), ("two again.txt", 2), ("three.txt", 3))]
        self.upload = door.request("POST", "/upload", {**TUS, "Upload-Length": "5000"}, b"")["Location"]
        patch = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        assert door.request("PATCH", self.upload, patch, text(2000, 9)).status == 204
        self.partial = self.data / "partial" / self.upload.rsplit("/", 1)[1]

    def object(self, i):
        return self.data / "objects" / self.files[i]["sha256"]

    def sql(self, *statements):
        with sqlite3.connect(self.data / "waybill.db") as db:
            for statement in statements:
                db.execute(statement)

    def verify(self, *options, status=0):
        return waybill(self.door, "verify", *options, status=status).splitlines()

    def find(self, *needles, more=0, force=()):
        """Found once, by one line with all the needles (and `more` others), repaired, then gone."""
        for options in ((), ("--repair", *force)):
            *lines, summary = self.verify(*options, status=1)
            hits = [line for line in lines if all(n in line for n in needles)]
            assert len(hits) == 1 and len(lines) == 1 + more, lines
            assert all(("repaired=" in line) == bool(options) for line in lines), lines
            assert f"{1 + more} findings, {len(lines) if options else 0} repaired" in summary
        assert self.verify() == [self.verify()[0]] and "all is well" in self.verify()[0]


@pytest.fixture
def store(fresh):
    return Store(fresh("fastcgi"))


def test_nothing_wrong(store):
    [line] = store.verify()
    assert line == "verified 3 objects, 11000 bytes: all is well"
    assert store.verify("--repair") == [line]


def flip(path, at=1000):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)
        f.seek(at)
        f.write(bytes([byte[0] ^ 1]))


def test_wrong_hash(store):
    """Two records had this content: both are named, both go; the bytes are put aside."""
    flip(store.object(1))
    damaged = store.object(1).read_bytes()
    store.find("wrong-hash", store.files[1]["sha256"], more=2)
    assert not store.object(1).exists()
    assert store.object(1).with_name(store.object(1).name + ".damaged").read_bytes() == damaged
    for i, status in enumerate((200, 404, 404, 200)):
        assert store.door.get(f"/files/{store.files[i]['id']}/content").status == status
    health = store.door.get("/healthz").json
    assert health["files"] == 2 and health["bytes"] == 6000
    assert store.door.put("two.txt", text(3000, 2)).status == 201  # sent again, it is there again
    assert "all is well" in store.verify()[0]


def test_lost_records_are_named(store):
    store.object(1).unlink()
    *lines, _ = store.verify(status=1)
    assert any("missing" in line and store.files[1]["sha256"] in line for line in lines)
    for i, name in ((1, "name=two.txt"), (2, 'name="two again.txt"')):
        assert any(line.startswith(f"lost id={store.files[i]['id']}") and name in line and "owner=alice" in line
                   for line in lines), lines
    assert store.door.get(f"/files/{store.files[1]['id']}").status == 200  # verify alone changes nothing
    store.find("missing", store.files[1]["sha256"], more=2, force=["--force"])


def test_wrong_size(store):
    os.truncate(store.object(0), 2999)
    assert store.door.get(f"/files/{store.files[0]['id']}/content").status == 500  # not half a file
    store.find("wrong-size", "size=3000", "on_disk=2999", more=1)


def a_directory(path, elsewhere):
    path.rename(elsewhere)
    path.mkdir()


def a_link(path, elsewhere):
    """Not followed, wherever it leads."""
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("put_there", [a_directory, a_link])
def test_unreadable(store, put_there):
    """What cannot be read may be whole: told, and left alone with its record."""
    put_there(store.object(0), store.data / "elsewhere")
    assert store.door.get(f"/files/{store.files[0]['id']}/content").status == 500
    for options in ((), ("--repair", "--force")):
        *lines, summary = store.verify(*options, status=1)
        assert len(lines) == 1 and lines[0].startswith(f"unreadable object={store.files[0]['sha256']} error="), lines
        assert "1 findings, 0 repaired" in summary
    assert store.door.get(f"/files/{store.files[0]['id']}").status == 200


@pytest.mark.parametrize("options", [("--force",), ("--adopt", "--force"), ("--adopt", "--repair")])
def test_options_that_do_not_go_together(store, options):
    store.verify(*options, status=2)


def refuses(store, *figures):
    """--repair without --force: nothing is changed, also of what might be mended."""
    store.sql("UPDATE store SET files = 99")
    before = sorted(p.name for p in (store.data / "objects").iterdir())
    done = subprocess.run([processes.WAYBILL, "verify", "--repair"], env=store.door.environment(),
                          capture_output=True, text=True)
    assert done.returncode == 1 and "--repair --force" in done.stderr and done.stdout == "", done
    assert all(figure in done.stderr for figure in figures), done.stderr
    assert sorted(p.name for p in (store.data / "objects").iterdir()) == before
    assert store.door.get("/healthz").json["files"] == 99
    store.sql("UPDATE store SET files = (SELECT count(*) FROM files)")


def test_more_than_a_tenth_missing(store):
    store.object(1).unlink()
    refuses(store, "Of 3 objects 1 are missing and 0 cannot be read")
    assert all(store.door.get(f"/files/{file['id']}").status == 200 for file in store.files)


def test_objects_not_mounted(store):
    """An empty directory in the place of objects/."""
    (store.data / "objects").rename(store.data / "elsewhere")
    (store.data / "objects").mkdir()
    refuses(store, "Of 3 objects 3 are missing")
    (store.data / "objects").rmdir()
    (store.data / "elsewhere").rename(store.data / "objects")
    assert "all is well" in store.verify()[0]


def test_a_tenth_is_not_more(fresh):
    """One of ten missing is repaired; two are not, and one missing and one unreadable neither."""
    door = fresh("fastcgi")
    store = Store(door)
    files = [door.put(f"{n}.txt", text(100, 50 + n)).file for n in range(7)]
    (store.data / "objects" / files[0]["sha256"]).unlink()
    a_directory(store.data / "objects" / files[1]["sha256"], store.data / "elsewhere")
    refuses(store, "Of 10 objects 1 are missing and 1 cannot be read")
    (store.data / "objects" / files[1]["sha256"]).rmdir()
    (store.data / "elsewhere").rename(store.data / "objects" / files[1]["sha256"])
    store.find("missing", files[0]["sha256"], more=1)


def test_orphan(store):
    content = b"nobody's"
    orphan = store.data / "objects" / hashlib.sha256(content).hexdigest()
    orphan.write_bytes(content)
    store.find("orphan", orphan.name)
    assert not orphan.exists()


@pytest.mark.parametrize("statement, needles, more", [
    ("UPDATE store SET files = 99", ("store", "99"), 0),
    ("UPDATE store SET bytes = bytes + 1", ("store", "9001"), 0),
    ("UPDATE usage SET bytes = 5 WHERE owner = 'alice'", ("usage", "alice"), 0),
    ("DELETE FROM usage", ("usage", "alice"), 0),
    ("INSERT INTO usage VALUES ('ghost', 1, 1)", ("usage", "ghost"), 0),
    ("INSERT INTO uploads_sums VALUES ('owner:ghost', 1, 1, 1)", ("unfinished", "ghost"), 0),
    ("UPDATE objects SET refs = 7 WHERE refs = 2", ("records", "7, not 2"), 0),
    ("UPDATE files SET size = 17 WHERE name = 'one.txt'", ("another size",), 1),  # and so of alice's sum
    ("UPDATE objects SET size = 17 WHERE refs = 2", ("wrong-size-in-catalog", "on_disk=3000"), 3),
    ("DELETE FROM objects WHERE refs = 2", None, None),
    ("INSERT INTO objects (sha256, size, type, magic, durable) VALUES (zeroblob(32), 0, 'x', 1, 1)", ("content without a record",), 1),  # nor is it on disk
], ids=str)
def test_catalog_disagrees_with_itself(store, statement, needles, more):
    store.sql(statement)
    if needles and statement.startswith("UPDATE objects SET size"):
        # files and sums disagreed with the row; the bytes on disk decide
        assert any("wrong-size-in-catalog" in line for line in store.verify(status=1))
        store.verify("--repair", status=1)
    elif needles:
        *lines, _ = store.verify(status=1)
        assert any(all(n in line for n in needles) for line in lines) and len(lines) == 1 + more, lines
        store.verify("--repair", status=1)
    else:
        assert sum("record without content" in line for line in store.verify(status=1)) == 2
        store.verify("--repair", status=1)
    assert "all is well" in store.verify()[0]
    for i, file in enumerate(store.files):  # nothing of it cost a file
        assert store.door.get(f"/files/{file['id']}").json["size"] == 3000
        assert len(store.door.get(f"/files/{file['id']}/content").body) == 3000
    health = store.door.get("/healthz").json
    assert health["files"] == 4 and health["bytes"] == 9000


def test_index_that_lies(store):
    """integrity_check sees it, REINDEX mends it."""
    store.door.process.terminate()
    store.door.process.wait()
    with sqlite3.connect(store.data / "waybill.db") as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, '(type)', '(name)') WHERE name = 'files_by_type'")
    assert any(line.startswith("catalog problem=") for line in store.verify(status=1))
    store.verify("--repair", status=1)
    assert "all is well" in store.verify()[0]


def test_broken_catalog_is_said(store):
    store.door.process.terminate()
    store.door.process.wait()
    size = (store.data / "waybill.db").stat().st_size
    with open(store.data / "waybill.db", "r+b") as f:
        for page in range(2, size // 4096):
            f.seek(page * 4096)
            f.write(b"\xff" * 64)
    for options in ((), ("--repair",)):  # no repair makes up what is gone, but nothing else is touched
        done = subprocess.run([processes.WAYBILL, "verify", *options], env=store.door.environment(),
                              capture_output=True, text=True)
        assert done.returncode == 1 and "catalog" in done.stdout + done.stderr, done
    assert len(list((store.data / "objects").iterdir())) == 3


@pytest.mark.parametrize("damage, needle", [(lambda p: p.unlink(), "missing"),
                                            (lambda p: os.truncate(p, 1999), "too-short"),
                                            (flip, "wrong-hash")])
def test_unfinished_upload(store, damage, needle):
    damage(store.partial)
    store.find(needle, f"upload={store.partial.name}", "offset=2000")
    assert store.door.request("HEAD", store.upload, TUS).status == 410
    assert not store.partial.exists()


def test_leftovers(store):
    store.partial.with_name("tmp-0123456789abcdef").write_bytes(b"x")
    store.find("leftover", "tmp-0123456789abcdef")


def test_bytes_beyond_the_offset_are_fine(store):
    """They were not acknowledged, and are written over."""
    with open(store.partial, "r+b") as f:
        f.seek(2000)
        f.write(b"never told")
    assert "all is well" in store.verify()[0]
    patch = {**TUS, "Upload-Offset": "2000", "Content-Type": "application/offset+octet-stream"}
    assert store.door.request("PATCH", store.upload, patch, text(3000, 8)).status == 204
    assert "all is well" in store.verify()[0]


def test_beside_uploads_and_deletes(fresh):
    """What changes under its eyes is never taken for damage, nor is anything of it repaired away."""
    door = fresh("fastcgi")  # its syncs leave time between link and COMMIT
    over, failures, kept = threading.Event(), [], []

    def busy(seed):
        n = 0
        while not over.is_set():
            n += 1
            file = door.put("a", text(2000, seed * 3 + n % 3)).file
            if n % 4:
                answer = door.request("DELETE", f"/files/{file['id']}", bearer(file["delete_token"]))
                failures.extend([answer] if answer.status != 204 else [])
            else:
                kept.append(file)

    threads = [threading.Thread(target=busy, args=(seed,)) for seed in range(4)]
    [t.start() for t in threads]
    try:
        rounds = 0
        while rounds < 4 or len(kept) < 20:
            options = ("--repair",) if rounds % 2 else ()
            rounds += 1
            assert "all is well" in waybill(door, "verify", *options).splitlines()[0]
    finally:
        over.set()
        [t.join() for t in threads]
    assert not failures and kept
    assert all(door.get(f"/files/{f['id']}/content").status == 200 for f in kept)
    assert "all is well" in waybill(door, "verify")


def test_no_progress_where_nobody_looks(store):
    done = subprocess.run([processes.WAYBILL, "verify"], env=store.door.environment(), capture_output=True)
    assert done.returncode == 0 and done.stderr == b""


def test_progress_on_a_terminal(store):
    ours, theirs = pty.openpty()
    done = subprocess.run([processes.WAYBILL, "verify"], env=store.door.environment(), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    said = os.read(ours, 4096)
    os.close(ours)
    assert done.returncode == 0 and b"MiB read" in said and b"\x1b" not in done.stdout
