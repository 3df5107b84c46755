"""Quotas and space: never over, never a byte of reservation left behind."""
import contextlib
import os
import signal
import threading

import pytest

import harness
import processes
from exchange import ELF, Upload, form, refused, text
from processes import wait_until
from shell import add_token, bearer, waybill
from wire import STDIN, begin, record


def health(door):
    return door.get("/healthz").json


def nothing_reserved(door):
    wait_until(lambda: health(door)["reserved_bytes"] == 0, "reservations to be released: " + str(health(door)))


@contextlib.contextmanager
def under_way(door, length, sent=b"", headers=None, path="/upload/slow"):
    """An upload that has declared its length, sent a little, and then says no more."""
    sock = door.connect()
    try:
        sock.sendall(begin() + door.params("PUT", path, headers, length))
        if sent:
            sock.sendall(record(STDIN, sent))
        yield sock
    finally:
        sock.close()


def test_store(fresh):
    door = fresh("fastcgi", quota_bytes="10000")
    first = door.put("1", text(6000, 1)).file
    problem = refused(door.put("2", text(6000, 2)), 507, "quota_exceeded", "quota")
    assert "MiB" in problem["detail"] or "KiB" in problem["detail"] or "bytes" in problem["detail"]
    assert len(door.stored()[1]) == 1
    assert door.put("3", text(4000, 3)).status == 201  # to the last byte
    refused(door.put("4", b"x"), 507, "quota_exceeded")
    assert door.put("5", b"").status == 201
    assert door.request("DELETE", f"/files/{first['id']}", bearer(first["delete_token"])).status == 204
    assert door.put("6", text(6000, 6)).status == 201
    nothing_reserved(door)


def test_decided_before_the_body(fresh):
    door = fresh("fastcgi", quota_bytes="10000")
    answer = door.request("PUT", "/upload/a", {"Content-Length": "20000"}, b"", stop=0)
    refused(answer, 507, "quota_exceeded")
    nothing_reserved(door)


def test_the_store_pays_once_the_owner_each_time(fresh):
    door = fresh("fastcgi", quota_bytes="20000", owner_quota_bytes="13000")
    alice, bob = (add_token(door, name, "upload,delete") for name in ("alice", "bob"))
    same = text(6000, 1)
    files = [door.request("PUT", "/upload/a", bearer(who), same).file for who in (alice, alice, bob)]
    assert health(door)["bytes"] == 6000 and health(door)["files"] == 3
    problem = refused(door.request("PUT", "/upload/a", bearer(alice), same), 507, "quota_exceeded", "your quota")
    assert "12.7 KiB" in problem["detail"], problem  # 13000 bytes
    assert door.request("PUT", "/upload/b", bearer(bob), text(7000, 2)).status == 201
    refused(door.request("PUT", "/upload/b", bearer(bob), b"x"), 507, "quota_exceeded")
    assert health(door)["bytes"] == 13000
    for file, left in zip(files, (13000, 13000, 7000)):
        assert door.request("DELETE", f"/files/{file['id']}", bearer(alice)).status == 204
        assert health(door)["bytes"] == left
    assert door.request("PUT", "/upload/a", bearer(alice), text(13000, 3)).status == 201
    refused(door.request("PUT", "/upload/a", bearer(alice), b"x"), 507, "quota_exceeded")
    assert waybill(door, "verify").endswith("all is well\n")


def test_token(fresh):
    """The smaller of the owner's and the token's own."""
    door = fresh("fastcgi", owner_quota_bytes="8000")
    small, large = add_token(door, "small", "upload", "--quota", "5000"), add_token(door, "large", "upload", "--quota", "1G")
    assert door.request("PUT", "/upload/a", bearer(small), text(5000)).status == 201
    refused(door.request("PUT", "/upload/a", bearer(small), b"x"), 507, "quota_exceeded")
    assert door.request("PUT", "/upload/a", bearer(large), text(8000)).status == 201
    refused(door.request("PUT", "/upload/a", bearer(large), b"x"), 507, "quota_exceeded")


