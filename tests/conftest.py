"""conftest.py: of all tests in Python: the seed of this run is the first that is told."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "http"))

from chance import SEED  # noqa: E402


def pytest_report_collectionfinish():
    return f"SEED={SEED}"
