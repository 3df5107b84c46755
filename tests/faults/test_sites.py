"""test_sites.py: each system call in turn fails, as on a disk that is full or dying.

The shim lets the nth call of a kind fail, for n = 1, 2, ... until the operation gets by without
meeting it. Each time: a clear answer (507 for a full disk, 503 where descriptors ran out, else 500) or
a yes that is true; the listing shows the one or the other; nothing stays reserved; and the same
operation done again succeeds. The worker runs with sandbox=off, since its jail would refuse what the
shim does besides.
"""
import errno
import itertools

import pytest

import rig
from chance import chance
import exchange

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}
KINDS = [
    ("full", rig.CREATE | rig.WRITE | rig.ALLOCATE | rig.LINK | rig.RENAME, errno.ENOSPC, {507}),
    ("dying", rig.CREATE | rig.WRITE | rig.ALLOCATE | rig.LINK | rig.RENAME, errno.EIO, {500}),
    ("sync", rig.SYNC, errno.EIO, {500}),
    ("shrink", rig.TRUNCATE | rig.UNLINK | rig.MAP, errno.EIO, {500}),
    ("descriptors", rig.OPEN | rig.CREATE, errno.EMFILE, {503, 500}),
    ("reading", rig.READ | rig.STAT, errno.EIO, {500}),
    ("locks", rig.LOCK, errno.ENOLCK, {500, 503}),
]


class Operation:
    """Something a client does, and what may be there afterwards."""

    def __init__(self, worker, pick):
        self.worker, self.pick, self.known = worker, pick, {}

    def content(self, size=70000):
        return self.pick.randbytes(size)

    def prepare(self):
        pass


class Put(Operation):
    def prepare(self):
        self.body = self.content(200000)  # long enough to be allocated

    def go(self):
        answer = self.worker.put("site.bin", self.body)
        return answer, [self.body]


class Form(Operation):
    def prepare(self):
        self.bodies = [self.content(), self.content(100), self.content()]

    def go(self):
        files = [exchange.Upload("f", "x.bin", body) for body in self.bodies]
        return self.worker.send_form(*files, ("note", "y" * 9000)), self.bodies


class Again(Operation):
    """Content that is there already."""

    def prepare(self):
        self.body = b"the same, over and over" * 100
        assert self.worker.put("first", self.body).status == 201
        self.known.update(self.worker.listed())

    def go(self):
        return self.worker.put("again", self.body), [self.body]


class Resumable(Operation):
    """From a created upload's middle to its end, in one PATCH."""

    def prepare(self):
        self.body = self.content()
        made = self.worker.request("POST", "/upload", {**TUS, "Upload-Length": str(len(self.body))}, b"")
        assert made.status == 201, made
        self.path = made["Location"]
        first = self.worker.request("PATCH", self.path, {**PATCH, "Upload-Offset": "0"}, self.body[:5000])
        assert first.status == 204, first

    def go(self):
        at = self.worker.request("HEAD", self.path, TUS)
        if at.status != 200:
            return at, []
        at = int(at["Upload-Offset"])
        assert at >= 5000
        answer = self.worker.request("PATCH", self.path, {**PATCH, "Upload-Offset": str(at)}, self.body[at:])
        return answer, [self.body]


class Delete(Operation):
    def prepare(self):
        self.body = self.content()
        self.id = self.worker.put("going", self.body).json["files"][0]["id"]

    def go(self):
        return self.worker.request("DELETE", f"/files/{self.id}"), None


def expected(operation, before, answer, bodies):
    """Is what is listed what the answer says?"""
    after = operation.worker.listed()
    new = {id: digest for id, digest in after.items() if id not in before}
    gone = before.keys() - after.keys()
    if bodies is None:
        if answer.status == 204:
            assert gone == {operation.id}
        else:  # it may be gone although the answer could not say so
            assert gone <= {operation.id}
        return
    assert not gone
    if answer.status in (201, 204):
        assert sorted(new.values()) == sorted(map(rig.sha256, bodies))
        for id, digest in new.items():
            operation.worker.intact(id, digest)
    else:
        assert not new, f"refused, but {new} is there"


def try_site(operation, nth, kinds, err, statuses):
    """One attempt with a fault, one without. False: the fault was not met any more."""
    worker = operation.worker
    operation.prepare()
    before = worker.listed()
    worker.control.arm(kinds, nth, err)
    answer, bodies = operation.go()
    fired, what = worker.control.disarm(), worker.control.what.decode()
    where = f"{type(operation).__name__}, call {nth}: {what}: {answer}"
    if fired:
        assert answer.status in statuses | {200, 201, 204}, where
    try:
        expected(operation, before, answer, bodies)
    except AssertionError as problem:
        raise AssertionError(where, *problem.args) from None
    if answer.status >= 300:
        before = worker.listed()
        answer, bodies = operation.go()
        assert answer.status in (201, 204) or bodies is None and answer.status == 404, f"not recovered after {where}: {answer}"
        if answer.status != 404:
            expected(operation, before, answer, bodies)
    return fired > 0, what


