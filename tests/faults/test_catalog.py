"""test_catalog.py: a catalog that is locked, read-only, damaged or half gone: a clear answer, no crash,
and nothing is lost that was there."""
import os
import sqlite3
import threading

import pytest

import rig
from chance import noise
import exchange
import processes


def hold(worker):
    """Another program has the catalog locked."""
    db = sqlite3.connect(worker.data / "waybill.db", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    return db


def test_locked_by_another_process(worker):
    """Who waits long enough hears 503; reading goes on; a lock that ends in time costs nothing."""
    first = rig.new_ids(worker.put("first", b"one"))
    lock, answers = hold(worker), {}

    def put(n):
        answers[n] = worker.put(f"n{n}", b"%d" % n)

    def delete():
        answers["delete"] = worker.request("DELETE", f"/files/{next(iter(first))}")
    threads = [threading.Thread(target=put, args=(n,)) for n in range(3)] + [threading.Thread(target=delete)]
    for thread in threads:
        thread.start()
    worker.intact(*next(iter(first.items())))
    assert worker.listed() == first
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for answer in answers.values():
        assert answer.status == 503 and answer.json["error"] == "busy" and answer["Retry-After"], answer
    late = threading.Thread(target=put, args=(9,))
    late.start()
    processes.wait_until(lambda: worker.health()["reserved_bytes"] > 0, "the upload to be under way")
    lock.rollback()
    late.join()
    assert answers[9].status == 201, "a lock that ended was not waited for"
    lock.close()
    rig.wait_quiet_but_for_uploads(worker)
    assert worker.put("after", b"two").status == 201
    assert len(worker.listed()) == 3
    worker.stop()
    assert len(rig.settled(worker)) == 3


def test_directories_that_cannot_be_written(make_worker):
    """While it serves, somebody takes the right to write away, and gives it back."""
    worker = make_worker(powerless=True)
    first = rig.new_ids(worker.put("first", b"one"))
    for name, mode in (("objects", 0o750), (".", 0o750)):
        (worker.data / name).chmod(0o550)
        assert worker.get("/healthz?ready").status == 503 and worker.health()["status"] == "degraded"
        worker.intact(*next(iter(first.items())))
        answer = worker.put("refused", b"two" * 1000)
        if name == "objects":
            assert answer.status == 500 and worker.listed() == first, answer
        (worker.data / name).chmod(mode)
        assert worker.alive()
    rig.wait_quiet_but_for_uploads(worker)
    assert worker.put("after", b"three").status == 201
    worker.stop()
    rig.settled(worker)


def test_a_catalog_that_cannot_be_written(make_worker):
    """It does not start, and says why."""
    worker = make_worker(powerless=True)
    kept = rig.new_ids(worker.put("first", b"one"))
    worker.stop()
    (worker.data / "waybill.db").chmod(0o440)
    worker.start(wait=False)
    assert worker.process.wait(processes.PATIENCE) == 1
    assert "waybill: " in worker.said()
    (worker.data / "waybill.db").chmod(0o640)
    worker.start()
    assert worker.listed() == kept


def pages(path):
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[16:18], "big") or 65536
    size = 65536 if size == 1 else size
    return data, size, len(data) // size


@pytest.mark.parametrize("which", ["first", "middle", "last", "every other", "not a database", "empty"])
def test_damaged(make_worker, which):
    """Whatever page is damaged: no crash, `verify` finds it, and all objects stay where they are."""
    worker = make_worker()
    for n in range(40):
        assert worker.send_form(exchange.Upload("f", "x", b"%d" % n), ("note", "z" * 3000)).status == 201
    worker.stop()
    objects = sorted(p.name for p in (worker.data / "objects").iterdir())
    data, size, count = pages(worker.data / "waybill.db")
    assert count > 20
    if which == "not a database":
        data[:] = b"This is no database, but long enough to be taken for one. " * 900
    elif which == "empty":
        data.clear()
    else:
        for page in {"first": [0], "middle": [count // 2], "last": [count - 1], "every other": range(1, count, 2)}[which]:
            data[page * size:(page + 1) * size] = b"\xa7" * size
    (worker.data / "waybill.db").write_bytes(data)
    worker.start(wait=False)
    processes.wait_until(lambda: worker.process.poll() is not None or worker._serves((200, 503)), "a start")
    if worker.process.poll() is None:
        for path in ("/files?limit=1000", "/files?order=oldest&name=x", "/healthz", "/metrics"):
            assert worker.get(path).status in (200, 403, 500, 503), path
        assert worker.put("new", b"new").status in (201, 500)
        assert worker.process.poll() is None
        worker.stop()
    else:
        assert worker.process.returncode == 1 and "waybill: " in worker.said(), worker.said()
    assert worker.run("verify").returncode == 1
    worker.run("gc")
    assert set(objects) <= {p.name for p in (worker.data / "objects").iterdir()}, "objects are gone"


def test_damaged_while_serving(worker):
    """The file is overwritten under its feet: errors, no crash."""
    for n in range(20):
        assert worker.send_form(exchange.Upload("f", "x", b"%d" % n), ("note", "z" * 3000)).status == 201
    with open(worker.data / "waybill.db-wal", "r+b") as wal:
        wal.write(noise(os.fstat(wal.fileno()).st_size))
    for _ in range(3):
        assert worker.get("/files?limit=1000").status in (200, 500)
        assert worker.put("more", b"more").status in (201, 500)
    assert worker.process.poll() is None


def test_wal_of_a_dead_worker_is_gone(worker):
    """Somebody removed waybill.db-wal after a crash. What it held is known to be missing, and nothing
    is lost once it is back. After a clean end there is none to lose."""
    first = rig.new_ids(worker.put("first", b"one"))
    worker.stop()
    assert not (worker.data / "waybill.db-wal").exists()
    worker.start()
    assert worker.listed() == first
    assert worker.put("second", b"two").status == 201
    listed = worker.listed()
    worker.kill()
    wal = (worker.data / "waybill.db-wal").read_bytes()
    (worker.data / "waybill.db-wal").unlink()
    worker.start(wait=False)
    assert worker.process.wait(processes.PATIENCE) == 1
    assert "waybill.db is older than the objects beside it" in worker.said()
    (worker.data / "waybill.db-wal").write_bytes(wal)
    worker.start()
    assert worker.listed() == listed
    worker.stop()
    assert rig.settled(worker) == listed


def test_shm_of_a_dead_worker_is_garbage(worker):
    kept = rig.new_ids(worker.put("first", b"one"))
    worker.kill()
    (worker.data / "waybill.db-shm").write_bytes(noise(32768))
    worker.start()
    assert worker.listed() == kept


@pytest.mark.parametrize("damage", ["short", "other bytes", "gone"])
def test_damaged_objects_are_not_served_and_are_healed(worker, damage):
    """The record stays; `verify` tells; uploading the same content again makes a missing or short
    object whole."""
    (id, digest), = rig.new_ids(worker.put("first", b"content of some length")).items()
    path = worker.data / "objects" / digest
    if damage == "gone":
        path.unlink()
    else:
        path.chmod(0o640)
        path.write_bytes(b"content" if damage == "short" else b"CONTENT of some length")
    answer = worker.get(f"/files/{id}/content")
    if damage != "other bytes":
        assert answer.status in (404, 500), answer
    assert worker.run("verify").returncode == 1
    if damage != "other bytes":
        assert worker.put("again", b"content of some length").status == 201
        worker.intact(id, digest)
        worker.run("verify", check=0)
