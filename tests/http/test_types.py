"""What is refused as a program by default, and what only looks like one."""
import random
import struct
import subprocess

import pytest

from exchange import ELF, refused

PE = (b"MZ" + bytes(58) + struct.pack("<I", 0x80) + bytes(64) + b"PE\0\0"
      + struct.pack("<HHIIIHHH", 0x8664, 1, 0, 0, 0, 240, 0x22, 0x20B) + bytes(300))
MACH_O = b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\x02\0\0\0" + bytes(100)


def guessed():
    """Noise that begins with a jump, so that libmagic guesses at a DOS program."""
    for seed in range(500):
        noise = b"\xe9" + random.Random(seed).randbytes(5000)
        verdict = subprocess.run(["file", "-b", "--mime-type", "-"], input=noise, capture_output=True, check=True)
        if verdict.stdout.strip() == b"application/x-dosexec":
            return noise
    raise AssertionError("libmagic has stopped guessing: is_guess() in keep/judge.c can go")


NOISE = guessed()


@pytest.mark.parametrize("content", [ELF + bytes(500), PE, MACH_O, b"MZ" + bytes(200)],
                         ids=["elf", "pe", "mach-o", "mz"])
def test_programs_are_refused(fastcgi, content):
    before = fastcgi.stored()
    answer = fastcgi.put("holiday.jpg", content)
    refused(answer, 415, "type_refused", "holiday.jpg")
    assert answer.json["file"] == "holiday.jpg" and answer.json["detected_type"] in answer.json["detail"]
    assert fastcgi.stored() == before


@pytest.mark.parametrize("content", [b"#!/bin/sh\necho hi\n", NOISE], ids=["script", "noise"])
def test_what_is_no_program_is_kept(fastcgi, content):
    assert fastcgi.put("x", content).status == 201


def test_a_guess_is_told_as_libmagic_told_it(fastcgi):
    assert fastcgi.put("x", NOISE).file["type"] == "application/x-dosexec"


@pytest.mark.parametrize("globs", ["application/x-dosexec", "application/*"])
def test_a_list_of_ones_own_is_taken_at_its_word(fresh, globs):
    door = fresh("fastcgi", deny_types=globs)
    refused(door.put("x", NOISE), 415, "type_refused", "application/x-dosexec")
