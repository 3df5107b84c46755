/* wire.c: see wire.h. */
#include "accept/wire.h"

#include <errno.h>
#include <fastcgi.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void wire_open(struct wire *w, int fd, int64_t min_rate)
{
	w->fd = fd;
	w->min_rate = min_rate;
	w->unread = (struct span){w->in, 0};
	w->gone = w->stuck = false;
	w->written = 0;
	records_again(&w->records);
	pace_start(&w->pace_in);
	pace_start(&w->pace_out);
}

/* ---- out ------------------------------------------------------------------------------------- */

static void skip(struct iovec **pieces, size_t *count, size_t sent)
{
	while (*count > 0 && sent >= (*pieces)->iov_len) {
		sent -= (*pieces)->iov_len;
		(*pieces)++;
		(*count)--;
	}
	if (*count > 0) {
		(*pieces)->iov_base = (char *)(*pieces)->iov_base + sent;
		(*pieces)->iov_len -= sent;
	}
}

static enum fault send_all(struct wire *w, struct iovec *pieces, size_t count)
{
	while (count > 0 && !w->stuck) {
		ssize_t n = writev(w->fd, pieces, (int)count); /* SIGPIPE is ignored */
		if (n < 0 && errno == EINTR)
			continue;
		w->gone = n < 0 && errno != EAGAIN;
		w->stuck = n < 0 || !pace_add(&w->pace_out, (size_t)n, w->min_rate);
		skip(&pieces, &count, n < 0 ? 0 : (size_t)n);
	}
	return w->stuck ? FAULT_INTERNAL : FAULT_NONE;
}

/* What is collected, as a record; *pieces has room for it. */
static size_t collected(struct wire *w, struct iovec *piece)
{
	if (w->written == 0)
		return 0;
	record_head((uint8_t *)w->out, FCGI_STDOUT, w->records.request_id, w->written);
	*piece = (struct iovec){w->out, FCGI_HEADER_LEN + w->written};
	w->written = 0;
	return 1;
}

enum fault wire_flush(struct wire *w)
{
	struct iovec piece;

	return send_all(w, &piece, collected(w, &piece));
}

/* A record of its own, from where the bytes lie, behind what is collected. */
static enum fault send_record(struct wire *w, struct span content)
{
	uint8_t head[FCGI_HEADER_LEN];
	struct iovec pieces[3];
	size_t count = collected(w, pieces);

	record_head(head, FCGI_STDOUT, w->records.request_id, content.len);
	pieces[count++] = (struct iovec){head, sizeof head};
	pieces[count++] = (struct iovec){(void *)content.at, content.len};
	return send_all(w, pieces, count);
}

enum fault wire_write(struct wire *w, const void *bytes, size_t len)
{
	struct span left = {bytes, len};
	enum fault f = FAULT_NONE;

	if (len <= WIRE_OUT - w->written) {
		memcpy(w->out + FCGI_HEADER_LEN + w->written, bytes, len);
		w->written += len;
		return FAULT_NONE;
	}
	while (!f && left.len > 0)
		f = send_record(w, span_take(&left, FCGI_MAX_LENGTH));
	return f;
}

/* A socket counts as writable when a good part of its buffer is free, not the first byte. */
void wire_settle(struct wire *w, int64_t ms)
{
	struct pollfd room = {.fd = w->fd, .events = POLLOUT};

	if (!wire_flush(w))
		w->stuck = poll(&room, 1, ms < INT32_MAX ? (int)ms : INT32_MAX) <= 0;
}

