/*
 * file_test.c: a file's bytes through an in-memory exchange: ranges, conditions, names, handing
 * over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory.h"
#include "reply/inside.h"
#include "shared/text.h"

/* The SHA-256 of nothing in particular: the reply only repeats it. */
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ETAG "\"" HEX "\""
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define BOUNDARY "waybill-000102030405060708090a0b0c0d0e0f"

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";

struct scene {
	struct memory m;
	struct request request;
	struct reply r;
	struct file file;
	struct content content;
	char buffer[7]; /* small, so that every copy takes several rounds */
};

static void set(struct scene *s, size_t size)
{
	memory_start(&s->m);
	s->request = (struct request){.method = METHOD_GET, .base = {"", 0}};
	s->file = (struct file){.id = "0123456789abcdefghjkmnpqrs",
	    .name = "a.txt",
	    .size = (int64_t)size,
	    .type = "text/plain",
	    .fields = "{}",
	    .uploaded_at = 784111777123};
	for (unsigned i = 0; i < SHA256_LEN; i++)
		s->file.sha256[i] = (uint8_t)i;
	int fd = memfd_create("object", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, alphabet, size), size);
	s->content = (struct content){
	    &s->file, fd, SENDFILE_NONE, "/srv/objects/" HEX, s->buffer, sizeof s->buffer};
	reply_open(&s->r, &s->m.x, &s->request);
}

static const char *answer(struct scene *s)
{
	reply_content(&s->r, &s->content);
	return memory_answer(&s->m);
}

static void strike(struct scene *s)
{
	close(s->content.fd);
	memory_free(&s->m);
}

static const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	assert_non_null(end);
	return end + 4;
}

/* The whole line must be there, not only its beginning. */
static bool has(const char *answer, const char *line)
{
	size_t len = strlen(line);
	const char *end = strstr(answer, "\r\n\r\n") + 2;
	for (const char *at = answer; at < end; at = strstr(at, "\r\n") + 2)
		if (strncmp(at, line, len) == 0 && strncmp(at + len, "\r\n", 2) == 0)
			return true;
	return false;
}

static bool names(const char *answer, const char *header)
{
	char *prefix = NULL;
	assert_true(asprintf(&prefix, "\r\n%s:", header) > 0);
	const char *at = strstr(answer, prefix);
	bool there = at && at < strstr(answer, "\r\n\r\n");
	free(prefix);
	return there;
}

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
	    cmocka_unit_test(head_is_get_without_body),
	    cmocka_unit_test(empty_file),
	    cmocka_unit_test(one_range),
	    cmocka_unit_test(out_of_range_is_a_refusal),
	    cmocka_unit_test(several_ranges_are_multipart),
	    cmocka_unit_test(too_many_ranges_are_ignored),
	    cmocka_unit_test(if_range),
	    cmocka_unit_test(conditions),
	    cmocka_unit_test(names_are_safe),
	    cmocka_unit_test(longest_name_fits),
	    cmocka_unit_test(handing_over),
	    cmocka_unit_test(trouble_midway_stops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
