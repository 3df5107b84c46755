/*
 * fields_test.c: forms through the pump: files to the hands, fields collected, both counted.
 */
#include "pour.h"

static void a_form_pours(void **state)
{
	static const char body[] = FIELD_PART("note", "h\xc3\xa9llo") FILE_PART("a.txt", "AAA")
	    FIELD_PART("note", "\xff") FILE_PART("z", "") FIELD_PART("_charset_", "utf-8") CLOSE;
	static struct run r;
	for (size_t cut = 0; cut < 5; cut++) {
		start(&r, body, sizeof body - 1);
		memory_cut(&r.m, cut);
		assert_int_equal(pour_form(&r), FAULT_NONE);
		assert_string_equal(
		    r.events.text, "{file \"f\" \"a.txt\" -:AAA}{file \"f\" \"z\" -:}");
		assert_int_equal(r.fields.count, 3);
		assert_int_equal(r.fields.bytes,
		    strlen(
			"{\"note\":[\"h\xc3\xa9llo\",\"\xef\xbf\xbd\"],\"_charset_\":\"utf-8\"}"));
		assert_field(&r, 0, "note", "h\xc3\xa9llo");
		assert_field(&r, 1, "note", "\xef\xbf\xbd");
		assert_field(&r, 2, "_charset_", "utf-8");
		stop(&r);
	}
}

static void a_form_needs_a_file(void **state)
{
	static const char empty_input[] = FIELD_PART("a", "b") CD
	    "name=\"f\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n" CLOSE;
	static const char nameless[] = FILE_PART("", "x") CLOSE;
	static struct run r;
	start(&r, empty_input, sizeof empty_input - 1);
	assert_int_equal(pour_form(&r), FAULT_NO_FILE);
	assert_int_equal(r.events.begins, 0);
	stop(&r);
	start(&r, nameless, sizeof nameless - 1);
	assert_int_equal(pour_form(&r), FAULT_NONE);
	assert_string_equal(r.events.text, "{file \"f\" \"\" -:x}");
	stop(&r);
}

static void files_are_counted(void **state)
{
#define THREE FILE_PART("1", "a") FILE_PART("2", "") FILE_PART("", "") FILE_PART("3", "c")
	static const char enough[] = THREE FILE_PART("", "") CLOSE;
	static const char more[] = THREE FILE_PART("4", "never seen") CLOSE;
	static struct run r;
	start(&r, enough, sizeof enough - 1);
	assert_int_equal(pour_form(&r), FAULT_NONE);
	assert_int_equal(r.events.begins, 3);
	stop(&r);
	start(&r, more, sizeof more - 1);
	assert_int_equal(pour_form(&r), FAULT_TOO_MANY_FILES);
	assert_says(&r, FAULT_TOO_MANY_FILES, "more than 3 files");
	assert_int_equal(r.events.begins, 3);
	assert_int_equal(r.events.ends, 3);
	stop(&r);
}

static void fields_are_counted(void **state)
{
	static struct run r;
	for (int extra = 0; extra < 2; extra++) {
		append_text(FILE_PART("a", "x"));
		for (int i = 0; i < FIELDS_MAX + extra; i++)
			append_text(FIELD_PART("n", "v"));
		append_text(CLOSE);
		start(&r, text, text_len);
		assert_int_equal(pour_form(&r), extra ? FAULT_FIELDS_TOO_LARGE : FAULT_NONE);
		assert_int_equal(r.fields.count, FIELDS_MAX);
		if (extra)
			assert_says(&r, FAULT_FIELDS_TOO_LARGE, "more than 64 fields");
		stop(&r);
		clear_text();
	}
}

/* A form of one field, `fill` repeated, that makes {"n":"..."} of `len` bytes. */
static void one_field(struct run *r, char fill, size_t escaped, size_t len)
{
	append_text(FILE_PART("a", "x") CD "name=\"n\"\r\n\r\n");
	append_run(fill, (len - strlen("{\"n\":\"\"}")) / escaped);
	append_text("\r\n" CLOSE);
	start(r, text, text_len);
	memory_cut(&r->m, 1000);
}

static void fields_are_weighed_as_json(void **state)
{
	static const struct {
		char fill;
		size_t escaped;
	} fills[] = {{'v', 1}, {'"', 2}, {'\\', 2}, {'\t', 2}, {'\xff', 3}};
	static struct run r;
	for (size_t i = 0; i < sizeof fills / sizeof *fills; i++)
		for (size_t over = 0; over < 2; over++) {
			size_t step = fills[i].escaped;
			one_field(&r, fills[i].fill, step, FIELDS_BYTES + over * step);
			assert_int_equal(pour_form(&r), over ? FAULT_FIELDS_TOO_LARGE : FAULT_NONE);
			if (over)
				assert_says(&r, FAULT_FIELDS_TOO_LARGE, "65536 bytes");
			else
				assert_in_range(
				    r.fields.bytes, FIELDS_BYTES - step + 1, FIELDS_BYTES);
			stop(&r);
			clear_text();
		}
}

