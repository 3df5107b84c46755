/*
 * reply_test.c: status lines, headers, refusals and pages through an in-memory exchange.
 */
#include "answer.h"

/* ---- status line and headers ----------------------------------------------------------------- */

static void plain_answer(void **state)
{
	struct scene s;
	set(&s);
	assert_int_equal(reply_send(&s.r, 200, "text/plain", "hello", 5), FAULT_NONE);
	assert_string_equal(memory_answer(&s.m),
	    "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nVary: Origin\r\n\r\n"
	    "hello");
	assert_int_equal(s.r.status, 200);
	assert_int_equal(s.r.sent, 5);
	/* Only one answer goes out. */
	assert_int_equal(reply_send(&s.r, 500, "text/plain", "no", 2), FAULT_INTERNAL);
	assert_string_equal(body_of(&s), "hello");
	assert_int_equal(s.r.status, 200);
	strike(&s);
}

static void no_body_where_none_belongs(void **state)
{
	static const int statuses[] = {204, 304};
	for (size_t i = 0; i < 2; i++) {
		struct scene s;
		set(&s);
		reply_send(&s.r, statuses[i], "text/plain", "hello", 5);
		assert_string_equal(body_of(&s), "");
		assert_no_header(&s, "Content-Type");
		assert_no_header(&s, "Content-Length");
		strike(&s);
	}
	struct scene s;
	set(&s);
	s.request.method = METHOD_HEAD;
	reply_send(&s.r, 200, "text/plain", "hello", 5);
	assert_string_equal(body_of(&s), "");
	assert_header(&s, "Content-Length", "5");
	assert_int_equal(s.r.sent, 0);
	strike(&s);
}

/* lighttpd would apply it to any 200, or refuse what it cannot read. */
static void range_is_for_files(void **state)
{
	struct scene s;
	set(&s);
	s.request.header[HEADER_RANGE] = span_trim(span_of("bytes=x"));
	reply_record(&s.r, &s.file[0]);
	assert_header(&s, "Accept-Ranges", "none");
	strike(&s);
}

static void headers_cannot_be_split(void **state)
{
	struct scene s;
	set(&s);
	reply_header(&s.r, "X-Name", "%s", "a\r\nSet-Cookie: b\n\tc\x7f\x01");
	reply_empty(&s.r, 204);
	assert_header(&s, "X-Name", "a  Set-Cookie: b  c  ");
	assert_no_header(&s, "Set-Cookie");
	strike(&s);
}

static void headers_that_do_not_fit_are_left_out(void **state)
{
	struct scene s;
	char *large = malloc(REPLY_HEADERS);
	memset(large, 'x', REPLY_HEADERS - 1);
	large[REPLY_HEADERS - 1] = '\0';
	for (size_t len = REPLY_HEADERS - 2040; len > REPLY_HEADERS - 2100; len--) {
		set(&s);
		large[len] = '\0';
		reply_header(&s.r, "X-Large", "%s", large);
		reply_header(&s.r, "X-Small", "1");
		reply_send(&s.r, 200, "text/html", "x", 1);
		assert_true(s.r.used + 2 <= REPLY_HEADERS);
		assert_header(&s, "X-Content-Type-Options", "nosniff"); /* never crowded out */
		assert_non_null(value_of(&s, "Content-Security-Policy"));
		assert_string_equal(body_of(&s), "x");
		strike(&s);
	}
	free(large);
}

static void callers_headers_go_first(void **state)
{
	struct scene s;
	set(&s);
	reply_header(&s.r, "cache-control", "max-age=60");
	reply_empty(&s.r, 204);
	assert_header(&s, "cache-control", "max-age=60");
	assert_no_header(&s, "Cache-Control");
	strike(&s);
}

