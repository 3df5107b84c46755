"""What the server in front tells by parameters, against the settings: where they disagree waybill does it itself,
and says so once."""
import subprocess

import pytest

from exchange import refused, text
from harness import FastCGIDoor, ServerDoor
from processes import WAYBILL, wait_until
from test_operations import lines

CONTENT = text(5000, seed=8)
HANDED = {"x-sendfile": "X-Sendfile", "x-accel-redirect": "X-Accel-Redirect"}


@pytest.fixture
def opened():
    doors = []

    def door(kind=FastCGIDoor, **config):
        doors.append(kind(config) if kind is FastCGIDoor else kind("lighttpd", config))
        return doors[-1]
    yield door
    for one in doors:
        one.close()


def fetch(door, **told):
    """How content goes out: the header that hands it over, or None where waybill sends it."""
    url = f"/files/{door.put('a.txt', CONTENT).file['id']}/content"
    for _ in range(3):
        answer = door.request("GET", url, **told)
        assert answer.status == 200
        ways = [way for way, header in HANDED.items() if answer[header]]
        assert answer.body == (b"" if ways else CONTENT)
    return ways[0] if ways else None


def warned(door, message):
    return [line for line in lines(door) if message in line.get("msg", "")]


@pytest.mark.parametrize("own, told, way, warns", [
    (None, None, None, 0),
    (None, "none", None, 0),
    (None, "x-sendfile", "x-sendfile", 0),
    (None, "x-accel-redirect", "x-accel-redirect", 0),
    (None, "X-Lighttpd-Send", None, 1),
    ("none", "x-sendfile", None, 0),
    ("x-sendfile", None, "x-sendfile", 0),
    ("x-sendfile", "x-sendfile", "x-sendfile", 0),
    ("x-sendfile", "none", None, 1),
    ("x-sendfile", "x-accel-redirect", None, 1),
    ("x-accel-redirect", "none", None, 1),
])
def test_sendfile(opened, own, told, way, warns):
    door = opened(**({"sendfile": own} if own else {}))
    assert fetch(door, **({"WAYBILL_SENDFILE": told} if told else {})) == way
    assert len(warned(door, "sendfile disagree")) == warns


@pytest.mark.parametrize("where, way", [("{data}/objects", "x-sendfile"), ("{data}/objects/", "x-sendfile"), ("{data}", None),
                                        ("/var/lib/waybill/objects", None), ("{data}/objects2", None)])
def test_objects_elsewhere(opened, where, way):
    """The server's root for downloads is another than data_dir: it would answer 404 or 403."""
    door = opened()
    assert fetch(door, WAYBILL_SENDFILE="x-sendfile", WAYBILL_OBJECTS=where.format(data=door.data)) == way
    assert len(warned(door, "data_dir disagree")) == (way is None)


@pytest.mark.parametrize("limit, told, warns", [("1000", 1000, 1), ("0", 9000, 0), ("9000", 9000, 0), ("99999999", 9000, 0), ("1g", 9000, 0)])
def test_limit(opened, limit, told, warns):
    door = opened(max_bytes="9000")
    for _ in range(2):
        assert door.request("GET", "/upload", WAYBILL_BODY_LIMIT=limit).json["max_bytes"] == told
    assert len(warned(door, "less than max_bytes")) == warns
    refusal = door.request("GET", "/upload", WAYBILL_BODY_LIMIT=limit, REDIRECT_STATUS="413")
    assert refused(refusal, 413, "too_large", told)["max_bytes"] == told


def test_body_file_without_a_directory(opened):
    door = opened()
    assert door.request("GET", "/upload", REQUEST_BODY_FILE="").status == 200
    assert not warned(door, "as files")
    for _ in range(2):
        door.request("POST", "/upload", None, b"hello", REQUEST_BODY_FILE="/tmp/waybill-body")
    assert len(warned(door, "as files")) == 1


@pytest.mark.parametrize("own, told, warns", [("/drop", "/drop", 0), ("/drop", "/drop/", 0), ("/other", "/drop", 1), ("/drop", "", 1)])
def test_mount_point(opened, own, told, warns):
    door = opened(base=own)
    for _ in range(2):
        assert door.request("GET", f"{told.rstrip('/')}/upload", WAYBILL_BASE=told).status == 200
    assert len(warned(door, "base disagree")) == warns


def test_no_client_can_tell(opened):
    """Not by a header of that name, with whichever separators."""
    door = opened(ServerDoor, max_bytes="9000")
    file = door.put("a.txt", CONTENT).file
    for name, value in (("SENDFILE", "x-sendfile"), ("SENDFILE", "x-accel-redirect"), ("OBJECTS", f"{door.data}/objects"),
                        ("BODY_LIMIT", "1"), ("STREAMED", "perhaps"), ("BASE", "/evil")):
        for header in (f"WAYBILL_{name}", f"Waybill-{name.replace('_', '-').title()}"):
            answer = door.request("GET", f"/files/{file['id']}/content", {header: value})
            assert answer.status == 200 and answer.body == CONTENT, (header, answer)
            policy = door.request("GET", "/upload", {header: value})
            assert policy.status == 200 and policy.json["max_bytes"] == 9000, (header, policy)


@pytest.mark.parametrize("where", ["unix:", "unix:/tmp/", "unix:" + "x" * 108, "", "x", ":9000", "localhost", "localhost:", "localhost:http",
                                   "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "::1:9000"])
def test_no_place_to_listen_on(tmp_path, where):
    done = subprocess.run([WAYBILL, "serve", "-l", where], env={"WAYBILL_DATA_DIR": str(tmp_path / "data")}, capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 2 and done.stderr.startswith("waybill: -l"), done
    assert not (tmp_path / "data").exists()


def test_serving_says_where(opened):
    door = opened(base="/drop")
    [line] = wait_until(lambda: [line for line in lines(door) if line["msg"] == "serving"], "the line")
    assert (line["listen"], line["data_dir"], line["base"]) == (f"unix:{door.path}", str(door.data), "/drop")
