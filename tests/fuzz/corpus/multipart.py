#!/usr/bin/python3
"""Writes the hand-made seeds of the multipart corpus, next to this file."""
import os

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "multipart")
CD = "Content-Disposition: form-data; "


def part(params, data="", *more):
    lines = [CD + params, *more]
    return "--b\r\n" + "".join(l + "\r\n" for l in lines) + "\r\n" + data + "\r\n"


def body(*parts):
    return "".join(parts) + "--b--\r\n"


plain = part('name="f"; filename="a.txt"', "hello", "Content-Type: text/plain")
seeds = {
    "file": body(plain),
    "field": body(part('name="note"', "text")),
    "both": body(part('name="note"', "text"), plain, part('name="x"', "")),
    "none": "--b--",
    "empty-body": "",
    "preamble-epilogue": "ignored\r\n" + body(plain) + "also\r\n--b\r\nignored",
    "blanks": body(plain).replace("--b\r\n", "--b \t \r\n").replace("--b--", "--b--x"),
    "blanks-256": "--b" + " " * 256 + "\r\n" + body(plain)[5:],
    "blanks-257": body(part('name="f"; filename="a"', "x\r\n--b" + " " * 257 + "\r\ny")),
    "false-delimiters": body(part('name="f"; filename="a"',
        "\r\n--bX\r\n--b-\r\n--b- -\r\n--b \rx\r\n--b\r\r\n-\r\n--\r\n\r\n--b\t\n\r\r\n--c")),
    "starts-like-one": body(part('name="f"; filename="a"', "--bX\r\n--b\rX")),
    "no-body-at-all": "--b\r\n" + CD + 'name="f"\r\n\r\n--b--',
    "empty-file-input": body(part('name="f"; filename=""', "", "Content-Type: application/octet-stream")),
    "nameless-file": body(part('name="f"; filename=""', "bytes")),
    "zero-bytes": body(part('name="f"; filename="zero"', "")),
    "filename-star": body(part("name=\"f\"; filename*=UTF-8''%e2%82%ac%20rates", "x")),
    "filename-both": body(part("name=\"f\"; filename*=utf-8'en'evil.exe; filename=\"good.txt\"", "x")),
    "filename-star-latin1": body(part("name=\"f\"; filename*=iso-8859-1''%a3", "x")),
    "escapes": body(part('name="a%22b%0D%0Ac%41"; filename="q\\"x\\" C:\\dir\\a.txt"', "x")),
    "trailing-backslashes": body(part('name="f"; filename="C:\\\\"', "x")),
    "utf8": body(part('name="größe"; filename="Übersicht ✓.pdf"', "x")),
    "bare-parameters": body(part("name=f;filename=a/b.txt;", "x")),
    "name-twice": body(part('name="a"; name="b"', "x")),
    "filename-twice": body(part('name="a"; filename="a"; filename="b"', "x")),
    "disposition-twice": body(part('name="a"', "x", CD + 'name="b"')),
    "no-name": body(part('filename="a"', "x")),
    "no-disposition": "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--",
    "attachment": "--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b--",
    "doubled": "--b\r\n--b\r\n" + body(plain),
    "headless": "--b\r\n\r\nx\r\n--b--",
    "folded": "--b\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\n\r\nx\r\n--b--",
    "bare-lf": "--b\r\nContent-Disposition: form-data; name=\"a\"\n\nx\r\n--b--",
    "bare-lf-delimiters": body(plain).replace("\r\n", "\n"),
    "nul": body(part('name="a\0b"', "x")),
    "control": body(part('name="a\x07b"', "x")),
    "no-colon": body(part('name="a"', "x", "Content-Type")),
    "unquoted-end": body(part('name="a', "x")),
    "base64": body(part('name="a"', "eA==", "Content-Transfer-Encoding: base64")),
    "8bit": body(part('name="a"', "x", "Content-Transfer-Encoding: 8bit")),
    "nested": body(part('name="a"', "--c\r\n\r\nx\r\n--c--", "Content-Type: multipart/mixed; boundary=c")),
    "cut-in-header": "--b\r\n" + CD + 'name="a"; file',
    "cut-in-data": "--b\r\n" + CD + 'name="a"; filename="x"\r\n\r\ndata\r\n--',
    "long-header": "--b\r\n" + CD + 'name="a"\r\nX: ' + "y" * 16400 + "\r\n\r\nx\r\n--b--",
    "many": body(*[part(f'name="n{i}"', "v" * (i % 5)) for i in range(60)]),
}
types = {
    "boundary-quoted": 'multipart/form-data; charset=utf-8; boundary="b"',
    "boundary-case": "Multipart/Form-Data ; BOUNDARY=b",
    "boundary-missing": "multipart/form-data",
    "boundary-empty": 'multipart/form-data; boundary=""',
    "boundary-blank-end": 'multipart/form-data; boundary="b "',
    "boundary-twice": "multipart/form-data; boundary=b; boundary=c",
    "boundary-71": "multipart/form-data; boundary=" + "b" * 71,
    "boundary-broken": 'multipart/form-data; boundary="b',
    "other-type": "multipart/mixed; boundary=b",
}


def write(name, content_type, text):
    with open(os.path.join(here, name), "wb") as out:
        out.write((content_type + "\n" + text).encode())


for name, text in seeds.items():
    write(name, "multipart/form-data; boundary=b", text)
for name, content_type in types.items():
    write(name, content_type, body(plain))
b70 = "-" * 35 + "x" * 34 + "y"
write("boundary-70", "multipart/form-data; boundary=" + b70,
      body(plain, part('name="g"; filename="n"', "\r\n--" + b70[:-1] + "\r\n--" + b70 + "z")).replace("--b", "--" + b70))
