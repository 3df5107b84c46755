"""chaos.py: what goes wrong, all day long."""
import contextlib
import os
import shutil
import signal
import threading
import time

import rig
import processes

HOURS = 3600
CALM = 0.4  # seconds between two misfortunes, on average


class Chaos:
    """In the main thread, since the workers end with the thread that started them."""

    def __init__(self, site, pick, counts):
        self.site, self.pick, self.counts, self.full_until = site, pick, counts, 0
        self.deeds = [self.kill] * 6 + [self.kill_fronted, self.stop, self.sniffers, self.sniffers,
                                        self.clock, self.clock, self.fill, self.hangup]

    def go_on(self, until, failures):
        while time.monotonic() < until and not failures:
            time.sleep(self.pick.uniform(0, 2 * CALM))
            if self.site.full() and time.monotonic() > self.full_until:
                self.site.free()
            self.site.revive()
            deed = self.pick.choice(self.deeds)
            deed()
            self.counts[f"chaos: {deed.__name__}"] += 1

    def kill(self):
        self.site.mortal.kill()
        self.site.mortal.start(wait=False)

    def kill_fronted(self):
        self.site.fronted.kill()
        self.site.fronted.start(wait=False)

    def stop(self):
        """As a restart does: SIGTERM, what is under way is finished, exit 0."""
        worker = self.site.mortal
        worker.process.terminate()
        if worker.process.wait(processes.PATIENCE) not in (0, -signal.SIGTERM, 1):
            raise AssertionError(f"a worker that was told to end said {worker.process.returncode}: {worker.said()}")
        worker.start(wait=False)

    def hangup(self):
        """Another worker takes its place."""
        self.site.steady.process.send_signal(signal.SIGHUP)

    def sniffers(self):
        """One of the processes that inspect files, or their parent."""
        parent, children = self.pick.choice(self.site.workers).children()
        victims = [*children, *([parent] if parent and self.pick.random() < 0.2 else [])]
        if victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pick.choice(victims), signal.SIGKILL)

    def clock(self):
        """Steps of up to hours, back as well as forth; less than what an unfinished upload lasts."""
        self.site.clock.step(self.pick.choice([0, self.pick.randrange(-5 * HOURS, 5 * HOURS)]))

    def fill(self):
        if not self.site.full():
            self.site.fill(self.pick.choice([0, 20000, 1 << 20]))
            self.full_until = time.monotonic() + self.pick.uniform(0.5, 3)

    def end(self):
        self.site.free()
        self.site.clock.step(0)
        self.site.revive()


class Housekeeping(threading.Thread):
    """gc, verify, ls and backups beside it all."""

    def __init__(self, site, pick, counts, over, failures):
        super().__init__(daemon=True)
        self.site, self.pick, self.counts, self.over, self.failures = site, pick, counts, over, failures
        self.copy = site.home / "backup"

    def run(self):
        jobs = [self.gc, self.ls, self.verify, self.backup]
        try:
            while not self.over.wait(self.pick.uniform(0, 2)) and not self.failures:
                job = self.pick.choice(jobs)
                job()
                self.counts[f"done: {job.__name__}"] += 1
        except Exception as problem:
            self.failures.append(problem)

    def said(self, done):
        """What a command complains of, but for a disk that is full or a catalog that is busy."""
        if self.site.full() or any(word in done.stderr for word in ("full", "space", "busy", "locked")):
            return []
        return (done.stdout + done.stderr).splitlines()

    def gc(self):
        done = self.site.steady.run("gc")
        assert done.returncode == 0 or not self.said(done), (done.stdout, done.stderr)

    def ls(self):
        done = self.site.steady.run("ls", "--json", "--limit", "5")
        assert done.returncode == 0 or not self.said(done), (done.stdout, done.stderr)

    def verify(self):
        """A killed worker may have left an orphan, until the next sweep; nothing else is ever wrong."""
        done = self.site.steady.run("verify")
        bad = [line for line in self.said(done) if line.split(" ")[0] in ("lost", "damaged", "corrupt", "unreadable")]
        assert done.returncode in (0, 1) and not bad, bad

    def backup(self):
        """What was copied in the middle of it all is whole by itself."""
        done = self.site.steady.run("backup", str(self.copy))
        assert done.returncode == 0 or not self.said(done), (done.stdout, done.stderr)
        if done.returncode == 0 and self.pick.random() < 0.3:
            other = self.restored()
            other.run("verify", check=0)
            shutil.rmtree(other.home)
            self.counts["restored"] += 1

    def restored(self):
        """Elsewhere, what the last backup gives back."""
        other = rig.Worker({"deny_types": "x/none"}, start=False)
        other.run("restore", str(self.copy), check=0)
        return other
