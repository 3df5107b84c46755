"""test_generation.py: a waybill.db that does not belong to the objects beside it, such as an older copy
put back, is noticed: nothing is served and nothing removed before somebody has said what is meant."""
import errno
import pathlib
import shutil
import sqlite3
import threading

import pytest

import rig
from chance import noise
import processes

CATALOG = ("waybill.db", "waybill.db-wal", "waybill.db-shm")


def objects(worker):
    return {p.name for p in (worker.data / "objects").iterdir()}


def copy_catalog(worker, to):
    """As an administrator would, beside the server."""
    to.mkdir()
    with sqlite3.connect(worker.data / "waybill.db") as db:
        db.execute("VACUUM INTO ?", (str(to / "waybill.db"),))
    return to


def take_catalog(worker, to):
    to.mkdir()
    for name in CATALOG:
        if (worker.data / name).exists():
            shutil.move(worker.data / name, to / name)


def put_catalog(worker, place):
    for name in CATALOG:
        (worker.data / name).unlink(missing_ok=True)
    for path in place.iterdir():
        shutil.copy(path, worker.data / path.name)


def put(worker, *texts):
    for text in texts:
        assert worker.put(f"{text}.txt", text.encode()).status == 201


def refused(worker, *words):
    """By whatever would change something; said in words, and nothing is gone."""
    before = objects(worker)
    worker.start(wait=False)
    assert worker.process.wait(processes.PATIENCE) == 1
    said = worker.said()
    for word in (*words, "waybill.db", "waybill restore", "waybill verify --adopt"):
        assert word in said, said
    for command in (["gc"], ["verify"], ["verify", "--repair"], ["token", "add", "x", "--can", "read"]):
        done = worker.run(*command, check=1)
        assert "--adopt" in done.stderr, done.stderr
    cgi = worker.run_cgi("GET", "/files")
    assert b"500" in cgi.stdout.split(b"\r\n")[0] and b"--adopt" in cgi.stderr, cgi
    assert objects(worker) == before


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("durability", ["full", "normal"])
def test_an_older_copy_put_back(make_worker, tmp_path, durability, end):
    worker = make_worker({"durability": durability})
    put(worker, "one", "two")
    older = copy_catalog(worker, tmp_path / "older")
    put(worker, "three", "four", "five")
    listed = worker.listed()
    getattr(worker, end)()
    take_catalog(worker, tmp_path / "right")
    put_catalog(worker, older)
    refused(worker, "older than the objects", "does not know 3 of them")
    assert len(worker.run("ls", "--json", check=0).stdout.split('"id"')) == 3  # looking does no harm
    put_catalog(worker, tmp_path / "right")
    worker.start()
    assert worker.listed() == listed
    worker.stop()
    assert rig.settled(worker) == listed


def test_by_one_commit(worker, tmp_path):
    """Whatever it was, and though no object is at stake."""
    put(worker, "one")
    older = copy_catalog(worker, tmp_path / "older")
    worker.run("token", "add", "alice", "--can", "upload", check=0)
    worker.stop()
    put_catalog(worker, older)
    refused(worker, "older than the objects", "does not know 0 of them")


def test_a_copy_of_the_same_moment_is_no_older(worker, tmp_path):
    put(worker, "one")
    worker.stop()
    same = copy_catalog(worker, tmp_path / "same")
    put_catalog(worker, same)
    worker.start()
    put(worker, "two")
    assert len(worker.listed()) == 2


def test_the_catalog_of_another_data_dir(make_worker, tmp_path):
    worker, other = make_worker(), make_worker()
    put(worker, "one", "two")
    put(other, *map(str, range(20)))
    foreign = copy_catalog(other, tmp_path / "foreign")
    worker.stop()
    put_catalog(worker, foreign)
    refused(worker, "not the catalog of the objects")


def test_replaced_while_serving(worker):
    """Nothing more is taken, and nothing swept, by a worker whose data_dir went over to another."""
    put(worker, "one")
    put(worker, "two")
    other = sqlite3.connect(worker.data / "waybill.db", isolation_level=None)
    other.execute("UPDATE store SET commits = (SELECT commits - 1 FROM store)")
    before = objects(worker)
    assert worker.put("three.txt", b"three").status == 500
    worker.process.send_signal(rig.signal.SIGHUP)
    processes.wait_until(lambda: "sweeping failed" in worker.said(), "a sweep")
    assert before <= objects(worker)
    other.execute("UPDATE store SET commits = commits + 1")
    other.close()
    put(worker, "three")


# ---- where nothing tells --------------------------------------------------------------------------

def forget(worker):
    (worker.data / "generation").unlink()


def damage(worker):
    (worker.data / "generation").write_bytes(noise(72))


