/*
 * body.h: a request's bytes are taken apart.
 *
 *     body_pour(x, grant, content_type, part, buffer, hands, fields, why)
 *
 * reads at most what the grant allows from the exchange and hands it on, as one raw part or through
 * the multipart machine, and returns only when the body has ended where it said it would.
 */
#ifndef WAYBILL_BODY_H
#define WAYBILL_BODY_H

#include "shared/flow.h"

enum {
	FIELDS_MAX = 64,	  /* fields of one form */
	FIELDS_BYTES = 64 * 1024, /* all of them as a JSON object */
	BODY_BUFFER = 64 * 1024	  /* what one read may bring; a page of it is touched at a time */
};

/* A form's fields, in order of arrival. body_fields_free() when done. */
struct field {
	struct span name, value; /* valid UTF-8 */
};
struct fields {
	struct field at[FIELDS_MAX];
	unsigned count;
	size_t bytes;		/* of the JSON object so far; 0: none */
	char *text[FIELDS_MAX]; /* what the spans borrow from */
	unsigned taken;		/* behind the others: out of the form, but borrowed from as yet */
};
void body_fields_free(struct fields *fields);
/* Once all fields have come: takes the one called `name` out, whose value stays until they are
 * freed; absent: there is none. False: there are several. */
bool body_fields_take(struct fields *fields, const char *name, struct span *value);

/* True for multipart/form-data. */
bool body_is_form(struct span content_type);

/*
 * Pour a form: files go to the hands, fields are collected. (Seven parameters: what comes in, what it goes to,
 * and how it may fail; a struct would have to be filled at the one place that calls this.) `buffer` is
 * BODY_BUFFER bytes. Faults: BAD_MULTIPART, INCOMPLETE_BODY (length lies either way), BODY_TIMEOUT, TOO_LARGE
 * (unknown length passes max_bytes), TOO_MANY_FILES, FIELDS_TOO_LARGE, NO_FILE, DIGEST_MISMATCH, and whatever
 * the hands return, first fault wins.
 */
enum fault body_pour_form(struct exchange *x, const struct grant *grant, struct span content_type,
    char *buffer, const struct hands *hands, struct fields *fields, struct refusal *why);

/* Pour a raw body as the one part described by `part`. Faults as above where they apply. */
enum fault body_pour_raw(struct exchange *x, const struct grant *grant, const struct part *part,
    char *buffer, const struct hands *hands, struct refusal *why);

/* ---- the multipart machine: pure, also driven by tests and fuzzers --------------------------- */

/* RFC 2046 5.1.1: 1 to 70 characters. */
enum { BOUNDARY_MAX = 70, PART_HEADERS_MAX = 16 * 1024 };

struct multipart; /* constant size, whatever the body */

/* content_type: the header's value. NULL and *why (BAD_MULTIPART) when it names no usable
 * boundary; NULL and INTERNAL when memory is short. */
struct multipart *multipart_new(
    struct span content_type, const struct hands *hands, struct refusal *why);
/* Feed any cut of the body; all of it is taken. Events do not depend on the cuts. */
enum fault multipart_feed(struct multipart *m, const void *bytes, size_t len, struct refusal *why);
/* The body has ended: BAD_MULTIPART if the closing delimiter was not seen. */
enum fault multipart_end(struct multipart *m, struct refusal *why);
void multipart_free(struct multipart *m);

#endif
