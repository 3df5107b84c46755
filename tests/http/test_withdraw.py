"""A form sent without script can be taken back from its receipt, by whoever sent it and nobody else."""
import re

import pytest

from exchange import Upload, form, refused
from shell import add_token, bearer

HTML = {"Accept": "text/html"}


def send(door, *names, **headers):
    """(address of the receipt, its cookie or None) of a form that a browser without script sends."""
    answer = door.send_form(*[Upload("file", name, name.encode()) for name in names], headers={**HTML, **headers})
    assert answer.status == 303, answer
    return answer["Location"], answer["Set-Cookie"]


def names(door):
    return sorted(f["name"] for f in door.get("/files").json["files"])


@pytest.fixture
def sent(fresh):
    door = fresh("fastcgi")
    door.put("another", b"another")
    return door, *send(door, "a.txt", "b.txt")


def test_the_cookie_is_for_the_receipt_alone(sent):
    door, receipt, cookie = sent
    token = cookie.split("=")[1].split(";")[0]
    assert cookie == f"waybill-receipt={token}; Path={receipt}; Max-Age=3600; HttpOnly; SameSite=Strict" and len(token) > 30
    page = door.request("GET", receipt, {**HTML, "Cookie": f"waybill-receipt={token}"})
    assert f'<form class="box" method="post" action="{receipt}">' in page.text and token not in page.text
    assert "<form" not in door.request("GET", receipt, HTML).text  # somebody else has the address


def test_it_takes_back_the_whole_form_and_nothing_else(sent):
    door, receipt, cookie = sent
    own = {**HTML, "Cookie": f"theme=dark; {cookie.split(';')[0]};x=y", "Sec-Fetch-Site": "same-origin"}
    done = door.request("POST", receipt, {**own, "Content-Type": "application/x-www-form-urlencoded"}, b"")
    assert done.status == 200 and "Your 2 files have been deleted." in done.text
    assert names(door) == ["another"]
    refused(door.request("POST", receipt, {"Cookie": own["Cookie"]}, b""), 404, "not_found")


@pytest.mark.parametrize("headers, status, slug", [
    ({}, 401, "unauthorized"),
    ({"Cookie": "waybill-receipt="}, 401, "unauthorized"),
    ({"Cookie": "waybill-receipt=wd_" + "0" * 64}, 401, "unauthorized"),
    ({"Cookie": "COOKIE", "Sec-Fetch-Site": "cross-site"}, 403, "cross_site"),
    ({"Cookie": "COOKIE", "Origin": "https://evil.example"}, 403, "cross_site"),
    ({"Cookie": "xCOOKIE"}, 401, "unauthorized")])
def test_nobody_else_does(sent, headers, status, slug):
    door, receipt, cookie = sent
    headers = {k: v.replace("COOKIE", cookie.split(";")[0]) for k, v in headers.items()}
    refused(door.request("POST", receipt, headers, b""), status, slug)
    assert names(door) == ["a.txt", "another", "b.txt"]


def test_the_cookie_of_one_form_is_nothing_to_another(sent):
    door, receipt, cookie = sent
    theirs, _ = send(door, "c.txt")
    refused(door.request("POST", theirs, {"Cookie": cookie.split(";")[0]}, b""), 401, "unauthorized")
    # nor good for anything but its receipt
    refused(door.request("DELETE", theirs.replace("receipt", "files"), {"Cookie": cookie.split(";")[0]}), 401, "unauthorized")
    assert names(door) == ["a.txt", "another", "b.txt", "c.txt"]


def test_who_has_a_name_needs_no_cookie(fresh):
    door = fresh("fastcgi", remote_user="trust")
    headers, body = form(Upload("file", "a.txt", b"a"))
    answer = door.request("POST", "/upload", {**headers, **HTML}, body, REMOTE_USER="alice")
    receipt = answer["Location"]
    assert answer.status == 303 and answer["Set-Cookie"] is None
    assert 'method="post"' in door.request("GET", receipt, HTML, REMOTE_USER="alice").text
    assert 'method="post"' not in door.request("GET", receipt, HTML, REMOTE_USER="bob").text
    refused(door.request("POST", receipt, None, b"", REMOTE_USER="bob"), 404, "not_found")
    assert door.request("POST", receipt, None, b"", REMOTE_USER="alice").status == 204
    assert names(door) == []


def test_where_deleting_takes_a_token_there_is_none(fresh):
    door = fresh("fastcgi", delete_access="token")
    receipt, cookie = send(door, "a.txt")
    assert cookie is None and "<form" not in door.request("GET", receipt, HTML).text
    refused(door.request("POST", receipt, None, b""), 401, "unauthorized")
    boss = bearer(add_token(door, "boss", "delete"))
    assert door.request("POST", receipt, boss, b"").status == 204


def test_over_tls_it_stays_there(fresh):
    door = fresh("fastcgi", base="/drop")
    headers, body = form(Upload("file", "a.txt", b"a"))
    answer = door.request("POST", "/upload", {**headers, **HTML}, body, HTTPS="on")
    assert re.fullmatch(rf"waybill-receipt=\S+; Path={re.escape(answer['Location'])}; Max-Age=3600; HttpOnly; SameSite=Strict; Secure", answer["Set-Cookie"])
    assert answer["Location"].startswith("/drop/receipt/")
