/*
 * header.h: the header fields, and what the server in front says of itself, that are looked at when
 * a request has been parsed. accept/ reads each once; nobody else asks the environment.
 */
#ifndef WAYBILL_HEADER_H
#define WAYBILL_HEADER_H

/* clang-format off */
#define HEADERS(X) \
	X(CONTENT_DIGEST,        "HTTP_CONTENT_DIGEST") \
	X(CONTENT_DISPOSITION,   "HTTP_CONTENT_DISPOSITION") \
	X(HOST,                  "HTTP_HOST") \
	X(IF_MODIFIED_SINCE,     "HTTP_IF_MODIFIED_SINCE") \
	X(IF_NONE_MATCH,         "HTTP_IF_NONE_MATCH") \
	X(IF_RANGE,              "HTTP_IF_RANGE") \
	X(INTEROP_VERSION,       "HTTP_UPLOAD_DRAFT_INTEROP_VERSION") \
	X(PREFLIGHT_METHOD,      "HTTP_ACCESS_CONTROL_REQUEST_METHOD") \
	X(RANGE,                 "HTTP_RANGE") \
	X(REPR_DIGEST,           "HTTP_REPR_DIGEST") \
	X(SEC_FETCH_DEST,        "HTTP_SEC_FETCH_DEST") \
	X(TUS_RESUMABLE,         "HTTP_TUS_RESUMABLE") \
	X(UPLOAD_CHECKSUM,       "HTTP_UPLOAD_CHECKSUM") \
	X(UPLOAD_COMPLETE,       "HTTP_UPLOAD_COMPLETE") \
	X(UPLOAD_CONCAT,         "HTTP_UPLOAD_CONCAT") \
	X(UPLOAD_DEFER_LENGTH,   "HTTP_UPLOAD_DEFER_LENGTH") \
	X(UPLOAD_INCOMPLETE,     "HTTP_UPLOAD_INCOMPLETE") \
	X(UPLOAD_LENGTH,         "HTTP_UPLOAD_LENGTH") \
	X(UPLOAD_METADATA,       "HTTP_UPLOAD_METADATA") \
	X(UPLOAD_OFFSET,         "HTTP_UPLOAD_OFFSET") \
	/* Parameters of the server's own: told.c. */ \
	X(TOLD_BODY_LIMIT,       "WAYBILL_BODY_LIMIT") \
	X(TOLD_OBJECTS,          "WAYBILL_OBJECTS") \
	X(TOLD_RELAYS_104,       "WAYBILL_RELAYS_104") \
	X(TOLD_SENDFILE,         "WAYBILL_SENDFILE") \
	X(TOLD_STREAMED,         "WAYBILL_STREAMED")
/* clang-format on */

enum header {
#define X(name, variable) HEADER_##name,
	HEADERS(X)
#undef X
	    HEADER_COUNT
};

#endif
