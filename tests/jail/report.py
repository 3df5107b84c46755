#!/usr/bin/python3
"""report.py: runs suites against a traced worker and says which system calls its jail saw, how often,
and where; `make seccomp-report` keeps that as calls.txt. With --check: sandbox.c allows what calls.txt
lists, and nothing else.

A call that no run needs stands in calls.txt with a reason instead of counts. One that is made though
it is not allowed is shown as refused: the worker does without it, or the list lacks it.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
SUITES = ["http", "faults", "servers"]
MOST = 80  # calls on the list; more, and it would be no list to read
# allow_*() of sandbox.c looks at arguments
CONDITIONAL = {"mmap", "mprotect", "clone", "tgkill", "fcntl", "sendto", "setsockopt"}
REFUSED = {"clone3"}  # glibc asks first, and does without
# Before the filter is loaded, but after landlock, whose last call is the mark.
SHUTTING = {"seccomp", "prctl", "prlimit64", "setrlimit"}


def allowed():
    text = (TOP / "fcgi/shared/sandbox.c").read_text()
    table = re.search(r"\ballowed\[\] = \{(.*?)\};", text, re.S)[1]
    return set(re.findall(r'"(\w+)"', table)) | CONDITIONAL


def traced(suite, directory):
    """Sum of the counts that traced workers left in `directory`."""
    subprocess.run(["/usr/bin/python3", "tests/all.py", suite], cwd=TOP, check=False,
                   env={**os.environ, "WAYBILL": str(HERE / "traced"), "TRACED_INTO": directory,
                        "TRACED_COUNT": str(HERE / "count.py"), "TRACED_WAYBILL": str(TOP / "waybill")})
    calls = collections.Counter()
    for file in pathlib.Path(directory).iterdir():
        for line in file.read_text().splitlines():
            number, name = line.split()
            calls[name] += int(number)
    return calls


def reasons():
    lines = (HERE / "calls.txt").read_text().splitlines()
    return dict(line.split(" -- ", 1) for line in lines if " -- " in line)


def report(suites):
    seen = {}
    for suite in suites:
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o777)  # some workers are nobody's
            seen[suite] = traced(suite, directory)
    why, lines = reasons(), []
    for name in sorted(allowed().union(*seen.values()) - SHUTTING):
        counts = [f"{suite}={calls[name]}" for suite, calls in seen.items() if calls[name]]
        if name not in allowed():
            counts.append("refused")
        lines.append(f"{name} {' '.join(counts)}" if counts else f"{name} -- {why.get(name, '?')}")
    (HERE / "calls.txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def check():
    lines = [line.split(" ", 1) for line in (HERE / "calls.txt").read_text().splitlines()]
    told = {name for name, what in lines if not what.endswith("refused")}
    refused = {name for name, what in lines if what.endswith("refused")}
    problems = [f"allowed, but not in calls.txt: {n}" for n in allowed() - told]
    problems += [f"in calls.txt, but not allowed: {n}" for n in told - allowed()]
    problems += [f"asked for and refused: {n}" for n in refused - REFUSED]
    problems += [f"no reason given: {n}" for n, what in lines if what == "-- ?"]
    problems += [f"{len(allowed())} calls, more than {MOST}"] if len(allowed()) > MOST else []
    print("\n".join(problems) if problems else f"the worker's {len(allowed())} system calls are all accounted for")
    print(f"{int(not problems)} passed, {len(problems)} failed")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else report(sys.argv[1:] or SUITES))
