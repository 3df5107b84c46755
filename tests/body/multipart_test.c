/*
 * multipart_test.c: the machine: which bytes are delimiters, what a part's header says, and that no
 * cut of a body changes a thing.
 */
#include "chance.h"
#include "pour.h"

#include "body/inside.h"
#include "multipart_cases.h"

static void check_events(const struct expected *want, const struct events *got)
{
	if (strcmp(got->text, want->events) != 0)
		fail_msg("%s\nof %s\nsays %s\nbut not %s", want->body, want->type, got->text,
		    want->events);
	assert_int_equal(got->fault, want->words != NULL ? FAULT_BAD_MULTIPART : FAULT_NONE);
	if (want->words != NULL && strstr(got->why.detail, want->words) == NULL)
		fail_msg("%s\nis refused by \"%s\", not by \"%s\"", want->body, got->why.detail,
		    want->words);
}

/* Whole, byte by byte, and cut in two at every place. */
static void check(const struct expected *want)
{
	struct span type = span_text(want->type), body = span_text(want->body);
	struct events e;
	for (size_t most = 0; most <= body.len; most++) {
		events_of(&e, type, body, most, 0);
		check_events(want, &e);
		events_free(&e);
	}
}

static void delimiters_are_told_from_data(void **state)
{
	for (size_t i = 0; i < sizeof delimiters / sizeof *delimiters; i++)
		check(&delimiters[i]);
}

static void part_headers_are_read(void **state)
{
	for (size_t i = 0; i < sizeof part_headers / sizeof *part_headers; i++)
		check(&part_headers[i]);
}

static void boundaries_are_found(void **state)
{
	for (size_t i = 0; i < sizeof content_types / sizeof *content_types; i++)
		check(&content_types[i]);
}

static void check_text(enum fault fault, const char *words)
{
	struct events whole, cut;
	struct span body = {text, text_len};
	events_of(&whole, span_text(TYPE), body, 0, 0);
	assert_int_equal(whole.fault, fault);
	assert_non_null(strstr(whole.why.detail, words));
	for (size_t most = 1; most < 5000; most = most * 3 + 1) {
		events_of(&cut, span_text(TYPE), body, most, most % 2 ? 0 : most);
		assert_true(events_same(&whole, &cut));
		events_free(&cut);
	}
	events_free(&whole);
	clear_text();
}

static void a_nul_in_a_header_is_refused(void **state)
{
	static const char head[] = CD "name=\"a\0b\"\r\n\r\n";
	append(head, sizeof head - 1);
	check_text(FAULT_BAD_MULTIPART, "control");
}

static void headers_have_a_limit(void **state)
{
	static const char start_of_it[] = "Content-Disposition: form-data; name=a\r\nX: ";
	for (size_t over = 0; over < 2; over++) {
		append_text("--b\r\n");
		append_text(start_of_it);
		append_run('x', PART_HEADERS_MAX - strlen(start_of_it) - 4 + over);
		append_text("\r\n\r\nx\r\n--b--");
		check_text(over ? FAULT_BAD_MULTIPART : FAULT_NONE, over ? "16384 bytes" : "");
	}
	append_text("--b\r\n");
	append_run('x', 10 * PART_HEADERS_MAX);
	check_text(FAULT_BAD_MULTIPART, "16384 bytes");
}

static void blanks_have_a_limit(void **state)
{
	for (size_t over = 0; over < 2; over++) {
		append_text(ON "x\r\n--b");
		append_run('\t', 256 + over);
		append_text("\r\n" CD_LINE "name=a\r\n\r\nx\r\n--b--");
		struct events e;
		events_of(&e, span_text(TYPE), (struct span){text, text_len}, 0, 0);
		assert_int_equal(e.begins, over ? 1 : 2); /* too many: data */
		events_free(&e);
		check_text(FAULT_NONE, "");
	}
}

static void a_thousand_parts(void **state)
{
	for (int i = 0; i < 1000; i++)
		append_text(FILE_PART("a", "x"));
	append_text(CLOSE);
	struct events e;
	events_of(&e, span_text(TYPE), (struct span){text, text_len}, 0, 0);
	assert_int_equal(e.ends, 1000);
	events_free(&e);
	check_text(FAULT_NONE, "");
}

/* ---- random forms, whose parts are known ----------------------------------------------------- */

static struct chance luck;

static unsigned dice(unsigned sides)
{
	return chance_below(&luck, sides);
}

/* Near misses of every kind; whatever follows one, it is no delimiter. */
static const char *const misses[] = {"\r", "\n", "\r\n-X", "\r\n--X", "\r\n--bX", "\r\n--b-X",
    "\r\n--b \t X", "\r\n--b \r\r", "\r\n--b\rX", "\r\n--b\r\r\n--b\n", "x", "--b", "--b--",
    "\r\r\nX", "longer data"};

static void append_random_part(struct events *want)
{
	append_text("\r\n" ON "X");
	events_add(want, SHOWN "X", strlen(SHOWN "X"));
	for (unsigned n = dice(20); n > 0; n--) {
		const char *miss = misses[dice(sizeof misses / sizeof *misses)];
		append_text(miss);
		append_text("X");
		events_add(want, miss, strlen(miss));
		events_add(want, "X", 1);
	}
	events_add(want, "}", 1);
}

