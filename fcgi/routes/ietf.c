/* ietf.c: Resumable Uploads for HTTP, draft-ietf-httpbis-resumable-upload-12 (interop 9), and what
 * clients of interop 3 to 8 do differently. */
#include <stdio.h>

#include "routes/resume.h"

#define CHUNK_TYPE "application/partial-upload"

enum { TYPED_SINCE = 6 /* interop version in which PATCH got its media type */ };

/* ---- what answers tell ----------------------------------------------------------------------- */

/* Upload-Complete, in the words the client understands. */
static void tell_complete(struct call *c, bool complete)
{
	struct ietf_headers ietf;

	ietf_read_headers(&c->request, &ietf);
	if (ietf.says_incomplete)
		reply_header(&c->reply, "Upload-Incomplete", complete ? "?0" : "?1");
	reply_header(&c->reply, "Upload-Complete", complete ? "?1" : "?0");
}

void ietf_tell_state(struct call *c, const struct resumable *row, bool all)
{
	resume_tell_offset(c, row->offset);
	tell_complete(c, row->state == UPLOAD_DONE);
	if (row->length >= 0)
		reply_header(&c->reply, "Upload-Length", "%lld", (long long)row->length);
	resume_tell_limits(c, all ? row : NULL);
}

/* ---- 104 ------------------------------------------------------------------------------------- */

/* Only where the server in front is known to pass it on, and only to a client of our version. */
static bool may_say_104(struct call *c, const struct ietf_headers *ietf)
{
	return ietf->interop == IETF_INTEROP &&
	       span_is(c->request.header[HEADER_TOLD_RELAYS_104], "yes");
}

/* An interim answer: it goes out at once, before the one that ends the request. A client that is
 * gone is noticed by whoever reads on. */
static void say_104(struct call *c, const char *headers)
{
	char text[1280];
	int len = snprintf(text, sizeof text,
	    "Status: 104 Upload Resumption Supported\r\n"
	    "Upload-Draft-Interop-Version: %d\r\n%s\r\n",
	    IETF_INTEROP, headers);

	if (len < 0 || (size_t)len >= sizeof text)
		return;
	if (!c->x->write(c->x, text, (size_t)len))
		c->x->write(c->x, NULL, 0);
}

static void say_location(struct call *c, const struct resumable *row)
{
	const char *url = call_url(c, "/upload/%s", row->id);
	char limits[LIMITS_ROOM], headers[1024];

	resume_limits_text(c, row, limits);
	int len = snprintf(headers, sizeof headers, "Location: %s\r\nUpload-Limit: %s\r\n",
	    url ? url : "", limits);
	if (url && len >= 0 && (size_t)len < sizeof headers)
		say_104(c, headers);
}

/* How much is safe by now. */
static void say_progress(struct call *c)
{
	struct ietf_headers ietf;
	char header[64];

	ietf_read_headers(&c->request, &ietf);
	if (!may_say_104(c, &ietf))
		return;
	snprintf(header, sizeof header, "Upload-Offset: %lld\r\n",
	    (long long)upload_row(c->upload)->offset);
	say_104(c, header);
}

/* ---- the end of a request -------------------------------------------------------------------- */

static enum fault answer_whole(struct call *c)
{
	tell_complete(c, true);
	c->request.wants_html = false; /* a redirect to a receipt would say nothing to a client */
	return reply_created(&c->reply, &c->files, (struct span){0});
}

/* All came and was judged as a whole: that is the resource's answer, even where it is no. */
static enum fault finish(struct call *c)
{
	enum fault f = call_finish(c, NULL, span_of(upload_row(c->upload)->owner));

	if (f == FAULT_TYPE_REFUSED || f == FAULT_DIGEST_MISMATCH)
		tell_complete(c, true);
	return f ? f : answer_whole(c);
}

static enum fault answer_part(struct call *c, int status)
{
	const struct resumable *row = upload_row(c->upload);
	enum fault f = upload_rest(c->upload, &c->why);

	if (f)
		return f;
	resume_tell_offset(c, row->offset);
	tell_complete(c, false);
	resume_tell_limits(c, row);
	return reply_empty(&c->reply, status);
}

/* ---- PATCH ----------------------------------------------------------------------------------- */

static enum fault judge_append(struct call *c, const struct ietf_headers *ietf)
{
	bool old = ietf->interop >= 0 && ietf->interop < TYPED_SINCE;

