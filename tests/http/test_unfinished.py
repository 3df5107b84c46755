"""Unfinished uploads: how many there may be, what they reserve and when, and who pays for them."""
import sqlite3
import threading

import pytest

import exchange
import processes
from resumable import some_bytes
from shell import add_token, bearer, waybill

TUS = {"Tus-Resumable": "1.0.0"}
MIB = 1 << 20


def create(worker, protocol, length, who=None, path_socket=None, **params):
    """A new upload without a byte; None: of a length that will be told later."""
    told = {} if length is None else {"Upload-Length": str(length)}
    if protocol == "tus":
        told = told or {"Upload-Defer-Length": "1"}
        return worker.ask("POST", "/upload", {**TUS, **told, **(who or {})}, path_socket=path_socket, **params)
    return worker.ask("POST", "/upload", {"Upload-Complete": "?0", **told, **(who or {})}, path_socket=path_socket, **params)


def append(worker, protocol, url, offset, body, end=True, who=None, tell=None, **params):
    """More bytes; `end`: the last ones. `tell`: the length."""
    headers = {"Upload-Offset": str(offset), **(who or {})}
    if tell is not None:
        headers["Upload-Length"] = str(tell)
    if protocol == "tus":
        headers |= {**TUS, "Content-Type": "application/offset+octet-stream"}
    else:
        headers |= {"Upload-Complete": "?1" if end else "?0", "Content-Type": "application/partial-upload"}
    return worker.ask("PATCH", url, headers, body, **params)


def over_quota(answer, *needles):
    assert answer.status == 507 and answer.json["error"] == "quota_exceeded", answer
    for needle in needles:
        assert needle in answer.json["detail"], answer
    return answer.json["detail"]


def health(worker):
    return worker.ask("GET", "/healthz").json


def change(worker, statement):
    with sqlite3.connect(worker.data / "waybill.db", timeout=10) as db:
        return db.execute(statement).fetchall()


def all_is_well(worker):
    assert waybill(worker, "verify").endswith("all is well\n")


protocols = pytest.mark.parametrize("protocol", ["tus", "ietf"])


# ---- how many ---------------------------------------------------------------------------------------

@protocols
def test_so_many_and_no_more_of_one_address(own_worker, protocol):
    worker = own_worker(open_uploads="3")
    here, there = {"REMOTE_ADDR": "192.0.2.1"}, {"REMOTE_ADDR": "2001:db8::1"}
    made = [create(worker, protocol, 10, **here) for _ in range(3)]
    assert [a.status for a in made] == [201] * 3
    over_quota(create(worker, protocol, 10, **here), "unfinished", "3")
    over_quota(create(worker, "tus", 0, **here), "unfinished")
    assert create(worker, protocol, 10, **there).status == 201
    assert worker.ask("PUT", "/upload/plain", {}, b"not resumable", **here).status == 201
    urls = [a["Location"] for a in made]
    assert append(worker, protocol, urls[0], 0, b"x" * 10).status in (201, 204)  # finished
    assert create(worker, protocol, 10, **here).status == 201
    over_quota(create(worker, protocol, 10, **here))
    assert worker.tus("DELETE", urls[1]).status == 204
    assert create(worker, protocol, 10, **here).status == 201
    change(worker, f"UPDATE uploads SET expires_at = 1 WHERE id = '{made[2].id}'")
    over_quota(create(worker, protocol, 10, **here))
    waybill(worker, "gc")
    assert create(worker, protocol, 10, **here).status == 201
    # whose they were is remembered for this count only
    assert change(worker, "SELECT count(address), count(*) FROM uploads WHERE state = 0") == [(4, 4)]
    assert change(worker, "SELECT count(address) FROM uploads WHERE state <> 0") == [(0,)]
    all_is_well(worker)


@protocols
def test_a_name_counts_wherever_it_is_used(own_worker, protocol):
    worker = own_worker(open_uploads="2", remote_user="trust")
    alice = bearer(add_token(worker, "alice", "upload"))
    for address in ("192.0.2.1", "192.0.2.2"):
        assert create(worker, protocol, 10, alice, REMOTE_ADDR=address).status == 201
    over_quota(create(worker, protocol, 10, alice, REMOTE_ADDR="192.0.2.3"), "2")
    for _ in range(2):
        assert create(worker, protocol, 10, REMOTE_ADDR="192.0.2.1").status == 201
        assert create(worker, protocol, 10, REMOTE_ADDR="192.0.2.1", REMOTE_USER="bob").status == 201
    over_quota(create(worker, protocol, 10, REMOTE_ADDR="192.0.2.1"))
    over_quota(create(worker, protocol, 10, REMOTE_ADDR="192.0.2.9", REMOTE_USER="bob"))


