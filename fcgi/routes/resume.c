/* resume.c: what the two protocols of resumable uploads have in common. */
#include "routes/resume.h"

#include <string.h>

/* ---- what answers tell ----------------------------------------------------------------------- */

void resume_limits_text(
    const struct call *c, const struct resumable *row, char text[LIMITS_ROOM])
{
	struct upload_limit limit = {.max_size = c->service->config->max_bytes, .max_age = -1};
	int64_t now = clock_calendar();

	if (row && row->expires_at)
		limit.max_age = row->expires_at > now ? (row->expires_at - now) / 1000 : 0;
	upload_limit_text(&limit, text, LIMITS_ROOM);
}

void resume_tell_limits(struct call *c, const struct resumable *row)
{
	char text[LIMITS_ROOM];

	resume_limits_text(c, row, text);
	reply_header(&c->reply, "Upload-Limit", "%s", text);
}

enum fault resume_tell_location(struct call *c, const char *id)
{
	const char *url = call_url(c, "/upload/%s", id);

	if (!url)
		return refuse(&c->why, FAULT_INTERNAL, NULL);
	reply_header(&c->reply, "Location", "%s", url);
	return FAULT_NONE;
}

void resume_tell_file(struct call *c, const char *id)
{
	const char *url = call_url(c, "/files/%s", id);

	if (url)
		reply_header(&c->reply, "Waybill-File", "%s", url);
}

void resume_tell_offset(struct call *c, int64_t offset)
{
	reply_header(&c->reply, "Upload-Offset", "%lld", (long long)offset);
}

bool resume_may_see(struct call *c, const struct resumable *row)
{
	const struct file file = {.owner = row->owner};
	struct refusal unheard = NO_REFUSAL;

	return row->state != UPLOAD_DONE ||
	       !rules_may_see(&c->caller, c->service->config, &file, &unheard);
}

/* ---- finding, pouring ------------------------------------------------------------------------ */

enum fault resume_find(struct call *c, struct span id, bool settle, struct resumable *row)
{
	if (!text_is_id(id))
		return refuse(&c->why, FAULT_NOT_FOUND, "There is no such upload.");
	return keep_find_upload(c->service->keep, id, settle, row, &c->why);
}

enum fault resume_forget(struct call *c, enum fault f)
{
	struct refusal unheard = NO_REFUSAL;
	char id[ID_LEN + 1];

	if (!c->upload)
		return f;
	memcpy(id, upload_row(c->upload)->id, sizeof id);
	upload_leave(c->upload);
	c->upload = NULL;
	keep_remove_upload(c->service->keep, span_of(id), &unheard);
	return f;
}

static enum fault hand_begin(void *self, const struct part *part, struct refusal *why)
{
	return FAULT_NONE;
}

static enum fault hand_write(void *self, const void *bytes, size_t len, struct refusal *why)
{
	struct call *c = self;
	int64_t recorded = upload_row(c->upload)->offset;

	c->bytes_in += (int64_t)len;
	enum fault f = upload_write(c->upload, bytes, len, why);
	if (!f && c->on_recorded && upload_row(c->upload)->offset > recorded)
		c->on_recorded(c);
	return f;
}

static enum fault hand_end(void *self, struct refusal *why)
{
	return FAULT_NONE;
}

/* A tus client takes an offset at the length for the end; but only what finished well is one. */
static bool looks_complete(const struct call *c)
{
	const struct resumable *row = upload_row(c->upload);
	bool tus = row->protocol == PROTOCOL_TUS || c->request.protocol == PROTOCOL_TUS;

	return tus && row->concat == CONCAT_NONE && upload_offset(c->upload) == row->length;
}

static void keep_what_came(struct call *c)
{
	struct refusal unheard = NO_REFUSAL;

	if (call_claims_digest(c) || looks_complete(c))
		upload_take_back(c->upload, &unheard);
	else
		upload_rest(c->upload, &unheard);
}

enum fault resume_pour(struct call *c)
{
	const struct hands hands = {c, hand_begin, hand_write, hand_end};
	const struct part part = {.is_file = true};
	enum fault f = body_pour_raw(c->x, &c->grant, &part, c->buffer, &hands, &c->why);

	if (f)
		keep_what_came(c);
	return f;
}
