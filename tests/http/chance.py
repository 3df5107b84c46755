"""chance.py: all that the tests leave to chance comes from one seed, which each run prints: SEED=..., in the
environment, gives the same again. A test draws by its own name, so what it draws alone is what it drew among all."""
import functools
import os
import random
import time

SEED = os.environ["SEED"] = os.environ.get("SEED") or str(int(time.time()))  # for what tests start, too


def running():
    """The name of the test that runs, with its parameters; none outside pytest."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].rpartition(" (")[0]


def chance(*what):
    """A random.Random of its own for what the words tell apart within a test, the same whenever it is asked for."""
    return random.Random("-".join(map(str, (SEED, running(), *what))))


@functools.cache
def _noise_of(test):
    return chance("noise")


def noise(size):
    """Bytes that need only differ from others: the next ones each time."""
    return _noise_of(running()).randbytes(size)
