"""harness.py: a real worker behind a real server, and clients that can lie.

A *door* is a way in: lighttpd (or any file of www/servers) over raw sockets, FastCGI spoken directly
to the worker's socket, or plain CGI. All three take the same request() and give the same Answer, so
that one test can say what holds everywhere. Everything a door starts ends with close().
"""
import functools
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.parse

import openapi
from exchange import form, parse_cgi, read_http
from processes import PATIENCE, TOP, WAYBILL, free_port, wait_until, workers_of
from wire import END, PARAMS, STDIN, STDOUT, begin, encoded, name_values, read_record, record, variables

HOUSEKEEPING = ("ledger", "wanted")  # files of partial/ that are always there


@functools.cache
def document():
    """What /openapi.json says, asked of a process of its own."""
    with tempfile.TemporaryDirectory() as data:
        ours = {k: v for k, v in os.environ.items() if k == "PATH" or k.endswith("SAN_OPTIONS")}
        env = {**ours, "WAYBILL_DATA_DIR": data, "WAYBILL_SANDBOX": "off", **variables("GET", "/openapi.json", None, None)}
        output = subprocess.run([WAYBILL], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True).stdout
    return parse_cgi(output).json


def as_told(request):
    """A door's request(), whose answers are held against the document."""
    @functools.wraps(request)
    def ask(self, method, path, headers=None, *arguments, **more):
        answer = request(self, method, path, headers, *arguments, **more)
        openapi.check(document(), (headers or {}).get("X-HTTP-Method-Override", method), path, answer)
        return answer
    return ask


class Door:
    """Common to all: a directory of its own, a configuration, requests and what is stored."""
    base = ""

    def __init_subclass__(cls):
        if "request" in cls.__dict__:
            cls.request = as_told(cls.request)

    def __init__(self, config=None, data=None):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="wbt-", dir="/tmp"))
        self.home.chmod(0o711)
        self.data = pathlib.Path(data) if data else self.home / "data"
        self.data.mkdir(exist_ok=True)
        self.config = self.home / "waybill.conf"
        given = dict(one.split("=") for one in os.environ.get("WAYBILL_TEST_CONFIG", "").split())
        settings = {"log": "info", "min_free_bytes": "1M", **given, **(config or {})}
        self.config.write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
        self.config.chmod(0o644)
        self.log = self.home / "log"
        self.process = None

    def environment(self, **more):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL")}
        return {**keep, "WAYBILL_CONFIG": str(self.config), "WAYBILL_DATA_DIR": str(self.data), **more}

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                raise AssertionError("did not end on SIGTERM: " + self.said()) from None
        shutil.rmtree(self.home, ignore_errors=True)

    def await_service(self):
        try:
            wait_until(self.answers, "an answer")
        except BaseException:
            said = self.said()
            self.close()
            raise AssertionError(f"does not serve; it said: {said}") from None

    def said(self):
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    # Shorthands.
    def get(self, path, **headers):
        return self.request("GET", path, {k.replace("_", "-"): v for k, v in headers.items()})

    def put(self, name, content, **headers):
        path = "/upload/" + urllib.parse.quote(name, safe="")
        return self.request("PUT", path, {k.replace("_", "-"): v for k, v in headers.items()}, content)

    def post(self, content, path="/upload", **headers):
        return self.request("POST", path, {k.replace("_", "-"): v for k, v in headers.items()}, content)

    def send_form(self, *parts, headers=None, **how):
        form_headers, body = form(*parts, **how)
        return self.request("POST", "/upload", {**form_headers, **(headers or {})}, body)

    def stored(self):
        """What the data directory holds: catalog rows, objects, unfinished uploads."""
        listing = self.get("/files?limit=1")
        assert listing.status == 200, (listing, self.said())
        files = {name: sorted(str(p) for p in (self.data / name).rglob("*")
                              if p.is_file() and p.name not in HOUSEKEEPING)
                 for name in ("objects", "partial")}
        return listing.json["total"], files["objects"], files["partial"]

    def alive(self):
        return self.get("/healthz?ready").status == 200


