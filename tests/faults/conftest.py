"""conftest.py: workers that end with their test."""
import pytest

import rig


@pytest.fixture
def make_worker():
    """make_worker(config, shimmed=, disk=, start=): gone, with all it wrote, after the test."""
    workers = []

    def make(*args, **more):
        workers.append(rig.Worker(*args, **more))
        return workers[-1]
    yield make
    for worker in workers:
        crash = rig.said_crash(worker)
        worker.close()
        assert not crash, crash


@pytest.fixture
def worker(make_worker):
    return make_worker()


def pytest_sessionfinish():
    rig.forget_shim()
