"""behaviours_resume.py: resumable uploads, streaming, HTTP/2, behind every server. See behaviours.py."""
import base64
import hashlib
import re
import subprocess
import tempfile
import time

from behaviours import behaviour
from exchange import read_http, refused, text
from h2client import H2
from processes import wait_until
from sites import seen

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream"}


def create(site, content, name="resumed.txt"):
    """(URL, offset) of a new upload; with its first bytes where an empty POST does not get through."""
    metadata = "filename " + base64.b64encode(name.encode()).decode()
    first = b"" if site.facts["puts"] else content[:3]
    headers = {**(CHUNK if first else TUS), "Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    answer = site.request("POST", "/upload", headers, first)
    assert answer.status == 201, (answer, site.said())
    assert answer["Location"].startswith(site.base + "/upload/")
    return answer["Location"].removeprefix(site.base), len(first)


def patch(site, url, offset, body):
    """PATCH, or POST in its name where the server passes no length with it."""
    headers = {**CHUNK, "Upload-Offset": str(offset)}
    if site.facts["puts"]:
        return site.request("PATCH", url, headers, body)
    return site.request("POST", url, {**headers, "X-HTTP-Method-Override": "PATCH"}, body)


@behaviour("PATCH")
def plain_patch(site):
    url, at = create(site, b"hello")
    answer = site.request("PATCH", url, {**CHUNK, "Upload-Offset": str(at)}, b"hello"[at:])
    return seen(answer)


@behaviour("tus: created, sent in pieces, finished; another ended")
def tus(site):
    content = text(1_500_000, seed=8)
    url, first = create(site, content, "Ü.txt")
    for at in range(first, len(content), 600_000):
        answer = patch(site, url, at, content[at:at + 600_000])
        assert answer.status == 204, (answer, site.said())
        if answer["Waybill-File"] is None:
            state = site.request("HEAD", url, TUS)
            assert state.status == 200 and state["Upload-Offset"] == str(min(at + 600_000, len(content))), state
    file = site.get(answer["Waybill-File"].removeprefix(site.base)).json
    assert file["name"] == "Ü.txt" and file["sha256"] == hashlib.sha256(content).hexdigest()
    assert site.content(file).body == content
    url, first = create(site, text(100))
    wrong = patch(site, url, 50, b"x")
    refused(wrong, 409, "offset_conflict")
    assert wrong["Upload-Offset"] == str(first)
    assert site.request("DELETE", url, TUS).status == 204
    assert site.request("HEAD", url, TUS).status in (404, 410)
    return "whole life"


@behaviour("IETF resumable upload")
def ietf(site):
    content = text(100_000, seed=9)
    with site.connect() as sock:
        headers = {"Upload-Draft-Interop-Version": "9", "Upload-Complete": "?0"}
        sock.sendall(site.head("POST", "/upload?name=ietf.txt", headers, 60_000) + content[:60_000])
        stream = sock.makefile("rb")
        first = stream.readline()
        relayed = first.startswith(b"HTTP/1.1 104")
        while relayed and not first.startswith(b"HTTP/1.1 201"):
            first = stream.readline()
            assert first
        assert b" 201 " in first, first
        lines = iter(lambda: stream.readline().strip().decode(), "")
        location = dict(line.lower().split(": ", 1) for line in lines)["location"].removeprefix(site.base)
    state = site.request("HEAD", location, {"Upload-Draft-Interop-Version": "9"})
    assert state["Upload-Offset"] == "60000", state
    headers = {"Upload-Draft-Interop-Version": "9", "Upload-Complete": "?1", "Upload-Offset": "60000",
               "Content-Type": "application/partial-upload"}
    answer = site.request("PATCH", location, headers, content[60_000:])
    if answer.status == 411:
        refused(answer, 411, "length_required")
        return "begins, PATCH is 411"
    assert answer.status in (200, 201, 204), answer
    ident = location.rsplit("/", 1)[1]
    assert site.get(f"/files/{ident}").json["sha256"] == hashlib.sha256(content).hexdigest()
    return "with 104" if relayed else "without 104"


def offset_of(site, url):
    return int(site.request("HEAD", url, TUS)["Upload-Offset"])


@behaviour("resumable, cut in mid-body")
def tus_cut(site):
    """Where bodies stream, what came is kept, and seen to be written before the cut."""
    content = text(1_000_000, seed=10)
    url, first = create(site, content)
    partial = site.data / "partial" / url.rsplit("/", 1)[1]
    headers, method = {**CHUNK, "Upload-Offset": str(first)}, "PATCH"
    if not site.facts["puts"]:
        headers, method = {**headers, "X-HTTP-Method-Override": "PATCH"}, "POST"
    with site.connect() as sock:
        sock.sendall(site.head(method, url, headers, len(content) - first) + content[first:600_000])
        if site.facts["streams"]:
            wait_until(lambda: len(partial.read_bytes().rstrip(b"\0")) > 200_000, "bytes that are written")
    if site.facts["streams"]:
        offset = wait_until(lambda: offset_of(site, url) > first and offset_of(site, url), "what came to be kept")
    else:
        offset = offset_of(site, url)
    assert 0 <= offset <= 600_000
    answer = patch(site, url, offset, content[offset:])
    assert answer.status == 204, answer
    file = site.get(answer["Waybill-File"].removeprefix(site.base)).json
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    return "what came is kept" if offset > first else "nothing kept"


PAUSE = 1.0  # seconds the client takes over a body


def seconds_in_worker(site):
    """How long the worker had a request of its own whose client took PAUSE over the body."""
    pattern = re.compile(r"method=POST path=\S*/upload route=\S+ status=201 .*? ms=([\d.]+)")
    before = len(pattern.findall(site.log.read_text(errors="replace")))
    content = text(400_000, seed=11)
    with site.connect() as sock:
        sock.sendall(site.head("POST", "/upload?name=paced.txt", {}, len(content)) + content[:200_000])
        time.sleep(PAUSE)  # the client's pace, not a wait for anything
        sock.sendall(content[200_000:])
        assert read_http(sock).file["size"] == len(content)
    found = wait_until(lambda: pattern.findall(site.log.read_text(errors="replace"))[before:], "a line in the log")
    return float(found[-1]) / 1000


@behaviour("the worker has the body")
def streamed(site):
    """While it is sent: then the request takes the worker as long as the client. GET /upload says the same."""
    assert site.get("/upload").json["streamed"] is site.facts["streams"]
    # (Thrice, if the machine is so busy that a process starts, or storing ends, as late as the client.)
    if site.facts["streams"]:
        assert any(seconds_in_worker(site) >= PAUSE * 0.9 for _ in range(3))
        return "while it is sent"
    assert any(seconds_in_worker(site) < PAUSE * 0.9 for _ in range(3))
    return "after its end"


# ---- HTTP/2 ----------------------------------------------------------------------------------

def ways(site):
    """(port, with TLS?) of the ports that speak HTTP/2."""
    found = [(site.h2c_port, False)] if site.h2c_port else []
    return found + ([(site.tls_port, True)] if site.tls_port else [])


def curl(site, port, secure, *arguments):
    how = ["-k", "--http2"] if secure else ["--http2-prior-knowledge"]
    with tempfile.NamedTemporaryFile() as out:
        done = subprocess.run(["curl", "-sS", *how, "-o", out.name, "-w", "%{http_code} %{http_version}", *arguments[:-1],
                               f"http{'s' if secure else ''}://127.0.0.1:{port}{site.base}{arguments[-1]}"],
                              capture_output=True, text=True, timeout=60)
        return done.stdout, out.read()


@behaviour("HTTP/2")
def http2(site):
    """curl and a client of our own, with TLS and without: up, down, refused, a form."""
    content = text(700_000, seed=12)
    for port, secure in ways(site):
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            assert curl(site, port, secure, "-T", file.name, "/upload/h2.txt")[0] == "201 2"
            assert curl(site, port, secure, "-F", f"f=@{file.name}", "/upload")[0] == "201 2"
        with H2(port, secure) as client:
            answer = client.request("PUT", f"{site.base}/upload/%C3%BC.txt", {}, content)
            file = answer.file
            assert file["name"] == "ü.txt" and file["sha256"] == hashlib.sha256(content).hexdigest()
            assert client.request("GET", file["url"]).body == content
            part = client.request("GET", file["url"], {"range": "bytes=5-9"})
            assert part.status == 206 and part.body == content[5:10]
            refused(client.request("GET", f"{site.base}/files/{'0' * 26}"), 404, "not_found")
            done = client.request("PATCH", site.base + create(site, b"hello")[0],
                                  {name.lower(): value for name, value in {**CHUNK, "Upload-Offset": "0"}.items()}, b"hello")
            assert done.status == 204, done
        status, body = curl(site, port, secure, file["url"].removeprefix(site.base))
        assert (status, body) == ("200 2", content)
    return "yes"


@behaviour("HTTP/2 without a length")
def http2_no_length(site):
    cells = set()
    content = text(300_000, seed=13)
    for port, secure in ways(site):
        before = site.stored()
        with H2(port, secure) as client:
            client.begin("PUT", f"{site.base}/upload/unknown.txt")
            if site.facts["waits"] or not site.facts["streams"]:
                client.send(content)
            answer = client.answer()
        if answer.status == 201:
            assert answer.file["sha256"] == hashlib.sha256(content).hexdigest()
        else:
            assert site.stored() == before
        cells.add(seen(answer))
    if cells <= {"400", "500 own"}:  # mod_fcgid: which one comes first is a matter of microseconds
        return "400 or 500"
    assert len(cells) == 1, cells
    return cells.pop()


@behaviour("HTTP/2, cut in mid-body")
def http2_cut(site):
    for port, secure in ways(site):
        before = site.stored()
        with H2(port, secure) as client:
            client.begin("PUT", f"{site.base}/upload/cut.txt", length=1_000_000)
            client.send(text(60_000), end=False)
            client.reset()
            wait_until(lambda: site.stored() == before, "nothing of it kept")
            assert client.request("GET", f"{site.base}/upload").status == 200  # the connection lives on
        assert site.alive()
    return "nothing kept"
