#!/usr/bin/python3
"""all.py [SUITE...]: every suite, or the named ones, one after the other.

A suite reports how many tests passed and failed. One that crashes, or counts nothing, has failed;
so has a skipped test. The last line is "N passed, N failed"; exit 0 only if nothing failed.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

TOP = pathlib.Path(__file__).resolve().parent.parent
TESTS = TOP / "tests"
BUILD = TOP / "build"
MINUTES = 60


def run(command, minutes=10, env=None, show=True):
    """(exit status, output); a run that takes too long is killed, with all it started."""
    child = subprocess.Popen([str(c) for c in command], cwd=TOP, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", start_new_session=True,
                             env={**os.environ, **(env or {})})
    try:
        output, _ = child.communicate(timeout=minutes * MINUTES)
        status = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        output, _ = child.communicate()
        output += f"\nkilled after {minutes} minutes\n"
        status = -9
    if show or status != 0:
        sys.stdout.write(output)
        sys.stdout.flush()
    return status, output


def last_line_counts(status, output):
    """Of a suite whose last line is "N passed, N failed"."""
    found = re.search(r"^(\d+) passed, (\d+) failed\s*\Z", output, re.M)
    passed, failed = (int(found[1]), int(found[2])) if found else (0, 0)
    return passed, max(failed, 1 if status != 0 or not passed + failed else 0)


def suite_build():
    """The program; and all of it compiled for a machine of 32 bits."""
    failed = [target for target in ("waybill", "words32")
              if run(["make", "-j2", "--no-print-directory", target], show=False)[0] != 0]
    return 2 - len(failed), len(failed)


def suite_layering():
    sums = [last_line_counts(*run(["/usr/bin/python3", *words])) for words in (["tests/layering.py"], ["tests/rooms.py", "--check"])]
    return tuple(map(sum, zip(*sums)))


def suite_rooms():
    """tests/<room>/*_test.c: each is a cmocka program of its own."""
    passed = failed = 0
    for source in sorted(TESTS.glob("*/*_test.c")):
        name = source.relative_to(TESTS).with_suffix("").as_posix()
        status, _ = run(["make", "--no-print-directory", "-j2", f"build/tests/{name}"], show=False)
        if status != 0:
            print(f"{name} does not build")
            failed += 1
            continue
        status, output = run([BUILD / "tests" / name], show=False)
        good = sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test", output, re.M)))
        bad = sum(map(int, re.findall(r"^\[  FAILED  \] (\d+) test", output, re.M)))
        bad += len(re.findall(r"^\[  SKIPPED \] \w+$", output, re.M))
        if bad == 0 and (status != 0 or good == 0):
            bad = 1
        print(f"{name}: {good} passed, {bad} failed")
        passed, failed = passed + good, failed + bad
    return passed, failed


def suite_fuzz():
    """Each corpus through its target once."""
    passed = failed = 0
    for source in sorted((TESTS / "fuzz").glob("*_fuzz.c")):
        name = source.stem.removesuffix("_fuzz")
        corpus = TESTS / "fuzz" / "corpus" / name
        inputs = sum(p.is_file() for p in corpus.rglob("*")) if corpus.is_dir() else 0
        status, _ = run(["make", "--no-print-directory", f"build/tests/fuzz/{name}_replay"], show=False)
        if status == 0:
            status, _ = run([BUILD / "tests" / "fuzz" / f"{name}_replay", corpus], show=False)
        good = status == 0 and inputs > 0
        print(f"{name}: {inputs} inputs replayed, {'ok' if good else 'FAILED'}")
        passed, failed = passed + good, failed + (not good)
    return passed, failed


def suite_pytest(folder):
    with tempfile.TemporaryDirectory(prefix="wbt-") as room:  # nothing of it stays in /tmp
        report = f"{room}/report.xml"
        status, _ = run(["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short",
                         f"--basetemp={room}/tmp", f"--junitxml={report}", f"tests/{folder}"], minutes=15,
                        env={"TMPDIR": room})
        try:
            suite = xml.parse(report).getroot().find("testsuite")
        except (OSError, xml.ParseError):
            return 0, 1
    total = int(suite.get("tests"))
    failed = sum(int(suite.get(key)) for key in ("errors", "failures", "skipped"))
    return max(total - failed, 0), max(failed, 1 if status != 0 else 0)


def suite_script(*command):
    return lambda: last_line_counts(*run(command, minutes=12))


SUITES = {"build": suite_build, "layering": suite_layering,
          "jail": suite_script("/usr/bin/python3", "tests/jail/report.py", "--check"),
          "rooms": suite_rooms, "fuzz": suite_fuzz,
          "http": lambda: suite_pytest("http")}
for folder in ("servers", "page", "clients", "faults", "power", "deb"):  # with a run.sh of their own, or for pytest
    if (TESTS / folder / "run.sh").exists():
        SUITES[folder] = suite_script(f"tests/{folder}/run.sh")
    elif any((TESTS / folder).glob("test_*.py")):
        SUITES[folder] = lambda folder=folder: suite_pytest(folder)
if (TESTS / "readme.py").exists():
    SUITES["readme"] = suite_script("/usr/bin/python3", "tests/readme.py", "--check")


def main(names):
    rows, began = [], time.monotonic()
    for name in names or SUITES:
        print(f"=== {name}", flush=True)
        before = time.monotonic()
        try:
            passed, failed = SUITES[name]()
        except Exception as problem:  # a broken suite is a failed one
            print(f"{name}: {type(problem).__name__}: {problem}")
            passed, failed = 0, 1
        if passed + failed == 0:
            print(f"{name}: counted nothing")
            failed = 1
        rows.append((name, passed, failed, time.monotonic() - before))
    print(f"\n=== summary ({(time.monotonic() - began) / 60:.1f} minutes)")
    for name, passed, failed, seconds in rows:
        print(f"{name:10} {passed:5} passed {failed:4} failed {seconds:7.1f} s")
    failed = sum(row[2] for row in rows)
    print(f"{sum(row[1] for row in rows)} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
