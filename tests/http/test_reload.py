"""SIGHUP: another worker, with the settings as they are now, takes the door over; the one before
finishes what it has begun. Nobody outside notices."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import threading

import pytest

import harness
from harness import END, PATIENCE, STDIN, STDOUT, VALUES, WAYBILL, begin, children, record, refused, text, wait_until, workers_of
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
    door = Relocated(first)
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

    def __init__(self, data, program=WAYBILL):
        self.directory = data
        super().__init__({"data_dir": data}, command=["env", "-u", "WAYBILL_DATA_DIR", program, "serve"])
        self.data = data

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


# ---- a new program ------------------------------------------------------------------------------------

@pytest.fixture
def installed(tmp_path):
    """A worker of a program of its own."""
    program = tmp_path / "bin" / "waybill"
    program.parent.mkdir()
    shutil.copy(WAYBILL, program)
    door = Relocated(tmp_path / "data dir", program)
    yield door, program
    door.close()


def install(program, content):
    """As a package does: another file in its place, at once."""
    fresh = program.with_name("waybill.new")
    fresh.write_bytes(content)
    fresh.chmod(0o755)
    fresh.rename(program)


def runs(pid):
    return os.readlink(f"/proc/{pid}/exe")


def test_a_new_program(installed):
    """It takes the parent's place: the same process, which knows the workers of the one before."""
    door, program = installed
    pid, [old] = door.process.pid, door.workers()
    with slow_upload(door) as finish:
        door.config.write_text(door.config.read_text().replace(str(door.data), str(program.parent)))
        configure(door, max_bytes="250000")
        install(program, pathlib.Path(WAYBILL).read_bytes())
        assert runs(pid) == f"{program} (deleted)"
        told = hang_up(door)
        assert runs(pid) == runs(told["pid"]) == str(program) and runs(old) == f"{program} (deleted)"
        assert door.workers() == [old, int(told["pid"])]
        assert door.put("large.bin", bytes(300_000)).status == 413
        assert messages(door, "this takes effect with a restart only")[0]["keys"] == "data_dir"
        assert door.put("a", b"a").status == 201
        door.process.send_signal(signal.SIGTERM)
        wait_until(lambda: door.workers() == [old], "the end of the one without an upload")
        finish()
    assert door.process.wait(PATIENCE) == 0, door.said()


def test_a_new_program_again_and_again_under_load(installed):
    door, program = installed
    pid = door.process.pid
    with Load(door) as load:
        for _ in range(5):
            install(program, pathlib.Path(WAYBILL).read_bytes())
            hang_up(door)
            assert runs(pid) == str(program)
            served = load.done
            wait_until(lambda: load.done > served + 30 or load.failures, "more requests")
    assert len(messages(door, "reloaded")) == 5 and door.process.poll() is None


@pytest.mark.parametrize("content", [b"#!/bin/false\n", b"#!/bin/sh\nkill -9 $$\n", b"\x7fELF and nothing more", b""],
                         ids=["fails", "dies", "cannot be run", "empty"])
def test_a_new_program_that_is_no_good(installed, content):
    """Is told, and not taken; settings are."""
    door, program = installed
    configure(door, max_bytes="250000")
    install(program, content)
    hang_up(door)
    [told] = messages(door, "the new program is not taken")
    assert told["level"] == "error" and runs(door.process.pid) == f"{program} (deleted)"
    assert door.put("large.bin", bytes(300_000)).status == 413 and door.put("a", b"a").status == 201


def test_a_new_program_that_does_not_take_the_configuration(installed):
    door, program = installed
    before = door.workers()
    configure(door, max_byte="250000")
    install(program, pathlib.Path(WAYBILL).read_bytes())
    hang_up(door, "not reloaded, the settings before stay in force")
    assert len(messages(door, "the new program is not taken")) == 1
    assert door.workers() == before and door.put("a", b"a").status == 201


def test_who_dies_during_a_handover_is_noticed(installed):
    """Its signal comes while nobody is there to take it."""
    door, program = installed
    [old] = door.workers()
    install(program, f'#!/bin/sh\n[ "$1" = config ] && kill -9 {old}\nexec {WAYBILL} "$@"\n'.encode())
    told = hang_up(door, "the worker has ended, another follows")
    wait_until(lambda: len(messages(door, "serving")) == 2, "the one that follows")
    assert told["pid"] == str(old) and door.workers() == [int(messages(door, "serving")[-1]["pid"])]
    assert door.put("a", b"a").status == 201


def test_the_environment_hands_nothing_over_to_another(tmp_path):
    """A variable that was meant for another process, or makes no sense, is no estate."""
    for given in ("1 0 0 0 /tmp", "", "x", "-1 -1 -1 99999999999999 /"):
        done = subprocess.run([WAYBILL, "serve", "-c", "/nowhere/waybill.conf"], capture_output=True, text=True,
                              env={"PATH": os.environ["PATH"], "WAYBILL_HANDOVER": given}, timeout=PATIENCE)
        assert done.returncode == 2 and "/nowhere/waybill.conf" in done.stderr, done


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


@pytest.mark.parametrize("server, behind", [("harness", []), ("nginx/1.22.1", [VALUES])])
def test_a_connection_that_is_kept(fresh, server, behind):
    """The server in front may have sent a request over it: that is answered, and closes it. nginx would
    send the next one meanwhile, but for bytes behind the answer's end."""
    door = fresh("fastcgi", threads="4")
    [old] = door.workers()
    with door.connect() as busy, door.connect() as idle:
        for sock in (busy, idle):
            sock.sendall(begin(keep=True) + door.params("GET", "/upload") + record(STDIN))
            assert door.answer(sock).status == 200
        hang_up(door)
        busy.sendall(begin(keep=True) + door.params("PUT", "/upload/kept", {}, 5, SERVER_SOFTWARE=server)
                     + record(STDIN, b"hello") + record(STDIN))
        stream, kinds = busy.makefile("rb"), []
        while one := harness.read_record(stream):
            kinds.append(one[0])
        assert kinds == [STDOUT] * (len(kinds) - 1 - len(behind)) + [END] + behind
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
