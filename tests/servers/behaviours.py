"""behaviours.py: what is asked of every server. Each takes a Site, asserts what must hold everywhere,
and returns its cell of the table in expected.py: what a client sees of it there.
"""
import base64
import hashlib
import http.client
import re

import exchange
from exchange import Upload, form, read_http, refused, text
from processes import wait_until
from sites import LIMIT, seen

ALL = {}  # name -> function, in the order of the table


def behaviour(name):
    def enter(function):
        ALL[name] = function
        return function
    return enter


@behaviour("form of two files and a field")
def whole_form(site):
    contents = [text(300, seed=1), text(200000, seed=2)]
    answer = site.send_form(("note", "für"), Upload("f", "Übersicht.txt", contents[0]), Upload("f", "b.bin", contents[1]))
    assert answer.status == 201, (answer, site.said())
    assert [f["name"] for f in answer.json["files"]] == ["Übersicht.txt", "b.bin"]
    for file, content in zip(answer.json["files"], contents):
        assert file["sha256"] == hashlib.sha256(content).hexdigest() and file["fields"] == {"note": "für"}
        assert site.content(file).body == content
    return "201"


@behaviour("PUT of 5 MB")
def put(site):
    content = text(5_000_000, seed=3)
    answer = site.put("large.txt", content)
    if answer.status == 201:
        assert answer.file["sha256"] == hashlib.sha256(content).hexdigest()
        assert site.content(answer.file).body == content
    return seen(answer)


@behaviour("POST of 5 MB")
def post(site):
    content = text(5_000_000, seed=4)
    file = site.post(content, "/upload?name=large.txt").file
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    return "201"


@behaviour("names: escapes, UTF-8, +, ~, .cgi")
def names(site):
    for name in ("plain.txt", "mit leer zeichen.txt", "Übersicht 100%.txt", "a+b&c=d;e.txt", "waybill.cgi", "old.txt~",
                 "日本語.txt", "e\u0301.txt", "#?'.txt"):
        assert site.store(name, b"hello")["name"] == name
    return "kept"


@behaviour("%2F in a name")
def encoded_slash(site):
    if site.facts["puts"]:
        answer = site.put("dir/x.txt", b"hello")
        assert answer.file["name"] == "x.txt"
    file = site.store("y.txt", b"hello")
    return seen(site.get(f"/files/{file['id']}/content/a%2Fb"))


@behaviour("mount point in URLs and redirects")
def mount_point(site):
    file = site.store("at.txt", b"hello")
    assert file["url"] == f"{site.base}/files/{file['id']}/content"
    answer = site.post(b"hello again", "/upload?name=at.txt")
    assert answer["Location"] == f"{site.base}/files/{answer.file['id']}"
    listing = site.get("/files?limit=1").json
    assert listing["next"].startswith(f"{site.base}/files?")
    assert site.get(listing["next"].removeprefix(site.base)).status == 200
    home = "/index.html" if site.kind == "busybox" else "/"  # busybox takes a last slash for a folder
    page = site.request("GET", home, {"Accept": "text/html"})
    assert page.status == 200 and "<form" in page.text, page
    lost = site.request("GET", "/files/x", {"Accept": "text/html"})
    linked = re.search(r'href="([^"]*)">send files', lost.text)[1]
    assert "<form" in site.get(linked.removeprefix(site.base)).text
    if site.base:
        base, site.base = site.base, ""
        moved, other = site.get(base), site.get(base + "per/files")
        site.base = base
        assert moved.status in (301, 308) and moved["Location"].endswith(base + home), moved
        assert other.status == 404
    return "right"


