"""test_package.py: the Debian package is built, checked, unpacked into a directory (never installed
on this machine), and what it brings is used: its units, its man page, its server files."""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import urllib.request

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests"), str(TOP / "tests" / "http")]
from chance import noise  # noqa: E402
import harness  # noqa: E402
import processes  # noqa: E402
import readme  # noqa: E402

UNITS = "lib/systemd/system/"
SERVERS = "usr/share/waybill/servers/"


def run(*command, check=True, **more):
    done = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=300, **more)
    assert not check or done.returncode == 0, (command, done.returncode, done.stdout[-4000:])
    return done.stdout


def beside():
    """What a build could leave behind: in the tree, in debian/, next to the tree."""
    return {str(p) for folder in (TOP, TOP / "debian") for p in folder.iterdir()} | set(
        map(str, TOP.parent.glob("waybill[_-][0-9d]*")))  # waybill_0.1.0.dsc, waybill-dbgsym_0.1.0_amd64.deb


class Package:
    def __init__(self, folder):
        before = beside()
        run("make", "--no-print-directory", "-C", TOP, f"BUILD={folder}/build", "deb",
            env={**os.environ, "DEB_BUILD_OPTIONS": "noautodbgsym parallel=2"})
        self.left = beside() - before - {str(TOP / "waybill"), str(TOP / "build")}
        self.folder = folder / "build" / "deb"
        [self.deb] = self.folder.glob("waybill_*.deb")
        [self.changes] = self.folder.glob("waybill_*.changes")
        self.root = folder / "root"
        self.control = folder / "control"
        run("dpkg-deb", "-x", self.deb, self.root)
        run("dpkg-deb", "-e", self.deb, self.control)
        self.waybill = self.root / "usr/bin/waybill"

    def settings(self):
        """Sample configuration and `waybill config` of the packaged program."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("WAYBILL")}
        said = run(self.waybill, "config", "-c", self.root / "etc/waybill.conf", env=env)
        return "".join(line for line in said.splitlines(True) if not line.startswith("waybill: warning: "))

    def manual(self):
        return run("man", "-l", self.root / "usr/share/man/man8/waybill.8.gz",
                   env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return Package(tmp_path_factory.mktemp("deb"))


def test_nothing_is_left_behind(package):
    assert not package.left


def test_lintian_has_nothing_to_say(package):
    said = run("lintian", "--allow-root", "--tag-display-limit", "0", package.changes, check=False)
    assert not re.search(r"^[EW]: ", said, re.M), said


def test_version_is_the_programs(package):
    first, *_ = run(package.waybill, "--version").splitlines()
    assert first == f"waybill {run('dpkg-deb', '-f', package.deb, 'Version').strip()}"


def test_version_tells_what_is_built_in(package):
    """As Debian knows the libraries; of the kernel what it says itself."""
    _, *said = run(package.waybill, "--version").splitlines()
    assert "catalog engines: sqlite" in said and "stores: disk" in said
    for name, debian in (("SQLite", "libsqlite3-0"), ("libmagic", "libmagic1"), ("nettle", "libnettle8"),
                         ("jansson", "libjansson4"), ("libseccomp", "libseccomp2")):
        [version] = [line.split()[1] for line in said if line.startswith(name + " ")]
        installed = run("dpkg-query", "-W", "-f", "${Version}", debian)
        assert re.match(rf"(\d+:)?{re.escape(version)}\b", installed), (name, version, installed)
    assert re.fullmatch(r"landlock ABI [1-9]\d*|landlock: this kernel has none", said[-1])


def test_libraries_become_dependencies(package):
    depends = run("dpkg-deb", "-f", package.deb, "Depends")
    for library in ("libfcgi", "libsqlite3", "libmagic1", "libnettle", "libjansson", "libinih", "libseccomp"):
        assert library in depends


FILES = {"usr/bin/waybill": 0o755, "etc/waybill.conf": 0o644, "usr/share/man/man8/waybill.8.gz": 0o644,
         UNITS + "waybill.service": 0o644, UNITS + "waybill.socket": 0o644,
         "usr/lib/sysusers.d/waybill.conf": 0o644, "usr/lib/tmpfiles.d/waybill.conf": 0o644,
         **{f"usr/share/doc/waybill/{name}": 0o644
            for name in ("copyright", "changelog", "README.md", "CHANGELOG.md", "SECURITY.md")},
         **{f"usr/share/waybill/{folder}/{p.name}": 0o755 if p.suffix == ".sh" else 0o644
            for folder in ("servers", "monitoring", "examples") for p in (TOP / "www" / folder).iterdir()}}


def test_files_and_modes(package):
    def name(path):  # documents are compressed where they are long
        return re.sub(r"(/doc/.*)\.gz$", r"\1", str(path.relative_to(package.root)))
    found = {name(p): p.stat().st_mode & 0o7777 for p in package.root.rglob("*") if p.is_file()}
    assert found == FILES
    assert (package.control / "conffiles").read_text() == "/etc/waybill.conf\n"


def test_make_install_brings_the_same(package, tmp_path):
    """With another PREFIX, and that PREFIX in what refers to it."""
    run("make", "--no-print-directory", "-C", TOP, "-o", "waybill", "install", f"DESTDIR={tmp_path}", "PREFIX=/opt/w")
    wanted = {"opt/w/" + re.sub(r"^(usr|lib(?=/systemd))/?", lambda m: "lib/" if m[1] == "lib" else "", name)
              .removesuffix(".gz") if not name.startswith("etc") else name
              for name in FILES if "/doc/" not in name}
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()} == wanted
    assert "ExecStart=/opt/w/bin/waybill serve\n" in (tmp_path / "opt/w/lib/systemd/system/waybill.service").read_text()
    filled = run(tmp_path / "opt/w/share/waybill/servers/fill.sh", "lighttpd.conf")
    assert '"bin-path" => "/opt/w/bin/waybill"' in filled
    assert "/opt/w/share/waybill/servers/fill.sh lighttpd.conf" in filled
    run("make", "--no-print-directory", "-C", TOP, "uninstall", f"DESTDIR={tmp_path}", "PREFIX=/opt/w")
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()] == ["etc/waybill.conf"]
    assert not (tmp_path / "opt/w/share/waybill").exists()


# ---- settings and manual ------------------------------------------------------------------------

def test_sample_configuration_is_accepted(package):
    rows = [re.match(r"(\w+) +(.*?) {2,}(\S+) {2,}(.+)$", line) for line in package.settings().splitlines()]
    assert rows and all(rows)
    assert {row[3] for row in rows} == {"default"}


def test_readme_manual_and_program_agree_on_keys(package):
    program = [line.split()[0] for line in package.settings().splitlines()]
    assert len(program) > 20
    shown = readme.MARKS.search(readme.README.read_text())[0]
    assert re.findall(r"^\| `(\w+)` \|", shown, re.M) == program
    configuration = re.search(r"^CONFIGURATION\n(.*?)^\w", package.manual(), re.M | re.S)[1]
    assert re.findall(r"^ {7}(\w+)(?: {2,}.*)?\n(?= {14}.*|$)", configuration, re.M) == program


def test_manual_is_clean_and_complete(package, tmp_path):
    page = tmp_path / "waybill.8"
    page.write_text(run("zcat", package.root / "usr/share/man/man8/waybill.8.gz"))
    assert run("mandoc", "-T", "lint", page, check=False) == ""
    assert run("man", "--warnings", "-l", page, "-T", "utf8", "-Z", check=False).count("warning") == 0
    shown = re.sub(r"\s+", " ", re.sub(r"\u2010\n\s*", "", package.manual()))
    usage = run(package.waybill, "--help")
    for subcommand in re.findall(r"^ {7}waybill (\w+)", usage, re.M):
        assert f"waybill {subcommand}" in shown
    for option in set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage)):
        assert option in shown, option
    for section in ("EXIT STATUS", "SIGNALS", "ENVIRONMENT", "FILES"):
        assert f" {section} " in shown
    for word in ("SIGTERM", "SIGUSR1", "/etc/waybill.conf", "waybill.db", "objects/", "WAYBILL_CONFIG"):
        assert word in shown


# ---- units --------------------------------------------------------------------------------------

def test_sandbox_is_tight(package):
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
               package.root / UNITS / "waybill.service")
    assert float(re.search(r"Overall exposure level for waybill.service: ([\d.]+)", said)[1]) < 2.0


def test_limits_leave_room_for_what_can_be_configured(package):
    unit = dict(re.findall(r"^(\w+)=(.*)$", (package.root / UNITS / "waybill.service").read_text(), re.M))
    most = int(re.search(r"^# \(.* to (\d+)\)\n#threads =", run(package.waybill, "--sample-config"), re.M)[1])
    assert 2 * most < int(unit["TasksMax"]) < 3 * most  # one worker may finish beside another
    assert (unit["LimitCORE"], unit["MemoryMax"], unit["OOMPolicy"]) == ("0", "2G", "continue")


def test_reload_is_the_signal(package):
    """As systemd would send it to the process that it knows."""
    unit = dict(re.findall(r"^(\w+)=(.*)$", (package.root / UNITS / "waybill.service").read_text(), re.M))
    assert unit["Type"] == "exec" and unit["KillMode"] == "mixed"
    door = harness.FastCGIDoor(command=activated(package))
    try:
        [before] = door.workers()
        run(*shlex.split(unit["ExecReload"].replace("$MAINPID", str(door.process.pid))))
        processes.wait_until(lambda: before not in door.workers() and door.workers(), "another worker")
        assert door.put("a.txt", b"reloaded").status == 201 and door.process.poll() is None
    finally:
        door.close()


def test_unit_lets_the_worker_know_which_boot_it_is(package):
    """Else nothing written at durability=normal is ever believed, and all of it is read again and again."""
    unit = (package.root / UNITS / "waybill.service").read_text()
    assert not re.search("^(ProcSubset=pid|InaccessiblePaths=.*/proc|TemporaryFileSystem=.*/proc)", unit, re.M)


def test_units_are_well_formed(package):
    """systemd's own opinion of every line; the program stands elsewhere here."""
    said = run("systemd-analyze", "verify", "--man=no", *sorted((package.root / UNITS).iterdir()), check=False)
    ours = [line for line in said.splitlines() if "waybill" in line and "is not executable" not in line]
    assert not ours, said


