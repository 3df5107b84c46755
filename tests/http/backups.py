"""backups.py: a store and its backup, for the tests of `waybill backup` and `waybill restore`."""
import hashlib
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import tempfile

import pytest

import harness
import processes
from exchange import text
from shell import add_token, bearer, waybill

TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
LINE = re.compile(r"backed up (\d+) files to \S+: (\d+) objects new, (\d+) kept, (\d+) removed; "
                  r"(\d+) bytes new of (\d+); [\d.]+ s\n")


def run(door, *words, status=0, **environment):
    done = subprocess.run([processes.WAYBILL, *map(str, words)], env=door.environment(**environment), timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == status, (words, done)
    return done


class Backup:
    """A store of four files of three contents, and where its backup goes."""

    def __init__(self, door, to):
        self.door, self.data, self.dir, self.again = door, door.data, to, []
        self.token = bearer(add_token(door, "alice", "upload,delete"))
        self.files = [self.put(name, text(3000, seed))
                      for name, seed in (("one.txt", 1), ("two.txt", 2), ("two again.txt", 2), ("three.txt", 3))]

    def put(self, name, content):
        return self.door.request("PUT", f"/upload/{name.replace(' ', '%20')}", self.token, content).file

    def serve_again(self):
        """By another worker, which ends with the test."""
        self.door = harness.FastCGIDoor(data=self.data)
        self.again.append(self.door)

    def rm(self, file):
        assert self.door.request("DELETE", f"/files/{file['id']}", self.token).status == 204

    def take(self, *options, status=0):
        """(files, new, kept, removed, bytes new, bytes) of the one line that it prints."""
        done = run(self.door, "backup", *options, self.dir, status=status)
        assert status or not done.stderr, done
        return tuple(map(int, LINE.fullmatch(done.stdout).groups()))

    def refused(self, *needles):
        done = run(self.door, "backup", self.dir, status=1)
        assert not done.stdout and all(n in done.stderr for n in needles), done
        return done

    def object(self, i, top=None):
        return (top or self.data) / "objects" / self.files[i]["sha256"]


@pytest.fixture
def elsewhere():
    """On another file system than the doors' data."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="wbb-", dir="/dev/shm"))
    assert top.stat().st_dev != os.stat("/tmp").st_dev, "/dev/shm and /tmp have to be two file systems"
    yield top / "backup"
    shutil.rmtree(top)


@pytest.fixture(params=["here", "elsewhere"])
def backup(request, fresh):
    door = fresh("fastcgi")
    yield Backup(door, door.home / "backup" if request.param == "here" else request.getfixturevalue("elsewhere"))


@pytest.fixture
def near(fresh):
    door = fresh("fastcgi")
    backup = Backup(door, door.home / "backup")
    yield backup
    for door in backup.again:
        door.close()


@pytest.fixture
def restored():
    """restored(backup, status=): a door to a data_dir that was restored from it."""
    doors = []

    def restore(backup, status=0, data=None):
        data = data or backup.door.home / f"restored-{len(doors)}"
        done = run(backup.door, "restore", backup.dir, status=status, WAYBILL_DATA_DIR=str(data))
        doors.append(harness.FastCGIDoor(data=data))
        doors[-1].done = done
        return doors[-1]
    yield restore
    for door in doors:
        door.close()


def records(door):
    """All records, as JSON tells them, with the bytes that their URL gives."""
    files, url = {}, "/files?limit=1000"
    while url:
        page = door.get(url).json
        files.update((f["id"], f) for f in page["files"])
        url = page["next"]
    for file in files.values():
        answer = door.get(f"/files/{file['id']}/content")
        assert answer.status == 200 and hashlib.sha256(answer.body).hexdigest() == file["sha256"], file
    return files


def sound(door):
    assert "all is well" in waybill(door, "verify")


def catalog(path):
    return sqlite3.connect(f"file:{path}/waybill.db?mode=ro", uri=True)


def stop(door):
    door.process.terminate()
    assert door.process.wait(processes.PATIENCE) == 0
