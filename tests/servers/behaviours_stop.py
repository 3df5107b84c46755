"""behaviours_stop.py: the worker, then the server, told to end in mid-upload. See behaviours.py. Each
leaves a site that is of no more use."""
import http.client
import os
import pathlib
import signal
import subprocess

from behaviours import behaviour
from exchange import read_http, text
from processes import WAYBILL, parent_of, wait_until
from sites import seen


def half_sent(site, name):
    """A connection with half an upload on its way."""
    content = text(1_000_000, seed=14)
    sock = site.connect()
    sock.sendall(site.head("POST", f"/upload?name={name}", {}, len(content)) + content[:500_000])
    return sock, content


def holds_upload(site, pid):
    """Has the process a file without a name in the store, as an upload under way has?"""
    for descriptor in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith(str(site.data)) and target.endswith("(deleted)"):
            return True
    return False


def ask_store(site, *arguments):
    return subprocess.run([WAYBILL, *arguments], env=site.environment(), capture_output=True, text=True)


def assert_sound(site, name, answered):
    """The upload is there as a whole, or not at all; and it is there if the client was told so."""
    listed = ask_store(site, "ls", "--json", "--name", name)
    assert listed.returncode == 0, listed
    assert name in listed.stdout or not answered
    verified = ask_store(site, "verify")
    assert verified.returncode == 0, verified


@behaviour("SIGTERM to the worker in mid-upload")
def worker_stopped(site):
    """It takes no more requests, but finishes this one."""
    sock, content = half_sent(site, "last.txt")
    with sock:
        [pid] = wait_until(lambda: [p for p in site.workers() if holds_upload(site, p)], "the upload to begin")
        os.kill(parent_of(pid), signal.SIGTERM)
        sock.sendall(content[500_000:])
        answer = read_http(sock)
    if answer.status == 201:
        assert answer.file["size"] == len(content)
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the worker to end")
    assert_sound(site, "last.txt", answer.status == 201)
    return seen(answer)


@behaviour("SIGTERM to the server in mid-upload")
def server_stopped(site):
    """Whatever it does with the client, all processes end and the store is sound."""
    sock, content = half_sent(site, "late.txt")
    with sock:
        site.process.terminate()
        try:
            sock.sendall(content[500_000:])
            status = read_http(sock).status
        except (OSError, http.client.HTTPException):
            status = None  # cut
    site.process.wait(60)
    wait_until(lambda: not site.workers(), "the worker to end with its server")
    assert_sound(site, "late.txt", status == 201)
    return "all end, store sound"
