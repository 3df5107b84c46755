/* request_test.c: what accept/ makes of a request, case by case. */
#include "asked.h"

/* ---- length ---------------------------------------------------------------------------------- */

static void lengths_are_judged(void **state)
{
	static const struct {
		const char *length;
		enum fault fault;
		int64_t value;
	} cases[] = {{NULL, FAULT_LENGTH_REQUIRED, 0}, {"", FAULT_LENGTH_REQUIRED, 0},
	    {"  \t", FAULT_LENGTH_REQUIRED, 0}, {"0", FAULT_NONE, 0}, {"0005", FAULT_NONE, 5},
	    {" 7 ", FAULT_NONE, 7}, {"1000", FAULT_NONE, 1000}, {"1001", FAULT_TOO_LARGE, 1001},
	    {"9223372036854775807", FAULT_TOO_LARGE, INT64_MAX},
	    {"9223372036854775808", FAULT_BAD_LENGTH, 0},
	    {"18446744073709551617", FAULT_BAD_LENGTH, 0},
	    {"99999999999999999999999999", FAULT_BAD_LENGTH, 0}, {"-1", FAULT_BAD_LENGTH, 0},
	    {"+5", FAULT_BAD_LENGTH, 0}, {"5, 5", FAULT_BAD_LENGTH, 0},
	    {"5 5", FAULT_BAD_LENGTH, 0}, {"0x5", FAULT_BAD_LENGTH, 0},
	    {"5.0", FAULT_BAD_LENGTH, 0}, {"abc", FAULT_BAD_LENGTH, 0}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		setup(&b, "POST", "/upload");
		memory_env(&b.m, "CONTENT_LENGTH", cases[i].length);
		assert_int_equal(parse(&b), FAULT_NONE);
		assert_true(rules_needs_length(&b.request));
		assert_int_equal(rules_length(&b.request, &b.config, &b.why), cases[i].fault);
		if (b.request.length_state == LENGTH_KNOWN)
			assert_int_equal(b.request.length, cases[i].value);
		memory_free(&b.m);
	}
}

static void only_bodies_on_upload_need_a_length(void **state)
{
	static const struct {
		const char *method, *uri;
		bool needed;
	} cases[] = {{"POST", "/upload", true}, {"PUT", "/upload/x", true},
	    {"PATCH", "/upload/0123456789abcdefghjkmnpqrs", true}, {"GET", "/upload", false},
	    {"HEAD", "/upload/x", false}, {"DELETE", "/upload/x", false},
	    {"OPTIONS", "/upload", false}, {"POST", "/files", false}, {"POST", "/", false},
	    {"POST", "/uploads", false}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		setup(&b, cases[i].method, cases[i].uri);
		parse(&b);
		assert_int_equal(rules_needs_length(&b.request), cases[i].needed);
		memory_free(&b.m);
	}
}

static void a_made_up_zero_is_absent(void **state)
{
	struct bench b;

	setup(&b, "PUT", "/upload/x");
	memory_env(&b.m, "CONTENT_LENGTH", "0");
	memory_env(&b.m, "SERVER_SOFTWARE", "lighttpd/1.4.69");
	parse(&b);
	assert_int_equal(b.request.length_state, LENGTH_ABSENT);
	memory_env(&b.m, "HTTP_CONTENT_LENGTH", "0");
	parse(&b);
	assert_int_equal(b.request.length_state, LENGTH_KNOWN);
	memory_env(&b.m, "HTTP_CONTENT_LENGTH", NULL);
	memory_env(&b.m, "SERVER_SOFTWARE", "Apache/2.4");
	parse(&b);
	assert_int_equal(b.request.length_state, LENGTH_KNOWN);
	memory_free(&b.m);
}

static void unknown_length_may_be_accepted(void **state)
{
	struct bench b;

	setup(&b, "PUT", "/upload/x");
	b.config.unknown_length = UNKNOWN_ACCEPT;
	parse(&b);
	assert_int_equal(rules_length(&b.request, &b.config, &b.why), FAULT_NONE);
	memory_env(&b.m, "CONTENT_LENGTH", "x");
	parse(&b);
	assert_int_equal(rules_length(&b.request, &b.config, &b.why), FAULT_BAD_LENGTH);
	memory_free(&b.m);
}

/* ---- the mount point and the path ------------------------------------------------------------ */

