#!/usr/bin/python3
"""count.py DIRECTORY: of what strace writes about one waybill, counts each system call of the worker's
threads once its jail is shut, into a file of its own in DIRECTORY: "calls name" a line."""
import collections
import os
import re
import signal
import sys

CALL = re.compile(r"(\d+) +(\w+)\(")
CLONED = re.compile(r"(\d+) +(?:clone3?\(.*|<\.\.\. clone3? resumed>.*)= (\d+)")


def count(lines):
    """Landlock's last step shuts the worker's jail, never a sniffer's; its threads come later."""
    jailed, calls = set(), collections.Counter()
    for line in lines:
        cloned = CLONED.match(line)
        if cloned and cloned[1] in jailed:
            jailed.add(cloned[2])
        called = CALL.match(line)
        if called and called[1] in jailed:
            calls[called[2]] += 1
        elif called and called[2] == "landlock_restrict_self":
            jailed.add(called[1])
    return calls


def main(directory):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # strace's end of file is ours
        signal.signal(number, signal.SIG_IGN)
    calls = count(sys.stdin)
    with open(os.path.join(directory, str(os.getpid())), "w", encoding="ascii") as file:
        file.writelines(f"{number} {name}\n" for name, number in calls.items())


if __name__ == "__main__":
    main(sys.argv[1])
