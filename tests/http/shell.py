"""shell.py: the command line beside a running door, and tokens."""
import re
import subprocess

from processes import PATIENCE, WAYBILL


def waybill(door, *arguments, status=0, **environment):
    """Run a subcommand on the door's data directory; its standard output."""
    done = subprocess.run([WAYBILL, *arguments], env=door.environment(**environment), timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == status, (arguments, done)
    assert (status == 0) or done.stderr or done.stdout, "a failure says why"
    return done.stdout


def add_token(door, name, can, *options):
    text = waybill(door, "token", "add", name, "--can", can, *options)
    assert re.fullmatch(r"wb_[0-9a-f]{64}\n", text), text
    return text.strip()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}
