/* range_test.c: ranges and conditions. */
#include "content.h"

/* Range -> status, Content-Range (or NULL), body (NULL: not looked at). */
static const struct {
	const char *range;
	int status;
	const char *content_range, *body;
} singles[] = {
    {"bytes=0-4", 206, "bytes 0-4/26", "abcde"},
    {"bytes=0-0", 206, "bytes 0-0/26", "a"},
    {"bytes=25-", 206, "bytes 25-25/26", "z"},
    {"bytes=-3", 206, "bytes 23-25/26", "xyz"},
    {"bytes=-99", 206, "bytes 0-25/26", alphabet},
    {"bytes=20-999", 206, "bytes 20-25/26", "uvwxyz"},
    {"bytes=20-99999999999999999999999", 206, "bytes 20-25/26", "uvwxyz"},
    {"BYTES=0-1", 206, "bytes 0-1/26", "ab"},
    {"bytes= 0-1 , ,", 206, "bytes 0-1/26", "ab"},
    {"bytes=0-5,3-9", 206, "bytes 0-9/26", "abcdefghij"},     /* overlapping: one */
    {"bytes=0-3,6-9,2-7", 206, "bytes 0-9/26", "abcdefghij"}, /* and bridging */
    {"bytes=99-,3-4", 206, "bytes 3-4/26", "de"},	      /* only one lies inside */
    {"bytes=26-", 416, "bytes */26", NULL},
    {"bytes=99-100,-0", 416, "bytes */26", NULL},
    {"bytes=99999999999999999999999-", 416, "bytes */26", NULL},
    {"bytes=5-3", 200, NULL, alphabet},
    {"bytes=", 200, NULL, alphabet},
    {"bytes=-", 200, NULL, alphabet},
    {"bytes=,", 200, NULL, alphabet},
    {"bytes=a-b", 200, NULL, alphabet},
    {"bytes=0-1x", 200, NULL, alphabet},
    {"bytes=+0-1", 200, NULL, alphabet},
    {"bytes=0--1", 200, NULL, alphabet},
    {"bytes=0 -1", 200, NULL, alphabet},
    {"bytes=0-1,x", 200, NULL, alphabet},
    {"bytes 0-1", 200, NULL, alphabet},
    {"lines=0-1", 200, NULL, alphabet},
    {"", 200, NULL, alphabet},
};

static void one_range(void **state)
{
	for (size_t i = 0; i < sizeof singles / sizeof *singles; i++) {
		struct scene s;
		char line[80];
		set(&s, 26);
		s.request.header[HEADER_RANGE] = span_trim(span_of(singles[i].range));
		const char *a = answer(&s);
		if (s.r.status != singles[i].status)
			fail_msg("%s: %d", singles[i].range, s.r.status);
		snprintf(line, sizeof line, "Content-Range: %s",
		    singles[i].content_range ? singles[i].content_range : "");
		assert_int_equal(has(a, line), singles[i].content_range != NULL);
		if (singles[i].body) {
			assert_string_equal(body_of(a), singles[i].body);
			snprintf(line, sizeof line, "Content-Length: %zu", strlen(singles[i].body));
			assert_true(has(a, line));
			assert_true(names(a, "Repr-Digest"));
		}
		strike(&s);
	}
}

static void out_of_range_is_a_refusal(void **state)
{
	struct scene s;
	set(&s, 26);
	s.request.header[HEADER_RANGE] = span_trim(span_of("bytes=26-"));
	const char *a = answer(&s);
	assert_int_equal(strncmp(a, "Status: 416 Range Not Satisfiable\r\n", 35), 0);
	assert_true(has(a, "Content-Type: application/problem+json"));
	assert_true(has(a, "Cache-Control: no-store"));
	assert_false(names(a, "Content-Disposition"));
	assert_false(names(a, "Repr-Digest"));
	assert_non_null(strstr(body_of(a), "\"error\":\"range_not_satisfiable\""));
	strike(&s);
}

