"""test_kill.py: kill -9 of the workers at random moments, while clients upload.

Two workers serve one data_dir, as lighttpd would have it; 8 clients upload, delete and resume. Again
and again one of the workers dies at a random moment and is started anew, which begins with a sweep
beside the other's uploads. Whatever was answered with yes is true afterwards.
"""
import threading
import time

import pytest

import rig
import exchange
import processes
from chance import chance

CLIENTS = 8
TUS = {"Tus-Resumable": "1.0.0"}


class Shop:
    """The workers, and when all is over."""

    def __init__(self, workers):
        self.workers, self.closing, self.failures = workers, threading.Event(), []

    def request(self, pick, *args, **more):
        """An answer, or None when nobody knows what became of the request."""
        worker = pick.choice(self.workers)
        try:
            return worker.request(*args, **more)
        except (OSError, AssertionError):  # refused, cut off, no END_REQUEST
            return None


class Client(threading.Thread):
    def __init__(self, shop, number):
        super().__init__(daemon=True)
        self.shop, self.pick = shop, chance("client", number)
        self.kept, self.maybe_gone, self.gone, self.resumed = {}, set(), set(), 0

    def run(self):
        verbs = [self.put] * 4 + [self.form] * 2 + [self.delete, self.resumable]
        try:
            while not self.shop.closing.is_set():
                self.pick.choice(verbs)()
        except BaseException as problem:
            self.shop.failures.append(problem)

    def request(self, *args, **more):
        answer = self.shop.request(self.pick, *args, **more)
        if answer is None:
            time.sleep(0.01)
        else:
            assert answer.status in (200, 201, 204, 409, 503), answer
        return answer

    def content(self):
        if self.pick.random() < 0.2:
            return f"common {self.pick.randrange(6)}".encode() * 3000
        return self.pick.randbytes(self.pick.choice([1, 300, 9000, 80000, 400000]))

    def put(self):
        content = self.content()
        answer = self.request("PUT", "/upload/killed.bin", {}, content)
        if answer and answer.status == 201:
            assert set(rig.new_ids(answer).values()) == {rig.sha256(content)}
            self.kept.update(rig.new_ids(answer))

    def form(self):
        contents = [self.content() for _ in range(3)]
        headers, body = exchange.form(*(exchange.Upload("f", "x.bin", c) for c in contents))
        answer = self.request("POST", "/upload", headers, body)
        if answer and answer.status == 201:
            assert [f["sha256"] for f in answer.json["files"]] == [rig.sha256(c) for c in contents]
            self.kept.update(rig.new_ids(answer))

    def delete(self):
        if not self.kept:
            return
        id = self.pick.choice(sorted(self.kept))
        del self.kept[id]
        self.maybe_gone.add(id)
        answer = self.request("DELETE", f"/files/{id}")
        if answer and answer.status == 204:
            self.gone.add(id)

    def resumable(self):
        """tus, patiently: ask where it stands, go on from there, however often the worker dies."""
        content = self.pick.randbytes(300000)
        made = self.request("POST", "/upload", {**TUS, "Upload-Length": str(len(content))}, b"")
        if not made or made.status != 201:
            return
        path, acknowledged, at = made["Location"], 0, 0
        for _ in range(200):
            if at == len(content) or self.shop.closing.is_set():
                break
            answer = self.request("PATCH", path, {**TUS, "Upload-Offset": str(at),
                                                  "Content-Type": "application/offset+octet-stream"},
                                  content[at:at + self.pick.choice([20000, 110000])])
            if not answer or answer.status != 204:
                answer = self.request("HEAD", path, TUS)
            if answer and answer["Upload-Offset"]:
                at = int(answer["Upload-Offset"])
                assert at >= acknowledged, f"{path} fell back from {acknowledged} to {at}"
                acknowledged = at
        if at == len(content):
            self.kept[path.rsplit("/", 1)[1]] = rig.sha256(content)
            self.resumed += 1


def all_of(clients, name):
    out = {}
    for client in clients:
        out.update(dict.fromkeys(getattr(client, name)) if name == "gone" else getattr(client, name))
    return out


def kill_again_and_again(workers, kills, pick):
    """Each round: a while of serving, then one dies and is started again."""
    for _ in range(kills):
        time.sleep(pick.uniform(0.0, 0.25))
        victim = pick.choice(workers)
        victim.kill()
        victim.start(wait=False)
        if pick.random() < 0.1:
            victim.run("gc", check=0)


@pytest.mark.parametrize("kills, more", [(60, {}), (12, {"FAULTS_NO_TMPFILE": "1"})], ids=["unnamed", "named"])
def test_no_yes_is_lost(make_worker, kills, more):
    shimmed = bool(more)
    config = {"deny_types": "x/none"}  # random bytes may begin like a program
    first = make_worker(config, shimmed=shimmed, **more)
    workers = [first, make_worker(config, disk=first.disk, shimmed=shimmed, **more)]
    shop = Shop(workers)
    clients = [Client(shop, n) for n in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        kill_again_and_again(workers, kills, chance("kills"))
        for worker in workers:
            processes.wait_until(lambda w=worker: w._serves((200,)), "the worker to serve again")
    finally:
        shop.closing.set()
        for client in clients:
            client.join(60)
    assert not shop.failures, (shop.failures[0], first.said())
    kept, gone = all_of(clients, "kept"), all_of(clients, "gone")
    resumed = sum(client.resumed for client in clients)
    print(f"{kills} kills: {len(kept)} kept, {len(gone)} deleted, {resumed} resumed")
    assert len(kept) > 2 * kills and resumed > 5 and gone
    look_closely(workers, kept, gone)


def look_closely(workers, kept, gone):
    for worker in workers:
        rig.wait_quiet_but_for_uploads(worker)
    for id, digest in kept.items():
        workers[0].intact(id, digest)
    for worker in workers:
        worker.kill()
    rows = rig.settled(workers[0])
    assert kept.items() <= rows.items()
    assert not gone.keys() & rows.keys()
    assert {p.name for p in (workers[0].data / "objects").iterdir()} == set(rows.values())
    assert not list((workers[0].data / "partial").glob("tmp-*"))
