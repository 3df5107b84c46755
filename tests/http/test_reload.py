"""SIGHUP: another worker, with the settings as they are now, takes the door over; the one before
finishes what it has begun. Nobody outside notices."""
import contextlib
import os
import pathlib
import signal
import subprocess
import threading

import pytest

import harness
from harness import PATIENCE, STDIN, WAYBILL, begin, children, record, refused, text, wait_until, workers_of
from test_operations import logfmt

CONTENT = text(200_000, seed=5)


def messages(door, msg):
    """Such lines of the log, where a web server may have its own as well. The last may be being written."""
    whole = door.log.read_text().split("\n")[:-1]
    return [line for line in map(logfmt, (line for line in whole if line.startswith("time="))) if line["msg"] == msg]


def parent(door):
    """Whom SIGHUP is for."""
    return harness.parent_of(door.workers()[0])


def hang_up(door, outcome="reloaded", pid=None):
    """SIGHUP, and the line of the log that tells what came of it."""
    before = len(messages(door, outcome))
    os.kill(pid or parent(door), signal.SIGHUP)
    return wait_until(lambda: messages(door, outcome)[before:], outcome)[0]


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


# ---- a new worker, and the old one ------------------------------------------------------------------

def test_new_requests_go_to_the_new_worker(fresh):
    """At once, with the new settings, while an upload is still under way in the old one."""
    door = fresh("fastcgi", max_bytes="300000")
    [old] = door.workers()
    with slow_upload(door) as finish:
        assert door.put("large.bin", bytes(400_000)).status == 413
        configure(door, log="debug")
        door.config.write_text(door.config.read_text().replace("300000", "500000").replace("log = info\n", ""))
        told = hang_up(door)
        assert int(told["before"]) == old and int(told["pid"]) in door.workers()
        assert set(messages(door, "reloading")[0]["changed"].split(",")) == {"max_bytes", "log"}
        assert door.put("large.bin", bytes(400_000)).status == 201
        assert door.workers() == [old, int(told["pid"])]
        file = finish().file
    wait_until(lambda: door.workers() == [int(told["pid"])], "the old worker to end")
    assert door.get(f"/files/{file['id']}/content").body == CONTENT
    assert door.process.poll() is None


def test_several_generations(fresh):
    """Each finishes its own; SIGTERM waits for all of them, and takes no more requests."""
    door = fresh("fastcgi")
    with contextlib.ExitStack() as stack:
        finishes = []
        for n in range(3):
            finishes.append(stack.enter_context(slow_upload(door, f"{n}.bin")))
            hang_up(door)
        assert len(door.workers()) == 4
        finishes.pop(1)()
        wait_until(lambda: len(door.workers()) == 3, "the second one's end")
        door.process.send_signal(signal.SIGTERM)
        wait_until(lambda: len(door.workers()) == 2, "the end of the one without an upload")
        for finish in finishes:
            assert door.process.poll() is None
            finish()
    assert door.process.wait(PATIENCE) == 0, door.said()


def test_it_sweeps(fresh):
    door = fresh("fastcgi")
    orphan = door.data / "objects" / ("ab" * 32)
    wait_until(lambda: door.alive(), "the first sweep to be over")
    orphan.write_bytes(b"nobody's")
    os.utime(orphan, (1, 1))
    hang_up(door)
    wait_until(lambda: not orphan.exists(), "the sweep of the new worker")


def test_many_hangups_at_once(fresh):
    """Never more than one worker is being started."""
    door = fresh("fastcgi")
    for n in range(200):
        door.process.send_signal(signal.SIGHUP)
        assert n % 20 or door.alive()
    wait_until(lambda: len(door.workers()) == 1 and len(messages(door, "reloading")) == len(messages(door, "reloaded")),
               "calm")
    assert door.alive() and door.process.poll() is None


# ---- settings that are not taken ------------------------------------------------------------------------

