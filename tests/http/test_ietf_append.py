"""IETF resumable uploads: state that is told, appends, lost state, the end."""
import pytest

from ietf import OFFSET_PROBLEM, PATCH_TYPE, append, create, ident, limits
from resumable import some_bytes


# ---- HEAD and GET ---------------------------------------------------------------------------------


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


# ---- OPTIONS --------------------------------------------------------------------------------------


def test_options_tells_limits(worker):
    answer = worker.ask("OPTIONS", "/upload")
    assert answer.status == 200  # what iOS looks for
    assert limits(answer)["max-size"] == str(64 << 20)
    assert PATCH_TYPE in answer["Accept-Patch"]
    url = create(worker)["Location"]
    assert "Upload-Limit" in worker.ask("OPTIONS", url)


# ---- PATCH ----------------------------------------------------------------------------------------


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


# ---- state that is lost ---------------------------------------------------------------------------


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


# ---- ending one -----------------------------------------------------------------------------------


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
