"""multipart/form-data: what a browser's form becomes, and what is no form."""
import hashlib
import json

import pytest

from exchange import BOUNDARY, PNG, Upload, form, raw_form, refused, text


def names(answer):
    assert answer.status == 201, answer
    return [f["name"] for f in answer.json["files"]]


# ---- what comes in -----------------------------------------------------------------------------

def test_one_file_and_its_fields(door):
    answer = door.send_form(("note", "für dich"), Upload("f", "a.txt", b"hello", "text/plain"), ("after", "2"))
    assert answer["Location"] == f"{door.base}/files/{answer.file['id']}"
    assert answer.file["fields"] == {"note": "für dich", "after": "2"}
    assert answer.file["declared_type"] == "text/plain"


def test_several_files_in_order_of_the_form(door):
    contents = [text(500, seed=n) for n in range(5)]
    answer = door.send_form(("x", "1"), *[Upload(f"f{n % 2}", f"{n}.txt", c) for n, c in enumerate(contents)], ("y", "2"))
    assert names(answer) == [f"{n}.txt" for n in range(5)]
    assert [f["sha256"] for f in answer.json["files"]] == [hashlib.sha256(c).hexdigest() for c in contents]
    assert all(f["fields"] == {"x": "1", "y": "2"} for f in answer.json["files"])
    assert answer["Location"] is None
    for n, file in enumerate(answer.json["files"]):
        assert door.get(f"/files/{file['id']}/content").body == contents[n]


def test_field_that_comes_several_times_is_an_array(door):
    answer = door.send_form(("tag", "a"), ("tag", "b"), Upload("f", "a", b"x"), ("tag", "c"), ("one", ""))
    assert answer.file["fields"] == {"tag": ["a", "b", "c"], "one": ""}


def test_empty_input_is_no_file(door):
    answer = door.send_form(Upload("f", "", b"", "application/octet-stream"), Upload("g", "b.txt", b"b"))
    assert names(answer) == ["b.txt"]


def test_named_file_of_no_bytes_is_one(door):
    answer = door.send_form(Upload("f", "empty.txt", b""))
    assert answer.file["size"] == 0
    assert answer.file["sha256"] == hashlib.sha256(b"").hexdigest()


def test_no_type_on_a_part(door):
    assert door.send_form(Upload("f", "a.txt", b"hello")).file["declared_type"] is None


@pytest.mark.parametrize("content", [
    b"", b"\r\n", b"\r\n--", b"--", f"x--{BOUNDARY}".encode(), f"\r\n--{BOUNDARY}x\r\n".encode(),
    f"\r\n-{BOUNDARY}--".encode(), b"\r\n" * 5000, b"\r" * 70000, b"\r\n--" * 20000,
    f"\r\n--{BOUNDARY[:-1]}".encode() * 900, b"\0" * 4096, bytes(range(256)) * 300])
def test_content_that_looks_like_a_delimiter(door, content):
    answer = door.send_form(Upload("f", "tricky.bin", content))
    assert answer.file["sha256"] == hashlib.sha256(content).hexdigest()


def test_preamble_epilogue_and_blanks(door):
    _, body = form(Upload("f", "a.txt", b"hello"))
    odd = b"preamble\r\n" + body.replace(f"--{BOUNDARY}\r\n".encode(), f"--{BOUNDARY} \t\r\n".encode()) + b"epilogue"
    assert door.request("POST", "/upload", raw_form(b"")[0], odd).file["size"] == 5


def test_quoted_boundary(door):
    _, body = form(Upload("f", "a.txt", b"hello"), boundary="a b'c(d)")
    answer = door.request("POST", "/upload", {"Content-Type": 'Multipart/Form-Data; charset=utf-8; boundary="a b\'c(d)"'}, body)
    assert answer.file["size"] == 5


def test_no_transaction_without_every_file(door, nothing_kept):
    """One refused file takes the others with it."""
    from exchange import ELF
    answer = door.send_form(Upload("f", "good.txt", b"good"), Upload("f", "bad", ELF), Upload("f", "good2.txt", b"2"))
    problem = refused(answer, 415, "type_refused", "bad")
    assert problem["file"] == "bad" and problem["detected_type"].startswith("application/x-")


# ---- names -------------------------------------------------------------------------------------

