/*
 * load.c: a load generator: N kept connections over loopback, each with one request at a time.
 *
 *     load PORT CONNECTIONS REQUESTS put|form|get PATH [SIZE png|text|known SEED]
 *
 * put appends "/f<number>" to PATH; form posts one file. png and text: every body is different, and
 * those of another SEED again; known: all are the same text. On stdout, one JSON object: requests,
 * errors (statuses over 299), seconds, and the median and 99th percentile of the latency in ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BOUNDARY "----waybill-bench-7f3a"

enum {
	PATTERN = 1 << 20, /* bytes of content, repeated */
	STAMP = 64,	   /* bytes at the front that are a request's own */
	FIRST = 64 << 10,  /* bytes of content that go out with the headers */
	HEADERS = 2048,
	ANSWER = 256 << 10
};

struct task {
	int port;
	size_t connections, requests, size;
	const char *verb, *path, *kind, *seed;
};

struct connection {
	int fd;
	char *out; /* headers, the first bytes of content, and the end of a form if it fits */
	size_t ready, sent;
	size_t content, tail; /* bytes that follow: content, then the end of the form */
	char *answer;
	size_t got;
	double since;
};

struct bench {
	struct task task;
	char *pattern;
	struct connection *connection;
	double *latency;
	size_t begun, ended, errors;
	int epoll;
};

