/* records.c: the answers about records, in the form that the client prefers. */
#include <string.h>

#include "reply/inside.h"
#include "shared/digest.h"
#include "shared/text.h"

/* {"files":[...]} and where the one file is. A browser without script is sent on to a page instead,
 * so that its reload button does not send the form again. */
enum fault reply_created(struct reply *r, const struct files *files)
{
	struct span base = reply_base(r);
	r->negotiated = true;
	if (reply_wants_html(r) && files->count) {
		reply_header(
		    r, "Location", "%.*s/receipt/%s", (int)base.len, base.at, files->at[0].id);
		return reply_empty(r, 303);
	}
	if (files->count == 1)
		reply_header(
		    r, "Location", "%.*s/files/%s", (int)base.len, base.at, files->at[0].id);
	struct buffer b = {0};
	json_put_files(&b, files, base);
	return reply_buffer(r, 201, "application/json", &b);
}

enum fault reply_record(struct reply *r, const struct file *file)
{
	struct buffer b = {0};
	json_put_record(&b, file, reply_base(r));
	return reply_buffer(r, 200, "application/json", &b);
}

static void digest_text(struct digest *d, const char *text)
{
	digest_add(d, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* A record never changes, so its id stands for all of it: digesting the ids costs a twentieth of
 * digesting the body, and a 304 need not build one. The version is in it because a new one may
 * write records differently. */
static void listing_etag(const struct reply *r, const struct page *page, char etag[40])
{
	struct digest d;
	uint8_t value[SHA256_LEN];
	struct span base = reply_base(r);
	digest_start(&d, DIGEST_SHA256);
	digest_text(&d, reply_wants_html(r) ? "html " WAYBILL_VERSION : "json " WAYBILL_VERSION);
	digest_add(&d, base.at, base.len);
	digest_text(&d, page->next);
	digest_add(&d, &page->total, sizeof page->total);
	for (size_t i = 0; i < page->files->count; i++) {
		const struct file *file = &page->files->at[i];
		digest_text(&d, file->id);
		digest_add(&d, &file->expires_at, sizeof file->expires_at);
	}
	digest_end(&d, value);
	etag[0] = '"';
	text_hex(value, 16, etag + 1);
	memcpy(etag + 33, "\"", 2);
}

enum fault reply_listing(struct reply *r, const struct page *page)
{
	char etag[40];
	listing_etag(r, page, etag);
	r->negotiated = true;
	reply_describe(r);
	reply_header(r, "ETag", "%s", etag);
	reply_header(r, "Cache-Control", "private, no-cache");
	if (etag_listed(span_of(r->x->env(r->x, "HTTP_IF_NONE_MATCH")), etag))
		return reply_empty(r, 304);
	if (page->next)
		reply_header(r, "Link", "<%s>; rel=\"next\"", page->next);
	if (reply_wants_html(r))
		return page_listing(r, page);
	struct buffer b = {0};
	json_put_listing(&b, page, reply_base(r));
	return reply_buffer(r, 200, "application/json", &b);
}
