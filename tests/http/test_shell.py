"""The command line for people: columns, files that are not overwritten, what goes with one word."""
import json
import os
import re
import subprocess

import pytest

import exchange
import processes
from exchange import refused, text
from processes import wait_until
from shell import add_token, bearer, waybill


def run(door, *arguments):
    return subprocess.run([processes.WAYBILL, *arguments], env=door.environment(), stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=processes.PATIENCE)


# ---- get -----------------------------------------------------------------------------------------

def test_get_replaces_nothing_unasked(fresh, tmp_path):
    door = fresh("fastcgi")
    content = text(200000)
    id, to = door.put("a.txt", content).file["id"], tmp_path / "out"
    waybill(door, "get", id, "-o", str(to))
    assert to.read_bytes() == content
    to.write_bytes(b"mine")
    done = run(door, "get", id, "-o", str(to))
    assert done.returncode == 1 and b"--force" in done.stderr and to.read_bytes() == b"mine"
    waybill(door, "get", id, "-o", str(to), "--force")
    assert to.read_bytes() == content and os.listdir(tmp_path) == ["out"]
    assert run(door, "get", id).stdout == content
    waybill(door, "get", id, "-o", "/dev/null")
    waybill(door, "get", id, "-o", str(tmp_path / "no" / "such"), status=1)




def test_get_of_bytes_that_have_changed(fresh, tmp_path):
    door = fresh("fastcgi")
    file = door.put("a.txt", text(5000)).file
    with open(door.data / "objects" / file["sha256"], "r+b") as damaged:
        damaged.write(b"XX")
    done = run(door, "get", file["id"], "-o", str(tmp_path / "out"))
    assert done.returncode == 1 and b"verify" in done.stderr and os.listdir(tmp_path) == []
    assert run(door, "get", file["id"]).returncode == 1


# ---- rm ------------------------------------------------------------------------------------------

def names(door):
    return sorted(f["name"] for f in json.loads(waybill(door, "ls", "--json"))["files"])


def test_rm_by_what_files_are(fresh):
    door = fresh("fastcgi", trusted_proxies="127.0.0.1")
    alice = bearer(add_token(door, "alice", "upload"))
    for i in range(3):
        door.request("PUT", f"/upload/a{i}", alice, b"of alice %d" % i)
        door.put(f"n{i}", b"of nobody %d" % i, **{"X-Forwarded-For": "203.0.113.9"})
    everything = names(door)
    shown = waybill(door, "rm", "--owner", "alice")
    assert names(door) == everything and "3 files" in shown and "--yes" in shown and "         a0\n" in shown and "         n0\n" not in shown
    assert "3 files" in waybill(door, "rm", "--owner", "alice", "--yes") and names(door) == ["n0", "n1", "n2"]
    assert "no file matches" in waybill(door, "rm", "--owner", "alice")
    assert "no file" in waybill(door, "rm", "--address", "203.0.113.7")
    waybill(door, "rm", "--address", "203.0.113.9", "--name", "n1", "--yes")
    assert names(door) == ["n0", "n2"]
    assert "no file" in waybill(door, "rm", "--since", "2099-01-01T00:00:00Z")
    waybill(door, "rm", "--since", "2020-01-01T00:00:00Z", "--yes")
    assert names(door) == [] and os.listdir(door.data / "objects") == []


def test_rm_of_more_than_a_page(fresh):
    door = fresh("fastcgi", max_files="1000")
    for _ in range(3):
        assert door.send_form(*[exchange.Upload("f", f"{i}", b"x%d" % i) for i in range(900)]).status == 201
    assert "2700 files" in waybill(door, "rm", "--type", "*", "--since", "2020-01-01T00:00:00Z")
    assert "2700 files" in waybill(door, "rm", "--since", "2020-01-01T00:00:00Z", "--yes") and names(door) == []