@pytest.mark.parametrize("lose", [forget, damage])
def test_without_its_record(worker, tmp_path, lose):
    """A copy without the file, say: fine as long as the catalog knows all objects."""
    put(worker, "one")
    older = copy_catalog(worker, tmp_path / "older")
    put(worker, "two")
    worker.stop()
    lose(worker)
    worker.start()
    assert len(worker.listed()) == 2
    worker.stop()
    lose(worker)
    put_catalog(worker, older)
    refused(worker, "may be older", "does not know 1 of them")


@pytest.fixture
def first_version(make_worker):
    """A data_dir of 0.1.0 with two files, made of its own schema."""
    worker = make_worker(start=False)
    (worker.data / "objects").mkdir(parents=True)
    db = sqlite3.connect(worker.data / "waybill.db")
    db.executescript((rig.TOP / "schema" / "001-catalog.sql").read_text())
    for n, text in enumerate((b"one", b"two")):
        digest = rig.sha256(text)
        (worker.data / "objects" / digest).write_bytes(text)
        db.execute("INSERT INTO objects VALUES (?, 3, 'text/plain', 544, 1, 0)", (bytes.fromhex(digest),))
        db.execute("INSERT INTO files (id, name, name_fold, size, type, sha256, fields, uploaded_at)"
                   " VALUES (?, 'x', 'x', 3, 'text/plain', ?, '{}', 1)", (f"{n:026d}", bytes.fromhex(digest)))
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.execute("PRAGMA journal_mode = WAL")
    db.close()
    return worker


def test_brought_up_from_the_first_version(first_version):
    first_version.start()
    put(first_version, "three")
    assert len(first_version.listed()) == 3
    first_version.stop()
    assert len(rig.settled(first_version)) == 3


def test_no_room_to_bring_the_first_version_up(make_worker, first_version):
    """Said in words, since nothing else tells; and it is the first version's still."""
    worker = make_worker(shimmed=True, disk=first_version.disk, start=False)
    worker.control.arm(rig.WRITE, 4, errno.ENOSPC, 1000)
    assert "disk is full" in worker.run("gc", check=1).stderr
    assert worker.control.disarm()
    with sqlite3.connect(worker.data / "waybill.db") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    worker.start()
    assert len(worker.listed()) == 2
    first_version.start()


def test_first_version_older_than_its_objects(first_version):
    """Put back before the new version ever ran."""
    three = first_version.data / "objects" / rig.sha256(b"three")
    three.write_bytes(b"three")
    refused(first_version, "may be older", "does not know 1 of them")
    assert three.exists()


def test_first_version_put_back_later(first_version, tmp_path):
    take = tmp_path / "first"
    take.mkdir()
    shutil.copy(first_version.data / "waybill.db", take)
    first_version.start()
    put(first_version, "three")
    first_version.stop()
    put_catalog(first_version, take)
    refused(first_version, "not the catalog of the objects", "does not know 1 of them")


def test_objects_not_mounted(worker, tmp_path):
    """An empty directory in the place of objects/ is said at the start, and costs nothing once the right
    one is back."""
    put(worker, "one", "two")
    kept = worker.listed()
    worker.stop()
    (worker.data / "objects").rename(tmp_path / "objects")
    (worker.data / "objects").mkdir(mode=0o750)
    worker.start()
    assert "objects/ is empty, though there are files" in worker.said()
    worker.run("gc", check=0)
    assert worker.listed() == kept
    worker.stop()
    (worker.data / "objects").rmdir()
    (tmp_path / "objects").rename(worker.data / "objects")
    assert rig.settled(worker) == kept


def test_everything_begun_anew(worker):
    """Neither catalog nor objects: what is left of the old ones stands in nobody's way."""
    put(worker, "one")
    worker.stop()
    for path in [*(worker.data / "objects").iterdir(), *(worker.data / name for name in CATALOG)]:
        pathlib.Path(path).unlink(missing_ok=True)
    worker.start()
    put(worker, "two")
    assert len(worker.listed()) == 1


# ---- verify --adopt: what is unknown becomes files of nobody ----------------------------------------

def adopt(worker, status=0):
    return worker.run("verify", "--adopt", check=status).stdout.splitlines()


def recovered(worker):
    """{sha256: record} of files with such a name."""
    files = worker.get("/files?limit=1000").json["files"]
    out = {f["sha256"]: f for f in files if f["name"].startswith("recovered-")}
    for digest, file in out.items():
        assert file["name"] == f"recovered-{digest}" and file["owner"] is None and file["fields"] == {}, file
        worker.intact(file["id"], digest)
    return out


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_adopted_after_an_older_copy(make_worker, tmp_path, durability):
    worker = make_worker({"durability": durability})
    put(worker, "one", "two")
    older = copy_catalog(worker, tmp_path / "older")
    known = worker.listed()
    assert worker.put("paper", b"%PDF-1.4\n" + bytes(103)).status == 201
    put(worker, "", "four")
    worker.stop()
    put_catalog(worker, older)
    written = {p.name: p.stat().st_mtime for p in (worker.data / "objects").iterdir()}
    *lines, summary = adopt(worker)
    assert len(lines) == 3 and all(line.startswith("adopted id=") for line in lines), lines
    assert summary == "adopted 3 objects, 116 bytes: catalog and objects belong together"
    assert adopt(worker) == ["adopted 0 objects, 0 bytes: catalog and objects belong together"]
    worker.start()
    found = recovered(worker)
    assert set(found) == {rig.sha256(b""), rig.sha256(b"four"), rig.sha256(b"%PDF-1.4\n" + bytes(103))}
    assert sorted(f["type"] for f in found.values()) == ["application/pdf", "inode/x-empty", "text/plain"]
    for digest, file in found.items():
        assert file["uploaded_at"].startswith(rig.utc(written[digest])), (file, written[digest])
    assert known.items() <= worker.listed().items()
    assert worker.put("five", b"five").status == 201  # and goes on
    worker.stop()
    assert len(rig.settled(worker)) == 6


