/* upload.c: what comes to /upload, by its protocol; and the policy that says what may. */
#include "routes/resume.h"

enum fault upload_put(struct call *c)
{
	return c->request.protocol == PROTOCOL_IETF ? resume_create(c) : whole_upload(c);
}

/* What only a tus client says, without the version that makes it one: to take its empty body for an
 * empty file would help nobody. */
static bool forgot_version(struct call *c)
{
	return c->request.header[HEADER_UPLOAD_LENGTH].len > 0 ||
	       c->request.header[HEADER_UPLOAD_DEFER_LENGTH].len > 0 ||
	       c->request.header[HEADER_UPLOAD_METADATA].len > 0 ||
	       c->request.header[HEADER_UPLOAD_CONCAT].len > 0;
}

enum fault upload_post(struct call *c)
{
	if (c->request.protocol != PROTOCOL_PLAIN)
		return resume_create(c);
	if (forgot_version(c)) {
		enum fault f = rules_may_upload(&c->caller, c->service->config, &c->why);
		return f ? f : refuse(&c->why, FAULT_TUS_VERSION, NULL);
	}
	return whole_upload(c);
}

/* ---- the policy ------------------------------------------------------------------------------ */

enum fault upload_policy(struct call *c)
{
	const struct config *config = c->service->config;
	int64_t used = 0;
	enum fault f = FAULT_NONE;

	rules_grant(&c->request, &c->caller, config, 0, &c->grant);
	if (c->grant.owner_quota > 0)
		f = keep_used(c->service->keep, c->grant.owner, &used, &c->why);
	struct policy policy = {
	    .max_bytes = told_max_bytes(&c->request, config),
	    .max_files = config->max_files,
	    .allow_types = config->allow_types,
	    .deny_types = config->deny_types,
	    .resumable = true,
	    .owner = c->caller.owner,
	    .streamed = told_streamed(&c->request),
	    .quota = c->grant.owner_quota,
	    .used = used,
	    .expires_after = c->grant.lasts,
	};
	return f ? f : reply_policy(&c->reply, &policy);
}
