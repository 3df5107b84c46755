"""Who asked, for what, and what came of it: the request's id, the client's address, the log's lines."""
import re

import pytest

import harness
import processes
import wire
from exchange import Upload, refused
from shell import add_token, bearer
from test_operations import logfmt

ID = re.compile("[0-9a-f]{12}-[0-9]+")


def of_request(door, answer):
    """The lines of one answer's request; that of the request itself is the last."""
    id = answer["X-Request-Id"]
    assert ID.fullmatch(id), id
    processes.wait_until(lambda: f"msg=request request_id={id} " in door.log.read_text(), "the request's line")
    return [logfmt(line) for line in door.log.read_text().split("\n") if f" request_id={id} " in line]


# ---- the id --------------------------------------------------------------------------------------

def test_every_answer_has_an_id_of_its_own(door):
    answers = [door.get("/"), door.get("/files"), door.get("/upload"), door.get("/healthz"), door.get("/nothing/here"),
               door.put("a.txt", b"hello"), door.request("OPTIONS", "/upload"), door.request("HEAD", "/files"),
               door.request("POST", "/upload", {"Tus-Resumable": "1.0.0", "Upload-Length": "3"}, b"")]
    file = answers[5].file
    content = door.get(f"/files/{file['id']}/content")
    answers += [content, door.get(f"/files/{file['id']}/content", **{"If-None-Match": content["ETag"]}),
                door.request("DELETE", "/files/" + "0" * 26)]
    assert [a.status for a in answers[-2:]] == [304, 404]
    ids = [a["X-Request-Id"] for a in answers]
    assert all(ID.fullmatch(id) for id in ids) and len(set(ids)) == len(ids)


def test_a_refusal_tells_the_id_it_has_in_the_log(fresh):
    door = fresh("fastcgi")
    answer = door.get("/nothing/here", **{"X-Request-Id": "forged\tby me"})
    assert answer.json["request_id"] == answer["X-Request-Id"]
    assert of_request(door, answer)[-1]["fault"] == "not_found"


def test_other_sites_may_read_what_they_need(fresh):
    door = fresh("fastcgi", allowed_origins="https://app.example")
    exposed = door.get("/files", Origin="https://app.example")["Access-Control-Expose-Headers"]
    assert {"Waybill-File", "Waybill-Delete-Token", "X-Request-Id"} <= set(exposed.split(", "))


# ---- what the log says ---------------------------------------------------------------------------

def test_what_was_stored_has_a_line_for_each_file(fresh):
    door = fresh("fastcgi")
    token = add_token(door, "alice", "upload")
    answer = door.send_form(Upload("f", "one two.txt", b"hello"), Upload("f", "b.bin", b"\0" * 9), headers=bearer(token))
    stored = [line for line in of_request(door, answer) if line["msg"] == "stored"]
    assert [(s["file"], s["size"], s["name"], s["owner"]) for s in stored] == [
        (f["id"], str(f["size"]), f["name"], "alice") for f in answer.json["files"]]
    raw = door.put("c.txt", b"hello")
    tus = {"Tus-Resumable": "1.0.0", "Upload-Metadata": "filename ZC50eHQ="}
    whole = door.request("POST", "/upload", {**tus, "Upload-Length": "5", "Content-Type": "application/offset+octet-stream"}, b"hello")
    for answer, name in (raw, "c.txt"), (whole, "d.txt"):
        assert [(s["name"], s["size"]) for s in of_request(door, answer) if s["msg"] == "stored"] == [(name, "5")]


def test_what_was_refused_says_how_long_it_was_and_whose(fresh):
    door = fresh("fastcgi", max_bytes="1K")
    token = add_token(door, "alice", "upload")
    line = of_request(door, door.request("PUT", "/upload/a", bearer(token), b"x" * 2000))[-1]
    assert (line["length"], line["owner"], line["fault"]) == ("2000", "alice", "too_large")
    line = of_request(door, door.request("PUT", "/upload/a", {**bearer(token), "Host": "evil.example"}, b"x"))[-1]
    assert (line["length"], line["owner"], line["fault"]) == ("1", "alice", "wrong_host")


def test_a_method_that_is_not_told_is_not_made_up(fresh):
    door = fresh("lighttpd")
    answer = door.request("POST", "/upload", {"Transfer-Encoding": "chunked"}, None, stop=0)
    refused(answer, 411, "length_required")
    line = of_request(door, answer)[-1]
    assert line["method"] in ("-", "POST")