@pytest.mark.parametrize("sent,kept", [
    ("Übersicht 2026.pdf", "Übersicht 2026.pdf"), ("日本語.txt", "日本語.txt"), ("😀.png", "😀.png"),
    ("../../etc/passwd", "passwd"), ("C:\\\\Users\\\\x\\\\a.doc", "a.doc"), ("C:\\Users\\x\\a.doc", "a.doc"),
    ("/abs/path.txt", "path.txt"), ("..", "unnamed"), (".", "unnamed"), ("dir/", "unnamed"), ("a%22b%0D%0Ac.txt", None),
    (".htaccess", ".htaccess"), ("a\tb.txt", "ab.txt"), ("  padded.txt  ", "padded.txt"),
    ("CON", "CON"), ("-rf", "-rf"), ("a;b=c.txt", "a;b=c.txt"), ("$(id).txt", "$(id).txt")])
def test_names(door, sent, kept):
    name = door.send_form(Upload("f", sent, b"x")).file["name"]
    if kept is None:  # WHATWG escapes of quote, CR and LF: decoded, then cleaned; or left as they are
        assert "\r" not in name and "\n" not in name and name.startswith("a") and name.endswith("c.txt")
    else:
        assert name == kept


def test_name_of_invalid_utf8(door):
    name = door.send_form(Upload("f", "caf\udce9.txt", b"x")).file["name"]
    assert name == "caf\ufffd.txt"


@pytest.mark.parametrize("sent", ["a\0b.txt", "a\x01b.txt", "a\x7fb.txt", "a\rb.txt", "a\nb.txt"])
def test_name_with_control_characters(door, sent):
    """Refused as no header at all, or kept without them; never kept as they are."""
    before = door.stored()
    answer = door.send_form(Upload("f", sent, b"x"))
    if answer.status == 201:
        assert answer.file["name"] in ("ab.txt", "b.txt")
    else:
        refused(answer, 400, "bad_multipart")
        assert door.stored() == before


def test_long_name_is_cut_and_keeps_its_extension(door):
    name = door.send_form(Upload("f", "ä" * 5000 + ".jpeg", b"x")).file["name"]
    assert name.endswith(".jpeg") and name.startswith("ää")
    assert 250 <= len(name.encode()) <= 255


