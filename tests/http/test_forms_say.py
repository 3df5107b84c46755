"""What a form says to the server itself: how long to keep, which folders, where to go on; and path elsewhere."""
import base64
import json
from datetime import datetime
from urllib.parse import quote

import pytest

from exchange import Upload, refused
from shell import add_token, bearer, waybill

FRIEND = "https://app.example"


# ---- expires_in ----------------------------------------------------------------------------------

def lasts(file):
    times = [datetime.fromisoformat(file[key].replace("Z", "+00:00")) for key in ("uploaded_at", "expires_at")]
    return (times[1] - times[0]).total_seconds()


def test_expires_in(door):
    for where in 0, 1:
        parts = [("expires_in", "2h"), Upload("f", "a.txt", b"hello"), ("note", "kept")]
        if where:
            parts.reverse()
        answer = door.send_form(*parts)
        assert answer.status == 201 and lasts(answer.file) == 7200 and answer.file["fields"] == {"note": "kept"}
    assert door.send_form(("expires_in", ""), Upload("f", "a.txt", b"hello")).file["expires_at"] is None
    before = door.stored()
    for bad in "30", "0h", "-1h", "soon", "2h ", "9" * 70000 + "h":
        assert door.send_form(("expires_in", bad), Upload("f", "a.txt", b"hello")).status in (400, 413), bad
    refused(door.send_form(("expires_in", "1h"), ("expires_in", "2h"), Upload("f", "a.txt", b"x")), 400, "bad_request", "several")
    assert door.stored() == before


def test_expires_in_never_exceeds_the_server_s(open_door):
    door = open_door(expire_after="1h")
    assert lasts(door.send_form(("expires_in", "2d"), Upload("f", "a", b"x")).file) == 3600
    assert lasts(door.send_form(("expires_in", "10m"), Upload("f", "a", b"x")).file) == 600


# ---- path ----------------------------------------------------------------------------------------

PATHS = [("photos/2024", "photos/2024"), ("/photos//2024/", "photos/2024"), ("../../etc", "etc"), ("a/./b/..", "a/b"),
         ("C:\\Users\\me", "C:/Users/me"), ("grüße/ä", "grüße/ä"), (" a / b ", "a/b"), ("a\u202eb/c", "ab/c"), ("..", None),
         ("", None), ("///", None), ("x" * 300 + "/y", "x" * 255 + "/y")]


@pytest.mark.parametrize("raw, path", PATHS)
def test_path_of_a_form_and_of_the_query(door, raw, path):
    answer = door.send_form(("path", raw), Upload("f", "a.txt", b"hello"), Upload("f", "b.txt", b"hello"))
    assert [(f["path"], f["name"], f["fields"]) for f in answer.json["files"]] == [(path, "a.txt", {}), (path, "b.txt", {})]
    file = door.request("PUT", f"/upload/a.txt?path={quote(raw, safe='')}", {}, b"hello").file
    assert file["path"] == path and door.get(f"/files/{file['id']}").json["path"] == path


def test_a_path_too_long(door):
    before = door.stored()
    refused(door.send_form(("path", "abc/" * 300), Upload("f", "a.txt", b"x")), 414, "name_too_long")
    refused(door.request("PUT", "/upload/a.txt?path=" + "abc/" * 300, {}, b"x"), 414, "name_too_long")
    assert door.stored() == before


@pytest.mark.parametrize("relative, path", [("holiday/day 1/a.txt", "holiday/day 1"), ("holiday", "holiday"), ("a.txt", None), ("null", None),
                                            ("x/../aa.txt", "x/aa.txt"), ("", None)])
