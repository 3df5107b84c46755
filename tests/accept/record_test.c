/* record_test.c: FastCGI records, cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fastcgi.h>

#include "accept/record.h"
#include "shared/text.h"

/* ---- what a web server sends ------------------------------------------------------------------ */

struct sent {
	char at[1 << 18];
	size_t len;
};

static struct sent sent; /* each test begins with nothing in it */

static void add(const void *bytes, size_t len)
{
	assert_true(sent.len + len <= sizeof sent.at);
	memcpy(sent.at + sent.len, bytes, len);
	sent.len += len;
}

static void record(unsigned type, unsigned id, const void *content, size_t len, unsigned padding)
{
	uint8_t head[8];

	record_head(head, (uint8_t)type, id, len);
	head[6] = (uint8_t)padding;
	add(head, sizeof head);
	add(content, len);
	add("################################################################", padding);
}

static void begin(unsigned id, unsigned role, bool keep)
{
	const uint8_t body[8] = {0, (uint8_t)role, keep};

	record(FCGI_BEGIN_REQUEST, id, body, sizeof body, 0);
}

/* Parameters "Ab" and "C", the latter 300 bytes long, and an empty one. */
static void params(unsigned id)
{
	char text[400] = "\2\3Abxyz\1\200\0\1\54C", empty[] = "\4\0NONE";

	memset(text + 14 - 1, 'c', 300);
	size_t len = 13 + 300;
	record(FCGI_PARAMS, id, text, 5, 3);
	record(FCGI_PARAMS, id, text + 5, len - 5, 0);
	record(FCGI_PARAMS, id, empty, 6, 1);
	record(FCGI_PARAMS, id, "", 0, 7);
}

/* ---- what comes of it ------------------------------------------------------------------------ */

struct seen {
	char body[4096], answer[4096], events[512];
	size_t body_len, answer_len, event_count;
};

static void note(struct seen *s, const struct records *r, enum record_event event, struct span body)
{
	if (event == RECORD_BODY) {
		memcpy(s->body + s->body_len, body.at, body.len);
		s->body_len += body.len;
		return;
	}
	if (event == RECORD_ANSWER) {
		memcpy(s->answer + s->answer_len, r->answer, r->answer_len);
		s->answer_len += r->answer_len;
	}
	assert_true(s->event_count + 1 < sizeof s->events);
	s->events[s->event_count++] = ".RbEAXB"[event];
}

/* Pieces of `size` bytes, each in memory of its own, so that a sanitizer sees a read past it. */
static void feed(struct records *r, struct seen *s, size_t size)
{
	*s = (struct seen){0};
	for (size_t at = 0; at < sent.len;) {
		size_t len = size < sent.len - at ? size : sent.len - at;
		char *piece = malloc(len);
		struct span in = {memcpy(piece, sent.at + at, len), len}, body;
		enum record_event event;
		while ((event = records_next(r, &in, &body)) != RECORD_MORE) {
			note(s, r, event, body);
			if (event == RECORD_BROKEN || event == RECORD_ABORT)
				in.len = at = sent.len;
			if (event == RECORD_BROKEN || event == RECORD_ABORT)
				break;
		}
		free(piece);
		at += len;
	}
}

/* Whatever the cut, the same comes of it. */
static void expect(const char *events)
{
	static const size_t sizes[] = {1, 2, 3, 7, 8, 9, 64, 1 << 20};
	static struct seen first, other;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct records r;
		records_start(&r, 16);
		feed(&r, i == 0 ? &first : &other, sizes[i]);
		records_free(&r);
		if (i > 0)
			assert_memory_equal(&first, &other, sizeof first);
	}
	assert_string_equal(first.events, events);
}

static void requests_are_read(void **state)
{
	struct records r;
	struct seen s;

	sent.len = 0;
	begin(7, FCGI_RESPONDER, true);
	params(7);
	record(FCGI_STDIN, 7, "hello ", 6, 2);
	record(FCGI_STDIN, 7, "world", 5, 0);
	record(FCGI_STDIN, 7, "", 0, 0);
	expect("RE");
	records_start(&r, 1);
	feed(&r, &s, 5);
	assert_int_equal(s.body_len, 11);
	assert_memory_equal(s.body, "hello world", 11);
	assert_string_equal(records_param(&r, "Ab"), "xyz");
	assert_int_equal(strlen(records_param(&r, "C")), 300);
	assert_string_equal(records_param(&r, "NONE"), "");
	assert_null(records_param(&r, "A"));
	assert_null(records_param(&r, "ab"));
	assert_int_equal(r.request_id, 7);
	assert_true(r.keep && records_ended(&r) && records_at_rest(&r));
	feed((records_again(&r), &r), &s, 3);
	assert_string_equal(s.events, "RE");
	records_free(&r);
}

