/*
 * routes.h: one request, from the gate to its answer.
 *
 * serve.c holds the table of routes and calls an endpoint; the endpoints stand in this folder, one
 * file a subject. They are the only code that knows all four rooms, and what they share is a
 * `struct call`: what was asked, who asks, and what must be given back when it is over.
 */
#ifndef WAYBILL_ROUTES_H
#define WAYBILL_ROUTES_H

#include "accept/accept.h"
#include "body/body.h"
#include "keep/upload.h"
#include "reply/reply.h"
#include "shared/clock.h"

struct metrics;

/* What all requests of a process share; immutable or safe from any thread. */
struct service {
	const struct config *config;
	struct keep *keep;
	struct limiter *limiter;
	struct metrics *metrics;
	const char *jail; /* one line: what the worker's sandbox has in force */
};

enum { SCRATCH_BYTES = 48 * 1024, REQUEST_ID = 32 };

/* One request. Lives on the worker thread; call_end() gives back all it holds. */
struct call {
	const struct service *service;
	struct exchange *x;
	struct request request;
	struct caller caller;
	struct grant grant;
	struct refusal why;
	struct reply reply;
	struct scratch scratch;
	const char *route; /* pattern that matched, for log and metrics; never NULL */
	unsigned route_number;
	char id[REQUEST_ID]; /* the request's, unlike any other's */
	bool sought;	     /* the caller was looked for */
	char owner[256];     /* caller.owner borrows from here */
	struct files files;
	struct upload *upload;
	void (*on_recorded)(struct call *c); /* while it is poured into: more of it is safe; or NULL */
	struct fields fields;
	char *buffer; /* BODY_BUFFER bytes, once there is a body or content */
	bool inside;  /* the limiter, in this lane */
	enum lane lane;
	bool aborted; /* the answer broke off: the client is gone, or too slow */
	int64_t bytes_in;
	char text[SCRATCH_BYTES]; /* what scratch cuts from */
};

/* FAULT_NONE: answered. Else the fault is answered by serve.c, with c->why. An endpoint takes what it needs
 * into the call and never gives it back itself. */
typedef enum fault endpoint(struct call *c);

/* One exchange, whole: parse, judge, route, answer, log. `c` needs no initialization. */
void serve(const struct service *service, struct exchange *x, struct call *c);

/* ---- for endpoints --------------------------------------------------------------------------- */

/* c->buffer, BODY_BUFFER bytes; INTERNAL: no memory. */
enum fault call_need_buffer(struct call *c);
/* A place at the limiter, which goes with the call; BUSY. */
enum fault call_place(struct call *c, enum lane lane);
/* For a body that will be read: c->grant for an upload, with ?expires_in= and ?path=; a place among the
 * bodies; a buffer. */
enum fault call_enter(struct call *c);
/* Does the body have this media type? */
bool call_has_type(const struct call *c, const char *type);
/* Is a digest promised of this body, so that it counts as a whole or not at all? */
bool call_claims_digest(const struct call *c);
/* Does a record of this owner get a delete token? */
bool call_wants_token(const struct call *c, struct span owner);
/* Segment `i` of the path as an id; BAD_REQUEST where it is none. */
enum fault call_id(struct call *c, unsigned i, struct span *id);
/* The folders above a name, cleaned, in scratch; absent: none. NAME_TOO_LONG. */
enum fault call_path(struct call *c, struct span raw, struct span *path);
/* c->upload, which `owner` pays for, becomes c->files, with the form's fields (NULL: its own). The log
 * says so. */
enum fault call_finish(struct call *c, const char *fields, struct span owner);
/* In the log: c->files were stored by this request. */
void call_log_stored(const struct call *c);
/* "{base}{path}" in scratch; NULL: no room. */
const char *call_url(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What files are kept for when their sender asks for so long; BAD_REQUEST: it is no time. */
enum fault call_expires_in(struct call *c, struct span asked);

/* upload.c: what comes to /upload; the policy. */
endpoint upload_policy, upload_post, upload_put;
/* whole.c: an upload in one request, POST as a form or raw, PUT raw; and its answer. */
endpoint whole_upload;
/* The same without the answer, which then is reply_created() with *return_to. */
enum fault whole_take(struct call *c, struct span *return_to);
/* files.c: the catalog and the content. */
endpoint files_list, files_show, files_content, files_delete, files_receipt, files_withdraw;
/* resumable.c: tus and IETF resumable uploads; each serves both. */
endpoint resume_create, resume_head, resume_append, resume_delete, resume_options;
/* site.c: the page and what belongs to it, embedded from www/. */
endpoint site_page, site_asset;
/* health.c */
endpoint health_show;

/* ---- metrics.c ------------------------------------------------------------------------------- */

/* Figures go on from those of processes before, and are added to those of others on data_dir. NULL: no
 * memory. */
struct metrics *metrics_new(const char *const routes[], unsigned count, const char *data_dir);
void metrics_free(struct metrics *m);
/* Every second, and last of all: what other processes can see of ours. */
void metrics_save(struct metrics *m, struct keep *keep);
void metrics_begin(struct metrics *m);
/* A transfer begins, and ends. */
void metrics_enter(struct metrics *m, enum lane lane);
void metrics_leave(struct metrics *m, enum lane lane);
void metrics_end(struct metrics *m, const struct call *c, double seconds);
endpoint metrics_show;

#endif
