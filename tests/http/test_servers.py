"""Every server and mode of www/servers, by the very files that are shipped, at / and below a mount point.

Where a server answers by itself or cannot do something, the table below says so: that is its
documented behaviour, and it is tested as such.
"""
import hashlib
import os
import re

import pytest

import harness
from harness import ServerDoor, Upload, begin, read_http, refused, text, wait_until

# streamed: what GET /upload tells. no_length: status of a POST that declares nothing. chunked: of a chunked PUT.
# own_413: the server refuses over 1 GiB itself, without a word of the worker's.
SERVERS = {
    "lighttpd": dict(streamed=True, no_length=411, chunked=411),
    "lighttpd-socket": dict(streamed=True, no_length=411, chunked=411),
    "lighttpd-buffered": dict(streamed=False, no_length=411, chunked=201),
    "nginx": dict(streamed=True, no_length=411, chunked=411),
    "nginx-buffered": dict(streamed=False, no_length=411, chunked=201, own_413=True),
    "nginx-keepalive": dict(streamed=True, no_length=411, chunked=411),
    "nginx-bodyfile": dict(streamed=False, no_length=411, chunked=201, own_413=True),
    "apache-proxy": dict(streamed=True, no_length=411, chunked=411),
    "apache-fcgid": dict(streamed=False, no_length=None, chunked=201),
    "apache-cgi": dict(streamed=True, no_length=411, chunked=411),
    "busybox": dict(streamed=True, no_length=411, chunked=None, puts=False, ranges=False, slashes=False),
}
_doors = {}


@pytest.fixture(params=[(server, base) for server in SERVERS for base in ("", "/drop")
                        if not (server == "busybox" and base)], ids=lambda p: f"{p[0]}{p[1]}", scope="module")
def site(request):
    door = ServerDoor(request.param[0], base=request.param[1])
    door.can = {"puts": True, "ranges": True, "slashes": True, "own_413": False, **SERVERS[request.param[0]]}
    yield door
    door.close()
    wait_until(lambda: not door.workers(), "the worker to end with its server")


def store(site, name, content):
    """By PUT where the server passes it, else by POST."""
    if site.can["puts"]:
        return site.put(name, content).file
    return site.post(content, f"/upload?name={harness.urllib.parse.quote(name, safe='')}").file


def test_form(site):
    contents = [text(300, seed=1), text(200000, seed=2)]
    answer = site.send_form(("note", "für"), Upload("f", "Übersicht.txt", contents[0]), Upload("f", "b.bin", contents[1]))
    assert answer.status == 201, (answer, site.said())
    assert [f["name"] for f in answer.json["files"]] == ["Übersicht.txt", "b.bin"]
    for file, content in zip(answer.json["files"], contents):
        assert file["sha256"] == hashlib.sha256(content).hexdigest() and file["fields"] == {"note": "für"}
        assert file["url"] == f"{site.base}/files/{file['id']}/content"
        assert site.get(file["url"].removeprefix(site.base)).body == content


def test_put_names(site):
    for name in ("plain.txt", "mit leer zeichen.txt", "Übersicht 100%.txt", "a+b&c.txt", "waybill.cgi"):
        assert store(site, name, b"hello")["name"] == name
    if site.can["slashes"] and site.can["puts"]:
        assert site.put("dir/x.txt", b"hello").file["name"] == "x.txt"


def test_large_put(site):
    content = text(5_000_000, seed=3)
    file = store(site, "large.txt", content)
    assert file["size"] == len(content) and file["sha256"] == hashlib.sha256(content).hexdigest()


def test_no_length(site):
    before = site.stored()
    answer = site.request("POST", "/upload", {"Content-Length": None})
    if site.can["no_length"] is None:  # mod_fcgid makes it 0 and says nothing: an empty file or a 411
        assert answer.status in (201, 411)
    else:
        refused(answer, site.can["no_length"], "length_required")
        assert site.stored() == before


def test_chunked(site):
    if site.can["chunked"] is None:
        return
    with site.connect() as sock:
        sock.sendall(site.head("PUT", "/upload/chunked.txt", {"Transfer-Encoding": "chunked"}))
        if site.can["chunked"] == 411 and not site.server.startswith("apache"):
            answer = read_http(sock)  # before a byte of the body
        else:  # Apache wants the body first, whoever refuses it
            sock.sendall(b"10000\r\n" + bytes(0x10000) + b"\r\n0\r\n\r\n")
            answer = read_http(sock)
    if site.can["chunked"] == 411:
        refused(answer, 411, "length_required")
    else:
        assert answer.file["size"] == 0x10000


