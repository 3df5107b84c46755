"""uploaders.py: clients that upload, resume and delete, and remember what they were told.

A name says what the content is ("SEED-SIZE.bin"), so that whoever finds a file can tell whether its
bytes are those that were uploaded, also where nobody lived to be told of it.
"""
import base64
import contextlib
import functools
import random
import sqlite3
import threading

import exchange

TUS = {"Tus-Resumable": "1.0.0"}
SIZES = [1, 300, 9000, 70000, 400000, 1500000]


@functools.lru_cache(maxsize=256)
def stuff(name):
    """The content that belongs to a name."""
    seed, _, size = name.removesuffix(".bin").rpartition("-")
    return random.Random(seed).randbytes(int(size))


def metadata(name):
    return {"Upload-Metadata": "filename " + base64.b64encode(name.encode()).decode()}


def checkpoint(data):
    """Copy the WAL into waybill.db, as the worker itself does now and then: both are synced."""
    with contextlib.closing(sqlite3.connect(data / "waybill.db", timeout=30)) as db:
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


class Told:
    """What clients were told: files kept {id: name}, deletions asked for and confirmed, and how far
    uploads are {id: (name, offset)}."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kept, self.leaving, self.gone, self.open = {}, set(), set(), {}

    def keep(self, files):
        with self.lock:
            self.kept.update(files)
            for id in files:
                self.open.pop(id, None)

    def offset(self, id, name, at):
        with self.lock:
            self.open[id] = name, at

    def leave(self, id):
        with self.lock:
            self.leaving.add(id)

    def end(self, id):
        with self.lock:
            self.gone.add(id)
            self.kept.pop(id, None)
            self.open.pop(id, None)

    def copy(self):
        other = Told()
        with self.lock:
            other.kept, other.leaving = dict(self.kept), set(self.leaving)
            other.gone, other.open = set(self.gone), dict(self.open)
        return other


class Uploader(threading.Thread):
    """One client, until `over` is set or somebody failed. `ask`: a request that may come to nothing:
    an answer, or None."""
    expected = (200, 201, 204)
    sizes = SIZES

    def __init__(self, ask, told, seed, over, failures):
        super().__init__(daemon=True)
        self.ask_once, self.told, self.seed, self.over, self.failures = ask, told, seed, over, failures
        self.pick, self.count, self.mine, self.waiting = random.Random(seed), 0, {}, {}

    def verbs(self):
        return [self.put] * 4 + [self.form] * 2 + [self.begin] * 2 + [self.go_on] * 3 + [self.delete]

    def run(self):
        try:
            while not self.over.is_set() and not self.failures:
                self.pick.choice(self.verbs())()
        except Exception as problem:
            self.failures.append(problem)

    def ask(self, method, path, headers=None, body=None, also=()):
        answer = self.ask_once(method, path, headers or {}, body)
        assert answer is None or answer.status in (*self.expected, *also), (method, path, answer)
        return answer

    def name(self):
        """Often one that others upload, too."""
        if self.pick.random() < 0.15:
            return f"common{self.pick.randrange(4)}-66000.bin"
        self.count += 1
        return f"{self.seed}.{self.count}-{self.pick.choice(self.sizes)}.bin"

    def keep(self, files):
        self.mine.update(files)
        self.told.keep(files)

    def put(self):
        name = self.name()
        answer = self.ask("PUT", f"/upload/{name}", {}, stuff(name))
        if answer and answer.status == 201:
            self.keep({answer.file["id"]: name})

    def form(self):
        names = [self.name() for _ in range(3)]
        headers, body = exchange.form(*(exchange.Upload("f", name, stuff(name)) for name in names))
        answer = self.ask("POST", "/upload", headers, body)
        if answer and answer.status == 201:
            self.keep(dict(zip((f["id"] for f in answer.json["files"]), names, strict=True)))

    def delete(self):
        if not self.mine:
            return
        id = self.pick.choice(list(self.mine))
        del self.mine[id]
        self.told.leave(id)
        answer = self.ask("DELETE", f"/files/{id}")  # never 404: it was there
        if answer and answer.status == 204:
            self.told.end(id)

    # ---- resumable -----------------------------------------------------------------------------

    def begin(self):
        name = self.name()
        made = self.ask("POST", "/upload", {**TUS, **metadata(name), "Upload-Length": str(len(stuff(name)))}, b"")
        if made and made.status == 201:
            id = made["Location"].rsplit("/", 1)[1]
            self.waiting[id] = name
            self.told.offset(id, name, 0)

    def go_on(self):
        """A piece more of some upload, from where the server says it stands."""
        if not self.waiting:
            return
        id = self.pick.choice(list(self.waiting))
        name = self.waiting[id]
        head = self.ask("HEAD", f"/upload/{id}", TUS, also=(404, 410))
        if head and head.status in (404, 410):
            self.vanished(id, head)
        if head is None or head["Upload-Offset"] is None:
            return
        at, content = int(head["Upload-Offset"]), stuff(name)
        self.noted(id, name, at)
        if at < len(content):
            self.piece(id, name, at, content[at:at + self.pick.choice([20000, 500000, 1 << 20])])

    def vanished(self, id, head):
        """Only what never got a byte may be forgotten, after a while."""
        del self.waiting[id]
        assert self.told.open[id][1] == 0, f"{id} is gone, of which {self.told.open[id]} was told: {head}"

    def piece(self, id, name, at, body):
        answer = self.ask("PATCH", f"/upload/{id}", {
            **TUS, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"},
            body, also=(404, 410))
        if answer and answer.status in (404, 410):
            self.vanished(id, answer)
        if answer and answer.status == 204:
            self.noted(id, name, int(answer["Upload-Offset"]))

    def noted(self, id, name, at):
        """An offset that we were told: never less than before."""
        was = self.told.open.get(id, (name, 0))[1]
        assert at >= was, f"{id} fell back from {was} to {at}"
        if at == len(stuff(name)):
            del self.waiting[id]
            self.keep({id: name})
        else:
            self.told.offset(id, name, at)
