"""test_power.py: every yes survives a power cut (durability = full).

A workload runs over shim.c, which writes down all that changes on disk; disk.py says what the model
is and why it is honest. Then the power is cut at each sync in turn, in several ways, and the real
program has to make sense of what is left: `waybill gc`, `verify`, `ls`; all that a client was told
before the cut has to be true, and nothing may be corrupt.

The worker runs with sandbox=off here: its jail would refuse what the shim does besides.
"""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

import disk
import rig

SEED = 20261122
# What changes a file system; the shim has to know each of them that the program or SQLite calls.
CHANGING = {"open", "open64", "openat", "openat64", "openat2", "creat", "creat64", "__open_2", "__open64_2",
            "__openat_2", "__openat64_2", "close", "close_range", "write", "pwrite", "pwrite64", "writev", "pwritev",
            "pwritev64", "pwritev2", "sendfile", "sendfile64", "splice", "copy_file_range", "truncate", "truncate64",
            "ftruncate", "ftruncate64", "fallocate", "fallocate64", "posix_fallocate", "posix_fallocate64",
            "mmap", "mmap64", "fsync", "fdatasync", "sync", "syncfs", "msync", "link", "linkat", "symlink",
            "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "remove", "mkdir", "mkdirat",
            "mknod", "mknodat", "fcntl", "fcntl64", "dup", "dup2", "dup3", "mkstemp", "mkostemp", "tmpfile"}


