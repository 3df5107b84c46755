/* wire_test.c: the pace of an answer is none of its body's business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "accept/wire.h"

static const char request[] = "\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0"
			      "\1\4\0\1\0\0\0\0"
			      "\1\5\0\1\0\5\3\0hello..."
			      "\1\5\0\1\0\0\0\0";

/* The body took minutes; what is answered then goes out whole. */
static void a_long_body_does_not_cut_the_answer(void **state)
{
	static struct wire w;
	static char answer[40000];
	char body[16];
	int pair[2];
	size_t got;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(send(pair[1], request, sizeof request - 1, 0), sizeof request - 1);
	records_start(&w.records, 1);
	wire_open(&w, pair[0], 1024);
	assert_true(wire_request(&w));
	w.pace_out.start -= 600;
	assert_int_equal(wire_read(&w, body, sizeof body, &got), FAULT_NONE);
	assert_int_equal(got, 5);
	assert_int_equal(wire_write(&w, answer, sizeof answer), FAULT_NONE);
	assert_int_equal(wire_write(&w, answer, sizeof answer), FAULT_NONE);
	assert_true(wire_end(&w, false));
	records_free(&w.records);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_long_body_does_not_cut_the_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
