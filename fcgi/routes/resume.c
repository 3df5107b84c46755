/* resume.c: endpoints of resumable uploads, whichever protocol asks; what both have in common. */
#include "routes/resume.h"

#include <string.h>

/* ---- what answers tell ----------------------------------------------------------------------- */

void resume_tell_limits(struct call *c, const struct resumable *row)
{
	struct upload_limit limit = {.max_size = c->service->config->max_bytes, .max_age = -1};
	int64_t now = clock_calendar();
	char text[80];

	if (row && row->expires_at)
		limit.max_age = row->expires_at > now ? (row->expires_at - now) / 1000 : 0;
	upload_limit_text(&limit, text, sizeof text);
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

bool resume_wants_token(const struct call *c, struct span owner)
{
	return !owner.at && c->service->config->delete_access == ACCESS_OWNER;
}

/* ---- finding, pouring ------------------------------------------------------------------------ */

enum fault resume_find(struct call *c, struct span id, bool settle, struct resumable *row)
{
	if (!text_is_id(id))
		return refuse(&c->why, FAULT_NOT_FOUND, "There is no such upload.");
	return keep_find_upload(c->service->keep, id, settle, row, &c->why);
}

enum fault resume_enter(struct call *c)
{
	enum fault fault = call_grant(c);

	return fault ? fault : call_enter(c, LANE_BODY);
}

enum fault resume_forget(struct call *c, enum fault fault)
{
	struct refusal unheard;
	char id[ID_LEN + 1];

	if (!c->upload)
		return fault;
	memcpy(id, upload_row(c->upload)->id, sizeof id);
	upload_leave(c->upload);
	c->upload = NULL;
	refusal_clear(&unheard);
	keep_remove_upload(c->service->keep, span_of(id), &unheard);
	return fault;
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
	enum fault fault = upload_write(c->upload, bytes, len, why);
	if (!fault && upload_row(c->upload)->offset > recorded)
		ietf_tell_progress(c);
	return fault;
}

static enum fault hand_end(void *self, struct refusal *why)
{
	return FAULT_NONE;
}

static bool promised_digest(const struct grant *grant)
{
	return grant->claims[0].algorithm != DIGEST_NONE ||
	       grant->claims[1].algorithm != DIGEST_NONE;
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
	struct refusal unheard;

	refusal_clear(&unheard);
	if (promised_digest(&c->grant) || looks_complete(c))
		upload_take_back(c->upload, &unheard);
	else
		upload_rest(c->upload, &unheard);
}

enum fault resume_pour(struct call *c)
{
	const struct hands hands = {c, hand_begin, hand_write, hand_end};
	const struct part part = {.is_file = true};
	enum fault fault = body_pour_raw(c->x, &c->grant, &part, c->buffer, &hands, &c->why);

	if (fault)
		keep_what_came(c);
	return fault;
}

/* ---- endpoints ------------------------------------------------------------------------------- */

static enum fault judge(struct call *c)
{
	enum fault fault = rules_may_upload(&c->caller, c->service->config, &c->why);

	if (!fault && c->request.protocol == PROTOCOL_TUS && !tus_version_fits(c->x))
		fault = refuse(&c->why, FAULT_TUS_VERSION, NULL);
	return fault;
}

enum fault resume_create(struct call *c)
{
	enum fault fault = judge(c);

	if (fault)
		return fault;
	return c->request.protocol == PROTOCOL_TUS ? tus_create(c) : ietf_create(c);
}

enum fault resume_append(struct call *c)
{
	struct span id = c->request.segment[1];
	enum fault fault = judge(c);

	if (fault)
		return fault;
	return c->request.protocol == PROTOCOL_TUS ? tus_append(c, id) : ietf_append(c, id);
}

/* A HEAD that says where it thinks it is has been taken for an append (draft section 4.3). */
static enum fault judge_head(struct call *c)
{
	struct ietf_headers ietf;

	if (c->request.protocol == PROTOCOL_TUS)
		return FAULT_NONE;
	ietf_read_headers(c->x, &ietf);
	if (ietf.offset < 0 && ietf.complete == COMPLETE_UNSAID)
		return FAULT_NONE;
	return refuse(&c->why, FAULT_BAD_REQUEST,
	    "A request for the offset carries neither Upload-Offset nor Upload-Complete.");
}

bool resume_may_see(struct call *c, const struct resumable *row)
{
	const struct file file = {.owner = row->owner};
	struct refusal unheard;

	refusal_clear(&unheard);
	return row->state != UPLOAD_DONE ||
	       rules_may_see(&c->caller, c->service->config, &file, &unheard) == FAULT_NONE;
}

enum fault resume_head(struct call *c)
{
	bool tus = c->request.protocol == PROTOCOL_TUS;
	struct resumable row;
	enum fault fault = judge(c);

	if (!fault)
		fault = judge_head(c);
	if (!fault)
		fault = resume_find(c, c->request.segment[1], true, &row);
	if (fault)
		return fault;
	bool seen = resume_may_see(c, &row);
	if (tus)
		tus_tell_state(c, &row, seen);
	else
		ietf_tell_state(c, &row, seen);
	reply_header(&c->reply, "Cache-Control", "no-store");
	if (row.state == UPLOAD_DONE && seen)
		resume_tell_file(c, row.id);
	resumable_release(&row);
	return reply_empty(&c->reply, tus ? 200 : 204);
}

/* Its last byte was faster. The file goes where the caller may delete it; else it has to be said that
 * there is one. */
static enum fault delete_what_came_of_it(struct call *c)
{
	enum fault fault = files_delete(c);
	int status = fault_status(fault);

	if (status != 401 && status != 403 && status != 404)
		return fault;
	return refuse(&c->why, FAULT_FINISHED,
	    "This upload was being finished and is a file now; deleting that takes the right to.");
}

enum fault resume_delete(struct call *c)
{
	struct resumable row;
	enum fault fault = judge(c);

	if (!fault)
		fault = resume_find(c, c->request.segment[1], false, &row);
	if (fault)
		return fault;
	bool done = row.state == UPLOAD_DONE;
	resumable_release(&row);
	/* What is a file already needs the right to delete files. */
	if (done)
		return files_delete(c);
	fault = keep_remove_upload(c->service->keep, c->request.segment[1], &c->why);
	if (fault == FAULT_FINISHED)
		return delete_what_came_of_it(c);
	return fault ? fault : reply_empty(&c->reply, 204);
}

enum fault resume_options(struct call *c)
{
	struct reply *r = &c->reply;
	bool whole = c->request.segments == 1;

	reply_header(r, "Tus-Resumable", TUS_VERSION_TEXT);
	reply_header(r, "Tus-Version", TUS_VERSION_TEXT);
	reply_header(r, "Tus-Extension", "%s", TUS_EXTENSIONS);
	reply_header(r, "Tus-Max-Size", "%lld", (long long)c->service->config->max_bytes);
	reply_header(r, "Tus-Checksum-Algorithm", TUS_CHECKSUMS);
	reply_header(
	    r, "Accept-Patch", "application/partial-upload, application/offset+octet-stream");
	resume_tell_limits(c, NULL);
	reply_preflight(r, whole ? METHOD_GET | METHOD_HEAD | METHOD_POST | METHOD_OPTIONS
				 : METHOD_GET | METHOD_HEAD | METHOD_PUT | METHOD_PATCH |
				       METHOD_DELETE | METHOD_OPTIONS);
	/* To a client of tus or the draft; iOS looks for a 200. A browser's preflight gets its usual 204. */
	bool preflight = request_header(c->x, "HTTP_ACCESS_CONTROL_REQUEST_METHOD").at != NULL;
	return reply_empty(r, preflight ? 204 : 200);
}
