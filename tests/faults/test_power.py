"""test_power.py: every yes survives a power cut (durability = full).

A workload runs over shim.c, which writes down all that changes on disk; disk.py says what the model
is and why it is honest. Then the power is cut at each sync in turn, in several ways, and the real
program has to make sense of what is left: `waybill gc`, `verify`, `ls`; all that a client was told
before the cut has to be true, and nothing may be corrupt.

The worker runs with sandbox=off here: its jail would refuse what the shim does besides.
"""
import pathlib
import re
import subprocess

import pytest

import rig
import disk
import exchange
import processes
from chance import chance
from cuts import broken, cut_everywhere
from workload import Client, run_clients

BTRFS, XFS, UNKNOWN = "9123683e", "58465342", "12345678"
# What changes a file system; the shim has to know each of them that the program or SQLite calls.
CHANGING = {"open", "open64", "openat", "openat64", "openat2", "creat", "creat64", "__open_2", "__open64_2",
            "__openat_2", "__openat64_2", "close", "close_range", "write", "pwrite", "pwrite64", "writev", "pwritev",
            "pwritev64", "pwritev2", "sendfile", "sendfile64", "splice", "copy_file_range", "truncate", "truncate64",
            "ftruncate", "ftruncate64", "fallocate", "fallocate64", "posix_fallocate", "posix_fallocate64",
            "mmap", "mmap64", "fsync", "fdatasync", "sync", "syncfs", "msync", "link", "linkat", "symlink",
            "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "remove", "mkdir", "mkdirat",
            "mknod", "mknodat", "fcntl", "fcntl64", "dup", "dup2", "dup3", "mkstemp", "mkostemp", "tmpfile"}


