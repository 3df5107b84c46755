/*
 * accept.h: a request arrives, is read, is judged.
 *
 *     gate_accept -> request_parse -> rules_length -> rules_may_upload ... -> gate_finish
 *
 * gate.c lets FastCGI's requests in (record.c reads them, wire.c sends the answers), cgi.c plain
 * CGI's; request.c, host.c and rules.c are pure.
 */
#ifndef WAYBILL_ACCEPT_H
#define WAYBILL_ACCEPT_H

#include "shared/config.h"
#include "shared/files.h"
#include "shared/flow.h"
#include "shared/text.h"

/* ---- gate.c: exchanges come in --------------------------------------------------------------- */

struct gate;	/* a listening socket and how to leave it */
struct visitor; /* a thread's place at the gate; one exchange at a time */

/* Is `fd` a listening socket? */
bool gate_is_listening(int fd);
/* Listen on "unix:PATH" (mode 0660; a stale socket is replaced) or "HOST:PORT". -1: *why. */
int gate_listen(const char *where, struct refusal *why);
/* Why `where` is no place to listen on, as a sentence for people; NULL: it is one. */
const char *gate_misnamed(const char *where);
/* Where `fd` listens, written as for gate_listen(); "-" where the kernel does not say. */
void gate_where(int fd, char *to, size_t room);
/* Takes `fd` over. NULL: *why. */
struct gate *gate_open(int fd, const struct config *config, struct refusal *why);
/* No further exchange is accepted; threads waiting in gate_accept() return NULL. Any thread. */
void gate_shut(struct gate *gate);
/*
 * No further connection is accepted, as another process does that now; but the server in front may
 * have sent a request over a connection that it was told would be kept. Such a one is waited for, and
 * closed behind its next answer. When there is none left the gate is shut. Any thread, once.
 */
void gate_retire(struct gate *gate);
bool gate_is_shut(const struct gate *gate);
void gate_close(struct gate *gate); /* once all threads have left */

struct visitor *visitor_new(struct gate *gate); /* NULL: no memory */
void visitor_free(struct visitor *v);
/* The next exchange, or NULL when the gate was shut. */
struct exchange *gate_accept(struct visitor *v);
/* Answer's end: flush and let go, read or not (behind nginx, reading on would deadlock). */
void gate_finish(struct visitor *v);

/* The one exchange of a plain CGI process: environment, stdin, stdout. */
struct exchange *cgi_open(const struct config *config);
/* Close the output, then drain what the server still wants to hand over (Apache's mod_cgid loses
 * the answer of a script that leaves its body unread), bounded in bytes and time. */
void cgi_finish(struct exchange *x);

/* ---- limiter.c: how many transfers at once ------------------------------------------------- */

/*
 * Bodies that stall, and readers that do not read, must not take every thread. Each of the two lanes
 * leaves an eighth of the threads free (at least two, of four and more), so that the other lane has
 * some; both together a sixteenth (at least one), for requests that are quick. Who finds no place
 * waits a few seconds, together with a few others; then BUSY.
 */
enum lane { LANE_BODY, LANE_CONTENT, LANES };
struct limiter;
struct limiter *limiter_new(int64_t threads); /* NULL: no memory */
enum fault limiter_enter(struct limiter *t, enum lane lane, struct refusal *why);
void limiter_leave(struct limiter *t, enum lane lane);
void limiter_free(struct limiter *t);

/* ---- request.c: CGI variables -> struct request ---------------------------------------------- */

/*
 * Text of *request is borrowed from the exchange and from `scratch` (16 KiB is plenty).
 * BAD_REQUEST: an escape that is none, no method; NAME_TOO_LONG: an address that does not fit.
 * Where it fails, `request` still holds enough to answer with.
 */
enum fault request_parse(struct request *request, struct exchange *x, const struct config *config,
    struct scratch *scratch, struct refusal *why);

/* front.c: the fault to answer with where this is a server's refusal to be worded
 * (REDIRECT_STATUS); FAULT_NONE: go on. May change r->method to METHOD_OTHER. */
enum fault request_turned_away(
    struct request *request, struct exchange *x, const struct config *config, struct refusal *why);

/* The method as it was sent; absent where the web server refused the request itself and does not
 * tell (lighttpd asks for the words by GET). */
struct span request_method_sent(struct exchange *x);

/* host.c: does this machine itself ask? REMOTE_ADDR is a loopback address and nothing was forwarded
 * (X-Forwarded-For, Forwarded, Via, X-Real-IP). */
bool request_is_local(struct exchange *x);

