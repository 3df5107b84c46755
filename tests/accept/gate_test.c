/* gate_test.c: a connection that the server in front wants to keep, at the gate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <fastcgi.h>

#include "accept/accept.h"
#include "accept/record.h"

struct house {
	char path[64];
	struct config config;
	struct gate *gate;
	struct visitor *visitor;
	int client;
};

static void build(struct house *h)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 20};
	struct refusal why;

	*h = (struct house){
	    .config = {.threads = 1, .body_timeout = 20000, .body_file_dir = (char *)""}};
	snprintf(h->path, sizeof h->path, "/tmp/wbt-gate-%d", (int)getpid());
	char where[80];
	snprintf(where, sizeof where, "unix:%s", h->path);
	int listening = gate_listen(where, &why);
	assert_true(listening >= 0);
	h->gate = gate_open(listening, &h->config, &why);
	h->visitor = visitor_new(h->gate);
	h->client = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(address.sun_path, h->path, strlen(h->path) + 1);
	assert_int_equal(connect(h->client, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(setsockopt(h->client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
}

static void raze(struct house *h)
{
	close(h->client);
	visitor_free(h->visitor);
	gate_close(h->gate);
	unlink(h->path);
}

/* A request of five bytes, kept, with `more` behind it; sent in one piece. */
static void ask(struct house *h, const void *more, size_t len)
{
	static const char request[] = "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0" /* begin, keep */
				      "\1\4\0\1\0\21\0\0\16\1CONTENT_LENGTH5"
				      "\1\4\0\1\0\0\0\0"
				      "\1\5\0\1\0\5\3\0hello..."
				      "\1\5\0\1\0\0\0\0";
	char whole[256];

	memcpy(whole, request, sizeof request - 1);
	memcpy(whole + sizeof request - 1, more, len);
	len += sizeof request - 1;
	assert_int_equal(send(h->client, whole, len, 0), len);
}

static struct exchange *accepted(struct house *h)
{
	char body[16];
	size_t got;
	struct exchange *x = gate_accept(h->visitor);

	assert_non_null(x);
	assert_string_equal(x->env(x, "CONTENT_LENGTH"), "5");
	assert_int_equal(x->read(x, body, sizeof body, &got), FAULT_NONE);
	assert_int_equal(got, 5);
	assert_memory_equal(body, "hello", 5);
	assert_int_equal(x->read(x, body, sizeof body, &got), FAULT_NONE);
	assert_int_equal(got, 0);
	return x;
}

static void finish(struct house *h, struct exchange *x)
{
	assert_int_equal(x->write(x, "Status: 200 OK\r\n\r\n", 18), FAULT_NONE);
	gate_finish(h->visitor);
}

/* Everything up to END_REQUEST of request 1. */
static void read_answer(struct house *h)
{
	char got[256];
	ssize_t n = recv(h->client, got, 8 + 18 + 8 + 16, MSG_WAITALL);

	assert_int_equal(n, 50);
	assert_memory_equal(got, "\1\6\0\1\0\22\0\0Status: 200 OK\r\n\r\n", 26);
	assert_memory_equal(got + 26, "\1\6\0\1\0\0\0\0\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0", 24);
}

static void connections_are_kept(void **state)
{
	struct house h;

	build(&h);
	for (int round = 0; round < 3; round++) {
		ask(&h, "", 0);
		finish(&h, accepted(&h));
		read_answer(&h);
	}
	raze(&h);
}

/* Another request took the upload over when this one's body was in: its reading half is shut, and a
 * next request could not be read. */
static void an_interrupted_connection_is_not_kept(void **state)
{
	struct house h;
	char byte;

	build(&h);
	ask(&h, "", 0);
	struct exchange *x = accepted(&h);
	x->interrupt(x);
	finish(&h, x);
	read_answer(&h);
	assert_int_equal(recv(h.client, &byte, 1, 0), 0);
	raze(&h);
}

/* A request inside the request is turned away, and what is half there ends the connection. */
static void what_follows_the_body_is_looked_at(void **state)
{
	static const char another[] = "\1\1\0\2\0\10\0\0\0\1\1\0\0\0\0\0";
	struct house h;
	char got[16];

	build(&h);
	ask(&h, another, 16);
	finish(&h, accepted(&h));
	assert_int_equal(recv(h.client, got, sizeof got, MSG_WAITALL), 16);
	assert_memory_equal(got, "\1\3\0\2\0\10\0\0\0\0\0\0\1\0\0\0", 16);
	read_answer(&h);
	ask(&h, another, 7);
	finish(&h, accepted(&h));
	read_answer(&h);
	assert_int_equal(recv(h.client, got, 1, 0), 0);
	raze(&h);
}

/* Settled: what was written is out and the end is not; it goes out without waiting. */
static void a_settled_answer_lacks_only_its_end(void **state)
{
	static char long_text[300 * 1024];
	struct house h;
	size_t got = 0;

	build(&h);
	ask(&h, "", 0);
	struct exchange *x = accepted(&h);
	pid_t reader = fork();
	assert_true(reader >= 0);
	while (reader == 0 && got < sizeof long_text + 5 * 8) {
		ssize_t n = recv(h.client, long_text, sizeof long_text, 0);
		if (n <= 0)
			_exit(1);
		got += (size_t)n;
	}
	if (reader == 0) /* five records, and nothing behind them yet */
		_exit(recv(h.client, long_text, 1, MSG_DONTWAIT) >= 0);
	assert_int_equal(x->write(x, long_text, sizeof long_text), FAULT_NONE);
	x->settle(x);
	int status;
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
	finish(&h, x);
	read_answer(&h);
	raze(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connections_are_kept),
	    cmocka_unit_test(an_interrupted_connection_is_not_kept),
	    cmocka_unit_test(what_follows_the_body_is_looked_at),
	    cmocka_unit_test(a_settled_answer_lacks_only_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