/* Five names were enough to write past the end of libfcgi's stack buffer. */
static void values_are_answered_within_bounds(void **state)
{
	static const char asked[] = "\16\0FCGI_MAX_CONNS\16\0FCGI_MAX_CONNS\15\0FCGI_MAX_REQS"
				    "\17\0FCGI_MPXS_CONNS\17\3FCGI_MPXS_CONNSxyz\16\0FCGI_MAX_CONNX"
				    "\21\0FCGI_MPXS_CONNSXY\0\0\0\1x";
	static const char answer[] = "\1\12\0\0\0\65\0\0\16\2FCGI_MAX_CONNS16\15\2FCGI_MAX_REQS16"
				     "\17\1FCGI_MPXS_CONNS0";
	struct records r;
	struct seen s;

	sent.len = 0;
	record(FCGI_GET_VALUES, 0, asked, sizeof asked - 1, 5);
	begin(1, FCGI_RESPONDER, false);
	record(FCGI_PARAMS, 1, "\2\3A", 3, 0);
	record(FCGI_GET_VALUES, 0, "\16\0FCGI_MAX_CONNS", 16, 0); /* in the middle of a pair */
	record(FCGI_PARAMS, 1, "bxyz", 4, 0);
	record(FCGI_PARAMS, 1, "", 0, 0);
	for (int i = 0; i < 3; i++)
		record(FCGI_GET_VALUES, 0, "", 0, 0);
	record(FCGI_STDIN, 1, "", 0, 0);
	expect("AARAAAE");
	records_start(&r, 16);
	feed(&r, &s, 1);
	assert_memory_equal(s.answer, answer, sizeof answer - 1);
	assert_string_equal(records_param(&r, "Ab"), "xyz");
	records_free(&r);
}

static void as_many_values_as_a_record_holds(void **state)
{
	static char many[65520];
	struct records r;
	struct seen s;

	for (size_t at = 0; at < sizeof many; at += 16)
		memcpy(many + at, "\16\0FCGI_MAX_CONNS", 16);
	sent.len = 0;
	record(FCGI_GET_VALUES, 0, many, sizeof many, 0);
	records_start(&r, 4294967295u);
	feed(&r, &s, 1 << 20);
	assert_string_equal(s.events, "A");
	assert_true(s.answer_len < 64);
	records_free(&r);
}

static void a_flood_of_questions_is_no_server(void **state)
{
	struct records r;
	struct seen s;

	sent.len = 0;
	for (int i = 0; i < 400; i++)
		record(200, 0, "what?", 5, 3);
	records_start(&r, 1);
	feed(&r, &s, 8);
	assert_int_equal(s.event_count, MANAGED_MOST + 1);
	assert_int_equal(s.events[MANAGED_MOST], 'B');
	assert_memory_equal(s.answer, "\1\13\0\0\0\10\0\0\310\0\0\0\0\0\0\0", 16);
	records_free(&r);
}

static void other_requests_are_turned_away(void **state)
{
	sent.len = 0;
	begin(1, FCGI_RESPONDER, false);
	params(1);
	begin(2, FCGI_RESPONDER, true);
	params(2);
	record(FCGI_STDIN, 1, "one", 3, 0);
	record(FCGI_STDIN, 2, "two", 3, 0);
	record(FCGI_ABORT_REQUEST, 2, "", 0, 0);
	record(FCGI_STDIN, 1, "", 0, 0);
	record(FCGI_STDIN, 1, "late", 4, 0);
	record(FCGI_ABORT_REQUEST, 1, "", 0, 0);
	begin(3, FCGI_RESPONDER, true);
	expect("RAEA");
	struct records r;
	struct seen s;
	records_start(&r, 1);
	feed(&r, &s, 4);
	assert_memory_equal(s.answer, "\1\3\0\2\0\10\0\0\0\0\0\0\1\0\0\0", 16); /* CANT_MPX_CONN */
	assert_memory_equal(s.answer + 16, "\1\3\0\3\0\10\0\0\0\0\0\0\1\0\0\0", 16);
	assert_int_equal(s.body_len, 3);
	assert_false(r.keep);
	records_free(&r);
}

static void other_roles_are_unknown(void **state)
{
	static const unsigned roles[] = {0, FCGI_AUTHORIZER, FCGI_FILTER, 4, 255};

	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		sent.len = 0;
		begin(9, roles[i], true);
		params(9);
		expect("AB");
	}
}

