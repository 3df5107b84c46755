"""tus 1.0.0: one test or more for each numbered requirement of the protocol sheet, named by its number."""
import email.utils
import hashlib
import json
import os
import re
import subprocess
import threading
import time

import pytest

from resumable import WAYBILL, ServedWorker, b64, checksum, some_bytes

ID = re.compile(r"^/upload/[0-9a-hjkmnp-tv-z]{26}$")
CHUNK = "application/offset+octet-stream"
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


# ---- headers -------------------------------------------------------------------------------------


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


# ---- HEAD ----------------------------------------------------------------------------------------


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


# ---- PATCH ---------------------------------------------------------------------------------------


def test_patch_adds_and_the_last_one_keeps(worker):
    data = some_bytes(100_000)
    url = worker.tus_create(len(data))["Location"]
    for at in range(0, len(data), 30_000):
        chunk = data[at : at + 30_000]
        answer = worker.tus_patch(url, at, chunk)
        assert answer.status == 204 and answer.offset == at + len(chunk)
        last = at + len(chunk) == len(data)
        assert ("Waybill-File" in answer) == last
    ident = url.rsplit("/", 1)[1]
    assert answer["Waybill-File"] == f"/files/{ident}"
    worker.kept(ident, data)


def test_wrong_type_is_415(worker):
    url = worker.tus_create(10)["Location"]
    for wrong in ["application/octet-stream", "text/plain", "application/partial-upload"]:
        answer = worker.tus("PATCH", url, {"Upload-Offset": "0", "Content-Type": wrong}, b"12345")
        assert answer.status == 415 and answer.json["error"] == "unsupported_type"
    answer = worker.tus("PATCH", url, {"Upload-Offset": "0"}, b"12345")
    assert answer.status == 415
    assert worker.tus_offset(url) == 0


def test_type_is_compared_as_a_media_type(worker):
    url = worker.tus_create(10)["Location"]
    kind = {"Upload-Offset": "0", "Content-Type": "Application/Offset+Octet-Stream; x=y"}
    assert worker.tus("PATCH", url, kind, b"12345").status == 204


@pytest.mark.parametrize("offset", [0, 3, 5, 9, 2**63 - 1])
def test_wrong_offset_is_409_with_the_true_one(worker, offset):
    url = worker.tus_create(10, body=b"1234")["Location"]
    answer = worker.tus_patch(url, offset, b"567890")
    assert answer.status == 409 and answer.offset == 4
    assert answer.json["error"] == "offset_conflict"
    assert worker.tus_offset(url) == 4
    assert worker.tus_patch(url, 4, b"567890").status == 204
    worker.kept(url.rsplit("/", 1)[1], b"1234567890")


def test_missing_offset_is_400(worker):
    url = worker.tus_create(10)["Location"]
    assert worker.tus("PATCH", url, {"Content-Type": CHUNK}, b"12345").status == 400
    assert worker.tus_offset(url) == 0


def test_patch_past_the_length_changes_nothing(worker):
    url = worker.tus_create(10, body=b"1234")["Location"]
    answer = worker.tus_patch(url, 4, b"5678901")
    assert answer.status in (400, 413)
    assert worker.tus_offset(url) == 4


def test_patch_of_the_unknown_is_404(worker):
    assert worker.tus_patch("/upload/00000000000000000000000000", 0, b"x").status == 404


def test_empty_patch_is_fine(worker):
    url = worker.tus_create(10, body=b"1234")["Location"]
    answer = worker.tus_patch(url, 4, b"")
    assert answer.status == 204 and answer.offset == 4


def test_patch_of_a_complete_upload_changes_nothing(worker):
    url = worker.tus_create(4, body=b"abcd")["Location"]
    again = worker.tus_patch(url, 4, b"")
    assert again.status == 204 and again.offset == 4
    assert again["Waybill-File"] == url.replace("/upload/", "/files/")
    assert worker.tus_patch(url, 0, b"abcd").status == 409
    assert worker.tus_patch(url, 4, b"e").status in (400, 403, 413)
    worker.kept(url.rsplit("/", 1)[1], b"abcd")


