/* call.c: what endpoints have in common. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "routes/routes.h"
#include "shared/log.h"

enum fault call_need_buffer(struct call *c)
{
	if (!c->buffer)
		c->buffer = malloc(BODY_BUFFER);
	return c->buffer ? FAULT_NONE
			 : refuse(&c->why, FAULT_INTERNAL, "The server is out of memory.");
}

enum fault call_expires_in(struct call *c, struct span asked)
{
	struct grant grant;
	int64_t expires_in;

	if (!text_duration(asked, &expires_in) || expires_in == 0)
		return refuse(&c->why, FAULT_BAD_REQUEST,
		    "expires_in must be a time with its unit, such as 30m, 24h or 7d.");
	rules_grant(&c->request, &c->caller, c->service->config, expires_in, &grant);
	c->grant.lasts = grant.lasts;
	return FAULT_NONE;
}

enum fault call_path(struct call *c, struct span raw, struct span *path)
{
	char *text = raw.len > 0 ? scratch_take(&c->scratch, FOLDER_BYTES + 1) : NULL;

	*path = (struct span){0};
	if (raw.len == 0)
		return FAULT_NONE;
	if (!text)
		return refuse(&c->why, FAULT_BAD_REQUEST, "The request's texts are too long.");
	if (!text_clean_path(raw, text))
		return refuse(&c->why, FAULT_NAME_TOO_LONG,
		    "The path has more than %d bytes, which is all that is kept of one.",
		    FOLDER_BYTES);
	if (text[0])
		*path = span_of(text);
	return FAULT_NONE;
}

static enum fault make_grant(struct call *c)
{
	struct span expires_in, path;
	enum fault f =
	    request_parameter(&c->request, "expires_in", &c->scratch, &expires_in, &c->why);

	if (!f)
		f = request_parameter(&c->request, "path", &c->scratch, &path, &c->why);
	rules_grant(&c->request, &c->caller, c->service->config, 0, &c->grant);
	if (!f && expires_in.at)
		f = call_expires_in(c, expires_in);
	if (!f)
		f = call_path(c, path, &c->grant.path);
	if (!f && c->request.key.at)
		f = rules_key(c->request.key, &c->grant, &c->why);
	return f ? f : request_claims(&c->request, c->grant.claims, &c->why);
}

bool call_has_type(const struct call *c, const char *type)
{
	char declared[TYPE_BYTES + 1];

	return text_media_type(c->request.content_type, declared) && strcmp(declared, type) == 0;
}

bool call_claims_digest(const struct call *c)
{
	return c->grant.claims[0].algorithm != DIGEST_NONE ||
	       c->grant.claims[1].algorithm != DIGEST_NONE;
}

bool call_wants_token(const struct call *c, struct span owner)
{
	return !owner.at && c->service->config->delete_access == ACCESS_OWNER;
}

enum fault call_id(struct call *c, unsigned i, struct span *id)
{
	*id = c->request.segment[i];
	if (text_is_id(*id))
		return FAULT_NONE;
	return refuse(&c->why, FAULT_BAD_REQUEST,
	    "An id has %d characters of 0-9 and a-z without i, l, o and u; this is none.", ID_LEN);
}

const char *call_url(struct call *c, const char *fmt, ...)
{
	char path[8192];
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(path, sizeof path, fmt, args);
	va_end(args);
	struct span base = c->request.base;
	if (len < 0 || (size_t)len >= sizeof path)
		return NULL;
	char *url = scratch_take(&c->scratch, base.len + (size_t)len + 1);
	if (!url)
		return NULL;
	memcpy(url, base.at, base.len);
	memcpy(url + base.len, path, (size_t)len + 1);
	return url;
}

enum fault call_place(struct call *c, enum lane lane)
{
	enum fault f = limiter_enter(c->service->limiter, lane, &c->why);

	c->inside = !f;
	c->lane = lane;
	if (c->inside)
		metrics_enter(c->service->metrics, lane);
	return f;
}

enum fault call_enter(struct call *c)
{
	enum fault f = make_grant(c);

	if (!f)
		f = call_place(c, LANE_BODY);
	return f ? f : call_need_buffer(c);
}

enum fault call_finish(struct call *c, const char *fields, struct span owner)
{
	enum fault f = upload_finish(c->upload, fields, call_wants_token(c, owner), &c->files, &c->why);

	if (!f)
		call_log_stored(c);
	return f;
}

void call_log_stored(const struct call *c)
{
	char name[512], owner[256], declared[TYPE_BYTES + 3];

	for (size_t i = 0; i < c->files.count && log_wants(LOG_INFO); i++) {
		const struct file *file = &c->files.at[i];
		log_line(LOG_INFO, "stored",
		    "file=%s size=%lld type=%s declared_type=%s name=%s owner=%s", file->id,
		    (long long)file->size, file->type,
		    log_value(span_of(file->declared_type), declared, sizeof declared),
		    log_value(span_of(file->name), name, sizeof name),
		    log_value(span_of(file->owner), owner, sizeof owner));
	}
}
