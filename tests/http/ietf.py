"""ietf.py: what the tests of IETF resumable uploads share (draft-ietf-httpbis-resumable-upload-12, interop 9)."""

PATCH_TYPE = "application/partial-upload"
OFFSET_PROBLEM = "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
LENGTH_PROBLEM = "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"


def create(worker, body=b"", complete="?0", path="/upload", method="POST", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return worker.ask(method, path, {"Upload-Complete": complete} | named, body)


def append(worker, url, offset, body, complete="?0", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = {"Upload-Offset": str(offset), "Upload-Complete": complete, "Content-Type": PATCH_TYPE}
    return worker.ask("PATCH", url, asked | named, body)


def limits(answer):
    return dict(item.split("=") for item in answer["Upload-Limit"].split(", "))


def ident(url):
    return url.rsplit("/", 1)[1]
