"""test_beside.py: waybill below a path of a site that is there already, with its TLS and its name: what
`fill.sh SNIPPET=yes` gives, put into the configuration that Debian installs; and what fill.sh refuses."""
import http.client
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile

import pytest

from chance import noise
from processes import PATIENCE, TOP, WAYBILL, free_port, wait_until

FILL = TOP / "www" / "servers" / "fill.sh"
OURS = b"the site that was here before"


def fill(*arguments, status=0):
    done = subprocess.run([FILL, *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def edited(file, *changes):
    """What an administrator does to a file of the distribution's: each text is there, and is replaced."""
    text = file.read_text()
    for old, new in changes:
        assert old in text, f"{file}: {old}"
        text = text.replace(old, new)
    file.write_text(text)


def copied(server, home, *, links):
    """/etc/SERVER as Debian has it, to be changed."""
    etc = home / server
    shutil.copytree(f"/etc/{server}", etc, symlinks=links)
    return etc


def nginx(home, port, snippet):
    etc = copied("nginx", home, links=False)  # links in sites-enabled name /etc/nginx itself
    edited(etc / "nginx.conf", ("/etc/nginx/", f"{etc}/"), ("/run/nginx.pid", f"{home}/pid"), ("/var/log/nginx/", f"{home}/"),
           *([] if os.geteuid() == 0 else [("user www-data;", "")]))
    (etc / "conf.d" / "temporary.conf").write_text("".join(
        f"{kind}_temp_path {home}/tmp/{kind};\n" for kind in ("client_body", "fastcgi", "proxy", "uwsgi", "scgi")))
    edited(etc / "sites-enabled" / "default", ("\tlisten 80 default_server;\n\tlisten [::]:80 default_server;\n", ""),
           ("# listen 443 ssl default_server;", f"listen 127.0.0.1:{port} ssl default_server;"),
           ("# include snippets/snakeoil.conf;", f"ssl_certificate {home}/cert.pem;\n\tssl_certificate_key {home}/key.pem;"),
           ("root /var/www/html;", f"root {home}/www;"), ("\tserver_name _;\n", f"\tserver_name _;\n\tinclude {snippet};\n"))
    return ["nginx", "-e", f"{home}/log", "-g", "daemon off;", "-c", str(etc / "nginx.conf")]


def apache(home, port, snippet):
    etc = copied("apache2", home, links=True)
    tool = {**os.environ, "APACHE_CONFDIR": str(etc), "PATH": os.environ["PATH"] + ":/usr/sbin"}
    for command in ("a2enmod", "-q", "ssl", "proxy_fcgi"), ("a2ensite", "-q", "default-ssl"), ("a2dissite", "-q", "000-default"):
        subprocess.run(command, env=tool, check=True, capture_output=True, timeout=PATIENCE)
    edited(etc / "ports.conf", ("Listen 80\n", ""), ("Listen 443", f"Listen 127.0.0.1:{port}"))
    edited(etc / "sites-available" / "default-ssl.conf", ("<VirtualHost *:443>", f"<VirtualHost *:{port}>"), ("/var/www/html", f"{home}/www"),
           ("/etc/ssl/certs/ssl-cert-snakeoil.pem", f"{home}/cert.pem"), ("/etc/ssl/private/ssl-cert-snakeoil.key", f"{home}/key.pem"),
           ("</VirtualHost>", f"\tInclude {snippet}\n</VirtualHost>"))
    edited(etc / "apache2.conf", ("<Directory /var/www/>", f"<Directory {home}/www/>"))
    for name in "run", "lock":
        (home / name).mkdir()
    edited(etc / "envvars", ("/var/run/apache2$SUFFIX/apache2.pid", f"{home}/pid"), ("/var/run/apache2$SUFFIX", f"{home}/run"),
           ("/var/lock/apache2$SUFFIX", f"{home}/lock"), ("/var/log/apache2$SUFFIX", str(home)))
    # apachectl does the same, but does not become Apache, and would leave it behind
    return ["env", f"APACHE_CONFDIR={etc}", "sh", "-c", f". {etc}/envvars && exec apache2 -d {etc} -D FOREGROUND"]


def lighttpd(home, port, snippet):
    etc = copied("lighttpd", home, links=True)
    edited(etc / "lighttpd.conf", ("/etc/lighttpd/", f"{etc}/"), ("/var/www/html", f"{home}/www"), ("/var/cache/lighttpd/uploads", f"{home}/tmp"),
           ("/var/log/lighttpd/", f"{home}/tmp/"), ("/run/lighttpd.pid", f"{home}/pid"), ("= 80\n", f"= {free_port()}\nserver.bind = \"127.0.0.1\"\n"),
           ('include_shell "/usr/share/lighttpd/use-ipv6.pl " + server.port\n', ""),
           *([] if os.geteuid() == 0 else [('server.username             = "www-data"\n', ""), ('server.groupname            = "www-data"\n', "")]))
    (home / "both.pem").write_bytes((home / "key.pem").read_bytes() + (home / "cert.pem").read_bytes())
    edited(etc / "conf-available" / "10-ssl.conf", ("/etc/lighttpd/server.pem", f"{home}/both.pem"), ("0.0.0.0:443", f"127.0.0.1:{port}"),
           ('include_shell "/usr/share/lighttpd/use-ipv6.pl 443"\n', ""))
    (etc / "conf-available" / "60-waybill.conf").write_text(snippet.read_text())
    for name in "10-ssl.conf", "60-waybill.conf":  # as lighty-enable-mod does
        (etc / "conf-enabled" / name).symlink_to(f"../conf-available/{name}")
    return ["lighttpd", "-D", "-f", str(etc / "lighttpd.conf")]


class Site:
    def __init__(self, home):
        self.home, self.port, self.children = home, free_port(), []

    def open(self, server, file):
        home = self.home
        for name in "www", "tmp", "data":
            (home / name).mkdir()
        (home / "tmp").chmod(0o777)
        (home / "www" / "index.html").write_bytes(OURS)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=site.example", "-keyout",
                        home / "key.pem", "-out", home / "cert.pem"], check=True, capture_output=True, timeout=PATIENCE)
        socket = home / "waybill.sock"
        self.start([WAYBILL, "serve", "-l", f"unix:{socket}"], {"WAYBILL_DATA_DIR": str(home / "data")})
        wait_until(socket.exists, "the worker's socket")
        socket.chmod(0o666)
        snippet = home / "snippet.conf"
        snippet.write_text(fill(file, "SNIPPET=yes", "BASE=/drop", f"SOCKET={socket}", f"SPOOL={home}/tmp"))
        self.start(server(home, self.port, snippet), {})
        wait_until(self.answers, "the site")

    def start(self, command, more):
        log = open(self.home / "log", "ab")
        env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin", **more}
        self.children.append(subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        log.close()

    def answers(self):
        assert all(child.poll() is None for child in self.children), (self.home / "log").read_text()
        try:
            return self.request("GET", "/").status == 200
        except OSError:
            return False

    def request(self, method, path, body=None, headers=None):
        context = ssl.create_default_context(cafile=self.home / "cert.pem")
        context.check_hostname = False
        link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=context)
        link.request(method, path, body, {"Host": f"localhost:{self.port}", **(headers or {})})
        answer = link.getresponse()
        answer.body = answer.read()
        link.close()
        return answer

    def close(self):
        for child in reversed(self.children):
            child.terminate()
            child.wait(PATIENCE)


