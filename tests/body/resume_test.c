/* resume_test.c: what the headers of resumable uploads say, and what they must not get away with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body/resume.h"
#include "shared/digest.h"
#include "accept/accept.h"
#include "shared/text.h"

/* An exchange of nothing but variables. */
struct pretend {
	struct exchange x;
	const char *name[8], *value[8];
};

static const char *pretend_env(struct exchange *x, const char *name)
{
	struct pretend *p = (struct pretend *)x;

	for (size_t i = 0; i < 8; i++)
		if (p->name[i] != NULL && strcmp(p->name[i], name) == 0)
			return p->value[i];
	return NULL;
}

/* What accept/ would make of it. */
static const struct request *request_of(struct pretend *p)
{
	static struct request r;

	request_headers(&r, &p->x);
	return &r;
}

#define WITH(...) request_of(&(struct pretend){.x.env = pretend_env, __VA_ARGS__})
#define ONE(n, v) WITH(.name = {n}, .value = {v})
#define TWO(n, v, m, w) WITH(.name = {n, m}, .value = {v, w})

static enum fault tus(const struct request *request, struct tus_headers *h)
{
	struct refusal why;

	refusal_clear(&why);
	enum fault f = tus_read_headers(request, h, &why);
	assert_int_equal(f, why.fault);
	return f;
}

static void tus_without_headers_says_nothing(void **state)
{
	struct tus_headers h;

	assert_int_equal(tus(WITH(.name = {NULL}), &h), FAULT_NONE);
	assert_int_equal(h.offset, -1);
	assert_int_equal(h.length, -1);
	assert_false(h.defer_length);
	assert_null(h.metadata.at);
	assert_int_equal(h.checksum.algorithm, DIGEST_NONE);
	assert_int_equal(h.concat, CONCAT_NONE);
}

static void tus_counts_are_digits_that_fit(void **state)
{
	static const char *const bad[] = {"", "-1", "+1", "0x10", "1.0", "1 2", "1, 1", "1,1",
	    "1e3", "9223372036854775808", "99999999999999999999999", "ten", "1;a"};
	struct tus_headers h;

	assert_int_equal(tus(ONE("HTTP_UPLOAD_OFFSET", "9223372036854775807"), &h), FAULT_NONE);
	assert_int_equal(h.offset, INT64_MAX);
	assert_int_equal(tus(ONE("HTTP_UPLOAD_LENGTH", " 0 "), &h), FAULT_NONE);
	assert_int_equal(h.length, 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(tus(ONE("HTTP_UPLOAD_OFFSET", bad[i]), &h), FAULT_BAD_REQUEST);
		assert_int_equal(tus(ONE("HTTP_UPLOAD_LENGTH", bad[i]), &h), FAULT_BAD_REQUEST);
	}
}

static void tus_defers_only_with_one(void **state)
{
	static const char *const bad[] = {"0", "2", "", "true", "1, 1", "01"};
	struct tus_headers h;

	assert_int_equal(tus(ONE("HTTP_UPLOAD_DEFER_LENGTH", "1"), &h), FAULT_NONE);
	assert_true(h.defer_length);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(
		    tus(ONE("HTTP_UPLOAD_DEFER_LENGTH", bad[i]), &h), FAULT_BAD_REQUEST);
	assert_int_equal(tus(TWO("HTTP_UPLOAD_DEFER_LENGTH", "1", "HTTP_UPLOAD_LENGTH", "5"), &h),
	    FAULT_BAD_REQUEST);
}

static void tus_version_is_exactly_ours(void **state)
{
	assert_true(tus_version_fits(ONE("HTTP_TUS_RESUMABLE", "1.0.0")));
	assert_false(tus_version_fits(ONE("HTTP_TUS_RESUMABLE", "0.2.2")));
	assert_false(tus_version_fits(ONE("HTTP_TUS_RESUMABLE", "1.0.0, 1.0.0")));
	assert_false(tus_version_fits(ONE("HTTP_TUS_RESUMABLE", "")));
	assert_false(tus_version_fits(WITH(.name = {NULL})));
}

static void tus_checksum_is_an_algorithm_and_its_bytes(void **state)
{
	static const char *const bad[] = {"sha1", "sha1 ", "sha1 !!!",
	    "SHA1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "crc32 AAAAAA==",
	    "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "",
	    "Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0", "sha512 AAAA",
	    "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=, sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="};
	struct tus_headers h;
	uint8_t want[20];

	digest_of(DIGEST_SHA1, "hello world", 11, want);
	assert_int_equal(
	    tus(ONE("HTTP_UPLOAD_CHECKSUM", "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="), &h), FAULT_NONE);
	assert_int_equal(h.checksum.algorithm, DIGEST_SHA1);
	assert_memory_equal(h.checksum.value, want, 20);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(tus(ONE("HTTP_UPLOAD_CHECKSUM", bad[i]), &h), FAULT_BAD_REQUEST);
}