def test_parts_count_until_they_are_joined(own_worker):
    worker = own_worker(open_uploads="2")
    parts = [worker.tus_create(3, {"Upload-Concat": "partial"}, b"abc")["Location"] for _ in range(2)]
    over_quota(create(worker, "tus", 10))
    assert worker.tus("POST", "/upload", {"Upload-Concat": f"final;{parts[0]} {parts[1]}"}).status == 201
    assert create(worker, "tus", 10).status == 201


def test_no_race_makes_one_more(own_worker):
    """Forty at once, in two processes, for five places."""
    worker = own_worker(open_uploads="5")
    sockets, answers, start = [None, worker.start("other")], [], threading.Barrier(40)

    def run(i):
        start.wait()
        answers.append(create(worker, ("tus", "ietf")[i // 2 % 2], 10, path_socket=sockets[i % 2]))
    threads = [threading.Thread(target=run, args=(i,)) for i in range(40)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert sorted(a.status for a in answers) == [201] * 5 + [507] * 35
    assert len([p for p in (worker.data / "partial").iterdir() if len(p.name) == 26]) == 5


# ---- what they reserve, and when ------------------------------------------------------------------------

@protocols
def test_nothing_is_reserved_before_the_first_byte(own_worker, protocol):
    worker = own_worker(quota_bytes="3M")
    urls = [create(worker, protocol, 2 * MIB)["Location"] for _ in range(3)]
    assert health(worker)["reserved_bytes"] == 0
    assert all((worker.data / "partial" / url[-26:]).stat().st_blocks == 0 for url in urls)
    over_quota(create(worker, protocol, 4 * MIB))  # would not fit however long it waited
    slow = worker.open("PATCH", urls[0], {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
                       2 * MIB)
    assert worker.ask("PUT", "/upload/a", {}, some_bytes(MIB)).status == 201  # nothing has come of it yet
    slow.send(b"x")
    processes.wait_until(lambda: health(worker)["reserved_bytes"] == 2 * MIB, "the first byte's reservation")
    over_quota(append(worker, protocol, urls[1], 0, b"x", False))
    slow.drop()
    assert worker.tus_offset(urls[0]) == 1 and health(worker)["reserved_bytes"] == 2 * MIB
    over_quota(worker.ask("PUT", "/upload/b", {}, b"x"))
    assert worker.tus("DELETE", urls[0]).status == 204
    assert append(worker, protocol, urls[1], 0, b"x", False).status == 204
    assert worker.tus_offset(urls[1]) == 1 and worker.tus_offset(urls[2]) == 0
    assert health(worker)["reserved_bytes"] == 2 * MIB
    all_is_well(worker)


def test_a_refused_first_chunk_leaves_nothing(own_worker):
    """A checksum that fails takes back the space with the bytes."""
    worker = own_worker()
    created = worker.tus_create(64 * MIB)
    answer = worker.tus_patch(created["Location"], 0, b"x", {"Upload-Checksum": "sha1 " + "A" * 27 + "="})
    assert answer.status == 460
    processes.wait_until(lambda: health(worker)["reserved_bytes"] == 0, "the reservation to be given back")
    assert (worker.data / "partial" / created.id).stat().st_blocks == 0
    assert worker.tus_offset(created["Location"]) == 0


@protocols
def test_without_a_byte_it_is_dropped(own_worker, protocol):
    """Ten minutes, however long unfinished ones stay: read from the catalog, and then made to pass."""
    worker = own_worker(partial_expire_after="0")
    made = [create(worker, protocol, 10) for _ in range(2)]
    assert append(worker, protocol, made[1]["Location"], 0, b"x", False).status == 204
    for _ in range(2):
        assert append(worker, protocol, made[0]["Location"], 0, b"", False).status == 204  # prolongs nothing
    left = dict(change(worker, "SELECT id, expires_at - created_at FROM uploads"))
    assert left == {made[0].id: 10 * 60 * 1000, made[1].id: None}
    change(worker, "UPDATE uploads SET expires_at = created_at, created_at = created_at - 600000")
    change(worker, "UPDATE uploads SET expires_at = NULL WHERE offset > 0")
    assert worker.tus("HEAD", made[0]["Location"]).status == 410
    assert append(worker, protocol, made[0]["Location"], 0, b"x").status == 410
    waybill(worker, "gc")
    assert worker.tus("HEAD", made[0]["Location"]).status == 404
    assert worker.partial_size(made[0].id) == -1 and worker.partial_size(made[1].id) > 0


# ---- who pays -----------------------------------------------------------------------------------------

SENDERS = ("owner", "nobody", "bob", "admin", "nobody, the token being gone")


@protocols
@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("owner", ["alice, by token", "ann, by REMOTE_USER", "nobody"])
def test_the_owner_pays_whoever_sends(own_worker, protocol, owner, sender):
    """An upload whose length came later may have 1 MiB of its owner's, and not a byte more."""
    worker = own_worker(remote_user="trust", owner_quota_bytes="8M" if "token" in owner else "1M")
    quota = ("--quota", "1M") if "token" in owner else ()
    alice, bob = bearer(add_token(worker, "alice", "upload", *quota)), bearer(add_token(worker, "bob", "upload", "--quota", "5M"))
    who = alice if "token" in owner else {}
    own = {"REMOTE_USER": "ann"} if "REMOTE_USER" in owner else {}
    urls = [create(worker, protocol, None, who, **own)["Location"] for _ in range(3)]
    if sender == "owner":
        sends, params = who, own
    else:
        sends = {"bob": bob, "admin": bearer(add_token(worker, "boss", "admin"))}.get(sender, {})
        params = {}
    if "gone" in sender:
        waybill(worker, "token", "rm", "alice")
    tell = 2 * MIB if protocol == "tus" else None
    detail = over_quota(append(worker, protocol, urls[0], 0, some_bytes(2 * MIB), True, sends, tell, **params))
    mine = sender == "owner" or owner == "nobody" and "nobody" in sender
    assert ("your quota" in detail) == mine and ("MiB" in detail) == mine, detail  # a stranger learns no figures
    assert worker.listed() == []
    tell = MIB if protocol == "tus" else None
    answer = append(worker, protocol, urls[1], 0, some_bytes(MIB), True, sends, tell, **params)
    assert answer.status in (201, 204), answer
    record = worker.ask("GET", "/files/" + urls[1][-26:]).json
    assert record["owner"] == {"a": "alice", "n": None}[owner[0]] if "ann" not in owner else record["owner"] == "ann"
    over_quota(append(worker, protocol, urls[2], 0, b"x", True, sends, 1 if protocol == "tus" else None, **params))
    assert health(worker)["reserved_bytes"] == 0
    all_is_well(worker)


@protocols
def test_a_length_told_by_another_is_the_owners(own_worker, protocol):
    worker = own_worker()
    alice = bearer(add_token(worker, "alice", "upload", "--quota", "1M"))
    url = create(worker, protocol, None, alice)["Location"]
    assert append(worker, protocol, url, 0, b"x", False).status == 204
    over_quota(append(worker, protocol, url, 1, b"y", False, None, 2 * MIB), "owner")
    assert append(worker, protocol, url, 1, b"y", False, None, MIB).status == 204
    over_quota(create(worker, protocol, 1, alice), "your quota")


def part(worker, who, size, seed=1):
    answer = worker.tus("POST", "/upload", {"Upload-Length": str(size), "Upload-Concat": "partial",
                                            "Content-Type": "application/offset+octet-stream", **who}, some_bytes(size, seed))
    assert answer.status == 201, answer
    return answer["Location"]


def join(worker, who, *urls):
    return worker.tus("POST", "/upload", {"Upload-Concat": "final;" + " ".join(urls), **who})


def test_parts_of_others_are_no_way_round_a_quota(own_worker):
    worker = own_worker()
    alice, bob = (bearer(add_token(worker, name, "upload,delete", "--quota", quota)) for name, quota in (("alice", "1M"), ("bob", "3M")))
    theirs = [part(worker, bob, MIB, seed) for seed in (1, 2)]
    for _ in range(2):
        over_quota(join(worker, alice, *theirs), "your quota")
    assert join(worker, alice, theirs[0]).status == 201  # in full: her one MiB
    over_quota(create(worker, "tus", 1, alice))
    assert worker.tus_offset(theirs[0]) == MIB
    over_quota(create(worker, "tus", MIB + 1, bob))  # and his parts count for him as before
    assert join(worker, bob, *theirs).status == 201  # replacing them, his own
    assert create(worker, "tus", MIB, bob).status == 201
    over_quota(create(worker, "tus", MIB + 1, bob))
    assert health(worker)["reserved_bytes"] == 0
    all_is_well(worker)


def test_those_without_a_name_have_no_part_in_a_named_ones(own_worker):
    worker = own_worker(owner_quota_bytes="1M")
    alice = bearer(add_token(worker, "alice", "upload"))
    mine, nobodys = part(worker, alice, MIB, 1), part(worker, {}, MIB, 2)
    over_quota(join(worker, alice, nobodys))
    over_quota(join(worker, {}, mine))
    assert join(worker, {}, nobodys).status == 201 and join(worker, alice, mine).status == 201


def test_a_part_counts_with_its_whole_and_goes_with_it(own_worker):
    worker = own_worker()
    alice = bearer(add_token(worker, "alice", "upload,delete", "--quota", "1M"))
    url = part(worker, alice, MIB)
    whole = join(worker, alice, url)
    assert whole.status == 201
    over_quota(join(worker, alice, url))  # again, it would be another MiB
    (before,), = change(worker, f"SELECT expires_at - created_at FROM uploads WHERE id = '{url[-26:]}'")
    assert before <= 3600 * 1000 + 60_000
    for _ in range(2):
        assert append(worker, "tus", url, MIB, b"", False).status == 204
    assert change(worker, f"SELECT expires_at - created_at FROM uploads WHERE id = '{url[-26:]}'") == [(before,)]
    assert worker.ask("DELETE", "/files/" + whole.id, alice).status == 204
    assert worker.tus("HEAD", url).status == 410
    waybill(worker, "verify")  # what waits for the next sweep is nothing to be told
    waybill(worker, "gc")
    assert worker.tus("HEAD", url).status == 404
    assert [p.name for p in (worker.data / "partial").iterdir() if len(p.name) == 26] == []
    assert part(worker, alice, MIB)
    all_is_well(worker)


@pytest.mark.parametrize("remembered", ["0", "48h"])
def test_little_is_remembered_of_a_refused_one(own_worker, remembered):
    """Nobody pays for it, and no count of open ones knows it."""
    worker = own_worker(partial_expire_after=remembered)
    told = {"Upload-Metadata": "filename eA==,note " + "eHh4" * 2000}
    url = worker.tus_create(len(exchange.ELF), told)["Location"]
    assert append(worker, "tus", url, 0, exchange.ELF[:1]).status == 204
    assert append(worker, "tus", url, 1, exchange.ELF[1:]).status == 415
    [(state, fields, metadata, lasts)] = change(
        worker, f"SELECT state, fields, metadata, expires_at - created_at FROM uploads WHERE id = '{url[-26:]}'")
    assert (state, fields, metadata) == (2, "{}", None) and lasts <= 24 * 3600 * 1000 + 60_000
    assert worker.tus("HEAD", url).status == 410
    all_is_well(worker)


# ---- an older catalog ------------------------------------------------------------------------------------

def test_uploads_of_the_version_before_are_counted(own_worker, tmp_path):
    """Made of its own schema, with what 0.1.0 left in it; the running digests are another worker's."""
    first = own_worker()
    for size in (400, 300):
        first.tus_create(1000, body=b"o" * size)
    digests = dict(change(first, "SELECT offset, digest FROM uploads")) | {0: b""}
    data = tmp_path / "w1" / "data"
    (data / "partial").mkdir(parents=True)
    (data / "objects").mkdir()
    rows = [("1" * 26, None, 1000, 400, 1000), ("2" * 26, "alice", None, 300, 0), ("3" * 26, "alice", 50, 0, 0),
            ("4" * 26, None, 70, 0, 0)]
    with sqlite3.connect(data / "waybill.db") as db:
        db.executescript((processes.TOP / "schema" / "001-catalog.sql").read_text() + "PRAGMA user_version = 1")
        for ident, owner, length, offset, allocated in rows:
            db.execute("INSERT INTO uploads (id, protocol, state, owner, name, fields, length, offset, allocated, digest,"
                       " concat, created_at) VALUES (?, 1, 0, ?, 'old', '{}', ?, ?, ?, ?, 0, 0)",
                       (ident, owner, length, offset, allocated, digests[offset]))
            (data / "partial" / ident).write_bytes(b"o" * offset)
    worker = own_worker(open_uploads="2")
    assert health(worker)["reserved_bytes"] == 1300
    all_is_well(worker)
    assert worker.tus_offset("/upload/" + "1" * 26) == 400
    over_quota(create(worker, "tus", 1, bearer(add_token(worker, "alice", "upload"))), "unfinished")
    assert append(worker, "tus", "/upload/" + "1" * 26, 400, b"o" * 600).status == 204
    worker.kept("1" * 26, b"o" * 1000)
    assert health(worker)["reserved_bytes"] == 300
