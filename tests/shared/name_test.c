/*
 * name_test.c: characters, file names, media types and header parameters as strangers send them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "shared/text.h"
#include "table.h"

/* ---- characters ------------------------------------------------------------------------------ */

#define R "\xEF\xBF\xBD"

/* The Unicode Standard 3.9, tables 3-8 to 3-11, and the edges of RFC 3629. */
static void test_utf8(void **state)
{
	static const struct {
		const char *raw, *clean;
	} bad[] = {{"\xC0\xAF", R R}, {"\xE0\x80\xBF", R R R}, {"\xF0\x81\x82\x41", R R R "A"},
	    {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", R R R R R R R R "A"},
	    {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", R R R R R "A" R R "B"},
	    {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", R R R R "A"}, {"\x80", R}, {"a\xC3", "a" R},
	    {"\xE2\x82/", R "/"}, {"\xF8\x88\x80\x80\x80", R R R R R}, {"\xC1\x81", R R},
	    {"\xF5\x80\x80\x80", R R R R}, {"\xFE\xFF", R R}, {"\xF0\x9F\x98", R}};
	static const char *const good[] = {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80",
	    "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBE", "\xEF\xBF\xBF", "\xF0\x90\x80\x80",
	    "\xF4\x8F\xBF\xBF", R};
	char to[64];
	EACH(i, bad)
	{
		assert_false(text_is_utf8(span_of(bad[i].raw)));
		assert_int_equal(
		    text_clean_utf8(span_of(bad[i].raw), to, sizeof to), strlen(bad[i].clean));
		assert_string_equal(to, bad[i].clean);
	}
	EACH(i, good)
	{
		assert_true(text_is_utf8(span_of(good[i])));
		text_clean_utf8(span_of(good[i]), to, sizeof to);
		assert_string_equal(to, good[i]);
	}
	assert_int_equal(text_clean_utf8(S("a\xFF\xFF"), to, 5), 7);
	assert_string_equal(to, "a" R);
	assert_int_equal(text_clean_utf8(S("a"), NULL, 0), 1);
}

static void test_utf8_cut(void **state)
{
	struct span s = S("a\xC3\x9C\xE2\x82\xAC\xF0\x9F\x98\x80");
	static const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
	EACH(max, ends) assert_int_equal(text_utf8_cut(s, max), ends[max]);
	assert_int_equal(text_utf8_cut(S("\x80\x80\x80\x80\x80\x80\x80\x80"), 6), 6);
}

static void test_fold(void **state)
{
	static const char *const same[][2] = {{"ABC xyz", "abc XYZ"}, {"\xC3\x9C", "\xC3\xBC"},
	    {"\xCE\xA3", "\xCF\x82"}, {"\xCF\x83", "\xCF\x82"}, {"\xE2\x84\xAA", "k"},
	    {"\xC5\xBF", "S"}, {"\xD0\x96", "\xD0\xB6"}, {"\xC8\xBA", "\xE2\xB1\xA5"},
	    {"\xF0\x90\x90\x80", "\xF0\x90\x90\xA8"}};
	char a[64], b[64];
	EACH(i, same)
	{
		size_t len = text_fold(span_of(same[i][0]), a, sizeof a);
		assert_int_equal(len, strlen(a));
		text_fold(span_of(same[i][1]), b, sizeof b);
		assert_string_equal(a, b);
	}
	assert_int_equal(text_fold(S("\xFF%_\xE6\x97\xA5"), a, sizeof a), 8);
	assert_string_equal(a, R "%_\xE6\x97\xA5");
	assert_int_equal(text_fold(S("\xC3\x9C\xC3\x9C"), a, 4), 2);
	assert_string_equal(a, "\xC3\xBC");
}

/* No code point may need more than text.h promises, nor change when folded again. */
static void test_fold_everywhere(void **state)
{
	for (uint32_t c = 0x80; c < 0x20000; c += c == 0xD7FF ? 0x801 : 1) { /* no surrogates */
		char raw[5] = {0}, once[16], twice[32];
		int len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		for (int i = len - 1, rest = c; i >= 0; i--, rest >>= 6)
			raw[i] = i ? (0x80 | (rest & 0x3F)) : ((0xF00 >> len & 0xFF) | rest);
		size_t got = text_fold(span_of(raw), once, sizeof once);
		assert_in_range(got, 1, 2 * len);
		text_fold(span_of(once), twice, sizeof twice);
		assert_string_equal(once, twice);
	}
}

/* ---- names ----------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	static const struct {
		struct span raw;
		const char *clean;
	} rows[] = {{S("a.txt"), "a.txt"}, {S("/etc/passwd"), "passwd"}, {S("..\\..\\x"), "x"},
	    {S("C:\\Users\\me\\a b.pdf"), "a b.pdf"}, {S("a/b\\c/d"), "d"}, {S("a/"), "unnamed"},
	    {S(""), "unnamed"}, {S("."), "unnamed"}, {S(".."), "unnamed"}, {S("x/.."), "unnamed"},
	    {S("..."), "..."}, {S(" . "), "unnamed"}, {S(".\x01."), "unnamed"},
	    {S("  a  b  "), "a  b"}, {S(" \x02 "), "unnamed"}, {S("\x02 a\t \x7F"), "a"},
	    {S("a\0b\r\nc"), "abc"},
	    {S("a\xC2\x85"
	       "b\xC2\x9F\xC2\xA0"
	       "c"),
		"ab\xC2\xA0"
		"c"},
	    {S("x\xE2\x80\xAEgpj.exe"), "xgpj.exe"}, {S("\xE2\x81\xA6\xE2\x80\x8F"), "unnamed"},
	    {S("\xC3\x9C\xFF.pdf"), "\xC3\x9C" R ".pdf"}, {S("\xC0\xAE\xC0\xAE"), R R R R},
	    {S("\xE2\x82/b\xE2\x82"), "b" R}, {S("\xEF\xBF\xBE"), "\xEF\xBF\xBE"},
	    {S(".htaccess"), ".htaccess"}, {S("<script>&\"'"), "<script>&\"'"}};
	char to[NAME_BYTES + 1];
	EACH(i, rows)
	{
		text_clean_name(rows[i].raw, to);
		assert_string_equal(to, rows[i].clean);
	}
	text_clean_name((struct span){0}, to);
	assert_string_equal(to, "unnamed");
	assert_int_equal(text_name_length(S("a/b\\cde")), 3);
	assert_int_equal(text_name_length(S("abc/")), 0);
}

/* `count` times `unit`, then `tail`, cleaned; the length must be `len` and the end `tail_kept`. */
static void assert_cut(const char *unit, int count, const char *tail, size_t len, const char *kept)
{
	char raw[4096] = "", to[NAME_BYTES + 1];
	for (int i = 0; i < count; i++)
		strcat(raw, unit);
	strcat(raw, tail);
	text_clean_name(span_of(raw), to);
	assert_int_equal(strlen(to), len);
	assert_string_equal(to + len - strlen(kept), kept);
	assert_true(text_is_utf8(span_of(to)));
}

static void test_long_names(void **state)
{
	assert_cut("a", 251, ".pdf", 255, "aa.pdf");
	assert_cut("a", 252, ".pdf", 255, "aa.pdf");
	assert_cut("a", 4000, ".tar.gz", 255, "aa.gz");
	assert_cut("\xC3\x9C", 500, ".pdf", 254, "\xC3\x9C.pdf"); /* 251 is odd */
	assert_cut("\xF0\x9F\x98\x80", 100, "", 252, "\xF0\x9F\x98\x80");
	assert_cut("\xFF", 300, ".x", 254, R ".x"); /* 253 holds 84 of three bytes */
	assert_cut(
	    "a", 300, ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 255, ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	assert_cut("a", 300, ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 255, "aaaaaaaaa"); /* 33 bytes */
	assert_cut(".", 300, "", 255, "...");
	assert_cut(".a", 200, "", 255, ".a");
	assert_cut("a ", 200, "", 255, " a");
	assert_cut(" a", 200, "", 255, "a a");
	assert_cut("\x01", 4000, "a", 1, "a");
	assert_cut("aaaaaaa ", 100, "b", 255, "aaaaaaa"); /* the cut falls behind a letter … */
	assert_cut("aaaaaa ", 100, "b", 255, "aaa");
	assert_cut("aaaaa     ", 100, "b", 255, "aaaaa"); /* … or into blanks, which go */
	assert_cut("aaaa      ", 100, "b", 254, "aaaa");
}

/* ---- media types and parameters -------------------------------------------------------------- */

static void test_media_types(void **state)
{
	static const char *const bad[] = {"", "text", "text/", "/plain", "text/pl ain", "a/b/c",
	    "te\x01xt/plain", "text /plain", ";a/b", "a/b,c/d", "\xC3\x9C/x", "\"a\"/b"};
	char to[TYPE_BYTES + 1], longest[TYPE_BYTES + 2];
	EACH(i, bad) assert_false(text_media_type(span_of(bad[i]), to));
	assert_true(text_media_type(S(" Image/SVG+xml ; charset=utf-8"), to));
	assert_string_equal(to, "image/svg+xml");
	memset(longest, 'x', sizeof longest);
	longest[1] = '/';
	assert_true(text_media_type((struct span){longest, TYPE_BYTES}, to));
	assert_int_equal(strlen(to), TYPE_BYTES);
	assert_false(text_media_type((struct span){longest, TYPE_BYTES + 1}, to));
}

static void test_globs(void **state)
{
	char many[2001] = "";
	memset(many, 'a', sizeof many - 1);
	assert_true(text_glob(S("*/*"), S("a/b")) && text_glob(S("*"), S("")));
	assert_true(text_glob(S("image/*"), S("image/png")) && text_glob(S("i*/p*g"), S("i/png")));
	assert_true(text_glob(S("a*b"), S("a/x/b")) && text_glob(S("*ab*ab"), S("abaabab")));
	assert_false(text_glob(S("image/*"), S("imagex/png")) || text_glob(S("a/b"), S("a/bc")));
	assert_false(text_glob(S("a/b*c"), S("a/b")) || text_glob(S(""), S("a")));
	assert_false(text_glob(S("a?b"), S("axb")) || text_glob(S("[a]"), S("a")));
	assert_false(text_glob(S("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), span_of(many)));
	assert_true(text_glob_list("text/plain , image/*", "image/png"));
	assert_false(text_glob_list("", "a/b") || text_glob_list(", ,", "a/b"));
	assert_false(text_glob_list(NULL, "a/b") || text_glob_list("a/b c/d", "c/d"));
}

static void test_parameters(void **state)
{
	static const struct {
		const char *header, *name, *value; /* NULL: false */
	} rows[] = {{"form-data; name=\"a\\\"b;c\"; filename=x", "name", "a\\\"b;c"},
	    {"form-data; name=\"a\\\"b;c\"; filename=x", "filename", "x"},
	    {"form-data; NAME = x ;b=\"y\" ", "name", "x"},
	    {"form-data ;b = \"y\" ; c=1", "B", "y"}, {"f; name=\"\"", "name", ""},
	    {"f; name=", "name", ""}, {"f; a=\"; name=x\"; name=y", "name", "y"},
	    {"f; filename*=UTF-8''%e2%82%ac; filename=b", "filename", "b"},
	    {"f; filename*=UTF-8''%e2%82%ac", "filename*", "UTF-8''%e2%82%ac"},
	    {"f; xname=1; name=2", "name", "2"}, {"f;; ;name=2;", "name", "2"},
	    {"f; flag; name=2", "name", "2"}, {"f; name=1; name=2", "name", "1"},
	    {"f; filename=\"C:\\a\\b.txt\"", "filename", "C:\\a\\b.txt"},
	    {"f; filename=\"a\\\"", "filename", "a\\"},
	    {"f; filename=my file.txt", "filename", "my file.txt"}, {"name=x", "name", NULL},
	    {"f", "name", NULL}, {"", "name", NULL}, {"f; name", "name", NULL},
	    {"f; name=\"abc", "name", NULL}, {"f; name=\"abc\"x; b=1", "b", NULL},
	    {"f; name=a\"b\"", "name", NULL}, {"f; b=\"; name=x", "name", NULL}};
	EACH(i, rows)
	{
		struct span value = {0};
		bool found = text_parameter(span_of(rows[i].header), rows[i].name, &value);
		assert_int_equal(found, rows[i].value != NULL);
		if (found)
			assert_span(value, rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_utf8),
	    cmocka_unit_test(test_utf8_cut), cmocka_unit_test(test_fold),
	    cmocka_unit_test(test_fold_everywhere), cmocka_unit_test(test_names),
	    cmocka_unit_test(test_long_names), cmocka_unit_test(test_media_types),
	    cmocka_unit_test(test_globs), cmocka_unit_test(test_parameters)};
	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
