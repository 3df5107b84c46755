"""tus.py: what the tests of tus 1.0.0 share."""

CHUNK = "application/offset+octet-stream"


def part(worker, data):
    return worker.tus_create(len(data), {"Upload-Concat": "partial"}, body=data)["Location"]
