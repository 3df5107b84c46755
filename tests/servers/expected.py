"""expected.py: what a client sees of each server of www/servers. The suite compares it with what it
saw, and table.py writes it into README: one place, so that neither drifts.

"413 own": the status is the server's, in its own words (HTML), not the worker's.
"""

# puts: it passes a length with PUT and PATCH. streams: the worker has the body while it is sent.
# early: it relays an answer before the body's end; waits: but not before some of it. limit: it has one
# of its own.
_usual = dict(puts=True, streams=True, early=True, waits=False, limit=False)
SERVERS = {
    "lighttpd": _usual,
    "lighttpd-socket": _usual,
    "lighttpd-buffered": {**_usual, "streams": False, "early": False, "limit": True},
    "nginx": _usual,
    "nginx-keepalive": _usual,
    "nginx-buffered": {**_usual, "streams": False, "early": False, "limit": True},
    "nginx-bodyfile": {**_usual, "streams": False, "early": False, "limit": True},
    "apache-proxy": {**_usual, "waits": True},
    "apache-fcgid": {**_usual, "streams": False, "early": False},
    "apache-cgi": {**_usual, "early": False, "waits": True},
    "busybox": {**_usual, "puts": False},
}
LIGHTTPD = [s for s in SERVERS if s.startswith("lighttpd")]
NGINX = [s for s in SERVERS if s.startswith("nginx")]
APACHE = [s for s in SERVERS if s.startswith("apache")]
SPOOLS = [s for s in SERVERS if not SERVERS[s]["streams"]]


def but(usual, *others):
    """A row: the usual cell, and those of the servers that differ, as (servers, cell)."""
    row = dict.fromkeys(SERVERS, usual)
    for servers, cell in others:
        row.update(dict.fromkeys([servers] if isinstance(servers, str) else servers, cell))
    return row


NONE = "–"  # does not apply
CELLS = {
    "form of two files and a field": but("201"),
    # busybox sets CONTENT_LENGTH for POST alone.
    "PUT of 5 MB": but("201", ("busybox", "411")),
    "POST of 5 MB": but("201"),
    "names: escapes, UTF-8, +, ~, .cgi": but("kept"),
    "%2F in a name": but("200", ("busybox", "404 own")),
    "mount point in URLs and redirects": but("right"),
    "refusals in JSON or HTML: 400, 404, 405, 415": but("the worker's"),
    # mod_fcgid makes a missing length 0, and passes no header that would tell.
    "POST without a length": but("411", ("apache-fcgid", "201")),
    # Whoever spools also counts; busybox reads no chunks.
    "PUT, chunked": but("411", (SPOOLS, "201")),
    "Content-Length: abc": but("400", (NGINX + APACHE + ["busybox"], "400 own")),
    # mod_proxy_fcgi reads from the client first; mod_cgid to the end.
    "over max_bytes": but("413 at once", ("apache-proxy", "413 after its first bytes"), (SPOOLS + ["apache-cgi"], "413 after the body")),
    "over the server's own limit (1 GiB as shipped)": but(
        "none", ("lighttpd-buffered", "413"), (["nginx-buffered", "nginx-bodyfile"], "413 own")),
    "Expect: 100-continue": but("100, then 201", ("busybox", "201")),
    "download and its protective headers": but("200"),
    "HEAD": but("200"),
    # busybox passes neither Range nor If-None-Match.
    "Range": but("206", ("busybox", "200")),
    "several ranges": but("206, in parts", ("busybox", "200")),
    "If-None-Match": but("304", ("busybox", "200")),
    "Authorization, DELETE": but("401, 204, 404"),
    "OPTIONS": but("200"),
    "a method nobody knows": but("405"),
    "HTTP/1.1 bodies behind each other on one connection": but("kept open", ("busybox", "closes")),
    "cut in mid-body": but("nothing kept"),
    # As with PUT. tus goes through busybox as POST with X-HTTP-Method-Override.
    "PATCH": but("204", ("busybox", "411")),
    "tus: created, sent in pieces, finished; another ended": but("whole life"),
    "IETF resumable upload": but("without 104", ("busybox", "begins, PATCH is 411")),
    "resumable, cut in mid-body": but("what came is kept", (SPOOLS, "nothing kept")),
    "the worker has the body": but("while it is sent", (SPOOLS, "after its end")),
    "HTTP/2": but("yes", ("busybox", NONE)),
    # mod_fcgid loses the body, and the worker notices.
    "HTTP/2 without a length": but("411", (SPOOLS, "201"), ("apache-fcgid", "400 or 500"), ("busybox", NONE)),
    "HTTP/2, cut in mid-body": but("nothing kept", ("busybox", NONE)),
    # Where bodies are spooled, the worker knows nothing of them yet.
    "SIGTERM to the worker in mid-upload": but("201", (SPOOLS, NONE)),
    "SIGTERM to the server in mid-upload": but("all end, store sound"),
}


def applies(behaviour, server, base):
    """Is it asked here? Each end of a site is another, and nginx wants a port for each protocol."""
    if CELLS[behaviour][server] == NONE:
        return False
    if behaviour.startswith("HTTP/2"):
        return bool(base) or not server.startswith("nginx")
    if behaviour.startswith("SIGTERM to the worker"):
        return bool(base) or server == "busybox"
    if behaviour.startswith("SIGTERM to the server"):
        return not base
    return True


# Where a body lies before the worker has it, or while a worker is slower than its client.
LIES = {
    "lighttpd": "nowhere; behind a slow worker in `server.upload-dirs`",
    "lighttpd-socket": "nowhere; behind a slow worker in `server.upload-dirs`",
    "lighttpd-buffered": "`server.upload-dirs`, files of 1 MiB",
    "nginx": "nowhere",
    "nginx-keepalive": "nowhere",
    "nginx-buffered": "`client_body_temp_path`, from 16 KiB on",
    "nginx-bodyfile": "`client_body_temp_path`; linked into the store, not copied",
    "apache-proxy": "nowhere",
    "apache-fcgid": "Apache's temporary directory",
    "apache-cgi": "nowhere",
    "busybox": "nowhere",
}


def columns(cells):
    """Servers that a client cannot tell apart share a column."""
    found = {}
    for server in SERVERS:
        if any(seen == server for seen, _ in cells):
            found.setdefault(tuple(cells.get((server, name)) for name in CELLS), []).append(server)
    return list(found.values())


def matrix(cells):
    """Server x behaviour in Markdown: what is usual, and a tick or what is seen instead."""
    groups = columns(cells)
    lines = ["| | usually | " + " | ".join("<br>".join(group) for group in groups) + " |",
             "|---" * (2 + len(groups)) + "|"]
    for name in CELLS:
        row = [cells.get((group[0], name), "?") for group in groups]
        every = [cells[server, name] for server in SERVERS if (server, name) in cells]
        if every:
            usual = max(dict.fromkeys(every), key=every.count)
            seen = ["✓" if cell == usual else cell for cell in row]
            lines.append(f"| {name} | {usual} | {' | '.join(seen)} |")
    return "\n".join(lines)


def streaming():
    """Who streams and who spools, in Markdown."""
    lines = ["| | the worker has the body | a body without a length | 413 comes | until then, it lies |", "|---|---|---|---|---|"]
    for server in SERVERS:
        known = CELLS["PUT, chunked"][server]
        length = {"201": "is counted: 201", "411": "411"}[known]
        when = CELLS["over max_bytes"][server].removeprefix("413 ")
        lines.append(f"| {server} | {CELLS['the worker has the body'][server]} | {length} | {when} | {LIES[server]} |")
    return "\n".join(lines)