def test_a_mistake_in_the_configuration(fresh):
    """It is told with file and line, nothing else happens; once mended it is taken."""
    door = fresh("fastcgi", max_bytes="300000")
    before, good = door.workers(), door.config.read_text()
    configure(door, max_byte="500000")
    told = hang_up(door, "not reloaded, the settings before stay in force")
    assert told["level"] == "error"
    assert told["reason"].startswith(f"{door.config}:{good.count(chr(10)) + 1}: max_byte: ") and "max_bytes?" in told["reason"]
    assert door.workers() == before and door.process.poll() is None
    refused(door.put("large.bin", bytes(400_000)), 413, "too_large")
    door.config.write_text(good.replace("300000", "500000"))
    hang_up(door)
    assert door.put("large.bin", bytes(400_000)).status == 201


def test_the_data_dir_stays(tmp_path):
    """It is said, and what else has changed is taken."""
    first, second = tmp_path / "first", tmp_path / "second"
    command = ["env", "-u", "WAYBILL_DATA_DIR", WAYBILL, "serve"]
    door = Relocated(first, command)
    try:
        door.config.write_text(door.config.read_text().replace(str(first), str(second)))
        configure(door, max_bytes="1000")
        hang_up(door)
        [told] = messages(door, "this takes effect with a restart only")
        assert told["keys"] == "data_dir" and told["level"] == "warn"
        assert messages(door, "reloading")[0]["changed"] == "max_bytes"
        assert messages(door, "serving")[-1]["data_dir"] == str(first)
        refused(door.put("a", bytes(1001)), 413, "too_large")
        assert door.put("b", b"b").status == 201 and not second.exists()
    finally:
        door.close()


class Relocated(harness.FastCGIDoor):
    """Its data_dir stands in the file, its socket beside the data."""

    def __init__(self, data, command):
        self.directory = data
        super().__init__({"data_dir": data}, command=command)
        self.path = data / "waybill.sock"

    def answers(self):
        self.path = self.directory / "waybill.sock"
        return super().answers()


def test_a_worker_that_cannot_start(fresh):
    """The one before goes on, and the log says why."""
    door = fresh("fastcgi")
    before = door.workers()
    (door.data / "objects").chmod(0o757)
    hang_up(door, "the new worker cannot serve, the one before goes on")
    assert "chmod o-w" in door.said()
    assert door.workers() == before and door.put("a", b"a").status == 201
    (door.data / "objects").chmod(0o750)
    hang_up(door)
    assert door.put("b", b"b").status == 201 and door.workers() != before


# ---- under load ---------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("server", ["fastcgi", "lighttpd", "nginx-keepalive"])
def test_ten_reloads_under_load(server):
    door = harness.FastCGIDoor() if server == "fastcgi" else harness.ServerDoor(server)
    try:
        pid = parent(door)
        with Load(door) as load:
            for _ in range(10):
                hang_up(door, pid=pid)
                served = load.done
                wait_until(lambda: load.done > served + 30 or load.failures, "more requests")
        assert parent(door) == pid
        assert len({line["pid"] for line in messages(door, "reloaded")}) == 10
    finally:
        door.close()


def test_a_connection_that_is_kept(fresh):
    """The server in front may have sent a request over it: that is answered, and closes it."""
    door = fresh("fastcgi", threads="4")
    [old] = door.workers()
    with door.connect() as busy, door.connect() as idle:
        for sock in (busy, idle):
            sock.sendall(begin(keep=True) + door.params("GET", "/upload") + record(STDIN))
            assert door.answer(sock).status == 200
        hang_up(door)
        busy.sendall(begin(keep=True) + door.params("PUT", "/upload/kept", {}, 5) + record(STDIN, b"hello") + record(STDIN))
        assert door.answer(busy).status == 201
        assert busy.recv(1) == b""
        assert door.workers()[0] == old
        idle.close()
        wait_until(lambda: old not in door.workers(), "the old worker to end")


