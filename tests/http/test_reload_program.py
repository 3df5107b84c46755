"""SIGHUP after the program was replaced: the new one takes over, if it is any good."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from processes import PATIENCE, WAYBILL, wait_until
from reloading import Load, Relocated, configure, hang_up, messages, slow_upload


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
