"""tus 1.0.0: uploads are created, with metadata, with bytes, with a length that comes later."""
import re

import pytest

from resumable import b64, some_bytes
from tus import CHUNK

ID = re.compile(r"^/upload/[0-9a-hjkmnp-tv-z]{26}$")


# ---- creation -------------------------------------------------------------------------------------


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


# ---- metadata -------------------------------------------------------------------------------------


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


# ---- deferred length ------------------------------------------------------------------------------


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


# ---- creation with upload -------------------------------------------------------------------------


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
