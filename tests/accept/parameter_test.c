/* parameter_test.c: the query, a raw body's name, digests. */
#include "asked.h"

/* ---- the query ------------------------------------------------------------------------------- */

static void listings_are_read_or_refused(void **state)
{
	static const struct {
		const char *query;
		bool good;
	} cases[] = {{"", true}, {"limit=1", true}, {"limit=1000", true}, {"limit=0", false},
	    {"limit=1001", false}, {"limit=", false}, {"limit=1&limit=2", false},
	    {"limit=%31", true}, {"cursor=7", true}, {"cursor=0", false}, {"cursor=-1", false},
	    {"cursor=x", false}, {"cursor=", false}, {"order=newest", true}, {"order=oldest", true},
	    {"order=", false}, {"order=Newest", false}, {"type=image/*", true},
	    {"type=image", false}, {"type=", false}, {"type=a%20b/c", false}, {"name=", true},
	    {"name=%FF", false}, {"name=%00", false}, {"name=100%25_", true}, {"owner=al", true},
	    {"since=2026-11-22T11:33:00Z", true}, {"since=", false}, {"until=", false},
	    {"since=yesterday", false}, {"until=2026-02-30T00:00:00Z", false},
	    {"surprise=1", false}, {"name=a%2", false}, {"&&limit=3&", true}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char uri[256];
		struct bench b;
		struct listing listing;
		snprintf(uri, sizeof uri, "/files?%s", cases[i].query);
		setup(&b, "GET", uri);
		assert_int_equal(parse(&b), FAULT_NONE);
		enum fault fault = request_listing(&b.request, &listing, &b.scratch, &b.why);
		assert_int_equal(fault, cases[i].good ? FAULT_NONE : FAULT_BAD_REQUEST);
		memory_free(&b.m);
	}
}

static void a_listing_holds_what_was_asked(void **state)
{
	struct bench b;
	struct listing l;

	setup(&b, "GET",
	    "/files?type=image/*&name=%C3%9C+x&order=oldest&limit=7&cursor=42"
	    "&since=1970-01-01T00:00:01Z&until=1970-01-01T00:00:02Z");
	parse(&b);
	assert_int_equal(request_listing(&b.request, &l, &b.scratch, &b.why), FAULT_NONE);
	assert_span(l.type, "image/*");
	assert_span(l.name, "\xc3\x9c x");
	assert_true(l.oldest_first);
	assert_int_equal(l.limit, 7);
	assert_int_equal(l.after, 42);
	assert_int_equal(l.since, 1000);
	assert_int_equal(l.until, 2001);
	assert_null(l.owner.at);
	memory_free(&b.m);
}

/* ---- a raw body's name and digests ----------------------------------------------------------- */

static void names_come_from_the_best_source(void **state)
{
	static const struct {
		const char *method, *uri, *disposition, *name;
	} cases[] = {{"POST", "/upload?name=a+b.txt", "attachment; filename=c", "a b.txt"},
	    {"PUT", "/upload/x.bin", "attachment; filename=c", "x.bin"},
	    {"POST", "/upload", "attachment; filename=c.txt", "c.txt"},
	    {"POST", "/upload", "attachment; filename=\"a\\\"b;c\"", "a\"b;c"},
	    {"POST", "/upload", "attachment; filename=\"c\"; filename*=UTF-8''%e2%82%ac",
		"\xe2\x82\xac"},
	    {"POST", "/upload", "attachment; filename=\"c\"; filename*=latin1''%e4", "c"},
	    {"POST", "/upload", "attachment", NULL}, {"POST", "/upload", NULL, NULL}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		struct span name;
		setup(&b, cases[i].method, cases[i].uri);
		memory_env(&b.m, "HTTP_CONTENT_DISPOSITION", cases[i].disposition);
		parse(&b);
		assert_int_equal(
		    request_file_name(&b.request, &b.scratch, &name, &b.why), FAULT_NONE);
		if (cases[i].name)
			assert_span(name, cases[i].name);
		else
			assert_null(name.at);
		memory_free(&b.m);
	}
}

static void long_names_in_the_address_are_refused(void **state)
{
	char uri[400] = "/upload/";
	struct bench b;
	struct span name;

	memset(uri + 8, 'n', 255);
	setup(&b, "PUT", uri);
	parse(&b);
	assert_int_equal(
	    request_file_name(&b.request, &b.scratch, &name, &b.why), FAULT_NONE);
	memset(uri + 8, 'n', 256);
	parse(&b);
	assert_int_equal(
	    request_file_name(&b.request, &b.scratch, &name, &b.why), FAULT_NAME_TOO_LONG);
	memory_free(&b.m);
}

static void digests_are_read_or_refused(void **state)
{
	static const char empty256[] = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
	static const struct {
		const char *field;
		enum fault fault;
		enum digest_algorithm algorithm;
	} cases[] = {{NULL, FAULT_NONE, DIGEST_NONE}, {"md5=:x:", FAULT_NONE, DIGEST_NONE},
	    {empty256, FAULT_NONE, DIGEST_SHA256},
	    {"md5=:x:, sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:;p=1", FAULT_NONE,
		DIGEST_SHA256},
	    {"sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", FAULT_BAD_REQUEST, 0},
	    {"sha-256=:YWJj:", FAULT_BAD_REQUEST, 0}, {"sha-512=::", FAULT_BAD_REQUEST, 0},
	    {"sha-256", FAULT_BAD_REQUEST, 0}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b;
		struct claim claims[2];
		setup(&b, "POST", "/upload");
		memory_env(&b.m, "HTTP_REPR_DIGEST", cases[i].field);
		parse(&b);
		assert_int_equal(request_claims(&b.request, claims, &b.why), cases[i].fault);
		assert_int_equal(claims[0].algorithm, DIGEST_NONE);
		if (!cases[i].fault)
			assert_int_equal(claims[1].algorithm, cases[i].algorithm);
		memory_free(&b.m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(listings_are_read_or_refused),
	    cmocka_unit_test(a_listing_holds_what_was_asked),
	    cmocka_unit_test(names_come_from_the_best_source),
	    cmocka_unit_test(long_names_in_the_address_are_refused),
	    cmocka_unit_test(digests_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
