/*
 * record.h: FastCGI 1.0 records, out of whatever pieces a connection brings. Pure: no I/O, and no
 * memory but for the parameters, PARAMS_MOST bytes at most.
 *
 *     records_start -> records_next* (-> records_again -> records_next*) -> records_free
 *
 * One request at a time. What belongs to others is skipped, and what the specification has an
 * application answer (management records, a second request on the same connection, roles) is put
 * into `answer`, of bounded size whatever was asked.
 */
#ifndef WAYBILL_ACCEPT_RECORD_H
#define WAYBILL_ACCEPT_RECORD_H

#include "shared/flow.h"

enum {
	PARAMS_MOST = 1 << 20, /* bytes of names and values; servers allow headers of 64 KiB or so */
	MANAGED_MOST = 256, /* answers within one request; more is no server's */
	RECORD_ANSWER_MOST = 96
};

enum record_event {
	RECORD_MORE,	/* all was taken, and nothing came of it: read on */
	RECORD_REQUEST, /* the parameters are complete */
	RECORD_BODY,	/* *body: some of it, inside what was handed in */
	RECORD_END,	/* the body has ended as it should */
	RECORD_ANSWER,	/* `answer` is for the peer, before all that follows; then go on */
	RECORD_ABORT,	/* the server gives the request up; said again until records_again() */
	RECORD_BROKEN	/* this is no FastCGI, or not enough memory; said again for ever */
};

/* Lengths and bytes of name-value pairs, as they come. */
struct pairs {
	uint8_t head[8];
	unsigned got;
	bool open;
	uint32_t name, value; /* bytes to come; of the open pair */
};

struct records {
	unsigned capacity;   /* what FCGI_MAX_CONNS and FCGI_MAX_REQS are answered with */
	unsigned request_id; /* of the request under way */
	bool keep;	     /* the server wants to go on with this connection */
	uint8_t answer[RECORD_ANSWER_MOST];
	size_t answer_len;

	int state, kind; /* of the request; of the record: record.c's own from here on */
	uint8_t head[8], begin[8];
	unsigned head_len, begin_len;
	size_t content, padding; /* bytes to come of the record */
	struct pairs pairs;
	char *params;
	size_t used, size, fill;
	struct pairs wanted; /* of GET_VALUES, which may come between two PARAMS */
	char name[16];
	unsigned name_len, asked, managed;
};

void records_start(struct records *r, unsigned capacity);
/* Takes from the front of *in what the next event needs. */
enum record_event records_next(struct records *r, struct span *in, struct span *body);
/* The value of a parameter, NUL-terminated; of two with one name the first. NULL: not given. Valid
 * until records_again(). */
const char *records_param(const struct records *r, const char *name);
/* The next of that name behind `before`, which was one of its values. */
const char *records_param_after(const struct records *r, const char *name, const char *before);
/* Has the body ended as it should? */
bool records_ended(const struct records *r);
/* Is nothing half read? Only then can another request follow on this connection. */
bool records_at_rest(const struct records *r);
/* The next request: on this connection, of which nothing is half read, or on another. */
void records_again(struct records *r);
void records_free(struct records *r);

/* An END_REQUEST record, 16 bytes. */
void record_end_request(uint8_t to[16], unsigned request_id, uint8_t protocol_status);
/* A record's first 8 bytes. */
void record_head(uint8_t to[8], uint8_t type, unsigned request_id, size_t content);

#endif