static const char tail[] = "\r\n--" BOUNDARY "--\r\n";
static const char part[] =
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.bin\"\r\n\r\n";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *claim(size_t bytes)
{
	void *at = calloc(1, bytes);
	if (!at)
		die("calloc");
	return at;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- content -------------------------------------------------------------------------------- */

static char *make_pattern(bool text)
{
	char *at = claim(PATTERN);
	unsigned long long x = 88172645463325252ULL;
	for (size_t i = 0; i < PATTERN; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at[i] = text ? (i % 7 == 6 ? ' ' : "etaoinshrdlu"[x % 12]) : (char)x;
	}
	return at;
}

/* The first `len` bytes of request `number`'s content. */
static void stamp(const struct bench *b, size_t number, char *to, size_t len)
{
	static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40\x08\x02\0\0\0";
	char own[STAMP] = {0};
	bool is_png = strcmp(b->task.kind, "png") == 0;
	size_t at = is_png ? sizeof png - 1 : 0;
	memcpy(own, png, at);
	if (strcmp(b->task.kind, "known") == 0)
		number = 0;
	int n = snprintf(own + at, STAMP - at, "%.20s %09zu ", b->task.seed, number);
	memcpy(to, b->pattern, len);
	at += n > 0 ? (size_t)n : 0;
	memcpy(to, own, at < len ? at : len);
}

/* ---- a request ------------------------------------------------------------------------------ */

static void prepare(struct bench *b, struct connection *c)
{
	const struct task *t = &b->task;
	bool form = strcmp(t->verb, "form") == 0, put = strcmp(t->verb, "put") == 0;
	size_t number = b->begun++, first = t->size < FIRST ? t->size : FIRST;
	size_t around = form ? sizeof part - 1 + sizeof tail - 1 : 0;
	char name[32] = "", type[96] = "";
	if (put)
		snprintf(name, sizeof name, "/f%zu", number);
	if (form)
		snprintf(type, sizeof type,
		    "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n");
	int n = snprintf(c->out, HEADERS, "%s %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s",
	    form  ? "POST"
	    : put ? "PUT"
		  : "GET",
	    t->path, name, type);
	if (form || put)
		n += snprintf(
		    c->out + n, HEADERS - (size_t)n, "Content-Length: %zu\r\n", t->size + around);
	n += snprintf(c->out + n, HEADERS - (size_t)n, "\r\n%s", form ? part : "");
	c->ready = (size_t)n;
	if (form || put)
		stamp(b, number, c->out + c->ready, first);
	c->ready += first;
	c->content = t->size - first;
	c->tail = form ? sizeof tail - 1 : 0;
	if (c->content == 0 && form) {
		memcpy(c->out + c->ready, tail, c->tail);
		c->ready += c->tail;
		c->tail = 0;
	}
	c->sent = c->got = 0;
	c->since = now();
}

/* One send(2): > 0 went on; 0: all is sent, or the socket is full (errno EAGAIN). */
static bool push(const struct bench *b, struct connection *c)
{
	const char *from = c->out + c->sent;
	size_t len = c->ready - c->sent;
	if (len == 0 && c->content > 0) {
		size_t at = (b->task.size - c->content) % PATTERN;
		from = b->pattern + at;
		len = PATTERN - at < c->content ? PATTERN - at : c->content;
	} else if (len == 0) {
		from = tail + sizeof tail - 1 - c->tail;
		len = c->tail;
	}
	ssize_t n = len ? send(c->fd, from, len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	if (n <= 0)
		return false;
	if (c->sent < c->ready)
		c->sent += (size_t)n;
	else if (c->content > 0)
		c->content -= (size_t)n;
	else
		c->tail -= (size_t)n;
	return true;
}

/* ---- an answer ------------------------------------------------------------------------------ */

/* Bytes of the answer; 0: not known yet. Not chunked: the peers all tell the length. */
static size_t answer_length(struct connection *c)
{
	c->answer[c->got] = '\0';
	const char *end = strstr(c->answer, "\r\n\r\n");
	if (!end)
		return 0;
	size_t head = (size_t)(end - c->answer) + 4;
	const char *length = strcasestr(c->answer, "\r\nContent-Length:");
	if (length && length < end)
		return head + strtoul(length + 17, NULL, 10);
	if (strncmp(c->answer + 9, "204", 3) != 0) {
		fprintf(stderr, "load: an answer without length: %.300s\n", c->answer);
		exit(1);
	}
	return head;
}

static void connect_to(struct bench *b, struct connection *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)b->task.port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
	if (c->fd > 0)
		close(c->fd);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
		die("connect");
	int one = 1;
	setsockopt(c->fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		die("epoll_ctl");
}

static void note(struct bench *b, struct connection *c, bool lost)
{
	int status = lost ? 0 : atoi(c->answer + 9);
	if (b->errors == 0 && (status < 200 || status > 299))
		fprintf(stderr, "load: %.400s\n", lost ? "the connection broke" : c->answer);
	b->errors += status < 200 || status > 299;
	b->latency[b->ended++] = now() - c->since;
	bool shut = lost || strcasestr(c->answer, "\r\nConnection: close");
	if (b->begun < b->task.requests && shut)
		connect_to(b, c);
	if (b->begun < b->task.requests)
		prepare(b, c);
	else if (c->fd > 0) {
		close(c->fd);
		c->fd = -1;
	}
}

/* Edge-triggered: until neither sending nor reading gets on. */
static void serve(struct bench *b, struct connection *c)
{
	while (c->fd > 0) {
		while (push(b, c))
			;
		ssize_t n = recv(c->fd, c->answer + c->got, ANSWER - 1 - c->got, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		c->got += n > 0 ? (size_t)n : 0;
		size_t length = answer_length(c);
		if (n <= 0 || (length > 0 && c->got >= length))
			note(b, c, n <= 0);
	}
}

/* ---- all of them ---------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void run(struct bench *b)
{
	struct epoll_event event[64];
	for (size_t i = 0; i < b->task.connections && b->begun < b->task.requests; i++) {
		struct connection *c = &b->connection[i];
		c->out = claim(HEADERS + FIRST + sizeof part + sizeof tail);
		c->answer = claim(ANSWER);
		connect_to(b, c);
		prepare(b, c);
	}
	while (b->ended < b->task.requests) {
		int n = epoll_wait(b->epoll, event, 64, 60000);
		if (n == 0)
			fprintf(stderr, "load: nothing for a minute\n");
		if (n == 0)
			exit(1);
		for (int i = 0; i < n; i++)
			serve(b, event[i].data.ptr);
	}
}

int main(int argc, char **argv)
{
	if (argc != 6 && argc != 9) {
		fprintf(stderr, "usage: load PORT CONNECTIONS REQUESTS put|form|get PATH"
				" [SIZE png|text|known SEED]\n");
		return 2;
	}
	struct bench b = {.task = {.port = atoi(argv[1]), .verb = argv[4], .path = argv[5]}};
	b.task.connections = strtoul(argv[2], NULL, 10);
	b.task.requests = strtoul(argv[3], NULL, 10);
	b.task.size = argc == 9 ? strtoul(argv[6], NULL, 10) : 0;
	b.task.kind = argc == 9 ? argv[7] : "text";
	b.task.seed = argc == 9 ? argv[8] : "";
	b.pattern = make_pattern(strcmp(b.task.kind, "png") != 0);
	b.connection = claim(b.task.connections * sizeof *b.connection);
	b.latency = claim((b.task.requests + 1) * sizeof *b.latency);
	b.epoll = epoll_create1(EPOLL_CLOEXEC);
	double start = now();
	run(&b);
	double seconds = now() - start;
	qsort(b.latency, b.ended, sizeof *b.latency, by_value);
	printf("{\"requests\": %zu, \"errors\": %zu, \"seconds\": %.4f, \"p50\": %.3f, \"p99\": "
	       "%.3f}\n",
	    b.ended, b.errors, seconds, b.latency[b.ended / 2] * 1e3,
	    b.latency[b.ended * 99 / 100] * 1e3);
	return 0;
}
