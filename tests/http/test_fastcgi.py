"""FastCGI as strangers might speak it: odd cuts, aborts, kept connections, rubbish."""
import hashlib
import os
import threading

import pytest

import harness
import processes
from chance import chance
from exchange import Upload, form, refused, text
from processes import PATIENCE, wait_until
from wire import ABORT, PARAMS, STDIN, begin, name_values, record, variables


@pytest.fixture(autouse=True)
def unharmed(fastcgi):
    yield
    assert fastcgi.alive(), fastcgi.said()


@pytest.mark.parametrize("size", [1, 2, 7, 8191, 8192, 8193, 65535])
@pytest.mark.parametrize("padding", [0, 1, 255])
def test_any_cut_of_stdin(fastcgi, size, padding):
    content = text(400 if size < 8 else 70000, seed=size)
    headers, body = form(("a", "1"), Upload("f", "a.txt", content), ("b", "2"))
    answer = fastcgi.send(begin() + fastcgi.params("POST", "/upload", headers, len(body)),
                          fastcgi.stdin(body, size, padding))
    assert answer.file["sha256"] == hashlib.sha256(content).hexdigest()
    assert answer.file["fields"] == {"a": "1", "b": "2"}


def test_random_cuts_of_the_stream(fastcgi):
    """Cut anywhere, across record headers too."""
    pick = chance()
    content = text(20000, seed=4)
    whole = begin() + fastcgi.params("PUT", "/upload/cut.txt", length=len(content)) + fastcgi.stdin(content, 5000, 3)
    for _ in range(5):
        at, pieces = 0, []
        while at < len(whole):
            step = pick.choice([1, 3, 8, 100, 5000])
            pieces.append(whole[at:at + step])
            at += step
        assert fastcgi.send(*pieces).file["sha256"] == hashlib.sha256(content).hexdigest()


def test_params_in_many_records(fastcgi):
    params = name_values(variables("GET", "/upload", {"X-Long": "y" * 3000}, None))
    pieces = [record(PARAMS, params[at:at + 11], 5) for at in range(0, len(params), 11)]
    assert fastcgi.send(begin(), *pieces, record(PARAMS), record(STDIN)).status == 200


@pytest.mark.parametrize("gone", ["close", "abort", "half", "header", "reset"])
def test_client_leaves(fastcgi, gone):
    before = fastcgi.stored()
    with fastcgi.connect() as sock:
        sock.sendall(begin() + fastcgi.params("PUT", "/upload/gone", length=300000) + record(STDIN, bytes(60000)))
        if gone == "abort":
            sock.sendall(record(ABORT))
            fastcgi_answer_or_end(sock)
        elif gone == "half":
            sock.shutdown(1)
            fastcgi_answer_or_end(sock)
        elif gone == "header":
            sock.sendall(record(STDIN, bytes(100))[:5])
    wait_until(lambda: fastcgi.stored() == before, "the rest of an aborted upload to go")


def fastcgi_answer_or_end(sock):
    while sock.recv(65536):
        pass


def test_kept_connections_pin_no_thread(fresh):
    """FCGI_KEEP_CONN asked for: three times as many idle connections as threads, and all are served again."""
    door = fresh("fastcgi", threads="4")
    held = [door.connect() for _ in range(12)]
    for number in range(3):
        for sock in held:
            body = text(1000 * number)
            sock.sendall(begin(keep=True) + door.params("PUT", "/upload/kept.txt", {}, len(body)) + door.stdin(body))
            assert door.answer(sock).file["size"] == len(body)
        assert door.get("/files?limit=1").json["total"] == 12 * (number + 1)  # on a connection of its own
    for sock in held:
        sock.close()
    assert door.alive()


def test_a_kept_connection_with_an_unread_body(fresh):
    """Refused by its head: what has come of the body is no next request; a body that still comes ends the connection."""
    door = fresh("fastcgi", max_bytes="1000")
    with door.connect() as sock:
        for _ in range(3):
            sock.sendall(begin(keep=True) + door.params("PUT", "/upload/x", {}, 60000) + door.stdin(text(60000)))
            refused(door.answer(sock), 413, "too_large")
        sock.sendall(begin(keep=True) + door.params("PUT", "/upload/x", {}, 60000) + record(STDIN, text(5000)))
        refused(door.answer(sock), 413, "too_large")
        assert sock.recv(1) == b""


def test_a_kept_connection_holds_no_stop(fresh):
    door = fresh("fastcgi", threads="4")
    with door.connect() as sock:
        sock.sendall(begin(keep=True) + door.params("GET", "/upload") + record(STDIN))
        assert door.answer(sock).status == 200
        door.process.terminate()
        assert door.process.wait(PATIENCE) == 0


def test_rubbish_on_the_socket(fastcgi):
    for rubbish in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(8), b"\xff" * 64, begin()[:3],
                    begin(role=3) + record(PARAMS) + record(STDIN), begin() + record(PARAMS) + record(STDIN),
                    begin() + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xff")):
        with fastcgi.connect() as sock:
            sock.settimeout(5)
            try:
                sock.sendall(rubbish)
                sock.shutdown(1)
                while sock.recv(65536):
                    pass
            except OSError:
                pass
        assert fastcgi.alive()


def test_stalled_uploads_leave_room(fresh):
    """Bodies that stall do not take every thread: the others hear 503, a GET is answered."""
    door = fresh("fastcgi", threads="8")
    held = []

    def stall():
        sock = door.connect()
        sock.sendall(begin() + door.params("PUT", "/upload/slow", length=1000) + record(STDIN, b"x"))
        held.append(sock)
    for _ in range(7):
        stall()

    def busy():
        answer = door.request("PUT", "/upload/more", {"Content-Length": "10"}, b"0123456789")
        if answer.status == 503:
            return answer
        stall()  # one of them came after this one, and was sent away
        return None
    answer = wait_until(busy, "an upload to be one too many")
    refused(answer, 503, "busy")
    assert int(answer["Retry-After"]) > 0
    assert door.get("/upload").status == 200
    for sock in held:
        sock.close()
    wait_until(lambda: door.put("after.txt", b"after").status == 201, "room for uploads again")


def test_many_at_once(fastcgi):
    """Forty uploads side by side: each its own content, none lost."""
    answers = {}

    def one(n):
        answers[n] = fastcgi.put(f"side-{n}.txt", text(5000, seed=1000 + n))
    threads = [threading.Thread(target=one, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n, answer in answers.items():
        assert answer.file["sha256"] == hashlib.sha256(text(5000, seed=1000 + n)).hexdigest()
    assert fastcgi.get("/files?name=side-").json["total"] == 40


def test_listening_on_descriptor_0(fresh, tmp_path):
    """As lighttpd, spawn-fcgi and systemd hand the socket over."""
    import socket
    import subprocess
    import harness
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(10)
    door = fresh("cgi")  # for its home and configuration
    env = {k: v for k, v in door.environment().items() if k != "GATEWAY_INTERFACE"}
    worker = subprocess.Popen([processes.WAYBILL], stdin=listener, env=env, stderr=open(door.log, "ab"))
    listener.close()
    try:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(processes.PATIENCE)
        sock.connect(path)
        sock.sendall(begin() + harness.FastCGIDoor.params(door, "GET", "/upload") + record(STDIN))
        assert harness.FastCGIDoor.answer(sock).json["max_bytes"] == 1 << 30
    finally:
        worker.terminate()
        assert worker.wait(processes.PATIENCE) == 0


def test_socket_mode(fastcgi):
    assert os.stat(fastcgi.path).st_mode & 0o777 == 0o660
