"""IETF resumable uploads: their fields, 104, creation and the length. One test or more for each numbered
requirement of the protocol sheet, here and in the other test_ietf_*.py."""
import re

import pytest

from ietf import LENGTH_PROBLEM, PATCH_TYPE, append, create, limits
from resumable import some_bytes

RELAYS = {"WAYBILL_RELAYS_104": "yes"}


# ---- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["-1", "ten", "1.0", "1, 1", "1000000000000000", "\"5\"", "?1", "0x5"])
def test_bad_lengths_and_offsets_count_as_not_sent(worker, bad):
    created = create(worker, b"12345", Upload_Length=bad)
    assert created.status == 201
    url = created["Location"]
    assert "Upload-Length" not in worker.ask("HEAD", url)
    assert append(worker, url, bad, b"678").status == 400  # an offset is required
    assert worker.ask("HEAD", url).offset == 5


@pytest.mark.parametrize("bad", ["1", "yes", "?2", "?1, ?1", "true"])
def test_bad_completeness_counts_as_not_sent(worker, bad):
    url = create(worker, b"12345")["Location"]
    assert append(worker, url, 5, b"678", complete=bad).status == 400
    assert worker.ask("HEAD", url).offset == 5


def test_parameters_are_ignored(worker):
    url = create(worker, b"12345", complete="?0;why=because", Upload_Length="8;unit=bytes")["Location"]
    assert worker.ask("HEAD", url)["Upload-Length"] == "8"
    assert append(worker, url, "5;x", b"678", complete="?1;a=1").status == 201


# ---- 104 ------------------------------------------------------------------------------------------


def test_no_104_unless_the_server_in_front_relays_it(worker):
    created = create(worker, b"12345", Upload_Draft_Interop_Version="9")
    assert created.interim == []


def test_no_104_for_another_interop_version(direct):
    for version in ["8", "10", "x"]:
        headers = {"Upload-Complete": "?0", "Upload-Draft-Interop-Version": version}
        assert direct.open("POST", "/upload", headers, 0, **RELAYS).finish().interim == []
    assert direct.open("POST", "/upload", {"Upload-Complete": "?0"}, 0, **RELAYS).finish().interim == []


def test_a_104_tells_location_and_limits(direct):
    headers = {"Upload-Complete": "?0", "Upload-Draft-Interop-Version": "9"}
    answer = direct.open("POST", "/upload", headers, 5, **RELAYS).send(b"12345").finish()
    assert answer.status == 201
    first = answer.interim[0]
    assert first["status"].startswith("104")
    assert first["upload-draft-interop-version"] == "9"
    assert first["location"] == answer["Location"]
    assert "max-size=" in first["upload-limit"]


def test_a_104_of_an_append_has_no_location(direct):
    url = create(direct)["Location"]
    headers = {
        "Upload-Complete": "?0",
        "Upload-Offset": "0",
        "Upload-Draft-Interop-Version": "9",
        "Content-Type": PATCH_TYPE,
    }
    answer = direct.open("PATCH", url, headers, 5, **RELAYS).send(b"12345").finish()
    assert answer.status == 204
    assert all("location" not in interim for interim in answer.interim)
    assert all(interim["upload-draft-interop-version"] == "9" for interim in answer.interim)


def test_a_104_comes_at_once_and_tells_progress(direct):
    headers = {"Upload-Complete": "?0", "Upload-Draft-Interop-Version": "9"}
    data = some_bytes(40 << 20)
    direct_104 = direct.open("POST", "/upload", headers, len(data), **RELAYS).send(data[:1000])
    while b"\r\n\r\n" not in direct_104.answer:
        direct_104._receive()
    assert direct_104.answer.startswith(b"Status: 104 ")
    answer = direct_104.send(data[1000:]).finish()
    assert answer.status == 201 and answer.offset == len(data)
    later = answer.interim[1:]
    assert later and all("location" not in interim for interim in later)
    assert all(0 < int(interim["upload-offset"]) <= len(data) for interim in later)


# ---- creation -------------------------------------------------------------------------------------


def test_an_unfinished_creation_is_201_with_location_and_limits(worker):
    created = create(worker, b"12345")
    assert created.status == 201
    assert re.match(r"^/upload/[0-9a-hjkmnp-tv-z]{26}$", created["Location"])
    assert created["Upload-Complete"] == "?0"
    assert limits(created)["max-size"] == str(64 << 20)
    assert created.offset == 5


def test_an_empty_one_too(worker):
    created = create(worker, b"")
    assert created.status == 201 and created["Upload-Complete"] == "?0"
    assert worker.ask("HEAD", created["Location"]).offset == 0


def test_a_whole_creation_is_answered_like_any_upload(worker):
    data = some_bytes(100_000)
    disposition = "inline; filename=\"x.txt\"; filename*=UTF-8''%C3%9Cber.txt"
    answer = create(worker, data, "?1", Content_Type="text/x-mine", Content_Disposition=disposition)
    assert answer.status == 201 and answer["Upload-Complete"] == "?1"
    record = answer.json["files"][0]
    assert (record["name"], record["declared_type"]) == ("Über.txt", "text/x-mine")
    worker.kept(record["id"], data)


def test_put_with_a_name_too(worker):
    data = some_bytes(1_000)
    answer = create(worker, data, "?1", path="/upload/put%20me.bin", method="PUT")
    assert answer.status == 201 and answer["Upload-Complete"] == "?1"
    assert worker.kept(answer.json["files"][0]["id"], data)["name"] == "put me.bin"
    created = create(worker, data[:400], "?0", path="/upload/later.bin", method="PUT")
    done = append(worker, created["Location"], 400, data[400:], "?1")
    assert done.json["files"][0]["name"] == "later.bin"


def test_an_empty_representation(worker):
    answer = create(worker, b"", "?1")
    assert answer.status == 201 and answer["Upload-Complete"] == "?1"
    worker.kept(answer.json["files"][0]["id"], b"")


# ---- the length -----------------------------------------------------------------------------------


def test_length_is_recorded_wherever_it_is_said(worker):
    url = create(worker, b"12345")["Location"]
    assert "Upload-Length" not in worker.ask("HEAD", url)
    append(worker, url, 5, b"6", Upload_Length="9")
    assert worker.ask("HEAD", url)["Upload-Length"] == "9"
    assert append(worker, url, 6, b"789", "?1").status == 201


@pytest.mark.parametrize("said", [{"Upload_Length": "4"}, {"Upload_Length": "6"}])
def test_contradictions_in_a_creation_are_400(worker, said):
    answer = create(worker, b"12345", "?1", **said)
    assert answer.status == 400
    assert answer.json["type"] == LENGTH_PROBLEM


def test_contradictions_of_an_append_are_400(worker):
    url = create(worker, b"12345", Upload_Length="10")["Location"]
    for body, complete, headers in [(b"6", "?0", {"Upload_Length": "11"}), (b"67", "?1", {}), (b"678901", "?1", {})]:
        answer = append(worker, url, 5, body, complete, **headers)
        assert answer.status == 400, answer
        assert answer.json["type"] == LENGTH_PROBLEM
        assert answer["Upload-Complete"] == "?0"
    assert worker.ask("HEAD", url).offset == 5