static void several_ranges_are_multipart(void **state)
{
	static const char expected[] = "\r\n--" BOUNDARY "\r\nContent-Type: text/plain\r\n"
				       "Content-Range: bytes 20-24/26\r\n\r\nuvwxy"
				       "\r\n--" BOUNDARY "\r\nContent-Type: text/plain\r\n"
				       "Content-Range: bytes 0-9/26\r\n\r\nabcdefghij"
				       "\r\n--" BOUNDARY "\r\nContent-Type: text/plain\r\n"
				       "Content-Range: bytes 10-10/26\r\n\r\nk"
				       "\r\n--" BOUNDARY "--\r\n";
	struct scene s;
	char line[80];
	set(&s, 26);
	s.request.header[HEADER_RANGE] = span_trim(span_of("bytes=20-24, 0-9,10-10")); /* in the order asked for */
	const char *a = answer(&s);
	assert_int_equal(strncmp(a, "Status: 206 Partial Content\r\n", 29), 0);
	assert_true(has(a, "Content-Type: multipart/byteranges; boundary=" BOUNDARY));
	snprintf(line, sizeof line, "Content-Length: %zu", sizeof expected - 1);
	assert_true(has(a, line));
	assert_false(names(a, "Content-Range"));
	assert_string_equal(body_of(a), expected);
	strike(&s);
}

static void too_many_ranges_are_ignored(void **state)
{
	char range[RANGES_MAX * 4 + 16] = "bytes=0-0";
	for (unsigned i = 1; i < RANGES_MAX; i++)
		strcat(range, ",0-0");
	struct scene s;
	set(&s, 26);
	s.request.header[HEADER_RANGE] = span_trim(span_of(range));
	assert_string_equal(body_of(answer(&s)), "a");
	strike(&s);

	strcat(range, ",0-0");
	set(&s, 26);
	s.request.header[HEADER_RANGE] = span_trim(span_of(range));
	const char *a = answer(&s);
	assert_int_equal(s.r.status, 200);
	assert_true(has(a, "Accept-Ranges: none")); /* lighttpd would slice it all the same */
	strike(&s);
}

static void if_range(void **state)
{
	static const struct {
		const char *validator;
		int status;
	} rows[] = {{ETAG, 206}, {MODIFIED, 206}, {"W/" ETAG, 200}, {"\"other\"", 200},
	    {"Sun, 06 Nov 1994 08:49:38 GMT", 200}, {"*", 200}, {"", 206}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scene s;
		set(&s, 26);
		s.request.header[HEADER_RANGE] = span_trim(span_of("bytes=0-1"));
		s.request.header[HEADER_IF_RANGE] = span_trim(span_of(rows[i].validator));
		const char *a = answer(&s);
		assert_int_equal(s.r.status, rows[i].status);
		assert_true(has(a, "Accept-Ranges: bytes"));
		strike(&s);
	}
}

static void conditions(void **state)
{
	static const struct {
		const char *tags, *since;
		int status;
	} rows[] = {
	    {ETAG, NULL, 304}, {"W/" ETAG, NULL, 304}, {"*", NULL, 304},
	    {"\"a,b\", \"x\" ,W/" ETAG, NULL, 304}, {"\"other\"", NULL, 200},
	    {"\"a" HEX "\"", NULL, 200},
	    {"\"x," ETAG, NULL, 200}, /* inside a quote that never ends */
	    {HEX, NULL, 200}, {NULL, MODIFIED, 304}, {NULL, "Sun, 06 Nov 1994 08:49:38 GMT", 304},
	    {NULL, "Sun, 06 Nov 1994 08:49:36 GMT", 200}, {NULL, "yesterday", 200},
	    {"\"other\"", MODIFIED, 200}, /* If-None-Match goes first */
	};
	for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
		struct scene s;
		set(&s, 26);
		s.request.method = i % 2 ? METHOD_HEAD : METHOD_GET;
		s.request.header[HEADER_IF_NONE_MATCH] = span_trim(span_of(rows[i / 2].tags));
		s.request.header[HEADER_IF_MODIFIED_SINCE] = span_trim(span_of(rows[i / 2].since));
		const char *a = answer(&s);
		if (s.r.status != rows[i / 2].status)
			fail_msg("row %zu: %d", i / 2, s.r.status);
		assert_true(has(a, "ETag: " ETAG));
		if (s.r.status == 304) {
			assert_string_equal(body_of(a), "");
			assert_false(names(a, "Content-Type"));
			assert_false(names(a, "Content-Length"));
			assert_true(names(a, "Vary") && names(a, "Cache-Control"));
		}
		strike(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_range), cmocka_unit_test(out_of_range_is_a_refusal),
	    cmocka_unit_test(several_ranges_are_multipart),
	    cmocka_unit_test(too_many_ranges_are_ignored), cmocka_unit_test(if_range),
	    cmocka_unit_test(conditions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
