/*
 * text_test.c: faults, spans, numbers, times and digests, and what the world sends in their
 * place. Characters, names and media types are in name_test.c, settings and log in config_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "shared/digest.h"
#include "shared/fault.h"
#include "shared/text.h"
#include "table.h"

/* ---- faults ---------------------------------------------------------------------------------- */

static void test_faults(void **state)
{
	assert_int_equal(fault_status(FAULT_NONE), 200);
	assert_string_equal(fault_slug(FAULT_NONE), "");
	for (int f = 1; f < FAULT_COUNT; f++) {
		assert_in_range(fault_status(f), 400, 507);
		assert_true(fault_slug(f)[0] && fault_title(f)[0] && fault_sentence(f)[0]);
		for (int other = 1; other < f; other++)
			if (fault_status(f) == fault_status(other) || strcmp(fault_slug(f), "locked") != 0)
				assert_string_not_equal(fault_slug(f), fault_slug(other));
	}
	assert_string_equal(fault_slug(FAULT_LENGTH_REQUIRED), "length_required");
	assert_string_equal(fault_title(FAULT_LENGTH_REQUIRED), "Length Required");
	assert_int_equal(fault_status((enum fault)9999), 500);
	assert_int_equal(fault_of_errno(ENOSPC), FAULT_NO_SPACE);
	assert_int_equal(fault_of_errno(EDQUOT), FAULT_NO_SPACE);
	assert_int_equal(fault_of_errno(EIO), FAULT_INTERNAL);
}

static void test_refuse(void **state)
{
	struct refusal why;
	char flood[2000];
	memset(&why, 0xAA, sizeof why);
	refusal_clear(&why);
	assert_int_equal(why.fault, FAULT_NONE);
	assert_true(why.upload_offset == -1 && why.provided_offset == -1 && why.max_bytes == 0);
	why.max_bytes = 7;
	assert_int_equal(refuse(&why, FAULT_TOO_LARGE, "%d is over %d", 8, 7), FAULT_TOO_LARGE);
	assert_string_equal(refusal_detail(&why), "8 is over 7");
	assert_int_equal(why.max_bytes, 7);
	refuse(&why, FAULT_BUSY, NULL);
	assert_string_equal(refusal_detail(&why), fault_sentence(FAULT_BUSY));
	refuse(&why, FAULT_BAD_REQUEST, "name %s", "\xFFx");
	assert_string_equal(why.detail, "name \xEF\xBF\xBDx");
	for (size_t i = 0; i + 2 < sizeof flood; i += 2)
		memcpy(flood + i, "\xC3\x9C", 3);
	refuse(&why, FAULT_BAD_REQUEST, "%s", flood);
	assert_true(text_is_utf8(span_of(why.detail)));
	assert_int_equal(strlen(why.detail), sizeof why.detail - 2); /* whole characters: even */
	assert_int_equal(refuse(NULL, FAULT_LOCKED, "x"), FAULT_LOCKED);
}

/* ---- spans, numbers, escapes ----------------------------------------------------------------- */

static void test_spans(void **state)
{
	char room[4];
	assert_null(span_of(NULL).at);
	assert_span(span_trim(S(" \t a b\t ")), "a b");
	assert_int_equal(span_trim(S(" \t ")).len, 0);
	assert_true(span_is(S("ab"), "ab") && !span_is(S("ab"), "a") && !span_is(S("a"), "ab"));
	assert_true(span_is(S(""), "") && !span_is((struct span){0}, ""));
	assert_false(span_is(S("a\0"), "a"));
	assert_true(span_is_nocase(S("ChUnKed"), "chunked") && !span_is_nocase(S("a["), "a{"));
	assert_true(span_starts_nocase(S("BEARER x"), "bearer "));
	assert_false(span_starts_nocase(S("bear"), "bearer"));
	struct span rest = S("a,,b,");
	assert_span(span_cut(&rest, ','), "a");
	assert_span(span_cut(&rest, ','), "");
	assert_span(span_cut(&rest, ','), "b");
	assert_true(rest.at && rest.len == 0);
	assert_span(span_cut(&rest, ','), "");
	assert_null(rest.at);
	assert_null(span_cut(&rest, ',').at);
	assert_string_equal(span_copy(room, sizeof room, S("abcdef")), "abc");
	assert_string_equal(span_copy(room, sizeof room, (struct span){0}), "");
}

