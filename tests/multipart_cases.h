/*
 * multipart_cases.h: bodies, and what the multipart machine must say to them. Macros: pour.h.
 */
#ifndef WAYBILL_TESTS_MULTIPART_CASES_H
#define WAYBILL_TESTS_MULTIPART_CASES_H

#include "pour.h"

#define ON CD "name=\"f\"; filename=\"a\"\r\n\r\n" /* the start of a file whose data follows */
#define CD_LINE "Content-Disposition: form-data; "
#define SHOWN "{file \"f\" \"a\" -:"

/* A body by `type`, and what the machine must say; with a fault also words of its detail. */
struct expected {
	const char *type, *body, *events;
	const char *words; /* NULL: no fault */
};

#define GOOD(body, events)                                                                         \
	{                                                                                          \
		TYPE, body, events, NULL                                                           \
	}
#define BAD(body, events, words)                                                                   \
	{                                                                                          \
		TYPE, body, events, words                                                          \
	}
#define HEADER(params, events) GOOD(CD params "\r\n\r\nx\r\n--b--", events)
#define BAD_HEADER(params, words) BAD(CD params "\r\n\r\nx\r\n--b--", "", words)
#define BY(type, events)                                                                           \
	{                                                                                          \
		type, ON "x\r\n--b--", events, NULL                                                \
	}
#define BAD_TYPE(type, words)                                                                      \
	{                                                                                          \
		type, ON "x\r\n--b--", "", words                                                   \
	}

static const struct expected delimiters[] = {
    GOOD("--b--", ""),
    GOOD("\r\n--b--", ""),
    GOOD("preamble --b\r\n\r\n--b-\r\n--b--", ""),
    GOOD(ON "x\r\n--b--", SHOWN "x}"),
    GOOD("\r\n" ON "x\r\n--b--epilogue\r\n--b\r\n", SHOWN "x}"),
    GOOD(ON "x\r\n--b--\r\n" ON "y\r\n--b--", SHOWN "x}"),
    GOOD(ON "\r\n--b--", SHOWN "}"),
    GOOD(ON "--b--", SHOWN "}"),
    GOOD(ON CD "name=\"n\"\r\n\r\n--b--", SHOWN "}{field \"n\" - -:}"),
    GOOD(ON "--bX\r\n--b--", SHOWN "--bX}"),
    GOOD(ON "-\r\n--b--", SHOWN "-}"),
    GOOD(ON "x\r\n--bX\r\n--b--", SHOWN "x\r\n--bX}"),
    GOOD(ON "x\r\n--b-X\r\n--b--", SHOWN "x\r\n--b-X}"),
    GOOD(ON "x\r\n--b -\r\n--b--", SHOWN "x\r\n--b -}"),
    GOOD(ON "x\r\n--b \rX\r\n--b--", SHOWN "x\r\n--b \rX}"),
    GOOD(ON "x\r\n--b\r\r\n--b--", SHOWN "x\r\n--b\r}"),
    GOOD(ON "x\r\n--b\n\r\n--b--", SHOWN "x\r\n--b\n}"),
    GOOD(ON "x\r\n--b \r\r\n--b\t \r\n" CD_LINE "name=n\r\n\r\n\r\n--b--",
	SHOWN "x\r\n--b \r}{field \"n\" - -:}"),
    GOOD(ON "\r\r\n\r\n-\r\n--\r\n--\r\n--b--", SHOWN "\r\r\n\r\n-\r\n--\r\n--}"),
    GOOD(ON "x\n--b\r\n--b--", SHOWN "x\n--b}"),
    GOOD(ON "x\r--b\r\n--b--", SHOWN "x\r--b}"),
    GOOD(ON "x\r\n-b\r\n--b--", SHOWN "x\r\n-b}"),
    GOOD(ON "x\r\n--B\r\n--b--", SHOWN "x\r\n--B}"),
    BAD("", "", "no part was found"),
    BAD("--", "", "no part was found"),
    BAD("--c\r\n", "", "no part was found"),
    BAD("--b\n" ON, "", "no part was found"),
    BAD(ON "x", SHOWN "x", "inside a part"),
    BAD(ON "x\r\n--b", SHOWN "x", "inside a part"),
    BAD(ON "x\r\n--b-", SHOWN "x", "inside a part"),
    BAD(ON "x\r\n--b\r\n", SHOWN "x}", "inside the header"),
    BAD(ON "x\n--b--", SHOWN "x\n--b--", "inside a part"),
};

