/*
 * resume.c: tus and IETF headers -> offset, length, metadata, claims. See resume.h.
 */
#include "body/resume.h"

#include <stdio.h>
#include <string.h>

#include "shared/digest.h"
#include "shared/text.h"

/* ---- tus ------------------------------------------------------------------------------------- */

bool tus_version_fits(const struct request *r)
{
	return span_is(r->header[HEADER_TUS_RESUMABLE], TUS_VERSION_TEXT);
}

/* A count of bytes. Two headers of one name reach us as "1, 1": not a number, hence 400. */
static enum fault tus_count(const struct request *r, enum header which, const char *name,
    int64_t *value, struct refusal *why)
{
	struct span s = r->header[which];

	*value = -1;
	if (s.at == NULL)
		return FAULT_NONE;
	if (!text_number(s, value)) {
		*value = -1;
		return refuse(why, FAULT_BAD_REQUEST,
		    "%s must be a whole number of bytes, digits only, below 2^63.", name);
	}
	return FAULT_NONE;
}

static enum fault tus_defer(const struct request *r, bool *defer, struct refusal *why)
{
	struct span s = r->header[HEADER_UPLOAD_DEFER_LENGTH];

	*defer = s.at != NULL;
	if (*defer && !span_is(s, "1"))
		return refuse(why, FAULT_BAD_REQUEST, "Upload-Defer-Length can only be 1.");
	return FAULT_NONE;
}

static const struct {
	const char *name; /* tus: ASCII, lower case */
	enum digest_algorithm algorithm;
} checksums[] = {
    {"sha1", DIGEST_SHA1},
    {"sha256", DIGEST_SHA256},
    {"md5", DIGEST_MD5},
};

static enum digest_algorithm checksum_algorithm(struct span name)
{
	for (size_t i = 0; i < sizeof checksums / sizeof checksums[0]; i++)
		if (span_is(name, checksums[i].name))
			return checksums[i].algorithm;
	return DIGEST_NONE;
}

static enum fault tus_checksum(const struct request *r, struct claim *claim, struct refusal *why)
{
	struct span rest = r->header[HEADER_UPLOAD_CHECKSUM];
	size_t len = 0;

	claim->algorithm = DIGEST_NONE;
	if (rest.at == NULL)
		return FAULT_NONE;
	enum digest_algorithm algorithm = checksum_algorithm(span_cut(&rest, ' '));
	if (algorithm == DIGEST_NONE)
		return refuse(why, FAULT_BAD_REQUEST,
		    "Upload-Checksum names no algorithm known here; known are " TUS_CHECKSUMS ".");
	if (!base64_decode(span_trim(rest), claim->value, sizeof claim->value, &len) ||
	    len != digest_length(algorithm))
		return refuse(why, FAULT_BAD_REQUEST,
		    "Upload-Checksum must be an algorithm, a blank and the base64 of its %zu bytes.",
		    digest_length(algorithm));
	claim->algorithm = algorithm;
	return FAULT_NONE;
}

static enum fault tus_concat(const struct request *r, struct tus_headers *tus, struct refusal *why)
{
	struct span s = r->header[HEADER_UPLOAD_CONCAT];

	tus->concat = CONCAT_NONE;
	tus->concat_text = s;
	if (s.at == NULL)
		return FAULT_NONE;
	if (span_is(s, "partial")) {
		tus->concat = CONCAT_PARTIAL;
		return FAULT_NONE;
	}
	struct span kind = span_cut(&s, ';');
	tus->parts = span_trim(s);
	if (!span_is(kind, "final") || tus->parts.len == 0)
		return refuse(why, FAULT_BAD_REQUEST,
		    "Upload-Concat must be `partial`, or `final;` and the URLs of the parts.");
	tus->concat = CONCAT_FINAL;
	return FAULT_NONE;
}

static enum fault tus_consistent(const struct tus_headers *tus, struct refusal *why)
{
	if (tus->defer_length && tus->length >= 0)
		return refuse(why, FAULT_BAD_REQUEST,
		    "Upload-Length and Upload-Defer-Length exclude each other; send one of them.");
	if (tus->concat == CONCAT_FINAL && (tus->length >= 0 || tus->defer_length))
		return refuse(why, FAULT_BAD_REQUEST,
		    "A final concatenation has the length of its parts; leave Upload-Length out.");
	return FAULT_NONE;
}

enum fault tus_read_headers(const struct request *r, struct tus_headers *tus, struct refusal *why)
{
	enum fault f;

