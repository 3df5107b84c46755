"""Who may upload, read and delete, in every mode; tokens, delete tokens, REMOTE_USER.

What must come out is written down once more in expected(), from what is promised, not from rules.c."""
import hashlib
import re
import sqlite3

import pytest

import harness
import processes
from exchange import Upload, form, refused
from shell import add_token, bearer, waybill

STRANGER = "192.0.2.1"
RIGHTS = {"upload": {"upload"}, "read": {"read"}, "delete": {"delete"}, "admin": {"admin"}}
UNKNOWN = ("anonymous", "garbage", "empty", "basic", "expired", "revoked")
CALLERS = (*UNKNOWN, *RIGHTS, "user")
MODES = {"upload": ("open", "user", "token", "off"), "read": ("open", "user", "owner", "token", "off"),
         "delete": ("open", "user", "owner", "token", "off")}


class House:
    """A door in one mode for all three rights, and its tokens."""

    def __init__(self, mode, remote_user):
        self.mode, self.remote_user = mode, remote_user
        self.door = harness.FastCGIDoor({"upload_access": "open" if mode == "owner" else mode,
                                         "read_access": mode, "delete_access": mode,
                                         "remote_user": remote_user})
        self.token = {name: add_token(self.door, name, name) for name in RIGHTS}
        for name in ("expired", "revoked"):
            self.token[name] = add_token(self.door, name, "upload,read,delete,admin")
        with sqlite3.connect(self.door.data / "waybill.db") as db:
            db.execute("UPDATE tokens SET expires_at = created_at + 1 WHERE name = 'expired'")
        waybill(self.door, "token", "rm", "revoked")
        self.token["garbage"] = "wb_" + "0" * 64
        self.token["empty"] = ""

    def ask(self, caller, method, path, body=None, headers=None, **more):
        headers = dict(headers or {})
        if caller in self.token:
            headers |= bearer(self.token[caller])
        if caller == "basic":
            headers["Authorization"] = "Basic dXNlcjpwdw=="
        if caller == "user":
            more["REMOTE_USER"] = "user"
        return self.door.request(method, path, headers, body, **more)

    def keep(self, caller="admin", content=b"content"):
        """The id of a new file of the caller's."""
        answer = self.ask(caller, "PUT", "/upload/file.txt", content)
        return answer.file["id"]


@pytest.fixture(scope="module", params=MODES["read"])
def house(request):
    house = House(request.param, "trust")
    yield house
    house.door.close()


def known(caller):
    return caller in RIGHTS or caller == "user"


def expected(mode, right, caller):
    """200, 401, 403, or "own": what one uploaded oneself."""
    if caller == "admin":
        return 200
    if mode == "off":
        return 403
    if right == "upload" and caller in ("garbage", "expired", "revoked"):
        return 401  # who means to upload as somebody must not end up nobody
    if mode == "open":
        return 200
    if not known(caller):
        return 401
    if mode == "user":
        return 200
    if mode == "token":
        return 200 if right in RIGHTS.get(caller, ()) else 403
    return 200 if right == "delete" and caller == "delete" else "own"


def check(answer, want, good):
    if want == 200:
        assert answer.status == good, answer
    elif want == 401:
        refused(answer, 401, "unauthorized")
        assert answer["WWW-Authenticate"].split()[0] == "Bearer"
    else:
        refused(answer, want, {403: "forbidden", 404: "not_found"}[want])
        assert answer["WWW-Authenticate"] is None