static const struct expected part_headers[] = {
    HEADER("name=\"n\"", "{field \"n\" - -:x}"),
    HEADER("NAME=n", "{field \"n\" - -:x}"),
    HEADER("name=\"\"", "{field \"\" - -:x}"),
    HEADER("name=n; filename=dir/a,b.txt ; x=y;", "{file \"n\" \"dir/a,b.txt\" -:x}"),
    HEADER("name=\"a%22%0d%0A%41%2\"", "{field \"a\"\r\n%41%2\" - -:x}"),
    HEADER("name=n; filename=\"a\\\"b;c\"", "{file \"n\" \"a\"b;c\" -:x}"),
    HEADER("name=n; filename=\"C:\\dir\\a.txt\"", "{file \"n\" \"C:\\dir\\a.txt\" -:x}"),
    HEADER("name=n; filename=\"C:\\\\\"", "{file \"n\" \"C:\\\\\" -:x}"),
    HEADER("name=n; filename=\"\xc3\x9c\xff\"", "{file \"n\" \"\xc3\x9c\xff\" -:x}"),
    HEADER("name=n; filename*=UTF-8''%e2%82%AC%20r", "{file \"n\" \"\xe2\x82\xac r\" -:x}"),
    HEADER("name=n; filename*=\"utf-8'en'a'b\"", "{file \"n\" \"a'b\" -:x}"),
    HEADER("name=n; filename*=utf-8''bad.exe; filename=\"good\"", "{file \"n\" \"good\" -:x}"),
    HEADER("name=n; filename=\"good\"; filename*=utf-8''bad.exe", "{file \"n\" \"good\" -:x}"),
    HEADER("name=n; filename*=iso-8859-1''%a3", "{file \"n\" - -:x}"),
    HEADER("name=n; filename*=UTF-8''%zz", "{file \"n\" - -:x}"),
    HEADER("name=n; filename*=plain", "{file \"n\" - -:x}"),
    HEADER("name=n\r\nContent-Type: text/plain; a=b \r\nX-Other:",
	"{field \"n\" - \"text/plain; a=b\":x}"),
    HEADER("name=n\r\ncontent-type:", "{field \"n\" - -:x}"),
    HEADER("name=n\r\nContent-Transfer-Encoding: BINARY", "{field \"n\" - -:x}"),
    GOOD("--b\r\nContent-Type: a/b\r\ncontent-disposition:Form-Data;name=n\r\n\r\nx\r\n--b--",
	"{field \"n\" - \"a/b\":x}"),
    GOOD(CD "name=f; filename=\"\"\r\n\r\n\r\n" CD "name=n\r\n\r\n\r\n--b--", "{field \"n\" - -:}"),
    GOOD(CD "name=f; filename=\"\"\r\n\r\n\r\n\r\n--b--", "{file \"f\" \"\" -:\r\n}"),
    GOOD(CD
	"name=n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--",
	"{field \"n\" - \"multipart/mixed; boundary=c\":--c\r\n\r\nx\r\n--c--}"),
    BAD_HEADER("name=a; name=b", "more than one name parameter"),
    BAD_HEADER("name=a; filename=b; filename=b", "more than one filename parameter"),
    BAD_HEADER("name=a; filename*=b; filename*=b", "more than one filename* parameter"),
    BAD_HEADER("filename=b", "no name parameter"),
    BAD_HEADER("name=\"a", "cannot be read"),
    BAD_HEADER("name=\"a\\\"", "cannot be read"),
    BAD_HEADER("name=", "cannot be read"),
    BAD_HEADER("name", "cannot be read"),
    BAD_HEADER("name =a", "cannot be read"),
    BAD_HEADER("name=\"a\"b", "cannot be read"),
    BAD_HEADER("name=a b", "cannot be read"),
    BAD_HEADER(
	"name=a\r\nContent-Disposition: form-data; name=b", "more than one Content-Disposition"),
    BAD_HEADER("name=a\r\nContent-Type: a/b\r\nContent-Type: a/b", "more than one Content-Type"),
    BAD_HEADER("name=a\r\nContent-Transfer-Encoding: base64", "Content-Transfer-Encoding"),
    BAD_HEADER("\r\n name=a", "folded"),
    BAD_HEADER("name=a\r\nContent-Type", "header lines"),
    BAD_HEADER("name=a\r\nContent-Type : a/b", "header lines"),
    BAD_HEADER("name=a\r\n: b", "header lines"),
    BAD_HEADER("name=a\nX: y", "LF alone"),
    BAD_HEADER("name=\"a\rb\"", "control"),
    BAD_HEADER("name=\"a\x07\"", "control"),
    BAD_HEADER("name=\"a\x7f\"", "control"),
    BAD("--b\r\n\r\nx\r\n--b--", "", "no Content-Disposition"),
    BAD("--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--", "", "no Content-Disposition"),
    BAD("--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx", "", "not form-data"),
    BAD("--b\r\n--b\r\n" CD "name=a\r\n\r\nx\r\n--b--", "", "header lines"),
};

