"""conftest.py: one site at a time, each file of www/servers at / and below a mount point."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "http"))

import expected  # noqa: E402  (after the path is set)

SEEN = {}  # (server, behaviour) -> cell, as the client saw it in this run


def pytest_terminal_summary(terminalreporter):
    if SEEN:
        terminalreporter.write_line("")
        terminalreporter.write_line("What a client sees (server x behaviour), this run:")
        terminalreporter.write_line(expected.plain(SEEN))
