"""GET /openapi.json: all of the interface, and what it tells is so."""
import re

import openapi
import processes
from exchange import Upload
from shell import add_token, bearer

ROUTES = processes.TOP / "fcgi" / "serve.c"
FAULTS = processes.TOP / "fcgi" / "shared" / "fault.h"


def test_it_tells_of_all_routes_and_refusals(door):
    answer = door.get("/openapi.json")
    document = answer.json
    assert answer["Content-Type"] == "application/json" and document["openapi"] == "3.1.0"
    assert set(document["paths"]) == set(re.findall(r'^    \{\{"(/[^"]*)", ', ROUTES.read_text(), re.M))
    assert document["components"]["schemas"]["Problem"]["properties"]["error"]["enum"] == \
        re.findall(r'^\tX\(\w+, *\d{3}, "(\w+)"', FAULTS.read_text(), re.M)
    for pattern, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"] and "default" in operation["responses"]
            told = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert told == set(re.findall(r"\{(\w+)\}", pattern)), (method, pattern)
    assert document["servers"] == [{"url": "/"}]


def test_it_tells_where_it_is_mounted(open_door):
    assert open_door(base="/drop").get("/openapi.json").json["servers"] == [{"url": "/drop/"}]


def test_methods_are_those_that_are_served(fastcgi):
    document = fastcgi.get("/openapi.json").json
    for pattern, item in document["paths"].items():
        path = re.sub(r"\{\w+\}", "0" * 26, pattern)
        refused = fastcgi.request("TRACE", path)
        assert refused.status == 405, (pattern, refused)
        allowed = {m.strip().lower() for m in refused["Allow"].split(",")}
        assert set(item) | {"options"} == allowed, pattern


def test_answers_are_as_told(door):
    document = door.get("/openapi.json").json
    token = bearer(add_token(door, "op", "upload,read,delete,admin"))
    file = door.put("a.txt", b"hello").file
    one = f"/files/{file['id']}"
    tus = {"Tus-Resumable": "1.0.0"}
    asked = [("GET", "/upload"), ("GET", "/files"), ("GET", "/files?limit=1"), ("GET", one), ("GET", one + "/content"), ("HEAD", one),
             ("GET", "/healthz"), ("GET", "/healthz?ready"), ("GET", "/metrics"), ("GET", "/"), ("GET", "/nothing"), ("GET", "/files/no"),
             ("GET", "/files?limit=0"), ("DELETE", "/files/" + "0" * 26), ("PUT", "/files"), ("GET", "/openapi.json")]
    for headers in {}, token:
        for method, path in asked:
            openapi.check(document, method, path, door.request(method, path, headers))
        for path, more, body in [("/upload?name=b", {}, b"x"), ("/upload", {**tus, "Upload-Length": "1"}, b""), ("/upload", tus, b"x"),
                                 ("/upload", {"Content-Length": "-1"}, None)]:
            openapi.check(document, "POST", path, door.request("POST", path, {**headers, **more}, body))
    openapi.check(document, "POST", "/upload", door.send_form(("a", "b"), Upload("f", "a", b"x"), Upload("f", "b", b"y")))
    openapi.check(document, "DELETE", one, door.request("DELETE", one, token))
