/*
 * form_test.c: forms through the pump: files to the hands, fields collected, both counted.
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
		assert_int_equal(r.fields.bytes, 4 + 6 + 4 + 1 + 9 + 5);
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

static void fields_are_weighed_with_their_names(void **state)
{
	static struct run r;
	for (size_t extra = 0; extra < 2; extra++) {
		append_text(
		    FILE_PART("a", "x") FIELD_PART("12345", "67890") CD "name=\"abcdef\"\r\n\r\n");
		append_run('v', FIELDS_BYTES - 16 + extra);
		append_text("\r\n" CLOSE);
		start(&r, text, text_len);
		memory_cut(&r.m, 1000);
		assert_int_equal(pour_form(&r), extra ? FAULT_FIELDS_TOO_LARGE : FAULT_NONE);
		if (extra)
			assert_says(&r, FAULT_FIELDS_TOO_LARGE, "65536 bytes");
		else
			assert_int_equal(r.fields.at[1].value.len, FIELDS_BYTES - 16);
		stop(&r);
		clear_text();
	}
}

static void a_field_keeps_its_nuls(void **state)
{
	static const char body[] = FIELD_PART("n", "a\0b") FILE_PART("a", "x") CLOSE;
	static struct run r;
	start(&r, body, sizeof body - 1);
	assert_int_equal(pour_form(&r), FAULT_NONE);
	assert_int_equal(r.fields.at[0].value.len, 3);
	assert_memory_equal(r.fields.at[0].value.at, "a\0b", 3);
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
	    cmocka_unit_test(fields_are_weighed_with_their_names),
	    cmocka_unit_test(a_field_keeps_its_nuls),
	    cmocka_unit_test(a_bad_content_type_reads_nothing),
	    cmocka_unit_test(a_form_must_have_its_length),
	    cmocka_unit_test(bytes_behind_the_form_are_within_its_length),
	    cmocka_unit_test(bad_multipart_does_not_wait),
	    cmocka_unit_test(a_form_has_a_digest_as_well),
	};
	return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