class ServerDoor(Door):
    """Behind a web server, by the very files of www/servers, over raw sockets."""

    def __init__(self, server="lighttpd", config=None, base="", **more):
        super().__init__(config)
        self.server, self.port = server, free_port()
        self.base = "/cgi-bin/waybill" if server == "busybox" else base
        environment = self.environment(SERVER=server, PORT=str(self.port), BASE=base, DATA=str(self.data),
                                       CONF=str(self.config), SERVE_PREBUILT="1",
                                       WAYBILL=WAYBILL, **more)
        del environment["WAYBILL_DATA_DIR"], environment["WAYBILL_CONFIG"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([TOP / "tests" / "serve.sh"], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        self.await_service()

    def answers(self):
        assert self.process.poll() is None, "the server ended: " + self.said()
        try:
            return self.get("/upload").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def head(self, method, path, headers=None, length=None):
        """The bytes of a request's head. A header with value None is left out."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"}
        if length is not None:
            lines["Content-Length"] = str(length)
        lines.update(headers or {})
        out = f"{method} {self.base}{path} HTTP/1.1\r\n"
        for name, value in lines.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    out += f"{name}: {one}\r\n"
        return (out + "\r\n").encode("utf-8", "surrogateescape")

    def request(self, method, path, headers=None, body=None, stop=None):
        """Content-Length is the body's unless the headers say otherwise; `stop`: send only so many
        bytes of the body, keep the connection open and expect the answer all the same."""
        length = len(body) if body is not None else None
        with self.connect() as sock:
            sock.sendall(self.head(method, path, headers, length))
            try:
                sock.sendall((body or b"")[:stop])
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before the end; the answer is there to be read
            return read_http(sock, method)

    def workers(self):
        """Process ids of the workers proper: neither their parents nor their sniffers."""
        real = os.path.realpath(WAYBILL)
        ours, requests = {}, set()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                exe = os.readlink(entry / "exe")
                env = (entry / "environ").read_bytes()
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            same = exe == real or exe.endswith("/waybill.bin")
            if same and f"WAYBILL_DATA_DIR={self.data}".encode() in env.split(b"\0"):
                ours[int(entry.name)] = parent
                requests |= {int(entry.name)} if b"\0GATEWAY_INTERFACE=" in env else set()
        first = [pid for pid, parent in ours.items() if parent not in ours]
        return [pid for one in first for pid in ([one] if one in requests else workers_of(one))]


class FastCGIDoor(Door):
    """The worker alone; FastCGI spoken by the test itself."""

    def __init__(self, config=None, base="", command=None, data=None, **more):
        super().__init__(config, data)
        self.base, self.path = base, self.home / "s"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command or [WAYBILL, "serve", "-l", f"unix:{self.path}"], env=self.environment(**more),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.await_service()

    def workers(self):
        return workers_of(self.process.pid)

    def answers(self):
        assert self.process.poll() is None, "the worker ended: " + self.said()
        try:
            return self.path.exists() and self.get("/upload").status == 200
        except OSError:  # bound, but not listening yet
            return False

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(str(self.path))
        return sock

    def params(self, method, path, headers=None, length=None, **more):
        """PARAMS records of a request, the empty one included."""
        all_of_them = name_values({**variables(method, path, headers, length, self.base), **more})
        out = b""
        for at in range(0, len(all_of_them), 65535):
            out += record(PARAMS, all_of_them[at:at + 65535])
        return out + record(PARAMS)

    @staticmethod
    def stdin(body, size=32768, padding=0):
        """STDIN records with the empty one at the end."""
        out = [record(STDIN, body[at:at + size], padding) for at in range(0, len(body), size)]
        return b"".join(out) + record(STDIN)

    @staticmethod
    def answer(sock):
        """Read records until END_REQUEST; the answer they carry."""
        stream, out, ended = sock.makefile("rb"), bytearray(), False
        while not ended and (one := read_record(stream)):
            kind, _, content = one
            if kind == STDOUT:
                out += content
            ended = kind == END
        assert ended, f"no END_REQUEST after {bytes(out[:300])!r}"
        return parse_cgi(bytes(out))

    def send(self, *pieces, end=False):
        """Raw bytes in, answer out. `end`: half-close after the last piece."""
        with self.connect() as sock:
            try:
                for piece in pieces:
                    sock.sendall(piece)
                if end:
                    sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return self.answer(sock)

    def request(self, method, path, headers=None, body=None, stop=None, **more):
        length = len(body) if body is not None else None
        head = begin() + self.params(method, path, headers, length, **more)
        if stop is not None:
            return self.send(head, b"".join(record(STDIN, body[at:min(at + 32768, stop)])
                                            for at in range(0, stop, 32768)))
        return self.send(head, self.stdin(body or b""))


class CGIDoor(Door):
    """One process a request: environment and standard input."""

    def __init__(self, config=None, base="", **more):
        super().__init__(config)
        self.base, self.more = base, more

    def request(self, method, path, headers=None, body=None, stop=None, **more):
        length = len(body) if body is not None else None
        env = {**self.environment(), **self.more, **variables(method, path, headers, length, self.base), **more}
        with open(self.log, "ab") as log:
            child = subprocess.Popen([WAYBILL], env={encoded(k): encoded(v) for k, v in env.items()},
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        try:
            if stop is None:
                output, _ = child.communicate(body or b"", timeout=PATIENCE)
            else:  # the rest never comes, yet the answer must
                child.stdin.write(body[:stop])
                child.stdin.flush()
                output = child.stdout.read()
        finally:
            if child.poll() is None:
                child.stdin.close()
                child.wait(PATIENCE)
        assert child.returncode == 0, (child.returncode, self.said())
        return parse_cgi(output)


DOORS = {"lighttpd": lambda **how: ServerDoor("lighttpd", **how), "fastcgi": FastCGIDoor, "cgi": CGIDoor}
