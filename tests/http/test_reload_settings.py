"""SIGHUP: another worker, with the settings as they are now, takes the door over; the one before
finishes what it has begun. Nobody outside notices."""
import contextlib
import os
import signal

from exchange import refused
from processes import PATIENCE, wait_until
from reloading import CONTENT, Relocated, configure, hang_up, messages, slow_upload


# ---- a new worker, and the old one ----------------------------------------------------------------

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


# ---- settings that are not taken ------------------------------------------------------------------

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
