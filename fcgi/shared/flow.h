/*
 * flow.h: the values that travel through waybill, in the order they are made.
 *
 *     exchange -> request -> grant -> part -> upload -> file -> exchange
 *     (accept)    (accept)  (accept)  (body)  (keep)   (keep)   (reply)
 *
 * Each is made by one room out of the one before. Nothing here owns memory: spans and strings are
 * borrowed, and live as long as the comment beside them says.
 */
#ifndef WAYBILL_FLOW_H
#define WAYBILL_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/fault.h"
#include "shared/header.h"

enum {
	ID_LEN = 26,	     /* characters of a file's or upload's id, without the NUL */
	NAME_BYTES = 255,    /* longest file name kept, in bytes, without the NUL */
	FOLDER_BYTES = 1023, /* longest path of folders above one */
	TYPE_BYTES = 127,    /* longest media type kept */
	SHA256_LEN = 32,     /* bytes */
	HEAD_BYTES = 1 << 20 /* what libmagic gets to see of a file */
};

/* Borrowed text: not terminated. {NULL, 0}: absent; {non-NULL, 0}: present and empty. */
struct span {
	const char *at;
	size_t len;
};

/* One HTTP exchange with the web server in front: CGI variables in, body in, answer out. accept/gate.c makes
 * it over FastCGI, accept/cgi.c over plain CGI, tests make it in memory. */
struct exchange {
	/* A CGI variable; NULL: unset. Borrowed until the exchange is finished. */
	const char *(*env)(struct exchange *x, const char *name);
	/* The same variable once more, where a server hands on a header's lines one by one: the one
	 * behind `before`, a value that these two gave. NULL: no more, or never any. */
	const char *(*env_after)(struct exchange *x, const char *name, const char *before);
	/* Some of the body: blocks until at least one byte, the end (*got = 0) or a fault
	 * (INCOMPLETE_BODY: the peer went away; BODY_TIMEOUT). */
	enum fault (*read)(struct exchange *x, void *buf, size_t room, size_t *got);
	/* Bytes of the answer; none: push out what is buffered. INTERNAL: the client is gone, stop. */
	enum fault (*write)(struct exchange *x, const void *bytes, size_t len);
	/* From any thread: makes a blocked read return INCOMPLETE_BODY soon. */
	void (*interrupt)(struct exchange *x);
	/* The body as a file that may be linked in instead of read (nginx's hand-off): *fd, or -1
	 * where there is none; borrowed until the exchange is finished. FORBIDDEN: it is not a file
	 * that may be taken. NULL: this exchange never has one. */
	enum fault (*body_file)(struct exchange *x, int *fd, struct refusal *why);
	/* Waits until the reader has taken so much of a long answer that its end goes out without
	 * waiting. NULL: what was written is out. */
	void (*settle)(struct exchange *x);
};

enum method { /* bits, so that a set of them makes an Allow header */
	METHOD_GET = 1,
	METHOD_HEAD = 2,
	METHOD_POST = 4,
	METHOD_PUT = 8,
	METHOD_PATCH = 16,
	METHOD_DELETE = 32,
	METHOD_OPTIONS = 64,
	METHOD_OTHER = 128 /* known to no route */
};

enum length_state { LENGTH_ABSENT, LENGTH_KNOWN, LENGTH_BAD };

enum protocol { PROTOCOL_PLAIN, PROTOCOL_TUS, PROTOCOL_IETF };

/* tus Upload-Concat: of its own; a part of others; made of parts. */
enum concat { CONCAT_NONE, CONCAT_PARTIAL, CONCAT_FINAL };

enum { PATH_SEGMENTS = 6 };

#define RECEIPT_COOKIE "waybill-receipt"
#define RETURN_ID "{id}" /* in return_to: the id of the form's first file */

/* What was asked, parsed and decoded. Text is borrowed from the exchange or the worker's scratch
 * and lives until the exchange is finished. */
