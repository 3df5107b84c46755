"""test_power_normal.py: durability = normal. After a power cut an acknowledged file may be missing, and an
unfinished upload may be gone; but no answer is ever made of bytes that nobody uploaded.

As in test_power.py, a workload is recorded and the power cut; then another start of the machine is
pretended (its boot_id is another), and a worker asked for everything, resumed, and sent all again.
"""
import pathlib
import shutil
import tempfile

import pytest

import disk
import rig
from chance import chance
from cuts import Told, command
from workload import Client, run_clients

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}
WAYS = {"nothing else kept": {}, "sizes": {"only": "sizes"}, "holes": {"only": "holes"}, "torn": {"only": "torn"}}


class Stock:
    """Everything that clients ever sent: what may be answered."""

    def __init__(self):
        self.by_digest, self.uploads, self.parts = {}, {}, []

    def add(self, content):
        self.by_digest[rig.sha256(content)] = content


def make_parts(worker, pick, stock):
    """Two finished parts of a whole that is not made yet."""
    for _ in range(2):
        content = pick.randbytes(70000)
        made = worker.request("POST", "/upload", {**PATCH, "Upload-Concat": "partial", "Upload-Length": "70000"}, content)
        assert made.status == 201 and made["Upload-Offset"] == "70000", made
        stock.parts.append((made["Location"], content))


def work(worker):
    """A workload, all of whose bytes are remembered. {id: content}: also an upload left in the middle."""
    stock, pick = Stock(), chance()
    seen = worker.request

    def watch(method, url, headers=None, body=None, **more):
        if method == "PUT":
            stock.add(body)
        return seen(method, url, headers or {}, body, **more)
    worker.request = watch
    make_parts(worker, pick, stock)
    for client in run_clients(worker, 2, 8):
        stock.uploads.update(client.sent)
    content = pick.randbytes(200000)
    made = worker.request("POST", "/upload", {**PATCH, "Upload-Length": str(len(content))}, content[:150000])
    stock.uploads[made["Location"].rsplit("/", 1)[1]] = content
    for content in stock.uploads.values():
        stock.add(content)
    return stock


# ---- after the cut -----------------------------------------------------------------------------------

class Look:
    """What a worker answers that was started on what is left. `lies`: what it must not."""

    def __init__(self, worker, stock):
        self.worker, self.stock, self.lies, self.right, self.missing = worker, stock, [], 0, 0

    def content(self, id, digest, where):
        for headers in ({"Range": "bytes=0-0"}, {}, {}):
            answer = self.worker.request("GET", f"/files/{id}/content", headers)
            if answer.status not in (200, 206, 416):
                assert answer.status in (404, 410, 500), answer
                self.missing += 1
                return False
        if rig.sha256(answer.body) != digest:
            self.lies.append(f"{where}: {len(answer.body)} bytes that are not {digest}, {answer.body.count(0)} zeros")
        self.right += 1
        return True

    def uploads(self):
        """HEAD, then on from there; what comes of it is the file or nothing."""
        for id, content in self.stock.uploads.items():
            head = self.worker.request("HEAD", f"/upload/{id}", TUS)
            if head.status != 200 or head["Upload-Offset"] == str(len(content)):
                self.missing += head.status != 200
                continue
            at = int(head["Upload-Offset"])
            answer = self.worker.request("PATCH", f"/upload/{id}", {**PATCH, "Upload-Offset": str(at)}, content[at:])
            assert answer.status in (204, 404, 410), answer
            if answer.status == 204 and not self.content(id, rig.sha256(content), f"upload {id} from {at}"):
                self.lies.append(f"upload {id} was finished, and is not there")

    def whole(self):
        urls = " ".join(url for url, _ in self.stock.parts)
        made = self.worker.request("POST", "/upload", {**TUS, "Upload-Concat": f"final;{urls}"}, b"")
        assert made.status in (201, 400, 404, 410), made
        if made.status == 201:
            content = b"".join(part for _, part in self.stock.parts)
            self.content(made["Location"].rsplit("/", 1)[1], rig.sha256(content), "the whole")

    def again(self):
        """What is uploaded now is there, whatever lies where it goes."""
        for digest, content in self.stock.by_digest.items():
            answer = self.worker.put("again", content)
            assert answer.status == 201, answer
            [id] = rig.new_ids(answer)
            if not self.content(id, digest, "sent again"):
                self.lies.append(f"{digest} was sent again, and is not there")

    def everything(self):
        before = self.worker.listed()
        for id, digest in before.items():
            self.content(id, digest, f"file {id}")
        self.uploads()
        self.whole()
        self.again()
        for id, digest in before.items():
            self.content(id, digest, f"file {id} afterwards")


