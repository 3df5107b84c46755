"""exchange.py: what goes out and what comes back: forms and contents, answers, and what every refusal looks like."""
import functools
import http.client
import io
import json
import random

# ---- what comes back ----------------------------------------------------------------------------

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


# ---- what goes out ------------------------------------------------------------------------------

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


GIB = 1 << 30
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000"
                    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082")
ELF = bytes.fromhex("7f454c4602010100000000000000000002003e0001000000") + bytes(400)


@functools.cache
def text(length=1000, seed=1):
    """Plain text, the same for the same seed."""
    pick = random.Random(seed)
    words = " ".join("".join(pick.choices("abcdefghij", k=6)) for _ in range(length // 7 + 1))
    return words[:length].encode()
