"""The name in Host: a page whose name was made to point here (DNS rebinding) gets nothing."""
import pytest

import harness
from exchange import refused

LOCAL = ["localhost", "LocalHost:8411", "localhost.", "app.localhost:80", "127.0.0.1", "127.0.0.1:8411", "192.168.7.7:80", "[::1]",
         "[::1]:8411", "[2001:db8::7]", "localhost:", None]
STRANGE = ["evil.example", "evil.example:8411", "evil.example.", "EVIL.example", "localhost.evil.example", "127.0.0.1.evil.example",
           "notlocalhost", "1.2.3", "0x7f.1", "2130706433", "localhost, evil.example", "evil.example, app.localhost", "[::1]evil.example",
           "[::1].evil.example:80", "[::1", "[evil.example]", "localhost@evil.example", "127.0.0.1:80:evil", "evil example", "[::1]]",
           ".localhost@", "x" * 3000]
PATHS = ["/", "/files", "/upload", "/metrics", "/healthz", "/nothing/here", "/files/" + "0" * 26 + "/content"]


def statuses(door, host, **headers):
    return [door.request("GET", path, {"Host": host, **headers}).status for path in PATHS]


@pytest.mark.parametrize("host", LOCAL)
def test_from_this_machine_by_its_own_names(fastcgi, host):
    assert statuses(fastcgi, host) == [200, 200, 200, 200, 200, 404, 404]


@pytest.mark.parametrize("host", STRANGE)
def test_from_this_machine_by_another_name(fastcgi, host):
    for path in PATHS:
        refused(fastcgi.request("GET", path, {"Host": host}), 421, "wrong_host", "allowed_hosts")


def test_nothing_is_done_by_another_name(fastcgi):
    before = fastcgi.stored()
    host = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
    refused(fastcgi.request("PUT", "/upload/a", host, b"x"), 421, "wrong_host")
    refused(fastcgi.request("DELETE", "/files/" + "0" * 26, host), 421, "wrong_host")
    refused(fastcgi.request("OPTIONS", "/upload", host), 421, "wrong_host")
    assert fastcgi.stored() == before
    page = fastcgi.request("GET", "/", {**host, "Accept": "text/html"})
    assert page.status == 421 and page["Content-Type"].startswith("text/html") and "allowed_hosts" in page.text


def test_length_is_judged_before(fastcgi):
    """As the order has it: 400, 411 and 413 before all else on /upload."""
    host = {"Host": "evil.example"}
    refused(fastcgi.request("PUT", "/upload/a", {**host, "Content-Length": None}, b"x"), 411, "length_required")
    refused(fastcgi.request("PUT", "/upload/a", {**host, "Content-Length": "abc"}, b"x"), 400, "bad_length")
    refused(fastcgi.request("PUT", "/upload/a", {**host, "Content-Length": str(2 << 30)}, b"x"), 413, "too_large")


@pytest.mark.parametrize("more", [{"REMOTE_ADDR": "192.0.2.7"}, {"REMOTE_ADDR": "2001:db8::1"}, {"REMOTE_ADDR": ""},
                                  {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, {"HTTP_FORWARDED": "for=192.0.2.7"},
                                  {"HTTP_VIA": "1.1 proxy"}, {"HTTP_X_REAL_IP": "192.0.2.7"}])
def test_from_elsewhere_by_any_name(fastcgi, more):
    for host in ("files.example", "files.example:8080", "localhost", "anything at all"):
        assert fastcgi.request("GET", "/files", {"Host": host}, **more).status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "0:0:0:0:0:0:0:1"])
def test_every_address_of_this_machine_counts(fastcgi, address):
    assert fastcgi.request("GET", "/files", {"Host": "evil.example"}, REMOTE_ADDR=address).status == 421
    assert fastcgi.request("GET", "/files", {"Host": "localhost"}, REMOTE_ADDR=address).status == 200


@pytest.fixture(scope="module")
def named():
    door = Named({"allowed_hosts": HOSTS})
    yield door
    door.close()


class Named(harness.FastCGIDoor):
    def answers(self):
        return self.path.exists() and self.request("GET", "/files", {"Host": "files.example"}).status == 200


HOSTS = "files.example, Other.Example:8443, 192.0.2.1, [2001:DB8::1], web.example:443, [::1]:8080"


@pytest.mark.parametrize("host,allowed", [
    ("files.example", True), ("FILES.example:99", True), ("files.example.", True), ("files.example.:80", True),
    ("other.example:8443", True), ("other.example", False), ("other.example:8444", False), ("192.0.2.1:1", True),
    ("[2001:db8:0::1]", True), ("[2001:db8::1]:7", True), ("[2001:db8::2]", False), ("2001:db8::1", False),
    ("web.example", True), ("web.example:443", True), ("web.example:80", False), ("[::1]:8080", True), ("[::1]", False),
    ("localhost", False), ("127.0.0.1", False), ("x.files.example", False), ("files.example.evil.example", False),
    ("files.example, evil.example", False), ("", True), (None, True)])
def test_allowed_hosts(named, host, allowed):
    """They hold wherever a request comes from. A request without Host is no browser's."""
    for more in ({}, {"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}):
        answer = named.request("GET", "/files", {"Host": host}, **more)
        if allowed:
            assert answer.status == 200, answer
        else:
            refused(answer, 421, "wrong_host", "allowed_hosts")


def test_over_every_way_in(kind, fresh):
    """A web server hands the name on; plain CGI has it in its environment."""
    door = fresh(kind)
    refused(door.get("/files", Host="evil.example"), 421, "wrong_host", "allowed_hosts")
    assert door.get("/files", Host="localhost").status == door.get("/files").status == 200


@pytest.mark.parametrize("value", ["http://files.example", "a b", "[::1", "::1", "files.example:0", "files.example:65536", ":80", "a/b", "*"])
def test_what_is_no_host_is_no_setting(fresh, value):
    with pytest.raises(AssertionError, match="allowed_hosts"):
        fresh("fastcgi", allowed_hosts=value)
