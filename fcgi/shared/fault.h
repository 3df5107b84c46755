/*
 * fault.h: the one vocabulary of failure.
 *
 * Every way a request can end badly is a row of FAULTS: name, HTTP status, the stable slug that
 * clients match on, the RFC 9457 title and a default sentence. errno never travels between rooms;
 * whoever meets one turns it into a fault with fault_of_errno().
 */
#ifndef WAYBILL_FAULT_H
#define WAYBILL_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define FAULTS(X) \
	X(BAD_LENGTH,        400, "bad_length",        "Bad Request",            "Content-Length is not a whole number that this server can count.") \
	X(INCOMPLETE_BODY,   400, "incomplete_body",   "Bad Request",            "The body did not match its declared length; nothing was kept. Send it again.") \
	X(BAD_MULTIPART,     400, "bad_multipart",     "Bad Request",            "The multipart/form-data body could not be parsed.") \
	X(NO_FILE,           400, "no_file",           "Bad Request",            "The form carried no file. Choose at least one and send it again.") \
	X(BAD_REQUEST,       400, "bad_request",       "Bad Request",            "The request could not be understood.") \
	X(BAD_LENGTH_CLAIM,  400, "inconsistent_upload_length", "Bad Request",   "The lengths given for this upload contradict each other.") \
	X(UNAUTHORIZED,      401, "unauthorized",      "Unauthorized",           "This needs credentials: send Authorization: Bearer with a valid token.") \
	X(FORBIDDEN,         403, "forbidden",         "Forbidden",              "You are not allowed to do this here.") \
	X(CROSS_SITE,        403, "cross_site",        "Forbidden",              "Requests from another site's pages are not accepted.") \
	X(NOT_FOUND,         404, "not_found",         "Not Found",              "There is nothing at this address.") \
	X(METHOD_NOT_ALLOWED,405, "method_not_allowed","Method Not Allowed",     "This address does not know that method; see Allow.") \
	X(BODY_TIMEOUT,      408, "body_timeout",      "Request Timeout",        "The body stalled. Check the connection and send it again.") \
	X(OFFSET_CONFLICT,   409, "offset_conflict",   "Conflict",               "Upload-Offset is not where this upload stands; ask with HEAD and go on from there.") \
	X(FINISHED,          409, "locked",            "Conflict",               "This upload was being finished, and is a file now.") \
	X(EXPIRED,           410, "expired",           "Gone",                   "This has expired and is no longer available.") \
	X(GONE,              410, "gone",              "Gone",                   "This upload was ended and is no longer available.") \
	X(LENGTH_REQUIRED,   411, "length_required",   "Length Required",        "Content-Length header is required for this endpoint.") \
	X(TUS_VERSION,       412, "tus_version",       "Precondition Failed",    "Tus-Resumable must be 1.0.0.") \
	X(TOO_LARGE,         413, "too_large",         "Content Too Large",      "The body is larger than this server accepts.") \
	X(TOO_MANY_FILES,    413, "too_many_files",    "Content Too Large",      "The form carries more files than this server accepts at once.") \
	X(FIELDS_TOO_LARGE,  413, "fields_too_large",  "Content Too Large",      "The form's fields are more or larger than this server accepts.") \
	X(NAME_TOO_LONG,     414, "name_too_long",     "URI Too Long",           "A name in a URL may have at most 255 bytes.") \
	X(TYPE_REFUSED,      415, "type_refused",      "Unsupported Media Type", "Files of this type are not accepted here.") \
	X(UNSUPPORTED_FORM,  415, "unsupported_form",  "Unsupported Media Type", "The form lacks enctype=\"multipart/form-data\"; without it a browser sends no file.") \
	X(UNSUPPORTED_TYPE,  415, "unsupported_type",  "Unsupported Media Type", "A PATCH of this media type is not understood.") \
	X(RANGE,             416, "range_not_satisfiable", "Range Not Satisfiable", "None of the ranges asked for lies inside the file.") \
	X(WRONG_HOST,        421, "wrong_host",        "Misdirected Request",    "This server does not answer to the name that Host carries.") \
	X(DIGEST_MISMATCH,   422, "digest_mismatch",   "Unprocessable Content",  "The body does not have the digest it was declared with; nothing was kept. Send it again.") \
	X(KEY_REUSED,        422, "key_reused",        "Unprocessable Content",  "This Idempotency-Key came with other files before, or some of those are gone; nothing was stored. Give each upload a key of its own.") \
	X(LOCKED,            423, "locked",            "Locked",                 "Another request still holds this upload; try again in a moment.") \
	X(CHECKSUM_MISMATCH, 460, "checksum_mismatch", "Checksum Mismatch",      "The chunk does not have the checksum it was sent with; it was discarded. Send it again.") \
	X(INTERNAL,          500, "internal",          "Internal Server Error",  "The server failed; nothing was stored. The reason is in its log.") \
	X(BUSY,              503, "busy",              "Service Unavailable",    "The server is busy; nothing was stored. Try again in a moment.") \
	X(NO_SPACE,          507, "insufficient_storage", "Insufficient Storage","There is not enough space left for this; nothing was stored.") \
	X(QUOTA_EXCEEDED,    507, "quota_exceeded",    "Insufficient Storage",   "This would go over the quota; nothing was stored.")
/* clang-format on */

enum fault {
	FAULT_NONE = 0, /* all is well */
#define X(name, status, slug, title, sentence) FAULT_##name,
	FAULTS(X)
#undef X
	    FAULT_COUNT
};

/* What a client is told: a fault, and the facts of this case. Plain data, no ownership. */
struct refusal {
	enum fault fault;
	char detail[768];	 /* a sentence in UTF-8; empty: the fault's own */
	int64_t max_bytes;	 /* > 0: repeated in the body (too_large) */
	int64_t upload_offset;	 /* >= 0: the true Upload-Offset (offset_conflict) */
	int64_t provided_offset; /* >= 0: the one the client claimed (IETF problem member) */
	unsigned allow;		 /* set of method bits for Allow (method_not_allowed) */
	char file[256];		 /* name of the offending file (type_refused), or empty */
	char detected_type[128]; /* libmagic's verdict (type_refused), or empty */
};

int fault_status(enum fault f);	       /* 400 ... 507; 200 for FAULT_NONE */
const char *fault_slug(enum fault f);  /* "length_required"; "" for FAULT_NONE */
const char *fault_title(enum fault f); /* "Length Required" */
const char *fault_sentence(enum fault f);

/* ENOSPC and EDQUOT are NO_SPACE; everything else INTERNAL. */
enum fault fault_of_errno(int err);

/* No fault, no figures: to begin with, or again. */
#define NO_REFUSAL {.upload_offset = -1, .provided_offset = -1}
void refusal_clear(struct refusal *why);

/* TOO_LARGE, with the most that is accepted; bytes < 0: it is not known how much it would be. */
enum fault refuse_too_large(struct refusal *why, int64_t bytes, int64_t max_bytes);

/*
 * Set fault and detail of *why and return `f`: `return refuse(why, FAULT_X, "%d is over %d", ...)`. The
 * detail is made valid UTF-8 and cut to fit; fmt may be NULL: the fault's own sentence stands. The other
 * figures stay as they are: NO_REFUSAL once a request, then set them before or after. why may be NULL.
 */
enum fault refuse(struct refusal *why, enum fault f, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The detail a client is shown: why->detail, or the fault's sentence. */
const char *refusal_detail(const struct refusal *why);

#endif
