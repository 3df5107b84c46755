"""clients.py: what clients do all day, the patient, the slow and the rude; and what they expect to see."""
import contextlib

import harness
import wire
from uploaders import TUS, Uploader, metadata, stuff

PIECE = "application/partial-upload"
KEPT_AT_MOST = 40
OPEN_AT_MOST = 8


class SoakClient(Uploader):
    """`doors`: where bodies can be sent in pieces; `counts`: answers by status, and what else is worth a figure."""
    # 500: a sniffer was killed. 502, 504: nginx found no worker. All the others: the disk is full, or it is busy.
    expected = (200, 201, 204, 206, 409, 423, 500, 502, 503, 504, 507)
    sizes = [1, 300, 9000, 70000, 400000, 1500000]

    def __init__(self, ask, told, seed, over, failures, doors, counts):
        super().__init__(ask, told, seed, over, failures)
        self.doors, self.counts = doors, counts

    def verbs(self):
        if len(self.mine) > KEPT_AT_MOST:
            return [self.delete, self.delete, self.read, self.list]
        begin = [self.begin, self.ietf] if len(self.waiting) < OPEN_AT_MOST else [self.end_upload]
        return ([self.put] * 3 + [self.form, self.delete, self.list, self.concatenate, self.abort, self.trickle]
                + [self.read] * 3 + [self.go_on] * 4 + begin * 2 + [self.end_upload])

    def ask(self, *words, **more):
        answer = super().ask(*words, **more)
        self.counts[answer.status if answer else "no answer"] += 1
        if words[0] == "POST" and (answer is None or answer.status > 500):
            self.counts["creations unanswered"] += 1
        if answer is None or answer.status in (502, 503, 507):
            self.over.wait(0.05)
        return answer

    # ---- reading -------------------------------------------------------------------------------

    def read(self):
        """A file of ours, or a range of it: nobody else deletes it, so it is there."""
        if not self.mine:
            return
        id = self.pick.choice(list(self.mine))
        content, headers = stuff(self.mine[id]), {}
        if self.pick.random() < 0.5:
            first = self.pick.randrange(len(content))
            last = self.pick.randrange(first, len(content))
            headers, content = {"Range": f"bytes={first}-{last}"}, content[first:last + 1]
        answer = self.ask("GET", f"/files/{id}/content", headers)
        if answer and answer.status in (200, 206):
            assert answer.body == content, f"{id} {self.mine[id]}: other bytes"
            self.counts["downloads right"] += 1

    def list(self):
        """All pages of the listing: whatever is ours is on one of them, once."""
        seen, url, mine = [], f"/files?limit={self.pick.choice([7, 50, 1000])}", set(self.mine)
        while url:
            page = self.ask("GET", url)
            if page is None or page.status != 200:
                return
            seen += [f["id"] for f in page.json["files"]]
            url = page.json["next"]
        assert len(seen) == len(set(seen)), "the listing shows a file twice"
        assert mine <= set(seen), f"the listing lacks {mine - set(seen)}"
        self.counts["listings right"] += 1

    # ---- resumable -----------------------------------------------------------------------------

    def end_upload(self):
        if not self.waiting:
            return
        id = self.pick.choice(list(self.waiting))
        self.told.leave(id)
        del self.waiting[id]
        answer = self.ask("DELETE", f"/upload/{id}", TUS, also=(404, 410))
        if answer and answer.status == 204:
            self.told.end(id)

    def ietf(self):
        """Begun by the IETF's protocol; go_on() resumes it by the other one's, which is the same upload."""
        name = self.name()
        content = stuff(name)
        half = len(content) // 2
        made = self.ask("POST", f"/upload?name={name}", {
            "Upload-Complete": "?0", "Upload-Length": str(len(content)), "Content-Type": PIECE}, content[:half])
        if not made or made.status != 201:
            return
        id = made["Location"].rsplit("/", 1)[1]
        self.told.offset(id, name, half)
        self.waiting[id] = name
        done = self.ask("PATCH", f"/upload/{id}", {
            "Upload-Offset": str(half), "Upload-Complete": "?1", "Content-Type": PIECE}, content[half:],
            also=(404, 410) if half == 0 else ())
        if done and done.status in (200, 201, 204):
            self.noted(id, name, len(content))
            self.counts["IETF uploads"] += 1

    def part(self, content):
        made = self.ask("POST", "/upload", {
            **TUS, "Upload-Concat": "partial", "Upload-Length": str(len(content)),
            "Content-Type": "application/offset+octet-stream"}, content)
        whole = made and made.status == 201 and int(made["Upload-Offset"]) == len(content)
        return made["Location"] if whole else None

    def concatenate(self):
        name = self.name()
        content = stuff(name)
        cut = self.pick.randrange(len(content) + 1)
        parts = [self.part(content[:cut]), self.part(content[cut:])]
        if all(parts):
            done = self.ask("POST", "/upload", {
                **TUS, **metadata(name), "Upload-Concat": "final;" + " ".join(parts)}, b"")
            if done and done.status == 201:
                self.keep({done["Location"].rsplit("/", 1)[1]: name})
                self.counts["concatenations"] += 1
        for part in filter(None, parts):
            self.ask("DELETE", part, TUS, also=(404, 410))

    # ---- the rude ------------------------------------------------------------------------------

    def break_off(self, name, pieces, pause=0):
        """A PUT that goes away in the middle of its body: nothing of it is kept."""
        door, size = self.pick.choice(self.doors), len(stuff(name))
        raw, path = isinstance(door, harness.ServerDoor), f"/upload/{name}"
        with contextlib.suppress(OSError), door.connect() as sock:
            sock.sendall(door.head("PUT", path, {}, size) if raw
                         else wire.begin() + door.params("PUT", path, None, size))
            for piece in pieces:
                sock.sendall(piece if raw else records(piece))
                self.over.wait(pause)

    def abort(self):
        name = self.name()
        content = stuff(name)
        self.break_off(name, [content[:self.pick.randrange(len(content))]])
        self.counts["aborted"] += 1

    def trickle(self):
        """A byte at a time."""
        name = self.name()
        content = stuff(name)
        self.break_off(name, [content[at:at + 1] for at in range(self.pick.randrange(min(12, len(content))))], 0.03)
        self.counts["trickled"] += 1


def records(body):
    """FastCGI's, without the last, empty one."""
    return b"".join(wire.record(wire.STDIN, body[at:at + 32768]) for at in range(0, len(body), 32768))
