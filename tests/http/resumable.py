"""A worker of its own, spoken to in FastCGI without a web server between: so that a test decides when
which byte arrives, and when the connection dies. For the tests of resumable uploads."""
import base64
import hashlib
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import time

import exchange
import harness
import processes
import wire
from processes import WAYBILL
from wire import record

PATIENCE = 20  # seconds until a test gives up; nothing depends on how long things take below that


class Answer:
    """The final answer of a CGI response; `interim` holds the headers of those before it."""

    def __init__(self, raw):
        self.interim = []
        while True:
            head, _, raw = raw.partition(b"\r\n\r\n")
            self.lines = [line.split(": ", 1) for line in head.decode("utf-8").split("\r\n") if ": " in line]
            self.headers = {name.lower(): value for name, value in self.lines}
            self.status = int(self.headers.get("status", "200")[:3])
            if self.status >= 200:
                break
            self.interim.append(self.headers)
        self.body = raw

    def __getitem__(self, name):
        return self.headers.get(name.lower())

    def __contains__(self, name):
        return name.lower() in self.headers

    @property
    def offset(self):
        return int(self["Upload-Offset"])

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self["Location"].rsplit("/", 1)[1]

    def __repr__(self):
        return f"<Answer {self.status} {self.headers} {self.body[:300]!r}>"


