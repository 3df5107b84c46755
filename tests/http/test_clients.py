"""The official clients, unchanged, through lighttpd: tus-js-client in node, Uppy's tus plugin in Debian's
Chromium, and Debian's tuspy."""
import io
import pathlib
import re
import subprocess

import pytest
from tusclient import client as tuspy

import harness
from resumable import some_bytes

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"


@pytest.fixture(scope="module")
def door():
    one = harness.ServerDoor("lighttpd", {"max_bytes": "256M"})
    yield one
    one.close()


@pytest.fixture(scope="module")
def modules():
    """What package-lock.json names, where it is not installed yet."""
    lock, done = CLIENTS / "package-lock.json", CLIENTS / "node_modules" / ".package-lock.json"
    if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=CLIENTS, check=True, timeout=300)


def run_node(script, door):
    """The script's own tally must say that all went well."""
    done = subprocess.run(["node", script, f"http://127.0.0.1:{door.port}/upload"], cwd=CLIENTS, timeout=300,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tally = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and tally and int(tally[1]) > 0 and tally[2] == "0", done.stdout


def test_tus_js_client(door, modules):
    run_node("tus.mjs", door)


def test_uppy_in_chromium(door, modules):
    run_node("uppy.mjs", door)


def content(door, url):
    ident = url.rsplit("/", 1)[1]
    answer = door.get(f"/files/{ident}/content")
    assert answer.status == 200, answer
    return answer.body


@pytest.mark.parametrize("chunk", [200_000, 10_000_000])
@pytest.mark.parametrize("checksums", [False, True])
def test_tuspy(door, chunk, checksums):
    data = some_bytes(1_000_001, seed=chunk + checksums)
    ours = tuspy.TusClient(f"http://127.0.0.1:{door.port}/upload")
    uploader = ours.uploader(file_stream=io.BytesIO(data), chunk_size=chunk, upload_checksum=checksums,
                             metadata={"filename": "tuspy.bin", "note": "für uns"})
    uploader.upload()
    assert content(door, uploader.url) == data
    record = door.get("/files/" + uploader.url.rsplit("/", 1)[1]).json
    assert (record["name"], record["fields"]) == ("tuspy.bin", {"note": "für uns"})


def test_tuspy_resumes(door):
    data = some_bytes(900_000, seed=3)
    ours = tuspy.TusClient(f"http://127.0.0.1:{door.port}/upload")
    first = ours.uploader(file_stream=io.BytesIO(data), chunk_size=250_000)
    first.upload(stop_at=500_000)
    second = ours.uploader(file_stream=io.BytesIO(data), chunk_size=250_000, url=first.url)
    assert second.offset == 500_000
    second.upload()
    assert content(door, first.url) == data
