"""Other sites' pages: what they may not do (fetch metadata, Origin), what they may after all (CORS)."""
import pytest

from exchange import ELF, Upload, form, refused
from shell import add_token, bearer

FRIEND = "https://friend.example"
TUS = {"Tus-Resumable": "1.0.0"}
ABSENT = "0" * 26

CROSS = [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Origin": "https://evil.example"},
         {"Sec-Fetch-Site": "Cross-Site", "Origin": "http://localhost"},
         {"Sec-Fetch-Site": "same-site", "Origin": "http://sub.localhost"}, {"Origin": "http://localhost:8080"},
         {"Origin": "http://localhost.evil.example"}, {"Origin": "localhost"}, {"Origin": "file://"},
         {"Origin": FRIEND + ".evil.example"}, {"Origin": FRIEND + ":8443"}, {"Origin": "http://friend.example"},
         {"Origin": "https://xfriend.example"}, {"Origin": f"{FRIEND} {FRIEND}"}, {"Origin": "https://other.example,"},
         {"Origin": "null", "Sec-Fetch-Site": "same-origin"}]
OWN = [{}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
       {"Origin": "http://localhost"}, {"Origin": "http://LOCALHOST:80"}, {"Origin": "https://localhost:443"}]
FRIENDS = [{"Origin": FRIEND}, {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"},
           {"Origin": "HTTPS://friend.EXAMPLE", "Sec-Fetch-Site": "cross-site"},
           {"Origin": "https://other.example", "Sec-Fetch-Site": "cross-site"}]


@pytest.fixture
def door(open_door):
    return open_door(allowed_origins=f"{FRIEND}, https://other.example")


@pytest.fixture
def kind():
    return "fastcgi"


def unsafe():
    """Every request that changes something, as (method, path, headers, body)."""
    boundary, body = form(Upload("f", "a.txt", b"by another page"))
    yield "POST", "/upload", boundary, body
    yield "POST", "/upload", {"Content-Type": "text/plain"}, b"a simple request"
    yield "POST", "/upload", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=b"
    yield "POST", "/upload", {}, b""
    yield "PUT", "/upload/a.txt", {}, b"x"
    yield "POST", "/upload", {**TUS, "Upload-Length": "3"}, b""
    yield "POST", "/upload", {"Upload-Complete": "?1"}, b"ietf"
    yield "PATCH", f"/upload/{ABSENT}", {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0", **TUS}, b"x"
    yield "POST", f"/upload/{ABSENT}", {"X-HTTP-Method-Override": "PATCH", **TUS}, b"x"
    yield "POST", f"/upload/{ABSENT}", {"X-HTTP-Method-Override": "DELETE", **TUS}, b""
    yield "DELETE", f"/upload/{ABSENT}", TUS, None
    yield "DELETE", f"/files/{ABSENT}", {}, None


UNSAFE = list(unsafe())


@pytest.mark.parametrize("site", CROSS, ids=str)
def test_a_foreign_page_changes_nothing(door, site):
    before = door.stored()
    for method, path, headers, body in UNSAFE:
        answer = door.request(method, path, {**headers, **site}, body)
        refused(answer, 403, "cross_site")
        assert answer["Access-Control-Allow-Origin"] is None
    kept = door.put("kept", b"kept").file
    refused(door.request("DELETE", f"/files/{kept['id']}", {**bearer(kept["delete_token"]), **site}), 403, "cross_site")
    assert door.request("DELETE", f"/files/{kept['id']}", bearer(kept["delete_token"])).status == 204
    assert door.stored() == before


@pytest.mark.parametrize("site", OWN + FRIENDS, ids=str)
def test_our_own_and_allowed_pages_may(door, site):
    for method, path, headers, body in UNSAFE:
        answer = door.request(method, path, {**headers, **site}, body)
        assert answer.status != 403, answer
        allowed = site.get("Origin") if site in FRIENDS else None
        assert answer["Access-Control-Allow-Origin"] == allowed


@pytest.mark.parametrize("site", CROSS, ids=str)
def test_looking_is_not_forbidden_but_not_readable_either(door, site):
    for path in ("/", "/upload", "/files", "/healthz"):
        answer = door.request("GET", path, site)
        assert answer.status == 200 and answer["Access-Control-Allow-Origin"] is None
        assert "Origin" in answer["Vary"]


def test_length_goes_first(door):
    refused(door.request("POST", "/upload", {"Origin": "null"}), 411, "length_required")


def test_without_allowed_origins_nobody_is_allowed(fresh):
    door = fresh("fastcgi")
    for origin in (FRIEND, "null", "*"):
        answer = door.request("PUT", "/upload/a", {"Origin": origin}, b"x")
        refused(answer, 403, "cross_site")
        assert answer["Access-Control-Allow-Origin"] is None
        answer = door.request("OPTIONS", "/upload", {"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_form_behind_lighttpd(fresh):
    """Headers of a browser come through the server in front."""
    door = fresh("lighttpd", allowed_origins=FRIEND)
    headers, body = form(Upload("f", "a.txt", b"x"))
    own = {"Origin": f"http://127.0.0.1:{door.port}", "Sec-Fetch-Site": "same-origin"}
    assert door.request("POST", "/upload", {**headers, **own}, body).status == 201
    for site in CROSS[:3]:
        refused(door.request("POST", "/upload", {**headers, **site}, body), 403, "cross_site")
    assert door.request("POST", "/upload", {**headers, "Origin": FRIEND}, body)["Access-Control-Allow-Origin"] == FRIEND
    preflight(door, "/upload")


# ---- CORS ----------------------------------------------------------------------------------------

MAY_SEND = {"Authorization", "Origin", "X-Requested-With", "X-Request-ID", "X-HTTP-Method-Override", "Content-Type",
            "Upload-Length", "Upload-Offset", "Tus-Resumable", "Upload-Metadata", "Upload-Defer-Length",
            "Upload-Concat", "Upload-Checksum", "Upload-Incomplete", "Upload-Complete",
            "Upload-Draft-Interop-Version", "Content-Digest", "Repr-Digest", "Idempotency-Key"}
MAY_SEE = {"Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Upload-Metadata", "Upload-Defer-Length",
           "Upload-Concat", "Upload-Complete", "Upload-Limit", "Upload-Draft-Interop-Version", "Tus-Version",
           "Tus-Resumable", "Tus-Max-Size", "Tus-Extension", "Tus-Checksum-Algorithm", "Repr-Digest",
           "Content-Digest", "Waybill-File", "Waybill-Delete-Token", "X-Request-Id", "Retry-After"}


def names(value):
    return {name.strip() for name in value.split(",")}


def preflight(door, path):
    answer = door.request("OPTIONS", path, {"Origin": FRIEND, "Access-Control-Request-Method": "PATCH",
                                            "Access-Control-Request-Headers": "upload-offset,tus-resumable"})
    assert answer.status == 204 and answer.body == b"", answer
    assert answer["Access-Control-Allow-Origin"] == FRIEND
    assert names(answer["Access-Control-Allow-Headers"]) == MAY_SEND
    assert {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} <= names(answer["Access-Control-Allow-Methods"])
    assert answer["Access-Control-Max-Age"] == "86400"
    assert answer["Access-Control-Allow-Credentials"] is None
    assert "Origin" in answer["Vary"] and answer["Allow"]


@pytest.mark.parametrize("path", ["/upload", f"/upload/{ABSENT}", "/files", f"/files/{ABSENT}",
                                  f"/files/{ABSENT}/content", "/healthz"])
def test_preflight(door, path):
    preflight(door, path)
    for site in CROSS:
        answer = door.request("OPTIONS", path, {"Access-Control-Request-Method": "PUT", **site})
        assert answer.status == 204 and "Origin" in answer["Vary"]
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")], answer


def test_preflight_needs_no_rights(fresh):
    """A browser sends no credentials with it."""
    door = fresh("fastcgi", allowed_origins=FRIEND, upload_access="token", read_access="token")
    preflight(door, "/upload")
    preflight(door, "/files")
    token = add_token(door, "alice", "upload")
    answer = door.request("PUT", "/upload/a", {"Origin": FRIEND, **bearer(token)}, b"x")
    assert answer.status == 201 and answer["Access-Control-Allow-Origin"] == FRIEND
    answer = door.request("PUT", "/upload/a", {"Origin": FRIEND}, b"x")
    refused(answer, 401, "unauthorized")
    assert answer["Access-Control-Allow-Origin"] == FRIEND


def every_answer(door):
    """One of each status, as (status, answer)."""
    def ask(method, path, headers=None, body=None):
        return door.request(method, path, {"Origin": FRIEND, **(headers or {})}, body)
    patch = {"Content-Type": "application/offset+octet-stream", **TUS}
    file = ask("PUT", "/upload/a.txt", None, b"0123456789").file
    upload = ask("POST", "/upload", {**TUS, "Upload-Length": "5"}, b"")["Location"]
    content = f"/files/{file['id']}/content"
    yield 200, ask("GET", "/files")
    yield 200, ask("GET", content)
    yield 201, ask("POST", "/upload", None, b"x")
    yield 204, ask("PATCH", upload, {**patch, "Upload-Offset": "0"}, b"01")
    yield 206, ask("GET", content, {"Range": "bytes=2-4"})
    yield 304, ask("GET", content, {"If-None-Match": ask("GET", content)["ETag"]})
    yield 400, ask("GET", "/files?limit=x")
    yield 400, ask("GET", "/%zz")
    yield 401, ask("DELETE", f"/files/{file['id']}")
    yield 404, ask("GET", f"/files/{ABSENT}")
    yield 405, ask("PATCH", "/files")
    yield 409, ask("PATCH", upload, {**patch, "Upload-Offset": "4"}, b"4")
    yield 411, ask("POST", "/upload")
    yield 412, ask("POST", "/upload", {"Tus-Resumable": "0.1", "Upload-Length": "1"}, b"")
    yield 413, ask("PUT", "/upload/a", {"Content-Length": str(2 << 30)})
    yield 414, ask("PUT", "/upload/" + "n" * 300, None, b"x")
    yield 415, ask("PUT", "/upload/a", None, ELF)
    yield 416, ask("GET", content, {"Range": "bytes=99-"})
    yield 422, ask("PUT", "/upload/a", {"Repr-Digest": "sha-256=:" + "A" * 43 + "=:"}, b"x")
    yield 460, ask("PATCH", upload, {**patch, "Upload-Offset": "2", "Upload-Checksum": "sha1 " + "A" * 27 + "="}, b"234")


def test_cors_on_every_answer(door):
    for status, answer in every_answer(door):
        assert answer.status == status, answer
        assert answer.all("Access-Control-Allow-Origin") == [FRIEND], answer
        assert names(answer["Access-Control-Expose-Headers"]) == MAY_SEE
        assert answer["Access-Control-Allow-Credentials"] is None
        assert "Origin" in names(answer["Vary"]), answer