#define ID_A "0123456789abcdefghjkmnpqrs"
#define ID_B "zyxwvtsrqpnmkjhgfedcba9876"

static void expect_parts(const char *list, const char *base, const char *const *ids, size_t count)
{
	struct span rest = span_of(list), id;

	for (size_t i = 0; i < count; i++) {
		assert_true(tus_next_part(&rest, span_of(base), &id));
		assert_true(span_is(id, ids[i]));
	}
	assert_false(tus_next_part(&rest, span_of(base), &id));
	assert_null(id.at);
}

static void tus_final_names_its_parts_in_order(void **state)
{
	static const char *const ids[] = {ID_A, ID_B, ID_A};

	expect_parts("/upload/" ID_A " /upload/" ID_B "  /upload/" ID_A, "", ids, 3);
	expect_parts("https://h.example/upload/" ID_A " HTTP://[::1]:8411/upload/" ID_B
		     " /upload/" ID_A "?x#y",
	    "", ids, 3);
	expect_parts("/drop/upload/" ID_A, "/drop", ids, 1);
}

static void tus_final_refuses_foreign_parts(void **state)
{
	static const char *const foreign[] = {"/upload/", "/upload/short", "/other/" ID_A,
	    "upload/" ID_A, "http://h.example", "ftp://h/upload/" ID_A, "/upload/" ID_A "/x",
	    "/drop/upload/" ID_A, "//upload/" ID_A, "/upload/" ID_A "A", "/upload/../" ID_A, "?"};

	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		struct span rest = span_of(foreign[i]), id;
		assert_false(tus_next_part(&rest, span_of(""), &id));
		assert_non_null(id.at);
	}
	struct span rest = span_of("/upload/" ID_A), id;
	assert_false(tus_next_part(&rest, span_of("/drop"), &id));
}

static void tus_concat_is_partial_or_final(void **state)
{
	static const char *const bad[] = {"", "final", "final;", "final; ", "Partial", "partial;/a",
	    "partial, partial", "finale;/upload/x", ";/upload/x"};
	struct tus_headers h;

	assert_int_equal(tus(ONE("HTTP_UPLOAD_CONCAT", "partial"), &h), FAULT_NONE);
	assert_int_equal(h.concat, CONCAT_PARTIAL);
	assert_int_equal(
	    tus(ONE("HTTP_UPLOAD_CONCAT", "final;/upload/a /upload/b"), &h), FAULT_NONE);
	assert_int_equal(h.concat, CONCAT_FINAL);
	assert_true(span_is(h.parts, "/upload/a /upload/b"));
	assert_true(span_is(h.concat_text, "final;/upload/a /upload/b"));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(tus(ONE("HTTP_UPLOAD_CONCAT", bad[i]), &h), FAULT_BAD_REQUEST);
	assert_int_equal(
	    tus(TWO("HTTP_UPLOAD_CONCAT", "final;/upload/a", "HTTP_UPLOAD_LENGTH", "5"), &h),
	    FAULT_BAD_REQUEST);
}

/* ---- IETF ------------------------------------------------------------------------------------ */