static void other_sites_may_read(void **state)
{
	struct scene s;
	struct refusal why;
	refusal_clear(&why);
	refuse(&why, FAULT_OFFSET_CONFLICT, NULL);
	set(&s);
	s.request.origin = span_of("https://example.org");
	reply_refuse(&s.r, &why); /* not allowed: no headers */
	assert_no_header(&s, "Access-Control-Allow-Origin");
	strike(&s);

	set(&s);
	s.request.origin = span_of("https://example.org");
	s.request.origin_allowed = true;
	s.request.protocol = PROTOCOL_TUS;
	reply_refuse(&s.r, &why);
	assert_header(&s, "Access-Control-Allow-Origin", "https://example.org");
	assert_header(&s, "Vary", "Accept, Origin");
	assert_header(&s, "Tus-Resumable", "1.0.0");
	const char *exposed = value_of(&s, "Access-Control-Expose-Headers");
	assert_non_null(exposed);
	static const char *const each[] = {"Location", "Upload-Offset", "Upload-Length",
	    "Upload-Expires", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat",
	    "Upload-Complete", "Upload-Limit", "Upload-Draft-Interop-Version", "Tus-Version",
	    "Tus-Resumable", "Tus-Max-Size", "Tus-Extension", "Tus-Checksum-Algorithm",
	    "Repr-Digest", "Content-Digest", "Waybill-File"};
	for (size_t i = 0; i < sizeof each / sizeof *each; i++)
		assert_non_null(strstr(exposed, each[i]));
	strike(&s);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void problem_is_exact(void **state)
{
	struct scene s;
	struct refusal why;
	set(&s);
	refusal_clear(&why);
	refuse(&why, FAULT_TOO_LARGE, "\"%s\" is over %d", "ü", 7);
	why.max_bytes = 7;
	reply_refuse(&s.r, &why);
	assert_string_equal(body_of(&s),
	    "{\"type\":\"about:blank\",\"title\":\"Content Too Large\",\"status\":413,"
	    "\"detail\":\"\\\"ü\\\" is over 7\",\"error\":\"too_large\","
	    "\"message\":\"\\\"ü\\\" is over 7\",\"code\":413,\"max_bytes\":7}");
	assert_header(&s, "Content-Type", "application/problem+json");
	assert_header(&s, "Cache-Control", "no-store");
	assert_header(&s, "Vary", "Accept, Origin");
	assert_no_header(&s, "Upload-Offset");
	strike(&s);

	set(&s);
	refusal_clear(&why);
	refuse(&why, FAULT_TYPE_REFUSED, "no \xff");
	strcpy(why.file, "a\nb");
	strcpy(why.detected_type, "application/x-dosexec");
	reply_refuse(&s.r, &why);
	assert_non_null(strstr(body_of(&s), "\"detail\":\"no \xef\xbf\xbd\""));
	assert_non_null(strstr(body_of(&s),
	    "\"code\":415,\"file\":\"a\\nb\",\"detected_type\":\"application/x-dosexec\"}"));
	strike(&s);
}

/* Every fault in every form: status line, slug, and the headers that belong to it. */
static void every_fault(void **state)
{
	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
		struct scene s;
		struct refusal why;
		char line[80];
		set(&s);
		s.request.wants_html = f % 2;
		refusal_clear(&why);
		refuse(&why, f, NULL);
		why.allow = METHOD_DELETE | METHOD_GET | METHOD_OTHER | METHOD_HEAD;
		assert_int_equal(reply_refuse(&s.r, &why), FAULT_NONE);
		int len = snprintf(line, sizeof line, "Status: %d ", fault_status(f));
		assert_int_equal(strncmp(memory_answer(&s.m), line, (size_t)len), 0);
		assert_non_null(strstr(body_of(&s), fault_slug(f)));
		assert_header(&s, "Content-Type",
		    f % 2 ? "text/html; charset=utf-8" : "application/problem+json");
		int status = fault_status(f);
		assert_int_equal(value_of(&s, "Allow") != NULL, status == 405);
		if (status == 405)
			assert_header(&s, "Allow", "GET, HEAD, DELETE");
		assert_int_equal(value_of(&s, "WWW-Authenticate") != NULL, status == 401);
		if (status == 401)
			assert_header(&s, "WWW-Authenticate", "Bearer");
		assert_int_equal(value_of(&s, "Retry-After") != NULL, status == 503);
		assert_int_equal(value_of(&s, "Tus-Version") != NULL, status == 412);
		strike(&s);
	}
}

static void ietf_problems(void **state)
{
	struct scene s;
	struct refusal why;
	refusal_clear(&why);
	refuse(&why, FAULT_OFFSET_CONFLICT, "x");
	why.upload_offset = 5;
	why.provided_offset = 9;
	set(&s);
	s.request.protocol = PROTOCOL_IETF;
	reply_refuse(&s.r, &why);
	assert_string_equal(body_of(&s),
	    "{\"type\":\"https://iana.org/assignments/http-problem-types#mismatching-upload-"
	    "offset\",\"title\":\"Conflict\",\"status\":409,\"detail\":\"x\",\"error\":\"offset_"
	    "conflict\",\"message\":\"x\",\"code\":409,\"expected-offset\":5,\"provided-offset\":"
	    "9}");
	assert_header(&s, "Upload-Offset", "5");
	assert_header(&s, "Upload-Complete", "?0");
	strike(&s);

	set(&s);
	s.request.protocol = PROTOCOL_TUS;
	reply_refuse(&s.r, &why);
	assert_non_null(strstr(body_of(&s), "\"type\":\"about:blank\""));
	assert_null(strstr(body_of(&s), "expected-offset"));
	assert_header(&s, "Upload-Offset", "5");
	assert_no_header(&s, "Upload-Complete");
	strike(&s);

	set(&s);
	s.request.protocol = PROTOCOL_IETF;
	refusal_clear(&why);
	refuse(&why, FAULT_BAD_LENGTH_CLAIM, NULL);
	reply_refuse(&s.r, &why);
	assert_non_null(strstr(body_of(&s), "http-problem-types#inconsistent-upload-length\""));
	strike(&s);
}

static void refusal_before_there_is_a_request(void **state)
{
	struct scene s;
	struct refusal why;
	set(&s);
	refusal_clear(&why);
	refuse(&why, FAULT_BAD_REQUEST, NULL);
	reply_open(&s.r, &s.m.x, NULL);
	assert_int_equal(reply_refuse(&s.r, &why), FAULT_NONE);
	assert_header(&s, "Status", "400 Bad Request");
	assert_header(&s, "Content-Type", "application/problem+json");
	strike(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_answer), cmocka_unit_test(no_body_where_none_belongs),
	    cmocka_unit_test(range_is_for_files), cmocka_unit_test(headers_cannot_be_split),
	    cmocka_unit_test(headers_that_do_not_fit_are_left_out),
	    cmocka_unit_test(callers_headers_go_first), cmocka_unit_test(other_sites_may_read),
	    cmocka_unit_test(problem_is_exact), cmocka_unit_test(every_fault),
	    cmocka_unit_test(ietf_problems), cmocka_unit_test(refusal_before_there_is_a_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
