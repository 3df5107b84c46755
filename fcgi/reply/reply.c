/* reply.c: status line, headers, and the one place that knows what every answer carries. */
#include "reply/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "reply/inside.h"
#include "shared/log.h"
#include "shared/text.h"

/* What scripts of other sites may see of an answer: whatever tus and IETF clients look at. */
static const char exposed[] =
    "Location, Upload-Offset, Upload-Length, Upload-Expires, Upload-Metadata, Upload-Defer-Length, "
    "Upload-Concat, Upload-Complete, Upload-Limit, Upload-Draft-Interop-Version, Tus-Version, "
    "Tus-Resumable, Tus-Max-Size, Tus-Extension, Tus-Checksum-Algorithm, Repr-Digest, "
    "Content-Digest, Waybill-File, Waybill-Delete-Token, X-Request-Id, "
    "Retry-After";

/* ... and what they may send. */
static const char sendable[] =
    "Authorization, Origin, X-Requested-With, X-Request-ID, X-HTTP-Method-Override, Content-Type, "
    "Upload-Length, Upload-Offset, Tus-Resumable, Upload-Metadata, Upload-Defer-Length, "
    "Upload-Concat, Upload-Checksum, Upload-Incomplete, Upload-Complete, "
    "Upload-Draft-Interop-Version, Content-Digest, Repr-Digest, Idempotency-Key";
enum { PREFLIGHT_SECONDS = 86400 };

void reply_open(struct reply *r, struct exchange *x, const struct request *request)
{
	r->x = x;
	r->request = request;
	r->status = 0;
	r->sent = 0;
	r->negotiated = false;
	r->used = 0;
	r->admit = NULL;
	r->id = NULL;
	r->addressed = false;
	r->about = sizeof r->headers;
}

void reply_describe(struct reply *r)
{
	r->about = r->used;
}

struct span reply_base(const struct reply *r)
{
	return r->request && r->request->base.at ? r->request->base : span_of("");
}

bool reply_wants_html(const struct reply *r)
{
	return r->request && r->request->wants_html;
}

/* Callers leave this much of the headers, in bytes, to what every answer has: however long the
 * header of a caller is, it cannot crowd out the protective ones. */
enum { RESERVE = 2048 };

static void put_header(
    struct reply *r, size_t limit, const char *name, const char *fmt, va_list args)
{
	size_t start = strlen(name) + 2, room = limit > r->used ? limit - r->used : 0;
	char *at = r->headers + r->used;
	int len = room > start ? vsnprintf(at + start, room - start, fmt, args) : -1;
	if (len < 0 || start + (size_t)len + 2 > room) {
		log_line(LOG_WARN, "header left out: too long", "name=%s", name);
		return;
	}
	memcpy(at, name, start - 2);
	memcpy(at + start - 2, ": ", 2);
	text_blank_controls(at + start, (size_t)len); /* CWE-113 */
	memcpy(at + start + (size_t)len, "\r\n", 2);
	r->used += start + (size_t)len + 2;
}

void reply_header(struct reply *r, const char *name, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	put_header(r, sizeof r->headers - RESERVE, name, fmt, args);
	va_end(args);
}

/* One that every answer has; two bytes stay for the blank line. */
void reply_own(struct reply *r, const char *name, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	put_header(r, sizeof r->headers - 2, name, fmt, args);
	va_end(args);
}

bool reply_has_header(const struct reply *r, const char *name)
{
	size_t len = strlen(name);
	const char *end = r->headers + r->used;
	for (const char *line = r->headers; line < end;) {
		if ((size_t)(end - line) > len && line[len] == ':' &&
		    strncasecmp(line, name, len) == 0)
			return true;
		line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
	}
	return false;
}

void reply_default(struct reply *r, const char *name, const char *value)
{
	if (!reply_has_header(r, name))
		reply_own(r, name, "%s", value);
}

/* Errors too: a script of another site that may ask may also read why it was refused. */
static void allow_origin(struct reply *r)
{
	struct span origin = r->request->origin;
	reply_own(r, "Access-Control-Allow-Origin", "%.*s", (int)origin.len, origin.at);
	reply_default(r, "Access-Control-Expose-Headers", exposed);
}

/* What every answer has. Origin is in every Vary: a browser that cached the answer to its own site
 * must not show it to another one without the CORS headers. Accept-Ranges: none keeps lighttpd from
 * slicing what was not sliced here, or from answering a Range that it cannot read with 416. */
