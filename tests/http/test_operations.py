"""What an operator relies on: the log, /metrics, /healthz, modes on disk, the jail."""
import contextlib
import os
import pathlib
import re
import signal
import stat
import subprocess

import pytest

import harness
import processes
import wire
from chance import noise
from exchange import ELF, PNG, Upload, refused, text
from processes import children, wait_until
from shell import add_token, bearer, waybill

PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\["\\])*"|[^\s"=\\]+)(?: |$)')


def logfmt(line):
    """A line as a dictionary; it is wrong if anything is left over."""
    pairs, at = {}, 0
    while at < len(line):
        found = PAIR.match(line, at)
        assert found, f"no logfmt from column {at}: {line!r}"
        value = found[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        assert found[1] not in pairs, f"{found[1]} twice: {line!r}"
        pairs[found[1]] = value
        at = found.end()
    return pairs


def lines(door):
    """Every line of the log, read strictly."""
    raw = door.log.read_bytes()
    assert raw.endswith(b"\n") and b"\x00" not in raw
    out = []
    for line in raw.decode("utf-8").split("\n")[:-1]:
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", line), repr(line)
        out.append(logfmt(line))
        assert {"time", "level", "msg"} <= set(out[-1]), line
    return out


def requests(door, count):
    """The lines of requests, once there are at least so many."""
    wait_until(lambda: sum("msg=request " in line for line in door.log.read_text().split("\n")) >= count,
               f"{count} lines of requests")
    return [line for line in lines(door) if line["msg"] == "request"]


# ---- the log -------------------------------------------------------------------------------------

def test_a_line_a_request(fresh):
    door = fresh("fastcgi")
    token = add_token(door, "alice", "upload")
    before = len(requests(door, 1))
    file = door.request("PUT", "/upload/a.txt?expires_in=1h", bearer(token), b"hello").file
    door.get(f"/files/{file['id']}/content")
    door.get("/files/" + "0" * 26)
    put, content, absent = requests(door, before + 3)[before:]
    assert put["method"] == "PUT" and put["status"] == "201" and put["owner"] == "alice" and put["fault"] == "-"
    assert put["bytes_in"] == "5" and put["path"] == "/upload/a.txt" and float(put["ms"]) >= 0
    assert content["bytes_out"] == "5" and content["owner"] == "-" and content["status"] == "200"
    assert absent["status"] == "404" and absent["fault"] == "not_found"
    ids = [line["request_id"] for line in requests(door, before + 3)]
    assert len(set(ids)) == len(ids)


HOSTILE = ["a\nlevel=error msg=forged", "a\r\nfoo", "tab\there", "quote\"quote", "back\\slash", "a=b c=d", "\x1b[31mred",
           "\x7f\x01", "\u202egnp.exe", "\u2028line", "\x85next", "emoji \U0001f4c4", "\udcff\udcfe", "%0aencoded", "x" * 9000]


def test_nothing_hostile_reaches_a_line(fresh):
    door = fresh("fastcgi", remote_user="trust", log="debug", allow_types="image/*", type_mismatch="reject")
    for name in HOSTILE:
        for path in ("/upload/" + name, "/files/" + name, "/" + name, "/files?name=" + name):
            door.request("GET", path)
        door.request("PUT", "/upload/" + name, {"Content-Type": name, "Content-Disposition": f'attachment; filename="{name}"'},
                     b"not an image")
        door.request("GET" + name, "/files")
        door.request("GET", "/files", {"Authorization": "Bearer " + name, "Origin": name, "User-Agent": name,
                                       "Range": name, "Accept": name, "Tus-Resumable": name})
        door.request("PUT", "/upload/a.png", {}, PNG, REMOTE_USER=name)
        door.send_form(Upload(name.replace('"', ""), name.replace('"', ""), PNG, "image/png"),
                       (name.replace('"', ""), wire.encoded(name)))
    seen = requests(door, len(HOSTILE) * 8)
    assert all(line["level"] in ("info", "debug", "warn", "error") for line in seen)
    assert not any(line["msg"] == "forged" for line in lines(door))
    # what came in is still listed, shown and logged by its owner
    assert door.get("/files").status == 200 and door.alive()


def test_log_levels(fresh):
    door = fresh("fastcgi", log="warn", quota_bytes="1000", read_access="token")
    door.get("/files")
    refused(door.put("a", b"x" * 2000), 507, "quota_exceeded")
    wait_until(lambda: door.log.stat().st_size, "a warning")
    [line] = lines(door)
    assert line["msg"] == "request failed" and line["level"] == "warn" and line["fault"] == "quota_exceeded"


# ---- metrics -------------------------------------------------------------------------------------

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\}})? (-?[0-9.e+-]+|\+Inf|NaN)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')


