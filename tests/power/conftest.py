"""conftest.py: a device, and a worker on it that ends with the test."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))
import rig  # noqa: E402


@pytest.fixture
def device(tmp_path):
    """device(kind): a disk to be cut off."""
    import blockdev
    made = []

    def make(kind):
        made.append(blockdev.Device(tmp_path, kind))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def work_on(device):
    """work_on(kind, durability): (the device, a worker serving from it, and perhaps another)."""
    made = []

    def make(kind, durability, workers=1):
        disk = device(kind)
        for _ in range(workers):
            made.append(rig.Worker({"durability": durability, "deny_types": "x/none"}, disk=disk.top))
        return disk, *made
    yield make
    for worker in made:
        worker.close()