def test_bad_length_is_refused(site):
    assert site.request("POST", "/upload", {"Content-Length": "abc"}).status == 400


def test_too_large(site):
    """Where bodies stream, before they are sent."""
    if site.can["own_413"] or site.server == "lighttpd-buffered":
        answer = site.request("POST", "/upload", {"Content-Length": str(harness.GIB + 1)}, b"", stop=0)
        assert answer.status == 413, answer
    elif site.can["streamed"] and not site.server.startswith("apache"):
        answer = site.request("POST", "/upload", {"Content-Length": str(harness.GIB + 1)}, b"", stop=0)
        assert refused(answer, 413, "too_large")["max_bytes"] == harness.GIB
    elif site.server == "apache-proxy":  # wants some body before it relays an answer
        answer = site.request("POST", "/upload", {"Content-Length": str(harness.GIB + 1)}, bytes(200000))
        assert refused(answer, 413, "too_large")["max_bytes"] == harness.GIB


def test_refusals_as_a_client_sees_them(site):
    before = site.stored()
    refused(site.send_form(("no", "file")), 400, "no_file")
    refused(site.post(harness.ELF, "/upload?name=tool"), 415, "type_refused", "tool")
    refused(site.request("POST", "/upload", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=b"), 415, "unsupported_form")
    refused(site.get("/files/" + "0" * 26), 404, "not_found")
    assert site.get("/files?limit=x").status == 400
    answer = site.request("DELETE", "/files")
    refused(answer, 405, "method_not_allowed")
    assert "GET" in answer["Allow"]
    page = site.request("GET", "/files/" + "0" * 26, {"Accept": "text/html"})
    assert page.status == 404 and page["Content-Type"].startswith("text/html")
    assert site.stored() == before


def test_content(site):
    content = text(10000, seed=5)
    file = store(site, "Brief, \"neu\".txt", content)
    url = f"/files/{file['id']}/content"
    whole = site.get(url)
    assert whole.status == 200 and whole.body == content
    assert whole["Content-Disposition"].startswith("attachment") and whole["X-Content-Type-Options"] == "nosniff"
    assert whole["Content-Security-Policy"] == "sandbox; default-src 'none'"
    head = site.request("HEAD", url)
    assert head.status == 200 and head.body == b"" and head["ETag"] == whole["ETag"]
    if site.can["ranges"]:
        assert site.get(url, Range="bytes=10-19").body == content[10:20]
        several = site.get(url, Range="bytes=0-9,100-199")
        assert several.status == 206 and several["Content-Type"].startswith("multipart/byteranges")
        assert site.get(url, Range="bytes=10000-").status == 416
        assert site.get(url, If_None_Match=whole["ETag"]).status == 304


def test_authorization_passes(site):
    file = store(site, "gone.txt", b"to be deleted")
    url = f"/files/{file['id']}"
    assert site.request("DELETE", url).status == 401
    assert site.request("DELETE", url, {"Authorization": f"Bearer {file['delete_token']}"}).status == 204
    assert site.get(url).status == 404


def test_methods(site):
    assert site.request("OPTIONS", "/upload").status == 200
    assert site.request("HEAD", "/files").status == 200


def test_page_and_policy(site):
    page = site.request("GET", "/index.html" if site.server == "busybox" else "/", {"Accept": "text/html"})
    assert page.status == 200 and "<form" in page.text, page
    policy = site.get("/upload").json
    assert policy["streamed"] is site.can["streamed"]
    assert site.get("/healthz").status == 200


def test_mount_point_without_slash(site):
    if site.base == "/drop":
        with site.connect() as sock:
            sock.sendall(f"GET /drop HTTP/1.1\r\nHost: localhost:{site.port}\r\nConnection: close\r\n\r\n".encode())
            answer = read_http(sock)
        assert answer.status in (301, 308) and answer["Location"].endswith("/drop/")
        with site.connect() as sock:
            sock.sendall(b"GET /dropper/files HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert read_http(sock).status == 404


def test_abort_in_mid_body(site):
    before = site.stored()
    with site.connect() as sock:
        sock.sendall(site.head("POST", "/upload?name=cut", {}, 1_000_000) + bytes(300_000))
    wait_until(lambda: site.stored() == before, "nothing of it kept")
    assert store(site, "after.txt", b"after")["size"] == 5


def test_expect_continue(site):
    with site.connect() as sock:
        sock.sendall(site.head("POST", "/upload", {"Expect": "100-continue"}, 5))
        sock.sendall(b"hello")
        assert read_http(sock).file["size"] == 5