@pytest.mark.parametrize("left", ["nothing", "an empty file", "WAL"])
def test_adopted_without_a_catalog(worker, left):
    put(worker, "one", "two")
    worker.stop()
    for name in CATALOG:
        (worker.data / name).unlink(missing_ok=True)
    if left == "an empty file":
        (worker.data / "waybill.db").touch()
    if left == "WAL":
        (worker.data / "waybill.db-wal").write_bytes(noise(9000))
    worker.start(wait=False)
    assert worker.process.wait(processes.PATIENCE) == 1
    assert "waybill.db knows of none" in worker.said() and "--adopt" in worker.said()
    assert adopt(worker)[-1].startswith("adopted 2 objects, 6 bytes")
    worker.start()
    assert set(recovered(worker)) == {rig.sha256(b"one"), rig.sha256(b"two")}
    worker.stop()
    assert len(rig.settled(worker)) == 2


def test_adopted_only_with_its_hash(worker, tmp_path):
    """What has another is put aside, where no sweep takes it; what cannot be read is waited for."""
    older = copy_catalog(worker, tmp_path / "older")
    put(worker, "one", "two", "three")
    worker.stop()
    put_catalog(worker, older)
    wrong, blocked = (worker.data / "objects" / rig.sha256(text) for text in (b"one", b"two"))
    wrong.chmod(0o640)
    wrong.write_bytes(b"ONE")
    blocked.rename(worker.data / "two")
    blocked.mkdir()
    said = worker.run("verify", "--adopt", check=1)
    assert f"damaged object={wrong.name} repaired=put-aside" in said.stdout
    assert f"unreadable object={blocked.name}" in said.stdout and "1 objects cannot be read" in said.stderr
    worker.start(wait=False)
    assert worker.process.wait(processes.PATIENCE) == 1  # not yet
    assert worker.run("gc").returncode == 1
    blocked.rmdir()
    (worker.data / "two").rename(blocked)
    assert adopt(worker)[-1].startswith("adopted 1 objects")
    worker.start()
    assert set(recovered(worker)) == {rig.sha256(b"three"), blocked.name}
    assert wrong.with_name(wrong.name + ".damaged").read_bytes() == b"ONE"


def test_killed_while_adopting(make_worker, tmp_path):
    """At each change in turn: never half adopted and taken for whole; said again, it comes to its end."""
    worker = make_worker(shimmed=True)
    put(worker, "known")
    older = copy_catalog(worker, tmp_path / "older")
    put(worker, *map(str, range(200)))
    everything = objects(worker)
    worker.stop()
    for nth in (*range(1, 40), *range(40, 400, 25)):
        put_catalog(worker, older)
        worker.control.arm(rig.CHANGES | rig.SYNC, nth, times=100000)
        failed = worker.run("verify", "--adopt")
        if not worker.control.disarm():
            break
        assert failed.returncode == 1, (nth, failed)
        worker.run("gc")
        assert objects(worker) == everything, nth
        assert adopt(worker)[-1].endswith("belong together")
        worker.run("gc", check=0)
        assert objects(worker) == everything, nth
    assert nth > 30
    assert len(rig.settled(worker)) == 201


def test_adopting_beside_servers(worker):
    """Uploads and deletions under way are nobody's business: nothing deleted comes back."""
    over, gone = threading.Event(), []

    def busy(seed):
        n = 0
        while not over.is_set():
            n += 1
            (id, digest), = rig.new_ids(worker.put("x", b"%d-%d" % (seed, n))).items()
            assert worker.request("DELETE", f"/files/{id}").status == 204
            gone.append(digest)
    threads = [threading.Thread(target=busy, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        while len(gone) < 100:
            assert adopt(worker) == ["adopted 0 objects, 0 bytes: catalog and objects belong together"]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    orphan = worker.data / "objects" / rig.sha256(b"left by a crash")
    worker.stop()
    orphan.write_bytes(b"left by a crash")
    assert adopt(worker)[-1].startswith("adopted 1 objects")
    assert list(rig.settled(worker).values()) == [orphan.name]
