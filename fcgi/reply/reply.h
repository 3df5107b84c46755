/*
 * reply.h: the answer goes out.
 *
 *     reply_open -> reply_header* -> one of the reply_...() below, once
 *
 * An answer is a CGI response (RFC 3875 6) written to the exchange: Status, the headers collected
 * so far, those that every answer of waybill has (see seal() in reply.c), a blank line, the body.
 * HEAD gets the headers of GET and no body; 204 and 304 have neither body nor Content-Type.
 *
 * Every function that answers returns FAULT_NONE, or INTERNAL when the client is gone or memory is short, or
 * what kept a long answer from beginning; there is nothing to clean up either way. Once one of them has begun,
 * further answers are dropped, so an endpoint may always end in `return reply_refuse(r, why)`.
 */
#ifndef WAYBILL_REPLY_H
#define WAYBILL_REPLY_H

#include "shared/config.h"
#include "shared/files.h"
#include "shared/flow.h"

/* Room for headers, in bytes: a tus Upload-Metadata echo of 12 KiB fits; only touched pages cost. */
enum { REPLY_HEADERS = 16 * 1024 };

/* A body of so many bytes fits the buffers on its way (a socket's takes 200 KiB), headers and all:
 * it is sent whether anybody reads it or not. A longer one takes as long as the reader likes. */
enum { REPLY_AT_ONCE = 64 * 1024 };

/* Once per process, before it jails itself and before threads: jansson seeds its hash tables from
 * /dev/urandom, and makes do with the clock where it can no longer be opened. */
void reply_start(void);

/* One answer. Plain memory, no cleanup; borrows x and request. */
struct reply {
	struct exchange *x;
	const struct request *request; /* NULL: it could not even be parsed */
	const char *id;		       /* the request's, told as X-Request-Id; NULL: none */
	int status;		       /* what was answered; 0: nothing yet (for the log) */
	int64_t sent;		       /* bytes of body written */
	bool addressed;	 /* records tell their client's address: for who may administer */
	bool negotiated; /* the form depends on Accept: Vary says so */
	/* Asked before a body of more than REPLY_AT_ONCE bytes begins; a fault (BUSY) is handed back
	 * to the endpoint, and nothing has been answered. NULL: no need to ask. */
	enum fault (*admit)(void *self);
	void *self;
	size_t used;
	size_t about; /* headers from here on describe the body: no refusal keeps them */
	char headers[REPLY_HEADERS];
};

void reply_open(struct reply *r, struct exchange *x, const struct request *request);

/* Add a header. Control bytes in the value become blanks; one that does not fit is left out and logged.
 * Headers given here go before the defaults (Cache-Control, Vary ...) and stay on a refusal. */
void reply_header(struct reply *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Allow: the methods of a set of enum method bits. */
void reply_allow(struct reply *r, unsigned methods);

/* What OPTIONS answers: Allow, and to an origin of allowed_origins what its scripts may send: the
 * same everywhere (Fetch, section 3.2.2). The answer is still to be sent. */
void reply_preflight(struct reply *r, unsigned methods);

/* Was it added already? */
bool reply_has_header(const struct reply *r, const char *name);

/* Answer with `len` bytes; type NULL: no body. Cache-Control is no-store unless set before. */
enum fault reply_send(struct reply *r, int status, const char *type, const void *body, size_t len);
#define reply_empty(r, status) reply_send((r), (status), NULL, NULL, 0)

/* A refusal: problem+json (RFC 9457) or a page, with Allow, WWW-Authenticate, Retry-After, Upload-Offset,
 * Upload-Complete, Tus-Version where they belong. */
enum fault reply_refuse(struct reply *r, const struct refusal *why);

/* ---- what endpoints answer with -------------------------------------------------------------- */

/* 201 {"files":[...]}, Location when there is one; browsers without script: 303 to return_to, or,
 * where that is absent, to the receipt. */
enum fault reply_created(struct reply *r, const struct files *files, struct span return_to);
/* 200: one record as JSON. */
enum fault reply_record(struct reply *r, const struct file *file);
/* 200: the paper for a browser without script. */
enum fault reply_receipt(struct reply *r, const struct files *files, bool may_withdraw);
enum fault reply_withdrawn(struct reply *r, size_t count);

/* One page of GET /files. Paths are path-absolute with the base, percent-encoded; NULL: none. */
struct page {
	const struct files *files;
	int64_t total;		     /* records that the filters match */
	const char *next;	     /* "/drop/files?cursor=..." */
	const char *first;	     /* back to the first page; only for people */
	const struct listing *asked; /* the filters, for the form; NULL: none */
};
/* 200 as JSON or a table, Link, ETag; 304 where If-None-Match names it. */
enum fault reply_listing(struct reply *r, const struct page *page);

/* GET /upload. Type lists are comma-separated globs as in the configuration. */
struct policy {
	int64_t max_bytes, max_files;
	const char *allow_types, *deny_types;
	bool resumable;
	struct span owner;     /* absent: null */
	int streamed;	       /* 1, 0; -1: unknown (null) */
	int64_t quota, used;   /* bytes the caller may hold, and holds; quota 0: none (null) */
	int64_t expires_after; /* ms that files are kept; 0: for ever (null) */
};
enum fault reply_policy(struct reply *r, const struct policy *policy);

/* GET /healthz: {"status":state,"reason":"..."}, without a reason where it is NULL, then the facts. */
struct fact {
	const char *name;
	int64_t figure;
	const char *text; /* when not NULL, instead of the figure */
};
enum fault reply_health(struct reply *r, int status, const char *state, const char *reason,
    const struct fact *facts, size_t count);

/* GET and HEAD of a file's bytes: Range, If-Range, If-None-Match, If-Modified-Since (RFC 9110 13,
 * 14), Repr-Digest (RFC 9530), as an attachment (RFC 6266). The caller closes fd. */
struct content {
	const struct file *file;
	int fd;			 /* open for reading; its offset is not used */
	int sendfile;		 /* SENDFILE_NONE, SENDFILE_X_SENDFILE, SENDFILE_X_ACCEL */
	const char *object_path; /* absolute path of the object, for X-Sendfile; else unused */
	char *buffer;		 /* scratch for copying: 64 KiB do well */
	size_t room;
	bool shown; /* inline, if it is of a type that can do no harm */
};
enum fault reply_content(struct reply *r, const struct content *content);
/* nginx: `location /waybill-objects/ { internal; alias DATA/objects/; }` */
#define REPLY_ACCEL_PREFIX "/waybill-objects/"

/* GET /openapi.json. Those of one pattern stand beside each other; texts need no escapes. */
struct operation {
	const char *pattern; /* "/files/{id}" */
	unsigned methods;    /* set of method bits */
	const char *summary;
	const char *parameters; /* of the query, "limit cursor"; with a capital: a header */
	const char *answers; /* "201 Files,303": statuses, and the schema, "binary" or "text" of each */
};
enum fault reply_openapi(struct reply *r, const struct operation *all, size_t count);

/* ---- JSON as text, for the endpoints and the command line; free() what they return ----------- */

/* Form fields as one object: pairs[2 * i] is a name, pairs[2 * i + 1] its value (so an array of
 * struct {struct span name, value} can be passed). A name that comes several times is an array, in
 * order. NULL: out of memory. */
char *json_fields(const struct span *pairs, size_t count);
/* One record, with its length. base: "". */
char *json_record(const struct file *file, struct span base, size_t *len);

#endif
