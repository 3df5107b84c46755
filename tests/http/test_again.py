"""Idempotency-Key: what is sent again, because its answer was lost, makes no second file."""
import concurrent.futures
import uuid

import pytest

from chance import noise
from exchange import Upload, refused
from harness import FastCGIDoor
from processes import kill_serving, wait_until
from shell import add_token, bearer


def key():
    return str(uuid.UUID(bytes=noise(16), version=4))


def more_than(door, before):
    return door.stored()[0] - before[0]


def put(door, key, body=b"hello", name="a.txt", more=None):
    return door.request("PUT", f"/upload/{name}", {"Idempotency-Key": key, **(more or {})}, body)


def post(door, key, *files, fields=(), headers=None):
    return door.send_form(("idempotency_key", key), *fields, *files, headers=headers or {})


def test_a_body_sent_again(door):
    before = door.stored()
    mine = key()
    first, again = put(door, mine), put(door, mine)
    assert first.status == again.status == 201 and first.json == again.json and len(first.file["delete_token"]) == 64
    assert put(door, f'"{mine}"').json == put(door, f'"{mine}";a=1').json == first.json
    assert more_than(door, before) == 1
    assert door.get(f"/files/{first.file['id']}/content").body == b"hello"
    assert door.request("DELETE", f"/files/{first.file['id']}", {"Authorization": f"Bearer {again.file['delete_token']}"}).status == 204
    assert door.stored() == before


def test_a_form_sent_again(door):
    before = door.stored()
    mine = key()
    files = [Upload("f", "a.txt", b"one"), Upload("f", "b.txt", b"two"), Upload("f", "a.txt", b"one")]
    first, again = (post(door, mine, *files, fields=[("note", "x")]) for _ in range(2))
    assert first.status == again.status == 201 and first.json == again.json and len(first.json["files"]) == 3
    assert first.json["files"][0]["fields"] == {"note": "x"}  # the key is not kept
    by_header = door.send_form(("note", "x"), *files, headers={"Idempotency-Key": mine})
    assert by_header.json == first.json and more_than(door, before) == 3


def test_many_at_once_are_one(door):
    before = door.stored()
    mine = key()
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: put(door, mine, b"x" * 3000), range(36)))
    assert {a.status for a in answers} == {201} and len({a.file["id"] for a in answers}) == 1
    assert len({a.file["delete_token"] for a in answers}) == 1 and more_than(door, before) == 1


def test_another_key_is_another_file(door):
    ids = {put(door, key()).file["id"] for _ in range(3)} | {door.request("PUT", "/upload/a.txt", {}, b"hello").file["id"] for _ in range(2)}
    assert len(ids) == 5


def test_a_key_for_something_else(door):
    mine = key()
    put(door, mine)
    before = door.stored()
    refused(put(door, mine, b"HELLO"), 422, "key_reused")
    refused(put(door, mine, name="b.txt"), 422, "key_reused")
    refused(post(door, mine, Upload("f", "a.txt", b"hello"), Upload("f", "b.txt", b"more")), 422, "key_reused")
    assert door.stored() == before


def test_a_key_is_its_owner_s(open_door):
    door = open_door(upload_access="open", read_access="open")
    mine, tokens = key(), [add_token(door, name, "upload") for name in ("anna", "berta")]
    ids = [put(door, mine, more=bearer(token)).file["id"] for token in tokens] + [put(door, mine).file["id"]]
    assert len(set(ids)) == 3
    assert [put(door, mine, more=bearer(token)).file["id"] for token in tokens] == ids[:2]


def test_what_was_deleted_may_come_again(door):
    before = door.stored()
    mine = key()
    first = put(door, mine)
    door.request("DELETE", f"/files/{first.file['id']}", {"Authorization": f"Bearer {first.file['delete_token']}"})
    again = put(door, mine)
    assert again.status == 201 and again.file["id"] != first.file["id"] and more_than(door, before) == 1
    assert door.get(f"/files/{first.file['id']}").status == 404


def test_nothing_else_takes_the_place_of_what_was_deleted(door):
    """An address that was handed out shows what it showed, or nothing."""
    mine = key()
    first = put(door, mine, b"benign")
    assert door.request("DELETE", f"/files/{first.file['id']}", {"Authorization": f"Bearer {first.file['delete_token']}"}).status == 204
    other = put(door, mine, b"another", "b.txt")
    assert other.status == 201 and other.file["id"] != first.file["id"]
    assert door.get(f"/files/{first.file['id']}/content").status == 404


