"""tus 1.0.0: bytes are added by PATCH, cut short, held against checksums."""
import pytest

from resumable import checksum, some_bytes
from tus import CHUNK


# ---- PATCH ----------------------------------------------------------------------------------------


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


# ---- interrupted bodies ---------------------------------------------------------------------------


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


# ---- checksum -------------------------------------------------------------------------------------


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
