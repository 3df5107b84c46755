"""Files that expire, and the sweeping of them: by hand, by the server, by several at once."""
import datetime
import json
import os
import signal
import subprocess
import threading

import pytest

import harness
import processes
from exchange import Upload, form, refused, text
from processes import wait_until
from shell import add_token, bearer, waybill


def lifetime(file):
    """Seconds between upload and expiry."""
    times = (datetime.datetime.fromisoformat(file[key].replace("Z", "+00:00")) for key in ("uploaded_at", "expires_at"))
    start, end = times
    return (end - start).total_seconds()


def until_expired(door, file):
    wait_until(lambda: door.get(f"/files/{file['id']}").status != 200, "the file to expire")


def test_410_until_gc_then_404(kind, fresh):
    door = fresh(kind)
    stays = door.put("stays.txt", b"the same content").file
    file = door.request("PUT", "/upload/goes.txt?expires_in=1s", {}, b"the same content").file
    assert 0.9 <= lifetime(file) <= 1.1 and stays["expires_at"] is None
    until_expired(door, file)
    paths = [f"/files/{file['id']}" + more for more in ("", "/content", "/content/goes.txt")]
    for path in paths:
        refused(door.get(path), 410, "expired")
        assert door.request("HEAD", path).status == 410
    refused(door.request("DELETE", paths[0], bearer(file["delete_token"])), 410, "expired")
    refused(door.request("DELETE", paths[0]), 401, "unauthorized")
    listing = door.get("/files").json
    assert [f["id"] for f in listing["files"]] == [stays["id"]] and listing["total"] == 1
    said = waybill(door, "gc")
    assert said.startswith("dropped 1 expired files"), said
    for path in paths:
        refused(door.get(path), 404, "not_found")
    assert waybill(door, "gc").startswith("dropped 0 expired files")
    assert door.get(f"/files/{stays['id']}/content").body == b"the same content"
    assert waybill(door, "verify").endswith("all is well\n")


def test_what_is_not_yours_is_404_also_when_expired(fresh):
    door = fresh("fastcgi", read_access="owner")
    alice, bob = (bearer(add_token(door, name, "upload")) for name in ("alice", "bob"))
    file = door.request("PUT", "/upload/a?expires_in=1s", alice, b"x").file
    path = f"/files/{file['id']}"
    wait_until(lambda: door.request("GET", path, alice).status == 410, "its expiry")
    refused(door.request("GET", path, bob), 404, "not_found")
    refused(door.request("DELETE", path, bob), 404, "not_found")
    refused(door.request("GET", path), 401, "unauthorized")


@pytest.mark.parametrize("asked, seconds", [(None, 3600), ("30m", 1800), ("1h", 3600), ("2h", 3600), ("365d", 3600)])
def test_capped(open_door, asked, seconds):
    door = open_door(expire_after="1h")
    query = f"?expires_in={asked}" if asked else ""
    assert abs(lifetime(door.request("PUT", "/upload/a" + query, {}, b"x").file) - seconds) < 1
    headers, body = form(Upload("f", "a", b"x"))
    assert abs(lifetime(door.request("POST", "/upload" + query, headers, body).file) - seconds) < 1
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "1"}
    where = door.request("POST", "/upload" + query, tus, b"")["Location"].removeprefix(door.base)
    patch = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    done = door.request("PATCH", where, patch, b"x")
    assert done.status == 204, done
    assert abs(lifetime(door.get(done["Waybill-File"].removeprefix(door.base)).json) - seconds) < 10


@pytest.mark.parametrize("bad", ["", "0", "0s", "30", "-1s", "1y", "soon", "1h2m", "9999999999999999999d", "%20",
                                 "1s&expires_in=2s"])
def test_bad_durations(kind, door, nothing_kept, bad):
    refused(door.request("PUT", f"/upload/a?expires_in={bad}", {}, b"x"), 400, "bad_request", "expires_in")


def expiring(door, names):
    return [door.request("PUT", f"/upload/{n}?expires_in=1s", {}, text(500, n % 7)).file for n in names]


def test_the_server_sweeps_when_it_starts_and_when_it_is_told_to(fresh):
    door = fresh("fastcgi")
    [file] = expiring(door, [1])
    until_expired(door, file)
    refused(door.get(f"/files/{file['id']}"), 410, "expired")
    os.kill(door.process.pid, signal.SIGHUP)
    wait_until(lambda: door.get(f"/files/{file['id']}").status == 404, "the sweep on SIGHUP")
    [file] = expiring(door, [2])
    until_expired(door, file)
    other = harness.FastCGIDoor(data=door.data)
    wait_until(lambda: door.get(f"/files/{file['id']}").status == 404, "the sweep of a worker that starts")
    other.close()


def test_many_sweep_at_once(fresh):
    """Two servers and two commands on one data_dir; uploads of the same content go on meanwhile."""
    door = fresh("fastcgi")
    other = harness.FastCGIDoor(data=door.data)
    kept, over = [], threading.Event()

    def keep_uploading():
        while not over.is_set():
            kept.append(other.put("same.txt", text(500, len(kept) % 7)).file)
    try:
        files = expiring(door, range(150)) + expiring(other, range(50))
        until_expired(door, files[-1])
        uploads = threading.Thread(target=keep_uploading)
        uploads.start()
        commands = [subprocess.Popen([processes.WAYBILL, "gc"], env=door.environment(), stdout=subprocess.PIPE)
                    for _ in range(2)]
        for worker in (door, other):
            os.kill(worker.process.pid, signal.SIGHUP)
        for command in commands:
            command.communicate(timeout=processes.PATIENCE)
            assert command.returncode == 0
        for file in files:
            assert door.get(f"/files/{file['id']}").status == 404
        over.set()
        uploads.join()
        assert kept and all(other.get(f"/files/{f['id']}/content").status == 200 for f in kept)
        assert door.get("/healthz").json["files"] == len(kept)
        assert waybill(door, "verify").endswith("all is well\n")
    finally:
        over.set()
        other.close()


def test_expired_in_the_shell(fresh):
    door = fresh("fastcgi")
    [file] = expiring(door, [1])
    until_expired(door, file)
    assert json.loads(waybill(door, "ls", "--json"))["files"] == []
    waybill(door, "show", file["id"], status=1)
    waybill(door, "get", file["id"], status=1)
