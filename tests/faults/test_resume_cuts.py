"""A 256 MiB upload whose connection is cut 200 times at random, and another whose worker is killed 30 times:
both end in the right SHA-256, and no offset that was told is ever taken back."""
import hashlib
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "http"))
from chance import chance  # noqa: E402
from resumable import Worker, some_bytes  # noqa: E402

WHOLE = 256 << 20
CUTS, KILLS = 200, 30


@pytest.fixture(scope="module")
def data():
    block = some_bytes(1 << 20)
    out = bytearray()
    for i in range(WHOLE >> 20):
        out += i.to_bytes(4, "big") + block[4:]
    out[:4] = b"text"
    return memoryview(bytes(out))


@pytest.fixture
def worker(tmp_path):
    one = Worker(tmp_path, max_bytes="1G", log="error")
    yield one
    one.stop()


def some_offset(worker, url, told):
    """What HEAD tells: never less than what was told before."""
    offset = worker.tus_offset(url)
    assert told <= offset <= WHOLE
    return offset


def check(worker, ident, data):
    record = worker.ask("GET", f"/files/{ident}").json
    assert record["size"] == WHOLE
    assert record["sha256"] == hashlib.sha256(data).hexdigest()
    objects = worker.data / "objects" / record["sha256"]
    with open(objects, "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == record["sha256"]
    assert worker.partial_size(ident) == -1


def send_some(worker, url, offset, data, pick, left):
    """A PATCH of all that is missing; about one part in `left` of it is sent."""
    going = worker.tus_patch_open(url, offset, WHOLE - offset)
    size = min(pick.randrange(1, 2 * (WHOLE - offset) // (left + 1) + 2), WHOLE - offset - 1)
    return going.send(data[offset : offset + size])


def test_200_cut_connections(worker, data):
    pick = chance()
    created = worker.tus_create(WHOLE)
    url, told = created["Location"], 0
    for cut in range(CUTS):
        going = send_some(worker, url, told, data, pick, CUTS - cut)
        # Some wait for what the cut does to the worker, some ask while it is still at it.
        going.drop()
        told = some_offset(worker, url, told)
    assert told > WHOLE // 2, "the cuts left nothing behind"
    answer = worker.tus_patch(url, told, data[told:])
    assert answer.status == 204 and answer.offset == WHOLE
    check(worker, created.id, data)


def test_30_kills(worker, data):
    pick = chance()
    created = worker.tus_create(WHOLE)
    url, told = created["Location"], 0
    for kill in range(KILLS):
        going = send_some(worker, url, told, data, pick, KILLS - kill)
        if kill % 3 == 0:  # an acknowledged piece first: that much must be there afterwards
            going.drop()
            told = some_offset(worker, url, told)
            going = send_some(worker, url, told, data, pick, KILLS - kill)
        worker.kill()
        going.drop()
        worker.start()
        told = some_offset(worker, url, told)
    answer = worker.tus_patch(url, told, data[told:])
    assert answer.status == 204 and answer.offset == WHOLE
    check(worker, created.id, data)
