/*
 * inside.h: what the files behind verify_run() know of each other.
 *
 *     sweep.c    what has expired, and what the dead left
 *     verify.c   the order of things, records whose content is lost
 *     tell.c     findings told
 *     catalog.c  waybill.db by itself: integrity, sums, rows that point nowhere
 *     objects.c  objects/ against the catalog, both ways
 *     partial.c  partial/ against the catalog, both ways
 *     adopt.c    objects that the catalog does not know, entered
 *
 * Serving goes on meanwhile, also in other processes. Whatever looks wrong without the catalog's
 * write lock may be a change under way; it is looked at again under the lock before it is told.
 */
#ifndef WAYBILL_VERIFY_INSIDE_H
#define WAYBILL_VERIFY_INSIDE_H

#include <stdio.h>

#include "catalog/uploads.h"
#include "keep/inside.h"
#include "verify/verify.h"

enum {
	VERIFY_CHUNK = 64,	   /* rows of one look */
	VERIFY_BUFFER = 256 * 1024 /* bytes of one read */
};

struct verifying {
	struct keep *keep;
	bool repair, force;
	const struct inspector *inspector;
	struct verified *result;
	struct lost *lost; /* content that is gone, in the order of its digests */
	size_t lost_count, lost_room;
	/* Of the objects, reached so far: those that are missing or whose bytes the disk does not
	 * give, and those that only we cannot read. */
	int64_t reached, unread, unreadable;
	bool resize;	 /* sizes in the catalog were set right: sums are to be made anew */
	FILE *held;	 /* findings that are told once no reader is held up by it; or NULL */
	int64_t indexes; /* findings before the rows were looked at */
	int waited;	 /* ms, for deletions to end */
};

/* Content that the catalog promises and the disk does not have. */
struct lost {
	uint8_t sha256[SHA256_LEN];
	struct mark mark; /* of what stands in its place, if anything does */
};

struct visit { /* a visitor's self */
	struct verifying *v;
	struct refusal *why;
	enum fault fault;
};

/* Tell one finding; `repaired` says what became of it, NULL: nothing. */
void verify_tell(struct verifying *v, const char *repaired, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* `bytes` more were read. */
void verify_advance(struct verifying *v, int64_t bytes);

/* Lost are only the missing, the broken (EIO, twice) and the wrong: nothing else that keeps us from
 * reading says anything of the bytes. */
enum object_state {
	OBJECT_GOOD,
	OBJECT_MISSING,
	OBJECT_BROKEN,
	OBJECT_UNREADABLE,
	OBJECT_WRONG_HASH,
	OBJECT_WRONG_SIZE /* in the catalog */
};
/* Read all of it through `buffer`; errno says why it is UNREADABLE. *size: bytes read, or -1. */
enum object_state verify_hash(
    struct verifying *v, const uint8_t *sha256, char *buffer, int64_t *size);
/* Tell of one that is, and count it. */
void verify_unreadable(struct verifying *v, const uint8_t *sha256, int err);

/* Integrity, sums, pointers. *usable false: the file is damaged; nothing else can be said. */
enum fault verify_catalog(struct verifying *v, bool *usable, struct refusal *why);
/* Before anything is repaired: can the objects be opened? INTERNAL: more than a tenth cannot. */
enum fault verify_reach(struct verifying *v, struct refusal *why);
/* The same of what was counted among so many objects. */
enum fault verify_doubt(const struct verifying *v, int64_t objects, struct refusal *why);
/* Fills v->lost. */
enum fault verify_objects(struct verifying *v, struct refusal *why);
enum fault verify_orphans(struct verifying *v, struct refusal *why);
enum fault verify_partial(struct verifying *v, struct refusal *why);

#endif
