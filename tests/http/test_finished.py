"""Finished uploads: what is still told of them, and to whom; and who comes just as one is being finished."""
import os
import pathlib
import signal
import sqlite3

import pytest

import processes
import wire
from resumable import Worker, some_bytes
from shell import add_token, bearer

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = b"what was uploaded"
APPEND = {"tus": {**TUS, "Content-Type": "application/offset+octet-stream"},
          "ietf": {"Upload-Complete": "?1", "Content-Type": "application/partial-upload"}}
METADATA = "filename c2VjcmV0Lm5hbWU="  # secret.name
protocols = pytest.mark.parametrize("protocol", ["tus", "ietf"])


# ---- what is told ---------------------------------------------------------------------------------------

CALLERS = ("anonymous", "alice", "bob", "reader", "boss")  # alice and bob may upload, reader may also read
# read_access: who sees alice's file, who sees one that nobody's name is on
SEEN_BY = {
    "open": ({"anonymous", "alice", "bob", "reader", "boss"}, {"anonymous", "alice", "bob", "reader", "boss"}),
    "user": ({"alice", "bob", "reader", "boss"}, {"alice", "bob", "reader", "boss"}),
    "owner": ({"alice", "boss"}, {"boss"}),
    "token": ({"reader", "boss"}, {"reader", "boss"}),
    "off": ({"boss"}, {"boss"}),
}
LITTLE = {"status", "upload-offset", "upload-length", "upload-complete", "upload-limit", "tus-resumable", "cache-control",
          "vary", "x-content-type-options", "content-type", "content-length", "x-request-id", "referrer-policy"}


class House:
    def __init__(self, directory, mode):
        self.mode, self.worker = mode, Worker(directory, read_access=mode)
        rights = {"alice": "upload", "bob": "upload", "reader": "upload,read", "boss": "admin"}
        self.who = {"anonymous": {}} | {name: bearer(add_token(self.worker, name, can)) for name, can in rights.items()}
        self.urls = [self.upload("alice"), self.upload("anonymous")]

    def upload(self, caller):
        """Its last request is answered in full, whatever the mode."""
        asked = {**TUS, "Upload-Length": str(len(BYTES)), "Upload-Metadata": METADATA, **self.who[caller]}
        url = self.worker.ask("POST", "/upload", asked, b"")["Location"]
        last = self.worker.ask("PATCH", url, {**APPEND["tus"], "Upload-Offset": "0", **self.who[caller]}, BYTES)
        assert last.status == 204 and last["Waybill-File"] == url.replace("/upload/", "/files/")
        return url


@pytest.fixture(scope="module", params=SEEN_BY)
def house(request, tmp_path_factory):
    house = House(tmp_path_factory.mktemp("finished"), request.param)
    yield house
    house.worker.stop()


@pytest.mark.parametrize("owner", (0, 1), ids=("alices", "nobodys"))
@pytest.mark.parametrize("caller", CALLERS)
def test_more_than_the_offset_is_for_who_may_see_the_file(house, caller, owner):
    seen, url, size = caller in SEEN_BY[house.mode][owner], house.urls[owner], str(len(BYTES))
    ask, who = house.worker.ask, house.who[caller]
    answers = {
        "tus HEAD": ask("HEAD", url, {**TUS, **who}),
        "tus PATCH": ask("PATCH", url, {**APPEND["tus"], "Upload-Offset": size, **who}, b""),
        "HEAD": ask("HEAD", url, who),
        "GET": ask("GET", url, who),
        "PATCH": ask("PATCH", url, {**APPEND["ietf"], "Upload-Offset": size, **who}, b""),
    }
    for name, answer in answers.items():
        assert 200 <= answer.status < 300, (name, answer)
        if name != "PATCH" or not seen:
            assert answer["Upload-Offset"] == size, (name, answer)
        if not seen:
            assert set(answer.headers) <= LITTLE and answer.body == b"", (name, answer)
        if not name.startswith("tus"):
            assert answer["Upload-Complete"] == "?1", (name, answer)
        if name.endswith("HEAD"):
            assert answer["Upload-Length"] == size, (name, answer)
    if seen:
        assert answers["tus HEAD"]["Upload-Metadata"] == METADATA
        assert all(answers[name]["Waybill-File"] for name in ("tus HEAD", "tus PATCH", "HEAD", "GET"))
        assert answers["PATCH"].json["files"][0]["name"] == "secret.name"


def test_nothing_else_can_be_had_by_asking_wrongly(house):
    for url in house.urls:
        for headers, body in ((APPEND["tus"] | {"Upload-Offset": "3"}, b""), (APPEND["ietf"] | {"Upload-Offset": "3"}, b""),
                              (APPEND["tus"] | {"Upload-Offset": str(len(BYTES))}, b"x"), (APPEND["ietf"], b"")):
            answer = house.worker.ask("PATCH", url, headers, body)
            assert answer.status in (400, 409) and b"secret" not in answer.body and "Waybill-File" not in answer, answer


def test_a_final_upload_hides_its_parts_like_its_metadata(own_worker):
    """Their addresses are all that it takes to read them from there."""
    worker = own_worker(read_access="owner")
    alice = bearer(add_token(worker, "alice", "upload"))
    part = worker.tus_create(len(BYTES), {"Upload-Concat": "partial", **alice}, BYTES)["Location"]
    final = worker.tus("POST", "/upload", {"Upload-Concat": f"final;{part}", **alice})
    assert final.status == 201 and final["Waybill-File"]
    assert "Upload-Concat" not in worker.tus("HEAD", final["Location"])
    assert worker.tus("HEAD", final["Location"], alice)["Upload-Concat"] == f"final;{part}"


