"""nginx hands a body over as a file (REQUEST_BODY_FILE): linked in where it may be, refused where not."""
import base64
import hashlib
import os
import shutil
import subprocess
import tempfile

import pytest

from exchange import ELF, Upload, form, refused, text
from harness import FastCGIDoor
from processes import AS_ROOT


@pytest.fixture
def spool():
    path = tempfile.mkdtemp(prefix="wbt-spool-", dir="/tmp")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def worker(spool):
    door = FastCGIDoor({"body_file_dir": spool, "max_bytes": "8M"})
    yield door
    door.close()


def hand_over(worker, path, length, target="/upload/x.txt", method="PUT", headers=None, stdin=b""):
    """A request whose STDIN is empty, as nginx sends it with fastcgi_pass_request_body off."""
    from wire import begin
    return worker.send(begin() + worker.params(method, target, headers, length, REQUEST_BODY_FILE=path),
                       worker.stdin(stdin))


def spooled(spool, content, name="0000000001"):
    path = os.path.join(spool, name)
    with open(path, "wb") as out:
        out.write(content)
    os.chmod(path, 0o600)
    return path


def test_linked_in_not_copied(worker, spool):
    content = text(3_000_000, seed=3)
    path = spooled(spool, content)
    inode = os.stat(path).st_ino
    answer = hand_over(worker, path, len(content))
    assert answer.status == 201, answer
    file = answer.file
    assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert file["type"] == "text/plain"
    stored = os.stat(worker.data / "objects" / file["sha256"])
    assert stored.st_ino == inode and stored.st_mode & 0o777 == 0o640
    os.unlink(path)  # what nginx does once it has the answer
    assert worker.get(f"/files/{file['id']}/content").body == content


def test_what_is_there_already_needs_no_room(spool):
    """The server has written it to the same file system: to reserve as much again would count it twice."""
    door = FastCGIDoor({"body_file_dir": spool, "min_free_bytes": "1000T", "quota_bytes": "100000"})
    try:
        refused(door.put("poured.txt", text(1000)), 507, "insufficient_storage")
        content = text(60_000, seed=4)
        answer = hand_over(door, spooled(spool, content), len(content))
        assert answer.status == 201, answer
        assert door.get(f"/files/{answer.file['id']}/content").body == content
        claimed = {"Repr-Digest": "sha-256=:" + base64.b64encode(hashlib.sha256(content).digest()).decode() + ":"}
        refused(hand_over(door, spooled(spool, content, "2"), len(content), headers=claimed), 507, "insufficient_storage")
        refused(hand_over(door, spooled(spool, text(50_000), "3"), 50_000), 507, "quota_exceeded")  # bytes are bytes
    finally:
        door.close()


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_sizes(worker, spool, size):
    content = text(size, seed=size)
    answer = hand_over(worker, spooled(spool, content), size)
    assert answer.status == 201 and answer.file["sha256"] == hashlib.sha256(content).hexdigest()


def test_known_content_stays_where_it_is(worker, spool):
    content = text(5000, seed=5)
    first = hand_over(worker, spooled(spool, content, "1"), len(content)).file
    inode = os.stat(worker.data / "objects" / first["sha256"]).st_ino
    second = hand_over(worker, spooled(spool, content, "2"), len(content)).file
    assert second["sha256"] == first["sha256"] and second["id"] != first["id"]
    assert os.stat(worker.data / "objects" / first["sha256"]).st_ino == inode


def test_a_form_is_taken_apart_from_the_file(worker, spool):
    headers, body = form(Upload("file", "a.txt", text(100)), ("note", "hi"), Upload("file", "b.txt", text(200)))
    answer = hand_over(worker, spooled(spool, body), len(body), "/upload", "POST", headers)
    assert answer.status == 201, answer
    assert [(f["name"], f["size"], f["fields"]) for f in answer.json["files"]] == [
        ("a.txt", 100, {"note": "hi"}), ("b.txt", 200, {"note": "hi"})]


def test_digests_are_compared(worker, spool):
    content = text(5000, seed=8)
    good = "sha-256=:" + base64.b64encode(hashlib.sha256(content).digest()).decode() + ":"
    bad = "sha-256=:" + base64.b64encode(hashlib.sha256(b"").digest()).decode() + ":"
    assert hand_over(worker, spooled(spool, content), 5000, headers={"Repr-Digest": good}).status == 201
    before = worker.stored()
    refused(hand_over(worker, spooled(spool, content), 5000, headers={"Repr-Digest": bad}), 422, "digest_mismatch")
    assert worker.stored() == before


def test_programs_are_refused(worker, spool):
    before = worker.stored()
    path = spooled(spool, ELF + text(2_000_000))
    refused(hand_over(worker, path, os.stat(path).st_size), 415, "type_refused")
    assert worker.stored() == before


@pytest.mark.parametrize("off", [-1, 1])
def test_lengths_must_agree(worker, spool, off):
    before = worker.stored()
    refused(hand_over(worker, spooled(spool, text(5000)), 5000 + off), 400, "incomplete_body")
    assert worker.stored() == before


def test_limits_come_first(worker, spool):
    refused(hand_over(worker, spooled(spool, b"x"), 9 << 20), 413, "too_large")


def strange_paths(spool):
    outside = tempfile.NamedTemporaryFile(dir="/tmp", prefix="wbt-out-")
    outside.write(b"hello")
    outside.flush()
    real = spooled(spool, b"hello", "real")
    link, hard, folder = (os.path.join(spool, n) for n in ("link", "hard", "folder"))
    os.symlink(outside.name, link)
    os.link(real, hard)
    os.mkdir(folder)
    os.mkfifo(os.path.join(spool, "fifo"))
    os.symlink("/tmp", os.path.join(spool, "way"))
    return outside, [outside.name, "/etc/passwd", link, hard, real, folder, os.path.join(spool, "fifo"),
                     os.path.join(spool, "way", os.path.basename(outside.name)), spool + "/../" + outside.name[5:],
                     spool, spool + "x/y", "relative", os.path.join(spool, "missing")]


def test_what_is_not_ours_is_not_taken(worker, spool):
    outside, paths = strange_paths(spool)
    before = worker.stored()
    for path in paths:
        answer = hand_over(worker, path, 5)
        refused(answer, 403, "forbidden", "body_file_dir")
    with outside:
        assert worker.stored() == before


def test_another_users_file_is_not_taken(worker, spool):
    path = spooled(spool, b"hello")
    subprocess.run([*AS_ROOT, "chown", "65534:65534", path], check=True)
    refused(hand_over(worker, path, 5), 403, "forbidden")


def test_without_the_setting_the_parameter_means_nothing(fastcgi, spool):
    refused(hand_over(fastcgi, spooled(spool, b"hello"), 5), 400, "incomplete_body")
    answer = hand_over(fastcgi, spooled(spool, b"hello"), 5, stdin=b"HELLO")
    assert answer.status == 201 and answer.file["sha256"] == hashlib.sha256(b"HELLO").hexdigest()
