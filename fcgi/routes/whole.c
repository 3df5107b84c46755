/* whole.c: forms and raw bodies come in as one transaction. */
#include "routes/routes.h"

#include <stdlib.h>

/* ---- hands: what body/ pours, keep/ takes ---------------------------------------------------- */

static enum fault hand_begin(void *self, const struct part *part, struct refusal *why)
{
	return upload_file(((struct call *)self)->upload, part, why);
}

static enum fault hand_write(void *self, const void *bytes, size_t len, struct refusal *why)
{
	struct call *c = self;

	c->bytes_in += (int64_t)len;
	return upload_write(c->upload, bytes, len, why);
}

static enum fault hand_end(void *self, struct refusal *why)
{
	return upload_file_end(((struct call *)self)->upload, why);
}

static struct hands upload_hands(struct call *c)
{
	return (struct hands){c, hand_begin, hand_write, hand_end};
}

/* ---- one upload ------------------------------------------------------------------------------ */

/* A body that the server has written to a file may be linked in, if nothing is claimed of its bytes
 * that would have to be compared while they pass. *fd: -1 where it will be poured like any other. */
static enum fault find_body_file(struct call *c, int *fd)
{
	enum fault f = c->x->body_file ? c->x->body_file(c->x, fd, &c->why) : FAULT_NONE;

	if (f || *fd < 0)
		return f;
	c->grant.spooled = !call_claims_digest(c) && upload_can_adopt(c->service->keep, &c->grant, *fd);
	if (!c->grant.spooled)
		*fd = -1;
	return FAULT_NONE;
}

/* Rights, then what was promised, then a place to read and the space to write. body_file: NULL where
 * the body is not the file itself. */
static enum fault open_upload(struct call *c, int *body_file)
{
	enum fault f = rules_may_upload(&c->caller, c->service->config, &c->why);

	if (!f)
		f = call_enter(c);
	if (!f && body_file)
		f = find_body_file(c, body_file);
	if (!f)
		f = upload_begin(c->service->keep, &c->grant, &c->upload, &c->why);
	return f;
}

/* What a form says to us, out of what it says about its files. */
static enum fault take_setting(struct call *c, const char *name, struct span *value)
{
	if (body_fields_take(&c->fields, name, value))
		return FAULT_NONE;
	return refuse(&c->why, FAULT_BAD_REQUEST, "The form has several fields called %s.", name);
}

static enum fault take_settings(struct call *c, struct span *return_to)
{
	struct span expires_in, path, key;
	enum fault f = take_setting(c, "expires_in", &expires_in);

	if (!f && expires_in.len > 0)
		f = call_expires_in(c, expires_in);
	if (!f)
		f = take_setting(c, "path", &path);
	if (!f && path.at)
		f = call_path(c, path, &c->grant.path);
	if (!f)
		f = take_setting(c, "idempotency_key", &key);
	if (!f && key.len > 0)
		f = rules_key(key, &c->grant, &c->why);
	if (!f)
		f = take_setting(c, "return_to", return_to);
	if (f || return_to->len > 0)
		return f ? f
			 : request_may_return(&c->request, c->service->config, *return_to, &c->why);
	*return_to = (struct span){0};
	return FAULT_NONE;
}

static enum fault close_upload(struct call *c, struct span *return_to)
{
	enum fault f = take_settings(c, return_to);

	if (f)
		return f;
	char *fields = json_fields(&c->fields.at[0].name, c->fields.count);
	if (!fields)
		return refuse(&c->why, FAULT_INTERNAL, "The server is out of memory.");
	f = call_finish(c, fields, c->caller.owner);
	free(fields);
	return f;
}

static enum fault take_form(struct call *c, struct span *return_to)
{
	const struct hands hands = upload_hands(c);
	enum fault f = open_upload(c, NULL);

	if (!f)
		f = body_pour_form(c->x, &c->grant, c->request.content_type, c->buffer, &hands,
		    &c->fields, &c->why);
	return f ? f : close_upload(c, return_to);
}

static enum fault take_body(struct call *c, const struct part *part, int body_file)
{
	const struct hands hands = upload_hands(c);

	if (body_file >= 0) {
		c->bytes_in = c->grant.length;
		return upload_adopt(c->upload, part, body_file, c->buffer, BODY_BUFFER, &c->why);
	}
	return body_pour_raw(c->x, &c->grant, part, c->buffer, &hands, &c->why);
}

static enum fault take_raw(struct call *c, struct span *return_to)
{
	struct part part = {.is_file = true, .declared_type = c->request.content_type};
	int body_file = -1;
	enum fault f = rules_may_upload(&c->caller, c->service->config, &c->why);

	if (!f)
		f = request_file_name(&c->request, &c->scratch, &part.name, &c->why);
	if (!f)
		f = open_upload(c, &body_file);
	if (!f)
		f = take_body(c, &part, body_file);
	return f ? f : close_upload(c, return_to);
}

enum fault whole_take(struct call *c, struct span *return_to)
{
	if (c->request.method != METHOD_POST)
		return take_raw(c, return_to);
	if (body_is_form(c->request.content_type))
		return take_form(c, return_to);
	if (!call_has_type(c, "application/x-www-form-urlencoded"))
		return take_raw(c, return_to);
	enum fault f = rules_may_upload(&c->caller, c->service->config, &c->why);
	if (f)
		return f;
	return refuse(&c->why, FAULT_UNSUPPORTED_FORM,
	    "The body is declared as application/x-www-form-urlencoded, which carries no files. Give the "
	    "form enctype=\"multipart/form-data\"; with curl, use -T FILE or -F file=@FILE instead of -d.");
}

enum fault whole_upload(struct call *c)
{
	struct span return_to;
	enum fault f = whole_take(c, &return_to);

	return f ? f : reply_created(&c->reply, &c->files, return_to);
}
