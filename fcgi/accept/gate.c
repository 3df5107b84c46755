/*
 * gate.c: where exchanges come in by FastCGI.
 *
 * Threads wait for connections and accept them themselves: a thread leaves at once when the gate is shut, no
 * herd of threads wakes for one connection, and the socket has its time limits before the first byte is read,
 * so that a peer that connects and says nothing cannot hold a thread. Records are read by record.c: libfcgi's
 * reader answers FCGI_GET_VALUES into 64 bytes of its stack, however many names are asked for.
 *
 * They all wait at one epoll(7) instance, where the listening socket is "one shot": it wakes one thread, the
 * one that went to sleep last and is still warm, and no other until that one has accepted. A mutex around
 * poll(2) would cost one wake-up more for each connection.
 *
 * A connection the server in front wants to keep (FCGI_KEEP_CONN) waits there too, and holds no thread
 * meanwhile. Closing it instead would be a race: nginx may have sent the next request before it notices, and
 * says 502.
 */
#include <errno.h>
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

#include "accept/lingering.h"
#include "accept/inside.h"
#include "accept/peers.h"
#include "accept/wire.h"
#include "shared/log.h"
#include "shared/descriptor.h"

enum {
	KEPT_MOST = 256,	/* idle connections; more are closed */
	SOCKET_HOLDS = 1 << 18, /* bytes of an answer */
	LEFT_UNREAD = 1 << 19,	/* bytes of a body: more than a socket holds on its way */
};

struct gate {
	int listening;
	int shut;	 /* eventfd: readable once the gate is shut */
	int door;	 /* epoll: both of them, and the kept connections */
	atomic_int kept; /* how many */
	atomic_bool retired;
	atomic_bool is_shut;
	int64_t timeout;
	int64_t min_rate;
	unsigned threads;
	const char *body_file_dir; /* borrowed from the configuration; "": none */
	struct lingering *linger;
	struct peers peers;
};

struct visitor {
	struct exchange exchange; /* first: an exchange is its visitor */
	struct gate *gate;
	struct wire wire;
	atomic_bool interrupted; /* the reading half is shut: no further request can come */
	int body_file;		 /* the body, where the server has written it to a file; else -1 */
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
	gate->threads = (unsigned)config->threads;
	gate->body_file_dir = config->body_file_dir;
	gate->linger = lingering_new();
	/* Another process may take the connection that epoll told us of. */
	int flags = fcntl(fd, F_GETFL);
	if (!gate->linger || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    !make_door(gate))
		goto failed;
	if (peers_read(&gate->peers, getenv("FCGI_WEB_SERVER_ADDRS"), why)) {
		peers_warn(&gate->peers, fd);
		return gate;
	}
	lingering_free(gate->linger);
	free(gate);
	return NULL;
failed:
	refuse(why, FAULT_INTERNAL, "cannot serve on descriptor %d: %s", fd, strerror(errno));
	free(gate);
	return NULL;
}

void gate_shut(struct gate *gate)
{
	atomic_store(&gate->is_shut, true);
	ring(gate->shut);
}

bool gate_is_shut(const struct gate *gate)
{
	return atomic_load(&gate->is_shut);
}

/* One kept connection less. The last one shuts the gate, where no other can follow. */
static void forget_kept(struct gate *gate)
{
	if (atomic_fetch_sub(&gate->kept, 1) == 1 && atomic_load(&gate->retired))
		gate_shut(gate);
}

/* take_place() counts first and looks then, we the other way round: one sees the other. */
void gate_retire(struct gate *gate)
{
	atomic_store(&gate->retired, true);
	watch(gate, EPOLL_CTL_DEL, gate->listening, 0);
	if (atomic_load(&gate->kept) == 0)
		gate_shut(gate);
}

void gate_close(struct gate *gate)
{
	if (!gate)
		return;
	lingering_free(gate->linger);
	close(gate->listening);
	close(gate->shut);
	close(gate->door);
	free(gate);
}

/* ---- reading and writing --------------------------------------------------------------------- */

static const char *fcgi_env(struct exchange *x, const char *name)
{
	return records_param(&visitor_of(x)->wire.records, name);
}

static const char *fcgi_env_after(struct exchange *x, const char *name, const char *before)
{
	return records_param_after(&visitor_of(x)->wire.records, name, before);
}

/* Opened when it is first asked for: most requests are not uploads. */
static enum fault fcgi_body_file(struct exchange *x, int *fd, struct refusal *why)
{
	struct visitor *v = visitor_of(x);
	const char *path = fcgi_env(x, "REQUEST_BODY_FILE");
	enum fault f = FAULT_NONE;

	if (path && path[0] && !v->gate->body_file_dir[0])
		told_body_file();
	else if (v->body_file < 0 && path && path[0])
		f = body_file_open(v->gate->body_file_dir, path, &v->body_file, why);
	*fd = v->body_file;
	return f;
}

static enum fault fcgi_read(struct exchange *x, void *buf, size_t room, size_t *got)
{
	struct visitor *v = visitor_of(x);
	int fd;
	enum fault f = fcgi_body_file(x, &fd, NULL);

	*got = 0;
	if (f || fd >= 0)
		return f ? f : body_file_read(fd, buf, room, got);
	return wire_read(&v->wire, buf, room, got);
}

static enum fault fcgi_write(struct exchange *x, const void *bytes, size_t len)
{
	struct wire *wire = &visitor_of(x)->wire;