@pytest.mark.parametrize("name, kinds, err, statuses", KINDS, ids=[k[0] for k in KINDS])
def test_each_call(make_worker, name, kinds, err, statuses):
    worker = make_worker({"deny_types": "x/none"}, shimmed=True)
    pick, met = chance(), []
    for kind in (Put, Form, Again, Resumable, Delete):
        operation, misses = kind(worker, pick), 0
        for nth in itertools.count(1):
            fired, what = try_site(operation, nth, kinds, err, statuses)
            met += [f"{kind.__name__} {what}"] * fired
            misses += not fired
            if misses == 2 or nth > 150:
                break
        assert misses == 2, "the calls do not come to an end"
    assert len(met) >= 2, met
    print(f"{len(met)} faults: " + "; ".join(sorted(set(m.split("data/")[0] for m in met))))
    rig.wait_quiet_but_for_uploads(worker)
    assert worker.alive()
    kept = worker.listed()
    worker.stop()
    assert rig.settled(worker) == kept


def test_a_resumable_upload_does_not_believe_a_second_sync(make_worker):
    """After 32 MiB the offset is recorded while more arrives. If that sync fails, no later one may
    make those bytes count: the kernel would call them clean."""
    worker = make_worker({"deny_types": "x/none"}, shimmed=True)
    body = chance().randbytes(40 << 20)
    made = worker.request("POST", "/upload", {**TUS, "Upload-Length": str(len(body))}, b"")
    worker.control.arm(rig.SYNC, 1, errno.EIO)
    answer = worker.request("PATCH", made["Location"], {**PATCH, "Upload-Offset": "0"}, body)
    assert worker.control.disarm() == 1 and b"partial/" in worker.control.what
    assert answer.status == 500, answer
    at = worker.request("HEAD", made["Location"], TUS)
    assert at["Upload-Offset"] == "0", "bytes count whose sync has failed"
    answer = worker.request("PATCH", made["Location"], {**PATCH, "Upload-Offset": "0"}, body)
    assert answer.status == 204
    digest = rig.sha256(body)
    assert worker.listed() == {made["Location"].rsplit("/", 1)[1]: digest}
    assert rig.sha256((worker.data / "objects" / digest).read_bytes()) == digest


def test_a_commit_that_a_crash_brings_back_has_its_bytes(make_worker):
    """The upload's only PATCH fails at each of its syncs, the last of them its COMMIT's; killed after that,
    a worker finds the COMMIT in the log all the same. Whatever HEAD says then, the bytes are there."""
    worker = make_worker(shimmed=True)
    for nth in itertools.count(1):
        body = chance(nth).randbytes(5000)
        path = worker.request("POST", "/upload", {**TUS, "Upload-Length": str(len(body))}, b"")["Location"]
        worker.control.arm(rig.SYNC, nth, errno.EIO)
        answer = worker.request("PATCH", path, {**PATCH, "Upload-Offset": "0"}, body)
        fired = worker.control.disarm()
        assert answer.status == (500 if fired else 204), answer
        worker.kill()
        worker.start()
        at = int(worker.request("HEAD", path, TUS)["Upload-Offset"])
        if at == 0:
            assert worker.request("PATCH", path, {**PATCH, "Upload-Offset": "0"}, body).status == 204
        worker.intact(path.rsplit("/", 1)[1], rig.sha256(body))
        if not fired:
            break
    assert nth >= 4, "the syncs of bytes, objects/ and catalog were not met"


def test_subcommands_at_each_call(make_worker):
    """gc, verify and ls with each call failing: an exit status and a reason, and nothing is lost."""
    worker = make_worker(shimmed=True)
    for n in range(6):
        assert worker.put("kept", chance(n).randbytes(3000)).status == 201
    kept = worker.listed()
    for words in (["gc"], ["verify"], ["ls"]):
        worker.kill()
        for nth in itertools.count(1):
            worker.control.arm((1 << 13) - 1, nth, errno.EIO)
            done = worker.run(*words)
            fired = worker.control.disarm()
            assert done.returncode in (0, 1)
            assert done.returncode == 0 or done.stderr or done.stdout, f"{words}: silent about {worker.control.what}"
            if not fired:
                break
        assert nth > 20, f"{words}: only {nth} calls"
        assert done.returncode == 0, done
        worker.start()
        assert worker.listed() == kept
    worker.kill()
    assert rig.settled(worker) == kept