def look(make_worker, model, how, stock, where):
    state = pathlib.Path(tempfile.mkdtemp(prefix="wbf-normal-"))
    model.leave(state, **how)
    boot = state / "boot_id"
    boot.write_text("11111111-2222-4333-8444-555555555555\n")
    worker = make_worker({"durability": "normal", "deny_types": "x/none"}, disk=state, shimmed=True, start=False,
                         FAULTS_BOOT=str(boot))
    print(where)
    try:
        worker.start()
        looking = Look(worker, stock)
        looking.everything()
        worker.stop()
        command(state / "data", "gc")
        found, _ = rig.problems(state / "data")
        assert not [what for what in found if "integrity_check" in what or "sums" in what], found
    finally:
        worker.close()
        shutil.rmtree(state, ignore_errors=True)
    return [f"{where}: {lie}" for lie in looking.lies], looking


def states(records, count):
    """At so many moments: (where, the disk, told)."""
    model, told, every = disk.Disk(), Told(), max(len(records) // count, 1)
    for number, record in enumerate(records, 1):
        told.hear(record.more) if record.op == disk.NOTE else model.feed(record)
        if number % every == 0 or number == len(records):
            yield f"record {number}", model


def test_no_byte_that_was_not_uploaded(make_worker):
    worker = make_worker({"durability": "normal", "deny_types": "x/none"}, shimmed=True, start=False)
    worker.start(recorded=True)
    stock = work(worker)
    worker.kill()
    lies, right, missing = [], 0, 0
    for where, model in states(list(disk.records(worker.records)), 3):
        for way, how in WAYS.items():
            if how.get("only") == "torn":
                how = {**how, "luck": chance("torn", where)}
            more, seen = look(make_worker, model, how, stock, f"{where}, {way}")
            lies, right, missing = lies + more, right + seen.right, missing + seen.missing
    assert not lies, f"{len(lies)} lies, the first: " + "\n".join(lies[:8])
    print(f"{right} answers of the right bytes, {missing} refusals")
    assert missing > 30 and right > 100, "nothing was lost, or everything"  # of three moments, or of four


def test_nothing_is_read_twice(make_worker):
    """What an earlier start of the machine wrote is read once, and what that has shown is recorded, also
    for the next start; damage is found again only where the file was changed since."""
    worker = make_worker({"durability": "normal"}, shimmed=True, start=False)
    boots = [worker.home / f"boot{n}" for n in range(3)]
    for n, path in enumerate(boots):
        path.write_text(f"{n}1111111-2222-4333-8444-555555555555\n")

    def restart(n):
        if worker.process:
            worker.stop()
        worker.more_environment = {"FAULTS_BOOT": str(boots[n])}
        worker.start()

    def ask(id):
        """(status, how often the object was read or synced)."""
        worker.control.arm(rig.SYNC, 1 << 20)
        status = worker.get(f"/files/{id}/content").status
        return status, worker.control.seen, worker.control.disarm()
    restart(0)
    good, bad = (next(iter(rig.new_ids(worker.put("x", body)).items())) for body in (b"good" * 900, b"bad!" * 900))
    assert ask(good[0])[:2] == (200, 0)
    restart(1)
    (worker.data / "objects" / bad[1]).write_bytes(bytes(3600))
    assert ask(good[0])[0] == 200 and ask(bad[0])[0] == 500
    (worker.data / "objects" / good[1]).write_bytes(bytes(3600))  # rot, which only verify finds
    assert ask(good[0])[:2] == (200, 0) and ask(bad[0])[:2] == (500, 0)
    restart(2)
    assert ask(good[0])[:2] == (200, 0) and ask(bad[0])[:2] == (500, 0)
    (worker.data / "objects" / bad[1]).write_bytes(b"bad!" * 900)  # brought back
    assert ask(bad[0])[0] == 200
    assert ask(bad[0])[:2] == (200, 0)
