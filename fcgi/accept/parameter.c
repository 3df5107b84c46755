/* parameter.c: what the query and the header fields of an upload say. Pure. */
#include "accept/inside.h"

#include <string.h>

#include "shared/digest.h"

enum { LIMIT_DEFAULT = 50, LIMIT_MAX = 1000 };

/* ---- the query ------------------------------------------------------------------------------- */

/* Next "name=value" of the query, decoded. False: none is left; *f says if one was bad. */
static bool next_parameter(struct span *rest, struct scratch *scratch, struct span *name,
    struct span *value, enum fault *f, struct refusal *why)
{
	struct span raw = {0};

	while (rest->len > 0 && raw.len == 0)
		raw = span_cut(rest, '&');
	if (raw.len == 0)
		return false;
	*value = raw;
	struct span raw_name = span_cut(value, '=');
	if (value->len == 0)
		*value = (struct span){"", 0};
	if (text_percent_decode(raw_name, true, scratch, name) &&
	    text_percent_decode(*value, true, scratch, value))
		return true;
	*f = refuse(why, FAULT_BAD_REQUEST,
	    "The query has a %% that two hexadecimal digits do not follow, or is too long.");
	return false;
}

enum fault request_parameter(const struct request *request, const char *wanted,
    struct scratch *scratch, struct span *found, struct refusal *why)
{
	struct span rest = request->query, name, value;
	enum fault f = FAULT_NONE;

	*found = (struct span){0};
	while (next_parameter(&rest, scratch, &name, &value, &f, why)) {
		if (!span_is(name, wanted))
			continue;
		if (found->at)
			return refuse(
			    why, FAULT_BAD_REQUEST, "The parameter %s is given twice.", wanted);
		*found = value;
	}
	return f;
}

static bool is_word(const char *words, struct span name)
{
	struct span rest = span_of(words);

	while (rest.len > 0) {
		struct span word = span_cut(&rest, ' ');
		if (span_same(word, name))
			return true;
	}
	return false;
}

/* Every parameter's name must be one of these words. */
static enum fault only_parameters(const struct request *request, const char *known,
    struct scratch *scratch, struct refusal *why)
{
	struct span rest = request->query, name, value;
	enum fault f = FAULT_NONE;
	size_t mark = scratch->used;
	char shown[NAME_BYTES + 1];

	while (next_parameter(&rest, scratch, &name, &value, &f, why)) {
		if (is_word(known, name))
			continue;
		text_clean_name(name, shown);
		return refuse(why, FAULT_BAD_REQUEST,
		    "There is no parameter called \"%s\" here.", shown);
	}
	scratch->used = mark;
	return f;
}

/* ---- GET /files ------------------------------------------------------------------------------ */

static enum fault bad(struct refusal *why, const char *name, const char *wanted)
{
	return refuse(why, FAULT_BAD_REQUEST, "The parameter %s must be %s.", name, wanted);
}

static enum fault read_limit(struct listing *l, struct span v, struct refusal *why)
{
	if (!text_number(v, &l->limit) || l->limit < 1 || l->limit > LIMIT_MAX)
		return bad(why, "limit", "a whole number from 1 to 1000");
	return FAULT_NONE;
}

static enum fault read_cursor(struct listing *l, struct span v, struct refusal *why)
{
	if (!text_number(v, &l->after) || l->after < 1)
		return bad(why, "cursor", "one that an earlier page gave as \"next\"");
	return FAULT_NONE;
}

static enum fault read_order(struct listing *l, struct span v, struct refusal *why)
{
	l->oldest_first = span_is(v, "oldest");
	if (!l->oldest_first && !span_is(v, "newest"))
		return bad(why, "order", "newest or oldest");
	return FAULT_NONE;
}

static enum fault read_type(struct listing *l, struct span v, struct refusal *why)
{
	bool clean = v.len > 0 && v.len <= TYPE_BYTES && text_is_visible(v);

	if (!clean || (!memchr(v.at, '/', v.len) && !span_is(v, "*")))
		return bad(why, "type", "a media type such as image/png or image/*");
	l->type = v;
	return FAULT_NONE;
}

static enum fault read_text(struct span *to, struct span v, const char *name, struct refusal *why)
{
	if (!text_is_utf8(v) || v.len > 1024 || memchr(v.at, 0, v.len))
		return bad(why, name, "UTF-8 text of at most 1024 bytes");
	if (v.len > 0)
		*to = v;
	return FAULT_NONE;
}

static enum fault read_name(struct listing *l, struct span v, struct refusal *why)
{
	return read_text(&l->name, v, "name", why);
}

static enum fault read_owner(struct listing *l, struct span v, struct refusal *why)
{
	return read_text(&l->owner, v, "owner", why);
}

static enum fault read_since(struct listing *l, struct span v, struct refusal *why)
{
	if (!text_parse_time(v, &l->since))
		return bad(why, "since", "a time such as 2026-11-22T11:33:00Z (RFC 3339)");
	return FAULT_NONE;
}

