#!/usr/bin/python3
"""table.py [--check]: writes README's two tables of servers from expected.py, with which the suite
compares every server; with --check it only says whether README agrees ("N passed, N failed")."""
import pathlib
import re
import sys

from expected import CELLS, SERVERS, matrix, streaming

README = pathlib.Path(__file__).resolve().parents[2] / "www" / "servers" / "README.md"
MARKS = re.compile(r"(<!-- servers:[^\n]*-->\n).*?(<!-- /servers -->)", re.S)


def tables():
    cells = {(server, name): cell for name, row in CELLS.items() for server, cell in row.items()}
    assert {server for server, _ in cells} == set(SERVERS)
    return f"{streaming()}\n\n{matrix(cells)}\n"


def agrees(write, path=README):
    """Does README have the tables once, as they are now? `write` makes it so, if the marks are there."""
    before = path.read_text()
    after, count = MARKS.subn(lambda found: found[1] + tables() + found[2], before)
    if write and count == 1 and after != before:
        path.write_text(after)
    return count == 1 and (write or after == before)


def main(arguments):
    check = "--check" in arguments
    paths = [pathlib.Path(a) for a in arguments if a != "--check"]
    good = agrees(not check, *paths)
    if not good:
        print("www/servers/README.md: the tables of servers are missing or out of date; run tests/servers/table.py")
    if check:
        print(f"{int(good)} passed, {int(not good)} failed")
    return not good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
