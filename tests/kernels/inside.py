"""inside.py: in the guest. TASK=upload: clients upload to a worker, and each thing that they are told goes to
the console at once, as "@@" and JSON. TASK=look: what is there, against what was told before."""
import json
import os
import pathlib
import sys
import threading

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "power"), str(TESTS / "faults")]
import rig  # noqa: E402
from check import Check  # noqa: E402
from uploaders import Told, Uploader, checkpoint  # noqa: E402

CLIENTS = 4


def say(**what):
    os.write(1, f"@@{json.dumps(what)}\n".encode())


class Noted(Told):
    """Each thing told is on the console before the client goes on."""

    def keep(self, files):
        super().keep(files)
        say(do="keep", args=[files])

    def offset(self, id, name, at):
        super().offset(id, name, at)
        say(do="offset", args=[id, name, at])

    def leave(self, id):
        super().leave(id)
        say(do="leave", args=[id])

    def end(self, id):
        super().end(id)
        say(do="end", args=[id])


def upload(worker):
    over, failures, told = threading.Event(), [], Noted()
    clients = [Uploader(worker.request, told, f"{os.environ['SEED']}-{n}", over, failures) for n in range(CLIENTS)]
    for client in clients:
        client.sizes = [1, 300, 9000, 70000, 400000]
        client.start()
    while not failures:  # names and catalog are to be on disk before the bytes, where they may be
        checkpoint(worker.data)
        over.wait(1)
    raise failures[0]


def look(worker):
    told = Told()
    for note in json.loads(pathlib.Path(os.environ["TOLD"]).read_text()):
        getattr(told, note["do"])(*note["args"])
    check = Check(worker.request, told.copy(), told)
    check.once_more(8)
    if os.environ["DURABILITY"] == "full" and not check.losses:
        rig.settled(worker)
    say(looked=check.looked, lies=check.lies, losses=check.losses)


def main():
    home = pathlib.Path("/tmp/disk")
    worker = rig.Worker({"durability": os.environ["DURABILITY"], "deny_types": "x/none", "threads": "8"}, disk=home)
    try:
        {"upload": upload, "look": look}[os.environ["TASK"]](worker)
    except BaseException as problem:
        say(failed=f"{type(problem).__name__}: {problem} {worker.said()[-600:]}")
        raise


main()
