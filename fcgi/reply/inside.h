/* inside.h: what the files of reply/ share: a growing buffer, the sending of parts, conditions. */
#ifndef WAYBILL_REPLY_INSIDE_H
#define WAYBILL_REPLY_INSIDE_H

#include <string.h>

#include "reply/reply.h"

/* Bytes that grow. Out of memory sets `failed` and drops the rest, so that only the end of a
 * document need look. Zeroed to begin with; buffer_free() in the end. */
struct buffer {
	char *at;
	size_t used, size;
	bool failed;
};
bool buffer_reserve(struct buffer *b, size_t len); /* false: failed */
static inline void buffer_add(struct buffer *b, const void *bytes, size_t len)
{
	if (len == 0 || (b->size - b->used < len && !buffer_reserve(b, len)))
		return;
	memcpy(b->at + b->used, bytes, len);
	b->used += len;
}
void buffer_text(struct buffer *b, const char *text);
void buffer_number(struct buffer *b, int64_t n);
/* Markup: the format's own text goes in as it is, every %s and %.*s is escaped (& < > " '), %lld is
 * a number; there are no other conversions. So text from outside cannot become markup. */
void buffer_html(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buffer_free(struct buffer *b);

/* A header that every answer of its kind has: callers leave some room to these. */
void reply_own(struct reply *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, unless it was said already. */
void reply_default(struct reply *r, const char *name, const char *value);

/* Status line and headers for a body of `length` bytes (-1: none announced); then the body in
 * pieces, which HEAD, 204 and 304 swallow. INTERNAL from begin: something else was answered before,
 * or the client is gone; any other fault: a long body was not let begin. */
enum fault reply_begin(struct reply *r, int status, const char *type, int64_t length);
enum fault reply_write(struct reply *r, const void *bytes, size_t len);
/* Send a document and free it; INTERNAL is refused when memory was short. */
enum fault reply_buffer(struct reply *r, int status, const char *type, struct buffer *b);
/* The headers that follow describe the body, and do not stay on a refusal. */
void reply_describe(struct reply *r);
/* The mount point; "" where there is no request. */
struct span reply_base(const struct reply *r);
bool reply_wants_html(const struct reply *r);
static inline struct span reply_asked(const struct reply *r, enum header which)
{
	return r->request ? r->request->header[which] : (struct span){0};
}

/* Documents into a buffer (json.c), whole pages (page.c). */
struct checked { /* fields looked at last, so that a form's are not for each of its files */
	const char *fields;
	bool object;
};
void json_put_record(struct buffer *b, const struct file *file, struct span base, bool addressed,
    struct checked *last);
void json_put_listing(struct buffer *b, const struct page *page, struct span base, bool addressed);
void json_problem(struct buffer *b, const struct refusal *why, bool ietf, const char *id);
enum fault page_refusal(struct reply *r, const struct refusal *why);
enum fault page_listing(struct reply *r, const struct page *page);

/* Does If-None-Match (RFC 9110 13.1.2) name this quoted tag, or anything? Weak comparison. */
bool etag_listed(struct span header, const char *etag);

/* Range (RFC 9110 14.2) against a file of `size` bytes; *count is 0 unless the answer is SOME. */
enum { RANGES_MAX = 64 };
struct range {
	int64_t first, last; /* both inclusive, inside the file */
};
enum ranges { RANGES_IGNORE, RANGES_SOME, RANGES_UNSATISFIABLE };
enum ranges ranges_parse(
    struct span header, int64_t size, struct range at[RANGES_MAX], unsigned *count);

#endif