@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_bytes_that_were_lost_are_made_good(open_door, harm):
    door, mine = open_door(), key()
    file = put(door, mine).file
    object = door.data / "objects" / file["sha256"]
    object.unlink() if harm == "missing" else object.write_bytes(b"he")
    assert put(door, mine).file == file
    assert door.get(f"/files/{file['id']}/content").body == b"hello"


def test_what_has_expired_is_kept_anew(door):
    before, mine = door.stored(), key()
    dead = door.request("PUT", "/upload/a.txt?expires_in=1s", {"Idempotency-Key": mine}, b"hello").file
    wait_until(lambda: door.get(f"/files/{dead['id']}").status in (404, 410), "it has expired")
    again = door.request("PUT", "/upload/a.txt?expires_in=7d", {"Idempotency-Key": mine}, b"hello")
    assert again.status == 201 and again.file["id"] != dead["id"] and door.get(f"/files/{again.file['id']}/content").body == b"hello"
    assert put(door, mine).json == again.json and more_than(door, before) == 1


def test_a_request_does_not_stand_in_its_own_way(open_door):
    """What the first one took is not what the second one lacks."""
    door, mine = open_door(owner_quota_bytes="10"), key()
    first = put(door, mine, b"12345678")
    assert put(door, mine, b"12345678").json == first.json and door.stored()[0] == 1
    refused(put(door, key(), b"12345678"), 507, "quota_exceeded")
    refused(put(door, mine, b"12345678901"), 507, "quota_exceeded")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert {a.status for a in pool.map(lambda _: put(door, mine, b"12345678"), range(12))} == {201}


def test_the_answer_is_the_record(door):
    mine = key()
    first = door.request("PUT", "/upload/a.txt?path=one", {"Idempotency-Key": mine, "Content-Type": "text/plain"}, b"hello")
    again = door.request("PUT", "/upload/a.txt?path=two", {"Idempotency-Key": mine, "Content-Type": "image/png"}, b"hello")
    assert again.json == first.json and again.file["path"] == "one" and again.file["declared_type"] == "text/plain"


def test_a_form_is_all_of_its_files(door):
    files = [Upload("f", f"{n}.txt", n.encode()) for n in ("one", "two", "three")]
    mine = key()
    first = post(door, mine, *files)
    refused(post(door, mine, files[0]), 422, "key_reused")
    refused(post(door, mine, *reversed(files)), 422, "key_reused")
    gone = first.json["files"][1]
    assert door.request("DELETE", f"/files/{gone['id']}", {"Authorization": f"Bearer {gone['delete_token']}"}).status == 204
    refused(post(door, mine, *files), 422, "key_reused", "are gone")


def test_a_delete_token_is_told_where_it_is_one(tmp_path):
    mine = key()
    for access in "token", "owner":  # made without one, and sent again when there would be one
        door = FastCGIDoor({"delete_access": access}, data=tmp_path)
        answer = put(door, mine)
        assert answer.status == 201 and "delete_token" not in answer.file
        door.close()


def test_the_time_is_the_first_one_s(door):
    mine = key()
    first = door.request("PUT", "/upload/a.txt?expires_in=2h", {"Idempotency-Key": mine}, b"hello")
    again = door.request("PUT", "/upload/a.txt?expires_in=9h", {"Idempotency-Key": mine}, b"hello")
    assert again.json == first.json


def test_after_a_kill(tmp_path):
    mine = key()
    door = FastCGIDoor(data=tmp_path)
    first = put(door, mine)
    kill_serving(door.process)
    door.close()
    door = FastCGIDoor(data=tmp_path)
    assert put(door, mine).json == first.json and door.get("/files").json["total"] == 1
    door.close()


@pytest.mark.parametrize("bad", ["short", "with blank in the middle", "x" * 256, '"' + "x" * 15 + '"', "grüße-grüße-grüße", '""', '"' + "x" * 20,
                                 '"' + "x" * 20 + '"y', '"'])
def test_no_key(door, bad):
    before = door.stored()
    refused(put(door, bad.encode().decode("latin-1")), 400, "bad_request", "Idempotency-Key")
    refused(post(door, bad, Upload("f", "a", b"x")), 400, "bad_request", "Idempotency-Key")
    assert door.stored() == before


def test_keys_of_any_visible_kind(door):
    for fine in "x" * 16, "x" * 255, "!#$%&'*+-.^_`|~()<>@,;:/[]?={}\\":
        assert put(door, fine).status == 201
    refused(door.send_form(("idempotency_key", key()), ("idempotency_key", key()), Upload("f", "a", b"x")), 400, "bad_request", "several")
    assert door.send_form(("idempotency_key", ""), Upload("f", "a", b"x")).status == 201
