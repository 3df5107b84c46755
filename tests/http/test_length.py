"""Content-Length decides before all else, and before a byte of the body is read."""
import pytest

from exchange import PNG, form, read_http, refused
from wire import STDIN, begin, record

GIB = 1 << 30


# ---- 411 ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("method,path", [("POST", "/upload"), ("PUT", "/upload/a.txt"), ("PATCH", "/upload/a")])
def test_length_required(door, nothing_kept, method, path):
    answer = door.request(method, path, {"Content-Length": None})
    problem = refused(answer, 411, "length_required")
    assert problem["title"] == "Length Required"
    assert problem["detail"].startswith("Content-Length header is required for this endpoint: ")


def test_length_required_whatever_the_transfer_encoding(fastcgi, nothing_kept):
    for coding in ("chunked", "gzip, chunked", "identity"):
        answer = fastcgi.request("POST", "/upload", {"Content-Length": None, "Transfer-Encoding": coding}, b"hello")
        refused(answer, 411, "length_required")


@pytest.mark.parametrize("blank", ["", " ", "\t ", "   "])
def test_empty_length_counts_as_absent(kind, open_door, blank):
    if kind == "lighttpd":
        kind_door = open_door()
        assert kind_door.request("POST", "/upload", {"Content-Length": blank}).status in (400, 411)
        return
    answer = open_door().request("POST", "/upload", {"Content-Length": blank}, b"hello")
    refused(answer, 411, "length_required")


def test_chunked_behind_lighttpd(lighttpd, nothing_kept):
    """lighttpd refuses it itself where it does not come at once, in the worker's words."""
    with lighttpd.connect() as sock:
        sock.sendall(lighttpd.head("POST", "/upload", {"Transfer-Encoding": "chunked"}))
        refused(read_http(sock), 411, "length_required")


def test_zero_made_up_by_lighttpd(fastcgi, nothing_kept):
    made_up = {"SERVER_SOFTWARE": "lighttpd/1.4.69"}
    answer = fastcgi.request("PUT", "/upload/a", {"Content-Length": "0"}, None, **made_up)
    refused(answer, 411, "length_required")


def test_true_zero_is_a_length(fastcgi, door):
    assert door.put("empty.txt", b"").file["size"] == 0
    answer = fastcgi.request("PUT", "/upload/a", {"Content-Length": "0"}, None, SERVER_SOFTWARE="lighttpd/1.4.69",
                             HTTP_CONTENT_LENGTH="0")
    assert answer.file["size"] == 0
    assert fastcgi.request("PUT", "/upload/a", {}, b"").file["size"] == 0


def test_dechunked_length_counts(fastcgi):
    """A server that has counted the chunks says so with CONTENT_LENGTH."""
    answer = fastcgi.request("POST", "/upload", {"Transfer-Encoding": "chunked"}, b"hello")
    assert answer.file["size"] == 5


@pytest.mark.parametrize("method,path,status", [
    ("GET", "/upload", 200), ("GET", "/files", 200), ("HEAD", "/files", 200), ("OPTIONS", "/upload", 200),
    ("DELETE", "/files/00000000000000000000000000", 404), ("GET", "/healthz", 200)])
def test_never_for_methods_without_body(door, method, path, status):
    assert door.request(method, path, {"Content-Length": None}).status == status


def test_length_required_as_a_page(door):
    answer = door.request("POST", "/upload", {"Content-Length": None, "Accept": "text/html,*/*;q=0.8"})
    assert answer.status == 411 and answer["Content-Type"].startswith("text/html")
    assert "Content-Length" in answer.text


# ---- 400 ---------------------------------------------------------------------------------------

BAD = ["abc", "-1", "+5", "5, 5", "5,6", "0x5", "5 5", "5.0", "5a", "1e3", "٣", "9223372036854775808",
       "18446744073709551616", "99999999999999999999999", "-0", "5;", "'5'"]


@pytest.mark.parametrize("length", BAD)
def test_bad_length(fastcgi, length):
    before = fastcgi.stored()
    refused(fastcgi.request("POST", "/upload", {"Content-Length": length}, b"hello"), 400, "bad_length")
    assert fastcgi.stored() == before and fastcgi.alive()


@pytest.mark.parametrize("length", ["abc", "-1", "5, 5", "99999999999999999999999"])
def test_bad_length_by_cgi(fresh, length):
    refused(fresh("cgi").request("POST", "/upload", {"Content-Length": length}, b"hello"), 400, "bad_length")