static void what_was_put_in_comes_out(void **state)
{
	luck = chance("forms", 0);
	for (int round = 0; round < 400; round++) {
		struct events want = {0}, got;
		events_add(&want, "", 0);
		for (unsigned parts = dice(5) + 1; parts > 0; parts--)
			append_random_part(&want);
		append_text("\r\n" CLOSE);
		for (size_t most = 0; most < 40; most += 1 + most / 3) {
			events_of(
			    &got, span_text(TYPE), (struct span){text, text_len}, most, dice(1000));
			assert_int_equal(got.fault, FAULT_NONE);
			assert_string_equal(got.text, want.text);
			events_free(&got);
		}
		events_free(&want);
		clear_text();
	}
}

/* ---- hands ----------------------------------------------------------------------------------- */

/* Hands that refuse the nth thing they are told. */
struct stubborn {
	int left;
	struct events seen;
};

static enum fault refuse_at_last(struct stubborn *s, struct refusal *why)
{
	return s->left-- > 0 ? FAULT_NONE : refuse(why, FAULT_NO_SPACE, "enough");
}

static enum fault stubborn_begin(void *self, const struct part *part, struct refusal *why)
{
	struct stubborn *s = self;
	events_begin(&s->seen, part, why);
	return refuse_at_last(s, why);
}

static enum fault stubborn_write(void *self, const void *bytes, size_t len, struct refusal *why)
{
	struct stubborn *s = self;
	events_write(&s->seen, bytes, len, why);
	return refuse_at_last(s, why);
}

static enum fault stubborn_end(void *self, struct refusal *why)
{
	struct stubborn *s = self;
	events_end(&s->seen, why);
	return refuse_at_last(s, why);
}

/* How many events came before it was over. */
static int feed_stubborn(int patience, size_t most, enum fault *fault)
{
	static const char body[] = FILE_PART("a", "x\r\n--bX") FILE_PART("", "y\r\n-") CLOSE;
	struct stubborn s = {.left = patience};
	struct hands hands = {&s, stubborn_begin, stubborn_write, stubborn_end};
	struct refusal why;
	struct multipart *m = multipart_new(span_text(TYPE), &hands, &why);
	assert_non_null(m);
	*fault = FAULT_NONE;
	for (size_t at = 0; at < sizeof body - 1; at += most) {
		size_t rest = sizeof body - 1 - at;
		enum fault f = multipart_feed(m, body + at, rest < most ? rest : most, &why);
		assert_true(*fault == FAULT_NONE || f == *fault); /* the first one stays */
		*fault = f;
	}
	assert_int_equal(multipart_end(m, &why), *fault);
	multipart_free(m);
	int events = (int)(s.seen.begins + s.seen.writes + s.seen.ends);
	events_free(&s.seen);
	return events;
}

static void a_fault_of_the_hands_is_the_last_event(void **state)
{
	enum fault f;
	for (size_t most = 1; most < 300; most++) {
		int all = feed_stubborn(1000, most, &f);
		assert_int_equal(f, FAULT_NONE);
		for (int patience = 0; patience < all; patience++) {
			assert_int_equal(feed_stubborn(patience, most, &f), patience + 1);
			assert_int_equal(f, FAULT_NO_SPACE);
		}
	}
}

static enum fault is_borrowed(void *self, const void *bytes, size_t len, struct refusal *why)
{
	assert_ptr_equal(bytes, *(const char **)self);
	assert_int_equal(len, 11);
	return FAULT_NONE;
}

static enum fault is_silent(void *self, struct refusal *why)
{
	return FAULT_NONE;
}

static enum fault is_deaf(void *self, const struct part *part, struct refusal *why)
{
	return FAULT_NONE;
}

static void data_is_not_copied(void **state)
{
	static const char body[] = ON "1234\r\n--bX-\r\n--b--";
	const char *data = strstr(body, "1234");
	struct hands hands = {&data, is_deaf, is_borrowed, is_silent};
	struct multipart *m = multipart_new(span_text(TYPE), &hands, NULL);
	assert_int_equal(multipart_feed(m, body, sizeof body - 1, NULL), FAULT_NONE);
	assert_int_equal(multipart_end(m, NULL), FAULT_NONE);
	multipart_free(m);
}

/* ---- search ---------------------------------------------------------------------------------- */

static void search_finds_what_memmem_finds(void **state)
{
	static const char letters[] = "\r\n-by";
	for (int round = 0; round < 30000; round++) {
		char needle[80] = "\r";
		size_t needle_len = 2 + dice(round % 8 == 0 ? 72 : 6), len = dice(200);
		for (size_t i = 1; i < needle_len; i++)
			needle[i] = letters[1 + dice(4)];
		char *hay = malloc(len + 1);
		assert_non_null(hay);
		for (size_t i = 0; i < len; i++)
			hay[i] = letters[dice(5)];
		if (dice(2) && len > needle_len)
			memcpy(hay + dice((unsigned)(len - needle_len) + 1), needle, needle_len);
		char *tight = realloc(hay, len > 0 ? len : 1); /* a sanitizer watches its end */
		assert_ptr_equal(body_search(tight, len, needle, needle_len),
		    memmem(tight, len, needle, needle_len));
		free(tight);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(delimiters_are_told_from_data),
	    cmocka_unit_test(part_headers_are_read),
	    cmocka_unit_test(boundaries_are_found),
	    cmocka_unit_test(a_nul_in_a_header_is_refused),
	    cmocka_unit_test(headers_have_a_limit),
	    cmocka_unit_test(blanks_have_a_limit),
	    cmocka_unit_test(a_thousand_parts),
	    cmocka_unit_test(what_was_put_in_comes_out),
	    cmocka_unit_test(a_fault_of_the_hands_is_the_last_event),
	    cmocka_unit_test(data_is_not_copied),
	    cmocka_unit_test(search_finds_what_memmem_finds),
	};
	return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
