"""check.py: what a worker finds after a cut, against what clients were told before it."""
from uploaders import TUS, stuff

PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


def everything(ask):
    """{id: name} of all files listed."""
    out, url = {}, "/files?limit=1000"
    while url:
        page = ask("GET", url)
        assert page.status == 200, page
        out.update((f["id"], f["name"]) for f in page.json["files"])
        url = page.json["next"]
    return out


class Check:
    """`before`: what was told when the cut began; `after`: all that clients ever did. `lies`: bytes
    answered that nobody uploaded; `losses`: what was promised, and is not there."""

    def __init__(self, ask, before, after):
        self.ask, self.before, self.after = ask, before, after
        self.lies, self.losses, self.looked = [], [], 0
        self.files = everything(ask)
        self._read_files()
        self._deletions()
        self._uploads()

    def _expect(self, id, name):
        """Are the bytes of a file those of its name?"""
        self.looked += 1
        answer = self.ask("GET", f"/files/{id}/content")
        if answer.status != 200:
            self.losses.append(f"file {id} {name}: listed, but {answer.status}")
            return False
        if answer.body != stuff(name):
            zeros = answer.body.count(0)
            self.lies.append(f"file {id} {name}: {len(answer.body)} other bytes, {zeros} of them zero")
            return False
        return True

    def _read_files(self):
        self.bad = {name for id, name in self.files.items() if not self._expect(id, name)}
        for id, name in self.before.kept.items():
            if self.files.get(id) != name and id not in self.after.leaving:
                self.losses.append(f"file {id} {name} is lost")
                self.bad.add(name)

    def _deletions(self):
        self.looked += len(self.before.gone)
        self.losses += [f"file {id} is back" for id in self.before.gone & self.files.keys()]

    def _uploads(self):
        """All that were ever begun: how far are they, and do they come to a right end?"""
        for id, (name, _) in self.after.open.items():
            if id not in self.files and id not in self.after.leaving:
                self.looked += 1
                self._go_on(id, name, self.before.open.get(id, (name, -1))[1])

    def _go_on(self, id, name, told):
        head = self.ask("HEAD", f"/upload/{id}", TUS)
        at = int(head["Upload-Offset"]) if head.status == 200 else -1
        if at < told:
            self.losses.append(f"upload {id} {name}: of {told} bytes {at} are left ({head.status})")
        if at < 0:
            return
        answer = self.ask("PATCH", f"/upload/{id}", {**PATCH, "Upload-Offset": str(at)}, stuff(name)[at:])
        if answer.status == 204:
            self._expect(id, name)
        else:
            self.losses.append(f"upload {id} {name}: does not go on, {answer}")

    def once_more(self, at_most=20):
        """The same content uploaded again, what is missing or wrong first: a 201, and the right bytes."""
        for name in [*sorted(self.bad), *sorted(set(self.files.values()) - self.bad)][:at_most]:
            answer = self.ask("PUT", f"/upload/{name}", {}, stuff(name))
            assert answer.status == 201, answer
            if not self._expect(answer.file["id"], name):
                self.lies.append(f"the same again, {name}: 201, and not those bytes afterwards")