static void the_mount_point_is_found(void **state)
{
	static const struct {
		const char *uri, *script, *info, *given, *configured;
		const char *base, *path;
	} cases[] = {
	    {"/upload", NULL, NULL, NULL, "", "", "/upload"},
	    {"/app/files/abc?x=1", "/app", "/files/abc", NULL, "", "/app", "/files/abc"},
	    {"/a%20p/upload", "/a p", "/upload", NULL, "", "/a%20p", "/upload"},
	    /* lighttpd at "/" without fix-root-scriptname */
	    {"/files/abc", "/files", "/abc", NULL, "", "", "/files/abc"},
	    {"/upload", "/upload", "", NULL, "", "", "/upload"},
	    /* the script's name is the whole path: nothing is known */
	    {"/app/upload", "/app/upload", NULL, NULL, "", "", "/app/upload"},
	    {"/app/upload", "/app/upload", NULL, NULL, "/app", "/app", "/upload"},
	    {"/app/upload", "/app/upload", NULL, "/app/", "/other", "/app", "/upload"},
	    {"/application/upload", NULL, NULL, "/app", "", "", "/application/upload"},
	    {"http://h:80/app/upload?q", "/app", "/upload", NULL, "", "/app", "/upload"},
	    {"https://h", NULL, NULL, NULL, "", "", "/"},
	    {"/app", "/app", "", NULL, "", "/app", ""},
	    {"/cgi-bin/waybill", "/cgi-bin/waybill", NULL, NULL, "", "/cgi-bin/waybill", ""},
	    {"/a%2Fb%/upload", "/a/b%", "/upload", NULL, "", "/a%2Fb%", "/upload"},
	    {"/app%20", "/app ", "", NULL, "", "/app%20", ""},
	    {"/appl/upload", "/app", "/upload", NULL, "", "", "/appl/upload"},
	    {"/ap", "/app", "/upload", NULL, "", "", "/ap"},
	    {"/openapi.json", "/openapi.json", "", NULL, "", "", "/openapi.json"},
	    /* what would be another site in a link */
	    {"//evil.example/w/upload", "//evil.example/w", "/upload", NULL, "", "/evil.example/w", "/upload"},
	    {"///evil/upload", NULL, NULL, "///evil", "", "/evil", "/upload"},
	    {"///evil/upload", NULL, NULL, NULL, "///evil/", "/evil", "/upload"},
	    {"/\\evil/upload", "/\\evil", "/upload", NULL, "", "", "/\\evil/upload"},
	    {"//\\evil/upload", "//\\evil", "/upload", NULL, "", "", "//\\evil/upload"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		setup(&b, "GET", cases[i].uri);
		memory_env(&b.m, "SCRIPT_NAME", cases[i].script);
		memory_env(&b.m, "PATH_INFO", cases[i].info);
		memory_env(&b.m, "WAYBILL_BASE", cases[i].given);
		b.config.base = (char *)cases[i].configured;
		assert_int_equal(parse(&b), FAULT_NONE);
		assert_span(b.request.base, cases[i].base);
		assert_span(b.request.path, cases[i].path);
		memory_free(&b.m);
	}
}

static void segments_are_split_before_they_are_decoded(void **state)
{
	struct bench b;

	setup(&b, "PUT", "/upload/a%2Fb%20%C3%BC+c");
	assert_int_equal(parse(&b), FAULT_NONE);
	assert_int_equal(b.request.segments, 2);
	assert_span(b.request.segment[1], "a/b \xc3\xbc+c");
	memory_env(&b.m, "REQUEST_URI", "/upload/");
	assert_int_equal(parse(&b), FAULT_NONE);
	assert_int_equal(b.request.segments, 2);
	assert_int_equal(b.request.segment[1].len, 0);
	memory_env(&b.m, "REQUEST_URI", "/");
	parse(&b);
	assert_int_equal(b.request.segments, 0);
	memory_env(&b.m, "REQUEST_URI", "/1/2/3/4/5/6/7/8");
	assert_int_equal(parse(&b), FAULT_NONE);
	assert_true(b.request.segments > PATH_SEGMENTS);
	memory_env(&b.m, "REQUEST_URI", "/upload/a%2");
	assert_int_equal(parse(&b), FAULT_BAD_REQUEST);
	memory_free(&b.m);
}

static void an_address_is_rebuilt_where_the_server_has_none(void **state)
{
	struct bench b;

	setup(&b, "GET", NULL);
	memory_env(&b.m, "SCRIPT_NAME", "/cgi-bin/waybill");
	memory_env(&b.m, "PATH_INFO", "/files/100% x");
	memory_env(&b.m, "QUERY_STRING", "a=1");
	assert_int_equal(parse(&b), FAULT_NONE);
	assert_span(b.request.base, "/cgi-bin/waybill");
	assert_span(b.request.segment[1], "100% x");
	assert_span(b.request.query, "a=1");
	memory_free(&b.m);
}

static void an_endless_address_is_refused(void **state)
{
	static char uri[20000];
	struct bench b;

	memset(uri, 'a', sizeof uri - 1);
	uri[0] = '/';
	setup(&b, "GET", uri);
	assert_int_equal(parse(&b), FAULT_NAME_TOO_LONG);
	memory_free(&b.m);
}

/* ---- methods and protocols ------------------------------------------------------------------- */

static void protocols_are_told_apart(void **state)
{
	struct bench b;

	setup(&b, "POST", "/upload/0123456789abcdefghjkmnpqrs");
	memory_env(&b.m, "HTTP_X_HTTP_METHOD_OVERRIDE", "PATCH");
	parse(&b);
	assert_int_equal(b.request.method, METHOD_POST); /* only tus knows the override */
	memory_env(&b.m, "HTTP_TUS_RESUMABLE", "1.0.0");
	parse(&b);
	assert_int_equal(b.request.method, METHOD_PATCH);
	assert_int_equal(b.request.protocol, PROTOCOL_TUS);
	memory_env(&b.m, "HTTP_TUS_RESUMABLE", NULL);
	memory_env(&b.m, "HTTP_UPLOAD_COMPLETE", "?1");
	parse(&b);
	assert_int_equal(b.request.protocol, PROTOCOL_IETF);
	memory_env(&b.m, "HTTP_UPLOAD_COMPLETE", NULL);
	memory_env(&b.m, "REQUEST_METHOD", "HEAD");
	parse(&b);
	assert_int_equal(b.request.protocol, PROTOCOL_IETF);
	memory_env(&b.m, "REQUEST_METHOD", "PUT");
	parse(&b);
	assert_int_equal(b.request.protocol, PROTOCOL_PLAIN);
	memory_env(&b.m, "REQUEST_METHOD", "patch");
	parse(&b);
	assert_int_equal(b.request.method, METHOD_OTHER);
	memory_free(&b.m);
}

static void people_get_pages_and_programs_json(void **state)
{
	static const struct {
		const char *accept;
		bool html;
	} cases[] = {{NULL, false}, {"", false}, {"*/*", false}, {"text/html", true},
	    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
	    {"application/json", false}, {"text/html;q=0.5, application/json", false},
	    {"text/html, application/json;q=0.9", true}, {"text/html, application/json", false},
	    {"text/html;q=0", false}, {"text/*", true}, {"text/*;q=0.3, */*;q=0.5", false},
	    {"TEXT/HTML ; Q=1", true}, {"application/problem+json, text/html;q=0.9", false},
	    {"text/html;q=0.001", true}, {"text/plain", false}, {";;,,q=", false}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		setup(&b, "GET", "/files");
		memory_env(&b.m, "HTTP_ACCEPT", cases[i].accept);
		parse(&b);
		assert_int_equal(b.request.wants_html, cases[i].html);
		memory_free(&b.m);
	}
}

/* ---- other sites ----------------------------------------------------------------------------- */

static void other_sites_are_told_apart(void **state)
{
	static const struct {
		const char *method, *site, *origin, *host, *allowed;
		bool cross;
	} cases[] = {
	    {"POST", NULL, NULL, "files.example", "", false},
	    {"POST", "cross-site", NULL, "files.example", "", true},
	    {"POST", "same-origin", "https://files.example", "files.example", "", false},
	    {"POST", "none", NULL, "files.example", "", false},
	    {"POST", NULL, "http://files.example:8411", "files.example:8411", "", false},
	    {"POST", NULL, "https://files.example", "files.example:443", "", false},
	    {"POST", NULL, "http://FILES.example", "files.example:80", "", false},
	    {"POST", NULL, "https://evil.example", "files.example", "", true},
	    {"POST", NULL, "https://files.example.evil", "files.example", "", true},
	    {"POST", NULL, "https://files.example:8443", "files.example", "", true},
	    {"POST", NULL, "null", "files.example", "", true},
	    {"POST", "same-site", "https://www.example", "files.example", "", true},
	    {"DELETE", "cross-site", NULL, "files.example", "", true},
	    {"PATCH", NULL, "https://evil.example", "files.example", "", true},
	    {"PUT", NULL, "https://evil.example", NULL, "", true},
	    {"GET", "cross-site", "https://evil.example", "files.example", "", false},
	    {"OPTIONS", "cross-site", "https://evil.example", "files.example", "", false},
	    {"POST", "cross-site", "https://app.example", "files.example",
		"https://x.example, https://app.example", false},
	    {"POST", "cross-site", "https://app.example.evil", "files.example",
		"https://app.example", true},
	    {"POST", "cross-site", "https://any.example", "files.example", "*", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		setup(&b, cases[i].method, "/upload");
		memory_env(&b.m, "HTTP_SEC_FETCH_SITE", cases[i].site);
		memory_env(&b.m, "HTTP_ORIGIN", cases[i].origin);
		memory_env(&b.m, "HTTP_HOST", cases[i].host);
		b.config.allowed_origins = (char *)cases[i].allowed;
		parse(&b);
		assert_int_equal(
		    rules_site(&b.request, &b.why), cases[i].cross ? FAULT_CROSS_SITE : FAULT_NONE);
		memory_free(&b.m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lengths_are_judged),
	    cmocka_unit_test(only_bodies_on_upload_need_a_length),
	    cmocka_unit_test(a_made_up_zero_is_absent),
	    cmocka_unit_test(unknown_length_may_be_accepted),
	    cmocka_unit_test(the_mount_point_is_found),
	    cmocka_unit_test(segments_are_split_before_they_are_decoded),
	    cmocka_unit_test(an_address_is_rebuilt_where_the_server_has_none),
	    cmocka_unit_test(an_endless_address_is_refused),
	    cmocka_unit_test(protocols_are_told_apart),
	    cmocka_unit_test(people_get_pages_and_programs_json),
	    cmocka_unit_test(other_sites_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
