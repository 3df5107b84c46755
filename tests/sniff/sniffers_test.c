/*
 * sniffers_test.c: the worker against sniffers that were taken over. sniffer.c is not linked in:
 * the sniffer parent here lies, until it is told to kill the liar, and is honest from then on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keep/inside.h"
#include "sniff/sniffer.h"

enum lie {
	LIE_SHORT,
	LIE_EMPTY,
	LIE_LONG,
	LIE_KIND,
	LIE_STALE_FLOOD,
	LIE_RUBBISH_FLOOD,
	LIE_DEATHS,
	LIE_NOT_READY,
	LIE_EXIT,
	LIE_HIDE,   /* about what it was given to parse */
	LIE_LINGER, /* and alters what the next one is given */
	LIE_TYPES /* and on: a type that is none */
};

static const char *const bad_types[] = {"", "text", "text/", "/plain", "text/plain; charset=x",
    "Text/Plain", "text/pl ain", "text/plain\n", "text/<script>", "a/b/c", " text/plain",
    "text/\x80", "text/plain, text/html"};
enum { BAD_TYPES = sizeof bad_types / sizeof *bad_types, LIES = LIE_TYPES + BAD_TYPES + 1 };

static int lie;

bool sniff_wants_file(const void *bytes, size_t len)
{
	return false;
}

bool sniff_is_parsed(const void *bytes, size_t len)
{
	return memcmp(bytes, "P", 1) == 0;
}

/* ---- the lying side -------------------------------------------------------------------------- */

