/*
 * rows.h: what the catalog has rows of, besides files (shared/flow.h): tokens, resumable uploads.
 */
#ifndef WAYBILL_CATALOG_ROWS_H
#define WAYBILL_CATALOG_ROWS_H

#include "shared/digest.h"
#include "shared/files.h"

struct token {
	const char *name;
	unsigned rights;    /* set of enum right */
	int64_t created_at; /* ms since the epoch */
	int64_t expires_at; /* 0: never */
	int64_t quota;	    /* bytes; 0: none */
	int64_t used_at;    /* the last time, to the hour; 0: never */
};
typedef void token_visitor(void *self, const struct token *token);

enum upload_state {
	UPLOAD_OPEN,  /* bytes are missing, or nobody has said that it is complete */
	UPLOAD_DONE,  /* it is a file now; the row is kept for a while, to answer HEAD */
	UPLOAD_ENDED, /* refused for good */
	UPLOAD_USED   /* a part that went into a final upload of its owner's: like open, but counted
			 with that one, and gone with it or after an hour */
};

/* What the catalog knows of a resumable upload. Strings live until resumable_release(). */
struct resumable {
	char id[ID_LEN + 1];
	enum protocol protocol; /* that it was made with */
	enum upload_state state;
	enum concat concat;
	const char *owner;	   /* NULL: anonymous */
	const char *client;	   /* its address, as recorded; NULL: none */
	const char *path;	   /* folders above the name, clean; NULL: none */
	const char *name;	   /* clean */
	const char *declared_type; /* NULL: none */
	const char *fields;	   /* JSON object */
	const char *metadata;	   /* tus Upload-Metadata as given, or NULL */
	const char *parts;	   /* tus Upload-Concat as given, or NULL */
	int64_t length;		   /* bytes; -1: not known yet */
	int64_t offset;		   /* bytes that count */
	int64_t allocated;	   /* bytes the store has set aside */
	int64_t created_at;	   /* ms since the epoch */
	int64_t expires_at;	   /* 0: never */
	int64_t lasts;		   /* ms the finished file is kept; 0: for ever */
	int64_t quota;		   /* of the owner's token, as it was at the creation; 0: none */
	bool durable;		   /* bytes up to offset were synced */
	int64_t boot;		   /* start of the machine that wrote or read them; 0: not known */
	int64_t epoch;		   /* grows when a holder that did not let go was shut out */
	struct claim whole;	   /* Repr-Digest, to be held against all of it */
	char type[TYPE_BYTES + 1]; /* the verdict; empty: not yet */
	uint8_t digest[512];	   /* running SHA-256 at offset, as stored */
	size_t digest_len;
	struct files texts; /* keeps the strings */
};
static inline void resumable_release(struct resumable *row)
{
	files_release(&row->texts);
}
typedef void resumable_visitor(void *self, const struct resumable *row);

#endif