static enum fault read_until(struct listing *l, struct span v, struct refusal *why)
{
	if (!text_parse_time(v, &l->until))
		return bad(why, "until", "a time such as 2026-11-22T11:33:00Z (RFC 3339)");
	l->until++; /* "until" includes its own millisecond */
	return FAULT_NONE;
}

enum fault request_listing(const struct request *request, struct listing *listing,
    struct scratch *scratch, struct refusal *why)
{
	static const struct {
		const char *name;
		enum fault (*read)(struct listing *, struct span, struct refusal *);
	} readers[] = {{"limit", read_limit}, {"cursor", read_cursor}, {"type", read_type},
	    {"name", read_name}, {"owner", read_owner}, {"since", read_since},
	    {"until", read_until}, {"order", read_order}};

	*listing = (struct listing){.limit = LIMIT_DEFAULT};
	enum fault f = only_parameters(request, LISTING_PARAMETERS, scratch, why);
	for (size_t i = 0; !f && i < sizeof readers / sizeof *readers; i++) {
		struct span value;
		f = request_parameter(request, readers[i].name, scratch, &value, why);
		if (!f && value.at)
			f = readers[i].read(listing, value, why);
	}
	return f;
}

/* ---- a raw body's name and digests ----------------------------------------------------------- */

static enum fault check_url_name(struct span name, struct refusal *why)
{
	size_t len = text_name_length(name);

	if (len <= NAME_BYTES)
		return FAULT_NONE;
	return refuse(why, FAULT_NAME_TOO_LONG,
	    "The file name in the address has %zu bytes; at most %d are accepted. Shorten it.", len,
	    NAME_BYTES);
}

/* RFC 9110 5.6.4: quoted-pairs undone. */
static bool quoted_name(struct span header, struct scratch *scratch, struct span *name)
{
	struct span value;

	if (!text_parameter(header, "filename", &value))
		return false;
	char *to = scratch_take(scratch, value.len);
	if (!to)
		return false;
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] == '\\' && i + 1 < value.len &&
		    (value.at[i + 1] == '"' || value.at[i + 1] == '\\'))
			i++;
		to[len++] = value.at[i];
	}
	*name = (struct span){to, len};
	return true;
}

enum fault request_file_name(
    const struct request *request, struct scratch *scratch, struct span *name, struct refusal *why)
{
	enum fault f = request_parameter(request, "name", scratch, name, why);

	if (f)
		return f;
	if (!name->at && request->method == METHOD_PUT && request->segments > 1)
		*name = request->segment[1];
	if (name->at)
		return check_url_name(*name, why);
	struct span header = request->header[HEADER_CONTENT_DISPOSITION], value;
	if (text_parameter(header, "filename*", &value) && text_extended(value, scratch, name))
		return FAULT_NONE;
	if (!quoted_name(header, scratch, name))
		*name = (struct span){0};
	return FAULT_NONE;
}

/* `sha-256=:base64:` (RFC 9530 2, RFC 8941 3.3.5). */
static bool read_claim(struct span member, enum digest_algorithm algorithm, struct claim *claim)
{
	struct span value = span_trim(member);
	size_t len;

	span_cut(&value, '=');
	struct span item = span_trim(span_cut(&value, ';')), text = {0};
	if (span_skip(&item, span_of(":")))
		text = span_cut(&item, ':');
	if (!text.at || !item.at || item.len > 0)
		return false;
	claim->algorithm = algorithm;
	return base64_decode(text, claim->value, sizeof claim->value, &len) &&
	       len == digest_length(algorithm);
}

/* The strongest of the algorithms we check; others may stand beside it. */
static enum fault claims_of(
    struct span field, const char *name, struct claim *claim, struct refusal *why)
{
	*claim = (struct claim){0};
	while (field.len > 0) {
		struct span member = span_cut(&field, ','), rest = member;
		struct span key = span_trim(span_cut(&rest, '='));
		enum digest_algorithm algorithm = span_is(key, "sha-512")   ? DIGEST_SHA512
						  : span_is(key, "sha-256") ? DIGEST_SHA256
									    : DIGEST_NONE;
		if (algorithm == DIGEST_NONE || algorithm < claim->algorithm)
			continue;
		if (!read_claim(member, algorithm, claim))
			return refuse(why, FAULT_BAD_REQUEST,
			    "%s must read like sha-256=:<base64 of 32 bytes>: (RFC 9530).", name);
	}
	return FAULT_NONE;
}

enum fault request_claims(
    const struct request *request, struct claim claims[2], struct refusal *why)
{
	enum fault f =
	    claims_of(request->header[HEADER_CONTENT_DIGEST], "Content-Digest", &claims[0], why);

	if (f)
		return f;
	return claims_of(request->header[HEADER_REPR_DIGEST], "Repr-Digest", &claims[1], why);
}