static void say(int socket, enum sniff_kind kind, uint32_t seq, const char *text)
{
	struct sniff_answer a = {.kind = kind, .seq = seq};
	snprintf(a.text, sizeof a.text, "%s", text);
	if (send(socket, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* a flood ends where the socket is full */
}

static void tell_lie(int socket, uint32_t seq)
{
	char bytes[512] = {SNIFF_TYPE};
	struct sniff_answer endless = {.kind = SNIFF_TYPE, .seq = seq};
	memset(endless.text, 'a', sizeof endless.text);
	endless.text[4] = '/';
	if (lie == LIE_SHORT)
		send(socket, bytes, 7, MSG_NOSIGNAL);
	else if (lie == LIE_EMPTY)
		send(socket, bytes, 0, MSG_NOSIGNAL);
	else if (lie == LIE_LONG)
		send(socket, bytes, sizeof bytes, MSG_NOSIGNAL);
	else if (lie == LIE_KIND)
		for (int i = 0; i < 100; i++)
			say(socket, 77 + i, seq, "text/plain");
	else if (lie == LIE_STALE_FLOOD)
		for (int i = 0; i < 5000; i++)
			say(socket, SNIFF_TYPE, seq + 1 + i, "text/forged");
	else if (lie == LIE_RUBBISH_FLOOD)
		for (int i = 0; i < 5000; i++)
			send(socket, bytes, 1 + i % 500, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (lie == LIE_DEATHS)
		say(socket, SNIFF_DIED, 1, "");
	else if (lie == LIE_EXIT)
		_exit(0);
	else if (lie == LIE_HIDE || lie == LIE_LINGER)
		say(socket, SNIFF_TYPE, seq, "text/forged");
	else if (lie - LIE_TYPES < BAD_TYPES)
		say(socket, SNIFF_TYPE, seq, bad_types[lie - LIE_TYPES]);
	else
		send(socket, &endless, sizeof endless, MSG_NOSIGNAL);
}

/* Told to end, it stays for a moment, and hopes for somebody else's file. */
static void linger(volatile uint8_t *region)
{
	for (int ms = 0; ms < 300 && *region != 'S'; ms++)
		poll(NULL, 0, 1);
	if (*region == 'S')
		*region = 'L';
}

/* As the true parent does: the notice waits until there is room, then the next child comes. */
static void succeed(struct sniffer_house *house, bool *honest)
{
	struct sniff_kill order;
	struct sniff_answer died = {.kind = SNIFF_DIED, .seq = 1};
	if (recv(house->control, &order, sizeof order, 0) != sizeof order)
		_exit(0);
	if (*honest || order.birth != atomic_load(&house->board->slot[0].birth))
		return;
	if (lie == LIE_LINGER)
		linger(house->regions[0]);
	atomic_store(&house->board->slot[0].pid, 0);
	send(house->sockets[0], &died, sizeof died, MSG_NOSIGNAL);
	atomic_store(&house->board->slot[0].birth, 2);
	atomic_store(&house->board->slot[0].pid, getpid());
	say(house->sockets[0], SNIFF_READY, 2, "");
	*honest = true;
}

void sniffer_parent(struct sniffer_house *house)
{
	bool honest = false;
	int socket = house->sockets[0];
	atomic_store(&house->board->slot[0].pid, getpid());
	atomic_store(&house->board->slot[0].birth, 1);
	for (int fd = 3; fd < 64; fd++)
		if (fd != house->control && fd != socket)
			close(fd);
	say(socket, lie == LIE_NOT_READY ? SNIFF_FAILED : SNIFF_READY, 1, "the jail is open");
	for (;;) {
		struct sniff_query query;
		struct pollfd polls[2] = {
		    {.fd = house->control, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
		if (poll(polls, 2, -1) < 0)
			_exit(1);
		if (polls[0].revents)
			succeed(house, &honest);
		if (!(polls[1].revents & POLLIN) || recv(socket, &query, sizeof query, 0) <= 0)
			continue;
		if (lie == LIE_HIDE)
			house->regions[0][0] = 'x';
		if (honest)
			say(socket, SNIFF_TYPE, query.seq,
			    house->regions[0][0] == 'L' ? "text/altered" : "text/honest");
		else
			tell_lie(socket, query.seq);
	}
}

/* ---- the worker's side ----------------------------------------------------------------------- */

static void no_lie_is_believed(void **state)
{
	for (lie = 0; lie < LIES; lie++) {
		struct refusal why;
		char type[TYPE_BYTES + 1] = "";
		if (lie >= LIE_NOT_READY && lie < LIE_TYPES)
			continue;
		refusal_clear(&why);
		struct sniffers *s = sniff_start(1, &why);
		assert_non_null(s);
		assert_int_equal(sniff_type(s, -1, "x", 1, type, &why), FAULT_INTERNAL);
		assert_string_not_equal(why.detail, "");
		for (int i = 0; i < 3; i++) {
			assert_int_equal(sniff_type(s, -1, "x", 1, type, &why), FAULT_NONE);
			assert_string_equal(type, "text/honest");
		}
		sniff_stop(s);
	}
}

static void an_open_jail_is_refused(void **state)
{
	struct refusal why;
	lie = LIE_NOT_READY;
	refusal_clear(&why);
	assert_null(sniff_start(1, &why));
	assert_int_equal(why.fault, FAULT_INTERNAL);
	assert_non_null(strstr(why.detail, "the jail is open"));
}

/* It was taken over by what it parsed: that costs it its place, and nobody else his verdict. */
static void one_file_is_all_it_gets(void **state)
{
	for (lie = LIE_HIDE; lie <= LIE_LINGER; lie++) {
		struct refusal why;
		char type[TYPE_BYTES + 1] = "";
		refusal_clear(&why);
		struct sniffers *s = sniff_start(1, &why);
		assert_non_null(s);
		assert_int_equal(sniff_type(s, -1, "P", 1, type, &why), FAULT_NONE);
		assert_string_equal(type, "text/forged");
		assert_int_equal(sniff_type(s, -1, "S", 1, type, &why), FAULT_NONE);
		assert_string_equal(type, "text/honest");
		sniff_stop(s);
	}
}

static void without_a_parent_there_is_no_waiting(void **state)
{
	struct refusal why;
	char type[TYPE_BYTES + 1];
	int64_t alive, deaths;
	lie = LIE_EXIT;
	struct sniffers *s = sniff_start(1, &why);
	assert_non_null(s);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sniff_type(s, -1, "x", 1, type, &why), FAULT_INTERNAL);
	sniff_count(s, &alive, &deaths);
	assert_int_equal(alive, 0);
	sniff_stop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_lie_is_believed),
	    cmocka_unit_test(an_open_jail_is_refused),
	    cmocka_unit_test(one_file_is_all_it_gets),
	    cmocka_unit_test(without_a_parent_there_is_no_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
