"""watch.py: what a worker holds, and what lies about on disk."""
import os
import pathlib
import re

import rig

MEMORY_ALLOWANCE = 16 << 20  # bytes of PSS more than after the first minute, and a quarter of that
DESCRIPTOR_ALLOWANCE = 30  # a reader of the catalog, two files, for each client that came at the same time
PARTIAL_ALLOWANCE = 40  # clients have as many uploads open as they like, up to a number


def family(pid):
    """A process and all below it."""
    out = [pid]
    for parent in out:
        out += rig.pids_below(parent)
    return out


def memory(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.M)[1]) << 10


class Holding:
    """Of the worker that is never killed, and in partial/ of all."""

    def __init__(self, worker):
        pid = worker.workers()[-1]
        self.partial = len(os.listdir(worker.data / "partial"))
        self.memory, self.descriptors = memory(pid), len(os.listdir(f"/proc/{pid}/fd"))
        self.processes = len(family(pid))

    def __str__(self):
        return (f"{self.memory >> 10} KiB, {self.descriptors} descriptors, {self.processes} processes, "
                f"{self.partial} partial files")

    def no_more_than(self, before, unanswered):
        """[what has grown]; `unanswered`: uploads that were perhaps begun, but nobody was told."""
        out = []
        if self.memory > before.memory * 5 // 4 + MEMORY_ALLOWANCE:
            out.append(f"memory: {before.memory >> 10} KiB, later {self.memory >> 10} KiB")
        if self.descriptors > before.descriptors + DESCRIPTOR_ALLOWANCE:
            out.append(f"descriptors: {before.descriptors}, later {self.descriptors}")
        if self.processes > before.processes + 1:
            out.append(f"processes: {before.processes}, later {self.processes}")
        if self.partial > before.partial + unanswered + PARTIAL_ALLOWANCE:
            out.append(f"partial files: {before.partial}, later {self.partial}; {unanswered} are nobody's")
        return out
