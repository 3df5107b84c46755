/* cgi.c: plain CGI, the gate for one: environment, stdin, stdout (RFC 3875). */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "accept/inside.h"
#include "accept/pace.h"
#include "shared/descriptor.h"

enum {
	DRAIN_BYTES = 256 << 20, /* no more than this is read for nothing ... */
	DRAIN_SECONDS = 5,	 /* ... and no longer than this */
	EXTRA_MS = 20		 /* how long a byte beyond CONTENT_LENGTH may take to show itself */
};

struct cgi {
	struct exchange exchange; /* first: an exchange is its cgi */
	int64_t declared;	  /* CONTENT_LENGTH; -1: none that counts */
	int64_t taken;
	int timeout; /* ms */
	int64_t min_rate;
	bool ended;
	int asked; /* eventfd: another process wants what this request holds; -1: cannot be asked */
	struct pace in, out;
};

static const char *cgi_env(struct exchange *x, const char *name)
{
	return getenv(name);
}

/* A script must not count on an end of file behind CONTENT_LENGTH bytes (RFC 3875 4.2), so wait only a moment
 * for what may come after them; what does come is a body longer than declared. */
static int patience(const struct cgi *cgi)
{
	return cgi->declared >= 0 && cgi->taken >= cgi->declared ? EXTRA_MS : cgi->timeout;
}

static enum fault cgi_read(struct exchange *x, void *buf, size_t room, size_t *got)
{
	struct cgi *cgi = (struct cgi *)x;
	struct pollfd in[2] = {
	    {.fd = STDIN_FILENO, .events = POLLIN}, {.fd = cgi->asked, .events = POLLIN}};

	*got = 0;
	if (cgi->ended)
		return FAULT_NONE;
	int ready = poll(in, 2, patience(cgi));
	if (ready > 0 && in[1].revents)
		return FAULT_INCOMPLETE_BODY;
	if (ready == 0) {
		cgi->ended = true;
		return cgi->taken == cgi->declared ? FAULT_NONE : FAULT_BODY_TIMEOUT;
	}
	ssize_t n = ready < 0 ? -1 : read(STDIN_FILENO, buf, room);
	if (n < 0)
		return errno == EINTR ? cgi_read(x, buf, room, got) : FAULT_INCOMPLETE_BODY;
	cgi->ended = n == 0;
	cgi->taken += n;
	*got = (size_t)n;
	return pace_add(&cgi->in, *got, cgi->min_rate) ? FAULT_NONE : FAULT_BODY_TIMEOUT;
}

static enum fault cgi_write(struct exchange *x, const void *bytes, size_t len)
{
	struct cgi *cgi = (struct cgi *)x;
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	const char *at = bytes;

	while (len > 0) {
		if (poll(&out, 1, cgi->timeout) == 0)
			return FAULT_INTERNAL;
		ssize_t n = write(STDOUT_FILENO, at, len > 65536 ? 65536 : len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !pace_add(&cgi->out, (size_t)n, cgi->min_rate))
			return FAULT_INTERNAL;
		at += n;
		len -= (size_t)n;
	}
	return FAULT_NONE;
}

static void cgi_interrupt(struct exchange *x)
{
	struct cgi *cgi = (struct cgi *)x;

	if (cgi->asked >= 0)
		ring(cgi->asked);
}

struct exchange *cgi_open(const struct config *config)
{
	struct cgi *cgi = calloc(1, sizeof *cgi);

	if (!cgi)
		return NULL;
	cgi->exchange = (struct exchange){
	    .env = cgi_env, .read = cgi_read, .write = cgi_write, .interrupt = cgi_interrupt};
	cgi->asked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	cgi->timeout = config->body_timeout > INT32_MAX ? INT32_MAX : (int)config->body_timeout;
	cgi->min_rate = config->min_rate;
	if (!text_number(span_trim(span_of(getenv("CONTENT_LENGTH"))), &cgi->declared))
		cgi->declared = -1;
	pace_start(&cgi->in);
	pace_start(&cgi->out);
	return &cgi->exchange;
}

void cgi_finish(struct exchange *x)
{
	struct cgi *cgi = (struct cgi *)x;
	char trash[65536];
	size_t got = 1;
	int64_t drained = 0;
	time_t until = pace_now() + DRAIN_SECONDS;

	if (!cgi)
		return;
	close(STDOUT_FILENO);
	/* Without a length there may be no body and no end to wait for, unless it came chunked. */
	bool has_body = cgi->declared >= 0 || getenv("HTTP_TRANSFER_ENCODING") != NULL;
	if (cgi->timeout > DRAIN_SECONDS * 1000)
		cgi->timeout = DRAIN_SECONDS * 1000;
	while (has_body && got > 0 && drained < DRAIN_BYTES && pace_now() <= until) {
		if (cgi_read(x, trash, sizeof trash, &got))
			break;
		drained += (int64_t)got;
	}
	descriptor_close(cgi->asked);
	free(cgi);
}
