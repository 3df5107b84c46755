"""waybill backup and restore beside uploads and deletes, and killed at any moment."""
import hashlib
import signal
import subprocess
import threading
import time

import exchange
import harness
import processes
from backups import catalog, records, run, sound
from backups import near, restored  # noqa: F401 (fixtures)
from chance import chance
from exchange import text


# ---- beside servers -------------------------------------------------------------------------------

def test_beside_uploads_and_deletes(near, restored):
    """Content comes and goes while backup after backup is made; each is sound, and has what was
    acknowledged before it and not deleted since."""
    over, kept, failures, lock = threading.Event(), {}, [], threading.Lock()

    def busy(number):
        pick, n = chance(number), 0
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
        parts = [exchange.Upload("f", f"{n}", text(200, 1000 + n + i)) for i in range(3)]
        files += near.door.send_form(*parts, ("note", f"form {n}"), headers=near.token).json["files"]
    for _ in range(5):
        doomed = sorted(files, key=lambda f: f["sha256"])[-60:]  # the last in order
        process = subprocess.Popen([processes.WAYBILL, "backup", str(near.dir)], env=near.door.environment(),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.wait_until(lambda: (near.dir / "waybill.db.new").exists() or process.poll() is not None, "the copy")
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


# ---- killed, and full -----------------------------------------------------------------------------

def test_killed_at_any_moment(near, restored):
    """The backup before stays whole; the next one goes on."""
    near.take()
    pick, took = chance(), 0.05
    for round in range(8):
        before = records(near.door)
        for n in range(12):
            near.put(f"{round}-{n}", text(pick.randrange(1, 5000), 50 * round + n + 10))
        near.rm(near.put("short", b"lived"))
        process = subprocess.Popen([processes.WAYBILL, "backup", str(near.dir)], env=near.door.environment(),
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
    pick, stopped, round = chance(), 0, 0
    began = time.monotonic()
    run(near.door, "restore", near.dir, WAYBILL_DATA_DIR=str(near.door.home / "whole"))
    took = time.monotonic() - began
    while stopped < 5 and round < 60:  # whatever the speed of the machine: five that were stopped half way
        round += 1
        data = near.door.home / f"half-{round}"
        environment = near.door.environment(WAYBILL_DATA_DIR=str(data))
        process = subprocess.Popen([processes.WAYBILL, "restore", str(near.dir)], env=environment,
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
                done = subprocess.run([processes.WAYBILL, *words], env=environment, capture_output=True, text=True, timeout=30)
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