struct request {
	enum method method; /* after X-HTTP-Method-Override (tus) */
	struct span base;   /* mount point: "" or "/drop"; raw, path-absolute, no trailing slash */
	struct span path;   /* below the base, raw, begins with '/' */
	struct span segment[PATH_SEGMENTS]; /* of the path, percent-decoded, may hold any byte */
	unsigned segments;		    /* PATH_SEGMENTS + 1: more than fit */
	struct span query;		    /* raw, without '?' */
	enum length_state length_state;
	int64_t length;		  /* valid when LENGTH_KNOWN: 0 ... INT64_MAX */
	struct span content_type; /* raw, or absent */
	bool wants_html;	  /* Accept prefers text/html to JSON */
	enum protocol protocol;
	struct span bearer; /* token of Authorization: Bearer, or absent */
	struct span key;    /* Idempotency-Key, raw, or absent */
	struct span withdraw; /* the cookie of a receipt: its first file's delete token, or absent */
	struct span header[HEADER_COUNT]; /* trimmed; absent where it was not sent */
	bool local;			  /* this machine itself asks: see request_is_local() */
	bool secure;			  /* the client speaks TLS with the server in front */
	struct span remote_user; /* REMOTE_USER when it is trusted and not empty, or absent */
	bool cross_site;	 /* an unsafe request that another site's page made */
	struct span origin;	 /* Origin header, or absent */
	bool origin_allowed;	 /* origin is in allowed_origins: CORS headers go out */
	bool site_allowed;	 /* Origin or Referer is of allowed_origins */
	struct span client;  /* IP address of who asks, proxies of ours left out; absent: not known */
	struct span address; /* the same, as log_address lets log and record have it; absent: none */
};

/* Who is asking. Made by serve.c out of the request and keep/'s tokens. */
enum right { RIGHT_UPLOAD = 1, RIGHT_READ = 2, RIGHT_DELETE = 4, RIGHT_ADMIN = 8 };

struct caller {
	struct span owner;  /* token's or user's name; absent: anonymous */
	unsigned rights;    /* set of enum right that a token carries; 0 without token */
	bool has_token;	    /* a valid token was presented */
	bool bad_token;	    /* credentials were presented that are no valid token */
	int64_t quota;	    /* bytes, of the token; 0: none */
	struct span bearer; /* what was presented, for delete tokens */
};

/* A digest the client declared for the bytes it sends (RFC 9530; tus checksum). */
enum digest_algorithm { DIGEST_NONE, DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

struct claim {
	enum digest_algorithm algorithm; /* DIGEST_NONE: nothing claimed */
	uint8_t value[64];		 /* as many bytes as the algorithm gives */
};

/* What an accepted request may do: all that body/ and keep/ need to know of the rules. */
struct grant {
	int64_t length;	     /* declared bytes of the request body; -1: unknown (accepted so) */
	int64_t max_bytes;   /* largest body, or whole resumable file; > 0 */
	int64_t max_files;   /* in one form */
	struct span owner;   /* who pays and owns; absent: anonymous */
	struct span address; /* to be recorded as the client's; absent: none */
	struct span path;    /* folders above the name, clean; absent: none */
	int64_t owner_quota; /* bytes the owner may hold; 0: no limit */
	int64_t lasts;	     /* ms that a file is kept, from when it is; 0: for ever */
	bool spooled; /* the body lies in a file that will be linked in: it takes no more space */
	struct claim claims[2];	 /* of the whole body: Content-Digest, Repr-Digest */
	bool keyed;		 /* an idempotency key came with it: */
	uint8_t key[SHA256_LEN]; /* what ids and delete tokens follow from */
};

/* One part of a body: a file, or a field of the form. Text lives during the begin callback only. */
struct part {
	bool is_file;
	struct span field;	   /* control name; absent for a raw body */
	struct span name;	   /* file name as sent, decoded, not yet cleaned; absent: none */
	struct span declared_type; /* as sent; absent: none */
};

/* Hands: what takes the bytes of a body as they are poured. Called begin (write)* end for each part, in
 * order. A fault from any of them stops the pour. */
struct hands {
	void *self;
	enum fault (*begin)(void *self, const struct part *part, struct refusal *why);
	enum fault (*write)(void *self, const void *bytes, size_t len, struct refusal *why);
	enum fault (*end)(void *self, struct refusal *why);
};

/* A kept file: one record of the catalog. Strings live as long as the `struct files` around. */
struct file {
	int64_t seq; /* catalog order: later records have larger numbers */
	const char *id;
	const char *name;	   /* clean: see text_clean_name() */
	int64_t size;		   /* bytes */
	const char *type;	   /* libmagic's verdict */
	const char *declared_type; /* or NULL */
	uint8_t sha256[SHA256_LEN];
	const char *owner;   /* or NULL: anonymous */
	const char *address; /* of the client, or NULL */
	const char *path;    /* folders above the name, clean: see text_clean_path(); or NULL */
	const char *fields;  /* the form's fields as a JSON object text; never NULL */
	int64_t uploaded_at; /* ms since the epoch */
	int64_t expires_at;  /* ms since the epoch, or 0: never */
	const char *delete_token; /* only in the answer to the upload itself, else NULL */
};

#endif
