"""GET /files: pages, filters, order, conditionals; GET /files/{id}."""
import json
import time
from urllib.parse import quote

import pytest

from exchange import PNG, refused, text
from shell import waybill


@pytest.fixture
def shelf(open_door, kind):
    """A door with thirty known files; the listing tests change nothing."""
    door = open_door(max_files="64", log="warn")
    if door.get("/files?limit=1").json["total"] == 0:
        for n in range(28):
            door.put(f"shelf-{n:02}.{'png' if n % 4 == 0 else 'txt'}", PNG if n % 4 == 0 else text(50, seed=n))
        door.put("ÄRGER %_.txt", b"special")
        door.put("Straße.txt", b"street")
    return door


def walk(door, query):
    """All names over all pages."""
    out, where = [], "/files?" + query
    while where:
        answer = door.get(where.removeprefix(door.base))
        assert answer.status == 200, answer
        out += [f["name"] for f in answer.json["files"]]
        where = answer.json["next"]
        link = answer["Link"]
        assert (link is None) == (where is None)
        if where:
            assert link == f'<{where}>; rel="next"'
            assert where.startswith(door.base + "/files?")
    return out


@pytest.mark.parametrize("limit", [1, 7, 10, 30, 1000])
def test_pages_cover_everything_once(shelf, limit):
    newest = walk(shelf, f"limit={limit}")
    assert len(newest) == 30 and len(set(newest)) == 30
    assert newest[0] == "Straße.txt" and newest[-1] == "shelf-00.png"
    assert walk(shelf, f"limit={limit}&order=oldest") == newest[::-1]
    assert walk(shelf, f"limit={limit}&order=newest") == newest


def test_shape(shelf):
    answer = shelf.get("/files")
    assert list(answer.json) == ["files", "next", "total"]
    assert answer.json["total"] == 30 and answer.json["next"] is None and len(answer.json["files"]) == 30
    assert answer["Content-Type"].split(";")[0] == "application/json"


def test_default_limit_is_fifty(fresh):
    door = fresh("fastcgi")
    from exchange import Upload
    door.send_form(*[Upload("f", f"{n}", b"%d" % n) for n in range(51)])
    answer = door.get("/files")
    assert len(answer.json["files"]) == 50 and answer.json["total"] == 51 and answer.json["next"]


def test_a_page_ends_before_a_mebibyte(fresh):
    """Whatever the limit says; nothing is missing, nothing comes twice, and smaller limits count."""
    door = fresh("fastcgi", base="/drop")
    from exchange import Upload
    expected = []
    for n in range(4):
        fields = [("k", '"' * 32000 if n % 2 else "x" * 65000)] if n else []
        door.send_form(*fields, *[Upload("f", f"{n}-{i}", b"words to read") for i in range(32)])
        expected += [f"{n}-{i}" for i in range(32)]
    for query in ("limit=1000", "limit=1000&order=oldest", "limit=1000&type=text/*", "limit=3"):
        where, seen, pages = "/files?" + query, [], 0
        while where:
            answer = door.get(where)
            assert answer.status == 200 and len(answer.body) < 1 << 20
            assert 1 <= len(answer.json["files"]) <= int(query[6:].split("&")[0])
            assert answer.json["total"] == len(expected)
            seen += [f["name"] for f in answer.json["files"]]
            where = answer.json["next"] and answer.json["next"].removeprefix(door.base)
            pages += 1
        assert seen == (expected if "oldest" in query else expected[::-1]), query
        assert pages >= 7
    for accept in ("text/html", "application/json"):
        page = door.get("/files?limit=1000", Accept=accept)
        assert 'rel="next"' in page["Link"] and len(page.body) < 1 << 20
    listed = json.loads(waybill(door, "ls", "--json"))
    assert [f["name"] for f in listed["files"]] == expected[::-1] and listed["next"] is None


def test_full_pages_of_ordinary_records(fresh):
    door = fresh("fastcgi")
    from exchange import Upload
    for n in range(16):
        door.send_form(("note", "x" * 100), *[Upload("f", f"{'ä' * 50}{n}-{i}.txt", b"x") for i in range(63)])
    answer = door.get("/files?limit=1000")
    assert len(answer.json["files"]) == 1000 and answer.json["total"] == 16 * 63


def test_filters(shelf):
    total = lambda query: shelf.get("/files?" + query).json["total"]
    assert total("type=image/*") == 7
    assert total("type=image/png") == 7
    assert total("type=text/*") == 23
    assert total("type=audio/*") == 0
    assert total("name=shelf") == 28
    assert total("name=SHELF-1") == 10
    assert total("name=" + quote("ärger")) == 1
    assert total("name=" + quote("%")) == 1
    assert total("name=_") == 1
    assert total("name=" + quote("STRASSE")) in (0, 1)  # full folding is not promised
    assert total("name=" + quote("straße")) == 1
    assert total("name=elf&type=image/*") == 7
    assert total("owner=alice") == 0
    assert all(n.endswith(".png") for n in walk(shelf, "type=image/*&limit=2"))
    assert len(walk(shelf, "type=image/*&limit=2")) == 7
    assert len(walk(shelf, "name=shelf-2&limit=3&order=oldest")) == 8


