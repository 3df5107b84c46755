"""Nobody holds a thread for long: stalled bodies, readers that do not read, too many at once.

The minimum rate (min_rate) counts after a free minute; tests/accept_test.c proves its arithmetic, and
no test here waits for that minute."""
import contextlib

import pytest

import exchange
from exchange import refused, text
from processes import wait_until
from wire import STDIN, begin, record


def metric(door, name):
    line = next(l for l in door.get("/metrics").text.split("\n") if l.startswith(f"waybill_{name} "))
    return int(line.split()[1])


def until(door, name, count):
    wait_until(lambda: metric(door, name) == count, f"{name} to be {count}")


def begun(door, stack, method, path, length=None, sent=b""):
    sock = stack.enter_context(door.connect())
    sock.sendall(begin() + door.params(method, path, None, length))
    sock.sendall(record(STDIN, sent) if sent else b"" if length is not None else record(STDIN))
    return sock


def test_slow_readers_are_given_up(fresh):
    """They take nobody's thread for longer than body_timeout, and are no failure of the server."""
    door = fresh("fastcgi", body_timeout="1s", threads="16")
    large = door.put("large", text(1000) * 8000).file
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            begun(door, stack, "GET", f"/files/{large['id']}/content")
        until(door, "downloads_in_flight", 3)
        assert door.put("meanwhile", b"x").status == 201
        until(door, "downloads_in_flight", 0)
    assert metric(door, "aborted_total") == 3
    log = door.log.read_text()
    assert log.count("fault=aborted") == 3 and "level=error" not in log
    assert door.get(f"/files/{large['id']}/content").body == text(1000) * 8000


def test_too_many_readers_are_told_to_come_back(fresh):
    """Downloads take neither all threads nor the places of uploads and of what is quick."""
    door = fresh("fastcgi", threads="16")
    large = door.put("large", text(1000) * 2000).file
    content = f"/files/{large['id']}/content"
    with contextlib.ExitStack() as stack:
        for _ in range(14):
            begun(door, stack, "GET", content)
        until(door, "downloads_in_flight", 14)
        answer = door.get(content)
        refused(answer, 503, "busy")
        assert int(answer["Retry-After"]) > 0
        assert door.request("HEAD", content).status == 200 and door.get("/files").json["total"] == 1
        small = door.put("small", b"small").file  # one place is left to bodies
        assert door.get(f"/files/{small['id']}/content").body == b"small"
    until(door, "downloads_in_flight", 0)
    assert door.get(content).status == 200


def test_too_many_bodies_are_told_to_come_back(fresh):
    door = fresh("fastcgi", threads="16")
    file = door.put("kept", b"kept").file
    with contextlib.ExitStack() as stack:
        for _ in range(14):
            begun(door, stack, "PUT", "/upload/slow", 1000, b"x")
        until(door, "bodies_in_flight", 14)
        for answer in (door.put("a", b"x"), door.send_form(exchange.Upload("f", "a", b"x")),
                       door.request("POST", "/upload", {"Tus-Resumable": "1.0.0", "Upload-Length": "1",
                                                           "Content-Type": "application/offset+octet-stream"}, b"x")):
            refused(answer, 503, "busy")
            assert int(answer["Retry-After"]) > 0
        assert door.get(f"/files/{file['id']}/content").body == b"kept" and door.get("/upload").status == 200
        refused(door.request("PUT", "/upload/a", {"Content-Length": str(2 << 30)}, b""), 413, "too_large")
    until(door, "bodies_in_flight", 0)
    assert door.put("a", b"x").status == 201


def test_stalled_bodies_are_given_up(fresh):
    door = fresh("fastcgi", body_timeout="1s", threads="16")
    with contextlib.ExitStack() as stack:
        held = [begun(door, stack, "PUT", "/upload/slow", 1000, b"x") for _ in range(14)]
        until(door, "bodies_in_flight", 14)
        answer = door.put("waits", b"x")  # for one of the few benches, or is sent away: never hangs
        assert answer.status in (201, 503)
        for sock in held:
            refused(door.answer(sock), 408, "body_timeout")
        until(door, "bodies_in_flight", 0)
    assert door.get("/healthz").json["reserved_bytes"] == 0
    assert door.put("a", b"x").status == 201


@pytest.fixture
def filled(fresh):
    """fill(door): records whose listing has more than any socket takes, and a file of 4 MB."""
    def fill(**config):
        door = fresh("fastcgi", **config)
        for batch in range(14):
            parts = [exchange.Upload(f"f{n}", f"{'long' * 50}-{batch}-{n}.txt", b"%d-%d" % (batch, n)) for n in range(60)]
            assert door.send_form(("note", "n" * 200), *parts).status == 201
        return door, door.put("large", text(1000) * 4000).file
    return fill


RANGES = {"Range": "bytes=0-1999999,2100000-3900000"}


@pytest.mark.parametrize("sendfile", ["none", "x-sendfile", "x-accel-redirect"])
@pytest.mark.parametrize("what", ["listing", "page", "ranges"])
def test_long_answers_that_nobody_reads_leave_room(filled, what, sendfile):
    """More of them than threads: the last are told to come back, and what is quick is served meanwhile."""
    door, large = filled(threads="8", sendfile=sendfile)
    path, headers = {"listing": ("/files?limit=1000", {}), "page": ("/files?limit=1000", {"Accept": "text/html"}),
                     "ranges": (f"/files/{large['id']}/content", RANGES)}[what]
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            sock = stack.enter_context(door.connect())
            sock.sendall(begin() + door.params("GET", path, headers) + record(STDIN))
        until(door, "downloads_in_flight", 6)
        assert door.get("/healthz").status == 200 and door.put("small", b"small").status == 201
        answer = door.request("GET", path, {**headers, "Accept": "application/json" if what != "page" else "text/html"})
        assert answer.status == 503 and int(answer["Retry-After"]) > 0, answer
        for name in ("ETag", "Link", "Content-Disposition", "Content-Range", "Repr-Digest", "Last-Modified", "Accept-Ranges"):
            assert answer[name] is None, answer
        assert answer["Cache-Control"] == "no-store"
        assert door.request("HEAD", path, headers).status in (200, 206) and door.get("/files?limit=1").status == 200
    until(door, "downloads_in_flight", 0)
    assert door.request("GET", path, headers).status in (200, 206)


def test_with_few_threads_one_is_left(filled):
    door, large = filled(threads="2")
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            begun(door, stack, "GET", f"/files/{large['id']}/content")
        until(door, "downloads_in_flight", 1)
        assert door.get("/healthz").status == 200


def test_an_upload_is_never_refused_for_its_receipt(fresh):
    """It holds its place until the answer is out, however long that is."""
    door = fresh("fastcgi", threads="2", max_files="100")
    parts = [exchange.Upload(f"f{n}", f"{'long' * 50}-{n}.txt", b"x") for n in range(100)]
    answer = door.send_form(("note", "n" * 200), *parts)
    assert answer.status == 201 and len(answer.body) > 70000 and len(answer.json["files"]) == 100


def test_connections_that_say_nothing_hold_nobody(fresh):
    """More of them than threads; each is let go after body_timeout."""
    door = fresh("fastcgi", body_timeout="1s", threads="2")
    with contextlib.ExitStack() as stack:
        for i in range(3):
            sock = stack.enter_context(door.connect())
            sock.sendall(begin()[:i % 9])
        assert door.get("/healthz").status == 200
