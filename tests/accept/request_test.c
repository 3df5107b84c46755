/* request_test.c: what accept/ makes of a request, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "accept/accept.h"
#include "accept/pace.h"
#include "memory.h"

struct bench {
	struct memory m;
	struct config config;
	struct request request;
	struct refusal why;
	struct scratch scratch;
	char room[32 * 1024];
};

static void setup(struct bench *b, const char *method, const char *uri)
{
	memset(b, 0, sizeof *b);
	memory_start(&b->m);
	b->config.max_bytes = 1000;
	b->config.max_files = 3;
	b->config.allowed_origins = (char *)"";
	b->config.base = (char *)"";
	b->scratch = (struct scratch){b->room, 0, sizeof b->room};
	memory_env(&b->m, "REQUEST_METHOD", method);
	memory_env(&b->m, "REQUEST_URI", uri);
	memory_env(&b->m, "HTTP_HOST", "files.example");
}

static enum fault parse(struct bench *b)
{
	refusal_clear(&b->why);
	b->scratch.used = 0;
	return request_parse(&b->request, &b->m.x, &b->config, &b->scratch, &b->why);
}

static void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.at, text, s.len);
}

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

/* ---- rights ---------------------------------------------------------------------------------- */

static const struct caller nobody = {0};
static const struct caller stale = {.bad_token = true, .bearer = {"x", 1}};
static const struct caller alice = {.owner = {"alice", 5}};
static const struct caller reader = {.owner = {"bob", 3}, .has_token = true, .rights = RIGHT_READ};
static const struct caller writer = {
    .owner = {"carol", 5}, .has_token = true, .rights = RIGHT_UPLOAD | RIGHT_DELETE};
static const struct caller root = {.owner = {"root", 4}, .has_token = true, .rights = RIGHT_ADMIN};

static void uploading_takes_the_right(void **state)
{
	static const struct {
		int access;
		const struct caller *caller;
		enum fault fault;
	} cases[] = {{ACCESS_OPEN, &nobody, FAULT_NONE}, {ACCESS_OPEN, &stale, FAULT_UNAUTHORIZED},
	    {ACCESS_USER, &nobody, FAULT_UNAUTHORIZED}, {ACCESS_USER, &alice, FAULT_NONE},
	    {ACCESS_USER, &reader, FAULT_NONE}, {ACCESS_TOKEN, &nobody, FAULT_UNAUTHORIZED},
	    {ACCESS_TOKEN, &stale, FAULT_UNAUTHORIZED}, {ACCESS_TOKEN, &alice, FAULT_FORBIDDEN},
	    {ACCESS_TOKEN, &reader, FAULT_FORBIDDEN}, {ACCESS_TOKEN, &writer, FAULT_NONE},
	    {ACCESS_TOKEN, &root, FAULT_NONE}, {ACCESS_OFF, &nobody, FAULT_FORBIDDEN},
	    {ACCESS_OFF, &writer, FAULT_FORBIDDEN}, {ACCESS_OFF, &stale, FAULT_FORBIDDEN}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config config = {.upload_access = cases[i].access};
		struct refusal why;
		assert_int_equal(rules_may_upload(cases[i].caller, &config, &why), cases[i].fault);
	}
}

static void files_are_seen_by_whom_they_concern(void **state)
{
	static const struct file hers = {.owner = "alice"}, nobodys = {.owner = NULL};
	static const struct {
		int access;
		const struct caller *caller;
		const struct file *file;
		enum fault fault;
	} cases[] = {{ACCESS_OPEN, &nobody, &hers, FAULT_NONE},
	    {ACCESS_OPEN, &stale, &hers, FAULT_NONE},
	    {ACCESS_OWNER, &nobody, &hers, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &nobody, &nobodys, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &alice, &hers, FAULT_NONE},
	    {ACCESS_OWNER, &reader, &hers, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &alice, &nobodys, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &root, &hers, FAULT_NONE}, {ACCESS_TOKEN, &reader, &hers, FAULT_NONE},
	    {ACCESS_TOKEN, &writer, &hers, FAULT_FORBIDDEN},
	    {ACCESS_TOKEN, &nobody, &hers, FAULT_UNAUTHORIZED},
	    {ACCESS_USER, &alice, &nobodys, FAULT_NONE},
	    {ACCESS_OFF, &alice, &hers, FAULT_FORBIDDEN}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config config = {.read_access = cases[i].access};
		struct refusal why;
		assert_int_equal(
		    rules_may_see(cases[i].caller, &config, cases[i].file, &why), cases[i].fault);
	}
}

static void files_are_deleted_by_whom_they_belong_to(void **state)
{
	static const struct file hers = {.owner = "alice"}, nobodys = {.owner = NULL};
	static const struct {
		int access;
		const struct caller *caller;
		const struct file *file;
		bool fits;
		enum fault fault;
	} cases[] = {{ACCESS_OWNER, &nobody, &nobodys, false, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &stale, &nobodys, true, FAULT_NONE},
	    {ACCESS_OWNER, &stale, &nobodys, false, FAULT_UNAUTHORIZED},
	    {ACCESS_OWNER, &alice, &hers, false, FAULT_NONE},
	    {ACCESS_OWNER, &alice, &nobodys, false, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &reader, &hers, false, FAULT_NOT_FOUND},
	    {ACCESS_OWNER, &writer, &hers, false, FAULT_NONE},
	    {ACCESS_OWNER, &root, &hers, false, FAULT_NONE},
	    {ACCESS_OPEN, &nobody, &hers, false, FAULT_NONE},
	    {ACCESS_TOKEN, &writer, &hers, false, FAULT_NONE},
	    {ACCESS_TOKEN, &reader, &hers, false, FAULT_FORBIDDEN},
	    {ACCESS_TOKEN, &stale, &nobodys, true, FAULT_UNAUTHORIZED},
	    {ACCESS_OFF, &alice, &hers, false, FAULT_FORBIDDEN}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config config = {.delete_access = cases[i].access};
		struct refusal why;
		assert_int_equal(
		    rules_may_delete(cases[i].caller, &config, cases[i].file, cases[i].fits, &why),
		    cases[i].fault);
	}
}

