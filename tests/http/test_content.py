"""GET and HEAD of the bytes: ranges, conditionals, the headers that protect; DELETE."""
import base64
import email.parser
import hashlib
import re
from urllib.parse import unquote

import pytest

from exchange import PNG, refused, text
from shell import add_token, bearer

CONTENT = text(10000, seed=5)
SHA = hashlib.sha256(CONTENT)


@pytest.fixture
def kept(door):
    file = door.put("Übersicht, \"neu\".txt", CONTENT).file
    return door, file, f"/files/{file['id']}/content"


def test_whole(kept):
    door, file, url = kept
    assert file["url"] == door.base + url
    for path in (url, url + "/any%20name.txt"):
        answer = door.get(path)
        assert answer.status == 200 and answer.body == CONTENT
        assert answer["Content-Type"].split(";")[0] == "text/plain"
        assert answer["Accept-Ranges"] == "bytes"


def test_protective_headers(kept):
    door, file, url = kept
    for headers in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=0-1,5-6"}):
        answer = door.request("GET", url, headers)
        assert answer.status in (200, 206)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
        disposition = answer["Content-Disposition"]
        assert disposition.startswith("attachment")
        star = re.search(r"filename\*=UTF-8''([^;\s]+)", disposition)
        assert unquote(star[1]) == file["name"]
        assert answer["Repr-Digest"] == f"sha-256=:{base64.b64encode(SHA.digest()).decode()}:"


@pytest.mark.parametrize("content,name", [(b"<script>alert(1)</script><html></html>", "x.html"),
                                          (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "x.svg")])
def test_never_inline(door, content, name):
    file = door.put(name, content).file
    answer = door.get(f"/files/{file['id']}/content/{name}")
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"


