/*
 * gate.c: libfcgi's only door.
 *
 * Threads wait for connections and accept them themselves; a connection is then handed to
 * FCGX_Accept_r() through the public members of FCGX_Request. Against letting libfcgi accept, that
 * gives: a thread leaves at once when the gate is shut; no herd of threads wakes for one
 * connection; and the socket has its time limits before libfcgi reads the first byte, so that a
 * peer that connects and says nothing cannot hold a thread.
 *
 * They all wait at one epoll(7) instance, where the listening socket is "one shot": it wakes one
 * thread, the one that went to sleep last and is still warm, and no other until that one has
 * accepted. A mutex around poll(2) would cost one wake-up more for each connection.
 *
 * A connection the server in front wants to keep (FCGI_KEEP_CONN) waits there too, and holds no
 * thread meanwhile. Closing it instead would be a race: nginx may have sent the next request
 * before it notices, and says 502.
 */
#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "accept/farewell.h"
#include "accept/inside.h"
#include "accept/pace.h"
#include "shared/log.h"

enum {
	KEPT_MOST = 256,       /* idle connections; more are closed */
	LEFT_UNREAD = 1 << 19, /* bytes: more than a socket holds on its way */
};

struct gate {
	int listening;
	int shut;	 /* eventfd: readable once the gate is shut */
	int door;	 /* epoll: both of them, and the kept connections */
	atomic_int kept; /* how many */
	int64_t timeout;
	int64_t min_rate;
	const char *body_file_dir; /* borrowed from the configuration; "": none */
	struct farewell *farewell;
};

struct visitor {
	struct exchange exchange; /* first: an exchange is its visitor */
	struct gate *gate;
	FCGX_Request request;
	struct pace in, out;
	bool drained;  /* the body was read to its end: nothing follows it on this connection */
	int body_file; /* the body, where the server has written it to a file; else -1 */
};

static struct visitor *visitor_of(struct exchange *x)
{
	return (struct visitor *)x;
}

static bool watch(const struct gate *gate, int how, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(gate->door, how, fd, &event) == 0;
}

static bool make_door(struct gate *gate)
{
	gate->shut = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	gate->door = epoll_create1(EPOLL_CLOEXEC);
	return gate->shut >= 0 && gate->door >= 0 &&
	       watch(gate, EPOLL_CTL_ADD, gate->shut, EPOLLIN) &&
	       watch(gate, EPOLL_CTL_ADD, gate->listening, EPOLLIN | EPOLLONESHOT);
}

struct gate *gate_open(int fd, const struct config *config, struct refusal *why)
{
	struct gate *gate = calloc(1, sizeof *gate);

	if (!gate)
		goto failed;
	gate->listening = fd;
	gate->timeout = config->body_timeout;
	gate->min_rate = config->min_rate;
	gate->body_file_dir = config->body_file_dir;
	gate->farewell = farewell_new();
	if (!gate->farewell)
		goto failed;
	/* Another process may take the connection that epoll told us of. */
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || !make_door(gate) ||
	    FCGX_Init() != 0)
		goto failed;
	return gate;
failed:
	refuse(why, FAULT_INTERNAL, "cannot serve on descriptor %d: %s", fd, strerror(errno));
	free(gate);
	return NULL;
}

