#!/usr/bin/python3
"""rooms.py [--check]: the rooms of fcgi/ and who calls whom, by the symbols that the objects in build/ define and
use. --check: the drawing in fcgi/README.md is this one; no arrow goes in a circle, between rooms or between files;
each foreign library is called where it may be; no function of libc is defined anew ("N passed, N failed")."""
import collections
import functools
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
README = TOP / "fcgi" / "README.md"
# Symbols of a foreign library begin so, and may be used in these files. cli/version asks each for its version.
DOORS = {"FCGX_": ("accept/listen",), "sqlite3_": ("catalog/sqlite/", "cli/version"),
         "magic_": ("sniff/sniffer", "cli/version"), "nettle_": ("shared/digest", "cli/version"),
         "jansson_": ("cli/version",), "json_": ("reply/json", "cli/version"), "ini_": ("shared/config",),
         "seccomp_": ("shared/sandbox", "cli/version")}
# libmagic's children may ask about a descriptor and about no path, which glibc's own does not tell apart for a jail.
OVERRIDES = {"sniff/sniffer": {"fstat", "fstat64"}}
MARKS = re.compile(r"(<!-- rooms:[^\n]*-->\n).*?(<!-- /rooms -->)", re.S)


@functools.cache
def table():
    """{(object, "-u" or "--defined-only"): its symbols}, all in one go."""
    told = subprocess.run(["nm", "-g", "-A", *objects()], capture_output=True, text=True, check=True).stdout
    found = collections.defaultdict(set)
    for line in told.splitlines():
        path, rest = line.split(":", 1)
        *_, kind, symbol = rest.split()
        found[pathlib.Path(path), "-u" if kind in "Uw" else "--defined-only"].add(symbol)
    return found


def symbols(path, which):
    return table()[path, which]


@functools.cache
def objects():
    """{object: its room} of the program's own objects; what lies in none is one by itself."""
    sources = (p.relative_to(TOP / "fcgi") for p in (TOP / "fcgi").rglob("*.c"))
    return {BUILD / s.with_suffix(".o"): s.parts[0] if len(s.parts) > 1 else s.stem for s in sources}


def name(path):
    return path.relative_to(BUILD).with_suffix("").as_posix()


def file_arrows():
    """{object: {object whose functions it calls}}"""
    home = {symbol: path for path in objects() for symbol in symbols(path, "--defined-only")}
    return {path: {home[s] for s in symbols(path, "-u") if home.get(s, path) != path} for path in objects()}


def circle_of(graph):
    """Some that need each other: what is left when whoever calls none of the others has gone, and again."""
    left = dict(graph)
    while free := [one for one, tos in left.items() if not any(to in left for to in tos)]:
        for one in free:
            del left[one]
    return [f"{name(one)} is in a circle, with {', '.join(name(to) for to in tos if to in left)}"
            for one, tos in left.items()]


def trespassers():
    ours = {symbol for path in objects() for symbol in symbols(path, "--defined-only")}
    return [f"{name(path)} uses {symbol}" for path in objects() for symbol in symbols(path, "-u") - ours
            for prefix, doors in DOORS.items() if symbol.startswith(prefix) and not name(path).startswith(doors)]


def overriders():
    told = subprocess.run(["ldd", BUILD / "waybill"], capture_output=True, text=True, check=True).stdout
    libc = next(line.split()[2] for line in told.splitlines() if line.strip().startswith("libc.so.6"))
    told = subprocess.run(["nm", "-D", "--defined-only", libc], capture_output=True, text=True, check=True).stdout
    theirs = {line.split()[-1].split("@")[0] for line in told.splitlines()}
    return [f"{name(path)} defines {', '.join(found)}, as libc does" for path in objects()
            if (found := (symbols(path, "--defined-only") & theirs) - OVERRIDES.get(name(path), set()))]


def arrows():
    """{room: {room that it calls: how many of its functions}}"""
    room_of = objects()
    home = {name: room for path, room in room_of.items() for name in symbols(path, "--defined-only")}
    calls = collections.defaultdict(lambda: collections.defaultdict(set))
    for path, room in room_of.items():
        for name in symbols(path, "-u"):
            if home.get(name, room) != room:
                calls[room][home[name]].add(name)
    return {room: {to: len(names) for to, names in calls[room].items()} for room in set(room_of.values())}


def layers(graph):
    """Rooms, the highest first, each above all that it calls; what is left over goes in a circle."""
    left, order = dict(graph), []
    while left and (free := sorted(r for r in left if not any(r in tos for tos in left.values()))):
        order += free
        for room in free:
            del left[room]
    return order, sorted(left)


def drawing(graph, order):
    lines = [f"{room:11} -> " + ", ".join(f"{to} {graph[room][to]}" for to in sorted(graph[room], key=order.index))
             for room in order if graph[room]]
    return "```\n" + "\n".join(lines) + "\n```\n"


def main(check):
    graph = arrows()
    order, circle = layers(graph)
    if circle:
        print("these call each other in a circle: " + ", ".join(circle))
        print("0 passed, 1 failed")
        return 1
    shown = drawing(graph, order)
    if not check:
        print(shown.strip("`\n"))
        README.write_text(MARKS.sub(lambda found: found[1] + shown + found[2], README.read_text()))
        return 0
    said = MARKS.search(README.read_text())
    same = bool(said) and [re.findall(r"[a-z]+", line) for line in said[0].split("\n")[1:-1]] == [
        re.findall(r"[a-z]+", line) for line in shown.split("\n")[:-1]]  # the figures may move, the arrows not
    if not same:
        print("fcgi/README.md draws other rooms; run make rooms")
    complaints = [circle_of(file_arrows()), trespassers(), overriders()]
    for line in sum(complaints, []):
        print(line)
    failed = sum(map(bool, complaints)) + (not same)
    print(f"{2 + len(complaints) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