	if (!old && !call_has_type(c, CHUNK_TYPE))
		return refuse(&c->why, FAULT_UNSUPPORTED_TYPE,
		    "An append carries bytes as Content-Type: " CHUNK_TYPE
		    "; a tus request would say Tus-Resumable.");
	if (ietf->offset < 0 || ietf->complete == COMPLETE_UNSAID)
		return refuse(&c->why, FAULT_BAD_REQUEST,
		    "An append needs Upload-Offset, a whole number, and Upload-Complete, ?0 or ?1.");
	return FAULT_NONE;
}

/* Nothing can be added any more; but who did not hear the final answer may ask for it again. */
static enum fault append_to_done(
    struct call *c, const struct ietf_headers *ietf, const struct resumable *row)
{
	struct span id = span_of(row->id);

	if (ietf->offset != row->length) {
		c->why.upload_offset = row->length;
		c->why.provided_offset = ietf->offset;
		return refuse(&c->why, FAULT_OFFSET_CONFLICT,
		    "This upload is complete, with %lld bytes.", (long long)row->length);
	}
	if (c->request.length != 0 || ietf->complete != COMPLETE_YES)
		return refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
		    "This upload is complete; nothing can be added to it.");
	if (!resume_may_see(c, row)) {
		resume_tell_offset(c, row->length);
		tell_complete(c, true);
		return reply_empty(&c->reply, 204);
	}
	enum fault f = keep_find(c->service->keep, id, &c->files, &c->why);
	return f ? f : answer_whole(c);
}

/* More than the length: the upload is invalid from here on (draft section 4.4.2). */
static enum fault judge_excess(struct call *c, const struct ietf_headers *ietf)
{
	int64_t known = upload_row(c->upload)->length, after;
	bool fits = !__builtin_add_overflow(ietf->offset, c->request.length, &after);

	if (ietf->complete == COMPLETE_NO && known >= 0 && (!fits || after > known)) {
		upload_end(c->upload);
		return refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
		    "The body goes past the %lld bytes of this upload, which is thereby over.",
		    (long long)known);
	}
	if (fits && after <= c->grant.max_bytes)
		return FAULT_NONE;
	return refuse_too_large(&c->why, fits ? after : -1, c->grant.max_bytes);
}

static int64_t body_length(const struct call *c)
{
	return c->request.length_state == LENGTH_KNOWN ? c->request.length : -1;
}

static enum fault learn_length(struct call *c, const struct ietf_headers *ietf)
{
	int64_t length;
	enum fault f = ietf_length(
	    ietf, ietf->offset, body_length(c), upload_row(c->upload)->length, &length, &c->why);

	if (!f && length >= 0)
		f = upload_set_length(c->upload, length, &c->why);
	return f;
}

/* Bytes that came beyond a length although Content-Length did not say so. */
static enum fault pour(struct call *c)
{
	c->on_recorded = say_progress;
	enum fault f = resume_pour(c);

	if (f == FAULT_BAD_LENGTH_CLAIM)
		upload_end(c->upload);
	return f;
}

static enum fault complete(struct call *c)
{
	const struct resumable *row = upload_row(c->upload);

	if (row->length >= 0 && upload_offset(c->upload) < row->length) {
		struct refusal unheard = NO_REFUSAL;
		upload_rest(c->upload, &unheard);
		return refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
		    "The upload was declared complete with %lld of its %lld bytes.",
		    (long long)row->offset, (long long)row->length);
	}
	return finish(c);
}

static enum fault append(struct call *c, const struct ietf_headers *ietf, struct span id)
{
	enum fault f = call_enter(c);

	c->grant.claims[1].algorithm = DIGEST_NONE; /* Repr-Digest was said at the creation */
	const struct upload_place place = {id, ietf->offset, call_claims_digest(c), c->x};
	if (!f)
		f = upload_resume(c->service->keep, &c->grant, &place, &c->upload, &c->why);
	if (!f)
		f = judge_excess(c, ietf);
	if (!f)
		f = learn_length(c, ietf);
	if (!f)
		f = pour(c);
	if (f)
		return f;
	return ietf->complete == COMPLETE_YES ? complete(c) : answer_part(c, 204);
}