def test_since_and_until(shelf):
    files = shelf.get("/files?order=oldest").json["files"]
    early, late = files[0]["uploaded_at"], files[-1]["uploaded_at"]
    total = lambda query: shelf.get("/files?" + query).json["total"]
    assert total("since=" + early) == 30
    assert total("until=" + early) >= 1  # its own millisecond included
    assert total("until=2000-01-01T00:00:00Z") == 0
    assert total("since=" + late) >= 1
    assert total(f"since={early}&until={late}") == 30
    assert total("since=2000-01-01T00:00:00Z") == 30
    assert total("until=" + quote("2001-01-01T02:00:00+02:00")) == 0
    assert total("since=2999-01-01T00:00:00.5Z") == 0


@pytest.mark.parametrize("query", [
    "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=99999999999999999999", "cursor=x",
    "cursor=", "cursor=%00", "order=up", "order=", "since=", "until=", "since=yesterday", "since=2026-13-01T00:00:00Z",
    "since=2026-01-01", "until=12", "unknown=1", "Limit=5", "limit=5&limit=6", "type=%zz", "name=%"])
def test_bad_parameters(shelf, query):
    if "%" in query and shelf.__class__.__name__ == "ServerDoor":
        assert shelf.get("/files?" + query).status == 400  # lighttpd may refuse it first
    else:
        refused(shelf.get("/files?" + query), 400, "bad_request")


def test_cursor_of_another_question(shelf):
    """A cursor goes with the order it was made for, or is refused; it never skips silently."""
    cursor = shelf.get("/files?limit=5").json["next"]
    answer = shelf.get(cursor.removeprefix(shelf.base).replace("limit=5", "limit=7"))
    assert answer.status == 200 and len(answer.json["files"]) == 7


def test_etag_and_304(shelf):
    answer = shelf.get("/files?limit=3")
    etag = answer["ETag"]
    assert etag and (etag.startswith('"') or etag.startswith('W/"'))
    same = shelf.get("/files?limit=3", If_None_Match=etag)
    assert same.status == 304 and same.body == b"" and same["ETag"] == etag
    assert shelf.get("/files?limit=3", If_None_Match=f'"x", {etag}').status == 304
    assert shelf.get("/files?limit=3", If_None_Match="*").status == 304
    assert shelf.get("/files?limit=3", If_None_Match='"other"').status == 200
    assert shelf.get("/files?limit=4")["ETag"] != etag


def test_etag_follows_the_catalog(fresh):
    door = fresh("fastcgi")
    first = door.get("/files")["ETag"]
    file = door.put("a", b"x").file
    second = door.get("/files")["ETag"]
    assert first != second
    door.request("DELETE", f"/files/{file['id']}", {"Authorization": f"Bearer {file['delete_token']}"})
    assert door.get("/files")["ETag"] not in (second,)
    assert door.get("/files", If_None_Match=second).status == 200


def test_files_added_and_removed_meanwhile(fresh):
    door = fresh("fastcgi")
    files = [door.put(f"{n}", b"%d" % n).file for n in range(10)]
    page = door.get("/files?limit=4").json
    door.put("new", b"new")
    gone = files[9 - 4]  # the first of the next page
    door.request("DELETE", f"/files/{gone['id']}", {"Authorization": f"Bearer {gone['delete_token']}"})
    last = files[9 - 3]  # the one the cursor points at
    door.request("DELETE", f"/files/{last['id']}", {"Authorization": f"Bearer {last['delete_token']}"})
    rest = walk(door, page["next"].split("?", 1)[1])
    assert [f["name"] for f in page["files"]] == ["9", "8", "7", "6"]
    assert rest == ["4", "3", "2", "1", "0"]


def test_head(shelf):
    head, get = shelf.request("HEAD", "/files"), shelf.get("/files")
    assert head.status == 200 and head.body == b""
    assert head["ETag"] == get["ETag"] and head["Content-Type"] == get["Content-Type"]


# ---- one record --------------------------------------------------------------------------------

def test_unknown_record(door):
    refused(door.get("/files/" + "0" * 26), 404, "not_found")
    refused(door.get("/files/" + "0" * 26 + "/content"), 404, "not_found")
    refused(door.request("DELETE", "/files/" + "0" * 26), 404, "not_found")


@pytest.mark.parametrize("id", ["x", "0" * 25, "0" * 27, "O" * 26, "ABCDEFGHJKMNPQRSTVWXYZ0123", "..", "%00" * 26])
def test_malformed_id(fastcgi, id):
    refused(fastcgi.get(f"/files/{id}"), 400, "bad_request")