@pytest.mark.parametrize("caller", CALLERS)
def test_upload(house, caller):
    want = expected("open" if house.mode == "owner" else house.mode, "upload", caller)
    headers, body = form(Upload("f", "a.txt", b"in a form"))
    for answer in (house.ask(caller, "PUT", "/upload/a.txt", b"x"), house.ask(caller, "POST", "/upload", b"y"),
                   house.ask(caller, "POST", "/upload", body, headers)):
        check(answer, want, 201)
        if answer.status == 201:
            assert answer.file["owner"] == (caller if known(caller) else None)
    tus = house.ask(caller, "POST", "/upload", b"", {"Tus-Resumable": "1.0.0", "Upload-Length": "3"})
    check(tus, want, 201)
    if tus.status == 201:
        where = tus["Location"]
        for method, body, good in (("HEAD", None, (200, 204)), ("DELETE", None, (204,))):
            assert house.ask(caller, method, where, body, {"Tus-Resumable": "1.0.0"}).status in good
    nothing = house.door.request("POST", "/upload", bearer("wb_x"))
    refused(nothing, 411, "length_required")  # the length goes before rights


@pytest.mark.parametrize("caller", CALLERS)
def test_read(house, caller):
    strangers, own = house.keep("admin", b"theirs"), None
    if known(caller) and expected(house.mode if house.mode != "owner" else "open", "upload", caller) == 200:
        own = house.keep(caller, b"mine")
    want = expected(house.mode, "read", caller)
    listing = house.ask(caller, "GET", "/files?limit=1000")
    check(listing, 200 if want == "own" else want, 200)
    seen = {f["id"] for f in listing.json["files"]} if listing.status == 200 else set()
    if want == 200:
        assert strangers in seen and (own is None or own in seen)
    elif want == "own":
        assert own in seen and strangers not in seen and listing.json["total"] == len(seen)
        assert all(f["owner"] == caller for f in listing.json["files"])
    for path in ("/files/{}", "/files/{}/content", "/files/{}/content/any-name"):
        check(house.ask(caller, "GET", path.format(strangers)), 404 if want == "own" else want, 200)
        check(house.ask(caller, "GET", path.format("0" * 26)), 404 if want in (200, "own") else want, None)
        if own is not None:
            check(house.ask(caller, "GET", path.format(own)), 200 if want == "own" else want, 200)
    assert house.ask(caller, "HEAD", f"/files/{strangers}/content").status == (404 if want == "own" else want)


@pytest.mark.parametrize("caller", CALLERS)
def test_delete(house, caller):
    strangers = house.keep("admin", b"not yours")
    want = expected(house.mode, "delete", caller)
    if known(caller) and expected(house.mode if house.mode != "owner" else "open", "upload", caller) == 200:
        own = house.keep(caller, b"mine to delete")
        check(house.ask(caller, "DELETE", f"/files/{own}"), 200 if want == "own" else want, 204)
    answer = house.ask(caller, "DELETE", f"/files/{strangers}")
    check(answer, 404 if want == "own" else want, 204)
    gone = house.ask("admin", "GET", f"/files/{strangers}").status
    assert gone == (404 if answer.status == 204 else 200)
    # what is not there looks like what is not yours
    absent = house.ask(caller, "DELETE", "/files/" + "0" * 26)
    assert absent.status == (404 if want in (200, "own") else want)


@pytest.mark.parametrize("caller", CALLERS)
def test_metrics(house, caller):
    assert house.ask(caller, "GET", "/metrics").status == 200  # from 127.0.0.1
    want = 200 if caller == "admin" else 403 if known(caller) else 401
    check(house.ask(caller, "GET", "/metrics", REMOTE_ADDR=STRANGER), want, 200)
    for header in ("X-Forwarded-For", "Forwarded"):  # a proxy on this machine is not this machine
        check(house.ask(caller, "GET", "/metrics", None, {header: "192.0.2.7"}), want, 200)


@pytest.mark.parametrize("caller", CALLERS)
def test_policy_says_who(house, caller):
    answer = house.ask(caller, "GET", "/upload")
    assert answer.status == 200 and answer.json["owner"] == (caller if known(caller) else None)


def test_remote_user_is_ignored_unless_trusted(fresh):
    door = fresh("fastcgi", read_access="user", upload_access="user")
    refused(door.request("PUT", "/upload/a", {}, b"x", REMOTE_USER="mallory"), 401, "unauthorized")
    refused(door.request("GET", "/files", REMOTE_USER="mallory"), 401, "unauthorized")
    assert door.request("GET", "/upload", REMOTE_USER="mallory").json["owner"] is None


