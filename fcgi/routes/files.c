/* files.c: the catalog is listed, shown, read and deleted from. */
#include "routes/routes.h"

#include <string.h>
#include <unistd.h>

enum { RECEIPT_MS = 60 * 60 * 1000 };

/* ---- the listing ----------------------------------------------------------------------------- */

/* The same query with another cursor (0: none), as a path; NULL: it does not fit. */
static const char *page_url(struct call *c, int64_t cursor)
{
	char query[6144] = "";
	size_t used = 0;
	struct span rest = c->request.query;

	while (rest.len > 0) {
		struct span pair = span_cut(&rest, '&'), name = pair;
		name = span_cut(&name, '=');
		if (pair.len == 0 || span_is(name, "cursor"))
			continue;
		if (used + pair.len + 32 > sizeof query)
			return NULL;
		memcpy(query + used, pair.at, pair.len);
		used += pair.len;
		query[used++] = '&';
	}
	if (cursor)
		used += (size_t)snprintf(
		    query + used, sizeof query - used, "cursor=%lld", (long long)cursor);
	else if (used > 0)
		used--;
	return call_url(c, "/files%s%.*s", used > 0 ? "?" : "", (int)used, query);
}

enum fault files_list(struct call *c)
{
	struct listing listing;
	struct page page = {.files = &c->files, .asked = &listing};
	bool more;
	bool only_own;
	enum fault f = rules_may_read(&c->caller, c->service->config, &only_own, &c->why);

	if (!f)
		f = request_listing(&c->request, &listing, &c->scratch, &c->why);
	if (f)
		return f;
	listing.only_visible = only_own;
	listing.viewer = c->caller.owner;
	listing.base_len = c->request.base.len;
	f = keep_list(c->service->keep, &listing, &c->files, &page.total, &more, &c->why);
	if (f)
		return f;
	if (more && c->files.count > 0)
		page.next = page_url(c, c->files.at[c->files.count - 1].seq);
	if (listing.after)
		page.first = page_url(c, 0);
	return reply_listing(&c->reply, &page);
}

/* ---- one file -------------------------------------------------------------------------------- */

/* The record, where the caller may see it. A caller whom reading is closed to learns nothing of what exists:
 * that is judged before the look-up. */
static enum fault find_visible(struct call *c)
{
	struct span id;
	bool only_own;
	enum fault f = rules_may_read(&c->caller, c->service->config, &only_own, &c->why);

	if (!f)
		f = call_id(c, 1, &id);
	if (!f)
		f = keep_find(c->service->keep, id, &c->files, &c->why);
	if (f && f != FAULT_EXPIRED)
		return f;
	enum fault hidden = rules_may_see(&c->caller, c->service->config, &c->files.at[0], &c->why);
	return hidden ? hidden : f;
}

/* Who asks for the offset of an upload may have been given the address of what it became. */
static void tell_complete(struct call *c)
{
	if (c->request.method != METHOD_HEAD)
		return;
	reply_header(&c->reply, "Upload-Complete", "?1");
	reply_header(&c->reply, "Upload-Offset", "%lld", (long long)c->files.at[0].size);
}

enum fault files_show(struct call *c)
{
	enum fault f = find_visible(c);

	if (f)
		return f;
	tell_complete(c);
	c->reply.negotiated = true;
	if (c->request.wants_html)
		return reply_receipt(&c->reply, &c->files, false);
	return reply_record(&c->reply, &c->files.at[0]);
}

/*
 * A page of ours may load scripts and styles from this site, and content is part of it, as the
 * browser sees it: what is asked for to be run, or to style, is no download. Browsers say so
 * (Sec-Fetch-Dest, which no script can set); others run nothing.
 */
static enum fault only_as_data(struct call *c)
{
	static const char *const run[] = {"script", "style", "worker", "sharedworker",
	    "serviceworker", "audioworklet", "paintworklet", "xslt", "manifest", "embed", "object"};
	struct span dest = c->request.header[HEADER_SEC_FETCH_DEST];

	for (size_t i = 0; i < sizeof run / sizeof *run; i++)
		if (span_is_nocase(dest, run[i]))
			return refuse(&c->why, FAULT_FORBIDDEN,
			    "What was uploaded is for downloading: it is not handed out as a %s.",
			    run[i]);
	return FAULT_NONE;
}