def test_user_is_made(package, tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\nwww-data:x:33:\n")
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    run("systemd-sysusers", f"--root={tmp_path}", package.root / "usr/lib/sysusers.d/waybill.conf")
    assert re.search(r"^waybill:x:\d+:33:[^:]*:/var/lib/waybill:/usr/sbin/nologin$",
                     (tmp_path / "etc/passwd").read_text(), re.M)


def test_directories_belong_to_whom_they_should(package):
    lines = (package.root / "usr/lib/tmpfiles.d/waybill.conf").read_text().splitlines()
    assert [line.split() for line in lines if line[0] != "#"] == [
        ["d", "/var/lib/waybill", ":0750", ":waybill", ":www-data", "-"],
        ["d", "/var/lib/waybill/spool", "0700", "www-data", "www-data", "-"],
        ["d", "/run/waybill", "0755", "root", "root", "-"],  # so that www-data cannot replace the socket
        ["d", "/run/waybill/www", "0750", "www-data", "www-data", "-"]]


def test_installation_needs_no_running_systemd(package, tmp_path):
    """Installed, removed and purged by dpkg, into a directory: the maintainer scripts run."""
    root = tmp_path / "root"
    for folder in ("etc", "var/lib/dpkg/info", "var/lib/dpkg/updates"):
        (root / folder).mkdir(parents=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nwww-data:x:33:\n")
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # which dpkg insists on
    dpkg = ["env", f"PATH={path}", "fakeroot", "dpkg", f"--root={root}", "--force-not-root", "--force-script-chrootless",
            "--force-depends", f"--log={tmp_path}/log"]
    run(*dpkg, "-i", package.deb)
    assert "install ok installed" in (root / "var/lib/dpkg/status").read_text()
    assert "waybill:x:" in (root / "etc/passwd").read_text()
    assert (root / "etc/systemd/system/sockets.target.wants/waybill.socket").is_symlink()
    run(*dpkg, "-i", package.deb)
    run(*dpkg, "--purge", "waybill")
    assert not (root / "etc/waybill.conf").exists() and not (root / "usr/bin/waybill").exists()


# ---- served as the package would ----------------------------------------------------------------

def activated(package, *how):
    """The packaged program on a socket that systemd opened; the environment it passes is its own."""
    script = (f'exec systemd-socket-activate {" ".join(how)} -l "${{WAYBILL_DATA_DIR%/*}}/s" -E WAYBILL_DATA_DIR '
              f'-E WAYBILL_CONFIG "$@"')
    return ["sh", "-c", script, "sh", package.waybill, *([] if how else ["serve"])]


@pytest.mark.parametrize("how", [[], ["--inetd"]], ids=["descriptor-3", "standard-input"])
def test_socket_activation(package, how):
    door = harness.FastCGIDoor(command=activated(package, *how))
    try:
        assert door.put("a.txt", b"activated").status == 201
        assert door.stored()[0] == 1
        door.process.terminate()
        assert door.process.wait(processes.PATIENCE) == 0
    finally:
        door.close()


def debian_lighttpd(door, site):
    """Debian's own lighttpd.conf, `site` enabled, on a port of ours and without root."""
    text = pathlib.Path("/etc/lighttpd/lighttpd.conf").read_text()
    text = re.sub(r"^(server\.(errorlog|pid-file|username|groupname)\b.*)$", r"# \1", text, flags=re.M)
    text = re.sub(r"^server\.port\b.*$", f"server.port = {door.web}\nserver.bind = \"127.0.0.1\"", text, flags=re.M)
    text = re.sub(r"^include_shell .*use-ipv6.*$", "", text, flags=re.M)
    text = text.replace("/etc/lighttpd/conf-enabled/*.conf", str(site))
    assert str(site) in text and str(door.web) in text
    (door.home / "lighttpd.conf").write_text(text)
    return ["lighttpd", "-D", "-f", door.home / "lighttpd.conf"]


@pytest.mark.parametrize("base", ["", "/drop"])
def test_enabling_the_server_file_gives_a_site(package, base):
    """As the file's own first lines say, with the worker that systemd would have started."""
    door = harness.FastCGIDoor(command=activated(package))
    server = None
    try:
        door.web = processes.free_port()
        spool = door.home / "spool"
        spool.mkdir()
        site = door.home / "60-waybill.conf"
        site.write_text(run(package.root / SERVERS / "fill.sh", "lighttpd-socket.conf", f"BASE={base}",
                            f"SOCKET={door.path}", f"SPOOL={spool}"))
        with open(door.home / "web.log", "wb") as log:
            server = subprocess.Popen(debian_lighttpd(door, site), stdin=subprocess.DEVNULL, stdout=log,
                                      stderr=log, env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        at = f"http://127.0.0.1:{door.web}{base}"

        def answers():
            assert server.poll() is None, (door.home / "web.log").read_text()
            try:
                return urllib.request.urlopen(at + "/upload", timeout=processes.PATIENCE).status == 200
            except OSError:
                return False
        processes.wait_until(answers, "lighttpd")
        big = noise(3 << 20)
        for name, content in (("notes.txt~", b"a name that Debian's lighttpd.conf denies"), ("big", big)):
            put = urllib.request.Request(f"{at}/upload/{name}", data=content, method="PUT",
                                         headers={"Content-Type": "application/octet-stream"})
            with urllib.request.urlopen(put, timeout=processes.PATIENCE) as answer:
                assert answer.status == 201
                url = answer.headers["Location"]
            assert url.startswith(base + "/files/")
            with urllib.request.urlopen(f"http://127.0.0.1:{door.web}{url}/content") as answer:
                assert answer.read() == content
        with urllib.request.urlopen(at + "/") as page:
            assert b"<form" in page.read()
    finally:
        if server:
            server.terminate()
            server.wait(processes.PATIENCE)
        door.close()