RUN = ["script", "style", "worker", "sharedworker", "serviceworker", "audioworklet", "paintworklet", "xslt", "manifest", "embed", "object"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("dest", RUN)
def test_content_is_not_handed_out_to_be_run(kept, dest, method):
    door, file, url = kept
    etag = door.get(url)["ETag"]
    for path, more in ((url, {}), (url + "/a.js", {}), (url, {"Range": "bytes=0-9"}), (url, {"If-None-Match": etag})):
        answer = door.request(method, path, {"Sec-Fetch-Dest": dest, "Sec-Fetch-Site": "same-origin", **more})
        if method == "HEAD":
            assert answer.status == 403
        else:
            refused(answer, 403, "forbidden", dest)
    assert door.request(method, f"/files/{file['id']}", {"Sec-Fetch-Dest": dest}).status == 200


@pytest.mark.parametrize("dest", [None, "empty", "document", "iframe", "image", "video", "audio", "font", "track", "report", "json", "new"])
def test_all_else_is_a_download(kept, dest):
    door, _, url = kept
    assert door.request("GET", url, {"Sec-Fetch-Dest": dest}).body == CONTENT


def test_the_pages_own_scripts_are_served(door):
    page = door.get("/")
    names = re.findall(r'(?:src|href)="([a-z.]+\.(?:js|css))"', page.text)
    assert names
    for name in names:
        dest = "script" if name.endswith(".js") else "style"
        answer = door.request("GET", "/" + name, {"Sec-Fetch-Dest": dest, "Sec-Fetch-Site": "same-origin"})
        assert answer.status == 200 and answer["Content-Type"].startswith("text/")


def test_scripts_go_out_as_text(door):
    """The record says what they are; the content's type is none that a browser runs."""
    file = door.put("a.js", b"#!/usr/bin/env node\nconsole.log(1)\n", Content_Type="text/javascript").file
    assert "javascript" in file["type"]
    for spec in (None, "bytes=0-3", "bytes=0-1,5-6"):
        answer = door.request("GET", f"/files/{file['id']}/content", {"Range": spec})
        assert answer["X-Content-Type-Options"] == "nosniff" and b"javascript" not in answer.body
        assert answer["Content-Type"].startswith(("text/plain", "multipart/byteranges")), answer
    assert door.request("HEAD", f"/files/{file['id']}/content")["Content-Type"].startswith("text/plain")


def test_head(kept):
    door, file, url = kept
    head, get = door.request("HEAD", url), door.get(url)
    assert head.status == 200 and head.body == b"" and head["Content-Length"] == "10000"
    for name in ("ETag", "Last-Modified", "Content-Type", "Content-Disposition", "Repr-Digest"):
        assert head[name] == get[name] is not None


@pytest.mark.parametrize("spec,first,last", [
    ("bytes=0-0", 0, 0), ("bytes=0-9", 0, 9), ("bytes=9990-", 9990, 9999), ("bytes=-10", 9990, 9999), ("bytes=0-", 0, 9999),
    ("bytes=-20000", 0, 9999), ("bytes=9000-20000", 9000, 9999), ("bytes=5000-5000", 5000, 5000), ("Bytes=0-9", 0, 9)])
def test_range(kept, spec, first, last):
    door, _, url = kept
    answer = door.get(url, Range=spec)
    assert answer.status == 206, answer
    assert answer.body == CONTENT[first:last + 1]
    assert answer["Content-Range"] == f"bytes {first}-{last}/10000"
    assert answer["Content-Length"] == str(last - first + 1)


def test_several_ranges(kept):
    door, _, url = kept
    answer = door.get(url, Range="bytes=0-9,100-199,-5")
    assert answer.status == 206
    assert answer["Content-Type"].startswith("multipart/byteranges; boundary=")
    message = email.parser.BytesParser().parsebytes(
        b"Content-Type: " + answer["Content-Type"].encode() + b"\r\n\r\n" + answer.body)
    parts = message.get_payload()
    assert [p["Content-Range"] for p in parts] == ["bytes 0-9/10000", "bytes 100-199/10000", "bytes 9995-9999/10000"]
    assert [p.get_payload().encode() for p in parts] == [CONTENT[:10], CONTENT[100:200], CONTENT[-5:]]
    assert all(p.get_content_type() == "text/plain" for p in parts)


@pytest.mark.parametrize("spec", ["bytes=10000-", "bytes=20000-30000", "bytes=-0"])
def test_unsatisfiable(kept, spec):
    door, _, url = kept
    answer = door.get(url, Range=spec)
    assert answer.status == 416 and answer["Content-Range"] == "bytes */10000", answer


@pytest.mark.parametrize("spec", ["bytes=5-1", "bytes=", "bytes=a-b", "lines=0-9", "bytes", "bytes=0-9;", "0-9", "bytes=--5", "bytes=1-2-3"])
def test_invalid_range_is_ignored(kept, spec):
    door, _, url = kept
    answer = door.get(url, Range=spec)
    assert answer.status == 200 and answer.body == CONTENT


def test_many_ranges_do_no_harm(kept):
    door, _, url = kept
    answer = door.get(url, Range="bytes=" + ",".join(["0-"] * 500))
    assert answer.status in (200, 206, 416) and len(answer.body) < 100000


def test_range_of_an_empty_file(door):
    file = door.put("empty", b"").file
    answer = door.get(f"/files/{file['id']}/content")
    assert answer.status == 200 and answer.body == b""
    assert door.get(f"/files/{file['id']}/content", Range="bytes=0-0").status == 416


def test_conditionals(kept):
    door, _, url = kept
    first = door.get(url)
    etag, modified = first["ETag"], first["Last-Modified"]
    assert SHA.hexdigest()[:16] in etag or base64.b64encode(SHA.digest()).decode()[:12] in etag, "from the SHA-256"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", modified)
    not_modified = door.get(url, If_None_Match=etag)
    assert not_modified.status == 304 and not_modified.body == b"" and not_modified["ETag"] == etag
    assert door.get(url, If_None_Match=f'"x", W/{etag}').status == 304
    assert door.get(url, If_None_Match="*").status == 304
    assert door.get(url, If_None_Match='"x"').status == 200
    assert door.get(url, If_Range=etag, Range="bytes=0-9").status == 206
    assert door.get(url, If_Range='"x"', Range="bytes=0-9").status == 200
    assert door.get(url, If_Range="W/" + etag, Range="bytes=0-9").status == 200
    assert door.get(url, If_Range=modified, Range="bytes=0-9").status in (200, 206)
    same = door.put("copy", CONTENT).file
    assert door.get(f"/files/{same['id']}/content")["ETag"] == etag


# ---- DELETE ------------------------------------------------------------------------------------

def test_delete_by_token(door):
    file = door.put("gone.txt", b"to be deleted " + door.home.name.encode()).file
    url = f"/files/{file['id']}"
    before = door.stored()
    answer = door.request("DELETE", url)
    assert answer.status == 401 and answer["WWW-Authenticate"].startswith("Bearer"), answer
    refused(answer, 401, "unauthorized")
    assert door.request("DELETE", url, {"Authorization": "Bearer wrong"}).status == 401
    other = door.put("other.txt", b"another one").file
    assert door.request("DELETE", url, {"Authorization": f"Bearer {other['delete_token']}"}).status == 401
    assert "delete_token" not in door.get(url).json
    answer = door.request("DELETE", url, {"Authorization": f"Bearer {file['delete_token']}"})
    assert answer.status == 204 and answer.body == b""
    for path in (url, url + "/content"):
        refused(door.get(path), 404, "not_found")
    again = door.request("DELETE", url, {"Authorization": f"Bearer {file['delete_token']}"})
    refused(again, 404, "not_found")
    assert set(door.stored()[1]) < set(before[1]) | set(door.stored()[1])
    assert file["sha256"] not in "".join(door.stored()[1]).replace("/", "")


def test_object_goes_with_its_last_file(fresh):
    door = fresh("fastcgi")
    files = [door.put(f"{n}", b"shared content").file for n in range(2)]
    for n, left in ((0, 1), (1, 0)):
        door.request("DELETE", f"/files/{files[n]['id']}", {"Authorization": f"Bearer {files[n]['delete_token']}"})
        assert len(door.stored()[1]) == left
    assert door.stored() == (0, [], [])


def test_delete_open(open_door):
    door = open_door(delete_access="open")
    file = door.put("a", b"x").file
    assert "delete_token" not in file
    assert door.request("DELETE", f"/files/{file['id']}").status == 204


def test_delete_off(open_door):
    door = open_door(delete_access="off")
    file = door.put("a", b"x").file
    refused(door.request("DELETE", f"/files/{file['id']}"), 403, "forbidden")


# ---- in place, and on other sites ------------------------------------------------------------------

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
SHOWN = [("a.png", PNG, "inline"), ("a.txt", b"only text, in English\n", "inline"), ("a.html", PNG, "inline"),
         ("a.pdf", b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n", "inline"), ("a.svg", SVG, "attachment"),
         ("a.png", b"<!DOCTYPE html><html><body>hello</body></html>", "attachment"), ("a.xml", b'<?xml version="1.0"?><a/>', "attachment"),
         ("a.bin", bytes(range(256)), "attachment")]


@pytest.mark.parametrize("name, content, shown", SHOWN)
def test_inline_only_what_can_do_no_harm(door, name, content, shown):
    file = door.put(name, content).file
    path = f"/files/{file['id']}/content"
    for asked, disposition in ("?inline", shown), ("?inline=", shown), ("?inline=1", shown), ("", "attachment"):
        for at in path, f"{path}/{name}":
            answer = door.get(at + asked)
            assert answer.status == 200 and answer.body == content
            assert answer["Content-Disposition"].split(";")[0] == disposition, (asked, file["type"])
            assert answer["X-Content-Type-Options"] == "nosniff" and answer["Content-Security-Policy"].startswith("sandbox")


def test_content_for_pages_of_allowed_origins(open_door):
    door = open_door(allowed_origins="https://app.example, http://localhost:5173")
    path = f"/files/{door.put('a.png', PNG).file['id']}/content"
    for headers, policy in [({"Origin": "https://app.example"}, "cross-origin"), ({"Referer": "https://app.example/"}, "cross-origin"),
                            ({"Referer": "https://app.example/page?x=/y"}, "cross-origin"), ({"Referer": "http://localhost:5173"}, "cross-origin"),
                            ({"Referer": "https://app.example.evil.example/"}, "same-origin"), ({"Referer": "https://app.example@evil.example/"}, "same-origin"),
                            ({"Referer": "http://app.example/"}, "same-origin"), ({"Origin": "https://evil.example"}, "same-origin"),
                            ({"Referer": "nonsense"}, "same-origin"), ({}, "same-origin")]:
        answer = door.get(path, **headers)
        assert answer.status == 200 and answer["Cross-Origin-Resource-Policy"] == policy, headers
        again = door.get(path, **headers, **{"If-None-Match": answer["ETag"]})
        assert again.status == 304 and again["Cross-Origin-Resource-Policy"] == policy


def test_the_policy_tells_quota_and_expiry(fresh):
    door = fresh("fastcgi", owner_quota_bytes="1M", expire_after="7d")
    token = add_token(door, "alice", "upload,read")
    door.request("PUT", "/upload/a", bearer(token), b"x" * 5000)
    policy = door.request("GET", "/upload", bearer(token)).json
    assert policy["quota"] == {"limit": 1 << 20, "used": 5000} and policy["expires_after"] == 7 * 86400
    assert door.get("/upload").json["quota"] == {"limit": 1 << 20, "used": 0}
    assert fresh("fastcgi").get("/upload").json["quota"] is None
