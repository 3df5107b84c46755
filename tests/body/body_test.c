/*
 * body_test.c: the pump: lengths, faults, reads, digests. Forms: form_test.c; the machine:
 * multipart_test.c.
 */
#include "pour.h"

/* ---- lengths --------------------------------------------------------------------------------- */

static void a_raw_body_must_have_its_length(void **state)
{
	static struct run r;
	for (int off = -2; off <= 2; off++) {
		start(&r, "hello", 5);
		memory_cut(&r.m, 2);
		r.grant.length += off;
		assert_int_equal(pour_raw(&r), off == 0 ? FAULT_NONE : FAULT_INCOMPLETE_BODY);
		/* What came is handed on, up to the declared length; it only ends when all is well.
		 */
		assert_int_equal(r.events.ends, off == 0);
		assert_int_equal(r.events.len,
		    strlen("{file - \"raw\" -:hello}") - (off != 0) + (off < 0 ? off : 0));
		stop(&r);
	}
	start(&r, "hello", 5);
	r.grant.length = 3;
	assert_int_equal(pour_raw(&r), FAULT_INCOMPLETE_BODY);
	assert_says(&r, FAULT_INCOMPLETE_BODY, "declared 3 bytes: at least 5 came");
	stop(&r);
}

static void nothing_is_a_body_too(void **state)
{
	static struct run r;
	start(&r, "", 0);
	assert_int_equal(pour_raw(&r), FAULT_NONE);
	assert_string_equal(r.events.text, "{file - \"raw\" -:}");
	stop(&r);
	start(&r, "", 0);
	assert_int_equal(pour_form(&r), FAULT_BAD_MULTIPART);
	stop(&r);
}

