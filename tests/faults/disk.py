"""disk.py: what a disk holds after a power cut, rebuilt from the records of shim.c.

The model, and why it is honest. It keeps nothing that no sync has promised:

  - Bytes of a file (writes, truncations, allocations) are on disk when an fsync or fdatasync of that
    very file that began after them has returned 0. POSIX promises no more; ext4 and xfs do not less.
    Write-back that was only started (sync_file_range) counts for nothing.
  - A directory entry (create, link, rename, unlink, mkdir) is on disk when an fsync of its directory
    that began after it has returned 0. ext4 and xfs promise more (their journals keep the order of
    all such changes, and an fsync of a new file takes its entry along); we rely on none of that.
  - A file without a durable entry is gone, however often it was synced; so is all that is below a
    directory whose own entry was not synced.
  - A sync that failed has lost what it was to save, for good, also when a later one says 0: that is
    what Linux does with dirty pages after an error of write-back ("fsyncgate").
  - What was not promised may still be there, since a real disk writes what it likes. So each cut is
    tried in several ways: nothing kept that was not synced; everything (which is kill -9); any
    subset of changes, with writes torn at sectors of 512 bytes; names in journal order (a prefix)
    with any subset of the bytes; and all that a journal has, names and sizes, but no bytes: a file
    truncated or allocated to its size is then zeros (ext4 does that to fallocate without KEEP_SIZE).
  - btrfs saves nothing of a file that has no name while it is synced; the name that it is given later
    is saved with its directory, and is that of an empty file. So does Disk(saves_unnamed=False).

What is assumed: a rename is atomic, even between two directories (journals see to it). A sector is
written whole or not at all. A write damages nothing beside its range (SQLite's powersafe overwrite).
A disk that says "flushed" has flushed. mmapped files (waybill.db-shm, the ledger) hold garbage.
"""
import os
import pathlib
import struct

(CREATE, TMPFILE, MKDIR, LINK, RENAME, UNLINK, WRITE, TRUNCATE, ALLOCATE,
 SYNC_BEGIN, SYNC_END, MAP) = range(1, 13)
NOTE = 100  # by the test: what a client was told
HEAD = struct.Struct("<IIIIQqq")
SECTOR = 512


class Record:
    __slots__ = ("op", "ino", "a", "b", "path", "more")

    def __repr__(self):
        return f"<{self.op} ino={self.ino} a={self.a} b={self.b} {self.path} {self.more[:40]!r}>"


def records(log):
    data, at = pathlib.Path(log).read_bytes(), 0
    while at < len(data):
        r = Record()
        r.op, len1, len2, _, r.ino, r.a, r.b = HEAD.unpack_from(data, at)
        at += HEAD.size
        r.path = data[at:at + len1].decode()
        r.more = data[at + len1:at + len1 + len2]
        at += len1 + len2
        yield r


def note(log, text):
    """A line among the records, in the order in which things happen."""
    line = text.encode()
    fd = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, HEAD.pack(NOTE, 0, len(line), 0, 0, 0, 0) + line)
    finally:
        os.close(fd)


class File:
    def __init__(self):
        self.bytes = bytearray()  # on disk for sure
        self.pending = []         # (op, at, bytes or length): not synced yet
        self.mapped = False
        self.links = 0


