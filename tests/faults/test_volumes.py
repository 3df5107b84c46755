"""test_volumes.py: what data_dir lies on. Files stay without a name only where a sync saves them all the
same; and objects/ and partial/ have to be on one mount, or nothing could be linked from one to the other.

Real file systems, in a mount namespace that run.sh made; where this machine lets nobody mount, the
shim says which kind they are.
"""
import subprocess

import pytest

import rig
import processes
from test_full import own_mounts

MIB = 1 << 20
NAMED = "no unnamed files here"
# kind: (how it is made, MiB, its magic number, are files without a name saved)
KINDS = {
    "ext4": (["mkfs.ext4", "-q"], 40, None, True),
    "ext4 without a journal": (["mkfs.ext4", "-q", "-O", "^has_journal"], 40, "ef53", False),
    "ext2": (["mkfs.ext2", "-q"], 40, "ef53", False),
    "xfs": (["mkfs.xfs", "-q"], 320, "58465342", True),
    "btrfs": (["mkfs.btrfs", "-q"], 130, "9123683e", False),
    "tmpfs": (None, 40, "1021994", True),
}


def mounted(kind, home):
    """Where it is mounted; None: it cannot be."""
    make, size, _, _ = KINDS[kind]
    top = home / "disk"
    top.mkdir()
    if make is None:
        command = ["mount", "-t", "tmpfs", "-o", "mode=0755", "none", top]
    else:
        with open(home / "image", "wb") as file:
            file.truncate(size * MIB)
        subprocess.run([f"/usr/sbin/{make[0]}", *make[1:], home / "image"], check=True, capture_output=True)
        command = ["mount", "-o", "loop", home / "image", top]
    return top if subprocess.run(command, capture_output=True).returncode == 0 else None


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_where_one_is_needed(make_worker, tmp_path, kind):
    _, _, magic, unnamed = KINDS[kind]
    top = mounted(kind, tmp_path) if own_mounts() else None
    if top is None:
        print(f"{kind}: pretended by the shim")
        worker = make_worker({"log": "info"}, shimmed=True, start=False, **({"FAULTS_STATFS": magic} if magic else {}))
    else:
        worker = make_worker({"log": "info"}, disk=top, start=False)
    worker.start()
    if top is not None or magic:
        assert (NAMED not in worker.said()) == unnamed, worker.said()
    body = b"x" * 200000
    [(id, digest)] = rig.new_ids(worker.put("x", body)).items()
    worker.intact(id, digest)
    assert (worker.data / "objects" / digest).stat().st_nlink == 1
    worker.stop()
    assert rig.settled(worker) == {id: digest}
    worker.close()
    if top is not None:
        subprocess.run(["umount", "-l", top], check=True)


@pytest.mark.parametrize("name", ["objects", "partial"])
@pytest.mark.parametrize("how", ["another disk", "the same disk"])
def test_a_mount_of_its_own_is_refused(make_worker, tmp_path, name, how):
    worker = make_worker(start=False)
    inner = worker.data / name
    inner.mkdir(parents=True)
    worker.data.chmod(0o750)
    (tmp_path / "elsewhere").mkdir()
    command = ["mount", "--bind", tmp_path / "elsewhere", inner] if how == "the same disk" else \
        ["mount", "-t", "tmpfs", "-o", "mode=0750", "none", inner]
    if not own_mounts() or subprocess.run(command, capture_output=True).returncode != 0:
        print("nobody may mount here")
        return
    try:
        worker.start(wait=False)
        assert worker.process.wait(processes.PATIENCE) == 1
        said = worker.said()
        assert f"{worker.data}/{name} is a mount" in said and f"Mount at {worker.data} itself" in said, said
    finally:
        subprocess.run(["umount", "-l", inner], check=True)
    worker.start()
    assert worker.put("x", b"x").status == 201
