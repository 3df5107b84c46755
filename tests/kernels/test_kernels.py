"""test_kernels.py: power cuts of a machine that runs Debian 12's kernel, not ours.

The promise does not end with the kernel that the other tests happen to run on: what a sync brings to disk is
for each kernel and file system to say.
"""
import json
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "power"))
from blockdev import image  # noqa: E402
from chance import SEED, chance  # noqa: E402
from guest import Guest  # noqa: E402

CUTS = int(os.environ.get("CUTS", "2"))


def told_until_cut(guest, pick):
    """What clients were told, the last thing before the power went included."""
    notes, kept, enough = [], 0, pick.randrange(40, 90)
    try:
        for note in guest.lines():
            assert "do" in note, note
            notes.append(note)
            kept += note["do"] == "keep"
            if kept >= enough:
                break
    finally:
        rest = guest.cut()
    return notes + [note for note in rest if "do" in note]


def look(guest):
    try:
        return next(guest.lines())
    finally:
        guest.cut()


@pytest.mark.parametrize("durability", ["full", "normal"])
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_a_cut(tmp_path, kind, durability):
    pick, looked = chance(), 0
    disk, notes = image(tmp_path / "disk", 2 << 30, kind), []
    for cut in range(CUTS):
        common = {"DURABILITY": durability, "TOLD": tmp_path / "told", "SEED": f"{SEED}-{kind}-{cut}"}
        notes += told_until_cut(Guest(tmp_path, disk, kind, TASK="upload", **common), pick)
        (tmp_path / "told").write_text(json.dumps(notes))
        found = look(Guest(tmp_path, disk, kind, TASK="look", **common))
        assert "looked" in found, found
        assert not found["lies"], found
        if durability == "full":
            assert not found["losses"], found
        looked += found["looked"]
        notes = []  # what was lost once need not come back
    print(f"{kind}, {durability}: {CUTS} cuts, {looked} looked at")
