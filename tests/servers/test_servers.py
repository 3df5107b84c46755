"""test_servers.py: every file of www/servers through one suite, at / and below a mount point (there
with TLS, and with downloads that the server sends itself)."""
import pytest

import behaviours_resume  # noqa: F401  (they enter themselves into behaviours.ALL)
import behaviours_stop  # noqa: F401
from behaviours import ALL
from conftest import SEEN
from expected import CELLS, SERVERS, applies
from harness import TOP, wait_until
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


def test_every_file_is_tested():
    files = {p.name for p in (TOP / "www/servers").iterdir()} - {"fill.sh"}
    assert files == {"busybox-cgi.sh"} | {f"{server}.conf" for server in SERVERS if server != "busybox"}


def test_every_behaviour_is_expected():
    assert list(ALL) == list(CELLS)