class Request:
    """One request under way: send some of the body, then finish() or drop()."""

    def __init__(self, path, params):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.answer = b""
        self.over = False
        self.pending = b""
        self._send(wire.begin() + record(wire.PARAMS, wire.name_values(params)) + record(wire.PARAMS))

    def _send(self, data):
        """Send, but look for an early answer meanwhile: the worker may refuse and hang up."""
        view = memoryview(data)
        while view and not self.over:
            readable, writable, _ = select.select([self.socket], [self.socket], [], PATIENCE)
            assert readable or writable, "the worker neither reads nor answers"
            if readable:
                self._receive()
            elif writable:
                try:
                    view = view[self.socket.send(view[:65536], socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    pass
                except (BrokenPipeError, ConnectionResetError):
                    break

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.over = True
        self.pending += data
        while len(self.pending) >= 8:
            _, kind, _, length, padding = struct.unpack("!BBHHBx", self.pending[:8])
            if len(self.pending) < 8 + length + padding:
                return
            if kind == wire.STDOUT:
                self.answer += self.pending[8 : 8 + length]
            if kind == wire.END:
                self.over = True
            self.pending = self.pending[8 + length + padding :]

    def send(self, body):
        for i in range(0, len(body), 32768):
            self._send(record(wire.STDIN, body[i : i + 32768]))
        return self

    def result(self):
        """Wait for the answer without ending the body."""
        while not self.over:
            readable, _, _ = select.select([self.socket], [], [], PATIENCE)
            assert readable, "no answer"
            self._receive()
        self.socket.close()
        return Answer(self.answer) if self.answer else None

    def finish(self):
        self._send(record(wire.STDIN))
        return self.result()

    def drop(self):
        self.socket.close()


def listens(path):
    probe = socket.socket(socket.AF_UNIX)
    try:
        probe.connect(path)
        return True
    except OSError:
        return False
    finally:
        probe.close()


class Worker:
    def __init__(self, directory, **settings):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.settings = {"data_dir": self.data, "threads": 32, "log": "warn", "min_free_bytes": "0"} | settings
        self.processes = []
        self.start()

    def environment(self, **more):
        """For the command line beside it."""
        keep = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL_")}
        return {**keep, "WAYBILL_CONFIG": str(self.directory / "waybill.conf"), **more}

    def start(self, name="worker"):
        conf = self.directory / "waybill.conf"
        conf.write_text("".join(f"{key} = {value}\n" for key, value in self.settings.items()))
        path = str(self.directory / f"{name}.sock")
        if os.path.exists(path):
            os.unlink(path)
        process = subprocess.Popen([WAYBILL, "serve", "-l", f"unix:{path}"], env=self.environment())
        self.processes.append(process)
        end = time.monotonic() + PATIENCE
        while not listens(path):
            assert process.poll() is None, "the worker ended at once"
            assert time.monotonic() < end, "the worker does not listen"
            time.sleep(0.01)
        if name == "worker":
            self.path, self.process = path, process
        return path

    def kill(self):
        processes.kill_serving(self.process)

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    processes.kill_serving(process)

    def open(self, method, path, headers=None, length=None, path_socket=None, **params):
        return Request(path_socket or self.path, wire.variables(method, path, headers, length) | params)

    def ask(self, method, path, headers=None, body=None, **params):
        if body is None and method in ("POST", "PATCH", "PUT"):
            body = b""
        length = None if body is None else len(body)
        return self.open(method, path, headers, length, **params).send(body or b"").finish()

    # ---- tus, in short ------------------------------------------------------------------------

    def tus(self, method, path, headers=None, body=None, **params):
        return self.ask(method, path, {"Tus-Resumable": "1.0.0"} | (headers or {}), body, **params)

    def tus_create(self, length, headers=None, body=None):
        asked = {"Upload-Length": str(length)} if length is not None else {}
        if body is not None:
            asked["Content-Type"] = "application/offset+octet-stream"
        answer = self.tus("POST", "/upload", asked | (headers or {}), body)
        assert answer.status == 201, answer
        return answer

    def tus_patch(self, url, offset, body, headers=None):
        asked = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        return self.tus("PATCH", url, asked | (headers or {}), body)

    def tus_patch_open(self, url, offset, length, headers=None, **params):
        asked = {
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        return self.open("PATCH", url, asked | (headers or {}), length, **params)

    def tus_offset(self, url):
        answer = self.tus("HEAD", url)
        assert answer.status in (200, 204), answer
        return answer.offset

    # ---- what is on the disk --------------------------------------------------------------------

    def partial_size(self, ident):
        try:
            return (self.data / "partial" / ident).stat().st_size
        except FileNotFoundError:
            return -1

    def wait_for_bytes(self, ident, at_least):
        """Until the worker has written so much of an upload: the file's own blocks tell."""
        end = time.monotonic() + PATIENCE
        while self.partial_written(ident) < at_least:
            assert time.monotonic() < end, "the bytes never arrived"
            time.sleep(0.01)

    def partial_written(self, ident):
        """Bytes that are not zero at the end: a preallocated file is long from the beginning."""
        path = self.data / "partial" / ident
        try:
            return len(path.read_bytes().rstrip(b"\0"))
        except FileNotFoundError:
            return -1

    def content(self, ident):
        answer = self.ask("GET", f"/files/{ident}/content")
        assert answer.status == 200, answer
        return answer.body

    def kept(self, ident, bytes_):
        """The file's record, once it is found to hold exactly these bytes."""
        answer = self.ask("GET", f"/files/{ident}")
        assert answer.status == 200, answer
        record_ = answer.json
        assert record_["size"] == len(bytes_)
        assert record_["sha256"] == hashlib.sha256(bytes_).hexdigest()
        assert self.content(ident) == bytes_
        return record_

    def listed(self):
        return [file["id"] for file in self.ask("GET", "/files").json["files"]]


class HttpRequest:
    """The same through a web server: finish() ends the body by closing our side."""

    def __init__(self, port, head):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.socket.sendall(head)
        self.method = head.split(b" ", 1)[0].decode()

    def send(self, body):
        try:
            self.socket.sendall(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the end; the answer is there to be read
        return self

    def result(self):
        answer = exchange.read_http(self.socket, self.method)
        self.socket.close()
        head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers if name.lower() != "status")
        return Answer(f"Status: {answer.status}\r\n{head}\r\n".encode() + answer.body)

    finish = result

    def drop(self):
        self.socket.close()


class ServedWorker(Worker):
    """Behind lighttpd, as `make run` sets it up."""

    def __init__(self, **settings):
        self.door = harness.ServerDoor("lighttpd", {key: str(value) for key, value in settings.items()})
        self.data = self.door.data

    def stop(self):
        self.door.close()

    def open(self, method, path, headers=None, length=None, **params):
        assert not params, "these can only be said to the worker itself"
        return HttpRequest(self.door.port, self.door.head(method, path, headers, length))


def some_bytes(size, seed=1):
    """Bytes without zeros that no type check takes for a program; the same for the same seed."""
    out, state = bytearray(b"waybill test "), seed.to_bytes(8, "big")
    while len(out) < size:
        state = hashlib.sha512(state).digest()
        out += state.replace(b"\0", b"\1")
    return bytes(out[:size])


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def checksum(name, data):
    return f"{name} {b64(hashlib.new(name, data).digest())}"