enum fault files_content(struct call *c)
{
	const struct config *config = c->service->config;
	char object[CONTENT_PATH], path[4096];
	int fd = -1;
	struct span shown = {0};
	enum fault f = only_as_data(c);

	if (!f)
		f = request_parameter(&c->request, "inline", &c->scratch, &shown, &c->why);
	if (!f)
		f = find_visible(c);
	if (!f)
		f = call_need_buffer(c);
	if (!f)
		f = keep_content(c->service->keep, &c->files.at[0], &fd, object, &c->why);
	if (f)
		return f;
	tell_complete(c);
	snprintf(path, sizeof path, "%s/%s", config->data_dir, object);
	struct content content = {
	    .file = &c->files.at[0],
	    .fd = fd,
	    .sendfile = told_sendfile(&c->request, config),
	    .object_path = path,
	    .buffer = c->buffer,
	    .room = BODY_BUFFER,
	    .shown = shown.at != NULL,
	};
	f = reply_content(&c->reply, &content);
	close(fd);
	return f;
}

/* ---- deleting -------------------------------------------------------------------------------- */

/*
 * What nobody may tell from the answer is whether the file exists: where deleting is a right, it is
 * judged before the look-up; in owner mode nothing, a stranger's file, and where reading is closed
 * to the caller, are one and the same.
 */
static enum fault find_deletable(struct call *c, struct span *id)
{
	const struct config *config = c->service->config;
	bool by_owner = config->delete_access == ACCESS_OWNER, only_own;
	enum fault f = FAULT_NONE;

	if (!by_owner)
		f = rules_may_delete(&c->caller, config, NULL, false, &c->why);
	if (!f)
		f = call_id(c, 1, id);
	if (!f)
		f = keep_find(c->service->keep, *id, &c->files, &c->why);
	if (f == FAULT_NOT_FOUND && by_owner && !c->caller.owner.at) {
		struct refusal hidden = c->why;
		enum fault closed = rules_may_read(&c->caller, config, &only_own, &hidden);
		if (closed)
			c->why = hidden;
		return closed ? closed : f;
	}
	return f;
}

enum fault files_delete(struct call *c)
{
	struct keep *keep = c->service->keep;
	struct span id;
	enum fault f = find_deletable(c, &id);

	if (f && f != FAULT_EXPIRED)
		return f;
	const struct file *file = &c->files.at[0];
	bool fits = c->caller.bearer.at && keep_delete_token_fits(keep, file, c->caller.bearer);
	enum fault closed = rules_may_delete(&c->caller, c->service->config, file, fits, &c->why);
	if (closed || f)
		return closed ? closed : f;
	f = keep_remove(keep, id, &c->why);
	return f ? f : reply_empty(&c->reply, 204);
}

/* ---- the receipt ----------------------------------------------------------------------------- */

/* The paper for a browser without script, at an address nobody can guess. Its holder may look at it for an
 * hour even where reading is closed; later it is as visible as the files on it. */
static enum fault find_form(struct call *c)
{
	struct span id;
	enum fault f = call_id(c, 1, &id);

	return f ? f : keep_find_form(c->service->keep, id, &c->files, &c->why);
}

/* All of a form came from whoever has the token of its first file. */
static enum fault may_withdraw(struct call *c, struct refusal *why)
{
	const struct file *first = &c->files.at[0];
	bool fits = c->request.withdraw.at &&
		    keep_delete_token_fits(c->service->keep, first, c->request.withdraw);

	return rules_may_delete(&c->caller, c->service->config, first, fits, why);
}

enum fault files_withdraw(struct call *c)
{
	enum fault f = find_form(c);
	size_t i = 0;

	if (!f)
		f = may_withdraw(c, &c->why);
	for (; i < c->files.count && !f; i++) {
		f = keep_remove(c->service->keep, span_of(c->files.at[i].id), &c->why);
		if (f == FAULT_NOT_FOUND)
			f = FAULT_NONE; /* somebody else was quicker */
	}
	return f ? f : reply_withdrawn(&c->reply, i);
}

enum fault files_receipt(struct call *c)
{
	struct refusal why = c->why;
	enum fault f = find_form(c);

	if (f)
		return f;
	const struct file *first = &c->files.at[0];
	if (clock_calendar() - first->uploaded_at > RECEIPT_MS)
		f = rules_may_see(&c->caller, c->service->config, first, &c->why);
	return f ? f : reply_receipt(&c->reply, &c->files, !may_withdraw(c, &why));
}
