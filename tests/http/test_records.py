"""What a FastCGI connection may carry besides a request: management records, second requests, other
roles, parameters without end; and who may connect at all. None of it ends the worker."""
import contextlib
import hashlib
import socket
import struct

import pytest

import harness
import processes
import wire
from chance import chance
from exchange import parse_cgi, text
from processes import PATIENCE, wait_until
from wire import BEGIN, END, GET_VALUES, PARAMS, STDIN, STDOUT, UNKNOWN_TYPE, VALUES, begin, name_values, read_record, record

KNOWN = ["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"]
CONTENT = text(200000, seed=9)


@pytest.fixture(autouse=True)
def unharmed(fastcgi):
    before = fastcgi.workers()
    yield
    assert fastcgi.alive() and fastcgi.workers() == before, fastcgi.said()


def ask_values(*names, padding=0):
    return record(GET_VALUES, name_values(dict.fromkeys(names, "")), padding, request=0)


def values(content):
    found, at = {}, 0
    while at < len(content):
        name, value = content[at], content[at + 1]
        found[content[at + 2:at + 2 + name].decode()] = content[at + 2 + name:at + 2 + name + value].decode()
        at += 2 + name + value
    return found


def records(sock):
    """Every record until the answer's end, or the connection's."""
    stream, out = sock.makefile("rb"), []
    while (one := read_record(stream)):
        out.append(one)
        if one[0] == END and one[1] == 1:
            break
    return out


def exchange(door, *pieces):
    with door.connect() as sock:
        for piece in pieces:
            sock.sendall(piece)
        return records(sock)


def answer_of(found):
    return parse_cgi(b"".join(content for kind, _, content in found if kind == STDOUT))


@pytest.mark.parametrize("names", [KNOWN, KNOWN * 2, [], ["X"], [f"FCGI_MAX_CONNS{n}" for n in range(3000)] + KNOWN, ["x" * 60000]])
def test_values_are_asked_for(fastcgi, names):
    """libfcgi answered five names into 64 bytes of its stack."""
    with fastcgi.connect() as sock:
        for _ in range(3):
            sock.sendall(record(GET_VALUES, b"".join(name_values({n: ""}) for n in names), 3, request=0))
            kind, request, content = read_record(sock.makefile("rb", buffering=0))
            assert (kind, request) == (VALUES, 0)
            assert values(content) == {"FCGI_MAX_CONNS": "256", "FCGI_MAX_REQS": "256", "FCGI_MPXS_CONNS": "0"} or not set(KNOWN) & set(names)
        sock.sendall(begin() + fastcgi.params("GET", "/upload") + record(STDIN))
        assert fastcgi.answer(sock).status == 200