bool wire_end(struct wire *w, bool more)
{
	uint8_t end[FCGI_HEADER_LEN + sizeof(FCGI_EndRequestRecord)], behind[FCGI_HEADER_LEN];
	struct iovec pieces[3];
	size_t count = collected(w, pieces);

	record_head(end, FCGI_STDOUT, w->records.request_id, 0);
	record_end_request(end + FCGI_HEADER_LEN, w->records.request_id, FCGI_REQUEST_COMPLETE);
	pieces[count++] = (struct iovec){end, sizeof end};
	record_head(behind, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, 0);
	if (more)
		pieces[count++] = (struct iovec){behind, sizeof behind};
	return !send_all(w, pieces, count);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* More bytes into the empty buffer. False: none; errno, 0 where the peer has closed. */
static bool fill(struct wire *w, int flags)
{
	ssize_t n = TEMP_FAILURE_RETRY(recv(w->fd, w->in, sizeof w->in, flags));

	if (n == 0)
		errno = 0;
	if (n <= 0) {
		w->gone = errno != EAGAIN;
		return false;
	}
	w->unread = (struct span){w->in, (size_t)n};
	return true;
}

/* One event out of what was read, with at most `most` bytes of body. What the peer asked besides is
 * answered at once: it stands between two records of ours, never inside one. */
static enum record_event step(struct wire *w, size_t most, struct span *body)
{
	for (;;) {
		struct span rest = w->unread, in = span_take(&rest, most);
		size_t given = in.len;
		enum record_event event = records_next(&w->records, &in, body);
		span_take(&w->unread, given - in.len);
		if (event == RECORD_MORE && w->unread.len > 0)
			continue;
		if (event != RECORD_ANSWER)
			return event;
		struct iovec piece = {w->records.answer, w->records.answer_len};
		if (send_all(w, &piece, 1))
			return RECORD_BROKEN;
	}
}

bool wire_request(struct wire *w)
{
	struct span body;
	enum record_event event;

	while ((event = step(w, WIRE_IN, &body)) == RECORD_MORE) {
		if (!fill(w, 0) || !pace_add(&w->pace_in, w->unread.len, w->min_rate))
			return false;
	}
	pace_start(&w->pace_in);
	return event == RECORD_REQUEST;
}

/* All that is there, up to `room`, and at least one byte: what has come does not wait for what has not.
 * Trouble behind some bytes is told with the next call. */
enum fault wire_read(struct wire *w, void *to, size_t room, size_t *got)
{
	struct span body;

	*got = 0;
	while (*got < room && !records_ended(&w->records)) {
		enum record_event event = step(w, room - *got, &body);
		if (event == RECORD_BODY) {
			memcpy((char *)to + *got, body.at, body.len);
			*got += body.len;
		} else if (event == RECORD_ABORT || event == RECORD_BROKEN) {
			break;
		} else if (event == RECORD_MORE && !fill(w, *got > 0 ? MSG_DONTWAIT : 0)) {
			if (*got == 0 && errno == EAGAIN)
				return FAULT_BODY_TIMEOUT;
			break;
		} else if (*got == 0 && !pace_add(&w->pace_in, 0, w->min_rate)) {
			return FAULT_BODY_TIMEOUT; /* records without a byte of body */
		}
	}
	if (*got == 0 && !records_ended(&w->records))
		return FAULT_INCOMPLETE_BODY;
	pace_start(&w->pace_out); /* the answer has its free minute from here on, however long the body took */
	return pace_add(&w->pace_in, *got, w->min_rate) ? FAULT_NONE : FAULT_BODY_TIMEOUT;
}

static bool is_readable(int fd, int ms)
{
	struct pollfd wanted = {.fd = fd, .events = POLLIN};

	return poll(&wanted, 1, ms) > 0;
}

bool wire_drain(struct wire *w, size_t most, int ms)
{
	struct span body;
	size_t drained = 0;

	while (!records_ended(&w->records) && drained <= most) {
		enum record_event event = step(w, WIRE_IN, &body);
		if (event == RECORD_BODY)
			drained += body.len;
		else if (event == RECORD_ABORT || event == RECORD_BROKEN)
			return false;
		else if (event == RECORD_MORE &&
			 (!is_readable(w->fd, ms) || !fill(w, MSG_DONTWAIT)))
			return false;
	}
	return records_ended(&w->records);
}

bool wire_at_rest(struct wire *w)
{
	struct span body;

	return step(w, WIRE_IN, &body) == RECORD_MORE && records_at_rest(&w->records);
}
