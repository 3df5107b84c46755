"""bench.py: waybill beside its peers, interleaved, by the CPU time of all processes of a site.

Figures are medians. Absolute ones are this machine's; the ratios at the end are what counts.
"""
import http.client
import json
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

from sites import BUILD, PHP, Dav, Floor, Waybill, cpu_seconds, pss_kib

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 1 if QUICK else 3
PATIENCE = 70  # seconds of one load; on a busy machine there are fewer rounds rather than none of the rest
LARGE = (1 << 28) if QUICK else (1 << 30)  # bytes
ROWS = 10_000 if QUICK else 100_000


def say(text):
    print(f"[{time.monotonic() - START:4.0f} s] {text}", file=sys.stderr, flush=True)


# ---- measuring -----------------------------------------------------------------------------------

class Peak(threading.Thread):
    """The largest PSS of some processes while it is entered."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.kib, self.over = pids, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.1):
            self.kib = max(self.kib, pss_kib(self.pids))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def load(site, connections, requests, verb, path, *content):
    """One run of the load generator; what it says, and `cpu`: seconds per request of the site."""
    before = cpu_seconds(site.pids())
    run = subprocess.run([BUILD / "bench/load", *map(str, (site.port, connections, requests, verb, path, *content))],
                         stdout=subprocess.PIPE, text=True, timeout=300)
    if run.returncode:
        raise SystemExit(f"load failed at {site.name}")
    figures = json.loads(run.stdout)
    figures["cpu"] = (cpu_seconds(site.pids()) - before) / requests
    figures["rate"] = requests / figures["seconds"]
    return figures


def rounds(what, sites, measure, warm=None, count=ROUNDS):
    """measure(site, round) for every site in turn, at most `count` times: {site's name: medians}."""
    for site in sites if warm else ():
        warm(site)
    found = {site.name: [] for site in sites}
    start = time.monotonic()
    for i in range(count):
        if i and time.monotonic() - start > PATIENCE:
            break
        for site in sites:
            figures = measure(site, i)
            found[site.name].append(figures)
            say(f"{what} {site.name}: {figures}")
    return {name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in found.items()}


def table(title, figures, unit, rival):
    """unit: "s" a large upload, "us" a small request."""
    scale, rate = (1, "MiB/s") if unit == "s" else (1e6, "requests/s")
    print(f"\n### {title}\n\n| site | CPU {unit} | × {rival} | {rate} | p50 ms | p99 ms | errors |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, f in figures.items():
        per_second = f["rate"] * (1024 if unit == "s" else 1)
        print(f"| {name} | {f['cpu'] * scale:.{2 if unit == 's' else 0}f} | {f['cpu'] / figures[rival]['cpu']:.2f} | "
              f"{per_second:.0f} | {f['p50']:.2f} | {f['p99']:.2f} | {f['errors']:.0f} |")


AIMS = []


def aim(load_name, text, value, most=None, least=None):
    met = (most is None or value <= most) and (least is None or value >= least)
    AIMS.append((load_name, text, f"{value:.2f}", "yes" if met else "**no**"))


# ---- large uploads --------------------------------------------------------------------------------

def large_upload(site, verb, path, seed):
    """Its figures, for 1 GiB."""
    figures = load(site, 1, 1, verb, path, LARGE, "random", seed)
    site.forget_large()
    share = LARGE / (1 << 30)
    return {**figures, "cpu": figures["cpu"] / share, "rate": figures["rate"] * share}


def put_large(site, i):
    return large_upload(site, "put", site.upload, f"put {site.name} {i}")


def post_large(site, i):
    return large_upload(site, "form", site.post, f"form {site.name} {i}")


def hash_seconds(directory):
    """CPU seconds of SHA-256 over 1 GiB that was just written."""
    path = directory / "one-gib"
    with open(path, "wb") as f:
        for _ in range(LARGE >> 20):
            f.write(os.urandom(1 << 20))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([BUILD / "bench/floor", path], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    path.unlink()
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * (1 << 30) / LARGE


def large(home, waybill, file, full, php, dav, floor):
    sha = statistics.median(hash_seconds(home) for _ in range(ROUNDS))
    for site in (waybill, php):  # what the first upload of all loads is no growth
        load(site, 1, 100, "put", site.upload, 4096, "png", "first")
    idle = {site.name: pss_kib(site.worker_pids()) for site in (waybill, php)}
    with Peak(waybill.worker_pids()) as peak:
        put_large(waybill, "warm")
    puts = rounds("1 GiB PUT", (waybill, file, full, php, dav, floor), put_large)
    table("1 GiB PUT", puts, "s", php.name)
    forms = rounds("1 GiB form", (waybill, php), post_large)
    table("1 GiB form", forms, "s", php.name)
    print(f"\nSHA-256 of 1 GiB: {sha:.2f} s. Worker and jails, PSS: idle {idle[waybill.name] / 1024:.1f} MiB, "
          f"at 1 GiB {peak.kib / 1024:.1f} MiB; PHP-FPM idle {idle[php.name] / 1024:.1f} MiB.")
    cpu = {name: f["cpu"] for name, f in puts.items()}
    aim("1 GiB PUT, streamed", "CPU ÷ one process doing it all", cpu[waybill.name] / cpu[floor.name], most=1.30)
    aim("1 GiB PUT, nginx's body file", "CPU ÷ (nginx dav + SHA-256)", cpu[file.name] / (cpu[dav.name] + sha), most=0.95)
    aim("1 GiB form", "CPU ÷ PHP-FPM", forms[waybill.name]["cpu"] / forms[php.name]["cpu"], most=0.30)
    aim("memory, idle", "PSS of worker and jails, MiB", idle[waybill.name] / 1024, most=12)
    aim("memory, 1 GiB on its way", "growth, MiB", (peak.kib - idle[waybill.name]) / 1024, most=1)


# ---- small uploads --------------------------------------------------------------------------------

def small(kind, requests, known=False):
    """A measurement; PHP-FPM, which asks libmagic about every text, gets a quarter of the requests."""
    def measure(site, i):
        few = isinstance(site, PHP) and kind != "png"
        seed = "k" if known else f"{kind} {i}"
        return load(site, 32, requests // 4 if few else requests, "form" if site.name != "nginx dav" else "put",
                    site.post if site.name != "nginx dav" else site.upload, 4096, kind, seed)
    return measure


def smalls(waybill, full, php, dav):
    scale = 4 if QUICK else 1
    def warm(site):
        small("png", 2000)(site, "warm")
    png = rounds("4 KiB PNG", (waybill, full, php, dav), small("png", 12000 // scale), warm)
    table("4 KiB PNG form, 32 clients (nginx dav: PUT)", png, "us", php.name)
    text = rounds("4 KiB text", (waybill, php), small("text", 3000 // scale))
    table("4 KiB text form, every one different", text, "us", php.name)
    known = rounds("4 KiB text, known", (waybill, php), small("known", 12000 // scale, known=True),
                   lambda site: small("known", 100, known=True)(site, 0))
    table("4 KiB text form, always the same", known, "us", php.name)
    def ratio(figures, key):
        return figures[waybill.name][key] / figures[php.name][key]
    aim("4 KiB PNG, durability normal", "CPU ÷ PHP-FPM", ratio(png, "cpu"), most=0.40)
    aim("4 KiB PNG, durability full", "requests/s ÷ PHP-FPM, which syncs nothing", png[full.name]["rate"] / png[php.name]["rate"], least=1)
    aim("4 KiB text, different", "CPU ÷ PHP-FPM", ratio(text, "cpu"), most=0.90)
    aim("4 KiB text, known", "CPU ÷ PHP-FPM", ratio(known, "cpu"), most=0.20)


# ---- listing --------------------------------------------------------------------------------------

def fill(site, rows):
    """Rows by forms of 500 small files; the last of a page's worth goes to `deep`, its path."""
    client = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    for first in range(0, rows, 500):
        body = b"".join(b'--b\r\nContent-Disposition: form-data; name="f"; filename="file-%d.txt"\r\n\r\n'
                        b"the same in every row\r\n" % i for i in range(first, first + 500)) + b"--b--\r\n"
        client.request("POST", "/upload", body, {"Content-Type": "multipart/form-data; boundary=b"})
        answer = client.getresponse()
        if answer.status != 201:
            raise SystemExit(f"filling: {answer.status} {answer.read(500)}")
        answer.read()
    path = "/files?limit=1000"
    for _ in range(rows * 9 // 10 // 1000):
        client.request("GET", path)
        path = json.loads(client.getresponse().read())["next"]
    client.close()
    return "/files?cursor=" + urllib.parse.parse_qs(path.partition("?")[2])["cursor"][0]


def listing(waybill, php):
    deep = fill(waybill, ROWS)
    php.fill(ROWS)
    say(f"filled: {ROWS} rows")
    requests = 2000 if QUICK else 6000
    paths = {waybill.name: ("/files", deep), php.name: ("/upload.php", f"/upload.php?offset={ROWS * 9 // 10}")}
    def measure(which, share):
        return lambda site, i: load(site, 8, requests // (share if site is php else 1), "get", paths[site.name][which])
    first = rounds("listing", (waybill, php), measure(0, 1), lambda site: measure(0, 4)(site, 0))
    later = rounds("deep page", (waybill, php), measure(1, 8))
    table(f"Listing: 50 of {ROWS} rows", first, "us", php.name)
    table(f"Listing: the page at row {ROWS * 9 // 10}", later, "us", php.name)
    aim("listing", "CPU ÷ PHP-FPM", first[waybill.name]["cpu"] / first[php.name]["cpu"], most=0.40)
    aim("deep page", "CPU ÷ first page", later[waybill.name]["cpu"] / first[waybill.name]["cpu"], most=1.10)


# ---- slow clients ---------------------------------------------------------------------------------

def trickle(site, clients=200):
    """While 200 clients send a few bytes now and then: what another upload waits, what each one costs."""
    before = pss_kib(site.pids())
    slow = []
    for i in range(clients):
        s = socket.create_connection(("127.0.0.1", site.port))
        s.sendall(b"PUT %s/slow%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n" % (site.upload.encode(), i) + bytes(2048))
        slow.append(s)
    waits = []
    def probe():
        client = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
        for i in range(20):
            start = time.monotonic()
            client.request("PUT", f"{site.upload}/probe", b"probe %d" % i + bytes(4000))
            client.getresponse().read()
            waits.append((time.monotonic() - start) * 1e3)
            time.sleep(0.05)
    prober = threading.Thread(target=probe, daemon=True)
    prober.start()
    for _ in range(25):  # bounded: those who wait get their turn after it
        for s in slow:
            s.sendall(bytes(512))
        time.sleep(0.1)
    each = (pss_kib(site.pids()) - before) / clients
    for s in slow:
        s.close()
    prober.join(30)
    return {"each": each, "p50": statistics.median(waits), "worst": max(waits)}


def slow_clients(waybill, php):
    figures = rounds("200 slow clients", (waybill, php), lambda site, i: trickle(site), count=1 if QUICK else 2)
    print("\n### 200 trickling clients\n\n| site | another upload, p50 ms | worst ms | KiB each |\n|---|--:|--:|--:|")
    for name, f in figures.items():
        print(f"| {name} | {f['p50']:.1f} | {f['worst']:.1f} | {f['each']:.1f} |")
    aim("200 trickling clients", "another upload is served in, ms (worst)", figures[waybill.name]["worst"], most=50)
    aim("200 trickling clients", "KiB each, worker and nginx", figures[waybill.name]["each"], most=64)


# ---- all of it ------------------------------------------------------------------------------------

def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")), "?")
    return f"{os.cpu_count()} × {model}, Linux {os.uname().release}; load {os.getloadavg()[0]:.1f} before"


def main():
    home = pathlib.Path(os.environ.get("BENCH_DIR", "/var/tmp")) / f"waybill-bench-{os.getpid()}-{time.time_ns() % 1000000}"
    home.mkdir(mode=0o755)
    print(f"## waybill beside its peers\n\n{machine()}; medians of {ROUNDS} (fewer where the machine is busy).")
    sites = []
    def site(kind, *args, **settings):
        sites.append(kind(home, *args, **settings))
        return sites[-1]
    try:
        waybill = site(Waybill, "waybill", durability="normal")
        full = site(Waybill, "waybill full", durability="full")
        file = site(Waybill, "waybill body file", "nginx-bodyfile.conf", durability="normal")
        php, dav, floor = site(PHP, "PHP-FPM"), site(Dav, "nginx dav"), site(Floor, "one process")
        large(home, waybill, file, full, php, dav, floor)
        smalls(waybill, full, php, dav)
        listing(waybill, php)
        slow_clients(waybill, php)
    finally:
        for one in sites:
            one.stop()
            say(f"{one.name} has stopped")
        subprocess.run(["rm", "-rf", home])
    print("\n### Aims\n\n| load | what | measured | met |\n|---|---|--:|---|")
    for row in AIMS:
        print("| " + " | ".join(row) + " |")
    say("done")


START = time.monotonic()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that all sites are stopped
main()
