/*
 * resume.h: what the headers of a resumable upload say. Pure: no I/O, no clock, no state.
 *
 *     tus 1.0.0 (tus/tus-resumable-upload-protocol, protocol.md): strict; what cannot be right is 400.
 *     IETF draft-ietf-httpbis-resumable-upload-12, interop 9: RFC 9651 fields; what cannot be right counts
 *     as not sent. Interop 3 to 8 differ, as far as we care, in names and a media type.
 *
 * Spans borrow from the exchange and live as long as it does, but for struct metadata, which owns.
 */
#ifndef WAYBILL_BODY_RESUME_H
#define WAYBILL_BODY_RESUME_H

#include "body/body.h"

#define TUS_VERSION_TEXT "1.0.0"
#define TUS_EXTENSIONS                                                                             \
	"creation,creation-with-upload,creation-defer-length,termination,checksum,expiration,"     \
	"concatenation"
#define TUS_CHECKSUMS "sha1,sha256,md5"
#define IETF_INTEROP 9

struct tus_headers {
	int64_t offset;		 /* Upload-Offset: 0 ... INT64_MAX; -1: not sent */
	int64_t length;		 /* Upload-Length: likewise */
	bool defer_length;	 /* Upload-Defer-Length: 1 */
	struct span metadata;	 /* Upload-Metadata as sent, trimmed, to be echoed; absent: none */
	struct claim checksum;	 /* Upload-Checksum, of this request's body */
	enum concat concat;	 /* Upload-Concat */
	struct span concat_text; /* the same as sent, to be echoed */
	struct span parts;	 /* of a final upload: URLs, for tus_next_part() */
};

/* BAD_REQUEST: a header is malformed or two contradict each other; *why says which and how. */
enum fault tus_read_headers(
    const struct request *request, struct tus_headers *tus, struct refusal *why);

/* Tus-Resumable is there and is 1.0.0; otherwise the request must not be processed (412). */
bool tus_version_fits(const struct request *request);

/* Cut the next part's id off *parts. The URL may be absolute or path-absolute; its path must be
 * <base>/upload/<id>. False: none left (*id absent) or not one of our URLs (*id is the URL as sent). */
bool tus_next_part(struct span *parts, struct span base, struct span *id);

/* ---- Upload-Metadata ------------------------------------------------------------------------- */

struct metadata {
	struct span name; /* of `filename`, else `name`; valid UTF-8, not yet cleaned; or absent */
	struct span type; /* of `filetype`, else `type`; or absent */
	struct fields fields; /* all other keys, in order of arrival */
	struct span path; /* of `relativePath`, with the name at its end or without; or absent */
	char *text[3];	  /* what name, type and path borrow from */
};

/*
 * Parse "key base64, key base64, key". BAD_REQUEST: key empty, doubled or with a blank or a byte that is not
 * printable ASCII; bad base64; a control character in a value that becomes a field. FIELDS_TOO_LARGE: over
 * FIELDS_MAX other keys or FIELDS_BYTES of them. INTERNAL: no memory. An absent span gives empty metadata.
 * metadata_free() in any case.
 */
enum fault metadata_parse(struct span raw, struct metadata *metadata, struct refusal *why);
void metadata_free(struct metadata *metadata);

/* ---- IETF ------------------------------------------------------------------------------------ */

enum completeness { COMPLETE_UNSAID, COMPLETE_NO, COMPLETE_YES };

struct ietf_headers {
	int64_t offset;		    /* Upload-Offset; -1: not sent, or to be ignored */
	int64_t length;		    /* Upload-Length; likewise */
	enum completeness complete; /* Upload-Complete, or Upload-Incomplete of interop 3 */
	int64_t interop;	    /* Upload-Draft-Interop-Version; -1: not sent */
	bool says_incomplete;	    /* the client speaks Upload-Incomplete: so shall the answer */
};

void ietf_read_headers(const struct request *request, struct ietf_headers *ietf);

/*
 * The length that a request gives away (draft section 4.1.3): Upload-Length, or offset + content_length when
 * it completes the upload. content_length < 0: unknown. *length: -1 when nothing is said. BAD_LENGTH_CLAIM:
 * the two differ from each other or from `known` (-1: not known), or overflow.
 */
enum fault ietf_length(const struct ietf_headers *ietf, int64_t offset, int64_t content_length,
    int64_t known, int64_t *length, struct refusal *why);

/* RFC 9651 items: parameters are checked and dropped. False: ignore the field. */
bool sf_integer(struct span s, int64_t *value); /* -999999999999999 ... 999999999999999 */
bool sf_boolean(struct span s, bool *value);

/* An Upload-Limit value: a negative or zero figure that means "no limit" is left out, except that
 * without any limit the text is "min-size=0". Returns bytes needed; NUL-terminates. */
struct upload_limit {
	int64_t max_size; /* bytes; 0: none */
	int64_t max_age;  /* seconds left; -1: none */
};
size_t upload_limit_text(const struct upload_limit *limit, char *to, size_t room);

#endif
