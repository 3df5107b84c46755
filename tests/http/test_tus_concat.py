"""tus 1.0.0: parts are joined into one file."""
import pytest

from resumable import b64, some_bytes
from tus import part


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