def test_filename_star(door):
    part = (f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=f; %s\r\n\r\nx\r\n--{BOUNDARY}--\r\n")
    star = "filename*=UTF-8''na%C3%AFve.txt"
    assert door.request("POST", "/upload", *raw_form((part % star).encode())).file["name"] == "naïve.txt"
    both = star + '; filename="plain.txt"'
    assert door.request("POST", "/upload", *raw_form((part % both).encode())).file["name"] == "plain.txt"


def test_field_names_with_escapes(door):
    headers, body = form(('a%22b', "1"), Upload("f", "x", b"x"))
    assert door.request("POST", "/upload", headers, body).file["fields"] == {'a"b': "1"}


# ---- refusals ----------------------------------------------------------------------------------

def test_form_without_a_file(door, nothing_kept):
    refused(door.send_form(("note", "x")), 400, "no_file")
    refused(door.send_form(Upload("f", "", b"")), 400, "no_file")


CRLF = "\r\n"
BROKEN = {
    "no closing delimiter": form(Upload("f", "a", b"hello"), end=False)[1],
    "no delimiter at all": b"hello world",
    "empty body": b"",
    "cut in the headers": f"--{BOUNDARY}\r\nContent-Disposition: form-data; na".encode(),
    "no content-disposition": f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
    "no name": f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
    "not form-data": f"--{BOUNDARY}\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
    "header without colon": f"--{BOUNDARY}\r\nrubbish\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
    "headers over 16 KiB": f"--{BOUNDARY}\r\nX: {'y' * 17000}\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
    "endless header": f"--{BOUNDARY}\r\n{'y' * 100000}".encode(),
    "other boundary": form(Upload("f", "a", b"hello"), boundary="other")[1],
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_forms(door, nothing_kept, how):
    refused(door.request("POST", "/upload", *raw_form(BROKEN[how])), 400, "bad_multipart")


@pytest.mark.parametrize("type", ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary=""',
                                  "multipart/form-data; boundary=" + "x" * 71, "multipart/form-data; boundary=ä",
                                  "multipart/form-data;boundary"])
def test_bad_boundary(door, nothing_kept, type):
    refused(door.request("POST", "/upload", {"Content-Type": type}, form(Upload("f", "a", b"x"))[1]), 400, "bad_multipart")


def test_too_many_files(open_door):
    door = open_door(max_files="3")
    before = door.stored()
    assert len(names(door.send_form(*[Upload("f", f"{n}", b"x%d" % n) for n in range(3)]))) == 3
    between = door.stored()
    answer = door.send_form(*[Upload("f", f"{n}", b"y%d" % n) for n in range(4)])
    refused(answer, 413, "too_many_files", 3)
    assert door.stored() == between != before


def test_empty_inputs_are_not_counted(open_door):
    door = open_door(max_files="3")
    assert names(door.send_form(*[Upload("f", "", b"")] * 5, Upload("f", "one", b"x"))) == ["one"]


def test_a_thousand_parts(door, nothing_kept):
    refused(door.send_form(*[Upload("f", f"{n}", b"x") for n in range(1000)]), 413, "too_many_files", 64)
    refused(door.send_form(*[(f"k{n}", "v") for n in range(1000)], Upload("f", "a", b"x")), 413, "fields_too_large")


def test_fields_too_large(door):
    most = [(f"k{n}", "v") for n in range(64)]
    assert len(door.send_form(*most, Upload("f", "a", b"x")).file["fields"]) == 64
    before = door.stored()
    refused(door.send_form(*most, ("one", "more"), Upload("f", "a", b"x")), 413, "fields_too_large", 64)
    largest = "v" * (64 * 1024 - len('{"k":""}'))
    assert door.send_form(("k", largest), Upload("f", "a", b"x")).file["fields"] == {"k": largest}
    after = door.stored()
    refused(door.send_form(("k", largest + "v"), Upload("f", "a", b"x")), 413, "fields_too_large")
    refused(door.send_form(Upload("f", "a", b"x"), ("k", "v" * 200000)), 413, "fields_too_large")
    assert door.stored() == after != before


@pytest.mark.parametrize("value,bytes", [('"', 2), ("\\", 2), ("\t", 2), ("\r\n", 4), ("ä", 2), ("/", 1), ("\x7f", 1), ("😀", 4)])
def test_fields_are_weighed_as_json(fastcgi, value, bytes):
    """What counts is the JSON that is stored and sent, to the byte."""
    most = (64 * 1024 - len('{"a":"","k":["",""]}')) // bytes
    fields = [("k", value * (most - 100)), ("a", ""), ("k", value * 100)]
    sent = fastcgi.send_form(*fields, Upload("f", "a", b"x"))
    assert sent.file["fields"] == {"k": [value * (most - 100), value * 100], "a": ""}
    assert len(json.dumps(sent.file["fields"], ensure_ascii=False, separators=(",", ":")).encode()) <= 65536
    refused(fastcgi.send_form(*fields, ("a", value), Upload("f", "a", b"x")), 413, "fields_too_large", 65536)


def test_fields_that_are_no_text(door):
    """What is not UTF-8 is replaced, and weighed as what replaces it."""
    file = door.send_form(("k", b"\xff" * 21000), Upload("f", "a", b"x")).file
    assert file["fields"] == {"k": "\ufffd" * 21000}
    refused(door.send_form(("k", b"\xff" * 22000), Upload("f", "a", b"x")), 413, "fields_too_large")


@pytest.mark.parametrize("control", [chr(c) for c in range(0x20) if chr(c) not in "\t\n\r"])
def test_fields_with_controls(fastcgi, control):
    before = fastcgi.stored()
    refused(fastcgi.send_form(("k", f"a{control}b"), Upload("f", "a", b"x")), 400, "bad_multipart", "control character")
    refused(fastcgi.send_form(Upload("f", "a", b"x"), ("k", control)), 400, "bad_multipart", "control character")
    if control != "\0":  # which no header has
        refused(fastcgi.send_form((f"k{control}", "v"), Upload("f", "a", b"x")), 400, "bad_multipart")
    assert fastcgi.stored() == before


def test_fields_are_stored_once(fresh):
    """Sixteen forms of 64 files of a byte each, and as much of fields as there may be."""
    door = fresh("fastcgi", quota_bytes="2M", owner_quota_bytes="2M")
    for n in range(16):
        answer = door.send_form(("k", f"{n:02}" + "x" * 65000), *[Upload("f", f"{i}", b"%d" % (i % 10)) for i in range(64)])
        assert [f["fields"] for f in answer.json["files"]] == [{"k": f"{n:02}" + "x" * 65000}] * 64
        assert int(answer["Content-Length"]) == len(answer.body)
    size = sum(f.stat().st_blocks * 512 for f in door.data.rglob("*") if f.is_file())
    assert size < 16 << 20, size
    while door.send_form(("k", "x" * 65000), Upload("f", "a", b"x")).status == 201:  # fields count, and are few by now
        n += 1
    assert 16 < n < 2 * 1024 * 1024 / 65000
    refused(door.send_form(("k", "x" * 65000), Upload("f", "a", b"x")), 507, "quota_exceeded")


def test_urlencoded_form(door, nothing_kept):
    """A form without enctype: says what is missing, before the body."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "500000"}
    answer = door.request("POST", "/upload", headers, b"file=a.txt", stop=0)
    refused(answer, 415, "unsupported_form", "enctype", "multipart/form-data")
