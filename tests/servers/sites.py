"""sites.py: a server with the worker behind it, and what the tests ask of it in more than one place."""
import atexit
import functools
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

from expected import SERVERS
from h2client import tls
from harness import ServerDoor
from processes import free_port

LIMIT = 8 << 20  # max_bytes here: small, so that bodies over it can be sent


@functools.cache
def certificate():
    """A directory with a self-signed certificate."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="wbt-cert-", dir="/tmp"))
    atexit.register(shutil.rmtree, home, True)
    home.chmod(0o755)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", home / "privkey.pem", "-out", home / "fullchain.pem"], check=True, capture_output=True)
    (home / "privkey.pem").chmod(0o644)
    return home


class Site(ServerDoor):
    """At /: plain. Below /drop: with TLS, and downloads sent by the server itself."""

    def __init__(self, server, base=""):
        self.kind = server.partition("-")[0]
        self.facts, more, config = SERVERS[server], {}, {"max_bytes": str(LIMIT)}
        self.tls_port = self.h2c_port = None
        self.rich = bool(base)  # TLS and sendfile
        if self.rich:
            self.tls_port, self.h2c_port = free_port(), free_port()
            more = {"SERVE_SENDFILE": "yes", "SERVE_TLS_PORT": str(self.tls_port), "SERVE_H2C_PORT": str(self.h2c_port),
                    "SERVE_CERT": str(certificate())}
        super().__init__(server, config, base, **more)
        if self.kind in ("lighttpd", "apache"):  # both speak HTTP/2 on any port
            self.h2c_port = None if self.speaks_tls() else self.port

    def speaks_tls(self):
        """Is the ordinary port one with TLS?"""
        return self.kind == "apache" and self.rich

    def connect(self):
        if not self.speaks_tls():
            return super().connect()
        port, self.port = self.port, self.tls_port
        try:
            return tls(("http/1.1",)).wrap_socket(super().connect())
        finally:
            self.port = port

    def store(self, name, content):
        """By PUT where the server passes it, else by POST; the record."""
        if self.facts["puts"]:
            return self.put(name, content).file
        return self.post(content, f"/upload?name={urllib.parse.quote(name, safe='')}").file

    def content(self, file):
        return self.get(file["url"].removeprefix(self.base))


def seen(answer):
    """A refusal as the client sees it: its status, and "own" where the words are the server's."""
    if answer.status < 400:
        return str(answer.status)
    worded = (answer["Content-Type"] or "").startswith("application/problem+json")
    return str(answer.status) if worded else f"{answer.status} own"
