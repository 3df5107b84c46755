"""www/examples: each does what it says, from an origin of its own, against waybill below a mount point."""
import json
import os
import re
import subprocess

import pytest

import harness
import processes
from exchange import text
from processes import TOP, free_port
from shell import add_token
from test_clients import CLIENTS, modules  # noqa: F401 (a fixture)

EXAMPLES = TOP / "www" / "examples"
SCRIPT = EXAMPLES / "upload.sh"


def test_pages(modules):  # noqa: F811
    port = free_port()
    door = harness.ServerDoor("lighttpd", {"allowed_origins": f"http://127.0.0.1:{port}"}, base="/drop")
    try:
        done = subprocess.run(["node", "examples.mjs", f"http://127.0.0.1:{door.port}/drop", str(port)], cwd=CLIENTS, timeout=300,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        door.close()
    tally = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and tally and int(tally[1]) >= 6 and tally[2] == "0", done.stdout


# ---- curl and jq ---------------------------------------------------------------------------------

@pytest.fixture(params=["", "/drop"])
def site(request):
    door = harness.ServerDoor("nginx", {"upload_access": "token", "max_bytes": "1M"}, base=request.param)
    yield door
    door.close()


def run(door, *files, status=0, **more):
    env = {"PATH": os.environ["PATH"], "WAYBILL": f"http://127.0.0.1:{door.port}{door.base}", **more}
    done = subprocess.run([SCRIPT, *map(str, files)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=processes.PATIENCE)
    assert done.returncode == status, done
    return done


def test_upload_sh(site, tmp_path):
    token = add_token(site, "alice", "upload,read,delete")
    files = [tmp_path / name for name in ("plain.txt", "naïve 100%?.txt", "-T.txt")]
    for i, file in enumerate(files):
        file.write_bytes(text(2000 + i, seed=i))
    lines = run(site, *files, TOKEN=token, FOLDER="a b/c", KEEP="2d").stdout.splitlines()
    assert len(lines) == 3
    for file, line in zip(files, lines):
        address, size, kind = re.fullmatch(rf"(http://127\.0\.0\.1:{site.port}{site.base}/files/[a-z0-9]{{26}}/content)  (\d+) bytes  (\S+)", line).groups()
        ident = address.split("/")[-2]
        record = json.loads(site.request("GET", f"/files/{ident}").body)
        assert (record["name"], record["path"], record["owner"], size) == (file.name, "a b/c", "alice", str(record["size"])) and record["expires_at"]
        assert site.request("GET", f"/files/{ident}/content").body == file.read_bytes()
    run(site, files[0], TOKEN=token, DELETE="yes")
    assert json.loads(site.request("GET", "/files").body)["total"] == 3


def test_upload_sh_says_what_is_wrong(site, tmp_path):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    large.write_bytes(bytes(2 << 20))
    assert "upload.sh: 401: This needs to know who you are" in run(site, small, status=1).stderr
    token = add_token(site, "alice", "upload")
    if "413: This is 2.0 MiB" not in (said := run(site, large, TOKEN=token, status=1).stderr):
        assert "413" in said  # nginx's own words, where it counts first
    run(site, tmp_path / "nothing", TOKEN=token, status=1)
    assert "upload.sh FILE..." in run(site, status=2).stderr
    done = subprocess.run([SCRIPT, small], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode and "the address of waybill" in done.stderr
    assert token not in subprocess.run(["ps", "axww"], capture_output=True, text=True).stdout


def test_the_table_of_refusals():
    """Each word in it is one of waybill's, with that status."""
    faults = set(re.findall(r'X\(\w+,\s+(\d+), "(\w+)"', (TOP / "fcgi" / "shared" / "fault.h").read_text()))
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (EXAMPLES / "README.md").read_text(), re.M)
    assert len(rows) > 8 and set(rows) <= faults, rows


# ---- the first page of all ------------------------------------------------------------------------

def test_what_readme_tries(tmp_path):
    """README's own commands, one after the other, against a server; and the token is one of that store."""
    door = harness.ServerDoor("lighttpd")
    try:
        block = re.search(r"^## Try it$.*?^```sh\n.*?^```sh\n(.*?)^```", (TOP / "README.md").read_text(), re.S | re.M)[1]
        for name in ("photo.jpg", "a.pdf", "b.pdf"):
            (tmp_path / name).write_bytes(text(3000, seed=len(name)))
        said = block.replace("http://127.0.0.1:8411", f"http://127.0.0.1:{door.port}").replace("$PWD/data", str(door.data)).replace("./waybill", str(processes.WAYBILL))
        done = subprocess.run(["bash", "-euc", said], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=processes.PATIENCE)
        assert done.returncode == 0 and len(block.splitlines()) == 4, done
        assert [f["name"] for f in json.loads(door.request("GET", "/files").body)["files"]] == ["b.pdf", "a.pdf", "photo.jpg"]
        token = re.search(r"wb_[0-9a-f]{64}", done.stdout)[0]
        assert json.loads(door.request("GET", "/upload", {"Authorization": f"Bearer {token}"}).body)["owner"] == "alice"
    finally:
        door.close()