static void test_scratch(void **state)
{
	char room[8];
	struct scratch s = {room, 0, sizeof room};
	assert_ptr_equal(scratch_take(&s, 8), room);
	assert_non_null(scratch_take(&s, 0));
	assert_null(scratch_take(&s, 1));
	assert_null(scratch_take(&s, SIZE_MAX));
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.", "1,0",
	    "\xD9\xA1", "9223372036854775808", "18446744073709551617",
	    "99999999999999999999999999"};
	int64_t n = -1;
	EACH(i, bad) assert_false(text_number(span_of(bad[i]), &n));
	assert_false(text_number((struct span){0}, &n) || text_number(S("1\0"), &n));
	assert_int_equal(n, -1);
	assert_true(text_number(S("0"), &n) && n == 0);
	assert_true(text_number(S("000000000000000000000000042"), &n) && n == 42);
	assert_true(text_number(S("9223372036854775807"), &n) && n == INT64_MAX);
}

static void test_percent(void **state)
{
	static const char *const bad[] = {"%", "a%", "%4", "%4g", "%g4", "%%41", "% 1"};
	char room[64], code[64];
	struct scratch s = {room, 0, sizeof room};
	struct span out;
	assert_true(text_percent_decode(S("a%20b%2F+%00%c3%9C"), false, &s, &out));
	assert_int_equal(out.len, 8);
	assert_memory_equal(out.at, "a b/+\0\xC3\x9C", 8);
	assert_int_equal(s.used, 8);
	assert_true(text_percent_decode(S("a+b%2B"), true, &s, &out));
	assert_span(out, "a b+");
	assert_true(text_percent_decode(S(""), true, &s, &out) && out.at && out.len == 0);
	size_t used = s.used;
	EACH(i, bad) assert_false(text_percent_decode(span_of(bad[i]), false, &s, &out));
	assert_int_equal(s.used, used);
	s.size = used + 2;
	assert_false(text_percent_decode(S("abc"), false, &s, &out));
	assert_int_equal(text_percent_encode(code, sizeof code, S("aZ9-._~ /\0\xFF%")), 7 + 15);
	assert_string_equal(code, "aZ9-._~%20%2F%00%FF%25");
	assert_int_equal(text_percent_encode(code, 5, S("ab/c")), 6);
	assert_string_equal(code, "ab"); /* no escape is cut in two, nothing follows a gap */
	assert_int_equal(text_percent_encode(NULL, 0, S("/")), 3);
}

static void test_ids(void **state)
{
	uint8_t zero[17] = {0}, ones[17], odd[17] = {0}, back[2];
	char id[ID_LEN + 1], hex[5];
	memset(ones, 0xFF, sizeof ones);
	odd[0] = 0x08;	/* bit 4 of the stream: the first character's last */
	odd[16] = 0x40; /* bit 129, the last that counts */
	text_id(zero, id);
	assert_string_equal(id, "00000000000000000000000000");
	text_id(ones, id);
	assert_string_equal(id, "zzzzzzzzzzzzzzzzzzzzzzzzzz");
	text_id(odd, id);
	assert_string_equal(id, "10000000000000000000000001");
	assert_true(text_is_id(span_of(id)));
	assert_false(text_is_id(S("1000000000000000000000000")));
	assert_false(text_is_id(S("100000000000000000000000010")));
	assert_false(text_is_id(S("1000000000000000000000000Z")));
	assert_false(text_is_id(S("1000000000000000000000000u")));
	assert_false(text_is_id(S("1000000000000000000000000\0")));
	text_hex((const uint8_t *)"\x0f\xa0", 2, hex);
	assert_string_equal(hex, "0fa0");
	assert_true(text_unhex(S("0FA0"), back, 2) && back[0] == 0x0f && back[1] == 0xa0);
	assert_false(text_unhex(S("0FA"), back, 2) || text_unhex(S("0FA0A0"), back, 2));
	assert_false(text_unhex(S("0FAg"), back, 2));
}

/* ---- times and amounts ----------------------------------------------------------------------- */

