/*
 * uploads.h: resumable uploads in the catalog, and what has to go. See catalog.h.
 */
#ifndef WAYBILL_CATALOG_UPLOADS_H
#define WAYBILL_CATALOG_UPLOADS_H

#include "catalog/catalog.h"

/* NOT_FOUND. On a fault nothing is to be released. Does not judge state or expiry. */
enum fault resumable_find(
    struct catalog *catalog, struct span id, struct resumable *row, struct refusal *why);
/* All that are unfinished, in the order of their ids; a moment each, so that the visitor may take its
 * time. *row lives for the call. */
enum fault resumable_each(
    struct catalog *catalog, resumable_visitor *visit, void *self, struct refusal *why);
/* QUOTA_EXCEEDED: this owner, or nameless address, has `most` open ones. */
enum fault resumable_add(struct catalog *catalog, const struct resumable *row, struct span address,
    int64_t most, struct refusal *why);
/* The same, asked before anything is made. */
enum fault resumable_may_be_added(struct catalog *catalog, const struct resumable *row,
    struct span address, int64_t most, struct refusal *why);
/* What the owner's token may hold, or could when it was last seen; 0: no limit. */
enum fault resumable_quota(
    struct catalog *catalog, const struct resumable *row, int64_t *quota, struct refusal *why);
/* Offset, length, digest, type, allocated, expiry, in one change. */
enum fault resumable_update(
    struct catalog *catalog, const struct resumable *row, struct refusal *why);
/* Only its expiry. */
enum fault resumable_prolong(
    struct catalog *catalog, const struct resumable *row, struct refusal *why);
/* The bytes up to row->offset were read: they are the ones that were acknowledged. */
enum fault resumable_proved(
    struct catalog *catalog, const struct resumable *row, struct refusal *why);
/* Refused for good; forgotten at `forget_at`. */
enum fault resumable_end(
    struct catalog *catalog, struct span id, int64_t forget_at, struct refusal *why);
/* NOT_FOUND; FINISHED: it is a file. */
enum fault resumable_remove(struct catalog *catalog, struct span id, struct refusal *why);
/* Shut out whoever holds it. */
enum fault resumable_shut_out(struct catalog *catalog, struct span id, struct refusal *why);
/* In one change: the file is added, the row becomes a memory of it until row->expires_at.
 * row->concat == CONCAT_FINAL: the row is new, and `parts` counts with it from now on; LOCKED where
 * one of them does with another already. */
struct finish {
	struct resumable *row;
	struct arrivals *arrivals;
	const struct span *parts; /* ids */
	size_t parts_count;
	int64_t parts_expire_at;
};
enum fault resumable_finish(struct catalog *catalog, struct finish *finish, struct refusal *why);

/* ---- what has to go -------------------------------------------------------------------------- */

enum { EXPIRY_CHUNK = 64 /* rows of one change, so that uploads wait for none */ };
struct ids {
	char at[EXPIRY_CHUNK][ID_LEN + 1];
	size_t count;
};
/* Remove up to EXPIRY_CHUNK files that have expired. */
enum fault expire_files(
    struct catalog *catalog, int64_t now, size_t *count, int64_t *bytes, struct refusal *why);
/* Resumable uploads that have, finished or not, whose ids are after that one. */
enum fault expired_uploads(
    struct catalog *catalog, int64_t now, const char *after, struct ids *ids, struct refusal *why);
/* Remove one of them, if it still has: it may have been prolonged, or finished. */
enum fault expire_upload(
    struct catalog *catalog, const char *id, int64_t now, bool *removed, struct refusal *why);
/* Is there an unfinished one? When in doubt, yes. */
bool upload_is_known(struct catalog *catalog, const char *id);

/* ---- generation.c: do catalog and objects belong together? ----------------------------------- */

/* As far as can be told. INTERNAL: no; nothing may be taken for an orphan. Opening with CATALOG_WRITE
 * has asked that already. */
enum fault catalog_belongs(struct catalog *catalog, struct refusal *why);
/* Does anything tell? In a data_dir that was just restored nothing does. */
bool catalog_tells(const struct catalog *catalog);
/* It was opened all the same, to be mended. */
bool catalog_is_astray(const struct catalog *catalog);
/*
 * Have them belong together from now on, as what no older or newer copy of either can be taken for.
 * For a data_dir that nobody serves: workers that do have to be started anew. In two steps, for
 * whoever has something to enter between them: after the first, a crash leaves a data_dir that is
 * refused until the second is done.
 */
enum fault catalog_part(struct catalog *catalog, struct refusal *why);
enum fault catalog_join(struct catalog *catalog, struct refusal *why);

/* ---- check.c: the catalog by itself ---------------------------------------------------------- */

/* `whose`: absent where it is of the file. */
typedef void finding_visitor(void *self, struct span what, struct span whose);
/* Is the file whole? `mend`: make indexes anew. *usable: it can be worked with; *mended: it was not
 * whole and is now. INTERNAL: it cannot be read. */
enum fault catalog_check_file(struct catalog *catalog, bool mend, finding_visitor *found,
    void *self, bool *usable, bool *mended);
/* Do its rows agree with each other? */
enum fault catalog_check_rows(
    struct catalog *catalog, finding_visitor *found, void *self, struct refusal *why);
/* Have every sum agree with the rows, and every row with the others. */
enum fault catalog_mend(struct catalog *catalog, struct refusal *why);
struct content { /* a page of it, in the order of digests */
	uint8_t sha256[EXPIRY_CHUNK][SHA256_LEN];
	int64_t size[EXPIRY_CHUNK];
	size_t count;
};
/* Content after that one (`len` 0: from the first) that has at least so many records. */
enum fault content_page(struct catalog *catalog, int64_t records, const uint8_t *after, size_t len,
    struct content *page, struct refusal *why);
/* In a job: set its size right. */
enum fault job_resize(
    struct catalog *catalog, const uint8_t sha256[SHA256_LEN], int64_t size, struct refusal *why);

#endif
