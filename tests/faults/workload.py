"""workload.py: what clients do while the power is about to be cut, and what they were told."""
import concurrent.futures
import json

import rig
import disk
import exchange
from chance import chance


class Client:
    """Does what clients do, and notes among the records what it was told."""

    def __init__(self, worker, pick, pool):
        self.worker, self.pick, self.pool, self.mine = worker, pick, pool, []
        self.sent = {}  # of resumable uploads: {id: content}

    def note(self, **what):
        disk.note(self.worker.records, json.dumps(what))

    def content(self):
        """Often what another client sends, too."""
        if self.pick.random() < 0.3:
            return self.pick.choice(self.pool)
        return self.pick.randbytes(self.pick.choice([0, 1, 600, 5000, 70000]))

    def told(self, answer):
        if answer.status == 201:
            new = rig.new_ids(answer)
            self.note(kept=new)
            self.mine += new
        return answer.status

    def put(self):
        return self.told(self.worker.put("plain.bin", self.content()))

    def form(self):
        files = [exchange.Upload("file", f"{n}.bin", self.content()) for n in range(3)]
        return self.told(self.worker.send_form(*files, ("note", "x" * self.pick.choice([10, 40000]))))

    def delete(self):
        if not self.mine:
            return self.put()
        id = self.mine.pop(self.pick.randrange(len(self.mine)))
        self.note(leaving=id)
        answer = self.worker.request("DELETE", f"/files/{id}")
        if answer.status == 204:
            self.note(gone=id)
        return answer.status

    def resumable(self):
        """tus, in pieces; what is acknowledged is noted after each. After a refusal: HEAD, whose
        word counts as well, and on from there. The status of the first PATCH that failed, or 204."""
        content, tus, at, status = self.content() + b"!", {"Tus-Resumable": "1.0.0"}, 0, 204
        made = self.worker.request("POST", "/upload", {**tus, "Upload-Length": str(len(content))}, b"")
        if made.status != 201:
            return made.status
        path, id = made["Location"], made["Location"].rsplit("/", 1)[1]
        self.note(offset=0, id=id, prefix=rig.EMPTY)
        self.sent[id] = content
        for end in (len(content) // 3, len(content) // 2, *[len(content)] * 4):
            answer = self.worker.request("PATCH", path, {
                **tus, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"},
                content[at:end])
            if answer.status != 204:
                status = answer.status if status == 204 else status
                answer = self.worker.request("HEAD", path, tus)
                assert answer.status == 200, answer
            at = int(answer["Upload-Offset"])
            if at == len(content):
                self.note(kept={id: rig.sha256(content)})
                self.mine.append(id)
                return status
            self.note(offset=at, id=id, prefix=rig.sha256(content[:at]))
        raise AssertionError(f"{path} never came to its end")

    def work(self, times):
        verbs = [self.put, self.put, self.form, self.delete, self.resumable]
        statuses = [self.pick.choice(verbs)() for _ in range(times)]
        assert set(statuses) <= {201, 204}, (statuses, self.worker.said())


def run_clients(worker, count, times):
    """The clients, when they are done."""
    pool = [chance("pool").randbytes(size) for size in (3, 4000, 66000)]
    clients = [Client(worker, chance("client", n), pool) for n in range(count)]
    with concurrent.futures.ThreadPoolExecutor(count) as threads:
        for job in [threads.submit(client.work, times) for client in clients]:
            job.result()
    return clients