void gate_shut(struct gate *gate)
{
	uint64_t one = 1;

	while (write(gate->shut, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	farewell_free(gate->farewell);
	close(gate->listening);
	close(gate->shut);
	close(gate->door);
	free(gate);
}

/* ---- reading and writing --------------------------------------------------------------------- */

static const char *fcgi_env(struct exchange *x, const char *name)
{
	return FCGX_GetParam(name, visitor_of(x)->request.envp);
}

/* Opened when it is first asked for: most requests are not uploads. */
static enum fault fcgi_body_file(struct exchange *x, int *fd, struct refusal *why)
{
	struct visitor *v = visitor_of(x);
	const char *path = fcgi_env(x, "REQUEST_BODY_FILE");
	enum fault fault = FAULT_NONE;

	if (v->body_file < 0 && path && path[0] && v->gate->body_file_dir[0])
		fault = body_file_open(v->gate->body_file_dir, path, &v->body_file, why);
	*fd = v->body_file;
	return fault;
}

static enum fault file_read(int fd, void *buf, size_t room, size_t *got)
{
	ssize_t n;

	do
		n = read(fd, buf, room);
	while (n < 0 && errno == EINTR);
	*got = n < 0 ? 0 : (size_t)n;
	return n < 0 ? FAULT_INTERNAL : FAULT_NONE;
}

static bool is_readable(int fd)
{
	struct pollfd door = {.fd = fd, .events = POLLIN};

	return poll(&door, 1, 0) > 0;
}

/* Wait for libfcgi to have something, then take what it has, without waiting for more. 0: the
 * stream has ended, or failed. */
static size_t take(FCGX_Stream *in, char *buf, size_t room)
{
	int first = FCGX_GetChar(in);

	if (first == EOF)
		return 0;
	*buf = (char)first;
	size_t ready = (size_t)(in->stop - in->rdNext);
	if (ready > room - 1)
		ready = room - 1;
	return 1 + (ready > 0 ? (size_t)FCGX_GetStr(buf + 1, (int)ready, in) : 0);
}

/*
 * All that is there, up to `room`. FCGX_GetStr() alone would wait until all of `room` is filled:
 * a trickling client could hold us there for ever, and what has come would wait for what has not.
 * libfcgi reads 8 KiB at a time, so look whether more waits in the socket.
 */
static enum fault fcgi_read(struct exchange *x, void *buf, size_t room, size_t *got)
{
	struct visitor *v = visitor_of(x);
	FCGX_Stream *in = v->request.in;
	int fd;
	size_t n;
	enum fault fault = fcgi_body_file(x, &fd, NULL);

	*got = 0;
	if (fault || fd >= 0)
		return fault ? fault : file_read(fd, buf, room, got);
	do {
		n = take(in, (char *)buf + *got, room - *got);
		*got += n;
	} while (n > 0 && *got < room && is_readable(v->request.ipcFd));
	if (*got == 0 && FCGX_GetError(in) != 0)
		return FCGX_GetError(in) == EAGAIN ? FAULT_BODY_TIMEOUT : FAULT_INCOMPLETE_BODY;
	v->drained = n == 0 && FCGX_GetError(in) == 0;
	return pace_add(&v->in, *got, v->gate->min_rate) ? FAULT_NONE : FAULT_BODY_TIMEOUT;
}

static enum fault fcgi_write(struct exchange *x, const void *bytes, size_t len)
{
	struct visitor *v = visitor_of(x);
	const char *at = bytes;

	if (len == 0)
		return FCGX_FFlush(v->request.out) == 0 ? FAULT_NONE : FAULT_INTERNAL;
	while (len > 0) {
		int chunk = len > (1 << 20) ? 1 << 20 : (int)len;
		if (FCGX_PutStr(at, chunk, v->request.out) != chunk)
			return FAULT_INTERNAL;
		at += chunk;
		len -= (size_t)chunk;
		if (!pace_add(&v->out, (size_t)chunk, v->gate->min_rate))
			return FAULT_INTERNAL;
	}
	return FAULT_NONE;
}

/* Another request took the upload over: end our blocked read. Only the reading half is shut, so
 * that the answer still goes out. */
static void fcgi_interrupt(struct exchange *x)
{
	shutdown(visitor_of(x)->request.ipcFd, SHUT_RD);
}

/* ---- accepting ------------------------------------------------------------------------------- */

struct visitor *visitor_new(struct gate *gate)
{
	struct visitor *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->gate = gate;
	v->body_file = -1;
	v->exchange =
	    (struct exchange){fcgi_env, fcgi_read, fcgi_write, fcgi_interrupt, fcgi_body_file};
	/* No listening socket: libfcgi must never accept on its own. */
	FCGX_InitRequest(&v->request, -1, FCGI_FAIL_ACCEPT_ON_INTR);
	return v;
}

void visitor_free(struct visitor *v)
{
	free(v);
}

static int take_connection(const struct gate *gate)
{
	int fd = accept4(gate->listening, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		log_line(LOG_ERROR, "cannot accept", "reason=\"%s\"", strerror(errno));
		poll(NULL, 0, 100); /* until some request has given its descriptors back */
	}
	if (!watch(gate, EPOLL_CTL_MOD, gate->listening, EPOLLIN | EPOLLONESHOT))
		log_line(LOG_ERROR, "epoll_ctl failed", "errno=%d", errno);
	return fd;
}

/* The next request on a connection that was kept, or its end, which libfcgi finds out. */
static int take_kept(struct gate *gate, int fd)
{
	watch(gate, EPOLL_CTL_DEL, fd, 0);
	atomic_fetch_sub(&gate->kept, 1);
	return fd;
}

/* Takes `fd` over. Nothing of it may be used after: another thread may have it already. */
static void keep_connection(struct gate *gate, int fd)
{
	if (atomic_fetch_add(&gate->kept, 1) < KEPT_MOST &&
	    watch(gate, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT))
		return;
	atomic_fetch_sub(&gate->kept, 1);
	close(fd);
}

/* A connection; -1: the gate was shut. One event at a time, as epoll takes them in turn: what is
 * ready besides is for another thread. */
static int next_connection(struct gate *gate)
{
	struct epoll_event event;
	int fd = -1;

	while (fd < 0) {
		int n = epoll_wait(gate->door, &event, 1, -1);
		if (n < 0 && errno != EINTR)
			log_line(LOG_ERROR, "epoll_wait failed", "errno=%d", errno);
		if (n <= 0)
			continue;
		if (event.data.fd == gate->shut)
			return -1;
		fd = event.data.fd == gate->listening ? take_connection(gate)
						      : take_kept(gate, event.data.fd);
	}
	return fd;
}

static void set_time_limits(int fd, int64_t ms)
{
	struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
		log_line(LOG_WARN, "no time limits on a connection", "errno=%d", errno);
}

struct exchange *gate_accept(struct visitor *v)
{
	struct gate *gate = v->gate;

	for (;;) {
		int fd = next_connection(gate);
		if (fd < 0)
			return NULL;
		set_time_limits(fd, gate->timeout);
		/* "Kept" makes FCGX_Accept_r() go on with this connection instead of closing it. */
		v->request.ipcFd = fd;
		v->request.keepConnection = 1;
		if (FCGX_Accept_r(&v->request) == 0)
			break;
		/* Not FastCGI, or nothing came: libfcgi has closed it. */
	}
	pace_start(&v->in);
	pace_start(&v->out);
	v->drained = false;
	return &v->exchange;
}

/* A request without a body still has an empty STDIN record, nearly always in libfcgi's buffer. */
static bool drain_nothing(struct visitor *v)
{
	struct span declared = span_of(fcgi_env(&v->exchange, "CONTENT_LENGTH"));
	int64_t length;

	if (declared.len > 0 && (!text_number(declared, &length) || length > 0))
		return false;
	set_time_limits(v->request.ipcFd, 1);
	return FCGX_GetChar(v->request.in) == EOF && FCGX_GetError(v->request.in) == 0;
}

/*
 * May the connection be kept? If the server wants it and the body was read to its end, before the
 * answer's end is out: later, what is read could be the next request.
 */
static bool may_be_kept(struct visitor *v)
{
	char trash[8192];
	size_t left = LEFT_UNREAD;

	if (!v->request.keepConnection || v->drained)
		return v->request.keepConnection;
	set_time_limits(v->request.ipcFd, 1);
	int n = sizeof trash;
	for (; n == (int)sizeof trash && left > 0; left -= sizeof trash)
		n = FCGX_GetStr(trash, sizeof trash, v->request.in);
	set_time_limits(v->request.ipcFd, v->gate->timeout); /* the answer may take its time */
	return n < (int)sizeof trash && FCGX_GetError(v->request.in) == 0;
}

/*
 * Closing with bytes unread could cost the server in front the answer, so libfcgi would shut its
 * half and wait, two seconds and more, until the server has closed the other. Where all was read
 * there is nothing to wait for, and otherwise this thread has better things to do: for a detached
 * connection libfcgi just closes, and its twin is kept, or seen off elsewhere.
 */
void gate_finish(struct visitor *v)
{
	FCGX_Request *request = &v->request;
	bool kept = may_be_kept(v);

	if (v->body_file >= 0)
		close(v->body_file);
	v->body_file = -1;
	FCGX_FClose(request->err);
	bool answered = FCGX_FClose(request->out) == 0; /* the answer, and its end, are out */
	int twin = -1;
	if (kept ? answered : !v->drained && !drain_nothing(v))
		twin = fcntl(request->ipcFd, F_DUPFD_CLOEXEC, 0);
	request->keepConnection = 0; /* libfcgi's own would hold this thread */
	FCGX_Detach(request);
	FCGX_Finish_r(request);
	if (twin < 0)
		return;
	if (kept) {
		keep_connection(v->gate, twin);
		return;
	}
	shutdown(twin, SHUT_WR);
	farewell_take(v->gate->farewell, twin);
}