/* header.c: request->header, out of the environment. request_parse() does that. */
void request_headers(struct request *request, struct exchange *x);

/* One parameter of the query, decoded ('+' is a blank). Absent: not given. BAD_REQUEST: bad
 * escape, or given twice. */
enum fault request_parameter(const struct request *request, const char *name,
    struct scratch *scratch, struct span *value, struct refusal *why);
/* May a browser be sent to `url` after a form? BAD_REQUEST: it is neither a path of this origin nor on
 * it or on one of allowed_origins. */
enum fault request_may_return(const struct request *request, const struct config *config,
    struct span url, struct refusal *why);
/* GET /files: the whole query. *limit etc. with their defaults. */
enum fault request_listing(const struct request *request, struct listing *listing,
    struct scratch *scratch, struct refusal *why);
/* The file name of a raw body: ?name=, then PUT's last segment, then Content-Disposition
 * (filename* before filename). NAME_TOO_LONG: over 255 bytes in the URL. */
enum fault request_file_name(
    const struct request *request, struct scratch *scratch, struct span *name, struct refusal *why);
/* Content-Digest and Repr-Digest (RFC 9530): sha-256 and sha-512 count, others are ignored.
 * BAD_REQUEST: a value of those two that is no byte sequence of the right length. */
enum fault request_claims(
    const struct request *request, struct claim claims[2], struct refusal *why);

/* ---- told.c: what the server in front tells of itself ---------------------------------------- */

/* WAYBILL_STREAMED: bodies come as they arrive: 1, 0; -1: it does not say. */
int told_streamed(const struct request *request);
/* How content goes out, by WAYBILL_SENDFILE, WAYBILL_OBJECTS and the key sendfile: SENDFILE_NONE,
 * SENDFILE_X_SENDFILE or SENDFILE_X_ACCEL. */
int told_sendfile(const struct request *request, const struct config *config);
/* Bytes of the largest body that gets here: max_bytes, or WAYBILL_BODY_LIMIT where that is less. */
int64_t told_max_bytes(const struct request *request, const struct config *config);
/* WAYBILL_BASE without slashes at its end; absent: it does not say, empty: the root. */
struct span told_base(struct exchange *x, const struct config *config);
/* A body's file was named, and there is no body_file_dir. */
void told_body_file(void);

/* ---- rules.c: request -> grant --------------------------------------------------------------- */

/* Is this a request on /upload that must declare a length? */
bool rules_needs_length(const struct request *request);
/* BAD_LENGTH, LENGTH_REQUIRED, TOO_LARGE: before all else, before a byte is read. */
enum fault rules_length(
    const struct request *request, const struct config *config, struct refusal *why);
/* host.c. WRONG_HOST: Host carries a name that is none of allowed_hosts; where there are none, that
 * is neither localhost nor an address in a request from this machine itself. No Host passes. */
enum fault rules_host(struct exchange *x, const struct config *config, struct refusal *why);
/* CROSS_SITE: an unsafe request made by another site's page. */
enum fault rules_site(const struct request *request, struct refusal *why);

/* UNAUTHORIZED or FORBIDDEN. */
enum fault rules_may_upload(
    const struct caller *caller, const struct config *config, struct refusal *why);
/* May the caller list or read anything at all? *only_own: only what the caller uploaded. */
enum fault rules_may_read(
    const struct caller *caller, const struct config *config, bool *only_own, struct refusal *why);
/* This file (read): NOT_FOUND for a stranger's. */
enum fault rules_may_see(const struct caller *caller, const struct config *config,
    const struct file *file, struct refusal *why);
/* This file (delete; NULL, except in owner mode: any); token_fits: the caller presented its delete_token. */
enum fault rules_may_delete(const struct caller *caller, const struct config *config,
    const struct file *file, bool token_fits, struct refusal *why);
/* Metrics and the figures of /healthz: a token with admin, or this machine itself. */
enum fault rules_may_watch(
    const struct caller *caller, const struct request *request, struct refusal *why);

/*
 * An idempotency key (draft-ietf-httpapi-idempotency-key-header: a quoted string; most send it bare):
 * the same request sent again by the same owner makes no second file. BAD_REQUEST: it is too short to
 * be nobody else's, or holds what no key does.
 */
enum fault rules_key(struct span raw, struct grant *grant, struct refusal *why);

/* What the request may do. expires_in: ms asked for, or 0. */
void rules_grant(const struct request *request, const struct caller *caller,
    const struct config *config, int64_t expires_in, struct grant *grant);

#endif
