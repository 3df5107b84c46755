/*
 * inside.h: what the files of body/ share among themselves.
 *
 *     search.c     where the next delimiter may stand
 *     boundary.c   the boundary that Content-Type names
 *     part.c       a part's header lines -> struct part
 *     multipart.c  the machine that the three above serve
 *     fields.c     a form's parts -> the hands (files) and struct fields (the rest)
 *     body.c       the pump
 *
 * Nothing here does I/O; only fields.c and multipart_new() allocate.
 */
#ifndef WAYBILL_BODY_INSIDE_H
#define WAYBILL_BODY_INSIDE_H

#include "body/body.h"
#include "shared/text.h"

/* Where `needle` begins in `hay`, or NULL. 2 <= needle_len; its first byte occurs in it once. The cost does
 * not depend on what the sender wrote: several bytes of every place are compared at once. */
const char *body_search(const char *hay, size_t len, const char *needle, size_t needle_len);

/* The boundary of a multipart/form-data Content-Type, borrowed from it. BAD_MULTIPART: not this type, no
 * boundary, two of them, or one that is not 1 to 70 visible characters and inner blanks. */
enum fault boundary_of(struct span content_type, struct span *boundary, struct refusal *why);

/* ---- part.c: RFC 7578 4, WHATWG HTML "multipart/form-data encoding" -------------------------- */

/* What a part's header lines have said so far. Spans borrow from the lines. */
struct heads {
	struct part part;
	struct span other_name; /* of filename*, decoded; absent: none, or not understood */
	bool disposed;		/* Content-Disposition came */
	bool typed;		/* Content-Type came */
	bool named;		/* filename came */
	bool other_named;	/* filename* came */
};

/* One header line, without its CRLF. Names are decoded in place, so the line must outlive the part.
 * BAD_MULTIPART: control bytes, folded, no header line, or one that contradicts what came before. */
enum fault heads_line(struct heads *h, char *line, size_t len, struct refusal *why);
/* The empty line came: h->part is whole. BAD_MULTIPART: it lacks what a part of a form must have. */
enum fault heads_end(struct heads *h, struct refusal *why);

/* ---- fields.c -------------------------------------------------------------------------------- */

/* One more, of valid UTF-8 that borrows from `text`, which malloc() made and which is freed with the
 * fields, or here after a fault. FIELDS_TOO_LARGE: over FIELDS_MAX or FIELDS_BYTES with it. */
enum fault fields_add(
    struct fields *fields, char *text, struct span name, struct span value, struct refusal *why);

/* Hands for multipart_new(): counts files and passes them on, collects fields. */
struct form {
	const struct grant *grant;
	const struct hands *hands;
	struct fields *fields;
	int64_t files;
	bool in_file;
	char *raw; /* name and value of the field under way, as sent */
	size_t name_len, len, room;
};

/* Clears *fields. Free what the form holds (not the fields) with form_free(). */
void form_start(
    struct form *form, const struct grant *grant, const struct hands *hands, struct fields *fields);
struct hands form_hands(struct form *form);
void form_free(struct form *form);

#endif
