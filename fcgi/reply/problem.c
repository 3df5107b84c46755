/* problem.c: a refusal goes out, with the headers that belong to it. */
#include "reply/inside.h"

static void default_number(struct reply *r, const char *name, const char *before, int64_t value)
{
	if (!reply_has_header(r, name))
		reply_own(r, name, "%s%lld", before, (long long)value);
}

/* The headers that belong to a fault, whatever the form of its body. */
static void refusal_headers(struct reply *r, const struct refusal *why, bool ietf)
{
	int status = fault_status(why->fault);
	if (why->fault == FAULT_METHOD_NOT_ALLOWED)
		reply_allow(r, why->allow);
	if (status == 401)
		reply_default(r, "WWW-Authenticate", "Bearer");
	if (status == 503)
		reply_default(r, "Retry-After", "5");
	if (why->max_bytes > 0)
		default_number(r, "Upload-Limit", "max-size=", why->max_bytes);
	if (why->max_bytes > 0 && r->request && r->request->protocol == PROTOCOL_TUS)
		default_number(r, "Tus-Max-Size", "", why->max_bytes);
	if (why->fault == FAULT_TUS_VERSION)
		reply_default(r, "Tus-Version", "1.0.0");
	if (why->upload_offset >= 0 && !reply_has_header(r, "Upload-Offset"))
		reply_own(r, "Upload-Offset", "%lld", (long long)why->upload_offset);
	if (ietf && (why->fault == FAULT_OFFSET_CONFLICT || why->fault == FAULT_BAD_LENGTH_CLAIM))
		reply_default(r, "Upload-Complete", "?0");
}

enum fault reply_refuse(struct reply *r, const struct refusal *why)
{
	if (r->status)
		return FAULT_INTERNAL;
	bool ietf = r->request && r->request->protocol == PROTOCOL_IETF;
	refusal_headers(r, why, ietf);
	r->negotiated = true;
	if (reply_wants_html(r))
		return page_refusal(r, why);
	struct buffer b = {0};
	json_problem(&b, why, ietf, r->id);
	return reply_buffer(r, fault_status(why->fault), "application/problem+json", &b);
}
