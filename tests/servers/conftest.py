"""conftest.py: one site at a time, each file of www/servers at / and below a mount point."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "http"))

import expected  # noqa: E402  (after the path is set)

SEEN = {}  # (server, behaviour) -> cell, as the client saw it in this run
UNASKED = {(server, name): cell for name, row in expected.CELLS.items() for server, cell in row.items()
           if cell == expected.NONE}


def pytest_terminal_summary(terminalreporter):
    if SEEN:
        terminalreporter.write_line("")
        terminalreporter.write_line("Server x behaviour, as a client saw it in this run:")
        terminalreporter.write_line(expected.matrix({**UNASKED, **SEEN}))
