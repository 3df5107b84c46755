/* tus.c: tus 1.0.0: creation, PATCH, concatenation. */
#include <stdlib.h>
#include <string.h>

#include "routes/resume.h"

#define CHUNK_TYPE "application/offset+octet-stream"

/* ---- what answers tell ----------------------------------------------------------------------- */

static void tell_expiry(struct call *c, int64_t expires_at)
{
	char date[32];

	if (expires_at == 0)
		return;
	text_http_date(expires_at, date);
	reply_header(&c->reply, "Upload-Expires", "%s", date);
}

void tus_tell_state(struct call *c, const struct resumable *row, bool all)
{
	struct reply *r = &c->reply;

	resume_tell_offset(c, row->offset);
	if (row->length >= 0)
		reply_header(r, "Upload-Length", "%lld", (long long)row->length);
	else
		reply_header(r, "Upload-Defer-Length", "1");
	if (!all)
		return;
	if (row->metadata)
		reply_header(r, "Upload-Metadata", "%s", row->metadata);
	if (row->parts)
		reply_header(r, "Upload-Concat", "%s", row->parts);
	if (row->state != UPLOAD_DONE)
		tell_expiry(c, row->expires_at);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum fault judge_type(struct call *c)
{
	if (call_has_type(c, CHUNK_TYPE))
		return FAULT_NONE;
	return refuse(&c->why, FAULT_UNSUPPORTED_TYPE,
	    "A tus request carries bytes as Content-Type: " CHUNK_TYPE ".");
}

/* The checksum is one more digest of this body; Repr-Digest is about the whole, not this request. */
static enum fault enter(struct call *c, const struct tus_headers *tus, struct claim *whole)
{
	enum fault f = call_enter(c);

	*whole = c->grant.claims[1];
	c->grant.claims[1] = tus->checksum;
	return f;
}

static enum fault pour(struct call *c, const struct tus_headers *tus)
{
	enum fault f = resume_pour(c);

	if (f == FAULT_DIGEST_MISMATCH && tus->checksum.algorithm != DIGEST_NONE)
		return refuse(&c->why, FAULT_CHECKSUM_MISMATCH, NULL);
	return f;
}

/* The body was good: it counts; and if it was the last, here is the file. */
static enum fault settle(struct call *c)
{
	const struct resumable *row = upload_row(c->upload);
	bool last = row->concat == CONCAT_NONE && upload_offset(c->upload) == row->length;

	return last ? call_finish(c, NULL, span_of(row->owner)) : upload_rest(c->upload, &c->why);
}

/* An answer of tus has no body for the record, so what it says once is said in headers. */
static void tell_kept(struct call *c, const struct file *file)
{
	resume_tell_file(c, file->id);
	if (file->delete_token)
		reply_header(&c->reply, "Waybill-Delete-Token", "%s", file->delete_token);
}

static enum fault answer(struct call *c, int status)
{
	const struct resumable *row = upload_row(c->upload);

	resume_tell_offset(c, row->offset);
	if (row->state == UPLOAD_DONE)
		tell_kept(c, &c->files.at[0]);
	else
		tell_expiry(c, row->expires_at);
	return reply_empty(&c->reply, status);
}

/* ---- PATCH ----------------------------------------------------------------------------------- */

/* What cannot be right wherever the upload stands. */
static enum fault judge_append(
    struct call *c, const struct tus_headers *tus, const struct resumable *row)
{
	if (row->concat == CONCAT_FINAL)
		return refuse(&c->why, FAULT_FORBIDDEN,
		    "A final upload is made of its parts; nothing can be added to it.");
	enum fault f = judge_type(c);
	if (!f && tus->offset < 0)
		f = refuse(&c->why, FAULT_BAD_REQUEST, "A PATCH needs Upload-Offset.");
	return f;
}

/* Nothing can be added any more, but a client may not have heard of its success. */
static enum fault append_to_done(
    struct call *c, const struct tus_headers *tus, const struct resumable *row)
{
	if (tus->offset != row->length) {
		c->why.upload_offset = row->length;
		c->why.provided_offset = tus->offset;
		return refuse(&c->why, FAULT_OFFSET_CONFLICT, NULL);
	}
	if (c->request.length != 0)
		return refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
		    "This upload is complete; nothing can be added to it.");
	resume_tell_offset(c, row->length);
	if (resume_may_see(c, row))
		resume_tell_file(c, row->id);
	return reply_empty(&c->reply, 204);
}

