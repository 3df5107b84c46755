/* rules.c: request -> grant. What is decided before a byte of the body is read. Pure. */
#include "accept/inside.h"

#include "shared/digest.h"

enum { KEY_MIN = 16, KEY_MAX = 255 }; /* characters */

/* ---- length, before all else ----------------------------------------------------------------- */

bool rules_needs_length(const struct request *r)
{
	const unsigned with_body = METHOD_POST | METHOD_PUT | METHOD_PATCH;

	return (r->method & with_body) && r->segments > 0 && span_is(r->segment[0], "upload");
}

enum fault rules_length(const struct request *r, const struct config *config, struct refusal *why)
{
	if (r->length_state == LENGTH_BAD)
		return refuse(why, FAULT_BAD_LENGTH,
		    "Content-Length must be a whole number of bytes below 2^63, in decimal "
		    "digits; what was declared is not. Correct it and send the request again.");
	if (r->length_state == LENGTH_ABSENT && config->unknown_length == UNKNOWN_REFUSE)
		return refuse(why, FAULT_LENGTH_REQUIRED,
		    "Content-Length header is required for this endpoint: the request does not "
		    "say how many bytes will follow, so there is no telling whether they fit. "
		    "Send a file of known size (curl -T FILE does; a pipe or chunked encoding "
		    "does not), or set unknown_length = accept on the server.");
	if (r->length > config->max_bytes)
		return refuse_too_large(why, r->length, config->max_bytes);
	return FAULT_NONE;
}

enum fault rules_site(const struct request *r, struct refusal *why)
{
	if (!r->cross_site)
		return FAULT_NONE;
	return refuse(why, FAULT_CROSS_SITE,
	    "This request was made by a page of another site. Use this server's own page, or have "
	    "the other site's origin added to allowed_origins.");
}

/* ---- rights ---------------------------------------------------------------------------------- */

static enum fault unauthorized(const struct caller *caller, struct refusal *why)
{
	if (caller->bad_token)
		return refuse(why, FAULT_UNAUTHORIZED,
		    "The token presented is not valid: unknown, expired or revoked. Ask for a new one.");
	return refuse(why, FAULT_UNAUTHORIZED,
	    "This needs to know who you are: send Authorization: Bearer with a token, or sign in.");
}

static bool is_known(const struct caller *caller)
{
	return caller->has_token || caller->owner.at;
}

static enum fault need_token(
    const struct caller *caller, enum right right, const char *name, struct refusal *why)
{
	if (caller->has_token && (caller->rights & right))
		return FAULT_NONE;
	if (!is_known(caller))
		return unauthorized(caller, why);
	return refuse(why, FAULT_FORBIDDEN,
	    "This takes a token with the right to %s; yours does not carry it.", name);
}

/* What is the same for uploading, reading and deleting; `owner` is left to the caller. */
static enum fault may(const struct caller *caller, int access, enum right right, const char *name,
    struct refusal *why)
{
	if (caller->rights & RIGHT_ADMIN)
		return FAULT_NONE;
	switch (access) {
	case ACCESS_OPEN:
		return FAULT_NONE;
	case ACCESS_USER:
	case ACCESS_OWNER:
		return is_known(caller) ? FAULT_NONE : unauthorized(caller, why);
	case ACCESS_TOKEN:
		return need_token(caller, right, name, why);
	default:
		return refuse(why, FAULT_FORBIDDEN, "This server does not let anybody %s.", name);
	}
}

enum fault rules_may_upload(
    const struct caller *caller, const struct config *config, struct refusal *why)
{
	/* Who means to upload as somebody must not find the file under nobody's name. */
	if (caller->bad_token && config->upload_access != ACCESS_OFF)
		return unauthorized(caller, why);
	return may(caller, config->upload_access, RIGHT_UPLOAD, "upload", why);
}

