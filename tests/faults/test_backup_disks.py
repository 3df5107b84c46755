"""test_backup_disks.py: backups on full disks, on file systems that share blocks, by and for other users.

Where nothing may be mounted, and where nobody can be somebody else, the same is tried on the disk there
is, and as the one user there is.
"""
import errno
import os
import re
import resource
import subprocess

import pytest

import rig
import exchange
from chance import noise
from test_backup_power import sound
from test_full import TooFull, own_mounts

MIB = 1 << 20
UID, GID = 54321, 54322
ZERO = os.geteuid() == 0  # perhaps only in a user namespace, where nobody else is
ROOT = ZERO and subprocess.run(["setpriv", f"--reuid={UID}", f"--regid={GID}", "--clear-groups", "true"],
                               capture_output=True).returncode == 0
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if ZERO else []


def mount(top, kind):
    top.mkdir()
    if not own_mounts():
        return False
    if kind == "tmpfs":
        return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={40 * MIB},mode=0755", "none", top]).returncode == 0
    image = top.with_name("image")
    with open(image, "wb") as file:
        file.truncate(400 * MIB)
    subprocess.run([f"/usr/sbin/mkfs.{kind}", "-q", image], check=True, capture_output=True)
    return subprocess.run(["mount", "-o", "loop", image, top], capture_output=True).returncode == 0


@pytest.fixture
def mounted(tmp_path):
    """mounted(kind): (a directory there, is it really of that kind)."""
    tops = []

    def make(kind):
        top = tmp_path / kind
        is_it = mount(top, kind)
        tops.extend([top] if is_it else [])
        print(kind if is_it else f"{kind}: only pretended")
        return top, is_it
    yield make
    for top in tops:
        subprocess.run(["umount", "-l", top], check=True)


def waybill(data, *words, user=(), worker=None):
    """A subcommand on any data_dir; `worker`: under its shim."""
    environment = worker.environment() if worker else {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL")}
    return subprocess.run([*user, rig.WAYBILL, *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**environment, "WAYBILL_DATA_DIR": str(data)})


def whole(backup, to, files):
    """What is restored from it is these."""
    done = waybill(to, "restore", backup)
    assert done.returncode == 0, done
    assert not list(sound(to, [files]))
    return True


def put(worker, *contents):
    return {id: digest for content in contents for id, digest in rig.new_ids(worker.put("x", content)).items()}


# ---- full ----------------------------------------------------------------------------------------

def test_full(make_worker, mounted):
    """It says so, and leaves the backup before; with room again it goes on from where it was."""
    top, real = mounted("tmpfs")
    worker = make_worker({"deny_types": "x/none"}, shimmed=not real)
    disk, backup = TooFull(top), (top if real else worker.disk) / "backup"
    if real:
        disk.fill(leave=6 * MIB)
    files = put(worker, *(bytes([n]) * MIB for n in range(3)))
    worker.run("backup", str(backup), check=0)
    more = put(worker, *(bytes([n]) * MIB for n in range(3, 9)))
    for again in range(2):
        if not real:
            worker.control.arm(rig.CREATE | rig.WRITE | rig.LINK | rig.RENAME, 30, errno.ENOSPC, 1 << 30)
        done = worker.run("backup", str(backup), check=1)
        if not real:
            worker.control.disarm()
        assert f"The disk of {backup} is full. The backup that was there before is whole" in done.stderr
        assert whole(backup, worker.home / f"again-{again}", files)
    if real:
        disk.empty()
    done = worker.run("backup", str(backup), check=0)
    new, kept = map(int, re.search(r"(\d+) objects new, (\d+) kept", done.stdout).groups())
    assert new + kept == 9 and kept >= 3
    assert whole(backup, worker.home / "whole", {**files, **more})


def test_full_while_restoring(make_worker, mounted):
    top, real = mounted("tmpfs")
    worker = make_worker({"deny_types": "x/none"}, shimmed=not real)
    disk, backup, to = TooFull(top), worker.home / "backup", (top if real else worker.disk) / "restored"
    files = put(worker, *(bytes([n]) * MIB for n in range(9)))
    worker.run("backup", str(backup), check=0)
    if real:
        disk.fill(leave=6 * MIB)
    else:
        worker.control.arm(rig.WRITE, 30, errno.ENOSPC, 1 << 30)
    done = waybill(to, "restore", backup, worker=worker)
    if real:
        disk.empty()
    else:
        worker.control.disarm()
    assert done.returncode == 1 and "is full. Make room, and say it again." in done.stderr, done
    assert whole(backup, to, files)


# ---- shared blocks -------------------------------------------------------------------------------

def shared(path):
    done = subprocess.run(["filefrag", "-v", path], capture_output=True, text=True, check=True)
    return "shared" in done.stdout


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_clones(make_worker, mounted, kind):
    """Blocks are shared, fates are not: what is written into the one is not in the other."""
    top, real = mounted(kind)
    worker = make_worker({"deny_types": "x/none"}, disk=top)
    files = put(worker, *(noise(MIB) for n in range(3)), b"")
    worker.run("backup", str(top / "backup"), check=0)
    assert whole(top / "backup", top / "restored", files)
    for digest in files.values():
        one, other, third = (top / d / "objects" / digest for d in ("data", "backup", "restored"))
        if not real:
            continue
        assert one.stat().st_nlink == other.stat().st_nlink == third.stat().st_nlink == 1
        if digest != rig.EMPTY:
            subprocess.run(["sync", "-f", top], check=True)
            assert shared(one) and shared(other) and shared(third)
            with open(one, "r+b") as f:
                f.write(b"damage")
            assert rig.sha256(other.read_bytes()) == rig.sha256(third.read_bytes()) == digest


# ---- users ---------------------------------------------------------------------------------------

def as_user(uid, gid):
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"] if ROOT else []


def owners(top):
    return {(p.lstat().st_uid, p.lstat().st_gid) for p in [top, *top.rglob("*")]}


@pytest.fixture
def owned(tmp_path):
    """A data_dir with one file that belongs to a user of its own, and a directory for all else."""
    for top in (tmp_path, tmp_path.parent, tmp_path.parent.parent):  # pytest's own, and nobody else's
        top.chmod(0o755)
    data = tmp_path / "data"
    data.mkdir(0o750)
    if ROOT:
        os.chown(data, UID, GID)
    variables = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "PUT", "REQUEST_URI": "/upload/x", "PATH_INFO": "/upload/x",
                 "SCRIPT_NAME": "", "QUERY_STRING": "", "CONTENT_LENGTH": "5", "SERVER_PROTOCOL": "HTTP/1.1",
                 "HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1"}
    done = subprocess.run([*as_user(UID, GID), rig.WAYBILL], input=b"hello", capture_output=True, timeout=60,
                          env={"PATH": os.environ["PATH"], "WAYBILL_DATA_DIR": str(data), "WAYBILL_MIN_FREE_BYTES": "0", **variables})
    assert b"201" in done.stdout, done
    return data, tmp_path