static void an_unknown_length_is_cut_off(void **state)
{
	static struct run r;
	for (int most = 4; most <= 6; most++) {
		start(&r, "hello", 5);
		memory_cut(&r.m, 1);
		r.grant.length = -1;
		r.grant.max_bytes = most;
		assert_int_equal(pour_raw(&r), most < 5 ? FAULT_TOO_LARGE : FAULT_NONE);
		assert_int_equal(r.why.max_bytes, most < 5 ? 4 : 0);
		assert_int_equal(r.events.ends, most >= 5);
		stop(&r);
	}
	append_run('x', 1000000);
	start(&r, text, text_len);
	memory_cut(&r.m, 10000);
	r.grant.length = -1;
	r.grant.max_bytes = 100000;
	assert_int_equal(pour_raw(&r), FAULT_TOO_LARGE);
	assert_true(r.m.at < 100000 + 2 * BODY_BUFFER); /* the rest is not waited for */
	stop(&r);
	clear_text();
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void a_body_that_breaks_off_is_kept_so_far(void **state)
{
	static const enum fault faults[] = {FAULT_INCOMPLETE_BODY, FAULT_BODY_TIMEOUT};
	static struct run r;
	append_run('x', 100000);
	for (size_t i = 0; i < 2; i++) {
		start(&r, text, text_len);
		memory_cut(&r.m, 9000);
		memory_fault(&r.m, 70000, faults[i]);
		assert_int_equal(pour_raw(&r), faults[i]);
		assert_says(&r, faults[i], "70000 of the declared 100000 bytes");
		assert_int_equal(r.events.len, strlen("{file - \"raw\" -:") + 70000);
		assert_int_equal(r.events.ends, 0);
		stop(&r);
	}
	clear_text();
}

static enum fault refuse_write(void *self, const void *bytes, size_t len, struct refusal *why)
{
	return refuse(why, FAULT_TYPE_REFUSED, "not this");
}

static void a_fault_of_the_hands_ends_the_pour(void **state)
{
	static struct run r;
	append_run('x', 1000000);
	start(&r, text, text_len);
	memory_cut(&r.m, 8192);
	struct hands hands = events_hands(&r.events);
	hands.write = refuse_write;
	struct part part = {.is_file = true};
	assert_int_equal(
	    body_pour_raw(&r.m.x, &r.grant, &part, r.buffer, &hands, &r.why), FAULT_TYPE_REFUSED);
	assert_int_equal(r.m.at, 8192); /* nothing is read after it */
	assert_int_equal(r.events.ends, 0);
	stop(&r);
	clear_text();
}

static void a_broken_body_goes_before_what_the_hands_say(void **state)
{
	static struct run r;
	start(&r, "hello", 5);
	memory_fault(&r.m, 3, FAULT_BODY_TIMEOUT);
	memory_cut(&r.m, 1);
	struct hands hands = events_hands(&r.events);
	hands.write = refuse_write;
	struct part part = {.is_file = true};
	enum fault f = body_pour_raw(&r.m.x, &r.grant, &part, r.buffer, &hands, &r.why);
	assert_int_equal(
	    f, FAULT_TYPE_REFUSED); /* the first byte came by itself, and was refused */
	assert_int_equal(r.m.at, 1);
	stop(&r);
	append_run('x', 10000);
	start(&r, text, text_len);
	r.grant.length = 9000;
	f = body_pour_raw(&r.m.x, &r.grant, &part, r.buffer, &hands, &r.why);
	assert_int_equal(f, FAULT_INCOMPLETE_BODY);
	assert_says(&r, FAULT_INCOMPLETE_BODY, "declared 9000 bytes: at least 10000 came");
	stop(&r);
	clear_text();
}

/* ---- reads ----------------------------------------------------------------------------------- */

static void what_a_read_brings_goes_on_at_once(void **state)
{
	static struct run r;
	append_run('x', 30000);
	start(&r, text, text_len);
	const size_t sizes[] = {8192, 8192, 500, 8192};
	memory_cuts(&r.m, sizes, 4);
	memory_fault(&r.m, 8192 + 8192, FAULT_BODY_TIMEOUT);
	assert_int_equal(pour_raw(&r), FAULT_BODY_TIMEOUT);
	assert_says(&r, FAULT_BODY_TIMEOUT, "16384 of the declared 30000");
	assert_int_equal(r.events.writes, 2); /* before the read that stalls */
	assert_int_equal(r.events.len, strlen("{file - \"raw\" -:") + 16384);
	stop(&r);
	clear_text();
}

/* ---- digests --------------------------------------------------------------------------------- */

static void digests_are_compared(void **state)
{
	static const enum digest_algorithm both[] = {DIGEST_SHA256, DIGEST_SHA512};
	static struct run r;
	for (int c = 0; c < 16; c++) { /* algorithm of each claim, truth of each */
		start(&r, "hello", 5);
		memory_cut(&r.m, 2);
		claim(&r, 0, both[c & 1], c & 4 ? "hello" : "hullo");
		claim(&r, 1, both[c >> 1 & 1], c & 8 ? "hello" : "hallo");
		bool good = (c & 12) == 12;
		assert_int_equal(pour_raw(&r), good ? FAULT_NONE : FAULT_DIGEST_MISMATCH);
		assert_int_equal(r.events.ends, good);
		stop(&r);
	}
	start(&r, "hello", 5);
	claim(&r, 1, DIGEST_SHA256, "hullo");
	assert_int_equal(pour_raw(&r), FAULT_DIGEST_MISMATCH);
	assert_says(&r, FAULT_DIGEST_MISMATCH, "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
	assert_says(&r, FAULT_DIGEST_MISMATCH, "sha-256");
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_raw_body_must_have_its_length),
	    cmocka_unit_test(nothing_is_a_body_too),
	    cmocka_unit_test(an_unknown_length_is_cut_off),
	    cmocka_unit_test(a_body_that_breaks_off_is_kept_so_far),
	    cmocka_unit_test(a_fault_of_the_hands_ends_the_pour),
	    cmocka_unit_test(a_broken_body_goes_before_what_the_hands_say),
	    cmocka_unit_test(what_a_read_brings_goes_on_at_once),
	    cmocka_unit_test(digests_are_compared),
	};
	return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}