static void aborts_are_told(void **state)
{
	sent.len = 0;
	begin(1, FCGI_RESPONDER, true);
	params(1);
	record(FCGI_STDIN, 1, "half", 4, 0);
	record(FCGI_ABORT_REQUEST, 1, "", 0, 0);
	record(FCGI_STDIN, 1, "", 0, 0);
	expect("RX");
	sent.len = 0;
	begin(1, FCGI_RESPONDER, true);
	record(FCGI_ABORT_REQUEST, 1, "", 0, 0);
	expect("X");
}

/* Who holds none of it, or too much, is no web server. */
static void what_is_no_fastcgi_is_broken(void **state)
{
	static const char rubbish[][17] = {"GET / HTTP/1.1\r\n", "\2\1\0\1\0\10\0\0",
	    "\1\1\0\0\0\10\0\0", "\1\1\0\1\0\7\0\0", "\1\1\0\1\0\11\0\0"};

	for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
		sent.len = 0;
		add(rubbish[i], 16);
		expect("B");
	}
	static const struct {
		unsigned type;
		const char *content;
		size_t len;
	} next[] = {{FCGI_STDIN, "x", 1}, {FCGI_STDIN, "", 0}, {FCGI_DATA, "", 0}, {99, "", 0},
	    {FCGI_BEGIN_REQUEST, "\0\1\0\0\0\0\0", 8},
	    {FCGI_PARAMS, "\377\377\377\377\377\377\377\377", 8}, {FCGI_PARAMS, "\200\20\0\1\0", 5},
	    {FCGI_PARAMS, "\1\200\20\0\0", 5}};
	for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
		sent.len = 0;
		begin(1, FCGI_RESPONDER, false);
		record(next[i].type, 1, next[i].content, next[i].len, 0);
		expect("B");
	}
	sent.len = 0;
	begin(1, FCGI_RESPONDER, false);
	record(FCGI_PARAMS, 1, "\3\3ABCxy", 7, 0);
	record(FCGI_PARAMS, 1, "", 0, 0); /* ends inside a pair */
	expect("B");
}

static void parameters_are_bounded(void **state)
{
	static char pair[60000] = "\200\0\0\1\200\0\352\100N";
	struct records r;
	struct seen s;

	records_start(&r, 1);
	sent.len = 0;
	begin(1, FCGI_RESPONDER, false);
	feed(&r, &s, 8);
	enum record_event event = RECORD_MORE;
	unsigned rounds = 0;
	for (; event == RECORD_MORE && rounds < 100; rounds++) {
		struct span body;
		sent.len = 0;
		record(FCGI_PARAMS, 1, pair, 9, 0);
		record(FCGI_PARAMS, 1, pair + 9, 59968 - 9, 0);
		record(FCGI_PARAMS, 1, pair + 9, 9 + 32, 0);
		struct span in = {sent.at, sent.len};
		event = records_next(&r, &in, &body);
	}
	assert_int_equal(event, RECORD_BROKEN);
	assert_in_range(rounds, PARAMS_MOST / 60100, PARAMS_MOST / 60000 + 1);
	assert_true(r.size <= 2 * PARAMS_MOST);
	records_free(&r);
}

/* A NUL, or what looks like a pair, inside a value is no other parameter. */
static void values_cannot_forge_parameters(void **state)
{
	static const char text[] =
	    "\1\14Xv\0REMOTE_USE\13\4REMOTE_USERreal\3\1A\0Bz\3\3DUPone\3\3DUPtwo";
	struct records r;
	struct seen s;

	sent.len = 0;
	begin(1, FCGI_RESPONDER, false);
	record(FCGI_PARAMS, 1, text, sizeof text - 1, 0);
	record(FCGI_PARAMS, 1, "", 0, 0);
	records_start(&r, 1);
	feed(&r, &s, 6);
	assert_string_equal(s.events, "R");
	assert_string_equal(records_param(&r, "X"), "v");
	assert_string_equal(records_param(&r, "REMOTE_USER"), "real");
	assert_null(records_param(&r, "REMOTE_USE"));
	assert_null(records_param(&r, "A"));
	assert_string_equal(records_param(&r, "DUP"), "one");
	records_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_read),
	    cmocka_unit_test(values_are_answered_within_bounds),
	    cmocka_unit_test(as_many_values_as_a_record_holds),
	    cmocka_unit_test(a_flood_of_questions_is_no_server),
	    cmocka_unit_test(other_requests_are_turned_away),
	    cmocka_unit_test(other_roles_are_unknown),
	    cmocka_unit_test(aborts_are_told),
	    cmocka_unit_test(what_is_no_fastcgi_is_broken),
	    cmocka_unit_test(parameters_are_bounded),
	    cmocka_unit_test(values_cannot_forge_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