def exposition(answer):
    """The text format 0.0.4, strictly: {name: {labels: value}}. HELP and TYPE go first, families are in
    one piece, no sample comes twice, histograms are whole."""
    assert answer.status == 200 and answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.body.endswith(b"\n")
    families, helps, types, current = {}, set(), {}, None
    for line in answer.text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            assert name not in helps and words, line
            helps.add(name)
            current = name
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == current and name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name], families[name] = kind, {}
        else:
            found = SAMPLE.match(line)
            assert found, line
            name = found[1]
            if types[current] == "histogram":
                name = re.sub("_(bucket|sum|count)$", "", name)
            assert name == current, f"outside its family: {line}"
            labels = tuple(LABEL.findall(found[2] or "")) + ((("sample", found[1]),) if found[1] != name else ())
            assert labels not in families[name], f"twice: {line}"
            families[name][labels] = float(found[3])
    for name, kind in types.items():
        assert name.startswith("waybill_") and name in helps
        assert kind != "counter" or name.endswith("_total"), name
        assert kind == "gauge" or all(v >= 0 for v in families[name].values())
        if kind == "histogram":
            buckets = [(float(dict(k)["le"]), v) for k, v in families[name].items() if "le" in dict(k)]
            values = [v for _, v in sorted(buckets)]
            assert values == sorted(values) and max(buckets)[0] == float("inf")
            assert families[name][(("sample", name + "_count"),)] == values[-1]
            assert (("sample", name + "_sum"),) in families[name]
    return families


def value(families, name, **labels):
    return families[name].get(tuple(labels.items()), 0)


@pytest.fixture
def stack():
    with contextlib.ExitStack() as stack:
        yield stack


def test_metrics(fresh, stack):
    door = fresh("fastcgi", quota_bytes="100000")
    before = exposition(door.get("/metrics"))
    file = door.put("a", text(1000)).file
    door.put("b", text(1000))
    door.get(f"/files/{file['id']}/content")
    refused(door.put("c", ELF), 415, "type_refused")
    refused(door.get("/nothing/here"), 404, "not_found")
    refused(door.put("c", b"x" * 200000), 507, "quota_exceeded")
    held = stack.enter_context(door.connect())
    held.sendall(wire.begin() + door.params("PUT", "/upload/slow", None, 5000) + wire.record(wire.STDIN, b"x"))
    wait_until(lambda: door.get("/healthz").json["reserved_bytes"] == 5000, "the reservation")
    after = exposition(door.get("/metrics"))

    def more(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)
    assert more("waybill_requests_total", route="/upload/{id}", status="201") == 2
    assert more("waybill_requests_total", route="/files/{id}/content", status="200") == 1
    assert more("waybill_requests_total", route="(none)", status="404") == 1
    assert more("waybill_refusals_total", error="type_refused") == 1
    assert more("waybill_refusals_total", error="quota_exceeded") == 1
    assert more("waybill_received_bytes_total") >= 2000
    assert more("waybill_sent_bytes_total") >= 1000
    assert more("waybill_stored_files") == 2 and more("waybill_stored_bytes") == 1000
    assert value(after, "waybill_reserved_bytes") == 5000 and value(after, "waybill_bodies_in_flight") == 1
    assert value(after, "waybill_requests_in_flight") == 2  # the held one, and the one that asks
    assert more("waybill_commits_total") >= 2 and more("waybill_commit_batches_total") >= 1
    assert more("waybill_request_seconds", sample="waybill_request_seconds_count") >= 6
    assert value(after, "waybill_up") == 1 and value(after, "waybill_sniffers") >= 1
    for name in ("waybill_sniffer_deaths_total", "waybill_catalog_busy_total", "waybill_free_bytes", "waybill_aborted_total",
                 "waybill_downloads_in_flight"):
        assert len(after[name]) == 1, name
    held.close()
    wait_until(lambda: value(exposition(door.get("/metrics")), "waybill_bodies_in_flight") == 0, "the held one to be noticed")
    assert value(exposition(door.get("/metrics")), "waybill_requests_in_flight") == 1


