#!/usr/bin/python3
"""rooms.py [--check]: the rooms of fcgi/ and who calls whom, by the symbols that the objects in build/ define and
use; --check: the drawing in fcgi/README.md is this one, and no arrow goes in a circle ("N passed, N failed")."""
import collections
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
README = TOP / "fcgi" / "README.md"
MARKS = re.compile(r"(<!-- rooms:[^\n]*-->\n).*?(<!-- /rooms -->)", re.S)


def symbols(path, *options):
    told = subprocess.run(["nm", "-g", *options, path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1] for line in told.splitlines()}


def objects():
    """{object: its room} of the program's own objects; what lies in none is one by itself."""
    sources = (p.relative_to(TOP / "fcgi") for p in (TOP / "fcgi").rglob("*.c"))
    return {BUILD / s.with_suffix(".o"): s.parts[0] if len(s.parts) > 1 else s.stem for s in sources}


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
    print(f"{1 + same} passed, {int(not same)} failed")
    return not same


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
