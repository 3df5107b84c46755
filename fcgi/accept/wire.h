/*
 * wire.h: one FastCGI connection, read and written by a thread that may wait: records in, records
 * out, each way with its pace. The socket's time limits are the caller's.
 */
#ifndef WAYBILL_ACCEPT_WIRE_H
#define WAYBILL_ACCEPT_WIRE_H

#include "accept/pace.h"
#include "accept/record.h"
#include "shared/text.h"

enum { WIRE_IN = 64 * 1024, WIRE_OUT = 8 * 1024 };

struct wire {
	int fd;
	int64_t min_rate;
	struct pace pace_in, pace_out;
	struct records records;
	struct span unread; /* of `in` */
	bool gone;	    /* the peer has closed, or the connection is broken */
	bool stuck;	    /* something could not be sent: nothing further may be */
	size_t written;	    /* bytes of content in `out`, behind a record's head */
	char in[WIRE_IN];
	char out[8 + WIRE_OUT];
};

/* The next connection, or the next request on one that was kept. Not to be copied after. */
void wire_open(struct wire *w, int fd, int64_t min_rate);
/* Reads up to the body. False: no request came of it; w->gone: nobody waits for anything either. */
bool wire_request(struct wire *w);
/* As exchange.read. */
enum fault wire_read(struct wire *w, void *to, size_t room, size_t *got);
/* Throw away what comes of the body, `most` bytes at most, without a pause of more than `ms`.
 * True: it has ended as it should. */
bool wire_drain(struct wire *w, size_t most, int ms);
/* Could another request follow? Answers what has come behind the body, too. */
bool wire_at_rest(struct wire *w);
/* As exchange.write; wire_flush() pushes out what is collected. */
enum fault wire_write(struct wire *w, const void *bytes, size_t len);
enum fault wire_flush(struct wire *w);
/* Pushes out what is collected, and waits, `ms` at most, until the little that is left to be sent
 * will not have to wait. */
void wire_settle(struct wire *w, int64_t ms);
/* The answer's end; `more`: an empty record behind it, that belongs to no request. False: it did not go out. */
bool wire_end(struct wire *w, bool more);

#endif