	return len == 0 ? wire_flush(wire) : wire_write(wire, bytes, len);
}

/* Another request took the upload over: end our blocked read. Only the reading half is shut, so
 * that the answer still goes out. */
static void fcgi_interrupt(struct exchange *x)
{
	struct visitor *v = visitor_of(x);

	atomic_store(&v->interrupted, true);
	shutdown(v->wire.fd, SHUT_RD);
}

/* May the connection be kept? If the server wants it, nobody shut half of it, and the body was read to its
 * end, before the answer's end is out: later, what is read could be the next request. */
static bool may_be_kept(struct visitor *v)
{
	return v->wire.records.keep && !atomic_load(&v->interrupted) &&
	       wire_drain(&v->wire, LEFT_UNREAD, 1) && wire_at_rest(&v->wire);
}

/* A reader that takes nothing within the time limit is given up, as in fcgi_write(); one that takes
 * little may take as long as the least rate lets it for what the socket holds. */
static void fcgi_settle(struct exchange *x)
{
	struct visitor *v = visitor_of(x);
	int64_t rate = v->gate->min_rate > 0 ? v->gate->min_rate : SOCKET_HOLDS;

	wire_settle(&v->wire, v->gate->timeout + SOCKET_HOLDS * 1000LL / rate);
}

/* ---- accepting ------------------------------------------------------------------------------- */

struct visitor *visitor_new(struct gate *gate)
{
	struct visitor *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	v->gate = gate;
	v->body_file = -1;
	v->exchange = (struct exchange){fcgi_env, fcgi_env_after, fcgi_read, fcgi_write,
	    fcgi_interrupt, fcgi_body_file, fcgi_settle};
	records_start(&v->wire.records, gate->threads);
	return v;
}

void visitor_free(struct visitor *v)
{
	if (v)
		records_free(&v->wire.records);
	free(v);
}

static int take_connection(const struct gate *gate)
{
	struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof from;
	int fd = accept4(gate->listening, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
		log_line(LOG_ERROR, "cannot accept", "reason=\"%s\"", strerror(errno));
		poll(NULL, 0, 100); /* until some request has given its descriptors back */
	}
	if (!watch(gate, EPOLL_CTL_MOD, gate->listening, EPOLLIN | EPOLLONESHOT) &&
	    !atomic_load(&gate->retired))
		log_line(LOG_ERROR, "epoll_ctl failed", "errno=%d", errno);
	if (fd < 0 || peers_allow(&gate->peers, &from))
		return fd;
	close(fd);
	return -1;
}

/* The next request on a connection that was kept, or its end. */
static int take_kept(struct gate *gate, int fd)
{
	watch(gate, EPOLL_CTL_DEL, fd, 0);
	forget_kept(gate);
	return fd;
}

/* For one more kept connection. */
static bool take_place(struct gate *gate)
{
	if (atomic_fetch_add(&gate->kept, 1) < KEPT_MOST && !atomic_load(&gate->retired))
		return true;
	forget_kept(gate);
	return false;
}

/* Takes `fd` over. Nothing of it may be used after: another thread may have it already. */
static void keep_connection(struct gate *gate, int fd)
{
	if (watch(gate, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT))
		return;
	close(fd);
	forget_kept(gate);
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

/* Closing with bytes unread could cost the server in front the answer: see lingering.h. */
static void see_off(struct visitor *v)
{
	shutdown(v->wire.fd, SHUT_WR);
	lingering_take(v->gate->linger, v->wire.fd);
}

struct exchange *gate_accept(struct visitor *v)
{
	struct gate *gate = v->gate;

	for (;;) {
		int fd = next_connection(gate);
		if (fd < 0)
			return NULL;
		set_time_limits(fd, gate->timeout);
		wire_open(&v->wire, fd, gate->min_rate);
		atomic_store(&v->interrupted, false);
		if (wire_request(&v->wire))
			return &v->exchange;
		if (v->wire.gone)
			close(fd);
		else
			see_off(v);
	}
}

/* A request without a body still has an empty STDIN record, nearly always read already. */
static bool drain_nothing(struct visitor *v)
{
	struct span declared = span_of(fcgi_env(&v->exchange, "CONTENT_LENGTH"));
	int64_t length;

	if (declared.len > 0 && (!text_number(declared, &length) || length > 0))
		return false;
	return wire_drain(&v->wire, 0, 1);
}

/* nginx, if it wanted the connection to be kept, may have the next request on it before it has heard that
 * it was closed, and then says 502. Bytes behind the end, in the same write, have it drop it by itself. */
static bool says_more(struct visitor *v, bool kept)
{
	struct span server = span_of(fcgi_env(&v->exchange, "SERVER_SOFTWARE"));

	return v->wire.records.keep && !kept && span_starts_nocase(server, "nginx/");
}

/* Where all was read there is nothing to wait for; otherwise the peer is waited for elsewhere, while
 * this thread has better things to do. */
void gate_finish(struct visitor *v)
{
	struct wire *w = &v->wire;
	bool kept = may_be_kept(v) && take_place(v->gate);

	descriptor_close(v->body_file);
	v->body_file = -1;
	if (wire_end(w, says_more(v, kept)) && kept) {
		keep_connection(v->gate, w->fd);
		return;
	}
	if (kept)
		forget_kept(v->gate);
	if (w->gone || records_ended(&w->records) || drain_nothing(v))
		close(w->fd);
	else
		see_off(v);
}
