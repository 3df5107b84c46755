"""The body is the file: POST and PUT, their names, the record that comes back."""
import hashlib
import re
import time
from datetime import datetime, timezone
from urllib.parse import quote

import pytest

from exchange import ELF, PNG, refused, text

KEYS = ["id", "name", "path", "size", "type", "declared_type", "sha256", "owner", "fields", "uploaded_at", "expires_at", "url"]


# ---- the record --------------------------------------------------------------------------------

def test_record_to_the_letter(door):
    content = text(4321, seed=7)
    before = time.time()
    answer = door.put("Übersicht 2026.txt", content, Content_Type="application/octet-stream")
    after = time.time()
    assert answer.status == 201 and answer["Content-Type"].split(";")[0] == "application/json"
    assert list(answer.json) == ["files"]
    file = answer.file
    assert list(file) == KEYS + ["delete_token"]
    assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{26}", file["id"])
    assert answer["Location"] == f"{door.base}/files/{file['id']}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", file["uploaded_at"])
    at = datetime.strptime(file["uploaded_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc).timestamp()
    assert before - 0.002 <= at <= after + 0.002
    assert len(file["delete_token"]) >= 20
    expected = {"id": file["id"], "name": "Übersicht 2026.txt", "path": None, "size": 4321, "type": "text/plain",
                "declared_type": "application/octet-stream", "sha256": hashlib.sha256(content).hexdigest(),
                "owner": None, "fields": {}, "uploaded_at": file["uploaded_at"], "expires_at": None,
                "url": f"{door.base}/files/{file['id']}/content"}
    assert {k: v for k, v in file.items() if k != "delete_token"} == expected
    shown = door.get(f"/files/{file['id']}")
    assert shown.status == 200 and shown.json == expected and list(shown.json) == KEYS
    listed = door.get("/files?limit=1").json["files"][0]
    assert listed == expected


def test_ids_differ(door):
    ids = {door.put("same", b"same").file["id"] for _ in range(5)}
    assert len(ids) == 5


def test_mount_point_in_every_url(open_door):
    door = open_door(base="/drop")
    answer = door.put("a.txt", b"hello")
    file = answer.file
    assert answer["Location"] == f"/drop/files/{file['id']}"
    assert file["url"] == f"/drop/files/{file['id']}/content"
    assert door.get(f"/files/{file['id']}/content").body == b"hello"
    door.put("b.txt", b"hello")
    assert door.get("/files?limit=1").json["next"].startswith("/drop/files?")


def test_expiry_in_the_record(open_door):
    file = open_door(expire_after="1h").put("a", b"x").file
    as_time = lambda s: datetime.strptime(s, "%Y-%m-%dT%H:%M:%S.%fZ")
    assert abs((as_time(file["expires_at"]) - as_time(file["uploaded_at"])).total_seconds() - 3600) < 5


def test_same_content_is_stored_once(fresh, kind):
    door = fresh(kind)
    content = text(3000, seed=99)
    for n in range(4):
        door.put(f"{n}.txt", content)
    total, objects, partial = door.stored()
    assert total == 4 and len(objects) == 1 and partial == []
    assert hashlib.sha256(open(objects[0], "rb").read()).hexdigest() in objects[0].replace("/", "")


# ---- names -------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["a.txt", "mit leer zeichen.txt", "Übersicht.pdf", "100%.txt", "a+b.txt", "q?m.txt", "#x", "日本"])
def test_put_name(door, name):
    assert door.put(name, b"x").file["name"] == name


def test_put_name_with_an_encoded_slash(fastcgi):
    assert fastcgi.put("dir/x.txt", b"x").file["name"] == "x.txt"
    assert fastcgi.put("..", b"x").file["name"] == "unnamed"


@pytest.mark.parametrize("query,headers,name", [
    ("", {}, "unnamed"),
    ("?name=a%20b.txt", {}, "a b.txt"),
    ("?name=a+b.txt", {}, "a b.txt"),
    ("?name=%C3%9C.txt", {}, "Ü.txt"),
    ("?name=../../x", {}, "x"),
    ("?name=", {}, "unnamed"),
    ("", {"Content-Disposition": 'attachment; filename="c.txt"'}, "c.txt"),
    ("", {"Content-Disposition": "attachment; filename=c.txt"}, "c.txt"),
    ("", {"Content-Disposition": "attachment; filename=\"c.txt\"; filename*=UTF-8''%C3%9C.txt"}, "Ü.txt"),
    ("", {"Content-Disposition": "attachment; filename*=UTF-8''%C3%9C.txt; filename=\"c.txt\""}, "Ü.txt"),
    ("", {"Content-Disposition": 'attachment; filename="../..\\\\d.txt"'}, "d.txt"),
    ("", {"Content-Disposition": 'attachment; filename="with \\"quotes\\".txt"'}, 'with "quotes".txt'),
    ("?name=query.txt", {"Content-Disposition": 'attachment; filename="c.txt"'}, "query.txt")])
def test_post_name(door, query, headers, name):
    answer = door.request("POST", "/upload" + query, {"Content-Type": "text/plain", **headers}, b"hello")
    assert answer.file["name"] == name


def test_name_too_long(door, nothing_kept):
    answer = door.request("PUT", "/upload/" + "x" * 256, {"Content-Length": "5"}, b"", stop=0)
    refused(answer, 414, "name_too_long", 255)
    refused(door.request("POST", "/upload?name=" + "x" * 256, {}, b"hello"), 414, "name_too_long", 255)
    refused(door.request("PUT", "/upload/" + quote("ä" * 128), {}, b"hello"), 414, "name_too_long", 255)


def test_name_of_255_bytes(door):
    assert door.put("x" * 255, b"x").file["name"] == "x" * 255
    assert door.put("ä" * 127 + "x", b"x").file["name"] == "ä" * 127 + "x"


def test_bad_escape_in_the_address(fastcgi):
    before = fastcgi.stored()
    for path in ("/upload/a%2", "/upload/%zz", "/upload?name=%f"):
        method = "POST" if "?" in path else "PUT"
        refused(fastcgi.request(method, path, {}, b"x"), 400, "bad_request")
    assert fastcgi.stored() == before


# ---- types -------------------------------------------------------------------------------------

def file_says(content, tmp_path):
    import subprocess
    path = tmp_path / "head"
    path.write_bytes(content[:1 << 20])
    return subprocess.run(["file", "--brief", "--mime-type", "--no-sandbox", path], capture_output=True, text=True,
                          check=True).stdout.strip()


@pytest.mark.parametrize("content", [
    PNG, b"%PDF-1.4\n%\xe2\xe3\n1 0 obj\n<<>>\nendobj\n", b"GIF89a\1\0\1\0\0\0\0;", b"<!DOCTYPE html><html><body>hi</body></html>",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"#!/bin/sh\necho hi\n", b"PK\x03\x04" + bytes(26), b"{\"a\": 1}\n",
    b"hello", b"\0\1\2\3", bytes(5000), b"\xff\xd8\xff\xe0\0\x10JFIF\0\1" + bytes(100), "Grüße\n".encode(), b"%!PS-Adobe-3.0\n"])
def test_type_is_what_file_says(door, tmp_path, content):
    assert door.put("x", content, Content_Type="image/gif").file["type"] == file_says(content, tmp_path)


def test_type_of_nothing(door):
    assert door.put("x.pdf", b"").file["type"] in ("inode/x-empty", "application/x-empty")


@pytest.mark.parametrize("content", [ELF, b"\xcf\xfa\xed\xfe\x07\0\0\1" + b"\3\0\0\0\2\0\0\0" + bytes(300)])
def test_programs_are_refused(door, nothing_kept, content):
    problem = refused(door.put("tool", content, Content_Type="image/png"), 415, "type_refused", "tool")
    assert problem["file"] == "tool" and problem["detected_type"] in problem["detail"]


def test_refused_after_the_first_mib(lighttpd, fastcgi):
    """Not after the last byte: two MiB of fifty are sent, and the answer is there."""
    for door in (lighttpd, fastcgi):
        before = door.stored()
        answer = door.request("PUT", "/upload/tool", {"Content-Length": str(50 << 20)}, ELF + bytes(2 << 20),
                              stop=len(ELF) + (2 << 20))
        refused(answer, 415, "type_refused")
        assert door.stored() == before


def test_allow_types(open_door):
    door = open_door(allow_types="image/*, application/pdf", deny_types="image/gif")
    assert door.put("a", PNG).status == 201
    refused(door.put("a", b"GIF89a\1\0\1\0\0\0\0;"), 415, "type_refused", "image/gif")
    refused(door.put("a.png", b"just text", Content_Type="image/png"), 415, "type_refused", "text/plain")


def test_type_mismatch(open_door):
    door = open_door(type_mismatch="reject")
    refused(door.put("holiday.png", b"just some text here"), 415, "type_refused", "holiday.png")
    assert door.put("holiday.png", PNG).status == 201
    assert door.put("no extension", PNG).status == 201


# ---- digests -----------------------------------------------------------------------------------

def sf(algorithm, content):
    import base64
    return f"{algorithm}=:{base64.b64encode(hashlib.new(algorithm.replace('-', ''), content).digest()).decode()}:"


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_digest(door, header, algorithm):
    answer = door.request("PUT", "/upload/a", {header: sf(algorithm, b"hello")}, b"hello")
    assert answer.status == 201
    before = door.stored()
    refused(door.request("PUT", "/upload/a", {header: sf(algorithm, b"other")}, b"hello"), 422, "digest_mismatch")
    both = sf("sha-256", b"hello") + ", " + sf("sha-512", b"other")
    refused(door.request("PUT", "/upload/a", {header: both}, b"hello"), 422, "digest_mismatch")
    assert door.stored() == before


def test_digest_of_unknown_algorithm_is_ignored(door):
    assert door.request("PUT", "/upload/a", {"Content-Digest": "crc32c=:AAAAAA==:"}, b"hello").status == 201


def test_malformed_digest(door, nothing_kept):
    for value in ("sha-256=abc", "sha-256=:AAAA:", "sha-256=:!!!!:"):
        refused(door.request("PUT", "/upload/a", {"Content-Digest": value}, b"hello"), 400, "bad_request")


# ---- lengths not known -------------------------------------------------------------------------

def test_unknown_length_accepted(fresh):
    door = fresh("fastcgi", unknown_length="accept", max_bytes="100000")
    answer = door.request("PUT", "/upload/a", {"Content-Length": None}, b"x" * 100000)
    assert answer.file["size"] == 100000
    before = door.stored()
    problem = refused(door.request("PUT", "/upload/a", {"Content-Length": None}, b"x" * 100001), 413, "too_large", 100000)
    assert problem["max_bytes"] == 100000
    assert door.stored() == before
