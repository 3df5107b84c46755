"""cuts.py: the power is cut at each sync, and the real program looks at what is left."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile

import disk
import rig
from chance import chance


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
    data.mkdir(exist_ok=True)  # subcommands make none where all is gone; what was promised is asked for all the same
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


def cuts(log, chosen, model):
    """At the syncs whose numbers are chosen: (where, how, disk, told) for each cut, just before a sync would have counted: the worst moment,
    since all later ones up to the next sync only add what that one still has to save."""
    told, syncs = Told(), 0
    for record in disk.records(log):
        if record.op == disk.NOTE:
            told.hear(record.more)
            continue
        if record.op == disk.SYNC_END:
            syncs += 1
            if chosen(syncs):
                where = f"sync {syncs}, {record.more.decode()}"
                luck = chance("cut", syncs)
                yield f"{where}: nothing else kept", {}, model, told
                yield f"{where}: all kept", {"luck": 1}, model, told
                yield f"{where}: some kept", {"luck": luck}, model, told
                yield f"{where}: some kept, names in order", {"luck": luck, "journal": True}, model, told
                yield f"{where}: names and sizes kept", {"only": "sizes"}, model, told
        model.feed(record)
    yield "the end: nothing else kept", {}, model, told


def broken(log, chosen=lambda number: True, model=None):
    """([promise that a cut has broken], how many cuts were tried, how many promises looked after)."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="wbf-cuts-"))
    tried, promises, jobs, found = 0, 0, [], []

    def collect(job):
        nonlocal promises
        more, count = job.result()
        found.extend(more)
        promises += count
    try:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for where, how, model, told in cuts(log, chosen, model or disk.Disk()):
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
    return found, tried, promises


def cut_everywhere(log, chosen=lambda number: True, model=None):
    """No promise is broken. How many cuts were tried, and how many promises were looked after."""
    found, tried, promises = broken(log, chosen, model)
    assert not found, f"{len(found)} broken promises, the first: " + "\n".join(found[:12])
    return tried, promises
