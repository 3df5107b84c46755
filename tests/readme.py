#!/usr/bin/python3
"""readme.py [--check]: writes RUNNING.md's table of keys from the program's own (`waybill
--sample-config`); with --check it only says whether it agrees, whether README is short enough,
whether all links between the documents lead somewhere, and whether the commands in them are such: subcommands and
their options, targets of make, what fill.sh is given. Ends with "N passed, N failed". $WAYBILL names the program,
else ./waybill."""
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
README = TOP / "www" / "servers" / "RUNNING.md"  # has the table
WAYBILL = os.environ.get("WAYBILL", str(TOP / "waybill"))
DOCUMENTS = [p for p in (*TOP.glob("*.md"), *(TOP / "fcgi").rglob("*.md"), *(TOP / "www").rglob("*.md"), *(TOP / "tests").rglob("*.md"))
             if "node_modules" not in p.parts]
LINES, COLUMNS = 150, 120
MARKS = re.compile(r"(<!-- keys:[^\n]*-->\n).*?(<!-- /keys -->)", re.S)


def keys():
    """(name, default, what it takes, what it means) of every key, in the program's order."""
    sample = subprocess.run([WAYBILL, "--sample-config"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^# (.*)\n# \((.*)\)\n#(\w+) =(?: (.*))?$", sample, re.M)
    assert found and len(found) == len(re.findall(r"^#\w+ =", sample, re.M)), sample
    return [(name, default, takes, meaning) for meaning, takes, name, default in found]


def table():
    def cell(text):
        return text.replace("|", "\\|")

    rows = ["| key | default | |", "|---|---|---|"]
    for name, default, takes, meaning in keys():
        shown = ", ".join(f"`{word}`" for word in default.split(", ")) if default else "(none)"
        rows.append(f"| `{name}` | {cell(shown)} | {cell(meaning)} ({cell(takes)}) |")
    return "\n".join(rows) + "\n"


def anchors(path):
    """As forges make them of headings: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)}


def dead_links():
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.S | re.M)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"https?://", target):
                continue
            file, _, anchor = target.partition("#")
            to = (path.parent / file).resolve() if file else path
            if not to.exists() or (anchor and anchor not in anchors(to)):
                yield f"{path.relative_to(TOP)}: {target} leads nowhere"


def long_readme():
    lines = (TOP / "README.md").read_text().splitlines()
    if len(lines) > LINES:
        yield f"README.md has {len(lines)} lines, over {LINES}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS and not line.startswith("| !["):  # a picture has its address and its words
            yield f"README.md:{number} has {len(line)} columns, over {COLUMNS}"


def commands():
    """(document, command) of what is in code: whole lines of shell blocks, and words between backticks."""
    for path in DOCUMENTS:
        text = path.read_text()
        lines = [line.split(" #")[0].split(" > ")[0] for block in re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
                 for line in block.splitlines()]
        for said in lines + re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)):
            for command in re.split(r"&&|;", said):
                yield path, command.strip()


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, cwd=TOP, **more)


def no_such_subcommand(words):
    """What `waybill` would say to these words; None: nothing."""
    if not words or words[0].startswith("-") or not words[0].isalpha():
        return None
    told = run(WAYBILL, words[0], "--help")
    if told.returncode != 0:
        return f"there is no subcommand {words[0]}"
    return next((f"{words[0]} has no {word}" for word in words if word.startswith("--") and f"{word.split('=')[0]}" not in told.stdout), None)


def no_such_command(command):
    words = command.split()
    while words and (words[0] in ("nice", "ionice", "-c3") or re.match(r"[A-Z_]+=", words[0])):
        words = words[1:]
    if not words:
        return None
    if words[0] in ("waybill", "./waybill"):
        return no_such_subcommand(words[1:])
    if words[0].endswith("fill.sh") and len(words) > 1 and words[1].endswith(".conf"):
        done = run("sh", "-c", "www/servers/fill.sh " + " ".join(words[1:]).replace("…", ""))
        return done.stderr.strip() if done.returncode != 0 or not done.stdout else None
    if words[0] == "make" and all(re.fullmatch(r"[a-z-]+|[A-Z]+=\S*", word) for word in words[1:]):
        done = run("make", "-n", *words[1:])
        return done.stderr.strip() if done.returncode != 0 else None
    return None


def wrong_commands():
    asked = {}
    for path, command in commands():
        if command not in asked:
            asked[command] = no_such_command(command)
        if asked[command]:
            yield f"{path.relative_to(TOP)}: {command}: {asked[command]}"


def main(check):
    before = README.read_text()
    after, count = MARKS.subn(lambda found: found[1] + table() + found[2], before)
    good = count == 1 and (after == before or not check)
    if good and after != before:
        README.write_text(after)
    if count != 1:
        print("RUNNING.md: the marks of the table are missing, or there twice")
    elif not good:
        print("RUNNING.md: the table of keys is not the program's; run tests/readme.py")
    if not check:
        return not good
    wrong = [list(long_readme()), list(dead_links()), list(wrong_commands())]
    for line in sum(wrong, []):
        print(line)
    failed = (not good) + sum(1 for one in wrong if one)
    print(f"{1 + len(wrong) - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