def symbols(path, kind):
    out = subprocess.run(["nm", "-D", kind, path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in out.splitlines()}


def test_the_shim_knows_every_call():
    linked = subprocess.run(["ldd", rig.WAYBILL], capture_output=True, text=True, check=True).stdout
    sqlite = re.search(r"libsqlite3\S* => (\S+)", linked)[1]
    wanted = (symbols(rig.WAYBILL, "--undefined-only") | symbols(sqlite, "--undefined-only")) & CHANGING
    assert {"linkat", "fdatasync", "pwrite64"} <= wanted, "nm shows nothing"
    assert wanted <= symbols(rig.shim(), "--defined-only")


# ---- the tests --------------------------------------------------------------------------------------

@pytest.fixture
def record(make_worker):
    """record(environment...): a worker whose every change of the disk is written down."""
    return lambda **more: make_worker({"deny_types": "x/none"}, shimmed=True, start=False, **more).start(recorded=True)


@pytest.fixture
def recorded(record):
    return record()


def same_tree(a, b):
    """Names and bytes, but for the files that are written through memory."""
    def tree(top):
        return {str(p.relative_to(top)): p.read_bytes() if p.is_file() else None for p in top.rglob("*")
                if p.name not in ("waybill.db-shm", "ledger")}
    return tree(a) == tree(b)


def checkpoints(log):
    """Numbers of the syncs that end one."""
    syncs = (r.more for r in disk.records(log) if r.op == disk.SYNC_END)
    return [number for number, path in enumerate(syncs, 1) if path == b"data/waybill.db"]


def fill_the_wal(worker, pick):
    """Upload records with much text until the worker has had to make a checkpoint, while it serves:
    the number of its sync."""
    client, before = Client(worker, pick, [b"pool"]), checkpoints(worker.records)
    for n in range(90):
        file = exchange.Upload("f", "x", b"%d" % (n % 16))
        assert client.told(worker.send_form(file, ("note", "w" * 60000))) == 201
    processes.wait_until(lambda: len(checkpoints(worker.records)) > len(before), "a checkpoint")
    return checkpoints(worker.records)[-1]


def test_each_cut(recorded, tmp_path):
    run_clients(recorded, 4, 9)
    recorded.stop()  # folds the WAL back into waybill.db and unlinks it: cuts fall there too
    all_of_it = disk.Disk(forgetful=False)
    for record in disk.records(recorded.records):
        if record.op != disk.NOTE:
            all_of_it.feed(record)
    all_of_it.leave(tmp_path)
    assert same_tree(tmp_path, recorded.disk), "the shim has missed something"
    tried, promises = cut_everywhere(recorded.records)
    print(f"{tried} cuts, {promises} promises kept")
    assert tried > 300 and promises > 3000


def test_cuts_around_a_checkpoint(recorded):
    """The WAL is copied into waybill.db while uploads go on, and then begun anew from its start."""
    checkpoint = fill_the_wal(recorded, chance())
    run_clients(recorded, 3, 4)
    recorded.kill()
    assert checkpoint > 20
    tried, promises = cut_everywhere(recorded.records, lambda number: checkpoint - 4 <= number <= checkpoint + 16)
    print(f"{tried} cuts, {promises} promises kept")
    assert tried > 60 and promises > 4000


def test_a_failed_sync_is_never_called_a_yes(recorded):
    """Each sync of an upload fails in turn; the client tries the same again at once. A sync that
    failed has lost its bytes or names for good, even where the next one says 0. At the end those of
    the checkpoint fail that folds the WAL back."""
    pick = chance()
    client = Client(recorded, pick, [b"pool"])
    met = 0
    for nth in (1, 2, 3, 4, 1, 2, 3):
        for verb in (client.put, client.form, client.resumable):
            content = pick.randbytes(9000)
            client.content = lambda: content
            recorded.control.arm(rig.SYNC, nth)
            refused = verb()
            fired = recorded.control.disarm()
            assert refused == 500 if fired else refused in (201, 204), (nth, refused, recorded.control.what)
            assert verb() in (201, 204), recorded.said()
            met += fired
    for nth in (1, 2, 3):
        recorded.control.arm(rig.SYNC, nth)
        recorded.process.terminate()
        assert recorded.process.wait(processes.PATIENCE) in (0, 1)
        met += recorded.control.disarm()
        recorded.start(recorded=True)
        assert client.put() == 201
    recorded.kill()
    tried, promises = cut_everywhere(recorded.records, lambda number: number % 2)
    print(f"{met} failed syncs, {tried} cuts, {promises} promises kept")
    assert met > 15 and promises > 1000


def made_unnamed(worker):
    return sum(r.op == disk.TMPFILE and r.path == "" for r in disk.records(worker.records))


# ---- file systems that save no nameless file -------------------------------------------------------

@pytest.mark.parametrize("kind", [BTRFS, UNKNOWN], ids=["btrfs", "unknown"])
def test_where_a_nameless_file_may_not_be_saved(record, kind):
    """Nothing is synced there without a name; all that a client was told is true on such a disk."""
    worker = record(FAULTS_STATFS=kind)
    run_clients(worker, 3, 5)
    worker.stop()
    tried, promises = cut_everywhere(worker.records, lambda number: number % 2, disk.Disk(saves_unnamed=False))
    print(f"{tried} cuts, {promises} promises kept")
    assert tried > 80 and promises > 300


def test_where_it_is_known_to_be_saved(record):
    """On XFS files stay without a name until they are linked; on the disk above that would lose them."""
    worker = record(FAULTS_STATFS=XFS)
    run_clients(worker, 2, 4)
    worker.stop()
    cut_everywhere(worker.records, lambda number: number % 4 == 0)
    found, _, _ = broken(worker.records, lambda number: number % 4 == 0, disk.Disk(saves_unnamed=False))
    assert [what for what in found if "corrupt" in what or "wrong-size" in what], found[:5]


# ---- an upload that becomes a file of its own again --------------------------------------------------

def test_a_copy_of_an_upload_has_its_name_for_good(recorded):
    """The last piece is linked into objects/, and the COMMIT fails: the link stays. What comes
    instead of it goes to a copy, whose name is durable before the first offset in it is told."""
    tus = {"Tus-Resumable": "1.0.0"}
    patch = {**tus, "Content-Type": "application/offset+octet-stream"}
    client, body = Client(recorded, chance(), []), chance().randbytes(9000)
    path = recorded.request("POST", "/upload", {**tus, "Upload-Length": "9000"}, b"")["Location"]
    id = path.rsplit("/", 1)[1]

    def send(at, piece, **told):
        answer = recorded.request("PATCH", path, {**patch, "Upload-Offset": str(at)}, piece)
        if answer.status == 204 and told:
            client.note(id=id, **told)
        return answer.status
    assert send(0, body[:3000], offset=3000, prefix=rig.sha256(body[:3000])) == 204
    recorded.control.arm(rig.SYNC, 2)
    assert send(3000, body[3000:]) == 500 and recorded.control.disarm() == 1
    assert (recorded.data / "partial" / id).stat().st_nlink == 2, recorded.control.what
    other = body[:3000] + bytes(3000)
    assert send(3000, other[3000:], offset=6000, prefix=rig.sha256(other)) == 204
    assert (recorded.data / "partial" / id).stat().st_nlink == 1
    recorded.kill()
    cut_everywhere(recorded.records)
