"""IETF resumable uploads: what is too much, not allowed or too slow."""
import pytest

from ietf import LENGTH_PROBLEM, OFFSET_PROBLEM, PATCH_TYPE, append, create, limits
from resumable import some_bytes


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
