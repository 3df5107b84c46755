"""test_servers.py: every file of www/servers through one suite, at / and below a mount point (there
with TLS, and with downloads that the server sends itself)."""
import subprocess

import pytest

import behaviours_resume  # noqa: F401  (they enter themselves into behaviours.ALL)
import behaviours_stop  # noqa: F401
import table
from behaviours import ALL
from conftest import SEEN
from exchange import read_http, text
from expected import CELLS, SERVERS, applies
from processes import TOP, WAYBILL, wait_until
from sites import Site

SITES = [(server, base) for server in SERVERS for base in ("", "/drop") if not (server == "busybox" and base)]
CASES = [(place, name) for place in SITES for name in ALL if applies(name, *place)]
_open = {}


def site_for(place):
    """The place's site, started when it is first asked for; the one before has ended then."""
    if place not in _open:
        close_all()
        _open[place] = Site(*place)
    return _open[place]


def close_all():
    while _open:
        site = _open.popitem()[1]
        site.close()
        wait_until(lambda: not site.workers(), "the worker to end with its server")


@pytest.fixture(scope="module", autouse=True)
def nothing_left():
    yield
    close_all()


@pytest.mark.parametrize("place, name", CASES, ids=[f"{s}{b or '/'} {n}" for (s, b), n in CASES])
def test_behaviour(place, name):
    site = site_for(place)
    try:
        cell = ALL[name](site)
    except BaseException:
        print(site.said()[-1500:])
        raise
    SEEN[place[0], name] = cell
    assert cell == CELLS[name][place[0]]


def test_nginx_hands_the_very_file_over():
    """The file nginx wrote while the body came becomes the object: no byte is written twice."""
    site, content = site_for(("nginx-bodyfile", "")), text(3_000_000, seed=15)
    with site.connect() as sock:
        sock.sendall(site.head("PUT", "/upload/linked.txt", {}, len(content)) + content[:2_000_000])
        [spooled] = wait_until(lambda: [p for p in (site.data / "spool").rglob("*") if p.is_file()], "nginx's file")
        inode = spooled.stat().st_ino
        sock.sendall(content[2_000_000:])
        file = read_http(sock).file
    assert (site.data / "objects" / file["sha256"]).stat().st_ino == inode
    assert site.content(file).body == content
    wait_until(lambda: not spooled.exists(), "nginx to drop its name")


def test_kept_connections_lose_no_request():
    """nginx sends the next request as soon as it has an answer: on a connection that is closed then, that is a 502."""
    site = site_for(("nginx-keepalive", ""))
    for _ in range(150):
        assert site.get("/files?limit=1").status == 200
        assert site.post(b"hello").status == 201
        assert site.send_form(("no", "file")).status == 400
        assert site.put("n" * 300, text(60_000)).status == 414  # with its body unread


def test_a_query_is_no_command():
    """mod_cgid makes arguments of a query without "=": `?gc` is then what a shell would call `waybill gc`."""
    site = site_for(("apache-cgi", ""))
    content = b"Content-Type: text/html\n\n<script>alert(1)</script>"
    file = site.store("header.txt", content)
    for query in ("gc", "verify+--repair", "--version", f"rm+{file['id']}", f"get+{file['id']}",
                  "token+add+evil+--can+admin", f"get+{file['id']}+--output+{site.data}/spool/out"):
        answer = site.get(f"/upload?{query}")
        assert answer.status == 200 and "max_bytes" in answer.json, (query, answer)
    assert site.content(file).body == content
    assert not (site.data / "spool" / "out").exists()
    tokens = subprocess.run([WAYBILL, "token", "ls"], env=site.environment(), capture_output=True, text=True, check=True)
    assert "evil" not in tokens.stdout


def test_every_file_is_tested():
    files = {p.name for p in (TOP / "www/servers").iterdir() if p.suffix != ".md"} - {"fill.sh"}
    assert files == {"busybox-cgi.sh"} | {f"{server}.conf" for server in SERVERS if server != "busybox"}


def test_every_behaviour_is_expected():
    assert list(ALL) == list(CELLS)


def test_readme_says_what_was_seen():
    """expected.py is compared with the servers above; README has to say the same."""
    assert table.agrees(write=False), "run tests/servers/table.py"
