"""test_backup_power.py: the power is cut at each sync of a backup and of a restore.

Whatever is left of a backup, the one before it can be restored, or this one, whole; and what is left
of a restore is either finished or known not to be. The records and the model of the disk are those of
test_power.py. Once with hard links, and once with LINK failing as between two file systems.
"""
import concurrent.futures
import errno
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import disk
import rig
from chance import chance


def command(data, *words):
    keep = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL")}
    return subprocess.run([rig.WAYBILL, *map(str, words)], env={**keep, "WAYBILL_DATA_DIR": str(data)}, timeout=60,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


class Recorded:
    """A worker, and subcommands on the same disk whose changes are recorded with its own."""

    def __init__(self, worker):
        self.worker, self.backup, self.restored = worker, worker.disk / "backup", worker.disk / "restored"
        self.pick, self.files = chance(), {}

    def put(self, count):
        for n in range(count):
            size = self.pick.choice([0, 1, 700, 5000, 70000])
            self.files.update(rig.new_ids(self.worker.put("x", self.pick.randbytes(size))))

    def rm(self, count):
        for id in self.pick.sample(sorted(self.files), count):
            assert self.worker.request("DELETE", f"/files/{id}").status == 204
            del self.files[id]

    def run(self, *words, unlinked, **environment):
        disk.note(self.worker.records, json.dumps({"begun": self.files}))
        if unlinked:
            self.worker.control.arm(rig.LINK, 1, errno.EXDEV, 1 << 30)
        done = subprocess.run([rig.WAYBILL, *map(str, words)], capture_output=True, text=True, timeout=60,
                              env={**self.worker.environment(recorded=True), **environment})
        self.worker.control.disarm()
        assert done.returncode == 0 and not done.stderr, done
        disk.note(self.worker.records, json.dumps({"ended": self.files}))


@pytest.fixture(params=["links", "copies"])
def recorded(make_worker, request):
    worker = make_worker({"deny_types": "x/none"}, shimmed=True, start=False).start(recorded=True)
    one = Recorded(worker)
    one.unlinked = request.param == "copies"
    return one


# ---- what is left --------------------------------------------------------------------------------

def sound(data, allowed):
    """Does the real program serve one of these from it?"""
    for words in ("gc", "verify"):
        done = command(data, words)
        if done.returncode != 0:
            yield f"{words}: {done.stdout[:300]} {done.stderr[:300]}"
            return
    found, rows = rig.problems(data)
    yield from found
    if rows not in allowed:
        yield f"{len(rows)} files, which are those of no moment"


def judge_backup(state, ended, begun):
    done = command(state / "again", "restore", state / "backup")
    if done.returncode == 0:
        return list(sound(state / "again", [ended, begun]))
    nothing_yet = ended is None and any(n in done.stderr for n in ("is no backup", "no backup has come to its end", "Cannot open"))
    return [] if nothing_yet else [done.stderr]


def judge_restore(state, ended, begun):
    data = state / "restored"
    if not (data / "waybill.db").exists() or (data / "restoring").exists():
        if (data / "restoring").exists() and "has begun and not ended" not in command(data, "gc").stderr:
            return ["half a restore is served from"]
        done = command(data, "restore", state / "backup")
        if done.returncode != 0:
            return [done.stderr]
    return list(sound(data, [ended]))


def cut_everywhere(log, judge, ours):
    """At each sync of a file or directory below `ours`, in four ways. How many cuts were tried."""
    base, jobs, tried = pathlib.Path(tempfile.mkdtemp(prefix="wbf-cuts-")), [], 0
    model, ended, begun, syncs = disk.Disk(), None, None, 0

    def examine(state, *told):
        try:
            return judge(state, *told)
        finally:
            shutil.rmtree(state, ignore_errors=True)
    try:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            for record in disk.records(log):
                if record.op == disk.NOTE:
                    told = json.loads(record.more)
                    begun, ended = told.get("begun", begun), told.get("ended", ended)
                    continue
                if record.op == disk.SYNC_END and record.more.decode().startswith(ours):
                    syncs += 1
                    for how in ({}, {"luck": 1}, {"luck": chance(syncs)}, {"luck": chance(syncs), "journal": True}):
                        state = base / str(tried)
                        state.mkdir()
                        model.leave(state, **how)
                        jobs.append((f"sync {syncs}, {record.more.decode()}, {how}", threads.submit(examine, state, ended, begun)))
                        tried += 1
                model.feed(record)
        found = [f"{where}: {what}" for where, job in jobs for what in job.result()]
    finally:
        shutil.rmtree(base, ignore_errors=True)
    assert not found, f"{len(found)} broken promises of {tried}, the first:\n" + "\n".join(found[:8])
    return tried


# ---- the tests -----------------------------------------------------------------------------------

def test_each_cut_of_a_backup(recorded):
    """The first, and one that takes and drops objects."""
    recorded.put(8)
    recorded.run("backup", recorded.backup, unlinked=recorded.unlinked)
    recorded.put(5)
    recorded.rm(4)
    recorded.run("backup", recorded.backup, unlinked=recorded.unlinked)
    shared = any(p.stat().st_nlink > 1 for p in (recorded.backup / "objects").iterdir())
    assert shared != recorded.unlinked
    recorded.worker.kill()
    tried = cut_everywhere(recorded.worker.records, judge_backup, "backup")
    print(f"{tried} cuts")
    assert tried > 40


def test_each_cut_of_a_restore(recorded):
    recorded.put(8)
    recorded.run("backup", recorded.backup, unlinked=recorded.unlinked)
    recorded.run("restore", recorded.backup, unlinked=False, WAYBILL_DATA_DIR=str(recorded.restored))
    recorded.worker.kill()
    tried = cut_everywhere(recorded.worker.records, judge_restore, "restored")
    print(f"{tried} cuts")
    assert tried > 40


def test_a_failed_sync_is_no_backup(recorded):
    """Each sync of a backup fails in turn: it says so, and leaves the one before."""
    recorded.put(6)
    recorded.run("backup", recorded.backup, unlinked=recorded.unlinked)
    before, failed = dict(recorded.files), 0
    recorded.put(3)
    for nth in range(1, 40):
        recorded.worker.control.arm(rig.SYNC, nth)
        done = recorded.worker.run("backup", str(recorded.backup))
        fired = recorded.worker.control.disarm()
        assert done.returncode == (1 if fired else 0), (nth, done)
        if not fired:
            break
        failed += 1
        again = recorded.worker.disk / f"again-{nth}"
        done = command(again, "restore", recorded.backup)
        assert done.returncode == 0 and not list(sound(again, [before, recorded.files])), done
    assert failed >= 4
