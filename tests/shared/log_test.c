/*
 * log_test.c: a line is one line, whatever is put into it and however many talk at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/config.h"
#include "shared/log.h"
#include "table.h"

static FILE *caught;
static int saved;

/* From here to release(), descriptor 2 is a file. */
static void catch (void)
{
	caught = tmpfile();
	saved = dup(STDERR_FILENO);
	assert_true(caught && saved >= 0);
	assert_int_equal(dup2(fileno(caught), STDERR_FILENO), STDERR_FILENO);
}

/* What was written, to be freed. */
static char *release(void)
{
	long len = lseek(fileno(caught), 0, SEEK_END);
	char *text = calloc(1, len + 1);
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	assert_non_null(text);
	assert_int_equal(pread(fileno(caught), text, len, 0), len);
	fclose(caught);
	return text;
}

/* `text` is one line that ends so, behind a time. */
static void assert_line(const char *text, const char *end)
{
	int64_t ms;
	assert_memory_equal(text, "time=", 5);
	assert_true(text_parse_time((struct span){text + 5, 24}, &ms) && ms > 0);
	assert_string_equal(text + 29, end);
}

static void test_values(void **state)
{
	static const struct {
		struct span raw;
		const char *value;
	} rows[] = {{S("abc"), "abc"}, {S(""), "\"\""}, {S("a b"), "\"a b\""}, {S("-"), "\"-\""},
	    {S("a=b"), "\"a=b\""}, {S("a\"b\\"), "\"a\\\"b\\\\\""},
	    {S("a\nlevel=error"), "\"alevel=error\""}, {S("\x1B[31m\0x\x7F"), "[31mx"},
	    {S("\xC2\x9B"
	       "31m"),
		"31m"},
	    {S("\xFF"), "\xEF\xBF\xBD"},
	    {S("\xE2\x80\xAE"
	       "a"),
		"a"},
	    {S("\n"), "\"\""}, {S("\xC3\x9C"), "\xC3\x9C"}};
	char to[64];
	EACH(i, rows) assert_string_equal(log_value(rows[i].raw, to, sizeof to), rows[i].value);
	assert_string_equal(log_value((struct span){0}, to, sizeof to), "-");
	assert_string_equal(log_value(S("a bcdef"), to, 6), "\"a b\"");
	assert_string_equal(log_value(S("a \""), to, 6), "\"a \"");
	assert_string_equal(log_value(S("aa\xC3\x9C"), to, 4), "aa");
	assert_string_equal(log_value(S("abc"), to, 2), "");
}

static void test_lines(void **state)
{
	static const struct {
		int level;
		const char *message, *pairs, *end;
	} rows[] = {
	    {LOG_WARN, "sniffer died", "slot=2", " level=warn msg=\"sniffer died\" slot=2\n"},
	    {LOG_ERROR, "x", NULL, " level=error msg=x\n"},
	    {LOG_INFO, "a\nb", "c\r\n\x1B[1m", " level=info msg=ab c   [1m\n"}};
	EACH(i, rows)
	{
		catch ();
		errno = 42;
		log_line(
		    rows[i].level, rows[i].message, rows[i].pairs ? "%s" : NULL, rows[i].pairs);
		int err = errno;
		char *text = release();
		assert_int_equal(err, 42);
		assert_line(text, rows[i].end);
		free(text);
	}
}

static void test_threshold(void **state)
{
	catch ();
	log_line(LOG_DEBUG, "hidden", NULL); /* info is what counts until somebody says */
	log_level(LOG_ERROR);
	log_line(LOG_WARN, "hidden", NULL);
	log_line(LOG_ERROR, "shown", NULL);
	bool wants = log_wants(LOG_ERROR) && !log_wants(LOG_WARN);
	log_level(LOG_INFO);
	char *text = release();
	assert_true(wants);
	assert_line(text, " level=error msg=shown\n");
	free(text);
}

static void test_long_line(void **state)
{
	char flood[10000];
	memset(flood, '\xBF', sizeof flood - 1);
	flood[sizeof flood - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof flood; i += 3)
		memcpy(flood + i, "\xEF\xBF\xBD", 3);
	catch ();
	log_line(LOG_INFO, "x", "a=%s", flood);
	char *text = release();
	size_t len = strlen(text);
	assert_in_range(len, LOG_BYTES - 4, LOG_BYTES);
	assert_ptr_equal(strchr(text, '\n'), text + len - 1);
	assert_true(text_is_utf8(span_of(text)));
	free(text);
}

enum { THREADS = 6, LINES = 200 };

static void *chatter(void *self)
{
	for (int i = 0; i < LINES; i++)
		log_line(LOG_INFO, "many at once", "thread=%d line=%d end=%d", *(int *)self, i, i);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	int ids[THREADS], seen[THREADS] = {0}, lines = 0;
	catch ();
	for (int i = 0; i < THREADS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, chatter, &ids[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	char *text = release(), *rest = text;
	for (char *line; (line = strsep(&rest, "\n")) && *line; lines++) {
		int thread, number, end;
		assert_int_equal(
		    sscanf(line + 29, " level=info msg=\"many at once\" thread=%d line=%d end=%d",
			&thread, &number, &end),
		    3);
		assert_in_range(thread, 0, THREADS - 1);
		assert_int_equal(number, seen[thread]++);
		assert_int_equal(end, number);
	}
	assert_int_equal(lines, THREADS * LINES);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
	    cmocka_unit_test(test_lines), cmocka_unit_test(test_threshold),
	    cmocka_unit_test(test_long_line), cmocka_unit_test(test_threads)};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