def test_those_without_a_name_share_one(fresh):
    """Leaving the token out is no way round an owner's quota."""
    door = fresh("fastcgi", owner_quota_bytes="10000")
    with under_way(door, 6000, b"x"):
        wait_until(lambda: health(door)["reserved_bytes"] == 6000, "the reservation")
        refused(door.put("a", text(6000)), 507, "quota_exceeded")
        assert door.request("PUT", "/upload/a", bearer(add_token(door, "alice", "upload")), text(6000)).status == 201
    nothing_reserved(door)
    assert door.put("a", text(6000, 2)).status == 201
    refused(door.put("a", text(6000, 3)), 507, "quota_exceeded")


def test_min_free_bytes(fresh):
    door = fresh("fastcgi")
    assert door.put("a", b"x").status == 201
    full = harness.FastCGIDoor({"min_free_bytes": "1000T"}, data=door.data)
    try:
        refused(full.put("a", b"y"), 507, "insufficient_storage", "free")
        answer, ready = full.get("/healthz"), full.get("/healthz?ready")
        assert answer.status == 200 and answer.json["status"] == "degraded" and "full" in answer.json["reason"], answer
        assert ready.status == 503 and ready["Retry-After"] and ready.json == answer.json, ready
        assert full.get("/files").json["total"] == 1  # reading goes on
    finally:
        full.close()


def test_declared_bytes_are_reserved(fresh):
    door = fresh("fastcgi", quota_bytes="100000")
    with contextlib.ExitStack() as held:
        for _ in range(5):
            held.enter_context(under_way(door, 20000, b"some"))
        wait_until(lambda: health(door)["reserved_bytes"] == 100000, "five reservations")
        refused(door.put("sixth", b"x"), 507, "quota_exceeded")
        upload = door.request("POST", "/upload", {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}, b"")
        refused(upload, 507, "quota_exceeded")
    nothing_reserved(door)  # five clients went away
    assert door.put("whole", text(100000)).status == 201


def test_a_race_does_not_overshoot(fresh):
    """Twenty at once in two processes for five places."""
    door = fresh("fastcgi", quota_bytes="100000")
    other = harness.FastCGIDoor({"quota_bytes": "100000"}, data=door.data)
    answers, start = [], threading.Barrier(20)

    def run(i):
        start.wait()
        answers.append((door, other)[i % 2].put(f"{i}", text(20000, i)))
    try:
        threads = [threading.Thread(target=run, args=(i,)) for i in range(20)]
        [t.start() for t in threads], [t.join() for t in threads]
        assert len(answers) == 20
        kept = [a for a in answers if a.status == 201]
        [refused(a, 507, "quota_exceeded") for a in answers if a.status != 201]
        assert 1 <= len(kept) <= 5 and health(door)["bytes"] == 20000 * len(kept)
        nothing_reserved(door)
        for i in range(20, 25 - len(kept) + 20):  # what they left each other is there to be had
            status = other.put(f"{i}", text(20000, i)).status
            assert status == (201 if len(kept) + i - 20 < 5 else 507)
    finally:
        other.close()


def test_killed_while_it_holds_reservations(fresh):
    door = fresh("fastcgi", quota_bytes="100000")
    other = harness.FastCGIDoor({"quota_bytes": "100000"}, data=door.data)
    with under_way(other, 90000, b"some"):
        wait_until(lambda: health(door)["reserved_bytes"] == 90000, "the other's reservation")
        refused(door.put("a", text(20000)), 507, "quota_exceeded")
        processes.kill_serving(other.process)
        assert door.put("a", text(20000)).status == 201
    nothing_reserved(door)
    other.close()


def bad_ends(door):
    boundary, body = form(Upload("f", "a", b"x" * 5000))
    yield door.put("a", ELF), 415
    yield door.request("PUT", "/upload/a", {"Repr-Digest": "sha-256=:" + "A" * 43 + "=:"}, b"x" * 5000), 422
    yield door.request("POST", "/upload", boundary, body[:-20]), 400
    yield door.request("POST", "/upload", {"Content-Type": "multipart/form-data"}, body), 400
    yield door.request("PUT", "/upload/a", {"Content-Length": "6000"}, b"x" * 5000), 400  # ends too early
    yield door.request("PUT", "/upload/a", {"Content-Length": "4000"}, b"x" * 5000), 400  # goes on
    yield door.send_form(("only", "a field")), 400
    yield door.put("a", b"x" * 200000), 507


