#!/usr/bin/python3
"""readme.py [--check]: writes README's table of keys from the program's own (`waybill
--sample-config`); with --check it only says whether README agrees, and ends with "N passed, N
failed". $WAYBILL names the program, else ./waybill."""
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
README = TOP / "README.md"
WAYBILL = os.environ.get("WAYBILL", str(TOP / "waybill"))
MARKS = re.compile(r"(<!-- keys:[^\n]*-->\n).*?(<!-- /keys -->)", re.S)


def keys():
    """(name, default, what it takes, what it means) of every key, in the program's order."""
    sample = subprocess.run([WAYBILL, "--sample-config"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^# (.*)\n# \((.*)\)\n#(\w+) =(?: (.*))?$", sample, re.M)
    assert found and len(found) == len(re.findall(r"^#\w+ =", sample, re.M)), sample
    return [(name, default, takes, meaning) for meaning, takes, name, default in found]


def table():
    def cell(text):
        return text.replace("|", "\\|")

    rows = ["| key | default | |", "|---|---|---|"]
    for name, default, takes, meaning in keys():
        shown = ", ".join(f"`{word}`" for word in default.split(", ")) if default else "(none)"
        rows.append(f"| `{name}` | {cell(shown)} | {cell(meaning)} ({cell(takes)}) |")
    return "\n".join(rows) + "\n"


def main(check):
    before = README.read_text()
    after, count = MARKS.subn(lambda found: found[1] + table() + found[2], before)
    good = count == 1 and (after == before or not check)
    if good and after != before:
        README.write_text(after)
    if count != 1:
        print("README.md: the marks of the table are missing, or there twice")
    elif not good:
        print("README.md: the table of keys is not the program's; run tests/readme.py")
    if check:
        print(f"{int(good)} passed, {int(not good)} failed")
    return not good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