@behaviour("refusals in JSON or HTML: 400, 404, 405, 415")
def refusals(site):
    before = site.stored()
    refused(site.send_form(("no", "file")), 400, "no_file")
    refused(site.post(exchange.ELF, "/upload?name=tool"), 415, "type_refused", "tool")
    refused(site.request("POST", "/upload", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=b"),
            415, "unsupported_form")
    refused(site.get("/files/" + "0" * 26), 404, "not_found")
    refused(site.get("/files?limit=x"), 400, "bad_request")
    answer = site.request("DELETE", "/files")
    refused(answer, 405, "method_not_allowed")
    assert "GET" in answer["Allow"]
    page = site.request("GET", "/files/" + "0" * 26, {"Accept": "text/html"})
    assert page.status == 404 and page["Content-Type"].startswith("text/html")
    assert site.stored() == before
    return "the worker's"


@behaviour("POST without a length")
def no_length(site):
    before = site.stored()
    answer = site.request("POST", "/upload", {"Content-Length": None})
    if answer.status == 411:
        refused(answer, 411, "length_required")
        assert site.stored() == before
    return seen(answer)


@behaviour("PUT, chunked")
def chunked(site):
    before = site.stored()
    with site.connect() as sock:
        sock.sendall(site.head("PUT", "/upload/chunked.txt", {"Transfer-Encoding": "chunked"}))
        if site.facts["waits"] or not site.facts["streams"]:  # for the body, whoever answers
            sock.sendall(b"10000\r\n" + text(0x10000) + b"\r\n0\r\n\r\n")
        answer = read_http(sock)
    if answer.status == 201:
        assert answer.file["size"] == 0x10000
    else:
        assert site.stored() == before
    return seen(answer)


@behaviour("Content-Length: abc")
def bad_length(site):
    before = site.stored()
    answer = site.request("POST", "/upload", {"Content-Length": "abc"})
    assert site.stored() == before
    return seen(answer)


@behaviour("over max_bytes")
def too_large(site):
    """Where the server streams, the answer is there before the body; Apache wants to see some of it."""
    before = site.stored()
    body, stop = bytes(LIMIT + 1), None
    if site.facts["early"]:
        stop = 200000 if site.facts["waits"] else 0
    answer = site.request("POST", "/upload", {"Content-Length": str(LIMIT + 1)}, body, stop=stop)
    assert refused(answer, 413, "too_large")["max_bytes"] == LIMIT
    assert site.stored() == before
    return "413 " + {None: "after the body", 0: "at once"}.get(stop, "after its first bytes")


@behaviour("over the server's own limit (1 GiB as shipped)")
def over_own_limit(site):
    if not site.facts["limit"]:
        return "none"
    answer = site.request("POST", "/upload", {"Content-Length": str(exchange.GIB + 1)}, b"", stop=0)
    return seen(answer)


@behaviour("Expect: 100-continue")
def expect(site):
    with site.connect() as sock:
        sock.sendall(site.head("POST", "/upload", {"Expect": "100-continue"}, 5))
        if site.kind != "busybox":
            first = b""
            while b"\r\n\r\n" not in first:
                first += sock.recv(1)
            assert first.startswith(b"HTTP/1.1 100")
        sock.sendall(b"hello")
        assert read_http(sock).file["size"] == 5
    return "100, then 201" if site.kind != "busybox" else "201"


MUST_SURVIVE = {"ETag", "Last-Modified", "Content-Disposition", "X-Content-Type-Options", "Content-Security-Policy",
                "Cross-Origin-Resource-Policy", "Repr-Digest", "Cache-Control", "Vary", "Content-Type"}


def assert_protected(answer, file, name):
    """Whoever sends the bytes: what keeps a browser safe, and what clients compare, is there once."""
    digest = bytes.fromhex(file["sha256"])
    for header in MUST_SURVIVE:
        assert len(answer.all(header)) == 1, (header, answer)
    assert answer["ETag"] == f'"{file["sha256"]}"'
    assert answer["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Content-Disposition"].startswith("attachment") and name in answer["Content-Disposition"]
    assert "X-Sendfile" not in dict(answer.headers) and "X-Accel-Redirect" not in dict(answer.headers)


@behaviour("download and its protective headers")
def download(site):
    content = text(300_000, seed=5)
    file = site.store("Brief, \"neu\".html", b"<html>" + content)
    whole = site.content(file)
    assert whole.status == 200 and whole.body == b"<html>" + content
    assert_protected(whole, file, "Brief%2C%20%22neu%22.html")
    url = file["url"].removeprefix(site.base)
    assert site.get(url, If_None_Match='"other"').body == whole.body
    if site.rich:  # the server sent it: the store's own address stays closed
        for path in ("/waybill-objects/", "/objects/"):
            assert site.get(path + file["sha256"]).status == 404
    return "200"


@behaviour("HEAD")
def head(site):
    file = site.store("head.txt", text(10000))
    url = file["url"].removeprefix(site.base)
    answer = site.request("HEAD", url)
    assert answer.status == 200 and answer.body == b""
    assert_protected(answer, file, "head.txt")
    assert site.request("HEAD", "/files").status == 200
    return "200" if answer["Content-Length"] == "10000" else "200, no length"


@behaviour("Range")
def one_range(site):
    content = text(10000, seed=6)
    file = site.store("range.txt", content)
    url = file["url"].removeprefix(site.base)
    answer = site.get(url, Range="bytes=10-19")
    if answer.status != 206:
        assert answer.body == content
        return str(answer.status)
    assert answer.body == content[10:20] and answer["Content-Range"] == "bytes 10-19/10000"
    assert_protected(answer, file, "range.txt")
    assert site.get(url, Range="bytes=-5").body == content[-5:]
    assert site.get(url, Range="bytes=10000-").status == 416
    etag = answer["ETag"]
    assert site.get(url, Range="bytes=1-2", If_Range=etag).body == content[1:3]
    assert site.get(url, Range="bytes=1-2", If_Range='"other"').body == content
    return "206"


@behaviour("several ranges")
def several_ranges(site):
    content = text(10000, seed=7)
    file = site.store("ranges.txt", content)
    answer = site.get(file["url"].removeprefix(site.base), Range="bytes=0-9,100-199")
    if answer.status != 206:
        assert answer.body == content
        return str(answer.status)
    assert answer["Content-Type"].startswith("multipart/byteranges")
    assert b"bytes 0-9/10000\r\n\r\n" + content[:10] in answer.body
    assert b"bytes 100-199/10000\r\n\r\n" + content[100:200] in answer.body
    return "206, in parts"


@behaviour("If-None-Match")
def unchanged(site):
    file = site.store("same.txt", text(10000))
    url = file["url"].removeprefix(site.base)
    return str(site.get(url, If_None_Match=site.get(url)["ETag"]).status)


@behaviour("Authorization, DELETE")
def authorization(site):
    file = site.store("gone.txt", b"to be deleted")
    url = f"/files/{file['id']}"
    refused(site.request("DELETE", url), 401, "unauthorized")
    assert site.request("DELETE", url, {"Authorization": f"Bearer {file['delete_token']}"}).status == 204
    refused(site.get(url), 404, "not_found")
    refused(site.post(b"hello", Authorization="Bearer nonsense"), 401, "unauthorized")
    return "401, 204, 404"


@behaviour("OPTIONS")
def options(site):
    answer = site.request("OPTIONS", "/upload")
    assert answer["Tus-Version"] == "1.0.0", answer
    return str(answer.status)


@behaviour("a method nobody knows")
def unknown_method(site):
    return seen(site.request("FROB", "/files"))


@behaviour("HTTP/1.1 bodies behind each other on one connection")
def pipelined(site):
    """What one request leaves unread must not become the next one's head."""
    site.store("before.txt", b"1")
    with site.connect() as sock:
        for number in range(3):
            headers, body = form(Upload("f", f"{number}.txt", b"hello"))
            head_of = site.head("POST", "/upload", {**headers, "Connection": "keep-alive"}, len(body))
            try:
                sock.sendall(head_of + body)
                answer = read_http(sock, "POST")
            except OSError:
                return "closes"  # busybox: one request a connection
            except http.client.HTTPException:
                return "closes"
            assert answer.status == 201, answer
    return "kept open"


@behaviour("cut in mid-body")
def cut(site):
    before = site.stored()
    with site.connect() as sock:
        sock.sendall(site.head("POST", "/upload?name=cut", {}, 1_000_000) + bytes(300_000))
    wait_until(lambda: site.stored() == before, "nothing of it kept")
    assert site.store("after.txt", b"after")["size"] == 5
    assert site.alive()
    return "nothing kept"
