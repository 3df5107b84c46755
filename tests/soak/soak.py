#!/usr/bin/python3
"""soak.py: MINUTES= of everything at once, and then a close look. SEED= says which chances are taken.

Three workers on one data directory on a small disk, one behind nginx; clients that upload in every way,
read, list, resume, delete, dawdle and go away; workers and sniffers killed, clocks stepped, the disk filled;
gc, verify and backups beside it. Whatever was acknowledged has to be true, at any time and at the end.
"""
import collections
import os
import pathlib
import shutil
import tempfile
import threading
import time
import traceback

from premises import Site, rig
import processes
from chance import SEED, chance
from chaos import Chaos, Housekeeping
from check import Check, everything
from clients import SoakClient
from uploaders import Told
from watch import Holding

SECONDS = float(os.environ.get("MINUTES", "30")) * 60
CLIENTS = 10
WARM = min(60, SECONDS / 2)  # until the state that the last one is compared with


class Soak:
    def __init__(self, home):
        self.site, self.told, self.counts = Site(home), Told(), collections.Counter()
        self.over, self.failures = threading.Event(), []
        self.chaos = Chaos(self.site, chance("chaos"), self.counts)
        self.keeper = Housekeeping(self.site, chance("keeper"), self.counts, self.over, self.failures)
        doors = [self.site.mortal, self.site.front, self.site.steady]
        self.threads = [self.keeper, *(
            SoakClient(self.site.ask(chance(n)), self.told, f"{SEED}.{n}", self.over, self.failures,
                       doors, self.counts) for n in range(CLIENTS))]

    def run(self):
        began = time.monotonic()
        for thread in self.threads:
            thread.start()
        self.chaos.go_on(began + WARM, self.failures)
        self.early = Holding(self.site.steady)
        print(f"after {WARM:.0f} s: {self.early}", flush=True)
        for minute in range(1, int(SECONDS // 60) + 1):
            self.chaos.go_on(began + max(WARM, 60 * minute), self.failures)
            print(f"{minute:4} min: {len(self.told.kept)} files, {len(self.told.gone)} deleted, "
                  f"{Holding(self.site.steady)}", flush=True)
        self.chaos.go_on(began + SECONDS, self.failures)
        self.late = Holding(self.site.steady)
        self.over.set()
        for thread in self.threads:
            thread.join(processes.PATIENCE * 4)
        self.chaos.end()

    def figures(self):
        for key in sorted(self.counts, key=str):
            print(f"{self.counts[key]:8} {key}")

    # ---- the close look: each of these is a test ------------------------------------------------

    def nobody_complained(self):
        assert not self.failures, "".join(traceback.format_exception(self.failures[0]))

    def workers_serve_and_hold_nothing(self):
        for worker in self.site.workers:
            processes.wait_until(lambda w=worker: w._serves((200,)), "the worker to serve")
            rig.wait_quiet_but_for_uploads(worker)
            assert not rig.said_crash(worker), worker.said()

    def refusals_had_a_reason(self):
        """One 500 for a sniffer killed while it was at it, several for all children of a parent; no more."""
        allowed = 8 * self.counts["chaos: sniffers"] + self.counts["chaos: kill"]
        assert self.counts[500] <= allowed, f"{self.counts[500]} times 500, {allowed} would be understood"

    def grew_no_more(self):
        grown = self.late.no_more_than(self.early, self.counts["creations unanswered"])
        assert not grown, grown

    def all_that_was_acknowledged(self):
        """And nothing that was deleted. What never got a byte may be dropped."""
        told = self.told.copy()
        told.open = {id: (name, at) for id, (name, at) in told.open.items() if at > 0}
        check = Check(self.site.steady.request, told, told)
        print(f"{check.looked} files, offsets and deletions looked at")
        assert not check.lies and not check.losses, (check.lies[:5], check.losses[:5])

    def store_is_sound(self):
        """gc, verify, and our own reckoning: each object, sum, reference and partial file has its reason."""
        rig.settled(self.site.steady)

    def restored_elsewhere(self):
        self.site.steady.run("backup", str(self.keeper.copy), check=0)
        other = self.keeper.restored().start()
        try:
            assert everything(other.request) == everything(self.site.steady.request)
            check = Check(other.request, Told(), Told())
            assert not check.lies and not check.losses, (check.lies[:5], check.losses[:5])
        finally:
            other.close()

    def judge(self):
        tests = [self.nobody_complained, self.workers_serve_and_hold_nothing, self.refusals_had_a_reason,
                 self.grew_no_more, self.all_that_was_acknowledged, self.store_is_sound, self.restored_elsewhere]
        failed = 0
        for test in tests:
            try:
                test()
                print(f"ok     {test.__name__}")
            except Exception as problem:
                failed += 1
                print(f"FAILED {test.__name__}: {type(problem).__name__}: {problem}")
        return len(tests) - failed, failed


def main():
    print(f"SEED={SEED} MINUTES={SECONDS / 60:g}")
    home = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
    soak = Soak(home)
    try:
        soak.run()
        soak.figures()
        passed, failed = soak.judge()
        if failed:
            for worker in soak.site.workers:
                print(worker.said())
    finally:
        soak.over.set()
        soak.site.close()
        shutil.rmtree(home, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    raise SystemExit(main())
