"""IETF resumable uploads: digests of RFC 9530, and clients in the field that speak other drafts."""
import base64
import hashlib
import time

import pytest

from ietf import append, create, ident, limits


# ---- RFC 9530: digests of what was sent, and of the whole -----------------------------------------


def digest_field(data):
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_a_content_digest_is_held_against_each_request(worker):
    url = create(worker, b"12345")["Location"]
    wrong = append(worker, url, 5, b"678", Content_Digest=digest_field(b"xxx"))
    assert wrong.status == 422 and worker.ask("HEAD", url).offset == 5
    assert append(worker, url, 5, b"678", Content_Digest=digest_field(b"678")).status // 100 == 2


def test_a_repr_digest_is_held_against_the_whole(worker):
    good = create(worker, b"12345", Repr_Digest=digest_field(b"12345678"))["Location"]
    assert append(worker, good, 5, b"678", "?1").status == 201
    bad = create(worker, b"12345", Repr_Digest=digest_field(b"other"))["Location"]
    assert append(worker, bad, 5, b"678", "?1").status == 422
    assert worker.ask("GET", f"/files/{ident(bad)}").status == 404


# ---- clients in the field -------------------------------------------------------------------------


def test_interop_3_says_upload_incomplete(worker):
    headers = {"Upload-Incomplete": "?1", "Upload-Draft-Interop-Version": "3"}
    created = worker.ask("POST", "/upload", headers, b"12345")
    assert created.status == 201 and created["Upload-Incomplete"] == "?1"
    url = created["Location"]
    head = worker.ask("HEAD", url, {"Upload-Draft-Interop-Version": "3"})
    assert head["Upload-Incomplete"] == "?1" and head.offset == 5
    headers = {"Upload-Incomplete": "?0", "Upload-Draft-Interop-Version": "3", "Upload-Offset": "5"}
    done = worker.ask("PATCH", url, headers, b"678")
    assert done.status == 201 and done["Upload-Incomplete"] == "?0"
    worker.kept(ident(url), b"12345678")


@pytest.mark.parametrize("version", ["4", "5"])
def test_interop_5_patches_without_the_media_type(worker, version):
    url = create(worker, b"12345", Upload_Draft_Interop_Version=version)["Location"]
    headers = {"Upload-Offset": "5", "Upload-Complete": "?1", "Upload-Draft-Interop-Version": version}
    assert worker.ask("PATCH", url, headers, b"678").status == 201


@pytest.mark.parametrize("version", ["6", "7", "8"])
def test_interop_6_to_8_are_served_like_9(worker, version):
    created = create(worker, b"12345", Upload_Draft_Interop_Version=version)
    done = append(worker, created["Location"], 5, b"678", "?1", Upload_Draft_Interop_Version=version)
    assert done.status == 201 and done["Upload-Complete"] == "?1"


def test_both_protocols_meet_on_one_upload(worker):
    url = worker.tus_create(8, body=b"12345")["Location"]
    head = worker.ask("HEAD", url)
    assert (head["Upload-Offset"], head["Upload-Complete"], head["Upload-Length"]) == ("5", "?0", "8")
    assert append(worker, url, 5, b"678", "?1").status == 201
    assert worker.tus_offset(url) == 8
    worker.kept(ident(url), b"12345678")


def test_an_expired_upload_is_410(own_worker):
    worker = own_worker(partial_expire_after="1s")
    url = create(worker, b"12345")["Location"]
    end = time.monotonic() + 20
    while (answer := worker.ask("HEAD", url)).status in (200, 204):
        assert int(limits(answer)["max-age"]) <= 1
        assert time.monotonic() < end
        time.sleep(0.1)
    assert answer.status in (404, 410)