def test_relative_path_of_tus(door, relative, path):
    pairs = f"filename {base64.b64encode(b'a.txt').decode()},relativePath {base64.b64encode(relative.encode()).decode()},k {base64.b64encode(b'v').decode()}"
    made = door.request("POST", "/upload", {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": pairs}, b"")
    assert made.status == 201, made
    at = made["Location"]
    at = at[at.index("/upload/"):]
    patch = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
    assert door.request("PATCH", at, {**patch, "Upload-Offset": "0"}, b"he").status == 204
    done = door.request("PATCH", at, {**patch, "Upload-Offset": "2"}, b"llo")
    file = door.get(f"/files/{at.rsplit('/', 1)[1]}").json
    assert done.status == 204 and file["path"] == path and file["fields"] == {"k": "v"}


# ---- return_to -----------------------------------------------------------------------------------

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_return_to(open_door):
    door = open_door(allowed_origins=f"{FRIEND}, http://localhost:5173")
    for url in f"{FRIEND}/thanks?x=1#top", FRIEND, "http://localhost:5173/a", "/thanks", "/", f"{FRIEND}?a", "HTTPS://App.Example/x":
        answer = door.send_form(("return_to", url), Upload("f", "a.txt", b"hello"), headers={**HTML, "Origin": FRIEND})
        assert answer.status == 303 and answer["Location"] == url
        answer = door.send_form(("return_to", url), Upload("f", "a.txt", b"hello"))
        assert answer.status == 201 and answer.file["fields"] == {}
    before = door.stored()
    for url in ("https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "data:text/html,x",
                "https://app.example.evil.example/", "https://app.example@evil.example/", "https://app.example:444/", "ftp://app.example/",
                "https:/app.example/", "https://app.example\\@evil.example/", "/a b", "/\u00e4", "thanks.html", "https://", "/" + "a" * 3000,
                "http://app.example/"):
        for headers in {**HTML, "Origin": FRIEND}, {}:
            assert door.send_form(("return_to", url), Upload("f", "a.txt", b"hello"), headers=headers).status == 400, url
    refused(door.send_form(("return_to", "/a"), ("return_to", "/b"), Upload("f", "a.txt", b"x")), 400, "bad_request")
    assert door.stored() == before
    answer = door.send_form(("return_to", ""), Upload("f", "a.txt", b"hello"), headers=HTML)
    assert answer.status == 303 and "/receipt/" in answer["Location"]


def test_return_to_with_the_id(open_door):
    door = open_door(allowed_origins=FRIEND)
    for url in f"{FRIEND}/thanks?file={{id}}&x=1", f"{FRIEND}/{{id}}", "/done/{id}#x":
        answer = door.send_form(("return_to", url), Upload("f", "a.txt", b"one"), Upload("f", "b.txt", b"two"), headers=HTML)
        before, after = url.split("{id}")
        ident = answer["Location"][len(before):][:26]
        assert answer.status == 303 and answer["Location"] == before + ident + after
        assert door.get(f"/files/{ident}").json["name"] == "a.txt"
    for url in "/{id}/{id}", "/{name}", "/{id", "/a}{id}", "https://{id}.example/":
        assert door.send_form(("return_to", url), Upload("f", "a.txt", b"x"), headers=HTML).status == 400, url


# ---- whose, and from where -----------------------------------------------------------------------

def test_the_address_is_for_administrators(fresh):
    door = fresh("fastcgi", trusted_proxies="127.0.0.1")
    admin, reader = bearer(add_token(door, "root", "read,admin")), bearer(add_token(door, "bob", "read,upload"))
    far = {"X-Forwarded-For": "203.0.113.9"}
    file = door.put("a.txt", b"hello", **far).file
    other = door.request("POST", "/upload", {"Tus-Resumable": "1.0.0", "Upload-Length": "2", "Upload-Metadata": "filename Yg==",
                                             "Content-Type": "application/offset+octet-stream", **far}, b"ho")
    assert "address" not in file and other.status == 201
    for headers in {}, reader:
        assert all("address" not in f for f in door.request("GET", "/files", headers).json["files"])
    assert [f["address"] for f in door.request("GET", "/files", admin).json["files"]] == ["203.0.113.9"] * 2
    assert door.request("GET", f"/files/{file['id']}", admin).json["address"] == "203.0.113.9"
    assert '"address":"203.0.113.9"' in waybill(door, "show", file["id"])
    door.put("c.txt", b"hello")
    assert [f["name"] for f in json.loads(waybill(door, "ls", "--json", "--address", "203.0.113.9"))["files"]] == ["b", "a.txt"]


@pytest.mark.parametrize("kept, address", [("prefix", "203.0.113.0/24"), ("none", None)])
def test_as_much_of_it_as_is_wanted(fresh, kept, address):
    door = fresh("fastcgi", log_address=kept, trusted_proxies="127.0.0.1")
    admin = bearer(add_token(door, "root", "read,admin"))
    door.put("a.txt", b"hello", **{"X-Forwarded-For": "203.0.113.9"})
    assert [f["address"] for f in door.request("GET", "/files", admin).json["files"]] == [address]
