"""test_beside.py: waybill below a path of a site that is there already, with its TLS and its name: what
`fill.sh SNIPPET=yes` gives, put into that site's own configuration; and what fill.sh refuses."""
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile

import pytest

from harness import PATIENCE, TOP, WAYBILL, free_port, wait_until

FILL = TOP / "www" / "servers" / "fill.sh"
OURS = b"the site that was here before"


def fill(*arguments, status=0):
    done = subprocess.run([FILL, *arguments], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def nginx(home, port, snippet):
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "\n".join(f"{kind}_temp_path {home}/tmp;" for kind in ("client_body", "fastcgi", "proxy", "uwsgi", "scgi"))
    (home / "main.conf").write_text(f"""{user}
daemon off;
pid {home}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    {temporary}
    server {{
        listen 127.0.0.1:{port} ssl default_server;
        server_name site.example;
        ssl_certificate {home}/cert.pem;
        ssl_certificate_key {home}/key.pem;
        root {home}/www;
        index index.html;
        location / {{ try_files $uri $uri/ =404; }}
        include {snippet};
    }}
}}
""")
    return ["nginx", "-e", "stderr", "-c", str(home / "main.conf")]


def apache(home, port, snippet):
    modules = "\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so"
                        for m in "mpm_event authz_core alias env reqtimeout dir mime ssl socache_shmcb proxy proxy_fcgi".split())
    who = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    (home / "main.conf").write_text(f"""{modules}
ServerRoot {home}
DefaultRuntimeDir {home}
PidFile {home}/pid
ErrorLog "|/bin/cat"
TypesConfig /etc/mime.types
ServerName site.example
{who}
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
    ServerName site.example
    DocumentRoot {home}/www
    SSLEngine on
    SSLCertificateFile {home}/cert.pem
    SSLCertificateKeyFile {home}/key.pem
    <Directory {home}/www>
        Require all granted
    </Directory>
    Include {snippet}
</VirtualHost>
""")
    return ["apache2", "-DFOREGROUND", "-f", str(home / "main.conf")]


class Site:
    def __init__(self, home):
        self.home, self.port, self.children = home, free_port(), []

    def open(self, server, file):
        home = self.home
        for name in "www", "tmp", "data":
            (home / name).mkdir()
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


@pytest.fixture(params=[(nginx, "nginx.conf"), (nginx, "nginx-buffered.conf"), (apache, "apache-proxy.conf")], ids=lambda p: p[1])
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
    large = os.urandom(3 << 20)
    again = json.loads(site.request("PUT", "/drop/upload/large", large).body)["files"][0]
    assert site.request("GET", again["url"]).body == large
    # and the site is as it was
    assert site.request("GET", "/").body == OURS and site.request("GET", "/nothing").status == 404
    assert site.request("GET", "/files").status == 404


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


def test_a_file_without_a_server_of_its_own_needs_no_snippet():
    assert "SNIPPET" in fill("lighttpd.conf", "SNIPPET=yes", status=2)