def test_remote_user_with_a_foreign_token(house):
    """A token goes before REMOTE_USER; one that is none does not take the name away."""
    assert house.ask("read", "GET", "/upload", REMOTE_USER="user").json["owner"] == "read"
    assert house.ask("garbage", "GET", "/upload", REMOTE_USER="user").json["owner"] == "user"


def test_remote_user_header_is_not_remote_user(house):
    """HTTP_REMOTE_USER is a header that anybody can send."""
    assert house.ask("anonymous", "GET", "/upload", None, {"Remote-User": "boss"}).json["owner"] is None


def test_token_by_way_of_lighttpd(fresh):
    """The server in front hands Authorization over, and REMOTE_ADDR of its own."""
    door = fresh("lighttpd", read_access="token")
    token = add_token(door, "alice", "read,upload")
    refused(door.get("/files"), 401, "unauthorized")
    assert door.request("GET", "/files", bearer(token)).status == 200
    assert door.request("PUT", "/upload/a.txt", bearer(token), b"mine").file["owner"] == "alice"
    assert door.get("/metrics").status == 200  # the test is on this machine


# ---- delete tokens -------------------------------------------------------------------------------

def test_delete_token(kind, fresh):
    door = fresh(kind)
    headers, body = form(Upload("f", "1.txt", b"one"), Upload("f", "2.txt", b"two"))
    one, two = door.request("POST", "/upload", headers, body).json["files"]
    assert re.fullmatch(r"[0-9a-f]{64}", one["delete_token"]) and one["delete_token"] != two["delete_token"]
    for path in ("/files", f"/files/{one['id']}", f"/files/{one['id']}/content"):
        assert one["delete_token"].encode() not in door.get(path).body
        assert "delete_token" not in door.get(path).text
    page = door.request("GET", f"/receipt/{one['id']}", {"Accept": "text/html"})
    assert page.status == 200 and one["delete_token"] not in page.text
    path = f"/files/{one['id']}"
    for wrong in ({}, bearer(two["delete_token"]), bearer(one["delete_token"][:-1]), bearer(one["delete_token"] + "0"),
                  bearer(""), bearer(one["delete_token"].upper()), {"Authorization": one["delete_token"]}):
        refused(door.request("DELETE", path, wrong), 401, "unauthorized")
    assert door.request("DELETE", path, bearer(one["delete_token"])).status == 204
    refused(door.request("DELETE", path, bearer(one["delete_token"])), 404, "not_found")
    assert door.get(f"/files/{two['id']}").status == 200
    assert door.request("GET", "/files", bearer(two["delete_token"])).status == 200  # open, whatever is sent


def test_delete_token_only_for_the_anonymous_and_in_owner_mode(fresh):
    door = fresh("fastcgi")
    token = add_token(door, "alice", "upload")
    assert "delete_token" not in door.request("PUT", "/upload/a", bearer(token), b"x").file
    for mode in ("open", "user", "token", "off"):
        assert "delete_token" not in fresh("fastcgi", delete_access=mode).put("a", b"x").file


def test_delete_token_gives_no_other_right(fresh):
    door = fresh("fastcgi", read_access="user")
    file = door.put("a", b"x").file
    for path in ("/files", f"/files/{file['id']}"):
        refused(door.request("GET", path, bearer(file["delete_token"])), 401, "unauthorized")
    refused(door.request("PUT", "/upload/b", bearer(file["delete_token"]), b"x"), 401, "unauthorized")
    assert door.request("DELETE", f"/files/{file['id']}", bearer(file["delete_token"])).status == 204


# ---- tokens --------------------------------------------------------------------------------------