static enum fault append_to(struct call *c, const struct ietf_headers *ietf, struct span id)
{
	struct resumable row;
	enum fault f = resume_find(c, id, false, &row);

	if (f)
		return f;
	bool done = row.state == UPLOAD_DONE;
	if (done)
		f = append_to_done(c, ietf, &row);
	resumable_release(&row);
	return f || done ? f : append(c, ietf, id);
}

/* Whatever was too much: how much may be. */
static enum fault tell_limit(struct call *c, enum fault f)
{
	if (fault_status(f) == 413 && !reply_has_header(&c->reply, "Upload-Limit"))
		resume_tell_limits(c, c->upload ? upload_row(c->upload) : NULL);
	return f;
}

enum fault ietf_append(struct call *c, struct span id)
{
	struct ietf_headers ietf;

	ietf_read_headers(&c->request, &ietf);
	enum fault f = judge_append(c, &ietf);
	if (!f)
		f = append_to(c, &ietf, id);
	/* Where nothing else was said, the upload is not complete. */
	if (f && !reply_has_header(&c->reply, "Upload-Complete"))
		tell_complete(c, false);
	return tell_limit(c, f);
}

/* ---- creation -------------------------------------------------------------------------------- */

static enum fault plan_upload(
    struct call *c, const struct ietf_headers *ietf, struct upload_plan *plan)
{
	*plan = (struct upload_plan){
	    .protocol = PROTOCOL_IETF,
	    .declared_type = c->request.content_type,
	    .fields = "{}",
	    .length = -1,
	    .x = c->x,
	    .address = c->request.client,
	    .quota = c->caller.quota,
	};
	enum fault f = request_file_name(&c->request, &c->scratch, &plan->name, &c->why);
	if (!f)
		f = ietf_length(ietf, 0, body_length(c), -1, &plan->length, &c->why);
	if (f || plan->length < 0 || c->request.length <= plan->length)
		return f;
	return refuse(&c->why, FAULT_BAD_LENGTH_CLAIM,
	    "The body is longer than Upload-Length says the file is.");
}

static enum fault take_first(struct call *c, const struct ietf_headers *ietf)
{
	if (may_say_104(c, ietf))
		say_location(c, upload_row(c->upload));
	enum fault f = pour(c);
	if (f)
		return f;
	if (ietf->complete == COMPLETE_YES)
		return complete(c);
	f = resume_tell_location(c, upload_row(c->upload)->id);
	return f ? f : answer_part(c, 201);
}

static enum fault create(struct call *c, const struct ietf_headers *ietf)
{
	struct upload_plan plan;
	enum fault f = plan_upload(c, ietf, &plan);

	if (!f)
		f = call_enter(c);
	plan.whole = c->grant.claims[1];
	c->grant.claims[1].algorithm = DIGEST_NONE;
	if (!f)
		f = upload_create(c->service->keep, &c->grant, &plan, &c->upload, &c->why);
	if (f)
		return f;
	f = take_first(c, ietf);
	/* Whoever was not told the address cannot come back to it. */
	return f && !may_say_104(c, ietf) ? resume_forget(c, f) : f;
}

static enum fault take_whole(struct call *c, const struct ietf_headers *ietf)
{
	struct span return_to;
	enum fault f = whole_take(c, &return_to);

	if (!f && ietf->complete == COMPLETE_YES)
		tell_complete(c, true);
	return f ? f : reply_created(&c->reply, &c->files, return_to);
}

enum fault ietf_create(struct call *c)
{
	struct ietf_headers ietf;
	bool form = body_is_form(c->request.content_type);
	int64_t length;

	ietf_read_headers(&c->request, &ietf);
	if (form && ietf.complete == COMPLETE_NO)
		return refuse(&c->why, FAULT_UNSUPPORTED_TYPE,
		    "A form cannot be sent in pieces; send the file itself as the body.");
	/* A request that brings everything, from a client that could not be told where to go on, is
	 * like any other; so is one whose Upload-Complete is to be ignored. */
	if (ietf.complete == COMPLETE_NO ||
	    (ietf.complete == COMPLETE_YES && !form && may_say_104(c, &ietf)))
		return tell_limit(c, create(c, &ietf));
	enum fault f = ietf_length(&ietf, 0, body_length(c), -1, &length, &c->why);
	return tell_limit(c, f ? f : take_whole(c, &ietf));
}