def symbols(path, kind):
    out = subprocess.run(["nm", "-D", kind, path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


def test_the_shim_knows_every_call():
    linked = subprocess.run(["ldd", rig.WAYBILL], capture_output=True, text=True, check=True).stdout
    sqlite = re.search(r"libsqlite3\S* => (\S+)", linked)[1]
    wanted = (symbols(rig.WAYBILL, "--undefined-only") | symbols(sqlite, "--undefined-only")) & CHANGING
    assert {"linkat", "fdatasync", "pwrite64"} <= wanted, "nm shows nothing"
    assert wanted <= symbols(rig.shim(), "--defined-only")


# ---- the workload ---------------------------------------------------------------------------------

class Client:
    """Does what clients do, and notes among the records what it was told."""

    def __init__(self, worker, pick, pool):
        self.worker, self.pick, self.pool, self.mine = worker, pick, pool, []

    def note(self, **what):
        disk.note(self.worker.records, json.dumps(what))

    def content(self):
        """Often what another client sends, too."""
        if self.pick.random() < 0.3:
            return self.pick.choice(self.pool)
        return self.pick.randbytes(self.pick.choice([0, 1, 600, 5000, 70000]))

    def told(self, answer):
        if answer.status == 201:
            new = rig.new_ids(answer)
            self.note(kept=new)
            self.mine += new
        return answer.status

    def put(self):
        return self.told(self.worker.put("plain.bin", self.content()))

    def form(self):
        files = [rig.harness.Upload("file", f"{n}.bin", self.content()) for n in range(3)]
        return self.told(self.worker.send_form(*files, ("note", "x" * self.pick.choice([10, 40000]))))

    def delete(self):
        if not self.mine:
            return self.put()
        id = self.mine.pop(self.pick.randrange(len(self.mine)))
        self.note(leaving=id)
        answer = self.worker.request("DELETE", f"/files/{id}")
        if answer.status == 204:
            self.note(gone=id)
        return answer.status

    def resumable(self):
        """tus, in pieces; what is acknowledged is noted after each. After a refusal: HEAD, whose
        word counts as well, and on from there. The status of the first PATCH that failed, or 204."""
        content, tus, at, status = self.content() + b"!", {"Tus-Resumable": "1.0.0"}, 0, 204
        made = self.worker.request("POST", "/upload", {**tus, "Upload-Length": str(len(content))}, b"")
        if made.status != 201:
            return made.status
        path, id = made["Location"], made["Location"].rsplit("/", 1)[1]
        self.note(offset=0, id=id, prefix=rig.EMPTY)
        for end in (len(content) // 3, len(content) // 2, *[len(content)] * 4):
            answer = self.worker.request("PATCH", path, {
                **tus, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"},
                content[at:end])
            if answer.status != 204:
                status = answer.status if status == 204 else status
                answer = self.worker.request("HEAD", path, tus)
                assert answer.status == 200, answer
            at = int(answer["Upload-Offset"])
            if at == len(content):
                self.note(kept={id: rig.sha256(content)})
                self.mine.append(id)
                return status
            self.note(offset=at, id=id, prefix=rig.sha256(content[:at]))
        raise AssertionError(f"{path} never came to its end")

    def work(self, times):
        verbs = [self.put, self.put, self.form, self.delete, self.resumable]
        statuses = [self.pick.choice(verbs)() for _ in range(times)]
        assert set(statuses) <= {201, 204}, (statuses, self.worker.said())


def run_clients(worker, count, times, seed):
    pool = [random.Random(seed).randbytes(size) for size in (3, 4000, 66000)]
    clients = [Client(worker, random.Random(f"{seed}-{n}"), pool) for n in range(count)]
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        for job in [threads.submit(client.work, times) for client in clients]:
            job.result()


# ---- what is left ---------------------------------------------------------------------------------

class Told:
    """What clients know at some moment."""

    def __init__(self):
        self.kept, self.leaving, self.gone, self.offsets = {}, set(), set(), {}

    def hear(self, note):
        what = json.loads(note)
        if "kept" in what:
            self.kept.update(what["kept"])
            for id in what["kept"]:
                self.offsets.pop(id, None)
        elif "leaving" in what:
            self.leaving.add(what["leaving"])
        elif "gone" in what:
            self.gone.add(what["gone"])
        else:
            self.offsets[what["id"]] = what["offset"], what["prefix"]

    def copy(self):
        other = Told()
        other.kept, other.leaving, other.gone, other.offsets = (
            dict(self.kept), set(self.leaving), set(self.gone), dict(self.offsets))
        return other


def command(data, *words):
    keep = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL")}
    done = subprocess.run([rig.WAYBILL, *words], env={**keep, "WAYBILL_DATA_DIR": str(data)}, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def lost_offsets(data, told, rows):
    """Resumable uploads: the bytes that were acknowledged are there."""
    for id, (offset, prefix) in told.offsets.items():
        if id in rows:
            continue  # it was finished, only nobody was told
        path = data / "partial" / id
        if not path.exists():
            yield f"upload {id} is lost"
        elif rig.sha256(path.read_bytes()[:offset]) != prefix:
            yield f"upload {id}: of {offset} acknowledged bytes some are lost"


def judge(state, told, where):
    """Does the real program find all that was promised in what the cut left?"""
    data = state / "data"
    try:
        command(data, "gc")
        command(data, "verify")
        found, rows = rig.problems(data)
        found += [f"file {id} is lost" for id in told.kept if id not in rows and id not in told.leaving]
        found += [f"file {id} is another" for id in told.kept if rows.get(id, told.kept[id]) != told.kept[id]]
        found += [f"file {id} is back" for id in told.gone if id in rows]
        found += lost_offsets(data, told, rows)
        if where.endswith("nothing else kept"):
            listing = [json.loads(line) for line in command(data, "ls", "--json", "--limit", "1000").splitlines()]
            if {f["id"] for f in flatten(listing)} != set(rows):
                found.append("the listing is another")
    except (AssertionError, OSError, sqlite3.Error) as problem:
        found = [str(problem)[:600]]
    finally:
        shutil.rmtree(state, ignore_errors=True)
    return [f"{where}: {what}" for what in found], len(told.kept)


def flatten(lines):
    """`ls --json` prints records, or pages of them."""
    for line in lines:
        yield from line.get("files", [line])


def cuts(log, chosen):
    """At the syncs whose numbers are chosen: (where, how, disk, told) for each cut, just before a sync would have counted: the worst moment,
    since all later ones up to the next sync only add what that one still has to save."""
    model, told, syncs = disk.Disk(), Told(), 0
    for record in disk.records(log):
        if record.op == disk.NOTE:
            told.hear(record.more)
            continue
        if record.op == disk.SYNC_END:
            syncs += 1
            if chosen(syncs):
                where = f"sync {syncs}, {record.more.decode()}"
                luck = random.Random(f"{SEED}-{syncs}")
                yield f"{where}: nothing else kept", {}, model, told
                yield f"{where}: all kept", {"luck": 1}, model, told
                yield f"{where}: some kept", {"luck": luck}, model, told
                yield f"{where}: some kept, names in order", {"luck": luck, "journal": True}, model, told
        model.feed(record)
    yield "the end: nothing else kept", {}, model, told


def cut_everywhere(log, chosen=lambda number: True):
    """How many cuts were tried, and how many promises were looked after."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="wbf-cuts-"))
    tried, promises, jobs, found = 0, 0, [], []

    def collect(job):
        nonlocal promises
        more, count = job.result()
        found.extend(more)
        promises += count
    try:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for where, how, model, told in cuts(log, chosen):
                state = base / str(tried)
                state.mkdir()
                model.leave(state, **how)
                jobs.append(threads.submit(judge, state, told.copy(), where))
                tried += 1
                if len(jobs) > 16:
                    collect(jobs.pop(0))
            for job in jobs:
                collect(job)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    assert not found, f"{len(found)} broken promises, the first: " + "\n".join(found[:12])
    return tried, promises


# ---- the tests --------------------------------------------------------------------------------------

@pytest.fixture
def recorded(make_worker):
    return make_worker({"deny_types": "x/none"}, shimmed=True, start=False).start(recorded=True)


def same_tree(a, b):
    """Names and bytes, but for the files that are written through memory."""
    def tree(top):
        return {str(p.relative_to(top)): p.read_bytes() if p.is_file() else None for p in top.rglob("*")
                if p.name not in ("waybill.db-shm", "ledger")}
    return tree(a) == tree(b)


def checkpoints(log):
    """Numbers of the syncs that end one."""
    syncs = (r.more for r in disk.records(log) if r.op == disk.SYNC_END)
    return [number for number, path in enumerate(syncs, 1) if path == b"data/waybill.db"]


def fill_the_wal(worker, pick):
    """Upload records with much text until the worker has had to make a checkpoint, while it serves:
    the number of its sync."""
    client, before = Client(worker, pick, [b"pool"]), checkpoints(worker.records)
    for n in range(90):
        file = rig.harness.Upload("f", "x", b"%d" % (n % 16))
        assert client.told(worker.send_form(file, ("note", "w" * 60000))) == 201
    rig.harness.wait_until(lambda: len(checkpoints(worker.records)) > len(before), "a checkpoint")
    return checkpoints(worker.records)[-1]


def test_each_cut(recorded, tmp_path):
    print(f"seed {SEED}")
    run_clients(recorded, 4, 9, SEED)
    recorded.stop()  # folds the WAL back into waybill.db and unlinks it: cuts fall there too
    all_of_it = disk.Disk(forgetful=False)
    for record in disk.records(recorded.records):
        if record.op != disk.NOTE:
            all_of_it.feed(record)
    all_of_it.leave(tmp_path)
    assert same_tree(tmp_path, recorded.disk), "the shim has missed something"
    tried, promises = cut_everywhere(recorded.records)
    print(f"{tried} cuts, {promises} promises kept")
    assert tried > 300 and promises > 3000


def test_cuts_around_a_checkpoint(recorded):
    """The WAL is copied into waybill.db while uploads go on, and then begun anew from its start."""
    checkpoint = fill_the_wal(recorded, random.Random(SEED))
    run_clients(recorded, 3, 4, SEED + 1)
    recorded.kill()
    assert checkpoint > 20
    tried, promises = cut_everywhere(recorded.records, lambda number: checkpoint - 4 <= number <= checkpoint + 16)
    print(f"{tried} cuts, {promises} promises kept")
    assert tried > 60 and promises > 4000


def test_a_failed_sync_is_never_called_a_yes(recorded):
    """Each sync of an upload fails in turn; the client tries the same again at once. A sync that
    failed has lost its bytes or names for good, even where the next one says 0. At the end those of
    the checkpoint fail that folds the WAL back."""
    pick = random.Random(SEED)
    client = Client(recorded, pick, [b"pool"])
    met = 0
    for nth in (1, 2, 3, 4, 1, 2, 3):
        for verb in (client.put, client.form, client.resumable):
            content = pick.randbytes(9000)
            client.content = lambda: content
            recorded.control.arm(rig.SYNC, nth)
            refused = verb()
            fired = recorded.control.disarm()
            assert refused == 500 if fired else refused in (201, 204), (nth, refused, recorded.control.what)
            assert verb() in (201, 204), recorded.said()
            met += fired
    for nth in (1, 2, 3):
        recorded.control.arm(rig.SYNC, nth)
        recorded.process.terminate()
        assert recorded.process.wait(rig.harness.PATIENCE) in (0, 1)
        met += recorded.control.disarm()
        recorded.start(recorded=True)
        assert client.put() == 201
    recorded.kill()
    tried, promises = cut_everywhere(recorded.records, lambda number: number % 2)
    print(f"{met} failed syncs, {tried} cuts, {promises} promises kept")
    assert met > 15 and promises > 1000


def test_the_model_has_teeth(make_worker):
    """durability = normal promises less: here the same cuts do lose files. Yet nothing that is left
    is broken: catalog and listing can be read, and `verify` tells of all that is gone."""
    worker = make_worker({"durability": "normal", "deny_types": "x/none"}, shimmed=True, start=False)
    worker.start(recorded=True)
    run_clients(worker, 3, 5, SEED + 2)
    model, told = disk.Disk(), Told()
    for record in disk.records(worker.records):
        told.hear(record.more) if record.op == disk.NOTE else model.feed(record)
    lost = 0
    for n in range(6):
        state = pathlib.Path(tempfile.mkdtemp(prefix="wbf-normal-"))
        try:
            model.leave(state, random.Random(n) if n else None)
            rig.reboot(state / "data")
            command(state / "data", "gc")
            command(state / "data", "ls", "--json")
            found, rows = rig.problems(state / "data")
            lost += bool(set(told.kept) - told.leaving - set(rows)) or bool(found)
            assert not [problem for problem in found if "integrity_check" in problem]
        finally:
            shutil.rmtree(state, ignore_errors=True)
    assert lost > 0, "nothing was synced, and nothing was lost?"