@pytest.fixture(params=[(nginx, "nginx.conf"), (nginx, "nginx-buffered.conf"), (apache, "apache-proxy.conf"), (lighttpd, "lighttpd-socket.conf")], ids=lambda p: p[1])
def site(request):
    home = pathlib.Path(tempfile.mkdtemp(prefix="wbt-beside-", dir="/tmp"))
    home.chmod(0o755)
    made = Site(home)
    try:  # also what was started before something failed ends
        made.open(*request.param)
        yield made
    finally:
        made.close()
        shutil.rmtree(home, ignore_errors=True)


def test_below_a_path_of_a_site_with_tls(site):
    page = site.request("GET", "/drop/", headers={"Accept": "text/html"})
    assert page.status == 200 and b"multipart/form-data" in page.body
    moved = site.request("GET", "/drop")
    assert moved.status in (301, 302, 308) and moved.headers["Location"].endswith("/drop/") and "http://" not in moved.headers["Location"]
    made = site.request("PUT", "/drop/upload/a%20b.txt", b"hello")
    file = json.loads(made.body)["files"][0]
    assert made.status == 201 and made.headers["Location"] == f"/drop/files/{file['id']}" and made.headers["X-Request-Id"]
    assert site.request("GET", file["url"]).body == b"hello"
    tus = {"Tus-Resumable": "1.0.0"}
    begun = site.request("POST", "/drop/upload", b"", {**tus, "Upload-Length": "6"})
    at = begun.headers["Location"]
    assert begun.status == 201 and "/drop/upload/" in at and not at.startswith("http:")
    at = at[at.index("/drop/"):]
    for offset, piece in (0, b"abc"), (3, b"def"):
        more = {**tus, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        assert site.request("PATCH", at, piece, more).status == 204
    assert site.request("GET", f"/drop/files/{at.rsplit('/', 1)[1]}/content").body == b"abcdef"
    large = noise(3 << 20)
    again = json.loads(site.request("PUT", "/drop/upload/large", large).body)["files"][0]
    assert site.request("GET", again["url"]).body == large
    # and the site is as it was
    assert site.request("GET", "/").body == OURS and site.request("GET", "/nothing").status == 404
    assert site.request("GET", "/files").status == 404
    for path in "/nothing", "/files":  # its error pages, too
        answer = site.request("GET", path)
        assert answer.status == 404 and answer.headers["X-Request-Id"] is None and b"error" not in answer.body.lower()[:200], answer.body


def test_a_server_of_its_own_with_name_and_address():
    text = fill("nginx.conf", "ADDRESS=*", "NAME=files.example.org", "PORT=80")
    assert "\tlisten *:80;\n\tserver_name files.example.org;\n" in text
    text = fill("apache-proxy.conf", "ADDRESS=*", "NAME=files.example.org", "PORT=80")
    assert "<VirtualHost *:80>\n\tServerName files.example.org\n" in text and "\nListen" not in text  # ports.conf says that
    assert "\nListen [::1]:8080\n" in fill("apache-fcgid.conf", "ADDRESS=[::1]", "PORT=8080")
    assert "\tlisten 127.0.0.1:8411;\n\tserver_name localhost;\n" in fill("nginx.conf")


@pytest.mark.parametrize("setting", ["PORT=", "PORT=80;", "PORT=123456", "NAME=a b", "NAME=a;b", "NAME=", "ADDRESS=a|b", "ADDRESS=1.2.3.4\n", "BASE=drop",
                                     "BASE=/drop/", "BASE=/d rop", "BASE=/a\"b", "SOCKET=/a'b", "HOST=x", "PORT=$(id)", "DATA=/a`id`"])
def test_what_is_refused(setting):
    assert "fill.sh: " in fill("nginx.conf", setting, status=2)


def test_a_snippet_that_cannot_keep_to_a_path():
    assert "BASE" in fill("lighttpd.conf", "SNIPPET=yes", status=2)
    assert "SNIPPET" in fill("busybox-cgi.sh", "SNIPPET=yes", status=2)
    assert "nginx-buffered.conf" in fill("nginx-buffer.conf", status=2)


@pytest.mark.parametrize("file", sorted(p.name for p in FILL.parent.glob("*.conf")))
def test_what_the_server_does_is_told(file):
    """Downloads by whom, from where, and how long a body may be where the server has a limit of its own."""
    plain, handed = fill(file), fill(file, "SENDFILE=yes", "DATA=/srv/x", "LIMIT=10G")
    way = "x-accel-redirect" if file.startswith("nginx") else "x-sendfile"
    told = lambda text, name: re.findall(name + r'"?[ =>]+"?([^\s";,)]+)', text)
    assert told(plain, "WAYBILL_SENDFILE") == ["none"] and told(handed, "WAYBILL_SENDFILE") == [way]
    assert told(handed, "WAYBILL_OBJECTS") == ["/srv/x/objects"]
    limits = told(handed, "WAYBILL_BODY_LIMIT")
    assert limits == ([str(10 << 30)] if file in ("lighttpd-buffered.conf", "nginx-buffered.conf", "nginx-bodyfile.conf") else [])
    assert all(limit in handed.replace(f"WAYBILL_BODY_LIMIT {limit}", "") or str(int(limit) >> 10) in handed for limit in limits)