static void seal(struct reply *r, const char *type)
{
	if (r->status == 200 && r->request && r->request->header[HEADER_RANGE].at)
		reply_default(r, "Accept-Ranges", "none");
	if (r->id)
		reply_own(r, "X-Request-Id", "%s", r->id);
	reply_default(r, "Cache-Control", "no-store");
	reply_default(r, "X-Content-Type-Options", "nosniff");
	reply_own(r, "Vary", "%s", r->negotiated ? "Accept, Origin" : "Origin");
	if (type && strncmp(type, "text/html", 9) == 0) {
		reply_default(r, "Content-Security-Policy",
		    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
		    "base-uri 'none'; frame-ancestors 'none'");
		reply_default(r, "Referrer-Policy", "same-origin");
	}
	if (r->request && r->request->origin_allowed)
		allow_origin(r);
	if (r->request && r->request->protocol == PROTOCOL_TUS)
		reply_default(r, "Tus-Resumable", "1.0.0");
}

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} good[] = {{200, "OK"}, {201, "Created"}, {202, "Accepted"}, {204, "No Content"},
	    {206, "Partial Content"}, {303, "See Other"}, {304, "Not Modified"}};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (good[i].status == status)
			return good[i].phrase;
	for (enum fault f = FAULT_NONE + 1; f < FAULT_COUNT; f++)
		if (fault_status(f) == status)
			return fault_title(f);
	return "Answer";
}

static bool bodiless(int status)
{
	return status < 200 || status == 204 || status == 304;
}

static bool has_body(const struct reply *r, int status)
{
	return !bodiless(status) && !(r->request && r->request->method == METHOD_HEAD);
}

static enum fault ask(struct reply *r)
{
	enum fault f = r->admit(r->self);
	if (f && r->used > r->about)
		r->used = r->about;
	return f;
}

enum fault reply_begin(struct reply *r, int status, const char *type, int64_t length)
{
	enum fault f = FAULT_NONE;
	if (r->status)
		return FAULT_INTERNAL;
	if (length > REPLY_AT_ONCE && r->admit && has_body(r, status))
		f = ask(r);
	if (f)
		return f;
	r->status = status;
	if (type && !bodiless(status))
		reply_own(r, "Content-Type", "%s", type);
	if (length >= 0 && !bodiless(status))
		reply_own(r, "Content-Length", "%lld", (long long)length);
	seal(r, type);

	char line[80];
	int len = snprintf(line, sizeof line, "Status: %d %s\r\n", status, reason(status));
	memcpy(r->headers + r->used, "\r\n", 2); /* reply_own() leaves room for it */
	f = r->x->write(r->x, line, (size_t)len);
	return f ? f : r->x->write(r->x, r->headers, r->used + 2);
}

enum fault reply_write(struct reply *r, const void *bytes, size_t len)
{
	if (len == 0 || !has_body(r, r->status))
		return FAULT_NONE;
	enum fault f = r->x->write(r->x, bytes, len);
	if (!f)
		r->sent += (int64_t)len;
	return f;
}

enum fault reply_send(struct reply *r, int status, const char *type, const void *body, size_t len)
{
	enum fault f = reply_begin(r, status, type, (int64_t)len);
	return f ? f : reply_write(r, body, len);
}

enum fault reply_buffer(struct reply *r, int status, const char *type, struct buffer *b)
{
	static const char sorry[] = "{\"error\":\"internal\"}"; /* the one JSON that needs no memory */
	enum fault f = FAULT_INTERNAL;
	if (b->failed)
		reply_send(r, 500, "application/json", sorry, sizeof sorry - 1);
	else
		f = reply_send(r, status, type, b->at, b->used);
	buffer_free(b);
	return f;
}

static void put_methods(struct reply *r, const char *name, unsigned methods)
{
	static const char *const names[] = {
	    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
	char list[64] = "";
	for (unsigned i = 0, used = 0; i < sizeof names / sizeof *names; i++)
		if (methods & 1u << i)
			used += (unsigned)snprintf(
			    list + used, sizeof list - used, "%s%s", used ? ", " : "", names[i]);
	reply_own(r, name, "%s", list);
}

void reply_allow(struct reply *r, unsigned methods)
{
	put_methods(r, "Allow", methods);
}

void reply_preflight(struct reply *r, unsigned methods)
{
	reply_allow(r, methods);
	if (!r->request || !r->request->origin_allowed)
		return;
	put_methods(r, "Access-Control-Allow-Methods", METHOD_OTHER - 1);
	reply_header(r, "Access-Control-Allow-Headers", "%s", sendable);
	reply_header(r, "Access-Control-Max-Age", "%d", PREFLIGHT_SECONDS);
}
