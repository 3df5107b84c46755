"""processes.py: which program is tested, where, how long one waits for it; its processes, found and ended."""
import contextlib
import os
import pathlib
import select
import signal
import socket
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
WAYBILL = os.environ.get("WAYBILL", str(TOP / "waybill"))
PATIENCE = 30  # seconds until a missing answer is a failure
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]  # before a command


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain: {what}")


def children(pid):
    """Process ids, the eldest first."""
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # just gone
        return []


def stat_of(pid):
    """What the kernel tells of a process behind its name: state, parent and so on. OSError: it is gone."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def ended(pid):
    """Is the process gone, or a zombie that nobody has asked for yet? It may go while it is looked at."""
    try:
        return stat_of(pid)[0] == "Z"
    except OSError:
        return True


def workers_of(pid):
    """Process ids of what `waybill serve` has forked to serve, the eldest first: several where one has
    followed another that has not finished yet."""
    def named(child):
        try:
            return pathlib.Path(f"/proc/{child}/comm").read_text() == "waybill-worker\n"
        except OSError:
            return False
    return [child for child in children(pid) if named(child)]


def parent_of(worker):
    """Whom whoever started a worker knows: its parent; of plain CGI, itself."""
    if pathlib.Path(f"/proc/{worker}/comm").read_text() != "waybill-worker\n":
        return worker
    return int(stat_of(worker)[1])


def kill_dead(pid):
    """kill -9; returns when the whole process is gone, and with it the locks it has held."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with open(fd, "rb", buffering=0):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        assert select.select([fd], [], [], PATIENCE)[0], f"{pid} survives kill -9"


def kill_serving(process):
    """kill -9 of all that a child of ours, `waybill serve`, has forked to serve, and of itself. First
    it is stopped, or it would replace them; were it killed first, they would finish what is under way."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    for worker in workers_of(process.pid):
        kill_dead(worker)
    process.kill()
    process.wait()