static void sf_integers_are_read_or_ignored(void **state)
{
	static const char *const good[] = {"0", "42", "-7", "999999999999999", "007", " 5 ", "1;a",
	    "1;a=b;c=?1", "1; a=\"x\\\"y\"", "1;a=:aGk=:", "1;a=1.5", "1;a=@12"};
	static const int64_t want[] = {0, 42, -7, 999999999999999, 7, 5, 1, 1, 1, 1, 1, 1};
	static const char *const bad[] = {"", " ", "1, 1", "+1", "0x1", "1.0", "1000000000000000",
	    "-", "--1", "a", "?1", "\"1\"", "1 2", "1;", "1;A", "1;a=", "1;a=\"x", "1;a=1.5678",
	    "1;a=@", "1;a=@1.5", "1;a=:x", "1;a=?2", "1;a=1234567890123456", "1 ;a", "\t1"};
	int64_t value;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_true(sf_integer(span_of(good[i]), &value));
		assert_int_equal(value, want[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (sf_integer(span_of(bad[i]), &value))
			fail_msg("accepted: %s", bad[i]);
	assert_false(sf_integer((struct span){NULL, 0}, &value));
}

static void sf_booleans_are_read_or_ignored(void **state)
{
	static const char *const bad[] = {
	    "", "1", "0", "true", "?2", "?", "??1", "?1, ?1", "?10", "? 1", "?1;", "!1"};
	bool value;

	assert_true(sf_boolean(span_of("?1"), &value) && value);
	assert_true(sf_boolean(span_of(" ?0 "), &value) && !value);
	assert_true(sf_boolean(span_of("?1;x=1"), &value) && value);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (sf_boolean(span_of(bad[i]), &value))
			fail_msg("accepted: %s", bad[i]);
}

static void ietf_ignores_bad_fields(void **state)
{
	struct ietf_headers h;

	ietf_read_headers(WITH(.name = {"HTTP_UPLOAD_OFFSET", "HTTP_UPLOAD_LENGTH",
				   "HTTP_UPLOAD_COMPLETE", "HTTP_UPLOAD_DRAFT_INTEROP_VERSION"},
			      .value = {"-1", "ten", "yes", "9"}),
	    &h);
	assert_int_equal(h.offset, -1);
	assert_int_equal(h.length, -1);
	assert_int_equal(h.complete, COMPLETE_UNSAID);
	assert_int_equal(h.interop, 9);
	ietf_read_headers(TWO("HTTP_UPLOAD_OFFSET", "12", "HTTP_UPLOAD_COMPLETE", "?1"), &h);
	assert_int_equal(h.offset, 12);
	assert_int_equal(h.complete, COMPLETE_YES);
	assert_false(h.says_incomplete);
}

static void ietf_understands_interop_3(void **state)
{
	struct ietf_headers h;

	ietf_read_headers(
	    TWO("HTTP_UPLOAD_INCOMPLETE", "?1", "HTTP_UPLOAD_DRAFT_INTEROP_VERSION", "3"), &h);
	assert_int_equal(h.complete, COMPLETE_NO);
	assert_true(h.says_incomplete);
	ietf_read_headers(ONE("HTTP_UPLOAD_INCOMPLETE", "?0"), &h);
	assert_int_equal(h.complete, COMPLETE_YES);
	ietf_read_headers(ONE("HTTP_UPLOAD_DRAFT_INTEROP_VERSION", "3"), &h);
	assert_true(h.says_incomplete);
	assert_int_equal(h.complete, COMPLETE_UNSAID);
}

static void ietf_lengths_must_agree(void **state)
{
	struct ietf_headers no = {.offset = -1, .length = -1, .complete = COMPLETE_NO};
	struct ietf_headers yes = {.offset = -1, .length = -1, .complete = COMPLETE_YES};
	struct ietf_headers ten = {.offset = -1, .length = 10, .complete = COMPLETE_YES};
	struct refusal why;
	int64_t length;

	assert_int_equal(ietf_length(&no, 0, 5, -1, &length, &why), FAULT_NONE);
	assert_int_equal(length, -1);
	assert_int_equal(ietf_length(&no, 0, 5, 10, &length, &why), FAULT_NONE);
	assert_int_equal(length, 10);
	assert_int_equal(ietf_length(&yes, 4, 6, -1, &length, &why), FAULT_NONE);
	assert_int_equal(length, 10);
	assert_int_equal(ietf_length(&ten, 4, 6, 10, &length, &why), FAULT_NONE);
	assert_int_equal(ietf_length(&ten, 4, -1, -1, &length, &why), FAULT_NONE);
	assert_int_equal(length, 10);
	assert_int_equal(ietf_length(&ten, 4, 7, -1, &length, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(ietf_length(&ten, 4, 6, 11, &length, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(ietf_length(&yes, 4, 6, 11, &length, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(
	    ietf_length(&yes, INT64_MAX, 1, -1, &length, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(ietf_length(&no, 11, 0, 10, &length, &why), FAULT_BAD_LENGTH_CLAIM);
}

static void ietf_limits_are_a_dictionary(void **state)
{
	char text[80];

	upload_limit_text(
	    &(struct upload_limit){.max_size = 100, .max_age = 3600}, text, sizeof text);
	assert_string_equal(text, "max-size=100, max-age=3600");
	upload_limit_text(
	    &(struct upload_limit){.max_size = 100, .max_age = -1}, text, sizeof text);
	assert_string_equal(text, "max-size=100");
	upload_limit_text(&(struct upload_limit){.max_size = 0, .max_age = 0}, text, sizeof text);
	assert_string_equal(text, "max-age=0");
	upload_limit_text(&(struct upload_limit){.max_size = 0, .max_age = -1}, text, sizeof text);
	assert_string_equal(text, "min-size=0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tus_without_headers_says_nothing),
	    cmocka_unit_test(tus_counts_are_digits_that_fit),
	    cmocka_unit_test(tus_defers_only_with_one),
	    cmocka_unit_test(tus_version_is_exactly_ours),
	    cmocka_unit_test(tus_checksum_is_an_algorithm_and_its_bytes),
	    cmocka_unit_test(tus_final_names_its_parts_in_order),
	    cmocka_unit_test(tus_final_refuses_foreign_parts),
	    cmocka_unit_test(tus_concat_is_partial_or_final),
	    cmocka_unit_test(sf_integers_are_read_or_ignored),
	    cmocka_unit_test(sf_booleans_are_read_or_ignored),
	    cmocka_unit_test(ietf_ignores_bad_fields),
	    cmocka_unit_test(ietf_understands_interop_3),
	    cmocka_unit_test(ietf_lengths_must_agree),
	    cmocka_unit_test(ietf_limits_are_a_dictionary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
