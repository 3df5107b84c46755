"""The page, the policy, health, receipts and refusals for browsers, methods, unknown addresses."""
import re

import pytest

from exchange import Upload, form, refused

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_policy(door):
    policy = door.get("/upload").json
    assert {"max_bytes", "max_files", "allow_types", "deny_types", "resumable", "owner", "streamed"} <= set(policy)
    assert policy["max_bytes"] == 1 << 30 and policy["max_files"] == 64 and policy["owner"] is None
    assert policy["streamed"] in (True, None)


def test_policy_tells_streamed(lighttpd, fastcgi):
    assert lighttpd.get("/upload").json["streamed"] is True
    assert fastcgi.get("/upload").json["streamed"] is None
    assert fastcgi.request("GET", "/upload", {"WAYBILL_STREAMED": "no"}).json["streamed"] is False
    assert fastcgi.request("GET", "/upload", {"WAYBILL_STREAMED": "yes"}).json["streamed"] is True


def test_policy_follows_the_configuration(open_door):
    policy = open_door(max_bytes="5M", max_files="2", allow_types="image/*").get("/upload").json
    assert policy["max_bytes"] == 5 << 20 and policy["max_files"] == 2 and "image/*" in str(policy["allow_types"])


def test_health(door):
    answer = door.get("/healthz")
    assert answer.status == 200 and answer["Content-Type"].split(";")[0] == "application/json"
    assert isinstance(answer.json, dict)


def test_page(door):
    page = door.request("GET", "/", HTML)
    assert page.status == 200 and page["Content-Type"].startswith("text/html")
    assert 'enctype="multipart/form-data"' in page.text and "<form" in page.text
    policy = page["Content-Security-Policy"]
    assert policy and "unsafe-inline" not in policy and "default-src" in policy
    assert page["X-Content-Type-Options"] == "nosniff"
    assets = [a for a in re.findall(r'(?:src|href)="([^"#]+)"', page.text) if not a.startswith("http")]
    assert assets
    for asset in assets:
        answer = door.get("/" + asset.removeprefix(door.base).lstrip("/").removeprefix("./"))
        assert answer.status == 200, (asset, answer)


def test_receipt(door):
    """A browser without script: 303, then a page that names what was kept."""
    headers, body = form(Upload("f", "Brief <b>.txt", b"hello"), Upload("f", "zwei.txt", b"zwei"))
    answer = door.request("POST", "/upload", {**headers, **HTML}, body)
    assert answer.status == 303, answer
    where = answer["Location"]
    assert where.startswith(door.base + "/")
    page = door.request("GET", where.removeprefix(door.base), HTML)
    assert page.status == 200 and page["Content-Type"].startswith("text/html")
    assert "Brief &lt;b&gt;.txt" in page.text and "zwei.txt" in page.text and "<b>" not in page.text.replace("<b></b>", "")


def test_refusal_as_a_page(door, nothing_kept):
    headers, body = form(("note", "no file"))
    answer = door.request("POST", "/upload", {**headers, **HTML}, body)
    assert answer.status == 400 and answer["Content-Type"].startswith("text/html"), answer
    assert "no file" in answer.text.lower() or "choose" in answer.text.lower()
    missing = door.request("GET", "/files/" + "0" * 26, HTML)
    assert missing.status == 404 and missing["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("accept,html", [
    ("text/html", True), ("application/json", False), ("*/*", False), ("", False), ("text/html;q=0.5,application/json", False),
    ("application/json;q=0.5,text/html", True), ("text/*", True), ("image/png", False), ("text/html;q=0", False)])
def test_negotiation(door, accept, html):
    answer = door.request("GET", "/files/" + "0" * 26, {"Accept": accept})
    assert answer["Content-Type"].startswith("text/html" if html else "application/problem+json")


@pytest.mark.parametrize("method,path,allow", [
    ("DELETE", "/upload", {"GET", "POST"}), ("PUT", "/files", {"GET"}), ("POST", "/files", {"GET"}),
    ("PATCH", "/files/" + "0" * 26, {"GET", "DELETE"}), ("DELETE", "/healthz", {"GET"}), ("DELETE", "/", {"GET"}),
    ("PROPFIND", "/upload", {"GET", "POST"}), ("POST", "/files/" + "0" * 26 + "/content", {"GET"})])
def test_method_not_allowed(door, nothing_kept, method, path, allow):
    body = b"x" if method in ("PUT", "POST", "PATCH") else None
    answer = door.request(method, path, {}, body)
    refused(answer, 405, "method_not_allowed")
    assert allow <= set(re.split(r",\s*", answer["Allow"]))
    assert method not in answer["Allow"]


@pytest.mark.parametrize("method", ["FOO", "patch", "get"])
def test_methods_nobody_knows(door, method):
    refused(door.request(method, "/files"), 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/nowhere", "/files/" + "0" * 26 + "/what", "/upload/a/b", "/a/b/c/d/e/f/g/h", "/favicon.xyz",
                                  "/../etc/passwd", "/%2e%2e/x", "/files//", "//"])
def test_unknown_address(door, path):
    answer = door.get(path)
    assert answer.status in (400, 404), answer
    assert answer.json["code"] == answer.status


EVIL = ["//evil.example/waybill", "///evil.example/waybill", "/\\evil.example/waybill", "/\\/evil.example/waybill",
        "//evil.example", "/" * 12000 + "evil.example"]


@pytest.mark.parametrize("script", EVIL)
@pytest.mark.parametrize("behind", ["", "/", "/files?limit=1", "/files"])
def test_a_mount_point_is_never_another_site(fastcgi, script, behind):
    """Neither redirects nor links begin with what a browser takes for a host."""
    path, _, query = behind.partition("?")
    answer = fastcgi.request("GET", behind, {"Accept": "text/html"}, SCRIPT_NAME=script, PATH_INFO=path,
                             REQUEST_URI=script + behind, QUERY_STRING=query)
    for value in [answer["Location"] or "", answer["Link"] or ""] + re.findall(r'(?:href|src|action)="([^"]*)"', answer.text):
        assert not re.match(r'<?\s*[/\\]{2}', value), (value, answer)
    if behind == "" and "\\" not in script and len(script) < 1000:
        assert answer.status == 308 and answer["Location"] == "/evil.example" + script.partition("evil.example")[2] + "/"


def test_options(door):
    answer = door.request("OPTIONS", "/files")
    assert answer.status == 204 and "GET" in answer["Allow"]


@pytest.mark.parametrize("headers", [
    {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_cross_site(door, nothing_kept, headers):
    refused(door.request("POST", "/upload", {"Content-Type": "text/plain", **headers}, b"x"), 403, "cross_site")
    assert door.request("GET", "/files", headers).status == 200
