/*
 * verify.h: what the files behind keep_verify() know of each other.
 *
 *     verify.c          the order of things, findings told, records whose content is lost
 *     verify_catalog.c  waybill.db by itself: integrity, sums, rows that point nowhere
 *     verify_objects.c  objects/ against the catalog, both ways
 *     verify_partial.c  partial/ against the catalog, both ways
 *
 * Serving goes on meanwhile, also in other processes. Whatever looks wrong without the catalog's
 * write lock may be a change under way; it is looked at again under the lock before it is told.
 */
#ifndef WAYBILL_KEEP_VERIFY_H
#define WAYBILL_KEEP_VERIFY_H

#include <sys/stat.h>

#include "keep/catalog.h"

enum { VERIFY_CHUNK = 64 }; /* rows of one look, entries of one job */

struct verifying {
	struct keep *keep;
	bool repair;
	const struct inspector *inspector;
	struct verified *result;
	struct lost *lost; /* content that is gone, in the order of its digests */
	size_t lost_count, lost_room;
	bool resize; /* sizes in the catalog were set right: sums are to be made anew */
	int waited;	  /* ms, for deletions to end */
};

/* Content that the catalog promises and the disk does not have. */
struct lost {
	uint8_t sha256[SHA256_LEN];
	bool there; /* something stands in its place, and these are its marks */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

/* Tell one finding; `repaired` says what became of it, NULL: nothing. */
void verify_tell(struct verifying *v, const char *repaired, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* `bytes` more were read. */
void verify_advance(struct verifying *v, int64_t bytes);
/* What stands at objects/<sha256> now. */
void verify_mark(const struct keep *keep, const uint8_t *sha256, struct lost *mark);

bool verify_same(const struct lost *a, const struct lost *b);

/* Integrity, sums, pointers. *usable false: the file is damaged; nothing else can be said. */
enum fault verify_catalog(struct verifying *v, bool *usable, struct refusal *why);
/* Have every sum agree with the rows, and every row with the others. */
enum fault verify_mend(struct verifying *v, struct refusal *why);
/* Fills v->lost. */
enum fault verify_objects(struct verifying *v, struct refusal *why);
enum fault verify_orphans(struct verifying *v, struct refusal *why);
enum fault verify_partial(struct verifying *v, struct refusal *why);

#endif