	memset(tus, 0, sizeof *tus);
	tus->metadata = r->header[HEADER_UPLOAD_METADATA];
	if ((f = tus_count(r, HEADER_UPLOAD_OFFSET, "Upload-Offset", &tus->offset, why)) ||
	    (f = tus_count(r, HEADER_UPLOAD_LENGTH, "Upload-Length", &tus->length, why)) ||
	    (f = tus_defer(r, &tus->defer_length, why)) ||
	    (f = tus_checksum(r, &tus->checksum, why)) || (f = tus_concat(r, tus, why)))
		return f;
	return tus_consistent(tus, why);
}

/* ---- the parts of a final upload ------------------------------------------------------------- */

/* The path of an absolute or path-absolute URL, without query and fragment; absent: neither. */
static struct span url_path(struct span url)
{
	url = text_url_path(url);
	if (url.len == 0 || url.at[0] != '/')
		return (struct span){NULL, 0};
	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] == '?' || url.at[i] == '#')
			url.len = i;
	return url;
}

bool tus_next_part(struct span *parts, struct span base, struct span *id)
{
	*parts = span_trim(*parts);
	if (parts->len == 0) {
		*id = (struct span){NULL, 0};
		return false;
	}
	*id = span_cut(parts, ' ');
	struct span path = url_path(*id);
	if (path.at == NULL || !span_skip(&path, base) || !span_skip(&path, span_of("/upload/")) ||
	    !text_is_id(path))
		return false;
	*id = path;
	return true;
}

/* ---- IETF ------------------------------------------------------------------------------------ */

static int64_t sf_count(const struct request *r, enum header which)
{
	int64_t value;

	return sf_integer(r->header[which], &value) && value >= 0 ? value : -1;
}

void ietf_read_headers(const struct request *r, struct ietf_headers *ietf)
{
	bool yes;

	memset(ietf, 0, sizeof *ietf);
	ietf->offset = sf_count(r, HEADER_UPLOAD_OFFSET);
	ietf->length = sf_count(r, HEADER_UPLOAD_LENGTH);
	ietf->interop = sf_count(r, HEADER_INTEROP_VERSION);
	if (sf_boolean(r->header[HEADER_UPLOAD_COMPLETE], &yes)) {
		ietf->complete = yes ? COMPLETE_YES : COMPLETE_NO;
	} else if (sf_boolean(r->header[HEADER_UPLOAD_INCOMPLETE], &yes)) {
		ietf->complete = yes ? COMPLETE_NO : COMPLETE_YES;
		ietf->says_incomplete = true;
	}
	/* A HEAD of interop 3 carries neither: only its version tells what it understands. */
	if (ietf->complete == COMPLETE_UNSAID && ietf->interop == 3)
		ietf->says_incomplete = true;
}

/* Two statements about one length: the second must not contradict the first. */
static bool agree(int64_t *length, int64_t said)
{
	if (*length >= 0 && *length != said)
		return false;
	*length = said;
	return true;
}

enum fault ietf_length(const struct ietf_headers *ietf, int64_t offset, int64_t content_length,
    int64_t known, int64_t *length, struct refusal *why)
{
	int64_t sum = -1;
	bool fits = true;

	*length = known;
	if (ietf->length >= 0)
		fits = agree(length, ietf->length);
	if (ietf->complete == COMPLETE_YES && content_length >= 0)
		fits = fits && !__builtin_add_overflow(offset, content_length, &sum) &&
		       agree(length, sum);
	if (!fits || (*length >= 0 && offset > *length))
		return refuse(why, FAULT_BAD_LENGTH_CLAIM,
		    "Upload-Length, and the offset plus Content-Length of the request that completes the "
		    "upload, must all be the same number.");
	return FAULT_NONE;
}

size_t upload_limit_text(const struct upload_limit *limit, char *to, size_t room)
{
	char age[40] = "", size[40] = "";

	if (limit->max_size > 0)
		snprintf(size, sizeof size, "max-size=%lld", (long long)limit->max_size);
	if (limit->max_age >= 0)
		snprintf(age, sizeof age, "max-age=%lld", (long long)limit->max_age);
	const char *comma = size[0] != '\0' && age[0] != '\0' ? ", " : "";
	const char *none = size[0] == '\0' && age[0] == '\0' ? "min-size=0" : "";
	return (size_t)snprintf(to, room, "%s%s%s%s", size, comma, age, none);
}