# ---- when processes die ---------------------------------------------------------------------------------

def test_a_worker_that_is_killed_is_replaced(fresh):
    """Behind the same socket: requests wait. An older one's upload is not touched by it."""
    door = fresh("fastcgi")
    with slow_upload(door) as finish:
        hang_up(door)
        [old, dead] = door.workers()
        harness.kill_dead(dead)
        assert door.put("a", b"a").status == 201
        assert door.workers()[0] == old and dead not in door.workers()
        finish()
    assert [line["exit"] for line in messages(door, "the worker has ended, another follows")] == ["137"]
    door.process.terminate()
    assert door.process.wait(PATIENCE) == 0


def test_the_parent_is_killed(fresh):
    """Its workers finish what is under way, and end."""
    door = fresh("fastcgi")
    with slow_upload(door) as finish:
        hang_up(door)
        both = door.workers()
        assert len(both) == 2
        door.process.kill()
        door.process.wait()
        wait_until(lambda: gone(both[1]), "the one without an upload to end")
        finish()
    wait_until(lambda: gone(both[0]), "the other to end")


def test_no_worker_can_take_its_place(fresh):
    """Then waybill ends as that one did: whoever supervises it may know better."""
    door = fresh("fastcgi")
    told = hang_up(door)
    (door.data / "objects").chmod(0o757)
    harness.kill_dead(int(told["pid"]))
    assert door.process.wait(PATIENCE) == 1
    assert "chmod o-w" in door.said()


# ---- what the parent is, and where there is none ---------------------------------------------------------

def test_the_parent_holds_nothing(fresh):
    """Of the store, or of those who ask: only the door."""
    door = fresh("fastcgi")
    hang_up(door)
    with slow_upload(door) as finish:
        held = [os.readlink(fd) for fd in pathlib.Path(f"/proc/{door.process.pid}/fd").iterdir()]
        finish()
    assert not [name for name in held if str(door.data) in name], held
    assert len([name for name in held if name.startswith("socket:")]) == 1, held
    assert len(os.listdir(f"/proc/{door.process.pid}/task")) == 1
    assert "NoNewPrivs:\t1" in pathlib.Path(f"/proc/{door.process.pid}/status").read_text()


def test_plain_cgi_has_no_parent(fresh):
    door = fresh("cgi")
    env = {**door.environment(), **harness.variables("PUT", "/upload/a", {}, 5)}
    child = subprocess.Popen([WAYBILL], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        wait_until(lambda: children(child.pid), "its sniffers")
        assert workers_of(child.pid) == []
    finally:
        output, _ = child.communicate(b"hello", timeout=PATIENCE)
    assert b"Status: 201" in output


@pytest.mark.parametrize("why, status", [("max_bytes = many\n", 2), ("", 1)], ids=["configuration", "data_dir"])
def test_it_ends_at_once_where_it_cannot_start(tmp_path, why, status):
    (tmp_path / "file").touch()
    config = tmp_path / "waybill.conf"
    config.write_text(f"data_dir = {tmp_path}/file\n{why}")
    done = subprocess.run([WAYBILL, "serve", "-c", config, "-l", f"unix:{tmp_path}/s"], capture_output=True, text=True,
                          timeout=PATIENCE, env={"PATH": os.environ["PATH"]})
    assert done.returncode == status and done.stderr.startswith("waybill: "), done
    assert not (tmp_path / "s").exists()


def test_behind_lighttpd(fresh):
    """Which started it and counts it by its process: that stays the same, and SIGTERM to it drains all."""
    door = fresh("lighttpd")
    pid = parent(door)
    hang_up(door, pid=pid)
    assert parent(door) == pid and door.put("a", b"a").status == 201
    door.process.terminate()
    wait_until(lambda: gone(pid), "the parent to end with lighttpd")
    assert door.workers() == []