FORWARDED = [{"X-Forwarded-For": "192.0.2.7"}, {"Forwarded": "for=192.0.2.7"}, {"Via": "1.1 proxy"}, {"X-Real-IP": "192.0.2.7"}]


@pytest.mark.parametrize("headers", FORWARDED)
def test_what_was_forwarded_is_not_from_this_machine(fastcgi, headers):
    refused(fastcgi.request("GET", "/metrics", headers), 401, "unauthorized")
    assert fastcgi.request("GET", "/healthz", headers).json == {"status": "ok"}
    assert fastcgi.request("GET", "/healthz?ready", headers).json == {"status": "ok"}


def test_figures_are_for_those_who_may_see_metrics(fresh):
    door = fresh("fastcgi")
    admin, reader = add_token(door, "root", "admin"), add_token(door, "reader", "upload,read,delete")
    far = {"REMOTE_ADDR": "192.0.2.7"}
    here = door.get("/healthz").json
    assert here["status"] == "ok" and {"files", "bytes", "free_bytes", "sandbox", "version"} < here.keys()
    assert door.request("GET", "/healthz", **far).json == {"status": "ok"}
    assert door.request("GET", "/healthz", bearer(reader), **far).json == {"status": "ok"}
    assert door.request("GET", "/healthz", bearer("wrong"), **far).json == {"status": "ok"}
    assert door.request("GET", "/healthz", bearer(admin), **far).json.keys() == here.keys()
    assert door.request("HEAD", "/healthz", **far).status == 200


def test_alive_but_not_ready(fresh):
    """Where uploads are refused, reading goes on: a load balancer leaves the worker where it is, unless it asks for more."""
    door = fresh("fastcgi")
    file = door.put("a", b"x").file
    full = harness.FastCGIDoor({"min_free_bytes": "1000T"}, data=door.data)
    try:
        for path, status in (("/healthz", 200), ("/healthz?", 200), ("/healthz?already=1", 200), ("/healthz?ready", 503),
                             ("/healthz?ready=1", 503), ("/healthz?x=1&ready=", 503)):
            answer = full.request("GET", path, REMOTE_ADDR="192.0.2.7")
            assert answer.status == status, (path, answer)
            assert answer.json.keys() == {"status", "reason"} and answer.json["status"] == "degraded", answer
            assert (answer["Retry-After"] is not None) == (status == 503)
        assert full.get(f"/files/{file['id']}/content").body == b"x"
    finally:
        full.close()


def test_metrics_survive_hostile_requests(fresh):
    door = fresh("fastcgi")
    for name in HOSTILE:
        door.request("GET", "/" + name)
        door.request("X" + name, "/upload/" + name)
    exposition(door.get("/metrics"))


# ---- the data directory --------------------------------------------------------------------------

def modes(data):
    return {p: stat.S_IMODE(p.stat().st_mode) for p in (data, *data.rglob("*"))}


def test_modes_whatever_the_umask(tmp_path):
    (tmp_path / "data").mkdir(mode=0o750)
    before = os.umask(0)
    try:
        door = harness.FastCGIDoor(data=tmp_path / "data")
    finally:
        os.umask(before)
    try:
        assert door.put("a", b"x").status == 201
        upload = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
        assert door.request("POST", "/upload", upload, b"").status == 201
        waybill(door, "gc")
        for path, mode in modes(tmp_path / "data").items():
            assert mode == (0o750 if path.is_dir() else 0o640), (path, oct(mode))
    finally:
        door.close()


@pytest.mark.parametrize("where", [".", "objects", "partial"])
def test_a_data_dir_that_others_can_write_is_refused(fresh, where):
    door = fresh("fastcgi")
    door.put("a", b"x")
    door.process.terminate()
    door.process.wait()
    bad = door.data / where
    bad.chmod(0o757)
    for arguments in (["serve", "-l", f"unix:{door.home}/s2"], ["gc"], ["verify"], ["token", "add", "x", "--can", "read"]):
        done = subprocess.run([processes.WAYBILL, *arguments], env=door.environment(), capture_output=True, text=True,
                              timeout=processes.PATIENCE)
        assert done.returncode == 1 and "chmod o-w" in done.stderr and where.strip(".") in done.stderr, done
    env = {**door.environment(), **wire.variables("PUT", "/upload/a", {}, 1)}
    done = subprocess.run([processes.WAYBILL], env=env, input=b"x", capture_output=True, timeout=processes.PATIENCE)
    assert b"Status: 500" in done.stdout and b"chmod" in done.stderr and b"chmod" not in done.stdout, done
    bad.chmod(0o750)
    waybill(door, "verify")


