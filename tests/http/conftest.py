"""conftest.py: doors for the tests, kept open as long as tests share a configuration."""
import zlib

import pytest

import harness
from resumable import ServedWorker, Worker

_open = {}


def _door(kind, config, more):
    key = (kind, tuple(sorted(config.items())), tuple(sorted(more.items())))
    door = _open.get(key)
    if door is None or (door.process and door.process.poll() is not None):
        door = _open[key] = harness.DOORS[kind](config=config, **more)
    return door


@pytest.fixture(params=["lighttpd", "fastcgi", "cgi"])
def kind(request):
    return request.param


@pytest.fixture
def door(kind):
    """With the default configuration, shared by the tests."""
    return _door(kind, {}, {})


@pytest.fixture
def open_door(kind):
    """open_door(key=value, ...): the same way in, with settings; shared by tests with the same."""
    return lambda base="", **config: _door(kind, config, {"base": base} if base else {})


@pytest.fixture
def fastcgi():
    return _door("fastcgi", {}, {})


@pytest.fixture
def lighttpd():
    return _door("lighttpd", {}, {})


@pytest.fixture
def fresh():
    """fresh(kind, **config): a door nobody else uses, closed after the test."""
    doors = []

    def make(kind, base="", **config):
        doors.append(harness.DOORS[kind](config=config, base=base))
        return doors[-1]
    yield make
    for door in doors:
        door.close()


@pytest.fixture
def nothing_kept(door):
    """The test leaves nothing behind in the default door's store."""
    before = door.stored()
    yield door
    assert door.stored() == before
    assert door.alive()


def pytest_sessionfinish():
    for door in _open.values():
        try:
            door.close()
        except Exception as problem:  # a worker that does not end is a failure of test_stopping
            print(f"\n{door}: {problem}")


def pytest_make_parametrize_id(config, val, argname):
    """Bytes and long text are too much for a name."""
    if isinstance(val, bytes) or isinstance(val, str) and len(val) > 40:
        return f"{argname}-{len(val)}-{zlib.crc32(val if isinstance(val, bytes) else val.encode('utf-8', 'replace')):08x}"
    return None


# ---- resumable uploads: a worker whose bytes the test sends one by one ------------------------------

@pytest.fixture(scope="module")
def direct(tmp_path_factory):
    """The worker itself: for what only FastCGI can say, or cut off in the middle."""
    one = Worker(tmp_path_factory.mktemp("resumable"), max_bytes="64M")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def served():
    one = ServedWorker(max_bytes="64M")
    yield one
    one.stop()


@pytest.fixture(params=["direct", "served"])
def worker(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def own_worker(tmp_path):
    made = []

    def make(**settings):
        made.append(Worker(tmp_path / f"w{len(made)}", **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()