# ---- interrupted bodies --------------------------------------------------------------------------


def test_what_came_of_an_interrupted_body_is_kept(direct):
    data = some_bytes(2_000_000)
    created = direct.tus_create(len(data))
    url, ident = created["Location"], created.id
    going = direct.tus_patch_open(url, 0, len(data)).send(data[:700_000])
    direct.wait_for_bytes(ident, 600_000)
    going.drop()
    offset = direct.tus_offset(url)
    assert 600_000 <= offset <= 700_000
    assert direct.tus_patch(url, offset, data[offset:]).status == 204
    direct.kept(ident, data)


def test_a_body_that_ends_early_is_400_and_kept(direct):
    data = some_bytes(100_000)
    url = direct.tus_create(len(data))["Location"]
    answer = direct.tus_patch_open(url, 0, len(data)).send(data[:40_000]).finish()
    assert answer.status == 400 and answer.json["error"] == "incomplete_body"
    assert direct.tus_offset(url) == 40_000
    direct.tus_patch(url, 40_000, data[40_000:])
    direct.kept(url.rsplit("/", 1)[1], data)


def test_an_interrupted_creation_with_upload_can_go_on(direct):
    """The client cannot know the URL, but what was made must not count as complete."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "50000", "Content-Type": CHUNK}
    before = set(direct.listed())
    answer = direct.open("POST", "/upload", headers, 50_000).send(some_bytes(20_000)).finish()
    assert answer.status == 400
    assert set(direct.listed()) == before


# ---- OPTIONS -------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Tus-Resumable": "1.0.0"}, {"Tus-Resumable": "0.1"}])
def test_options_tells_what_there_is(worker, headers):
    answer = worker.ask("OPTIONS", "/upload", headers)
    assert answer.status in (200, 204)
    assert answer["Tus-Version"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) == EXTENSIONS
    assert answer["Tus-Max-Size"] == str(64 << 20)
    assert set(answer["Tus-Checksum-Algorithm"].split(",")) == {"sha1", "sha256", "md5"}


# ---- creation ------------------------------------------------------------------------------------


def test_creation_gives_a_location(worker):
    answer = worker.tus_create(10)
    assert ID.match(answer["Location"])
    assert worker.listed() == [] or answer.id not in worker.listed()
    assert worker.ask("GET", f"/files/{answer.id}").status == 404


def test_location_has_the_mount_point(direct):
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "0"}
    answer = direct.open("POST", "/drop/upload", headers, 0, SCRIPT_NAME="/drop", PATH_INFO="/upload").finish()
    assert answer.status == 201 and answer["Location"].startswith("/drop/upload/")


def test_nothing_is_complete_at_once(worker):
    answer = worker.tus_create(0)
    assert worker.tus_offset(answer["Location"]) == 0
    worker.kept(answer.id, b"")


@pytest.mark.parametrize("headers", [{}, {"Upload-Defer-Length": "0"}, {"Upload-Defer-Length": "2"},
                                     {"Upload-Defer-Length": "1", "Upload-Length": "4"}])
def test_creation_needs_one_statement_about_the_length(worker, headers):
    answer = worker.tus("POST", "/upload", headers)
    assert answer.status == 400 and "Location" not in answer


def test_too_much_is_413(worker):
    answer = worker.tus("POST", "/upload", {"Upload-Length": str((64 << 20) + 1)})
    assert answer.status == 413 and answer.json["max_bytes"] == 64 << 20
    assert answer["Tus-Max-Size"] == str(64 << 20)


def test_each_creation_is_another_upload(worker):
    assert worker.tus_create(5)["Location"] != worker.tus_create(5)["Location"]


# ---- metadata ------------------------------------------------------------------------------------


def test_metadata_is_echoed_and_becomes_the_record(worker):
    given = f"filename {b64('Überblick.txt')},filetype {b64('text/x-test')},note {b64('für uns')},flag"
    answer = worker.tus_create(3, {"Upload-Metadata": given}, body=b"abc")
    assert worker.tus("HEAD", answer["Location"])["Upload-Metadata"] == given
    record = worker.kept(answer.id, b"abc")
    assert record["name"] == "Überblick.txt"
    assert record["declared_type"] == "text/x-test"
    assert record["fields"] == {"note": "für uns", "flag": ""}


def test_name_and_type_do_as_well(worker):
    given = f"name {b64('../../etc/passwd')},type {b64('image/png')}"
    answer = worker.tus_create(3, {"Upload-Metadata": given}, body=b"abc")
    record = worker.kept(answer.id, b"abc")
    assert (record["name"], record["declared_type"], record["fields"]) == ("passwd", "image/png", {})


@pytest.mark.parametrize("bad", [
    "a YQ==,a Yg==", "filename YQ==,filename YQ==", ",", "a YQ==,", "a !!!", "a YQ", "a YQ== Yg==", "ä YQ==",
])
def test_bad_metadata_is_400(worker, bad):
    answer = worker.tus("POST", "/upload", {"Upload-Length": "3", "Upload-Metadata": bad})
    assert answer.status == 400 and "Location" not in answer


# ---- deferred length -----------------------------------------------------------------------------


def test_length_may_come_later_and_stays(worker):
    url = worker.tus_create(None, {"Upload-Defer-Length": "1"})["Location"]
    answer = worker.tus("HEAD", url)
    assert answer["Upload-Defer-Length"] == "1" and "Upload-Length" not in answer
    assert worker.tus_patch(url, 0, b"123").status == 204
    assert worker.tus("HEAD", url)["Upload-Defer-Length"] == "1"
    assert worker.tus_patch(url, 3, b"45", {"Upload-Length": "8"}).status == 204
    answer = worker.tus("HEAD", url)
    assert answer["Upload-Length"] == "8" and "Upload-Defer-Length" not in answer
    assert worker.tus_patch(url, 5, b"6", {"Upload-Length": "9"}).status == 400
    assert worker.tus_offset(url) == 5
    assert worker.tus_patch(url, 5, b"678", {"Upload-Length": "8"}).status == 204
    worker.kept(url.rsplit("/", 1)[1], b"12345678")


def test_length_below_the_offset_is_400(worker):
    url = worker.tus_create(None, {"Upload-Defer-Length": "1"}, body=b"12345")["Location"]
    assert worker.tus_patch(url, 5, b"", {"Upload-Length": "4"}).status == 400
    assert worker.tus("HEAD", url)["Upload-Defer-Length"] == "1"


def test_length_that_the_offset_has_reached_completes(worker):
    url = worker.tus_create(None, {"Upload-Defer-Length": "1"}, body=b"12345")["Location"]
    answer = worker.tus_patch(url, 5, b"", {"Upload-Length": "5"})
    assert answer.status == 204 and "Waybill-File" in answer
    worker.kept(url.rsplit("/", 1)[1], b"12345")


def test_deferred_does_not_mean_endless(own_worker):
    worker = own_worker(max_bytes="100K")
    url = worker.tus_create(None, {"Upload-Defer-Length": "1"})["Location"]
    assert worker.tus_patch(url, 0, some_bytes(60 * 1024)).status == 204
    assert worker.tus_patch(url, 60 * 1024, some_bytes(60 * 1024)).status == 413
    assert worker.tus_patch(url, 60 * 1024, b"", {"Upload-Length": str(101 << 10)}).status == 413
    assert worker.tus_offset(url) == 60 * 1024


# ---- creation with upload ------------------------------------------------------------------------


def test_creation_may_bring_bytes(worker):
    answer = worker.tus_create(10, body=b"12345")
    assert answer.offset == 5
    assert worker.tus_offset(answer["Location"]) == 5
    answer = worker.tus_create(5, body=b"12345")
    assert answer.offset == 5
    worker.kept(answer.id, b"12345")


def test_body_of_another_type_is_refused(worker):
    headers = {"Upload-Length": "5", "Content-Type": "text/plain"}
    answer = worker.tus("POST", "/upload", headers, b"12345")
    assert answer.status == 415 and "Location" not in answer


def test_more_than_the_length_is_refused(worker):
    headers = {"Upload-Length": "4", "Content-Type": CHUNK}
    assert worker.tus("POST", "/upload", headers, b"12345").status in (400, 413)


# ---- expiration ----------------------------------------------------------------------------------


def test_answers_tell_when_it_expires(worker):
    """Ten minutes for the first byte, then a day."""
    created = worker.tus_create(10)
    url = created["Location"]
    empty, asked = worker.tus_patch(url, 0, b""), worker.tus("HEAD", url)
    patched = worker.tus_patch(url, 0, b"1")
    for answer, lasts in ((created, 600), (empty, 600), (asked, 600), (patched, 24 * 3600),
                          (worker.tus("HEAD", url), 24 * 3600), (worker.tus_create(10, body=b"1"), 24 * 3600)):
        expires = email.utils.parsedate_to_datetime(answer["Upload-Expires"]).timestamp()
        assert abs(expires - time.time() - lasts) < 300
        assert re.match(r"^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$",
                        answer["Upload-Expires"])


def test_afterwards_it_is_gone(own_worker):
    worker = own_worker(partial_expire_after="1s")
    url = worker.tus_create(10)["Location"]
    end = time.monotonic() + 20
    while (answer := worker.tus("HEAD", url)).status in (200, 204):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert answer.status in (404, 410) and "Upload-Offset" not in answer
    assert worker.tus_patch(url, 0, b"1").status in (404, 410)


def test_never_says_nothing(own_worker):
    worker = own_worker(partial_expire_after="0")
    created = worker.tus_create(10)
    assert "Upload-Expires" in created  # no byte has come yet
    assert "Upload-Expires" not in worker.tus_patch(created["Location"], 0, b"1")
    assert "Upload-Expires" not in worker.tus("HEAD", created["Location"])


def test_gc_takes_what_expired(own_worker):
    worker = own_worker(partial_expire_after="1s")
    ident = worker.tus_create(10, body=b"12345").id
    assert worker.partial_size(ident) >= 5
    end = time.monotonic() + 20
    while worker.partial_size(ident) >= 0:
        assert time.monotonic() < end
        time.sleep(0.2)
        subprocess.run([WAYBILL, "gc", "-c", str(worker.directory / "waybill.conf")], check=True,
                       stdout=subprocess.DEVNULL)
    assert worker.tus("HEAD", f"/upload/{ident}").status in (404, 410)


# ---- checksum ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sha1", "sha256", "md5"])
def test_checksum_of_each_chunk(worker, name):
    url = worker.tus_create(10)["Location"]
    assert worker.tus_patch(url, 0, b"12345", {"Upload-Checksum": checksum(name, b"12345")}).status == 204
    wrong = worker.tus_patch(url, 5, b"67890", {"Upload-Checksum": checksum(name, b"6789x")})
    assert wrong.status == 460 and wrong.json["error"] == "checksum_mismatch"
    assert worker.tus_offset(url) == 5
    assert worker.tus_patch(url, 5, b"67890", {"Upload-Checksum": checksum(name, b"67890")}).status == 204
    worker.kept(url.rsplit("/", 1)[1], b"1234567890")


def test_a_wrong_chunk_leaves_the_digest_right(worker):
    data = some_bytes(3_000_000)
    url = worker.tus_create(len(data))["Location"]
    worker.tus_patch(url, 0, data[:500_000])
    bad = worker.tus_patch(url, 500_000, data[:900_000], {"Upload-Checksum": checksum("sha1", b"")})
    assert bad.status == 460
    assert worker.tus_patch(url, 500_000, data[500_000:]).status == 204
    worker.kept(url.rsplit("/", 1)[1], data)


@pytest.mark.parametrize("bad", ["crc32 AAAA", "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1", "sha1 !!", "sha1 YQ=="])
def test_unknown_algorithm_or_bad_value_is_400(worker, bad):
    url = worker.tus_create(5)["Location"]
    assert worker.tus_patch(url, 0, b"12345", {"Upload-Checksum": bad}).status == 400
    assert worker.tus_offset(url) == 0


def test_checksum_of_an_interrupted_chunk_discards_it(direct):
    data = some_bytes(50_000)
    url = direct.tus_create(len(data))["Location"]
    headers = {"Upload-Checksum": checksum("sha1", data)}
    direct.tus_patch_open(url, 0, len(data), headers).send(data[:20_000]).finish()
    assert direct.tus_offset(url) == 0


def test_wrong_checksum_at_the_end_does_not_complete(worker):
    url = worker.tus_create(5)["Location"]
    assert worker.tus_patch(url, 0, b"12345", {"Upload-Checksum": checksum("md5", b"x")}).status == 460
    assert worker.ask("GET", url.replace("/upload/", "/files/")).status == 404


# ---- termination ---------------------------------------------------------------------------------


def test_termination_frees_everything(worker):
    created = worker.tus_create(10, body=b"12345")
    assert worker.partial_size(created.id) >= 5
    assert worker.tus("DELETE", created["Location"]).status == 204
    assert worker.tus("HEAD", created["Location"]).status in (404, 410)
    assert worker.tus_patch(created["Location"], 5, b"67890").status in (404, 410)
    assert worker.tus("DELETE", created["Location"]).status in (404, 410)
    assert worker.partial_size(created.id) == -1


def test_termination_stops_a_request_under_way(direct):
    data = some_bytes(1_000_000)
    created = direct.tus_create(len(data))
    going = direct.tus_patch_open(created["Location"], 0, len(data)).send(data[:300_000])
    direct.wait_for_bytes(created.id, 200_000)
    assert direct.tus("DELETE", created["Location"]).status == 204
    answer = going.result()
    assert answer is None or answer.status >= 400
    assert direct.partial_size(created.id) == -1


# ---- concatenation -------------------------------------------------------------------------------


def part(worker, data):
    return worker.tus_create(len(data), {"Upload-Concat": "partial"}, body=data)["Location"]


def test_final_is_its_parts_in_order(worker):
    a, b = some_bytes(70_001, 1), some_bytes(1_500_000, 2)
    first, second = part(worker, a), part(worker, b)
    concat = f"final;{second} {first} {second}"
    meta = f"filename {b64('whole.bin')}"
    answer = worker.tus("POST", "/upload", {"Upload-Concat": concat, "Upload-Metadata": meta})
    assert answer.status == 201
    record = worker.kept(answer.id, b + a + b)
    assert record["name"] == "whole.bin"
    head = worker.tus("HEAD", answer["Location"])
    assert head["Upload-Concat"] == concat
    whole = str(len(a) + 2 * len(b))
    assert (head["Upload-Offset"], head["Upload-Length"]) == (whole, whole)


def test_parts_are_not_files(worker):
    url = part(worker, b"part")
    ident = url.rsplit("/", 1)[1]
    assert worker.ask("GET", f"/files/{ident}").status == 404
    assert ident not in worker.listed()
    head = worker.tus("HEAD", url)
    assert head["Upload-Concat"] == "partial" and head.offset == 4 and head["Upload-Length"] == "4"


def test_absolute_urls_do_too(worker):
    first, second = part(worker, b"12"), part(worker, b"34")
    concat = f"final;http://localhost{first} https://example.org:8411{second}"
    answer = worker.tus("POST", "/upload", {"Upload-Concat": concat})
    assert answer.status == 201
    worker.kept(answer.id, b"1234")


def test_metadata_is_not_inherited(worker):
    meta = {"Upload-Metadata": f"filename {b64('part.bin')}", "Upload-Concat": "partial"}
    url = worker.tus_create(2, meta, body=b"12")["Location"]
    answer = worker.tus("POST", "/upload", {"Upload-Concat": f"final;{url}"})
    assert worker.kept(answer.id, b"12")["name"] == "unnamed"


def test_patch_of_a_final_upload_is_403(worker):
    answer = worker.tus("POST", "/upload", {"Upload-Concat": f"final;{part(worker, b'12')}"})
    assert worker.tus_patch(answer["Location"], 2, b"3").status == 403
    assert worker.tus_patch(answer["Location"], 0, b"").status == 403
    worker.kept(answer.id, b"12")


def test_unfinished_foreign_and_missing_parts_are_refused(worker):
    done = part(worker, b"12")
    unfinished = worker.tus_create(5, {"Upload-Concat": "partial"}, body=b"1")["Location"]
    whole = worker.tus_create(2, body=b"12")["Location"]
    before = worker.listed()
    for bad in [unfinished, whole, "/upload/00000000000000000000000000", "/elsewhere", "http://example.org/x",
                f"{done}/x", ""]:
        answer = worker.tus("POST", "/upload", {"Upload-Concat": f"final;{done} {bad}" if bad else "final;"})
        assert answer.status in (400, 403, 404), (bad, answer)
        assert "Location" not in answer
    assert worker.listed() == before
    assert worker.tus_offset(done) == 2


def test_final_with_length_is_400(worker):
    headers = {"Upload-Concat": f"final;{part(worker, b'12')}", "Upload-Length": "2"}
    assert worker.tus("POST", "/upload", headers).status == 400


@pytest.mark.parametrize("bad", ["parts", "final", "partial;/x", ""])
def test_other_values_are_400(direct, bad):
    assert direct.tus("POST", "/upload", {"Upload-Concat": bad, "Upload-Length": "2"}).status == 400


def test_sum_is_held_against_the_limit(own_worker):
    worker = own_worker(max_bytes="100K")
    url = part(worker, some_bytes(60 << 10))
    answer = worker.tus("POST", "/upload", {"Upload-Concat": f"final;{url} {url}"})
    assert answer.status == 413


# ---- what users of other servers asked for -------------------------------------------------------


def test_a_new_patch_ends_the_one_that_hangs(direct):
    data = some_bytes(1_000_000)
    created = direct.tus_create(len(data))
    going = direct.tus_patch_open(created["Location"], 0, len(data)).send(data[:300_000])
    direct.wait_for_bytes(created.id, 250_000)
    offset = direct.tus_offset(created["Location"])
    assert 250_000 <= offset <= 300_000
    assert direct.tus_patch(created["Location"], offset, data[offset:]).status == 204
    answer = going.result()
    assert answer is None or answer.status >= 400
    direct.kept(created.id, data)


def test_also_when_another_process_holds_it(direct):
    data = some_bytes(1_000_000)
    other = direct.start("other")
    created = direct.tus_create(len(data))
    going = direct.tus_patch_open(created["Location"], 0, len(data), path_socket=other).send(data[:300_000])
    direct.wait_for_bytes(created.id, 250_000)
    offset = direct.tus_offset(created["Location"])
    assert 250_000 <= offset <= 300_000
    assert direct.tus_patch(created["Location"], offset, data[offset:]).status == 204
    going.drop()
    direct.kept(created.id, data)


def test_also_when_a_plain_cgi_process_holds_it(own_worker):
    worker = own_worker()
    data = some_bytes(1_000_000)
    created = worker.tus_create(len(data))
    environment = {
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "PATCH", "REQUEST_URI": created["Location"],
        "SCRIPT_NAME": "", "PATH_INFO": created["Location"], "CONTENT_LENGTH": str(len(data)),
        "CONTENT_TYPE": CHUNK, "HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_OFFSET": "0",
        "WAYBILL_CONFIG": str(worker.directory / "waybill.conf"), "PATH": os.environ["PATH"],
    }
    script = subprocess.Popen([WAYBILL], env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    script.stdin.write(data[:300_000])
    script.stdin.flush()
    worker.wait_for_bytes(created.id, 250_000)
    offset = worker.tus_offset(created["Location"])
    assert 250_000 <= offset <= 300_000
    assert worker.tus_patch(created["Location"], offset, data[offset:]).status == 204
    script.stdin.close()
    script.wait(20)
    worker.kept(created.id, data)


def test_two_patches_at_once_leave_one_right_file(worker):
    data = some_bytes(4_000_000)
    created = worker.tus_create(len(data))
    answers = []

    def patch():
        answers.append(worker.tus_patch(created["Location"], 0, data))

    threads = [threading.Thread(target=patch) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    # Whoever is made to let go is cut off; lighttpd calls that 503, nginx 502.
    cut_off = {502, 503} if isinstance(worker, ServedWorker) else set()
    assert {answer.status for answer in answers if answer} <= {204, 400, 409, 423} | cut_off
    offset = worker.tus_offset(created["Location"])
    if offset < len(data):
        assert worker.tus_patch(created["Location"], offset, data[offset:]).status == 204
    worker.kept(created.id, data)


def test_a_killed_worker_loses_nothing_acknowledged(own_worker):
    worker = own_worker()
    data = some_bytes(2_500_000)
    created = worker.tus_create(len(data))
    worker.tus_patch(created["Location"], 0, data[:1_200_000])
    worker.kill()
    worker.start()
    assert worker.tus_offset(created["Location"]) == 1_200_000
    going = worker.tus_patch_open(created["Location"], 1_200_000, 1_300_000).send(data[1_200_000:2_000_000])
    worker.wait_for_bytes(created.id, 1_900_000)
    worker.kill()
    going.drop()
    worker.start()
    offset = worker.tus_offset(created["Location"])
    assert 1_200_000 <= offset <= 2_000_000
    assert worker.tus_patch(created["Location"], offset, data[offset:]).status == 204
    worker.kept(created.id, data)


PROGRAM = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0\x3e\0\x01\0\0\0" + b"\1" * 100


def test_a_refused_type_ends_the_upload_for_good(worker):
    body = PROGRAM + some_bytes(3 << 20)
    created = worker.tus_create(len(body))
    url = created["Location"]
    assert worker.tus_patch(url, 0, body[:600_000]).status == 204
    answer = worker.tus_patch(url, 600_000, body[600_000:1_200_000])
    assert answer.status == 415 and answer.json["error"] == "type_refused"
    assert answer.json["detected_type"].startswith("application/x-")
    assert worker.tus("HEAD", url).status in (404, 410)
    assert worker.tus_patch(url, 600_000, b"x").status in (404, 410)
    assert worker.partial_size(created.id) == -1


def test_a_small_refused_file_is_refused_at_its_end(worker):
    created = worker.tus_create(len(PROGRAM))
    answer = worker.tus_patch(created["Location"], 0, PROGRAM)
    assert answer.status == 415
    assert worker.tus("HEAD", created["Location"]).status in (404, 410)
    assert worker.ask("GET", f"/files/{created.id}").status == 404


def test_declared_lengths_count_against_the_quota(own_worker):
    worker = own_worker(quota_bytes="1M")
    first = worker.tus_create(700_000, body=b"x")
    refused = worker.tus("POST", "/upload", {"Upload-Length": "700000"})
    assert refused.status == 507 and refused.json["error"] == "quota_exceeded"
    assert worker.ask("POST", "/upload?name=x", {"Content-Type": "text/x"}, b"x" * 700_000).status == 507
    worker.kill()
    worker.start()
    assert worker.tus("POST", "/upload", {"Upload-Length": "700000"}).status == 507
    assert worker.tus("DELETE", first["Location"]).status == 204
    assert worker.tus("POST", "/upload", {"Upload-Length": "700000"}).status == 201


def test_a_quota_has_room_for_the_upload_that_it_admitted(own_worker):
    worker = own_worker(quota_bytes="1M")
    data = some_bytes(1 << 20)
    url = worker.tus_create(len(data))["Location"]
    assert worker.tus_patch(url, 0, data[:500_000]).status == 204
    assert worker.tus_patch(url, 500_000, data[500_000:]).status == 204
    worker.kept(url.rsplit("/", 1)[1], data)


def test_the_same_content_twice_is_one_object(worker):
    data = some_bytes(123_456, 77)
    one, two = worker.tus_create(len(data), body=data), worker.tus_create(len(data), body=data)
    assert one.id != two.id
    worker.kept(one.id, data)
    worker.kept(two.id, data)
    name = hashlib.sha256(data).hexdigest()
    assert [found for found in os.listdir(worker.data / "objects") if found == name] == [name]


def test_the_token_to_delete_comes_with_the_last_patch(worker):
    url = worker.tus_create(3)["Location"]
    answer = worker.tus_patch(url, 0, b"abc")
    assert "Waybill-Delete-Token" not in worker.tus("HEAD", url)
    file = answer["Waybill-File"]
    assert worker.ask("DELETE", file).status == 401
    bearer = {"Authorization": "Bearer " + answer["Waybill-Delete-Token"]}
    assert worker.ask("DELETE", file, bearer).status == 204
    assert worker.tus("HEAD", url).status in (404, 410)


def test_the_token_to_delete_comes_with_what_parts_become(worker):
    answer = worker.tus("POST", "/upload", {"Upload-Concat": f"final;{part(worker, b'abc')} {part(worker, b'def')}"})
    assert worker.ask("DELETE", answer["Waybill-File"]).status == 401
    bearer = {"Authorization": "Bearer " + answer["Waybill-Delete-Token"]}
    assert worker.ask("DELETE", answer["Waybill-File"], bearer).status == 204


def test_unfinished_uploads_from_a_shell(own_worker):
    worker = own_worker()

    def shell(*command):
        done = subprocess.run([WAYBILL, *command, "-c", str(worker.directory / "waybill.conf")],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return done.returncode, done.stdout

    meta = {"Upload-Metadata": "filename " + b64('Größe "1".bin')}
    one, two = worker.tus_create(10, meta, body=b"12345"), worker.tus_create(None, {"Upload-Defer-Length": "1"})
    worker.tus_create(3, body=b"abc")
    status, said = shell("ls", "--partial")
    assert status == 0 and len(said.splitlines()) == 2
    assert any(one.id in line and "Größe" in line for line in said.splitlines())
    status, said = shell("ls", "--partial", "--json")
    uploads = {upload["id"]: upload for upload in json.loads(said)["uploads"]}
    assert set(uploads) == {one.id, two.id}
    assert (uploads[one.id]["offset"], uploads[one.id]["length"]) == (5, 10)
    assert (uploads[one.id]["name"], uploads[one.id]["owner"]) == ('Größe "1".bin', None)
    assert uploads[two.id]["length"] is None
    assert shell("rm", one.id)[0] == 0
    assert worker.tus("HEAD", one["Location"]).status in (404, 410)
    assert worker.partial_size(one.id) == -1
    assert shell("rm", one.id)[0] == 1
    assert shell("ls", "--partial", "--type", "image/*")[0] == 2


def test_a_deleted_file_takes_its_upload_along(own_worker):
    worker = own_worker(delete_access="open")
    created = worker.tus_create(3, body=b"abc")
    assert worker.ask("DELETE", f"/files/{created.id}").status == 204
    assert worker.tus("HEAD", created["Location"]).status in (404, 410)
