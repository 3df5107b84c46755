"""IETF resumable uploads (draft-ietf-httpbis-resumable-upload-12, interop 9): one test or more for each
numbered requirement of the protocol sheet, named by its number."""
import base64
import hashlib
import re
import time

import pytest

from resumable import some_bytes

PATCH_TYPE = "application/partial-upload"
OFFSET_PROBLEM = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
LENGTH_PROBLEM = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"
RELAYS = {"WAYBILL_RELAYS_104": "yes"}


def create(worker, body=b"", complete="?0", path="/upload", method="POST", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return worker.ask(method, path, {"Upload-Complete": complete} | named, body)


def append(worker, url, offset, body, complete="?0", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = {"Upload-Offset": str(offset), "Upload-Complete": complete, "Content-Type": PATCH_TYPE}
    return worker.ask("PATCH", url, asked | named, body)


def limits(answer):
    return dict(item.split("=") for item in answer["Upload-Limit"].split(", "))


def ident(url):
    return url.rsplit("/", 1)[1]


# ---- fields --------------------------------------------------------------------------------------


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


# ---- 104 -----------------------------------------------------------------------------------------


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


# ---- creation ------------------------------------------------------------------------------------


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


# ---- the length ----------------------------------------------------------------------------------


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


# ---- HEAD and GET --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_state_is_told(worker, method):
    url = create(worker, b"12345", Upload_Length="5")["Location"]
    answer = worker.ask(method, url)
    assert answer.status in (200, 204)
    assert answer["Upload-Offset"] == "5"
    assert answer["Upload-Complete"] == "?0"  # all bytes are there, and yet nobody said so
    assert answer["Upload-Length"] == "5"
    assert int(limits(answer)["max-size"]) == 64 << 20
    assert 0 < int(limits(answer)["max-age"]) <= 24 * 3600
    assert "no-store" in answer["Cache-Control"]
    assert append(worker, url, 5, b"", "?1").status == 201
    answer = worker.ask(method, url)
    assert (answer["Upload-Complete"], answer["Upload-Offset"], answer["Upload-Length"]) == ("?1", "5", "5")


def test_a_head_with_offset_or_completeness_is_400(worker):
    url = create(worker, b"12345")["Location"]
    assert worker.ask("HEAD", url, {"Upload-Offset": "5"}).status == 400
    assert worker.ask("HEAD", url, {"Upload-Complete": "?0"}).status == 400
    assert worker.ask("HEAD", url).offset == 5


def test_the_unknown_is_404(worker):
    answer = worker.ask("HEAD", "/upload/00000000000000000000000000")
    assert answer.status == 404 and "Upload-Offset" not in answer


# ---- OPTIONS -------------------------------------------------------------------------------------


def test_options_tells_limits(worker):
    answer = worker.ask("OPTIONS", "/upload")
    assert answer.status == 200  # what iOS looks for
    assert limits(answer)["max-size"] == str(64 << 20)
    assert PATCH_TYPE in answer["Accept-Patch"]
    url = create(worker)["Location"]
    assert "Upload-Limit" in worker.ask("OPTIONS", url)


# ---- PATCH ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["Upload-Offset", "Upload-Complete"])
def test_both_fields_are_required(worker, missing):
    url = create(worker, b"12345")["Location"]
    headers = {"Upload-Offset": "5", "Upload-Complete": "?0", "Content-Type": PATCH_TYPE}
    del headers[missing]
    assert worker.ask("PATCH", url, headers, b"678").status == 400
    assert worker.ask("HEAD", url).offset == 5


@pytest.mark.parametrize("wrong", ["application/octet-stream", "application/offset+octet-stream", ""])
def test_another_type_is_415(worker, wrong):
    url = create(worker, b"12345")["Location"]
    answer = append(worker, url, 5, b"678", Content_Type=wrong)
    assert answer.status == 415 and answer.json["error"] == "unsupported_type"
    assert worker.ask("HEAD", url).offset == 5


@pytest.mark.parametrize("offset", [0, 4, 6, 999999999999999])
def test_wrong_offset_is_409(worker, offset):
    url = create(worker, b"12345")["Location"]
    answer = append(worker, url, offset, b"678")
    assert answer.status == 409
    assert answer["Upload-Complete"] == "?0"
    assert answer["Upload-Offset"] == "5"
    problem = answer.json
    assert problem["type"] == OFFSET_PROBLEM
    assert (problem["expected-offset"], problem["provided-offset"]) == (5, offset)
    assert worker.ask("HEAD", url).offset == 5


def test_nothing_is_added_to_a_complete_upload(worker):
    url = create(worker, b"12345")["Location"]
    assert append(worker, url, 5, b"678", "?1").status == 201
    for offset, body, complete in [(8, b"9", "?0"), (8, b"9", "?1"), (0, b"12345678", "?1"), (8, b"", "?0")]:
        answer = append(worker, url, offset, body, complete)
        assert 400 <= answer.status < 500, answer
        assert answer["Upload-Complete"] == "?0"
    worker.kept(ident(url), b"12345678")


def test_the_final_answer_may_be_heard_again(worker):
    url = create(worker, b"12345")["Location"]
    first = append(worker, url, 5, b"678", "?1")
    again = append(worker, url, 8, b"", "?1")
    assert again.status == first.status and again["Upload-Complete"] == "?1"
    assert again.json["files"][0]["id"] == first.json["files"][0]["id"]


def test_appends_are_acknowledged_and_the_last_is_the_resources_answer(worker):
    data = some_bytes(50_000)
    url = create(worker, data[:10_000])["Location"]
    answer = append(worker, url, 10_000, data[10_000:30_000])
    assert answer.status // 100 == 2 and answer["Upload-Complete"] == "?0"
    assert answer.offset == 30_000
    answer = append(worker, url, 30_000, data[30_000:], "?1")
    assert answer.status == 201 and answer["Upload-Complete"] == "?1"
    assert answer["Location"] == f"/files/{ident(url)}"
    worker.kept(answer.json["files"][0]["id"], data)


# ---- state that is lost --------------------------------------------------------------------------


def test_offsets_do_not_shrink_and_lost_state_ends_the_upload(own_worker):
    worker = own_worker()
    url = create(worker, b"12345")["Location"]
    (worker.data / "partial" / ident(url)).unlink()
    assert worker.ask("HEAD", url).status in (404, 410)
    assert append(worker, url, 5, b"6").status in (404, 410)
    shorter = create(worker, b"12345")["Location"]
    with open(worker.data / "partial" / ident(shorter), "r+b") as file:
        file.truncate(3)
    assert append(worker, shorter, 5, b"6").status in (404, 410)
    assert worker.ask("HEAD", shorter).status in (404, 410)


def test_more_than_the_length_invalidates_the_upload(worker):
    url = create(worker, b"12345", Upload_Length="8")["Location"]
    answer = append(worker, url, 5, b"678901")
    assert 400 <= answer.status < 500
    assert answer["Upload-Complete"] == "?0"
    assert worker.ask("HEAD", url).status in (404, 410)
    assert append(worker, url, 5, b"678", "?1").status in (404, 410)


def test_an_interrupted_body_is_kept_and_does_not_complete(direct):
    data = some_bytes(500_000)
    url = create(direct, b"", Upload_Length=str(len(data)))["Location"]
    headers = {"Upload-Offset": "0", "Upload-Complete": "?1", "Content-Type": PATCH_TYPE}
    answer = direct.open("PATCH", url, headers, len(data)).send(data[:200_000]).finish()
    assert answer.status == 400 and answer["Upload-Complete"] == "?0"
    head = direct.ask("HEAD", url)
    assert head.offset == 200_000 and head["Upload-Complete"] == "?0"
    assert append(direct, url, 200_000, data[200_000:], "?1").status == 201
    direct.kept(ident(url), data)


# ---- ending one ----------------------------------------------------------------------------------


def test_cancellation(worker):
    url = create(worker, b"12345")["Location"]
    assert worker.ask("DELETE", url).status == 204
    assert worker.ask("HEAD", url).status in (404, 410)
    assert worker.ask("DELETE", url).status in (404, 410)
    assert worker.partial_size(ident(url)) == -1
    assert worker.ask("DELETE", "/upload/00000000000000000000000000").status in (404, 410)


def test_a_head_ends_the_request_before_and_tells_an_offset_that_holds(direct):
    data = some_bytes(1_000_000)
    url = create(direct)["Location"]
    headers = {"Upload-Offset": "0", "Upload-Complete": "?1", "Content-Type": PATCH_TYPE}
    going = direct.open("PATCH", url, headers, len(data)).send(data[:400_000])
    direct.wait_for_bytes(ident(url), 300_000)
    offset = direct.ask("HEAD", url).offset
    assert 300_000 <= offset <= 400_000
    going.drop()
    assert append(direct, url, offset, data[offset:], "?1").status == 201
    direct.kept(ident(url), data)


# ---- refusals ------------------------------------------------------------------------------------


def test_tells_the_limit(direct):
    for answer in (
        create(direct, b"", Upload_Length=str((64 << 20) + 1)),
        direct.open("POST", "/upload", {"Upload-Complete": "?0"}, (64 << 20) + 1).result(),
    ):
        assert answer.status == 413
        assert limits(answer)["max-size"] == str(64 << 20)


def test_also_when_the_whole_grows_too_large(own_worker):
    worker = own_worker(max_bytes="100K")
    url = create(worker, some_bytes(60 << 10))["Location"]
    answer = append(worker, url, 60 << 10, some_bytes(60 << 10))
    assert answer.status == 413 and limits(answer)["max-size"] == str(100 << 10)
    assert answer["Upload-Complete"] == "?0"


@pytest.mark.parametrize("interop", [None, "3", "5", "6", "8", "9"])
@pytest.mark.parametrize("how", ["a body", "a length", "a body of no declared length"])
def test_however_it_is_too_much(own_worker, how, interop):
    """Creation whole and in pieces, append to the end and on; by header, and as it is counted."""
    worker = own_worker(max_bytes="100K", unknown_length="accept")
    version = {"Upload-Draft-Interop-Version": interop} if interop else {}
    complete, more = (({"Upload-Incomplete": "?0"}, {"Upload-Incomplete": "?1"}) if interop == "3"
                      else ({"Upload-Complete": "?1"}, {"Upload-Complete": "?0"}))
    url = worker.ask("POST", "/upload", version | more, some_bytes(90_000))["Location"]
    appended = {"Upload-Offset": "90000", "Content-Type": PATCH_TYPE}
    tries = [("POST", "/upload", more), ("PATCH", url, appended | more)]
    if how != "a length":
        tries += [("POST", "/upload", complete), ("PUT", "/upload/name", complete), ("PATCH", url, appended | complete)]
    for method, path, headers in tries:
        headers = headers | version
        if how == "a body":
            answer = worker.ask(method, path, headers, some_bytes(150_000))
        elif how == "a length":
            answer = worker.ask(method, path, headers | {"Upload-Length": "150000"}, b"x")
        else:
            answer = worker.open(method, path, headers).send(some_bytes(150_000)).finish()
        assert answer.status == 413 and answer.json["error"] == "too_large", (method, path, headers, answer)
        assert limits(answer)["max-size"] == str(100 << 10), (method, path, headers, answer)


def test_also_in_a_form(direct):
    """Too many fields are no less a 413."""
    boundary = "x"
    body = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="f{i}"\r\n\r\nv\r\n' for i in range(70))
    answer = direct.ask("POST", "/upload", {"Upload-Complete": "?1", "Content-Type": f"multipart/form-data; boundary={boundary}"},
                        (body + f"--{boundary}--\r\n").encode())
    assert answer.status == 413 and answer.json["error"] == "fields_too_large"
    assert limits(answer)["max-size"] == str(64 << 20)


def test_no_redirects(worker):
    url = create(worker, b"12345")["Location"]
    html = {"Accept": "text/html"}
    assert worker.ask("HEAD", url, html).status not in (301, 302)
    assert append(worker, url, 5, b"", "?1", Accept="text/html").status not in (301, 302)
    assert worker.ask("DELETE", url, html).status not in (301, 302)


def test_offsets_count_coded_bytes(worker):
    import gzip

    coded = gzip.compress(some_bytes(10_000))
    created = create(worker, coded[:100], Content_Encoding="gzip")
    assert created.offset == 100
    done = append(worker, created["Location"], 100, coded[100:], "?1")
    worker.kept(done.json["files"][0]["id"], coded)


def test_what_another_may_not_do(own_worker):
    worker = own_worker(upload_access="user")
    assert create(worker, b"12345").status == 401
    refused = append(worker, "/upload/00000000000000000000000000", 0, b"x")
    assert refused.status in (401, 404)


def test_addresses_cannot_be_guessed(worker):
    seen = {create(worker)["Location"] for _ in range(20)}
    assert len(seen) == 20
    assert len({url[-26:-13] for url in seen}) == 20 and len({url[-13:] for url in seen}) == 20


def test_a_stalled_body_is_given_up_and_what_came_is_kept(own_worker):
    worker = own_worker(body_timeout="1s")
    url = create(worker)["Location"]
    headers = {"Upload-Offset": "0", "Upload-Complete": "?1", "Content-Type": PATCH_TYPE}
    answer = worker.open("PATCH", url, headers, 1000).send(b"12345").result()
    assert answer.status == 408 and answer["Upload-Complete"] == "?0"
    assert worker.ask("HEAD", url).offset == 5


def test_the_quota_is_asked_again_as_the_upload_grows(own_worker):
    worker = own_worker(quota_bytes="100K")
    url = create(worker, some_bytes(60 << 10))["Location"]
    assert append(worker, url, 60 << 10, some_bytes(60 << 10)).status == 507
    assert worker.ask("HEAD", url).offset == 60 << 10


def test_problem_types_are_the_registered_ones(worker):
    url = create(worker, b"12345", Upload_Length="9")["Location"]
    answer = append(worker, url, 1, b"x")
    assert answer["Content-Type"].startswith("application/problem+json")
    assert answer.json["type"] == OFFSET_PROBLEM and answer.json["status"] == 409
    answer = append(worker, url, 5, b"x", "?1")
    assert answer.json["type"] == LENGTH_PROBLEM and answer.json["status"] == 400


# ---- RFC 9530: digests of what was sent, and of the whole ----------------------------------------


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


# ---- clients in the field ------------------------------------------------------------------------


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