def test_revoked_at_the_next_request_in_every_worker(fresh):
    one = fresh("fastcgi", read_access="user")
    two = harness.FastCGIDoor({"read_access": "user"}, data=one.data)
    try:
        token = add_token(one, "alice", "read")
        for _ in range(2):
            for door in (one, two):
                assert door.request("GET", "/files", bearer(token)).status == 200
        waybill(two, "token", "rm", "alice")
        for door in (one, two):
            refused(door.request("GET", "/files", bearer(token)), 401, "unauthorized")
        again = add_token(one, "alice", "read")
        for door in (two, one):
            refused(door.request("GET", "/files", bearer(token)), 401, "unauthorized")
            assert door.request("GET", "/files", bearer(again)).status == 200
    finally:
        two.close()


def test_token_expires(fresh):
    door = fresh("fastcgi", read_access="token")
    token = add_token(door, "brief", "read", "--expires", "1s")
    assert door.request("GET", "/files", bearer(token)).status == 200
    processes.wait_until(lambda: door.request("GET", "/files", bearer(token)).status == 401, "the token to expire")
    assert "brief" in waybill(door, "token", "ls")


def test_token_commands(fresh):
    door = fresh("fastcgi")
    assert waybill(door, "token", "ls") == ""
    token = add_token(door, "Jörg Müller", "upload,read", "--expires", "30d", "--quota", "10G")
    add_token(door, "boss", "admin")
    listed = waybill(door, "token", "ls").splitlines()
    assert len(listed) == 2 and token not in str(listed)
    line = next(row for row in listed if row.startswith("Jörg Müller"))
    assert "upload,read" in line and str(10 << 30) in line and "admin" not in line
    waybill(door, "token", "add", "boss", "--can", "read", status=1)  # taken
    waybill(door, "token", "rm", "nobody", status=1)
    for bad in (["add", "x", "--can", "read", "--expires", "30"], ["add", "x"], ["add", "x", "--can", ""], ["add", "x", "--can", "fly"], ["add", "--can", "read"],
                ["add", "x", "--can", "read", "--expires", "soon"],
                ["add", "x", "--can", "read", "--quota", "-1"], ["add", "x", "--can", "read", "--colour", "red"],
                ["add", "a/b", "--can", "read"], ["add", "", "--can", "read"], ["add", "a\nb", "--can", "read"],
                ["add", "x" * 256, "--can", "read"], ["rm"], ["ls", "x"], ["sing"], []):
        waybill(door, "token", *bad, status=2)
    assert len(waybill(door, "token", "ls").splitlines()) == 2
    waybill(door, "token", "rm", "boss")
    assert len(waybill(door, "token", "ls").splitlines()) == 1


def everything(data):
    return b"".join(p.read_bytes() for p in data.rglob("*") if p.is_file() and p.name != "ledger")


def test_secrets_are_stored_as_hashes_and_never_logged(fresh):
    door = fresh("fastcgi", log="debug", read_access="token")
    token = add_token(door, "alice", "upload,read")
    gone = add_token(door, "gone", "read")
    waybill(door, "token", "rm", "gone")
    headers = bearer(token)
    anonymous = door.put("a.txt", b"a file").file
    assert door.request("PUT", "/upload/b.txt", headers, b"another").status == 201
    assert door.request("GET", "/files", headers).status == 200
    for bad in (gone, "wb_" + "9" * 64):
        refused(door.request("GET", "/files", bearer(bad)), 401, "unauthorized")
    refused(door.request("PATCH", "/files", headers), 405, "method_not_allowed")
    assert door.request("DELETE", f"/files/{anonymous['id']}", bearer(anonymous["delete_token"])).status == 204
    other = door.put("c.txt", b"a third").file
    log, stored = door.log.read_bytes(), everything(door.data)
    assert b"owner=alice" in log
    for secret in (token, gone, "9" * 64, anonymous["delete_token"], other["delete_token"]):
        plain = secret.removeprefix("wb_")
        for form_of_it in (plain.encode(), bytes.fromhex(plain)):
            assert form_of_it not in log, "a secret in the log"
            assert form_of_it not in stored, "a secret on disk"
    for secret in (token, other["delete_token"]):
        assert hashlib.sha256(secret.encode()).digest() in stored
