/* records.c: the answers about records, in the form that the client prefers. */
#include <string.h>

#include "reply/inside.h"
#include "shared/digest.h"
#include "shared/text.h"

/* One record after the other through one buffer, to be measured (*length) or, NULL, sent: each has
 * the fields of the form, so all of them at once could be many megabytes. */
static enum fault each_record(struct reply *r, const struct files *files, int64_t *length)
{
	struct buffer b = {0};
	struct checked last = {0};
	struct span base = reply_base(r);
	enum fault f = FAULT_NONE;
	for (size_t i = 0; i < files->count && !f; i++) {
		b.used = 0;
		buffer_text(&b, i == 0 ? "{\"files\":[" : ",");
		json_put_record(&b, &files->at[i], base, r->addressed, &last);
		if (i + 1 == files->count)
			buffer_text(&b, "]}");
		if (b.failed)
			f = FAULT_INTERNAL;
		else if (length)
			*length += (int64_t)b.used;
		else
			f = reply_write(r, b.at, b.used);
	}
	buffer_free(&b);
	return f;
}

static enum fault send_records(struct reply *r, int status, const struct files *files)
{
	int64_t length = 0;
	if (each_record(r, files, &length))
		return reply_buffer(
		    r, status, "application/json", &(struct buffer){.failed = true});
	enum fault f = reply_begin(r, status, "application/json", length);
	return f ? f : each_record(r, files, NULL);
}

static void send_on(struct reply *r, struct span to, const struct files *files)
{
	const char *mark = memmem(to.at, to.len, RETURN_ID, sizeof RETURN_ID - 1);
	size_t before = mark ? (size_t)(mark - to.at) : to.len;
	size_t after = mark ? to.len - before - (sizeof RETURN_ID - 1) : 0;

	reply_header(r, "Location", "%.*s%s%.*s", (int)before, to.at,
	    mark && files->count ? files->at[0].id : "", (int)after, to.at + to.len - after);
}

/* What takes it back, for whoever has no script to keep it: sent to the receipt alone, and by nobody
 * else's page (RFC 6265bis, section 5.6.7). */
static void leave_cookie(struct reply *r, const struct file *first)
{
	struct span base = reply_base(r);

	if (first->delete_token)
		reply_header(r, "Set-Cookie",
		    RECEIPT_COOKIE
		    "=%s; Path=%.*s/receipt/%s; Max-Age=3600; HttpOnly; SameSite=Strict%s",
		    first->delete_token, (int)base.len, base.at, first->id,
		    r->request && r->request->secure ? "; Secure" : "");
}

/* {"files":[...]} and where the one file is. A browser without script is sent on to a page instead,
 * so that its reload button does not send the form again. */
enum fault reply_created(struct reply *r, const struct files *files, struct span return_to)
{
	struct span base = reply_base(r);
	r->negotiated = true;
	if (reply_wants_html(r) && return_to.at) {
		send_on(r, return_to, files);
		return reply_empty(r, 303);
	}
	if (reply_wants_html(r) && files->count) {
		leave_cookie(r, &files->at[0]);
		reply_header(
		    r, "Location", "%.*s/receipt/%s", (int)base.len, base.at, files->at[0].id);
		return reply_empty(r, 303);
	}
	if (files->count == 1)
		reply_header(
		    r, "Location", "%.*s/files/%s", (int)base.len, base.at, files->at[0].id);
	return send_records(r, 201, files);
}

enum fault reply_record(struct reply *r, const struct file *file)
{
	struct buffer b = {0};
	json_put_record(&b, file, reply_base(r), r->addressed, &(struct checked){0});
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
	if (etag_listed(reply_asked(r, HEADER_IF_NONE_MATCH), etag))
		return reply_empty(r, 304);
	if (page->next)
		reply_header(r, "Link", "<%s>; rel=\"next\"", page->next);
	if (reply_wants_html(r))
		return page_listing(r, page);
	struct buffer b = {0};
	json_put_listing(&b, page, reply_base(r), r->addressed);
	return reply_buffer(r, 200, "application/json", &b);
}