@pytest.mark.parametrize("arguments", [[], ["--yes"], ["0" * 26, "--owner", "alice"], ["0" * 26, "--yes"], ["--since", "yesterday"],
                                       ["--name", ""], ["--name", "", "--yes"], ["--owner", "alice", "--type", "", "--yes"]])
def test_rm_that_does_not_say_what(fastcgi, arguments):
    waybill(fastcgi, "rm", *arguments, status=2)


def test_ls_counts_what_it_shows(fresh):
    door = fresh("fastcgi", trusted_proxies="10.0.0.0/8")
    door.put("a", b"a"), door.request("PUT", "/upload/b", {}, b"b", REMOTE_ADDR="198.51.100.4")
    listed = json.loads(waybill(door, "ls", "--json", "--address", "198.51.100.4"))
    assert [f["name"] for f in listed["files"]] == ["b"] and listed["total"] == 1


def test_an_owner_does_not_write_to_the_terminal(fresh):
    door = fresh("fastcgi", remote_user="trust")
    for name, owner in [("a", "al\x1b[31mice\nforged"), ("b", "Bärbel"), ("c", "")]:
        assert door.request("PUT", f"/upload/{name}", {}, b"a", REMOTE_USER=owner).status == 201
    shown = waybill(door, "ls")
    assert "\x1b" not in shown and shown.count("\n") == 3 and " Bärbel " in shown and " -  " in shown


# ---- ls, help, tokens ----------------------------------------------------------------------------

def test_ls_for_people(fresh):
    door = fresh("fastcgi")
    alice = bearer(add_token(door, "alice", "upload"))
    door.request("PUT", "/upload/a%20b.txt?path=holiday/day1", alice, text(3000))
    [line] = waybill(door, "ls").splitlines()
    assert "alice" in line and "2.9 KiB" in line and line.endswith("  holiday/day1/a b.txt") and "text/plain" in line


def test_tokens_say_when_they_were_made_and_used(fresh):
    door = fresh("fastcgi")
    alice = bearer(add_token(door, "alice", "upload"))
    assert "used never" in waybill(door, "token", "ls")
    assert door.request("GET", "/upload", alice).status == 200
    assert "created 20" in waybill(door, "token", "ls") and "quota none" in waybill(door, "token", "ls")
    wait_until(lambda: waybill(door, "token", "ls").count("used 20") == 1, "the use to be noted")
    add_token(door, "idle", "upload")
    assert re.search(r"^idle .* used never ", waybill(door, "token", "ls"), re.M)


@pytest.mark.parametrize("command", ["serve", "ls", "show", "get", "rm", "verify", "backup", "restore", "gc", "token", "config"])
def test_help_of_a_subcommand(command):
    for word in "--help", "-h":
        done = subprocess.run([processes.WAYBILL, command, word], capture_output=True, text=True, timeout=processes.PATIENCE)
        assert done.returncode == 0 and done.stdout.startswith(f"usage: waybill {command}") and "--config FILE" in done.stdout and not done.stderr


def test_put_without_a_name_says_what_is_missing(door):
    refused(door.request("PUT", "/upload", {}, b"x"), 405, "method_not_allowed", "slash", "curl -T")


@pytest.mark.parametrize("words", [("verify",), ("verify", "--repair"), ("verify", "--adopt"), ("gc",), ("rm", "--owner", "x", "--yes")])
def test_a_house_that_is_not_there_is_not_made_by_looking(fastcgi, tmp_path, words):
    """A disk that is not mounted must not look well kept."""
    env = fastcgi.environment(WAYBILL_DATA_DIR=str(tmp_path / "none"))
    done = subprocess.run([processes.WAYBILL, *words], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=processes.PATIENCE)
    assert done.returncode == 1 and b"data_dir" in done.stderr and not (tmp_path / "none").exists()


def test_a_backup_into_tmp_is_not_told_to_close_it(fastcgi):
    done = run(fastcgi, "backup", "/tmp")
    assert done.returncode == 1 and b"Name a directory in it" in done.stderr and b"chmod" not in done.stderr
