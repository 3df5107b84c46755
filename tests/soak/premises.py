"""premises.py: several workers on one data directory on a small disk, one of them behind nginx; their clock is ours."""
import contextlib
import http.client
import mmap
import os
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "power"), str(HERE.parent / "faults")]
import rig  # noqa: E402
import harness  # noqa: E402
import processes  # noqa: E402

MIB = 1 << 20
DISK = 768 * MIB
OPEN_UPLOADS = "100000"


class Front(harness.ServerDoor):
    """nginx before a worker's socket, by the very file of www/servers."""

    def __init__(self, home, socket):
        self.base, self.port, self.home = "", processes.free_port(), home
        fill = rig.TOP / "www" / "servers" / "fill.sh"
        site = subprocess.run([fill, "nginx.conf", f"PORT={self.port}", f"SOCKET={socket}"],
                              capture_output=True, text=True, check=True).stdout
        places = "".join(f"{kind}_temp_path {home}/tmp;\n" for kind in
                         ("client_body", "fastcgi", "proxy", "uwsgi", "scgi"))
        root = "user root;\n" if os.geteuid() == 0 else ""
        (home / "nginx.conf").write_text(
            f"{root}daemon off; pid {home}/nginx.pid; error_log {home}/nginx.log;\n"
            f"events {{ worker_connections 512; }}\nhttp {{ access_log off; {places} {site} }}\n")
        path = os.environ["PATH"] + ":/usr/sbin"
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "nginx", "-c", home / "nginx.conf"],
                                        env={**os.environ, "PATH": path}, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.terminate()
        self.process.wait()


class Clock:
    """Seconds by which the workers' wall clock is off."""

    def __init__(self, path):
        path.write_bytes(bytes(4096))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 4096)
        self.off = 0

    def step(self, seconds):
        self.off = seconds
        self.memory[:8] = struct.pack("=q", seconds * 1000000000)


def build_clock(home):
    library = home / "clock.so"
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC",
                    "-o", library, HERE / "clock.c"], check=True)
    return library


class Site:
    """`mortal` is killed again and again, `fronted` stands behind nginx and is killed now and then, `steady`
    never: its memory and descriptors are compared."""

    def __init__(self, home):
        self.home, self.disk = home, home / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0755", "none", self.disk], check=True)
        self.clock = Clock(home / "clock")
        environment = {"LD_PRELOAD": str(build_clock(home)), "SOAK_CLOCK": str(home / "clock")}
        config = {"deny_types": "x/none", "body_timeout": "20s", **self.newer_keys()}
        self.workers = []
        for _ in range(3):
            self.workers.append(rig.Worker(config, disk=self.disk, **environment))
        self.mortal, self.fronted, self.steady = self.workers
        (home / "tmp").mkdir()
        self.front = Front(home, self.fronted.path)
        self.data, self.hog = self.mortal.data, self.disk / "hog"
        processes.wait_until(self.fronts, "nginx to serve")

    @staticmethod
    def newer_keys():
        keys = subprocess.run([rig.WAYBILL, "config"], capture_output=True, text=True).stdout
        return {"open_uploads": OPEN_UPLOADS} if "open_uploads" in keys else {}

    def fronts(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.front.get("/upload").status == 200

    def door(self, pick):
        return pick.choice([self.mortal, self.fronted, self.front, self.steady])

    def ask(self, pick):
        """ask(method, path, headers, body): at some door; None where it is not known what became of it."""
        def once(*words):
            try:
                return self.door(pick).request(*words)
            except (OSError, AssertionError, http.client.HTTPException):
                return None
        return once

    def revive(self):
        """Workers that died are started again, as a service manager does."""
        for worker in self.workers:
            if worker.process.poll() is not None:
                worker.start(wait=False)

    # ---- the disk ------------------------------------------------------------------------------

    def left(self):
        st = os.statvfs(self.disk)
        return st.f_bavail * st.f_frsize

    def fill(self, leave):
        with open(self.hog, "ab") as file, contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(self.left() - leave, 1))

    def free(self):
        self.hog.unlink(missing_ok=True)

    def full(self):
        return self.hog.exists()

    def close(self):
        self.front.close()
        for worker in self.workers:
            worker.close()
        subprocess.run(["umount", self.disk], capture_output=True)