#define B70 "0123456789'()+_,-./:=?0123456789012345678901234567890123456789abcdefgh"

static const struct expected content_types[] = {
    BY("multipart/form-data; boundary=b", SHOWN "x}"),
    BY(" Multipart/Form-DATA ;charset=\"a;boundary=c\\\"\" ; BOUNDARY=\"b\"", SHOWN "x}"),
    BY("multipart/form-data;boundary=b;", SHOWN "x}"),
    {"multipart/form-data; boundary=" B70,
	"--" B70 "\r\nContent-Disposition: form-data; name=n\r\n\r\nx\r\n--" B70 "--",
	"{field \"n\" - -:x}", NULL},
    {"multipart/form-data; boundary=\"" B70 "\"", "--" B70 "--", "", NULL},
    {"multipart/form-data; boundary=\"a b\"", "--a b--", "", NULL},
    {"multipart/form-data; boundary=*****", "--*****--", "", NULL},
    BAD_TYPE("multipart/form-data", "needs a boundary"),
    BAD_TYPE("multipart/form-data; charset=utf-8", "needs a boundary"),
    BAD_TYPE("multipart/form-data; boundary=\"\"", "not usable"),
    BAD_TYPE("multipart/form-data; boundary=\"b \"", "not usable"),
    BAD_TYPE("multipart/form-data; boundary=\"b\\\"c\"", "not usable"),
    BAD_TYPE("multipart/form-data; boundary=\"b\tc\"", "not usable"),
    BAD_TYPE("multipart/form-data; boundary=\xc3\xa9", "not usable"),
    BAD_TYPE("multipart/form-data; boundary=" B70 "x", "it has 71"),
    BAD_TYPE("multipart/form-data; boundary=b; boundary=b", "more than one boundary"),
    BAD_TYPE("multipart/form-data; boundary=", "cannot be read"),
    BAD_TYPE("multipart/form-data; boundary=\"b", "cannot be read"),
    BAD_TYPE("multipart/form-data boundary=b", "not multipart/form-data"),
    BAD_TYPE("multipart/mixed; boundary=b", "not multipart/form-data"),
    BAD_TYPE("", "not multipart/form-data"),
};

#endif