def apply(content, change, torn=None):
    """One change. `torn`: a random.Random that drops sectors of a write."""
    op, at, more = change
    if op == TRUNCATE:
        if at < len(content):
            del content[at:]
        else:
            content.extend(bytes(at - len(content)))
        return
    end = at + (more if op == ALLOCATE else len(more))
    if end > len(content):
        content.extend(bytes(end - len(content)))
    if op == ALLOCATE:
        return
    if torn is None:
        content[at:end] = more
        return
    for sector in range(at // SECTOR, (end + SECTOR - 1) // SECTOR):
        if torn.random() < 0.5:
            low, high = max(at, sector * SECTOR), min(end, (sector + 1) * SECTOR)
            content[low:high] = more[low - at:high - at]


class Disk:
    """`forgetful` False: a disk that loses nothing, to prove that the records are complete.
    `saves_unnamed` False: one on which a sync is nothing to a file without a name."""

    def __init__(self, forgetful=True, saves_unnamed=True):
        self.forgetful, self.saves_unnamed = forgetful, saves_unnamed
        self.inodes = {}    # the inode's number now -> File (numbers are used again)
        self.live = {}      # path -> File or None for a directory, as the running system sees it
        self.names = {}     # the same, on disk for sure
        self.pending = []   # [(path, File | None | False: gone), ...]: one change of names
        self.syncs = {}     # number -> (File or directory's path, how much was pending)

    def feed(self, r):
        if r.op in (CREATE, TMPFILE):
            self.inodes[r.ino] = File()
        if r.op == CREATE:
            self._rename_to([(r.path, self.inodes[r.ino])])
        elif r.op == MKDIR:
            self._rename_to([(r.path, None)])
        elif r.op == LINK:
            self._rename_to([(r.path, self.inodes[r.ino])])
        elif r.op == UNLINK:
            self._rename_to([(r.path, False)])
        elif r.op == RENAME:
            self._rename_to([(r.more.decode(), self.live[r.path]), (r.path, False)])
        elif r.op == WRITE:
            self._change(r.ino, (WRITE, r.a, r.more))
        elif r.op in (TRUNCATE, ALLOCATE):
            self._change(r.ino, (r.op, r.a, r.b))
        elif r.op == MAP:
            self.inodes[r.ino].mapped = True
        elif r.op == SYNC_BEGIN:
            self._sync_begin(r)
        elif r.op == SYNC_END:
            self._sync_end(*self.syncs.pop(r.a), failed=r.b != 0)

    def _rename_to(self, changes):
        for path, what in changes:
            if self.live.get(path):
                self.live[path].links -= 1
            if what is False:
                del self.live[path]
                continue
            self.live[path] = what
            if what is not None:
                what.links += 1
        self.pending.append(changes)
        if not self.forgetful:
            self._settle(self.pending.pop())

    def _settle(self, changes):
        for path, what in changes:
            if what is False:
                self.names.pop(path, None)
            else:
                self.names[path] = what

    def _change(self, ino, change):
        file = self.inodes[ino]
        if self.forgetful:
            file.pending.append(change)
        else:
            apply(file.bytes, change)

    def _sync_begin(self, r):
        if r.path or r.ino not in self.inodes:  # a directory; "" is the root itself
            directory = r.path
            mine = [c for c in self.pending if any(os.path.dirname(p) == directory for p, _ in c)]
            self.syncs[r.a] = directory, mine
        else:
            file = self.inodes[r.ino]
            self.syncs[r.a] = file, list(file.pending) if file.links or self.saves_unnamed else []

    def _sync_end(self, what, covered, failed):
        pending = what.pending if isinstance(what, File) else self.pending
        for change in covered:
            place = next((i for i, c in enumerate(pending) if c is change), None)
            if place is None:
                continue  # another sync came first
            del pending[place]
            if failed:
                continue
            if isinstance(what, File):
                apply(what.bytes, change)
            else:
                self._settle(change)

    def leave(self, to, luck=None, journal=False, only=None):
        """Write down what the cut leaves. `luck`: a random.Random deciding what of the unsynced is
        kept, 1 for all of it, None for nothing; `journal`: of the names a prefix; `only`: sizes, holes
        or torn: all names and all of the catalog, but of other files no more than that."""
        names = dict(self.names)
        kept = self.pending if only else self._kept_names(luck, journal)
        for changes in kept:
            for path, what in changes:
                if what is False:
                    names.pop(path, None)
                else:
                    names[path] = what
        to = pathlib.Path(to)
        for path in sorted(names):
            target = to / path
            if not target.parent.is_dir():
                continue  # its directory's own entry is lost
            if names[path] is None:
                target.mkdir(mode=0o750)
            else:
                catalog = only and target.name.startswith("waybill.db")
                target.write_bytes(self._content(names[path], 1 if catalog else luck, None if catalog else only))

    def _kept_names(self, luck, journal):
        if luck is None:
            return []
        if luck == 1:
            return self.pending
        if journal:
            return self.pending[:luck.randint(0, len(self.pending))]
        return [c for c in self.pending if luck.random() < 0.5]

    @staticmethod
    def _content(file, luck, only):
        if file.mapped:
            return b"\xa5" * len(file.bytes)
        content = bytearray(file.bytes)
        for change in file.pending if luck is not None or only else []:
            op, at, more = change
            if only in ("sizes", "holes"):
                if op != WRITE:
                    apply(content, change)
                elif only == "holes" and at + len(more) > len(content):
                    content.extend(bytes(at + len(more) - len(content)))
            elif luck == 1:
                apply(content, change)
            elif luck.random() < 0.7:
                apply(content, change, luck if luck.random() < 0.5 else None)
        return content