@pytest.mark.parametrize("length", ["abc", "-1", "5, 6"])
def test_bad_length_at_lighttpd(lighttpd, nothing_kept, length):
    """lighttpd's own refusal, in the worker's words."""
    answer = lighttpd.request("POST", "/upload", {"Content-Length": length})
    assert answer.status == 400 and answer.json["code"] == 400, answer


@pytest.mark.parametrize("length", [" 5", "5 ", " 5\t", "0005"])
def test_blanks_and_zeros_around_a_length(fastcgi, length):
    assert fastcgi.request("POST", "/upload", {"Content-Length": length}, b"hello").file["size"] == 5


# ---- 413 ---------------------------------------------------------------------------------------

def test_too_large_before_the_body(door, nothing_kept):
    """Headers only, then silence: the answer comes, with the figure."""
    body = b"x"
    answer = door.request("POST", "/upload", {"Content-Length": str(GIB + 1)}, body, stop=0)
    problem = refused(answer, 413, "too_large", GIB + 1, GIB)
    assert problem["max_bytes"] == GIB


def test_largest_number(fastcgi):
    answer = fastcgi.request("POST", "/upload", {"Content-Length": "9223372036854775807"}, b"", stop=0)
    refused(answer, 413, "too_large", "9223372036854775807")


def test_too_large_to_the_byte(open_door):
    door = open_door(max_bytes="1000")
    assert door.post(b"x" * 1000).file["size"] == 1000
    problem = refused(door.post(b"x" * 1001, ), 413, "too_large", 1001, 1000)
    assert problem["max_bytes"] == 1000


def test_length_goes_before_the_rest(open_door):
    """Before rights, method and type."""
    door = open_door(upload_access="off", max_bytes="10")
    refused(door.request("POST", "/upload", {"Content-Length": None}), 411, "length_required")
    refused(door.post(b"x" * 11), 413, "too_large")
    refused(door.post(b"x"), 403, "forbidden")


# ---- declared and received ---------------------------------------------------------------------

@pytest.mark.parametrize("content", [b"hello", PNG * 1000], ids=["small", "large"])
def test_short_body(fastcgi, content):
    before = fastcgi.stored()
    for length in (len(content) + 1, len(content) * 2):
        answer = fastcgi.request("PUT", "/upload/a", {"Content-Length": str(length)}, content)
        refused(answer, 400, "incomplete_body", length, len(content))
    assert fastcgi.stored() == before


@pytest.mark.parametrize("content", [b"hello", PNG * 1000], ids=["small", "large"])
def test_long_body(fastcgi, content):
    before = fastcgi.stored()
    for length in (len(content) - 1, 1):
        answer = fastcgi.request("PUT", "/upload/a", {"Content-Length": str(length)}, content)
        refused(answer, 400, "incomplete_body")
    assert fastcgi.stored() == before


def test_long_and_short_forms(fastcgi):
    before = fastcgi.stored()
    headers, body = form(("note", "x"))
    from exchange import Upload
    headers, body = form(Upload("f", "a.txt", b"hello"))
    for length in (len(body) - 2, len(body) + 1, len(body) + 100):
        answer = fastcgi.request("POST", "/upload", {**headers, "Content-Length": str(length)}, body)
        refused(answer, 400, "incomplete_body")
    assert fastcgi.stored() == before


def test_short_body_by_cgi(fresh):
    door = fresh("cgi")
    before = door.stored()
    refused(door.request("PUT", "/upload/a", {"Content-Length": "6"}, b"hello"), 400, "incomplete_body")
    assert door.stored() == before


def test_empty_stdin_record_in_the_middle(fastcgi):
    """mod_fcgid over HTTP/2 ends the body before it begins: 400, never a cut file."""
    before = fastcgi.stored()
    pieces = begin() + fastcgi.params("PUT", "/upload/a", length=10) + record(STDIN, b"hello") + record(STDIN) \
        + record(STDIN, b"world") + record(STDIN)
    refused(fastcgi.send(pieces), 400, "incomplete_body")
    pieces = begin() + fastcgi.params("PUT", "/upload/a", length=5) + record(STDIN) + record(STDIN, b"hello") \
        + record(STDIN)
    refused(fastcgi.send(pieces), 400, "incomplete_body")
    assert fastcgi.stored() == before