def test_by_root(owned):
    """The backup is root's, out of reach of who serves; data_dir stays the user's, also when restored."""
    data, home = owned
    before = owners(data)
    backup, again = home / "backup", home / "again"
    backup.mkdir(0o700)
    assert waybill(data, "backup", backup).returncode == 0
    assert owners(data) == before and owners(backup / "objects") - {(os.geteuid(), os.getegid())} <= before
    assert (backup / "waybill.db").stat().st_uid == os.geteuid()
    again.mkdir(0o750)
    if ROOT:
        os.chown(again, UID, GID)
    done = waybill(again, "restore", backup)
    assert done.returncode == 0 and ("chown -R" in done.stdout) == (ZERO and not ROOT), done
    assert owners(again) == before
    assert waybill(again, "verify", user=as_user(UID, GID)).returncode == 0
    made = home / "made"
    done = waybill(made, "restore", backup)
    assert done.returncode == 0 and ("chown -R" in done.stdout) == ZERO


def test_by_root_into_the_users(owned):
    """Once by hand, say: the user goes on with it."""
    data, home = owned
    backup = home / "backup"
    backup.mkdir(0o750)
    if ROOT:
        os.chown(backup, UID, GID)
    before = owners(backup)
    assert waybill(data, "backup", backup).returncode == 0
    assert owners(backup) == before
    done = waybill(data, "backup", backup, user=as_user(UID, GID))
    assert done.returncode == 0 and not done.stderr, done


def test_by_the_user(owned):
    data, home = owned
    place = home / "place"
    place.mkdir()
    if ROOT:
        os.chown(place, UID, GID)
    done = waybill(data, "backup", place / "backup", user=as_user(UID, GID))
    assert done.returncode == 0 and not done.stderr, done
    done = waybill(place / "again", "restore", place / "backup", user=as_user(UID, GID))
    assert done.returncode == 0 and ("chown -R" in done.stdout) == (ZERO and not ROOT), done
    assert waybill(place / "again", "verify", user=as_user(UID, GID)).returncode == 0


def test_by_somebody_else(owned):
    """Who may not read says so, and makes nothing."""
    data, home = owned
    if not ROOT:  # nobody else to be: no right to read it oneself
        data.chmod(0)
    done = waybill(data, "backup", home / "backup", user=as_user(UID + 7, GID + 7) or POWERLESS)
    if not ROOT:
        data.chmod(0o750)
    assert done.returncode == 1 and "Permission denied" in done.stderr, done
    assert not (home / "backup").exists()


def test_objects_that_are_not_mounted(make_worker, tmp_path):
    """Half a second for each that is missing would be days of a large store. It says all there is to say
    in less than its time limit, and with the objects back the next one takes them."""
    worker = make_worker({"max_files": "200"})
    files = [exchange.Upload("f", f"{n}.txt", b"%d" % n) for n in range(200)]
    assert worker.send_form(*files).status == 201
    (worker.data / "objects").rename(tmp_path / "unmounted")
    (worker.data / "objects").mkdir(mode=0o750)
    done = waybill(worker.data, "backup", tmp_path / "backup")
    assert done.returncode == 1 and done.stderr.count("missing object=") == 200, done
    (worker.data / "objects").rmdir()
    (tmp_path / "unmounted").rename(worker.data / "objects")
    done = waybill(worker.data, "backup", tmp_path / "backup")
    assert done.returncode == 0 and "200 objects new" in done.stdout, done


def test_a_write_cut_short_is_told_by_its_reason(make_worker, tmp_path):
    """A disk that is filling up takes part of a write first; here a limit on the size of files does."""
    worker = make_worker()
    assert worker.put("one", b"1").status == 201
    assert waybill(worker.data, "backup", tmp_path / "backup").returncode == 0
    limit = (tmp_path / "backup" / "waybill.db").stat().st_size - 1000
    done = subprocess.run([rig.WAYBILL, "restore", tmp_path / "backup"], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "WAYBILL_DATA_DIR": str(tmp_path / "again")}, restore_signals=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 1 and "File too large" in done.stderr, done
    done = waybill(tmp_path / "again", "restore", tmp_path / "backup")
    assert done.returncode == 0 and waybill(tmp_path / "again", "verify").returncode == 0, done