/* Of the body against the length, before anything changes. */
static enum fault judge_length(struct call *c, const struct tus_headers *tus)
{
	int64_t known = upload_row(c->upload)->length;
	int64_t length = tus->length >= 0 && known < 0 ? tus->length : known, after;
	int64_t max = c->grant.max_bytes;

	if (tus->length >= 0 && known >= 0 && tus->length != known)
		return refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
		    "The length of this upload is %lld and cannot change.", (long long)known);
	if (__builtin_add_overflow(tus->offset, c->request.length, &after) ||
	    (length >= 0 && after > length))
		return refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
		    "The body would go past the length of this upload, %lld bytes.",
		    (long long)length);
	if (after > max || length > max)
		return refuse_too_large(&c->why, after > length ? after : length, max);
	return tus->length >= 0 ? upload_set_length(c->upload, tus->length, &c->why) : FAULT_NONE;
}

/* With a checksum all or nothing counts; likewise where this request says the length and reaches
 * it: nothing may look complete before it is. */
static enum fault hold(struct call *c, const struct tus_headers *tus, struct span id)
{
	bool reaches = tus->length >= 0 && tus->length - tus->offset == c->request.length;
	bool whole = call_claims_digest(c) || reaches;

	const struct upload_place place = {id, tus->offset, whole, c->x};
	return upload_resume(c->service->keep, &c->grant, &place, &c->upload, &c->why);
}

static enum fault append(struct call *c, const struct tus_headers *tus, struct span id)
{
	struct claim whole;
	enum fault f = enter(c, tus, &whole);

	if (!f)
		f = hold(c, tus, id);
	if (!f)
		f = judge_length(c, tus);
	if (!f)
		f = pour(c, tus);
	if (!f)
		f = settle(c);
	return f ? f : answer(c, 204);
}

enum fault tus_append(struct call *c, struct span id)
{
	struct tus_headers tus;
	struct resumable row;
	enum fault f = tus_read_headers(&c->request, &tus, &c->why);

	if (!f)
		f = resume_find(c, id, false, &row);
	if (f)
		return f;
	f = judge_append(c, &tus, &row);
	bool done = row.state == UPLOAD_DONE;
	if (!f && done)
		f = append_to_done(c, &tus, &row);
	resumable_release(&row);
	return f || done ? f : append(c, &tus, id);
}

/* ---- creation -------------------------------------------------------------------------------- */

/* Browsers end it in the name (webkitRelativePath); Uppy says "null" where there is none. */
static enum fault find_path(struct call *c, const struct metadata *metadata, struct span *path)
{
	struct span raw = metadata->path, name = metadata->name;

	if (span_is(raw, "null"))
		raw.len = 0;
	if (name.len > 0 && raw.len >= name.len &&
	    memcmp(raw.at + raw.len - name.len, name.at, name.len) == 0 &&
	    (raw.len == name.len || raw.at[raw.len - name.len - 1] == '/'))
		raw.len -= name.len;
	return call_path(c, raw, path);
}

static enum fault plan_upload(struct call *c, const struct tus_headers *tus,
    const struct metadata *metadata, struct upload_plan *plan)
{
	*plan = (struct upload_plan){
	    .protocol = PROTOCOL_TUS,
	    .concat = tus->concat,
	    .name = metadata->name,
	    .declared_type = metadata->type,
	    .fields = json_fields(&metadata->fields.at[0].name, metadata->fields.count),
	    .metadata = tus->metadata,
	    .parts = tus->concat_text,
	    .length = tus->length,
	    .x = c->x,
	    .address = c->request.client,
	    .quota = c->caller.quota,
	    .wants_token = call_wants_token(c, c->caller.owner),
	};
	return plan->fields ? find_path(c, metadata, &plan->path)
			    : refuse(&c->why, FAULT_INTERNAL, NULL);
}

