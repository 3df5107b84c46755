"""harness.py: a real worker behind a real server, and clients that can lie.

A *door* is a way in: lighttpd (or any file of www/servers) over raw sockets, FastCGI spoken directly
to the worker's socket, or plain CGI. All three take the same request() and give the same Answer, so
that one test can say what holds everywhere. Everything a door starts ends with close().
"""
import contextlib
import functools
import http.client
import io
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.parse

import openapi

TOP = pathlib.Path(__file__).resolve().parents[2]
WAYBILL = os.environ.get("WAYBILL", str(TOP / "waybill"))
PATIENCE = 30  # seconds until a missing answer is a failure
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]  # before a command
GIB = 1 << 30


# ---- what comes back ---------------------------------------------------------------------------

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers = [(name, value.strip()) for name, value in headers]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:600]!r}>"

    def __getitem__(self, name):
        """A header's value, or None."""
        found = self.all(name)
        return found[0] if found else None

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    @property
    def file(self):
        """The one record of a 201."""
        assert self.status == 201, self
        assert len(self.json["files"]) == 1, self
        return self.json["files"][0]


def read_http(sock, method="GET"):
    answer = http.client.HTTPResponse(sock, method=method)
    try:
        answer.begin()
        body = answer.read()
    finally:
        answer.close()
    return Answer(answer.status, answer.getheaders(), body)


def parse_cgi(output):
    """An answer as a CGI program gives it: Status and headers, an empty line, the body."""
    assert b"\r\n\r\n" in output or b"\n\n" in output, f"no CGI answer: {output[:500]!r}"
    stream = io.BytesIO(output)
    headers = []
    while (line := stream.readline().rstrip(b"\r\n")):
        name, _, value = line.decode().partition(":")
        headers.append((name, value.strip()))
    status = next((int(v.split()[0]) for n, v in headers if n.lower() == "status"), 200)
    return Answer(status, [h for h in headers if h[0].lower() != "status"], stream.read())


# ---- what goes out -----------------------------------------------------------------------------

class Upload:
    """A file of a form: name None leaves filename= out, type None leaves Content-Type out."""

    def __init__(self, field, name, content=b"", type=None):
        self.field, self.name, self.content, self.type = field, name, content, type


BOUNDARY = "----waybill-test-3f9a"


def form(*parts, boundary=BOUNDARY, end=True):
    """(headers, body) of a multipart form: (name, value) pairs and Uploads, in order."""
    out = []
    for part in parts:
        field, content = (part.field, part.content) if isinstance(part, Upload) else part
        head = f'Content-Disposition: form-data; name="{field}"'
        if isinstance(part, Upload) and part.name is not None:
            head += f'; filename="{part.name}"'
        if isinstance(part, Upload) and part.type is not None:
            head += f"\r\nContent-Type: {part.type}"
        content = content if isinstance(content, bytes) else content.encode()
        out.append(f"--{boundary}\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape") + content + b"\r\n")
    body = b"".join(out) + (f"--{boundary}--\r\n".encode() if end else b"")
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def raw_form(body, boundary=BOUNDARY):
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000"
                    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082")
ELF = bytes.fromhex("7f454c4602010100000000000000000002003e0001000000") + bytes(400)


@functools.cache
def text(length=1000, seed=1):
    """Plain text, the same for the same seed."""
    pick = random.Random(seed)
    words = " ".join("".join(pick.choices("abcdefghij", k=6)) for _ in range(length // 7 + 1))
    return words[:length].encode()


# ---- doors -------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


def children(pid):
    """Process ids, the eldest first."""
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # just gone
        return []


def stat_of(pid):
    """What the kernel tells of a process behind its name: state, parent and so on. OSError: it is gone."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def ended(pid):
    """Is the process gone, or a zombie that nobody has asked for yet? It may go while it is looked at."""
    try:
        return stat_of(pid)[0] == "Z"
    except OSError:
        return True


def workers_of(pid):
    """Process ids of what `waybill serve` has forked to serve, the eldest first: several where one has
    followed another that has not finished yet."""
    def named(child):
        try:
            return pathlib.Path(f"/proc/{child}/comm").read_text() == "waybill-worker\n"
        except OSError:
            return False
    return [child for child in children(pid) if named(child)]


def parent_of(worker):
    """Whom whoever started a worker knows: its parent; of plain CGI, itself."""
    if pathlib.Path(f"/proc/{worker}/comm").read_text() != "waybill-worker\n":
        return worker
    return int(stat_of(worker)[1])


def kill_dead(pid):
    """kill -9; returns when the whole process is gone, and with it the locks it has held."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with open(fd, "rb", buffering=0):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert select.select([fd], [], [], PATIENCE)[0], f"{pid} survives kill -9"


def kill_serving(process):
    """kill -9 of all that a child of ours, `waybill serve`, has forked to serve, and of itself. First
    it is stopped, or it would replace them; were it killed first, they would finish what is under way."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    for worker in workers_of(process.pid):
        kill_dead(worker)
    process.kill()
    process.wait()


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


def variables(method, path, headers, length, base=""):
    """A request as CGI names it."""
    path, _, query = path.partition("?")
    out = {"REQUEST_METHOD": method, "REQUEST_URI": base + path + ("?" + query if query else ""),
           "QUERY_STRING": query, "SCRIPT_NAME": base, "PATH_INFO": urllib.parse.unquote(path, errors="surrogateescape"),
           "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "harness",
           "SERVER_NAME": "localhost", "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}
    if length is not None:
        out["CONTENT_LENGTH"] = str(length)
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") or key.startswith("WAYBILL_") else "HTTP_" + key
        if value is None:
            out.pop(key, None)
        else:
            out[key] = ", ".join(value) if isinstance(value, list) else value
    return out


def encoded(s):
    return s.encode("utf-8", "surrogateescape")


BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, VALUES, UNKNOWN_TYPE = range(1, 12)


def record(kind, content=b"", padding=0, request=1):
    return struct.pack(">BBHHBx", 1, kind, request, len(content), padding) + content + bytes(padding)


def begin(keep=False, role=1):
    return record(BEGIN, struct.pack(">HB5x", role, int(keep)))


def name_values(params):
    out = b""
    for name, value in params.items():
        name, value = encoded(name), encoded(value)
        for length in (len(name), len(value)):
            out += struct.pack(">B", length) if length < 128 else struct.pack(">I", length | 1 << 31)
        out += name + value
    return out


def read_record(stream):
    """(type, request id, content) of the next record; None at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    _, kind, request, length, padding = struct.unpack(">BBHHBx", head)
    content = stream.read(length)
    stream.read(padding)
    return kind, request, content


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


# ---- what every refusal looks like ---------------------------------------------------------------

def refused(answer, status, slug, *needles):
    """Assert a refusal by its status, its stable slug and words of its detail."""
    assert answer.status == status, answer
    assert answer["Content-Type"].split(";")[0] == "application/problem+json", answer
    problem = answer.json
    assert problem["error"] == slug, answer
    assert problem["type"] == "about:blank"
    assert problem["status"] == problem["code"] == status
    assert problem["detail"] == problem["message"] and len(problem["detail"]) > 20, answer
    assert problem["title"]
    for needle in needles:
        assert str(needle) in problem["detail"], (needle, problem["detail"])
    return problem
