"""guest.py: a machine with Debian's own kernel, as a process (user-mode Linux), whose power is a signal.

Its disk is a file of ours. What its kernel has written there stays when it is killed; what is in its page
cache or on its way is gone, as after a power cut.
"""
import json
import os
import pathlib
import select
import signal
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
WAYBILL = os.environ.get("WAYBILL", str(HERE.parents[1] / "waybill"))
LINUX = "linux.uml"
PATIENCE = 240
OPTIONS = {"ext4": "commit=1", "xfs": "noatime", "btrfs": "commit=1"}


class Guest:
    """From its boot to its end by cut(); lines() is what it says."""

    def __init__(self, home, disk, kind, **environment):
        words = {"KIND": kind, "OPTIONS": OPTIONS[kind], "WAYBILL": WAYBILL, **environment}
        self.said = b""
        self.process = subprocess.Popen(
            [LINUX, "mem=768M", "quiet", "loglevel=1", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
             f"init={HERE / 'init.sh'}", f"uml_dir={home}", f"ubd0={disk}", "con=null", "con0=null,fd:1",
             *(f"{key}={value}" for key, value in words.items())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def lines(self):
        """What is said in JSON, as it comes, until the guest ends or says no more."""
        end, rest = time.monotonic() + PATIENCE, b""
        while time.monotonic() < end:
            if not select.select([self.process.stdout], [], [], 1)[0]:
                continue
            got = os.read(self.process.stdout.fileno(), 65536)
            if not got:
                break
            self.said += got
            *whole, rest = (rest + got).split(b"\n")
            for line in whole:
                if line.startswith(b"@@"):
                    yield json.loads(line[2:])
        raise AssertionError(f"the guest says no more: {self.said[-3000:].decode(errors='replace')}")

    def cut(self):
        """All of it at once, also what writes to the disk on its behalf. Notes still on their way count:
        the client had them."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        rest = self.process.stdout.read()
        self.process.stdout.close()
        return [json.loads(line[2:]) for line in rest.split(b"\n")[:-1] if line.startswith(b"@@")]
