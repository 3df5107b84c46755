"""test_sniffers.py: the processes that inspect files die, hang, or lose their parent: one 500 each at
most, and they are replaced; /healthz tells. (A sniffer that answers rubbish: tests/sniff_test.c.)"""
import concurrent.futures
import os
import signal

import rig
import processes

wait_until = processes.wait_until


def children_of(worker):
    """Pids of the sniffers, once all are there: one for each core."""
    return wait_until(lambda: len(kids := worker.children()[1]) >= os.cpu_count() and kids, "sniffers")


def test_killed(worker):
    """Killed idle: no request notices. Again and again: they come back each time."""
    for round in range(3):
        before = children_of(worker)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        answer = worker.put("x", b"round %d" % round)
        assert answer.status in (201, 500), answer
        wait_until(lambda: not set(before) & set(worker.children()[1]) and worker.health()["sniffers"] == len(before),
                   "new sniffers")
        assert worker.put("y", b"after round %d" % round).status == 201
    metrics = worker.get("/metrics").body.decode()
    assert worker.alive()
    if "sniffer_deaths" in metrics:
        deaths = [float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("waybill_sniffer_deaths")]
        assert deaths and deaths[0] >= 3 * len(before)
    worker.stop()
    rig.settled(worker)


def test_hung(worker):
    """All are stopped: one upload each waits for its verdict, in vain, and is told so; the hung ones
    are killed and replaced. Whoever needs no verdict does not wait."""
    known = worker.put("known", b"known content")
    assert known.status == 201
    hung = children_of(worker)
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    assert worker.put("known again", b"known content").status == 201, "a known verdict needs no sniffer"
    with concurrent.futures.ThreadPoolExecutor(len(hung)) as clients:
        answers = list(clients.map(lambda n: worker.put("x", b"new %d" % n), range(len(hung))))
    assert [answer.status for answer in answers] == [500] * len(hung), answers
    assert worker.process.poll() is None
    served = worker.put("x", b"something new")
    assert served.status == 201, worker.said()
    assert sorted(worker.listed().values()) == sorted(
        [rig.sha256(b"known content")] * 2 + [rig.sha256(b"something new")])
    assert not set(hung) & set(children_of(worker))
    rig.wait_quiet_but_for_uploads(worker)


def test_parent_killed(worker):
    """Its guard brings another: a 500 at worst, then all is as before."""
    kept = rig.new_ids(worker.put("first", b"one"))
    for round in range(3):
        children_of(worker)
        parent, children = worker.children()
        os.kill(parent, signal.SIGKILL)
        answer = worker.put("x", b"round %d" % round)
        assert answer.status in (201, 500), answer
        wait_until(lambda: worker.children()[0] not in (None, parent), "another parent")
        assert not set(children) & set(children_of(worker))
        wait_until(worker.alive, "good health")
        assert worker.put("y", b"after %d" % round).status == 201
    assert kept.items() <= worker.listed().items()
    worker.stop()
    rig.settled(worker)


def test_guard_killed(worker):
    """Nobody is left to bring them back: /healthz says so, what needs no new verdict is served, the
    rest is refused in words; a new worker is well."""
    (id, digest), = rig.new_ids(worker.put("first", b"one")).items()
    os.kill(rig.pids_below(*worker.workers())[0], signal.SIGKILL)
    wait_until(lambda: worker.get("/healthz?ready").status == 503, "an alarm")
    assert "sniffer" in worker.get("/healthz").json["reason"]
    worker.intact(id, digest)
    assert worker.put("again", b"one").status == 201
    refused = worker.put("new", b"two")
    assert refused.status == 500 and "inspects" in refused.json["detail"], refused
    rig.wait_quiet_but_for_uploads(worker)
    worker.stop()
    worker.start()
    assert worker.put("new", b"two").status == 201
