"""reloading.py: a door whose worker is told by SIGHUP, and clients that must not notice."""
import contextlib
import os
import pathlib
import signal
import threading

import harness
import processes
from exchange import text
from processes import WAYBILL, wait_until
from test_operations import logfmt
from wire import STDIN, begin, record

CONTENT = text(200_000, seed=5)


def messages(door, msg):
    """Such lines of the log, where a web server may have its own as well. The last may be being written."""
    whole = door.log.read_text().split("\n")[:-1]
    return [line for line in map(logfmt, (line for line in whole if line.startswith("time="))) if line["msg"] == msg]


def parent(door):
    """Whom SIGHUP is for. The worker before may end while it is looked at."""
    def found():
        with contextlib.suppress(OSError):
            return processes.parent_of(door.workers()[0])
    return wait_until(found, "a worker that lives")


def hang_up(door, outcome="reloaded", pid=None):
    """SIGHUP, and the line of the log that tells what came of it."""
    before = len(messages(door, outcome))
    os.kill(pid or parent(door), signal.SIGHUP)
    told = wait_until(lambda: messages(door, outcome)[before:], outcome)[0]
    if outcome == "reloaded":
        wait_until(lambda: told["before"] in [line["pid"] for line in messages(door, "retiring")], "the old one to hear of it")
    return told


def configure(door, **settings):
    """Lines to the end of the configuration."""
    with open(door.config, "a") as file:
        file.writelines(f"{key} = {value}\n" for key, value in settings.items())


def gone(pid):
    return not pathlib.Path(f"/proc/{pid}").exists()


@contextlib.contextmanager
def slow_upload(door, name="slow.bin"):
    """An upload that has begun; called, it goes on to its end and answers."""
    with door.connect() as sock:
        sock.sendall(begin() + door.params("PUT", f"/upload/{name}", {}, len(CONTENT)) + record(STDIN, CONTENT[:30_000]))
        wait_until(lambda: holds_upload(door, name), "the upload to begin")

        def finish():
            for at in range(30_000, len(CONTENT), 30_000):
                sock.sendall(record(STDIN, CONTENT[at:at + 30_000]))
            sock.sendall(record(STDIN))
            answer = door.answer(sock)
            assert answer.file["size"] == len(CONTENT)
            return answer
        yield finish


holding = {}


def holds_upload(door, name):
    """Reserved bytes tell: those of each upload under way, whichever worker has it."""
    now = door.get("/healthz").json["reserved_bytes"]
    if now % len(CONTENT) or now <= holding.get(door, 0):
        return False
    holding[door] = now
    return True


class Relocated(harness.FastCGIDoor):
    """Its data_dir stands in the file, its socket beside the data."""

    def __init__(self, data, program=WAYBILL):
        self.directory = data
        super().__init__({"data_dir": data}, command=["env", "-u", "WAYBILL_DATA_DIR", program, "serve"])
        self.data = data

    def answers(self):
        self.path = self.directory / "waybill.sock"
        return super().answers()


class Load:
    """Clients that upload, read and list without a pause, as long as the block lasts."""

    def __init__(self, door, clients=6):
        self.door, self.over, self.failures, self.done = door, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(clients)]

    def run(self, n):
        turn = 0
        try:
            while not self.over.is_set() and not self.failures:
                content = text(2000 + turn % 7 * 9000, seed=n * 7 + turn % 7)
                answer = self.door.post(content, f"/upload?name={n}.txt")
                assert answer.status == 201, answer
                answer = self.door.get(answer.file["url"].removeprefix(self.door.base))
                assert answer.status == 200 and answer.body == content, answer
                assert self.door.get("/files?limit=2").status == 200
                turn, self.done = turn + 1, self.done + 3
        except BaseException as problem:
            self.failures.append(problem)

    def __enter__(self):
        [thread.start() for thread in self.threads]
        return self

    def __exit__(self, *_):
        self.over.set()
        [thread.join() for thread in self.threads]
        assert not self.failures, (self.failures, self.door.said())