enum fault rules_may_read(
    const struct caller *caller, const struct config *config, bool *only_own, struct refusal *why)
{
	*only_own = config->read_access == ACCESS_OWNER && !(caller->rights & RIGHT_ADMIN);
	return may(caller, config->read_access, RIGHT_READ, "read", why);
}

static bool is_owner(const struct caller *caller, const struct file *file)
{
	return caller->owner.at && file->owner && span_is(caller->owner, file->owner);
}

static enum fault not_found(struct refusal *why)
{
	return refuse(why, FAULT_NOT_FOUND, "There is no such file.");
}

enum fault rules_may_see(const struct caller *caller, const struct config *config,
    const struct file *file, struct refusal *why)
{
	bool only_own;
	enum fault f = rules_may_read(caller, config, &only_own, why);

	if (f || !only_own || is_owner(caller, file))
		return f;
	return not_found(why);
}

/* In owner mode: one's own, by name or by the token that came with the upload; or any, with a
 * token made for deleting. */
static enum fault may_delete_own(
    const struct caller *caller, const struct file *file, bool token_fits, struct refusal *why)
{
	if (token_fits || is_owner(caller, file) || (caller->rights & RIGHT_DELETE))
		return FAULT_NONE;
	return is_known(caller) ? not_found(why) : unauthorized(caller, why);
}

enum fault rules_may_delete(const struct caller *caller, const struct config *config,
    const struct file *file, bool token_fits, struct refusal *why)
{
	if (caller->rights & RIGHT_ADMIN)
		return FAULT_NONE;
	if (config->delete_access == ACCESS_OWNER)
		return may_delete_own(caller, file, token_fits, why);
	return may(caller, config->delete_access, RIGHT_DELETE, "delete", why);
}

enum fault rules_may_watch(
    const struct caller *caller, const struct request *request, struct refusal *why)
{
	if ((caller->rights & RIGHT_ADMIN) || request->local)
		return FAULT_NONE;
	if (!is_known(caller))
		return unauthorized(caller, why);
	return refuse(why, FAULT_FORBIDDEN, "Metrics are for tokens with admin, or this machine.");
}

/* ---- the grant ------------------------------------------------------------------------------- */

/* "..." and parameters, which say nothing to us. */
static bool unquote(struct span *raw)
{
	struct span rest = {raw->at + 1, raw->len - 1};
	struct span inner = span_cut(&rest, '"');
	bool closed = inner.len + 1 < raw->len;

	rest = span_trim(rest);
	*raw = inner;
	return closed && (rest.len == 0 || rest.at[0] == ';');
}

enum fault rules_key(struct span raw, struct grant *grant, struct refusal *why)
{
	const struct span owner = grant->owner;
	bool fine = true;
	struct digest d;

	if (raw.len > 0 && raw.at[0] == '"')
		fine = unquote(&raw);
	if (!fine || !text_is_visible(raw) || raw.len < KEY_MIN || raw.len > KEY_MAX)
		return refuse(why, FAULT_BAD_REQUEST,
		    "Idempotency-Key must have %d to %d visible characters and be nobody else's, such "
		    "as a random UUID.",
		    KEY_MIN, KEY_MAX);
	digest_start(&d, DIGEST_SHA256);
	digest_add(&d, raw.at, raw.len);
	digest_add(&d, owner.at ? "\n" : "", owner.at ? 1 : 0);
	digest_add(&d, owner.at, owner.len);
	digest_end(&d, grant->key);
	grant->keyed = true;
	return FAULT_NONE;
}

static int64_t earlier(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

void rules_grant(const struct request *r, const struct caller *caller, const struct config *config,
    int64_t expires_in, struct grant *grant)
{
	*grant = (struct grant){
	    .length = r->length_state == LENGTH_KNOWN ? r->length : -1,
	    .max_bytes = config->max_bytes,
	    .max_files = config->max_files,
	    .owner = caller->owner,
	    .address = r->address,
	    .owner_quota = earlier(config->owner_quota_bytes, caller->quota),
	    .lasts = earlier(config->expire_after, expires_in),
	};
}
