"""wire.py: a request as CGI names it, and FastCGI's records."""
import struct
import urllib.parse


def variables(method, path, headers, length, base=""):
    """A request as CGI names it."""
    path, _, query = path.partition("?")
    out = {"REQUEST_METHOD": method, "REQUEST_URI": base + path + ("?" + query if query else ""),
           "QUERY_STRING": query, "SCRIPT_NAME": base, "PATH_INFO": urllib.parse.unquote(path, errors="surrogateescape"),
           "GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "harness",
           "SERVER_NAME": "localhost", "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}
    if length is not None:
        out["CONTENT_LENGTH"] = str(length)
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") or key.startswith("WAYBILL_") else "HTTP_" + key
        if value is None:
            out.pop(key, None)
        else:
            out[key] = ", ".join(value) if isinstance(value, list) else value
    return out


def encoded(s):
    return s.encode("utf-8", "surrogateescape")


BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, VALUES, UNKNOWN_TYPE = range(1, 12)


def record(kind, content=b"", padding=0, request=1):
    return struct.pack(">BBHHBx", 1, kind, request, len(content), padding) + content + bytes(padding)


def begin(keep=False, role=1):
    return record(BEGIN, struct.pack(">HB5x", role, int(keep)))


def name_values(params):
    out = b""
    for name, value in params.items():
        name, value = encoded(name), encoded(value)
        for length in (len(name), len(value)):
            out += struct.pack(">B", length) if length < 128 else struct.pack(">I", length | 1 << 31)
        out += name + value
    return out


def read_record(stream):
    """(type, request id, content) of the next record; None at the end."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    _, kind, request, length, padding = struct.unpack(">BBHHBx", head)
    content = stream.read(length)
    stream.read(padding)
    return kind, request, content
