/* resumable.c: endpoints of resumable uploads, whichever protocol asks. */
#include "routes/resume.h"

static enum fault judge(struct call *c)
{
	enum fault f = rules_may_upload(&c->caller, c->service->config, &c->why);

	if (!f && c->request.protocol == PROTOCOL_TUS && !tus_version_fits(&c->request))
		f = refuse(&c->why, FAULT_TUS_VERSION, NULL);
	return f;
}

enum fault resume_create(struct call *c)
{
	enum fault f = judge(c);

	if (f)
		return f;
	return c->request.protocol == PROTOCOL_TUS ? tus_create(c) : ietf_create(c);
}

enum fault resume_append(struct call *c)
{
	struct span id = c->request.segment[1];
	enum fault f = judge(c);

	if (f)
		return f;
	return c->request.protocol == PROTOCOL_TUS ? tus_append(c, id) : ietf_append(c, id);
}

/* A HEAD that says where it thinks it is has been taken for an append (draft section 4.3). */
static enum fault judge_head(struct call *c)
{
	struct ietf_headers ietf;

	if (c->request.protocol == PROTOCOL_TUS)
		return FAULT_NONE;
	ietf_read_headers(&c->request, &ietf);
	if (ietf.offset < 0 && ietf.complete == COMPLETE_UNSAID)
		return FAULT_NONE;
	return refuse(&c->why, FAULT_BAD_REQUEST,
	    "A request for the offset carries neither Upload-Offset nor Upload-Complete.");
}

enum fault resume_head(struct call *c)
{
	bool tus = c->request.protocol == PROTOCOL_TUS;
	struct resumable row;
	enum fault f = judge(c);

	if (!f)
		f = judge_head(c);
	if (!f)
		f = resume_find(c, c->request.segment[1], true, &row);
	if (f)
		return f;
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
	enum fault f = files_delete(c);
	int status = fault_status(f);

	if (status != 401 && status != 403 && status != 404)
		return f;
	return refuse(&c->why, FAULT_FINISHED,
	    "This upload was being finished and is a file now; deleting that takes the right to.");
}

enum fault resume_delete(struct call *c)
{
	struct resumable row;
	enum fault f = judge(c);

	if (!f)
		f = resume_find(c, c->request.segment[1], false, &row);
	if (f)
		return f;
	bool done = row.state == UPLOAD_DONE;
	resumable_release(&row);
	/* What is a file already needs the right to delete files. */
	if (done)
		return files_delete(c);
	f = keep_remove_upload(c->service->keep, c->request.segment[1], &c->why);
	if (f == FAULT_FINISHED)
		return delete_what_came_of_it(c);
	return f ? f : reply_empty(&c->reply, 204);
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
	bool preflight = c->request.header[HEADER_PREFLIGHT_METHOD].len > 0;
	return reply_empty(r, preflight ? 204 : 200);
}