static void metrics_are_for_this_machine_or_admins(void **state)
{
	struct bench b;

	setup(&b, "GET", "/metrics");
	memory_env(&b.m, "REMOTE_ADDR", "127.0.0.1");
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_NONE);
	memory_env(&b.m, "HTTP_X_FORWARDED_FOR", "192.0.2.7");
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_UNAUTHORIZED);
	memory_env(&b.m, "HTTP_X_FORWARDED_FOR", NULL);
	memory_env(&b.m, "REMOTE_ADDR", NULL);
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_UNAUTHORIZED);
	memory_env(&b.m, "REMOTE_ADDR", "192.0.2.7");
	parse(&b);
	assert_int_equal(rules_may_watch(&nobody, &b.request, &b.why), FAULT_UNAUTHORIZED);
	parse(&b);
	assert_int_equal(rules_may_watch(&alice, &b.request, &b.why), FAULT_FORBIDDEN);
	parse(&b);
	assert_int_equal(rules_may_watch(&root, &b.request, &b.why), FAULT_NONE);
	memory_free(&b.m);
}

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

static void a_grant_takes_the_smaller_limits(void **state)
{
	struct bench b;
	struct grant grant;
	struct caller caller = {.owner = {"al", 2}, .quota = 500};

	setup(&b, "POST", "/upload");
	memory_env(&b.m, "CONTENT_LENGTH", "12");
	b.config.owner_quota_bytes = 900;
	b.config.expire_after = 1000;
	parse(&b);
	rules_grant(&b.request, &caller, &b.config, 400, &grant);
	assert_int_equal(grant.length, 12);
	assert_int_equal(grant.owner_quota, 500);
	assert_int_equal(grant.lasts, 400);
	rules_grant(&b.request, &caller, &b.config, 4000, &grant);
	assert_int_equal(grant.lasts, 1000);
	b.config.expire_after = 0;
	rules_grant(&b.request, &nobody, &b.config, 0, &grant);
	assert_int_equal(grant.lasts, 0);
	assert_int_equal(grant.owner_quota, 900);
	memory_free(&b.m);
}

/* ---- pace and limiter ---------------------------------------------------------------------- */

static void the_first_minute_is_free_then_an_average_counts(void **state)
{
	struct pace pace;

	pace_start(&pace);
	assert_true(pace_add(&pace, 1, 1024));
	pace.start -= 61;
	assert_false(pace_add(&pace, 1, 1024));
	assert_true(pace_add(&pace, 1, 0));
	assert_true(pace_add(&pace, 61 * 1024, 1024));
}

static void some_threads_are_kept_from_transfers(void **state)
{
	struct limiter *t = limiter_new(16);
	struct refusal why;

	for (int i = 0; i < 14; i++)
		assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_NONE);
	assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_BUSY);
	/* the other lane still has a place, but together they leave one thread */
	assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_NONE);
	assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_BUSY);
	limiter_leave(t, LANE_BODY);
	assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_NONE);
	limiter_free(t);
}

static void few_threads_leave_one_too(void **state)
{
	static const struct {
		int threads, lane, both;
	} cases[] = {{1, 1, 1}, {2, 1, 1}, {3, 2, 2}, {4, 2, 3}, {8, 6, 7}, {16, 14, 15}, {256, 224, 240}};
	struct refusal why;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct limiter *t = limiter_new(cases[i].threads);
		for (int n = 0; n < cases[i].lane; n++)
			assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_NONE);
		for (int n = cases[i].lane; n < cases[i].both; n++)
			assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_NONE);
		if (cases[i].threads < 32) /* no bench to wait on */
			assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_BUSY);
		limiter_free(t);
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
	    cmocka_unit_test(uploading_takes_the_right),
	    cmocka_unit_test(files_are_seen_by_whom_they_concern),
	    cmocka_unit_test(files_are_deleted_by_whom_they_belong_to),
	    cmocka_unit_test(metrics_are_for_this_machine_or_admins),
	    cmocka_unit_test(listings_are_read_or_refused),
	    cmocka_unit_test(a_listing_holds_what_was_asked),
	    cmocka_unit_test(names_come_from_the_best_source),
	    cmocka_unit_test(long_names_in_the_address_are_refused),
	    cmocka_unit_test(digests_are_read_or_refused),
	    cmocka_unit_test(a_grant_takes_the_smaller_limits),
	    cmocka_unit_test(the_first_minute_is_free_then_an_average_counts),
	    cmocka_unit_test(some_threads_are_kept_from_transfers),
	    cmocka_unit_test(few_threads_leave_one_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
