"""test_cuts.py: the power of a real block device is cut under load; see blockdev.py for how.

durability = full: nothing that was told before the cut is lost: no file, no offset, no deletion.
durability = normal: something may be; but no byte is ever answered that was not uploaded, and what is
uploaded afterwards is right.
"""
import contextlib
import os
import threading
import time

import pytest

import rig
import processes
from chance import SEED, chance
from check import Check
from uploaders import TUS, Told, Uploader, checkpoint, metadata, stuff

CUTS_OF_A_ROUND = 3
ROUNDS = -(-int(os.environ.get("CUTS", "3")) // CUTS_OF_A_ROUND)
CLIENTS = 6
KINDS = ["ext4", "xfs", "btrfs"]


@contextlib.contextmanager
def load(workers, told, seed):
    """Clients at work, at any of the workers. What comes to nothing since one is killed, comes to nothing."""
    over, failures = threading.Event(), []

    def asking(pick):
        def ask(*words):
            try:
                return pick.choice(workers).request(*words)
            except (OSError, AssertionError):
                return None
        return ask
    clients = [Uploader(asking(chance(seed, n)), told, f"{seed}.{n}", over, failures)
               for n in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield failures
    finally:
        over.set()
        for client in clients:
            client.join(60)
    assert not failures, (failures[0], workers[0].said())


def cut_under_load(device, workers, pick):
    """[(the cut, what was told before it)], and all that was told ever. Two workers share the data; now and
    then one of them dies before the power does."""
    told, cuts = Told(), []
    with load(workers, told, f"{SEED}.{pick.randrange(1 << 30)}") as failures:
        for n in range(CUTS_OF_A_ROUND):
            enough = len(told.kept) + 40
            processes.wait_until(lambda: failures or len(told.kept) >= enough, "some uploads")
            if pick.random() < 0.5:
                workers[1].kill()
                workers[1].start(wait=False)
            time.sleep(pick.uniform(0, 0.3))
            if n % 2:
                checkpoint(workers[0].data)
            before = told.copy()
            cuts.append((device.cut(), before))
    for worker in workers:
        worker.kill()
    return cuts, told


def look_at(device, worker, cut, before, told):
    device.power_up(cut)
    worker.start()
    check = Check(worker.request, before, told)
    check.once_more()
    return check


@pytest.mark.parametrize("durability", ["full", "normal"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_cuts_under_load(work_on, kind, durability, number):
    device, worker, other = work_on(kind, durability, workers=2)
    cuts, told = cut_under_load(device, [worker, other], chance())
    looked = lost = 0
    for cut, before in cuts:
        check = look_at(device, worker, cut, before, told)
        assert not check.lies, (len(check.lies), check.lies[:6])
        if durability == "full":
            assert not check.losses, (len(check.losses), check.losses[:6], worker.said())
            rig.settled(worker)
        looked, lost = looked + check.looked, lost + len(check.losses)
        worker.kill()
    print(f"{kind}, {durability}: {len(cuts)} cuts, {looked} files, offsets and deletions looked at, {lost} lost")
    assert looked > 40 * len(cuts)
    assert lost or durability == "full", "nothing was synced, and nothing was lost?"


@pytest.mark.parametrize("kind", KINDS)
def test_normal_never_lies(work_on, kind):
    """Catalog and names are on disk, bytes are not: the worst that `normal` can come to. What was
    whole before may be missing afterwards, but zeros are not what was uploaded."""
    device, worker = work_on(kind, "normal")
    told, pick = Told(), chance()
    client = Uploader(worker.request, told, f"{SEED}-{kind}", threading.Event(), [])
    client.sizes = [70000, 1 << 20]
    for _ in range(12):
        client.put()
        client.form()
    half_of_an_upload(client, f"half-{kind}-2000000.bin", pick.randrange(1000000, 1900000))
    checkpoint(worker.data)
    cut = device.cut()
    worker.kill()
    check = look_at(device, worker, cut, told.copy(), told)
    print(f"{kind}: {check.looked} looked at, {len(check.losses)} lost")
    assert not check.lies, (len(check.lies), check.lies)


def half_of_an_upload(client, name, at):
    content = stuff(name)
    made = client.ask("POST", "/upload", {**TUS, **metadata(name), "Upload-Length": str(len(content))}, b"")
    id = made["Location"].rsplit("/", 1)[1]
    client.waiting[id] = name
    client.piece(id, name, 0, content[:at])