# ---- the jail ------------------------------------------------------------------------------------

def state_of(task):
    status = pathlib.Path(f"/proc/{task}/status").read_text()
    return {key: int(re.search(rf"^{key}:\s+(\d+)", status, re.M)[1]) for key in ("NoNewPrivs", "Seccomp", "Seccomp_filters")}


def sniffers_of(door):
    """The processes where libmagic runs: the last in line below the worker."""
    leaves, todo = [], children(*door.workers())
    while todo:
        pid = todo.pop()
        below = children(pid)
        todo += below
        leaves += [] if below else [pid]
    return leaves


def test_every_thread_and_every_sniffer_is_jailed(fresh):
    door = fresh("fastcgi", threads="8")
    [pid] = door.workers()
    wait_until(lambda: len(os.listdir(f"/proc/{pid}/task")) == 9, "all threads, and the first sweep to be over")
    tasks = [f"{pid}/task/{t}" for t in os.listdir(f"/proc/{pid}/task")]
    sniffers = sniffers_of(door)
    assert len(sniffers) == door.get("/healthz").json["sniffers"] > 0
    for task in tasks + [str(s) for s in sniffers]:
        state = state_of(task)
        assert state["NoNewPrivs"] == 1 and state["Seccomp"] == 2 and state["Seccomp_filters"] >= 1, (task, state)
    said = door.get("/healthz").json["sandbox"]
    assert re.fullmatch(r"no_new_privs=on landlock=[2-9] seccomp=on", said), said
    assert [line["state"] for line in lines(door) if line["msg"] == "sandbox"] == [said]


def test_sandbox_off_is_seen(fresh):
    door = fresh("fastcgi", threads="2", sandbox="off")
    assert door.get("/healthz").json["sandbox"] == "off"
    assert any(line["level"] == "warn" and line.get("sandbox") == "off" for line in lines(door))
    assert state_of(*door.workers())["Seccomp"] == 0
    for sniffer in sniffers_of(door):  # theirs is not for the worker to open
        assert state_of(sniffer)["Seccomp"] == 2


def test_sniffers_hold_no_files(fresh):
    """Nothing of data_dir is open where libmagic runs."""
    door = fresh("fastcgi", threads="2")
    door.put("a", b"x")
    for sniffer in sniffers_of(door):
        for fd in pathlib.Path(f"/proc/{sniffer}/fd").iterdir():
            assert str(door.data) not in os.readlink(fd), os.readlink(fd)


def test_a_dead_sniffer_is_counted(fresh):
    door = fresh("fastcgi", threads="2")
    for sniffer in sniffers_of(door):
        os.kill(sniffer, signal.SIGKILL)
    wait_until(lambda: value(exposition(door.get("/metrics")), "waybill_sniffer_deaths_total") >= 1, "the death to be counted")
    wait_until(lambda: door.put("a", noise(100)).status == 201, "a new sniffer")


# ---- open doors ----------------------------------------------------------------------------------

def test_open_doors_are_announced(fresh):
    open_door, shut = fresh("fastcgi"), fresh("fastcgi", upload_access="token")
    for door, said in (open_door, True), (shut, False):
        warning = "anybody who reaches this server may upload"
        assert door.get("/upload").status == 200 and warning not in door.log.read_text()
        for _ in range(3):
            answer = door.request("GET", "/upload", {}, REMOTE_ADDR="203.0.113.9")
        wait_until(lambda: door.log.read_text().count("address=203.0.113.9") == 3, "the lines")
        door.get("/upload")
        assert door.log.read_text().count(warning) == said, answer
        done = subprocess.run([processes.WAYBILL, "config"], env=door.environment(), capture_output=True, text=True, timeout=30, check=True)
        assert ("upload_access" in done.stderr) == said
    sample = subprocess.run([processes.WAYBILL, "--sample-config"], capture_output=True, text=True, timeout=30, check=True).stdout
    assert "upload_access, read_access and delete_access set to `token`" in sample[:900]
