"""blockdev.py: a file system on a block device whose power can be cut at any moment.

The device is a file (a loop device) on an XFS of our own, which clones a file in an instant, while others
write to it: what the file system under test has written to its device by then, and no more, is in
the clone, in the order in which it was written. Its page cache and its open transaction are not. The
clone is mounted as after a power cut: the journal is replayed.

What this device cannot do is lose what was written but not flushed: it has no cache of its own.
faults/disk.py is the model that does.

All is mounted in the mount namespace of run.sh, and gone with its last process.
"""
import fcntl
import os
import pathlib
import subprocess
import uuid

from chance import noise

FICLONE = 0x40049409
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"]}
# A journal is written at least each second, bytes whenever the kernel likes.
OPTIONS = {"ext4": "commit=1", "xfs": "nouuid", "btrfs": "commit=1"}
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def command(*words):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    done = subprocess.run([str(word) for word in words], env={**os.environ, "PATH": path},
                          capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def alone():
    """Are we root in a mount namespace that ends with us?"""
    outer = os.environ.get("FAULTS_OUTER_NAMESPACE")
    return os.geteuid() == 0 and outer is not None and os.readlink("/proc/self/ns/mnt") != outer


def image(path, size, kind, *more):
    with open(path, "wb") as file:
        file.truncate(size)
    command(*MAKE[kind], *more, path)
    return path


def mount(path, at, options):
    at.mkdir(exist_ok=True)
    command("mount", "-o", f"loop,{options}", path, at)


class Device:
    """A disk of `kind`, mounted at .top, that survives its power cuts as .cuts."""

    def __init__(self, home, kind, size=2 << 30):
        assert alone(), "tests/power/run.sh runs these tests: as root, in a mount namespace of their own"
        self.home, self.kind, self.cuts = home, kind, []
        self.store, self.top = home / "store", home / "disk"
        mount(image(home / "store.xfs", 8 << 30, "xfs", "-m", "reflink=1"), self.store, "noatime")
        self.boot_id = home / "boot_id"
        self.reboot()
        command("mount", "--bind", self.boot_id, BOOT_ID)
        mount(image(self.store / "disk", size, kind), self.top, OPTIONS[kind])
        source = command("findmnt", "-no", "SOURCE", self.top).strip()
        command("losetup", "--direct-io=on", source)

    def reboot(self):
        """To the programs under test, this is another life of the machine."""
        self.boot_id.write_text(f"{uuid.UUID(bytes=noise(16), version=4)}\n")

    def cut(self):
        """The power fails now; on the device that is used, it does not."""
        path = self.store / f"cut{len(self.cuts)}"
        with open(self.store / "disk", "rb") as disk, open(path, "wb") as clone:
            fcntl.ioctl(clone, FICLONE, disk.fileno())
        self.cuts.append(path)
        return path

    def power_up(self, cut):
        """What the next boot finds, mounted at .top in the place of what was there."""
        command("umount", self.top)
        if self.kind == "btrfs":  # it knows its devices by a number that the clone has, too
            command("btrfs", "device", "scan", "--forget")
        self.reboot()
        mount(pathlib.Path(cut), self.top, OPTIONS[self.kind])

    def close(self):
        for at in (self.top, self.store, BOOT_ID):
            subprocess.run(["umount", at], capture_output=True)
        (self.home / "store.xfs").unlink()  # in memory: the next test wants the room