def test_a_name_that_promises_another_type_is_said(fresh):
    door = fresh("fastcgi")
    said = of_request(door, door.put("a.png", b"hello, only text\n"))
    assert any(s["msg"] == "name promises another type" and s["type"] == "text/plain" for s in said)


# ---- where from ----------------------------------------------------------------------------------

def address(door, remote="203.0.113.77", forwarded=None):
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = door.request("GET", "/files", headers, REMOTE_ADDR=remote)
    return of_request(door, answer)[-1]["address"]


@pytest.mark.parametrize("kept, v4, v6", [("full", "203.0.113.77", "2001:db8:1:2::9"), ("prefix", "203.0.113.0/24", "2001:db8:1::/48"),
                                          ("none", "-", "-")])
def test_as_much_of_the_address_as_is_wanted(fresh, kept, v4, v6):
    door = fresh("fastcgi", log_address=kept)
    assert address(door) == v4 and address(door, "2001:0DB8:1:2::9") == v6 and address(door, "::ffff:203.0.113.77") == v4
    assert address(door, "") == "-" and address(door, "nonsense level=error") == "-"


@pytest.mark.parametrize("remote, forwarded, client", [
    ("203.0.113.77", "198.51.100.1", "203.0.113.77"),                  # not one of ours: it may say what it likes
    ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
    ("10.1.2.3", "6.6.6.6, 198.51.100.1", "198.51.100.1"),             # what the client wrote itself
    ("10.1.2.3", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"),   # two proxies of ours
    ("10.1.2.3", "10.4.4.4", "10.4.4.4"),
    ("10.1.2.3", "unknown", "10.1.2.3"),
    ("10.1.2.3", "198.51.100.1:4711", "198.51.100.1"),
    ("2001:db8::5", "[2001:db8:7::1]:4711", "2001:db8:7::1"),
    ("2001:db8::5", "2001:db8:7::1", "2001:db8:7::1"),
    ("10.1.2.3", ",,", "10.1.2.3"),
    ("10.1.2.3", None, "10.1.2.3"),
    ("10.1.2.3", ", ".join(["10.0.0.1"] * 400), "10.0.0.1"),
])
def test_proxies_that_are_trusted(fresh, remote, forwarded, client):
    door = fresh("fastcgi", trusted_proxies="10.0.0.0/8, 2001:db8::5")
    assert address(door, remote, forwarded) == client


def forwarded_in_lines(door, path, *lines, remote):
    """As nginx before 1.23 hands several lines of one header on: each by itself."""
    more = b"".join(wire.name_values({"HTTP_X_FORWARDED_FOR": line}) for line in lines)
    params = harness.FastCGIDoor.params(door, "GET", path, REMOTE_ADDR=remote)
    end = wire.record(wire.PARAMS)
    assert params.endswith(end)
    with door.connect() as sock:
        sock.sendall(wire.begin() + params[:-len(end)] + wire.record(wire.PARAMS, more) + end + wire.record(wire.STDIN))
        return harness.FastCGIDoor.answer(sock)


@pytest.mark.parametrize("lines, client", [
    (["6.6.6.6", "198.51.100.1"], "198.51.100.1"),                # the first is the client's own
    (["", "198.51.100.1"], "198.51.100.1"),
    (["6.6.6.6", "198.51.100.1", "10.9.9.9"], "198.51.100.1"),
    (["6.6.6.6, 198.51.100.1", "10.9.9.9"], "198.51.100.1"),
    (["198.51.100.1", ""], "10.1.2.3"),                            # our proxy has said nothing
    (["6.6.6.6"] * 2000 + ["198.51.100.1"], "198.51.100.1"),
])
def test_lines_of_one_header_are_one_list(fresh, lines, client):
    door = fresh("fastcgi", trusted_proxies="10.0.0.0/8")
    assert of_request(door, forwarded_in_lines(door, "/files", *lines, remote="10.1.2.3"))[-1]["address"] == client


def test_an_empty_line_before_hides_no_proxy(fastcgi):
    assert forwarded_in_lines(fastcgi, "/metrics", remote="127.0.0.1").status == 200
    assert forwarded_in_lines(fastcgi, "/metrics", "", "198.51.100.1", remote="127.0.0.1").status == 401