static enum fault answer_created(struct call *c)
{
	enum fault f = resume_tell_location(c, upload_row(c->upload)->id);

	return f ? f : answer(c, 201);
}

/* Where the client gets no Location it cannot come back: nothing is kept. */
static enum fault create(struct call *c, const struct tus_headers *tus, struct upload_plan *plan)
{
	enum fault f = enter(c, tus, &plan->whole);

	if (!f)
		f = upload_create(c->service->keep, &c->grant, plan, &c->upload, &c->why);
	if (!f && c->request.length_state == LENGTH_KNOWN)
		f = tus->length >= 0 && c->request.length > tus->length
			? refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
			      "The body is longer than Upload-Length says the file is.")
			: FAULT_NONE;
	if (!f)
		f = pour(c, tus);
	if (!f)
		f = settle(c);
	return f ? resume_forget(c, f) : answer_created(c);
}

/* ---- concatenation --------------------------------------------------------------------------- */

static enum fault read_parts(struct call *c, struct span urls, struct span **ids, size_t *count)
{
	struct span id;

	*count = 0;
	*ids = malloc((urls.len / (ID_LEN + 1) + 1) * sizeof **ids);
	if (!*ids)
		return refuse(&c->why, FAULT_INTERNAL, NULL);
	while (tus_next_part(&urls, c->request.base, &id))
		(*ids)[(*count)++] = id;
	if (!id.at)
		return FAULT_NONE;
	return refuse(&c->why, FAULT_BAD_REQUEST,
	    "Upload-Concat names a part that is no upload of this server: %.*s",
	    id.len > 200 ? 200 : (int)id.len, id.at);
}

static enum fault concatenate(
    struct call *c, const struct tus_headers *tus, struct upload_plan *plan)
{
	struct span *ids = NULL;

	if (c->request.length > 0)
		return refuse(&c->why, FAULT_BAD_REQUEST, "A final concatenation has no body.");
	enum fault f = enter(c, tus, &plan->whole);
	if (!f)
		f = read_parts(c, tus->parts, &ids, &plan->count);
	plan->ids = ids;
	if (!f)
		f = keep_join(c->service->keep, &c->grant, plan, &c->files, &c->why);
	free(ids);
	if (!f)
		f = resume_tell_location(c, c->files.at[0].id);
	if (f)
		return f;
	call_log_stored(c);
	resume_tell_offset(c, c->files.at[0].size);
	tell_kept(c, &c->files.at[0]);
	return reply_empty(&c->reply, 201);
}

/* ---- POST ------------------------------------------------------------------------------------ */

static enum fault judge_creation(struct call *c, const struct tus_headers *tus)
{
	int64_t max = c->service->config->max_bytes;

	if (tus->length < 0 && !tus->defer_length && tus->concat != CONCAT_FINAL)
		return refuse(&c->why, FAULT_BAD_REQUEST,
		    "An upload is created with Upload-Length or with Upload-Defer-Length: 1.");
	enum fault f = c->request.length != 0 ? judge_type(c) : FAULT_NONE;
	if (!f && tus->length > max)
		f = refuse_too_large(&c->why, tus->length, max);
	return f;
}

enum fault tus_create(struct call *c)
{
	struct tus_headers tus;
	struct metadata metadata;
	struct upload_plan plan = {.fields = NULL};
	enum fault f = tus_read_headers(&c->request, &tus, &c->why);

	if (!f)
		f = judge_creation(c, &tus);
	if (f)
		return f;
	f = metadata_parse(tus.metadata, &metadata, &c->why);
	if (!f)
		f = plan_upload(c, &tus, &metadata, &plan);
	if (!f)
		f = tus.concat == CONCAT_FINAL ? concatenate(c, &tus, &plan)
					       : create(c, &tus, &plan);
	free((char *)(uintptr_t)plan.fields);
	metadata_free(&metadata);
	return f;
}