def test_every_refusal_gives_back(fresh):
    door = fresh("fastcgi", quota_bytes="100000")
    for answer, status in bad_ends(door):
        assert answer.status == status, answer
        assert health(door)["reserved_bytes"] == 0, answer
    assert door.stored() == (0, [], [])
    assert door.put("a", text(100000)).status == 201


def test_form(fresh):
    door = fresh("fastcgi", quota_bytes="10000")
    assert door.send_form(Upload("f", "1", text(3000, 1)), Upload("f", "2", text(3000, 2))).status == 201
    refused(door.send_form(Upload("f", "3", text(2000, 3)), Upload("f", "4", text(2500, 4))), 507, "quota_exceeded")
    assert health(door)["bytes"] == 6000 and door.stored()[0] == 2
    nothing_reserved(door)


def without_length(door, body):
    return door.send(begin() + door.params("PUT", "/upload/a"), door.stdin(body))


def test_unknown_length(fresh):
    """What is not declared is reserved as it comes, to the last byte that fits."""
    door = fresh("fastcgi", quota_bytes="100000", max_bytes="90000", unknown_length="accept")
    assert without_length(door, text(60000, 1)).status == 201
    answer = without_length(door, text(80000, 2))
    refused(answer, 507, "quota_exceeded")
    refused(without_length(door, text(85000, 3)), 507, "quota_exceeded")
    assert without_length(door, text(40000, 4)).status == 201
    refused(without_length(door, b"x"), 507, "quota_exceeded")
    nothing_reserved(door)
    assert health(door)["bytes"] == 100000


def test_unknown_length_is_cut_off(fresh):
    door = fresh("fastcgi", max_bytes="90000", unknown_length="accept")
    refused(without_length(door, text(95000, 3)), 413, "too_large")
    assert door.stored() == (0, [], [])
    nothing_reserved(door)


@pytest.mark.parametrize("end", ["done", "deleted", "expired"])
def test_resumable_counts_from_its_first_byte_to_its_end(fresh, end):
    door = fresh("fastcgi", quota_bytes="100000", partial_expire_after="1s" if end == "expired" else "1h")
    tus = {"Tus-Resumable": "1.0.0"}
    where = door.request("POST", "/upload", {**tus, "Upload-Length": "90000"}, b"")["Location"]
    assert health(door)["reserved_bytes"] == 0
    patch = {**tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    assert door.request("PATCH", where, patch, b"x").status == 204
    assert health(door)["reserved_bytes"] == 90000
    refused(door.put("a", text(20000)), 507, "quota_exceeded")
    patch["Upload-Offset"] = "1"
    if end == "done":
        assert door.request("PATCH", where, patch, text(89999, 2)).status == 204
        assert health(door)["bytes"] == 90000
    elif end == "deleted":
        assert door.request("DELETE", where, tus).status == 204
    else:
        wait_until(lambda: door.request("HEAD", where, tus).status == 410, "its expiry")
        waybill(door, "gc")
    nothing_reserved(door)
    assert door.put("a", text(10000, 3)).status == 201


def test_figures_that_differ_look_different(fresh):
    """"10.0 MiB of 10.0 MiB" helps nobody; and all ways to upload say the same of what is too large."""
    door = fresh("fastcgi", quota_bytes="1M", max_bytes="1025K")
    problem = refused(door.put("a", bytes((1 << 20) + 1)), 507, "quota_exceeded")
    assert "1.0 MiB (1048577 bytes)" in problem["detail"] and "1.0 MiB (1048576 bytes)" in problem["detail"], problem
    size = (1025 << 10) + 1
    tus = {"Tus-Resumable": "1.0.0"}
    ietf = {"Upload-Draft-Interop-Version": "9", "Upload-Complete": "?0", "Upload-Length": str(size)}
    told = [refused(door.put("a", bytes(size)), 413, "too_large"),
            refused(door.request("POST", "/upload", {**tus, "Upload-Length": str(size)}, b""), 413, "too_large"),
            refused(door.request("POST", "/upload", ietf, b""), 413, "too_large")]
    assert {one["max_bytes"] for one in told} == {size - 1}
    assert {one["detail"] for one in told} == {
        f"This is 1.0 MiB ({size} bytes); this server accepts at most 1.0 MiB ({size - 1} bytes). Send a smaller file, or ask for max_bytes to be raised."}