static void names_are_weighed_once(void **state)
{
	static const char body[] = FIELD_PART("a%22", "1") FIELD_PART("b", "") FIELD_PART("a%22", "2")
	    FIELD_PART("a%22", "3") FILE_PART("a", "x") CLOSE;
	static struct run r;
	start(&r, body, sizeof body - 1);
	assert_int_equal(pour_form(&r), FAULT_NONE);
	assert_int_equal(r.fields.bytes, strlen("{\"a\\\"\":[\"1\",\"2\",\"3\"],\"b\":\"\"}"));
	stop(&r);
}

static void a_field_has_no_controls(void **state)
{
	static const char good[] =
	    FIELD_PART("n", "a\tb\r\nc\x7f\xc2\x85") FILE_PART("a", "x") CLOSE;
	static struct run r;
	for (int c = 0; c < 0x20; c++)
		for (int in_name = 0; in_name < 2; in_name++) {
			char bad[] = FIELD_PART("N", "aVb") FILE_PART("a", "x") CLOSE;
			if (c == '\t' || c == '\n' || c == '\r' || (in_name && c == 0))
				continue; /* a NUL in a part's header is refused before */
			*strchr(bad, in_name ? 'N' : 'V') = (char)c;
			start(&r, bad, sizeof bad - 1);
			assert_int_equal(pour_form(&r), FAULT_BAD_MULTIPART);
			stop(&r);
		}
	start(&r, good, sizeof good - 1);
	assert_int_equal(pour_form(&r), FAULT_NONE);
	assert_field(&r, 0, "n", "a\tb\r\nc\x7f\xc2\x85");
	stop(&r);
}

static void a_bad_content_type_reads_nothing(void **state)
{
	static struct run r;
	start(&r, "x", 1);
	struct hands hands = events_hands(&r.events);
	r.fields.count = 7; /* whatever was there is not looked at */
	assert_int_equal(body_pour_form(&r.m.x, &r.grant, span_text("multipart/form-data"),
			     r.buffer, &hands, &r.fields, &r.why),
	    FAULT_BAD_MULTIPART);
	assert_says(&r, FAULT_BAD_MULTIPART, "boundary");
	assert_int_equal(r.m.reads, 0);
	assert_int_equal(r.fields.count, 0);
	stop(&r);
}

static void a_form_must_have_its_length(void **state)
{
	static const char body[] = FILE_PART("a", "AAA") CLOSE;
	static struct run r;
	for (int off = -60; off <= 40; off += 10) {
		start(&r, body, sizeof body - 1);
		r.grant.length -= off;
		enum fault f = pour_form(&r);
		assert_int_equal(f, off == 0 ? FAULT_NONE : FAULT_INCOMPLETE_BODY);
		char declared[32];
		snprintf(
		    declared, sizeof declared, "declared %d bytes", (int)sizeof body - 1 - off);
		if (off != 0)
			assert_says(&r, f, declared);
		snprintf(declared, sizeof declared, "%d ", (int)sizeof body - 1);
		if (off != 0)
			assert_says(&r, f, declared);
		stop(&r);
	}
}

static void bytes_behind_the_form_are_within_its_length(void **state)
{
	static const char body[] = FILE_PART("a", "AAA") CLOSE "epilogue\r\n--b\r\nmore of it";
	static struct run r;
	start(&r, body, sizeof body - 1);
	assert_int_equal(pour_form(&r), FAULT_NONE);
	assert_string_equal(r.events.text, "{file \"f\" \"a\" -:AAA}");
	stop(&r);
}

static void bad_multipart_does_not_wait(void **state)
{
	static struct run r;
	append_text(FILE_PART("a", "x") "--b\r\nno header\r\n\r\n");
	size_t bad = text_len;
	append_run('x', 1000000);
	start(&r, text, text_len);
	size_t sizes[] = {bad, 100};
	memory_cuts(&r.m, sizes, 2);
	assert_int_equal(pour_form(&r), FAULT_BAD_MULTIPART);
	assert_int_equal(r.m.at, bad);
	stop(&r);
	clear_text();
}

static void a_form_has_a_digest_as_well(void **state)
{
	static const char body[] = FILE_PART("a", "AAA") CLOSE;
	static struct run r;
	for (int good = 0; good < 2; good++) {
		start(&r, body, sizeof body - 1);
		memory_cut(&r.m, 7);
		claim(&r, 0, DIGEST_SHA512, good ? body : "x");
		assert_int_equal(pour_form(&r), good ? FAULT_NONE : FAULT_DIGEST_MISMATCH);
		stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_form_pours),
	    cmocka_unit_test(a_form_needs_a_file),
	    cmocka_unit_test(files_are_counted),
	    cmocka_unit_test(fields_are_counted),
	    cmocka_unit_test(fields_are_weighed_as_json),
	    cmocka_unit_test(names_are_weighed_once),
	    cmocka_unit_test(a_field_has_no_controls),
	    cmocka_unit_test(a_bad_content_type_reads_nothing),
	    cmocka_unit_test(a_form_must_have_its_length),
	    cmocka_unit_test(bytes_behind_the_form_are_within_its_length),
	    cmocka_unit_test(bad_multipart_does_not_wait),
	    cmocka_unit_test(a_form_has_a_digest_as_well),
	};
	return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