static void test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"1970-01-01T00:00:00Z", 0}, {"2026-11-22T11:33:00.123Z", 1795347180123},
	    {"2026-11-22t12:33:00.1239999999+01:00", 1795347180123},
	    {"2026-11-22T00:33:00.1-11:00", 1795347180100}, {"2000-02-29T00:00:00z", 951782400000},
	    {"1990-12-31T23:59:60Z", 662688000000}, {"1969-12-31T23:59:59.999Z", -1},
	    {"0000-01-01T00:00:00Z", -62167219200000},
	    {"9999-12-31T23:59:59.999Z", 253402300799999},
	    {"2026-01-01T00:00:00-00:00", 1767225600000}};
	static const char *const bad[] = {"", "2026-11-22", "2026-02-30T00:00:00Z",
	    "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
	    "2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z",
	    "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "2026-01-01T00:00:00",
	    "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+24:00",
	    "2026-01-01T00:00:00+01:60", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00 01:00",
	    "2026-01-01 00:00:00Z", "2026-1-01T00:00:00Z", "+026-01-01T00:00:00Z",
	    "2026-01-01T00:00:00Zx", "02026-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00Z"};
	int64_t ms;
	EACH(i, good)
	{
		assert_true(text_parse_time(span_of(good[i].text), &ms));
		assert_int_equal(ms, good[i].ms);
	}
	EACH(i, bad) assert_false(text_parse_time(span_of(bad[i]), &ms));
}

static void test_http_dates(void **state)
{
	static const char *const bad[] = {"", "Sun, 06 Nov 1994 08:49:37",
	    "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
	    "Xxx, 06 Nov 1994 08:49:37 GMT", "sun, 06 nov 1994 08:49:37 GMT",
	    "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
	    "Sun Nov 06 08:49:37 94", "784111777"};
	char text[32];
	int64_t ms;
	text_http_date(784111777999, text);
	assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_true(text_parse_http_date(span_of(text), &ms) && ms == 784111777000);
	assert_true(text_parse_http_date(S("Sunday, 06-Nov-94 08:49:37 GMT"), &ms));
	assert_int_equal(ms, 784111777000);
	assert_true(text_parse_http_date(S("Sun Nov  6 08:49:37 1994"), &ms));
	assert_int_equal(ms, 784111777000);
	assert_true(text_parse_http_date(S("Wed Nov 16 08:49:37 1994"), &ms));
	EACH(i, bad) assert_false(text_parse_http_date(span_of(bad[i]), &ms));
}