@pytest.mark.parametrize("turn", range(4))
def test_management_anywhere_in_a_request(fastcgi, turn):
    """Between any two records of an upload, in any cut; the upload is whole, each question is answered."""
    pick = chance()
    params = name_values(wire.variables("PUT", "/upload/a.txt", {}, len(CONTENT)))
    request = [begin()] + [record(PARAMS, params[at:at + 90], 1) for at in range(0, len(params), 90)] + [record(PARAMS)]
    request += [record(STDIN, CONTENT[at:at + 9000], 5) for at in range(0, len(CONTENT), 9000)]
    asked, pieces = [], []
    for one in request + [record(STDIN)]:
        kind = pick.choice([None, GET_VALUES, 42, 255])
        if kind:
            asked.append(kind)
            pieces.append(ask_values(*KNOWN * 2) if kind == GET_VALUES else record(kind, b"?" * 90, 7, request=0))
        pieces.append(one)
    whole, cut = b"".join(pieces), []
    while whole:
        cut.append(whole[:(step := pick.choice([1, 7, 100, 8192, 50000]))])
        whole = whole[step:]
    found = exchange(fastcgi, *cut)
    assert answer_of(found).file["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    told = [GET_VALUES if kind == VALUES else content[0] for kind, _, content in found if kind in (VALUES, UNKNOWN_TYPE)]
    assert told == asked


def test_a_flood_of_questions_ends_the_connection(fastcgi):
    with fastcgi.connect() as sock:
        for _ in range(1000):
            sock.sendall(ask_values(*KNOWN))
        answers = records(sock)
    assert len(answers) == 256 and {kind for kind, _, _ in answers} == {VALUES}


def test_questions_whose_answers_nobody_reads(fresh):
    """The connection is given up after body_timeout, or sooner; its thread is free again."""
    door = fresh("fastcgi", threads="2", body_timeout="1s")
    with door.connect() as sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(ask_values(*KNOWN) * 3000)
    assert door.alive()


def test_a_second_request_is_turned_away(fastcgi):
    """FCGI_CANT_MPX_CONN; the first is not disturbed."""
    head = begin() + fastcgi.params("PUT", "/upload/a", length=6)
    other = record(BEGIN, struct.pack(">HB5x", 1, 1), request=2) + record(PARAMS, name_values({"A": "B"}), request=2)
    found = exchange(fastcgi, head, record(STDIN, b"one"), other, record(STDIN, b"xxx", request=2), record(STDIN, b"two"),
                     record(STDIN, request=2), record(STDIN))
    assert found[0] == (END, 2, bytes([0, 0, 0, 0, 1, 0, 0, 0]))
    assert answer_of(found).file["size"] == 6


@pytest.mark.parametrize("role", [0, 2, 3, 9])
def test_other_roles(fastcgi, role):
    with fastcgi.connect() as sock:
        sock.sendall(begin(role=role) + fastcgi.params("GET", "/upload") + record(STDIN))
        assert records(sock) == [(END, 1, bytes([0, 0, 0, 0, 3, 0, 0, 0]))]


@pytest.mark.parametrize("head", [b"\xff\xff\xff\xff\xff\xff\xff\xff", b"\x01\xff\xff\xff\xff", b"\x80\x20\x00\x00\x00"])
def test_lengths_beyond_reason(fastcgi, head):
    """Nothing is set aside for what is only announced."""
    def size():
        [worker] = fastcgi.workers()
        return int(open(f"/proc/{worker}/statm").read().split()[0]) * 4096
    before = size()
    assert exchange(fastcgi, begin(), record(PARAMS, head), record(PARAMS, bytes(60000))) == []
    assert size() - before < 64 << 20


def test_parameters_without_end(fastcgi):
    with fastcgi.connect() as sock:
        sock.sendall(begin())
        for n in range(200):
            sock.sendall(record(PARAMS, name_values({f"HTTP_X_{n}": "x" * 10000})))
        assert records(sock) == []


def test_many_parameters(fastcgi):
    """As much as any server passes: Apache's hundred headers of 8 KiB."""
    headers = {f"X-Header-{n}": "y" * 8000 for n in range(100)}
    assert fastcgi.request("GET", "/upload", headers).status == 200


def test_a_nul_hides_nothing(fastcgi):
    """A value ends at a NUL; what stands behind is no parameter of its own."""
    forged = {"HTTP_X": "v\0REMOTE_ADDR\0192.0.2.7\0\x0b\x09REMOTE_ADDR192.0.2.7"}
    assert fastcgi.request("GET", "/metrics", None, **forged).status == 200
    assert fastcgi.request("GET", "/metrics", None, REMOTE_ADDR="192.0.2.7", HTTP_X="\0\0REMOTE_ADDR127.0.0.1").status == 401


# ---- who may connect -----------------------------------------------------------------------------

class TCPDoor(harness.FastCGIDoor):
    """The worker on TCP."""

    def __init__(self, host="127.0.0.1", **more):
        self.port = processes.free_port()
        super().__init__(command=[processes.WAYBILL, "serve", "-l", f"{host}:{self.port}"], **more)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def answers(self):
        assert self.process.poll() is None, "the worker ended: " + self.said()
        return "msg=serving" in self.said()


@pytest.mark.parametrize("addresses,served", [
    (None, True), ("127.0.0.1", True), ("192.0.2.1, 127.0.0.1", True), ("192.0.2.1", False), ("::1", False), ("::ffff:127.0.0.1", True)])
def test_web_servers_addresses(addresses, served):
    door = TCPDoor(**({"FCGI_WEB_SERVER_ADDRS": addresses} if addresses else {}))
    try:
        if served:
            assert door.get("/upload").status == 200
        else:
            with door.connect() as sock, contextlib.suppress(ConnectionResetError, BrokenPipeError):
                sock.sendall(begin() + door.params("GET", "/upload") + record(STDIN))
                assert sock.recv(1) == b""
        assert "level=warn" not in door.said()
    finally:
        door.close()


@pytest.mark.parametrize("addresses", ["", "localhost", "127.0.0.1,", "127.0.0.1/8", "127.1"])
def test_what_is_no_address_is_said_at_the_start(addresses):
    with pytest.raises(AssertionError, match="FCGI_WEB_SERVER_ADDRS"):
        TCPDoor(FCGI_WEB_SERVER_ADDRS=addresses)


@pytest.mark.parametrize("addresses", [None, "127.0.0.1"])
def test_a_socket_for_everybody_is_warned_of(addresses):
    door = TCPDoor("0.0.0.0", **({"FCGI_WEB_SERVER_ADDRS": addresses} if addresses else {}))
    try:
        assert door.get("/upload").status == 200
        assert ("FCGI_WEB_SERVER_ADDRS" in door.said()) == (addresses is None)
        wait_until(lambda: "msg=serving" in door.said(), "the start")
    finally:
        door.close()
