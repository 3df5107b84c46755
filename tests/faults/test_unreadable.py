"""test_unreadable.py: verify --repair and what it cannot read, for whatever reason: only what the disk
has lost is called lost, and nothing else costs a record."""
import errno

import pytest

import rig

REASONS = [errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.EPERM]


@pytest.fixture
def stopped(make_worker):
    """Twelve files and an unfinished upload, and nobody serving."""
    worker = make_worker(shimmed=True)
    for n in range(12):
        assert worker.put(f"{n}.txt", b"%d" % n * 300).status == 201
    tus = {"Tus-Resumable": "1.0.0"}
    path = worker.request("POST", "/upload", {**tus, "Upload-Length": "10"}, b"")["Location"]
    patch = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert worker.request("PATCH", path, patch, b"12345").status == 204
    worker.kept, worker.unfinished = worker.listed(), worker.data / "partial" / path.rsplit("/", 1)[1]
    worker.stop()
    return worker


def verify(worker, *options):
    done = worker.run("verify", "--repair", *options)
    return done.returncode, done.stdout + done.stderr


def nothing_lost(worker):
    worker.control.disarm()
    assert worker.unfinished.exists()
    assert rig.settled(worker) == worker.kept


@pytest.mark.parametrize("err", REASONS, ids=errno.errorcode.get)
def test_each_open_fails_once(stopped, err):
    """Whichever file it is of."""
    met = 0
    for nth in range(1, 200):
        stopped.control.arm(rig.OPEN, nth, err)
        status, said = verify(stopped)
        if not stopped.control.disarm():
            break
        assert "record-removed" not in said and "put-aside" not in said and "ended" not in said, (nth, said)
        met += "unreadable" in said
    assert nth > 12 and met >= 12, (nth, met)
    nothing_lost(stopped)


def test_all_opens_fail(stopped):
    """As with too few descriptors: refused, and forced it removes nothing all the same."""
    for nth in (8, 12):
        for force in ((), ("--force",)):
            stopped.control.arm(rig.OPEN, nth, errno.EMFILE, times=1000)
            status, said = verify(stopped, *force)
            assert stopped.control.disarm() and status == 1, said
            assert "record-removed" not in said and "put-aside" not in said, said
    nothing_lost(stopped)


def reads(worker):
    """How many reads below data_dir a verify makes."""
    worker.control.arm(rig.READ, 100000)
    worker.run("verify", check=0)
    seen = worker.control.seen
    worker.control.disarm()
    return seen


def test_a_read_error_is_asked_twice(stopped):
    """Once is forgiven, whichever read it was; what the catalog's reads do then is not ours to say."""
    for nth in range(1, reads(stopped) + 1):
        stopped.control.arm(rig.READ, nth, errno.EIO)
        status, said = verify(stopped)
        stopped.control.disarm()
        assert "record-removed" not in said and "put-aside" not in said and "ended" not in said, (nth, said)
    nothing_lost(stopped)


def test_a_read_error_that_stays_is_loss(stopped):
    """Of one object in twelve: its bytes are put aside, its record goes. Other reasons cost nothing."""
    lost = None
    for nth in range(1, reads(stopped) + 1):
        stopped.control.arm(rig.READ, nth, errno.EACCES, times=2)
        _, said = verify(stopped)
        assert "record-removed" not in said, said
        stopped.control.arm(rig.READ, nth, errno.EIO, times=2)
        _, said = verify(stopped)
        stopped.control.disarm()
        if "read-error object" in said:
            lost = said
            break
    assert lost and lost.count("record-removed") == 1 and "repaired=put-aside" in lost, lost
    (damaged,) = (stopped.data / "objects").glob("*.damaged")
    assert rig.sha256(damaged.read_bytes()) == damaged.name.removesuffix(".damaged")
    damaged.unlink()
    left = rig.settled(stopped)
    assert len(left) == 11 and left.items() <= stopped.kept.items()


def test_of_another_user(make_worker):
    """Copied back by root, readable for nobody else."""
    worker = make_worker(powerless=True)
    for n in range(24):
        assert worker.put(f"{n}.txt", b"%d" % n).status == 201
    kept = worker.listed()
    two = sorted((worker.data / "objects").iterdir())[:2]
    for path in two:
        path.chmod(0)
    status, said = verify(worker)
    assert status == 1 and said.count("unreadable object=") == 2 and "Permission denied" in said, said
    assert "repaired=" not in said
    assert worker.listed() == kept
    for path in two:
        path.chmod(0o640)
    worker.stop()
    assert rig.settled(worker) == kept