/* Against the C library, over eight thousand years and all the days of some. */
static void test_calendar(void **state)
{
	for (int64_t ms = -30000000000000; ms < 250000000000000; ms += 999999937) {
		char text[32], date[32], other[64];
		int64_t back;
		time_t seconds = ms / 1000 - (ms % 1000 < 0);
		struct tm tm;
		gmtime_r(&seconds, &tm);
		text_time(ms, text);
		strftime(other, sizeof other, "%Y-%m-%dT%H:%M:%S", &tm);
		assert_memory_equal(text, other, 19);
		assert_true(text_parse_time(span_of(text), &back) && back == ms);
		text_http_date(ms, date);
		strftime(other, sizeof other, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		assert_string_equal(date, other);
		assert_true(text_parse_http_date(span_of(date), &back));
		assert_int_equal(back, (int64_t)seconds * 1000);
	}
	char text[32];
	text_time(INT64_MAX, text); /* what no calendar knows must still fit */
	text_time(INT64_MIN, text);
	text_http_date(INT64_MIN, text);
}

static void test_amounts(void **state)
{
	static const char *const bad_sizes[] = {"", "K", "1 KB", "KB", "1iB", "1B", "1Ki", "1KBB", "1KiBB", "1iKB", "8388608TiB",
	    "9007199254740992kb", "1 K", "-1", "1.5G", "1P", "KK",
	    "9223372036854775808", "8388608T", "9007199254740992K"};
	static const char *const bad_durations[] = {"", "s", "1ms", "1S", "90", "1", "1 s", " 1s", "1s ", "00001", "-1s", "1.5h",
	    "1w", "9223372036854776", "106751991168d", "1h30m"};
	int64_t n;
	EACH(i, bad_sizes) assert_false(text_size(span_of(bad_sizes[i]), &n));
	EACH(i, bad_durations) assert_false(text_duration(span_of(bad_durations[i]), &n));
	assert_true(text_size(S("0"), &n) && n == 0);
	assert_true(text_size(S("10G"), &n) && n == 10737418240);
	assert_true(text_size(S("64m"), &n) && n == 67108864);
	assert_true(text_size(S("1k"), &n) && n == 1024);
	assert_true(text_size(S("8388607T"), &n) && n == 8388607 * (INT64_C(1) << 40));
	static const char *const gigabytes[] = {"10gb", "10GB", "10Gb", "10GiB", "10gib", "10GIB"};
	EACH(i, gigabytes)
		assert_true(text_size(span_of(gigabytes[i]), &n) && n == 10737418240);
	assert_true(text_size(S("2KB"), &n) && n == 2048);
	assert_true(text_size(S("3MiB"), &n) && n == 3 << 20);
	assert_true(text_size(S("8388607TiB"), &n) && n == 8388607 * (INT64_C(1) << 40));
	assert_true(text_size(S("9223372036854775807"), &n) && n == INT64_MAX);
	assert_true(text_duration(S("0"), &n) && n == 0);
	assert_true(text_duration(S("00"), &n) && n == 0);
	assert_true(text_duration(S("90s"), &n) && n == 90000);
	assert_true(text_duration(S("60s"), &n) && n == 60000);
	assert_true(text_duration(S("5m"), &n) && n == 300000);
	assert_true(text_duration(S("24h"), &n) && n == 86400000);
	assert_true(text_duration(S("30d"), &n) && n == 2592000000);
}

/* ---- digests --------------------------------------------------------------------------------- */

static void test_digests(void **state)
{
	static const struct {
		enum digest_algorithm algorithm;
		size_t len;
		const char *abc; /* FIPS 180-4, RFC 1321 */
	} rows[] = {{DIGEST_MD5, 16, "900150983cd24fb0d6963f7d28e17f72"},
	    {DIGEST_SHA1, 20, "a9993e364706816aba3e25717850c26c9cd0d89d"},
	    {DIGEST_SHA256, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	    {DIGEST_SHA512, 64,
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"}};
	EACH(i, rows)
	{
		struct digest d, copy;
		uint8_t value[64], again[64];
		char hex[129];
		assert_int_equal(digest_length(rows[i].algorithm), rows[i].len);
		digest_start(&d, rows[i].algorithm);
		digest_add(&d, "a", 1);
		digest_add(&d, NULL, 0);
		memcpy(&copy, &d, sizeof d); /* as it would be stored and gone on with */
		digest_add(&copy, "bc", 2);
		digest_end(&copy, value);
		text_hex(value, rows[i].len, hex);
		assert_string_equal(hex, rows[i].abc);
		digest_of(rows[i].algorithm, "abc", 3, again);
		assert_true(digest_same(value, again, rows[i].len));
		again[rows[i].len - 1] ^= 1;
		assert_false(digest_same(value, again, rows[i].len));
	}
	assert_int_equal(digest_length(DIGEST_NONE), 0);
	assert_true(digest_same(NULL, NULL, 0));
}

static void test_base64(void **state)
{
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
	    {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
	static const char *const bad[] = {"Zg", "Zg=", "Z",
	    "Zg==Zg==", "Zh==", "Zm9=", "Z g==", "Zg= =", " Zg==", "Zg==\n", "Zm9v\n\n\n\n",
	    "====", "=", "Zg==    ", "Zm-_", "Zm\xC3\xBC", "Z===", "Zm8==", "Zm8=\t\t\t\t", "    "};
	EACH(i, pairs)
	{
		uint8_t back[8];
		char text[16];
		size_t len = 99, size = strlen(pairs[i][0]);
		base64_encode((const uint8_t *)pairs[i][0], size, text);
		assert_string_equal(text, pairs[i][1]);
		assert_true(base64_decode(span_of(text), back, size, &len));
		assert_int_equal(len, size);
		assert_memory_equal(back, pairs[i][0], size);
		if (size)
			assert_false(base64_decode(span_of(text), back, size - 1, &len));
	}
	EACH(i, bad)
	{
		uint8_t back[16];
		size_t len;
		assert_false(base64_decode(span_of(bad[i]), back, sizeof back, &len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults),
	    cmocka_unit_test(test_refuse), cmocka_unit_test(test_spans),
	    cmocka_unit_test(test_scratch), cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_percent), cmocka_unit_test(test_ids),
	    cmocka_unit_test(test_times), cmocka_unit_test(test_http_dates),
	    cmocka_unit_test(test_calendar), cmocka_unit_test(test_amounts),
	    cmocka_unit_test(test_digests), cmocka_unit_test(test_base64)};
	return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
