#!/usr/bin/python3
"""layering.py: the house rules that a compiler does not check.

Rooms never include each other, each foreign library enters by one door, no function and no file
grows past its limit, nor does a file of the tests, the page stays light. Prints the worst offenders and "N passed, N failed".
"""
import fnmatch
import pathlib
import re
import statistics
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
FCGI = TOP / "fcgi"
ROOMS = ("accept", "backup", "body", "catalog", "keep", "reply", "sniff", "store", "verify")
# Rooms that a room may include besides itself and shared/. No arrow goes up.
BELOW = {"backup": ("catalog", "keep", "store"), "catalog": ("store",), "keep": ("catalog", "sniff", "store"),
         "verify": ("catalog", "keep", "sniff", "store")}
# Who knows what is behind the seams.
BEHIND = {"catalog/sqlite/": ("catalog/sqlite/",),
          "store/disk/": ("store/disk/", "catalog/sqlite/", "backup/")}
VERSION = "cli/version.c"  # asks each for its version, and for nothing else
DOORS = {  # header: the files that may include it
    "fcgiapp.h": ["accept/listen.c"],
    "fastcgi.h": ["accept/record.c", "accept/wire.c", "accept/listen.c"],
    "sqlite3.h": ["catalog/sqlite/*.[ch]", VERSION],
    "magic.h": ["sniff/sniff*.c", VERSION],
    "nettle/*": ["shared/digest.[ch]", VERSION],
    "jansson.h": ["reply/json.c", VERSION],
    "ini.h": ["shared/config.c"],
    "seccomp.h": ["shared/sandbox.c", VERSION],
}
FUNCTION_LINES, FILE_LINES, HEADER_LINES = 45, 400, 200  # FILE_LINES: of fcgi/ and of tests/
LANGUAGES = (".c", ".h", ".js", ".mjs", ".php", ".py", ".sh")  # or a script by its first line
PAGE_BYTES = 75 * 1024  # one visit over a slow phone's line, with what survives a lost network in it

files = sorted(p for p in FCGI.rglob("*") if p.suffix in (".c", ".h"))
name_of = {p: p.relative_to(FCGI).as_posix() for p in files}
failures, passed = [], 0


def check(what, complaints):
    global passed
    if complaints:
        failures.append(what)
        print(f"FAILED {what}")
        for complaint in complaints:
            print(f"       {complaint}")
    else:
        passed += 1
        print(f"ok     {what}")


def includes(path, quotes):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if found and (found[1] in quotes):
            yield number, found[2]


def room_of(path):
    parts = path.relative_to(FCGI).parts
    return parts[0] if len(parts) > 1 else ""


def check_rooms():
    for room in ROOMS + ("shared",):
        bad = []
        for path in files:
            if room_of(path) != room:
                continue
            for number, header in includes(path, '"'):
                owner = header.split("/")[0] if "/" in header else "?"
                if owner not in (room, "shared", *BELOW.get(room, ())):
                    bad.append(f"{name_of[path]}:{number} includes {header}")
        below = "".join(f"{name}/, " for name in BELOW.get(room, ()))
        check(f"{room}/ includes only itself, {below}and shared/", bad)


def check_seams():
    for behind, allowed in BEHIND.items():
        check(f"{behind} is included by {', '.join(allowed)} alone",
              [f"{name_of[path]}:{number} includes {header}" for path in files for number, header in includes(path, '"')
               if header.startswith(behind) and not name_of[path].startswith(allowed)])


def check_doors():
    for header, doors in DOORS.items():
        bad, used = [], False
        for path in files:
            for number, included in includes(path, '"<'):
                if not fnmatch.fnmatch(included, header):
                    continue
                used = True
                if not any(fnmatch.fnmatch(name_of[path], door) for door in doors):
                    bad.append(f"{name_of[path]}:{number} includes {included}")
        if not used:
            bad.append("nobody includes it any more: strike it off the list")
        check(f"<{header}> enters by {', '.join(doors)}", bad)


def functions(path):
    """(lines, name, first line) of each function: from its name to the brace in column 0."""
    lines = path.read_text().splitlines()
    start = 0
    for number, line in enumerate(lines):
        if re.match(r"\w.*\(", line) and not line.rstrip().endswith(";"):
            start = number
        if line == "{":
            opened = number
            end = next((n for n in range(opened, len(lines)) if lines[n].startswith("}")), None)
            if end is None or lines[end] != "}":
                continue
            name = re.search(r"(\w+)\s*\(", lines[start])
            yield end - start + 1, name[1] if name else "?", start + 1


def check_lengths():
    every = sorted(((n, f"{name_of[p]}:{line} {name}") for p in files if p.suffix == ".c"
                    for n, name, line in functions(p)), reverse=True)
    check(f"no function over {FUNCTION_LINES} lines",
          [f"{n} lines: {where}" for n, where in every if n > FUNCTION_LINES])
    sizes = sorted(((len(p.read_text().splitlines()), name_of[p]) for p in files), reverse=True)
    check(f"no file over {FILE_LINES} lines",
          [f"{n} lines: {name}" for n, name in sizes if n > FILE_LINES])
    check(f"no header over {HEADER_LINES} lines",
          [f"{n} lines: {name}" for n, name in sizes if n > HEADER_LINES and name.endswith(".h")])
    counts = sorted(n for n, _ in every) or [0]
    print(f"       {len(every)} functions: median {statistics.median(counts):.0f}, "
          f"90th percentile {counts[len(counts) * 9 // 10 - 1]}, longest: "
          + ", ".join(f"{where} ({n})" for n, where in every[:3]))
    print("       longest files: " + ", ".join(f"{name} ({n})" for n, name in sizes[:3]))


def check_tests():
    ours = [p for p in (TOP / "tests").rglob("*") if p.is_file() and "node_modules" not in p.relative_to(TOP).parts
            and (p.suffix in LANGUAGES or p.read_bytes().startswith(b"#!"))]
    sizes = sorted(((len(p.read_text().splitlines()), p.relative_to(TOP).as_posix()) for p in ours), reverse=True)
    check(f"no file of the tests over {FILE_LINES} lines",
          [f"{n} lines: {name}" for n, name in sizes if n > FILE_LINES] if sizes else ["there are none"])
    print("       longest files: " + ", ".join(f"{name} ({n})" for n, name in sizes[:3]))


def check_page():
    page = [p for p in (TOP / "www").iterdir() if p.suffix in (".html", ".css", ".js", ".mjs", ".svg")]
    asked_for = set(re.findall(r'await import\("\./([^"]+)"\)', "".join(p.read_text() for p in page if p.suffix == ".js")))
    weight = sum(p.stat().st_size for p in page if p.name not in asked_for)
    check(f"a visit of the page loads {weight} bytes, under {PAGE_BYTES}",
          [f"{p.stat().st_size} {p.name}" for p in page] if weight >= PAGE_BYTES else [])
    foreign = [f"{p.name}:{n}: {line.strip()[:80]}" for p in page
               for n, line in enumerate(p.read_text().splitlines(), 1)
               if re.search(r'(src|href|url|import|from)\s*[=(]?\s*["\'(]?(https?:)?//', line)
               and "xmlns" not in line]
    check("the page loads nothing from another host", foreign)


check_rooms()
check_seams()
check_doors()
check_lengths()
check_tests()
check_page()
print(f"{passed} passed, {len(failures)} failed")
sys.exit(bool(failures))
