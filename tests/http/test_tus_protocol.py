"""tus 1.0.0: versions, methods, HEAD and OPTIONS. One test or more for each numbered requirement of the
protocol sheet, here and in the other test_tus_*.py."""
import pytest

from tus import CHUNK

EXTENSIONS = {
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "termination",
    "checksum",
    "expiration",
    "concatenation",
}
NOT_NUMBERS = ["-1", "+1", "0x10", "1.5", "9223372036854775808", "1" * 40, "1, 1", "ten", "1 2"]


# ---- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", NOT_NUMBERS)
def test_lengths_and_offsets_are_whole_numbers(worker, bad):
    refused = worker.tus("POST", "/upload", {"Upload-Length": bad})
    assert refused.status == 400 and refused.json["error"] == "bad_request"
    url = worker.tus_create(10)["Location"]
    refused = worker.tus("PATCH", url, {"Upload-Offset": bad, "Content-Type": CHUNK}, b"12345")
    assert refused.status == 400
    assert worker.tus_offset(url) == 0


def test_every_answer_names_the_version(worker):
    url = worker.tus_create(4)["Location"]
    for method, path, headers, body in [
        ("POST", "/upload", {"Upload-Length": "1"}, b""),
        ("HEAD", url, {}, None),
        ("PATCH", url, {"Upload-Offset": "9", "Content-Type": CHUNK}, b""),
        ("PATCH", url, {"Upload-Offset": "0", "Content-Type": "text/plain"}, b""),
        ("PATCH", url, {"Upload-Offset": "0", "Content-Type": CHUNK}, b"1234"),
        ("HEAD", "/upload/00000000000000000000000000", {}, None),
        ("DELETE", "/upload/00000000000000000000000000", {}, None),
        ("PUT", url, {}, b""),
        ("OPTIONS", "/upload", {}, None),
        ("POST", "/upload", {"Upload-Length": "99999999999"}, b""),
    ]:
        answer = worker.tus(method, path, headers, body)
        assert answer["Tus-Resumable"] == "1.0.0", (method, path, answer)


def test_refusals_of_length_also_name_it(direct):
    refused = direct.open("PATCH", "/upload/x", {"Tus-Resumable": "1.0.0"}).finish()
    assert refused.status == 411 and refused["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize("version", ["0.2.2", "1.0.1", "1", "", "1.0.0, 1.0.0"])
def test_another_version_is_412_and_does_nothing(direct, version):
    url = direct.tus_create(5)["Location"]
    before = direct.listed()
    for method, path, headers, body in [
        ("POST", "/upload", {"Upload-Length": "0"}, b""),
        ("PATCH", url, {"Upload-Offset": "0", "Content-Type": CHUNK}, b"12345"),
        ("HEAD", url, {}, None),
        ("DELETE", url, {}, None),
    ]:
        answer = direct.ask(method, path, headers | {"Tus-Resumable": version}, body)
        assert answer.status == 412, (method, answer)
        assert answer["Tus-Version"] == "1.0.0"
        assert "Location" not in answer
    assert direct.tus_offset(url) == 0
    assert direct.listed() == before


def test_override_is_the_method(worker):
    url = worker.tus_create(5)["Location"]
    override = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0", "Content-Type": CHUNK}
    answer = worker.tus("POST", url, override, b"123")
    assert answer.status == 204 and answer.offset == 3
    assert worker.tus("GET", url, {"X-HTTP-Method-Override": "HEAD"}).offset == 3
    answer = worker.tus("POST", url, {"X-HTTP-Method-Override": "DELETE"}, b"")
    assert answer.status == 204
    assert worker.tus("HEAD", url).status in (404, 410)


# ---- HEAD -----------------------------------------------------------------------------------------


def test_head_tells_offset_and_length(worker):
    url = worker.tus_create(10)["Location"]
    answer = worker.tus("HEAD", url)
    assert answer.status in (200, 204)
    assert (answer["Upload-Offset"], answer["Upload-Length"]) == ("0", "10")
    assert "no-store" in answer["Cache-Control"]
    assert answer.body == b""
    worker.tus_patch(url, 0, b"1234")
    assert worker.tus_offset(url) == 4


def test_head_still_answers_when_the_upload_is_complete(worker):
    url = worker.tus_create(3, body=b"abc")["Location"]
    answer = worker.tus("HEAD", url)
    assert answer.status in (200, 204)
    assert (answer["Upload-Offset"], answer["Upload-Length"]) == ("3", "3")


def test_head_of_the_unknown_has_no_offset(worker):
    for path in ["/upload/00000000000000000000000000", "/upload/short", "/upload/" + "u" * 26]:
        answer = worker.tus("HEAD", path)
        assert answer.status in (403, 404, 410)
        assert "Upload-Offset" not in answer


# ---- OPTIONS --------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Tus-Resumable": "1.0.0"}, {"Tus-Resumable": "0.1"}])
def test_options_tells_what_there_is(worker, headers):
    answer = worker.ask("OPTIONS", "/upload", headers)
    assert answer.status in (200, 204)
    assert answer["Tus-Version"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) == EXTENSIONS
    assert answer["Tus-Max-Size"] == str(64 << 20)
    assert set(answer["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256", "md5"}