def test_a_file_tells_that_it_is_complete(worker):
    """To who takes its address for the upload's."""
    made = [worker.ask("PUT", "/upload/a.txt", {}, BYTES).json["files"][0]["id"],
            worker.tus_create(len(BYTES), body=BYTES).id]
    for ident in made:
        for path in (f"/files/{ident}", f"/files/{ident}/content", f"/files/{ident}/content/a.txt"):
            for headers in ({}, {"Upload-Draft-Interop-Version": "9"}, TUS):
                answer = worker.ask("HEAD", path, headers)
                assert answer.status == 200, answer
                assert (answer["Upload-Complete"], answer["Upload-Offset"]) == ("?1", str(len(BYTES))), answer
            assert "Upload-Complete" not in worker.ask("GET", path)
    missing = worker.ask("HEAD", "/files/" + "0" * 26)
    assert missing.status == 404 and "Upload-Complete" not in missing


# ---- being finished ---------------------------------------------------------------------------------------

def descendants(pid):
    """Process ids below one: a worker's sniffers."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(processes.stat_of(entry.name)[1])
            except OSError:
                pass
    below = [child for child, parent in parents.items() if parent == pid]
    return below + [one for child in below for one in descendants(child)]


def wanted(worker):
    """Does a request wait for an upload that another has?"""
    inode = (worker.data / "partial" / "wanted").stat().st_ino
    return any(f":{inode} " in line and " READ " in line for line in pathlib.Path("/proc/locks").read_text().splitlines())


class Race:
    """The last byte of an upload has come and its type is being judged, which takes as long as the test
    wants; meanwhile a DELETE arrives and waits."""

    def __init__(self, worker, protocol, headers, socket, params):
        self.worker = worker
        answer = worker.ask("POST", "/upload", {**TUS, "Upload-Length": str(len(BYTES)), **headers}, b"")
        self.url, self.id = answer["Location"], answer.id
        self.sniffers = descendants(*processes.workers_of(worker.process.pid))
        assert self.sniffers
        self.signal(signal.SIGSTOP)
        try:
            asked = {**APPEND[protocol], "Upload-Offset": "0", **headers}
            self.last = worker.open("PATCH", self.url, asked, len(BYTES)).send(BYTES)
            self.last._send(wire.record(wire.STDIN))
            worker.wait_for_bytes(self.id, len(BYTES))
            deleting = {**(TUS if protocol == "tus" else {}), **params}
            self.delete = worker.open("DELETE", self.url, deleting, path_socket=socket)
            self.delete._send(wire.record(wire.STDIN))
            processes.wait_until(lambda: wanted(worker), "the DELETE to wait for the upload")
        except BaseException:
            self.signal(signal.SIGCONT)
            raise

    def signal(self, which):
        for pid in self.sniffers:
            os.kill(pid, which)

    def file_is_there(self):
        with sqlite3.connect(self.worker.data / "waybill.db", timeout=10) as db:
            return db.execute("SELECT count(*) FROM files WHERE id = ?", (self.id,)).fetchone() == (1,)


# delete_access, who uploads, who deletes: does the file go?
MAY = [("open", "anonymous", "anonymous", True), ("owner", "anonymous", "anonymous", False), ("owner", "alice", "alice", True),
       ("owner", "alice", "bob", False), ("owner", "alice", "anonymous", False), ("owner", "anonymous", "boss", True),
       ("off", "alice", "alice", False), ("token", "alice", "alice", False)]


@protocols
@pytest.mark.parametrize("where", ["same process", "another"])
@pytest.mark.parametrize("mode, uploads, deletes, goes", MAY)
def test_a_delete_that_comes_while_it_is_finished(own_worker, protocol, where, mode, uploads, deletes, goes):
    """Never a 204 with the file there."""
    worker = own_worker(delete_access=mode)
    other = worker.start("other") if where == "another" else None
    who = {"anonymous": {}} | {name: bearer(add_token(worker, name, can))
                               for name, can in (("alice", "upload"), ("bob", "upload"), ("boss", "admin"))}
    race = Race(worker, protocol, who[uploads], other, who[deletes])
    race.signal(signal.SIGCONT)
    last, answer = race.last.result(), race.delete.result()
    assert last is None or last.status in (201, 204), last
    if goes:
        assert answer.status == 204 and not race.file_is_there(), answer
    else:
        assert answer.status == 409 and answer.json["error"] == "locked", answer
        assert race.file_is_there()
        assert worker.ask("GET", f"/files/{race.id}/content").body == BYTES


@protocols
def test_a_delete_does_not_wait_for_ever(own_worker, protocol):
    """Where judging takes too long the upload goes, and never becomes a file."""
    worker = own_worker()
    race = Race(worker, protocol, {}, worker.start("other"), {})
    try:
        answer = race.delete.result()
    finally:
        race.signal(signal.SIGCONT)
    last = race.last.result()
    assert answer.status == 204 and (last is None or last.status == 423), (answer, last)
    assert not race.file_is_there() and worker.listed() == []
    assert worker.tus("HEAD", race.url).status == 404
    processes.wait_until(lambda: worker.partial_size(race.id) == -1, "its bytes to go")
