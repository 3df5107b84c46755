"""Many at once: 500 clients, 200 that trickle. Others are served meanwhile, in bounded memory.

"Meanwhile" is judged by what still hangs when the answer is there, not by a clock; what the clock said
is printed."""
import contextlib
import pathlib
import re
import select
import time

import pytest

import exchange
import harness
from exchange import refused, text
from processes import wait_until
from wire import STDIN, begin, record

CROWD, TRICKLERS = 500, 200
LENGTH = 100000
THREAD_BUDGET = 128 << 10  # bytes of memory that a stalled upload may cost


def metric(door, name):
    found = re.search(rf"^waybill_{name} (\d+)$", door.get("/metrics").text, re.M)
    return int(found[1])


def memory(pid):
    """Proportional set size in bytes: what this process really takes, shared pages by their share."""
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)[1]) << 10


class Behind:
    """How a door takes a body in pieces: FastCGI records, or plain bytes."""

    def __init__(self, door):
        self.door, self.raw = door, isinstance(door, harness.ServerDoor)
        [self.pid] = door.workers()

    def open(self, stack, name, length):
        sock = stack.enter_context(self.door.connect())
        path = f"/upload/{name}"
        sock.sendall(self.door.head("PUT", path, {}, length) if self.raw
                     else begin() + self.door.params("PUT", path, None, length))
        return sock

    def send(self, sock, body, last=False):
        if not self.raw:
            pieces = [record(STDIN, body[at:at + 32768]) for at in range(0, len(body), 32768)]
            body = b"".join(pieces) + (record(STDIN) if last else b"")
        sock.sendall(body)

    def answer(self, sock):
        return exchange.read_http(sock, "PUT") if self.raw else self.door.answer(sock)


@pytest.fixture(params=["fastcgi", "lighttpd"])
def behind(request):
    door = harness.DOORS[request.param](config={"threads": "256", "durability": "normal"})
    yield Behind(door)
    door.close()


def test_200_tricklers(behind):
    door = behind.door
    kept = door.put("kept.txt", text(5000)).file
    idle = memory(behind.pid)
    with contextlib.ExitStack() as stack:
        slow = [behind.open(stack, f"slow{i}", LENGTH) for i in range(TRICKLERS)]
        for piece in (b"a" * 9000, b"b", b"c"):
            for sock in slow:
                behind.send(sock, piece)
        wait_until(lambda: metric(door, "bodies_in_flight") == TRICKLERS, "all tricklers to be inside")
        wait_until(lambda: door.get("/healthz").json["reserved_bytes"] == TRICKLERS * LENGTH, "all to have reserved, which comes after being inside")
        times = []
        for n in range(10):
            for sock in slow[n::10]:
                behind.send(sock, b"d")
            began = time.monotonic()
            new = door.put("quick.txt", text(5000, n)).file
            times.append(time.monotonic() - began)
            assert door.get(f"/files/{kept['id']}/content").body == text(5000)
            assert door.get(f"/files/{new['id']}").status == 200 and door.get("/files").status == 200
            times.append(time.monotonic() - began)
        assert metric(door, "bodies_in_flight") == TRICKLERS, "all of them hang still"
        assert not select.select(slow, [], [], 0)[0], "none of them was answered"
        each = (memory(behind.pid) - idle) / TRICKLERS
        print(f"\n{type(door).__name__}: beside {TRICKLERS} tricklers the slowest of 10 uploads took "
              f"{max(times[::2]) * 1e3:.0f} ms, with three reads {max(times[1::2]) * 1e3:.0f} ms; "
              f"worker {idle >> 10} KiB idle, {each / 1024:.1f} KiB more each")
        assert each < THREAD_BUDGET
        for sock in slow[:20]:  # and some of them come to their end after all
            behind.send(sock, b"e" * (LENGTH - 9003), last=True)
        for sock in slow[:20]:
            assert behind.answer(sock).file["size"] == LENGTH
    wait_until(lambda: metric(door, "bodies_in_flight") == 0, "the others to be noticed gone")
    wait_until(lambda: door.get("/healthz").json["reserved_bytes"] == 0, "their reservations")
    assert door.get("/files").json["total"] == 1 + 10 + 20


def test_500_clients(behind):
    """All come before any has sent its body. Whoever is not taken is told when to come back, and then is."""
    door, answers, again = behind.door, [], []
    idle = memory(behind.pid)
    with contextlib.ExitStack() as stack:
        crowd = [behind.open(stack, f"{i}", 3000) for i in range(CROWD)]
        most = memory(behind.pid)
        for i, sock in enumerate(crowd):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused already
                behind.send(sock, text(3000, i), last=True)
        for i, sock in enumerate(crowd):
            answers.append(behind.answer(sock))
            most = max(most, memory(behind.pid)) if i % 50 == 0 else most
    for i, answer in enumerate(answers):
        if answer.status != 201:
            refused(answer, 503, "busy")
            assert int(answer["Retry-After"]) > 0
            again.append(i)
    print(f"\n{type(door).__name__}: of {CROWD} at once {CROWD - len(again)} were taken, {len(again)} sent away; "
          f"worker {idle >> 10} KiB idle, {most >> 10} KiB at most")
    assert CROWD - len(again) >= 224
    for i in again:
        answers[i] = door.put(f"{i}", text(3000, i))
    ids = {answer.file["id"] for answer in answers}
    assert len(ids) == CROWD and door.get("/files").json["total"] == CROWD
    for i in range(0, CROWD, 29):
        assert door.get(f"/files/{answers[i].file['id']}/content").body == text(3000, i)
    assert most - idle < 256 * THREAD_BUDGET
    assert door.get("/healthz").json["reserved_bytes"] == 0


def test_500_readers(behind):
    """Listings and downloads at once: all are served."""
    door = behind.door
    file = door.put("a.txt", text(100000)).file
    paths = ["/files", f"/files/{file['id']}", f"/files/{file['id']}/content", "/upload", "/healthz"]
    with contextlib.ExitStack() as stack:
        crowd = []
        for i in range(CROWD):
            sock = stack.enter_context(door.connect())
            path = paths[i % len(paths)]
            sock.sendall(door.head("GET", path) if behind.raw else begin() + door.params("GET", path) + record(STDIN))
            crowd.append(sock)
        for i, sock in enumerate(crowd):
            answer = exchange.read_http(sock) if behind.raw else door.answer(sock)
            assert answer.status == 200, answer
            assert i % len(paths) != 2 or answer.body == text(100000)
