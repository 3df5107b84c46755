/*
 * file_test.c: a file's bytes through an in-memory exchange: ranges, conditions, names, handing
 * over.
 */
#include "content.h"

/* The SHA-256 of nothing in particular: the reply only repeats it. */
static void whole_file_has_every_header(void **state)
{
	struct scene s;
	set(&s, 26);
	const char *a = answer(&s);
	assert_int_equal(strncmp(a, "Status: 200 OK\r\n", 16), 0);
	assert_true(has(a, "Content-Type: text/plain"));
	assert_true(has(a, "Content-Length: 26"));
	assert_true(has(a, "ETag: " ETAG));
	assert_true(has(a, "Last-Modified: " MODIFIED));
	assert_true(has(a, "Accept-Ranges: bytes"));
	assert_true(has(a, "Cache-Control: private, no-cache"));
	assert_true(has(a, "X-Content-Type-Options: nosniff"));
	assert_true(has(a, "Content-Security-Policy: sandbox; default-src 'none'"));
	assert_true(has(a, "Cross-Origin-Resource-Policy: same-origin"));
	assert_true(has(a, "Repr-Digest: sha-256=:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:"));
	assert_true(
	    has(a, "Content-Disposition: attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"));
	assert_string_equal(body_of(a), alphabet);
	assert_int_equal(s.r.status, 200);
	assert_int_equal(s.r.sent, 26);
	strike(&s);
}

static void head_is_get_without_body(void **state)
{
	struct scene s;
	set(&s, 26);
	s.request.method = METHOD_HEAD;
	s.request.header[HEADER_RANGE] = span_trim(span_of("bytes=0-3")); /* defined for GET alone */
	const char *a = answer(&s);
	assert_int_equal(strncmp(a, "Status: 200 OK\r\n", 16), 0);
	assert_true(has(a, "Content-Length: 26"));
	assert_true(has(a, "Accept-Ranges: bytes"));
	assert_true(names(a, "Repr-Digest"));
	assert_string_equal(body_of(a), "");
	strike(&s);
}

static void empty_file(void **state)
{
	static const struct {
		const char *range;
		int status;
	} rows[] = {{NULL, 200}, {"bytes=-5", 200}, {"bytes=0-", 416}, {"bytes=-0", 416}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scene s;
		set(&s, 0);
		s.request.header[HEADER_RANGE] = span_trim(span_of(rows[i].range));
		const char *a = answer(&s);
		assert_int_equal(s.r.status, rows[i].status);
		if (s.r.status == 200)
			assert_true(has(a, "Content-Length: 0"));
		strike(&s);
	}
}

static void names_are_safe(void **state)
{
	static const struct {
		const char *name, *disposition;
	} rows[] = {
	    {"Übersicht 2026.pdf", "filename=\"_bersicht 2026.pdf\"; "
				   "filename*=UTF-8''%C3%9Cbersicht%202026.pdf"},
	    {"a\"b\\c;d%41.txt", "filename=\"a_b_c;d_41.txt\"; "
				 "filename*=UTF-8''a%22b%5Cc%3Bd%2541.txt"},
	    {"\xf0\x9f\x98\x80.gif", "filename=\"_.gif\"; filename*=UTF-8''%F0%9F%98%80.gif"},
	    {"\xd7\xa9\xd7\x9c", "filename=\"__\"; filename*=UTF-8''%D7%A9%D7%9C"},
	    {"x\r\nSet-Cookie: a=b", "filename=\"x__Set-Cookie: a=b\"; "
				     "filename*=UTF-8''x%0D%0ASet-Cookie%3A%20a%3Db"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scene s;
		char line[256];
		set(&s, 3);
		s.file.name = rows[i].name;
		snprintf(
		    line, sizeof line, "Content-Disposition: attachment; %s", rows[i].disposition);
		assert_true(has(answer(&s), line));
		strike(&s);
	}
}

static void longest_name_fits(void **state)
{
	struct scene s;
	char name[NAME_BYTES + 1];
	memset(name, '\xff', NAME_BYTES);
	name[NAME_BYTES] = '\0';
	set(&s, 3);
	s.file.name = name;
	assert_true(names(answer(&s), "Content-Disposition"));
	strike(&s);
}

static void handing_over(void **state)
{
	static const struct {
		int how;
		const char *range, *if_range, *path;
		const char *line; /* NULL: answered by ourselves */
	} rows[] = {
	    {SENDFILE_X_SENDFILE, NULL, NULL, "/srv/o", "X-Sendfile: /srv/o"},
	    {SENDFILE_X_SENDFILE, "bytes=2-3", NULL, "/srv/o", "X-Sendfile: /srv/o"},
	    {SENDFILE_X_ACCEL, NULL, NULL, "/srv/%", "X-Accel-Redirect: /waybill-objects/" HEX},
	    {SENDFILE_X_ACCEL, "bytes=2-3", ETAG, "/srv/o", NULL},
	    {SENDFILE_X_SENDFILE, "bytes=0-1,4-5", NULL, "/srv/o", NULL},
	    {SENDFILE_X_SENDFILE, "bytes=x", NULL, "/srv/o", NULL},
	    {SENDFILE_X_SENDFILE, NULL, NULL, "/srv/100%25/o", NULL},
	    {SENDFILE_X_SENDFILE, NULL, NULL, NULL, NULL},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct scene s;
		set(&s, 26);
		s.content.sendfile = rows[i].how;
		s.content.object_path = rows[i].path;
		s.request.header[HEADER_RANGE] = span_trim(span_of(rows[i].range));
		s.request.header[HEADER_IF_RANGE] = span_trim(span_of(rows[i].if_range));
		const char *a = answer(&s);
		bool ours = !names(a, "X-Sendfile") && !names(a, "X-Accel-Redirect");
		assert_int_equal(ours, rows[i].line == NULL);
		assert_int_equal(names(a, "Content-Length"), ours);
		if (!ours) {
			assert_int_equal(s.r.status, 200);
			assert_true(has(a, rows[i].line));
			assert_true(names(a, "ETag") && names(a, "Content-Disposition"));
			assert_string_equal(body_of(a), "");
		}
		strike(&s);
	}
}

static void trouble_midway_stops(void **state)
{
	struct scene s;
	set(&s, 20);
	s.file.size = 26; /* the object is shorter than its record says */
	assert_int_equal(reply_content(&s.r, &s.content), FAULT_INTERNAL);
	assert_int_equal(s.r.sent, 20);
	strike(&s);

	set(&s, 26);
	memory_write_fault(&s.m, 1, FAULT_INTERNAL); /* the client is gone */
	assert_int_equal(reply_content(&s.r, &s.content), FAULT_INTERNAL);
	assert_int_equal(s.m.answered, 0);
	strike(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_file_has_every_header),
	    cmocka_unit_test(head_is_get_without_body), cmocka_unit_test(empty_file),
	    cmocka_unit_test(names_are_safe), cmocka_unit_test(longest_name_fits),
	    cmocka_unit_test(handing_over), cmocka_unit_test(trouble_midway_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
