/*
 * catalog.h: what is known: files, content, resumable uploads, tokens, sums.
 *
 *     catalog_open -> { catalog_commit | catalog_find | ... }* -> catalog_close
 *
 * The interface; SQLite is behind it (sqlite/). What it promises, whatever is behind:
 *
 * - A change is all or nothing, and when the call returns FAULT_NONE it is committed: with
 *   durability=full it survives a power cut, with durability=normal the death of processes.
 * - Content that a change links into the store is settled there before the change is committed; what
 *   a change drops goes after it is, unless somebody has linked it again meanwhile.
 * - Changes happen one after the other, in all processes. Each reading sees one moment.
 * - Changes of a resumable upload are LOCKED when row->epoch is no longer the row's, or it is not
 *   open: whoever was shut out changes nothing any more.
 *
 * All functions are safe from any thread. Faults: NOT_FOUND; NO_SPACE; BUSY (somebody else holds it
 * for ten seconds); INTERNAL, which the log explains. Times are ms since the epoch; 0: never. Strings in
 * *files live until files_release().
 */
#ifndef WAYBILL_CATALOG_CATALOG_H
#define WAYBILL_CATALOG_CATALOG_H

#include "catalog/rows.h"
#include "shared/files.h"
#include "store/store.h"

struct catalog;

/* CATALOG_WRITE: create, migrate. CATALOG_ADOPT: also one that does not belong to the objects. */
enum { CATALOG_WRITE = 1, CATALOG_ADOPT = 2 };

/* The schema's, as this program knows it. */
int catalog_version(void);
/* That of the store, which it borrows. On a fault why->detail says what to do. */
enum fault catalog_open(
    struct catalog **catalog, struct store *store, unsigned mode, struct refusal *why);
void catalog_close(struct catalog *catalog); /* NULL is fine */
/* Every second or so, from one thread: what belongs between commits. */
void catalog_tend(struct catalog *catalog);
struct catalog_counts {
	int64_t commits, batches, busy;
};
void catalog_count(struct catalog *catalog, struct catalog_counts *counts);

/* ---- changes --------------------------------------------------------------------------------- */

/*
 * A job is one change. run() is called with the write lock held, on whichever thread leads the
 * batch: it may only touch *self, the store, and the catalog by the functions marked "in a job".
 * When it returns a fault its changes are rolled back alone; what it linked itself it must have
 * dropped again.
 */
typedef enum fault job_run(struct catalog *catalog, void *self, struct refusal *why);
/* Returns when the batch it was in is committed, or the fault that prevented it. */
enum fault catalog_commit(struct catalog *catalog, job_run *run, void *self, struct refusal *why);

/* ---- content --------------------------------------------------------------------------------- */

enum fault catalog_known(struct catalog *catalog, const uint8_t sha256[SHA256_LEN],
    struct known *known, struct refusal *why);
/* Is there content that was not synced, and not written since this start of the machine? */
enum fault catalog_any_unproved(
    struct catalog *catalog, int64_t boot, bool *any, struct refusal *why);
/* In a job: as it is under the lock. */
enum fault job_known(struct catalog *catalog, const uint8_t sha256[SHA256_LEN], struct known *known,
    struct refusal *why);
/* In a job: what reading it again has shown. damaged 0: it is right, and synced now. */
enum fault job_judged(struct catalog *catalog, const uint8_t sha256[SHA256_LEN], int64_t damaged,
    struct refusal *why);
/* In a job: objects without a row are nobody's. They are dropped from the store after the COMMIT. */
enum fault job_drop_orphans(struct catalog *catalog, const uint8_t (*sha256)[SHA256_LEN],
    size_t count, struct refusal *why);

/* ---- files ----------------------------------------------------------------------------------- */

struct arrival {	  /* a file about to be kept */
	struct file file; /* seq is filled in; and the times, where it was there already */
	enum link_result link;
	struct blob *blob;
	const uint8_t *delete_hash; /* 32 bytes or NULL */
	int magic;		    /* version of the verdict */
};
struct arrivals { /* a job_run's self */
	struct arrival *at;
	size_t count;
	const uint8_t *key_hash; /* 32 bytes, of a request that may have been sent before; or NULL */
	bool again; /* it was: nothing was added */
	char first[ID_LEN + 1]; /* then, the id of the first of those files */
};
/* job_run: keep them all, as one form. KEY_REUSED: by this key other files came. */
enum fault records_add(struct catalog *catalog, void *arrivals, struct refusal *why);
/* Bytes of what came by this key; 0: nothing, or nobody knows. */
int64_t catalog_key_bytes(struct catalog *catalog, const uint8_t key_hash[SHA256_LEN]);
/* In a job: a row for content that is in the store already, its bytes and its name synced. */
enum fault job_enter_object(
    struct catalog *catalog, const struct arrival *arrival, struct refusal *why);
/* In a job: its content goes when it was the last. *freed, unless that is NULL: its bytes. */
enum fault record_remove(
    struct catalog *catalog, struct span id, int64_t *freed, struct refusal *why);
enum fault catalog_remove_file(struct catalog *catalog, struct span id, struct refusal *why);

/* NOT_FOUND; EXPIRED (with *files filled all the same). One record in *files. */
enum fault catalog_find(
    struct catalog *catalog, struct span id, struct files *files, struct refusal *why);
/* The records of the same form as `id`, oldest first; at most 1000. */
enum fault catalog_find_form(
    struct catalog *catalog, struct span id, struct files *files, struct refusal *why);
/* One page, of at most PAGE_BYTES as JSON; *total counts what the filters match; *more: there is a
 * page after this. */
enum { PAGE_BYTES = 1024 * 1024 };
enum fault catalog_list(struct catalog *catalog, const struct listing *listing, struct files *files,
    int64_t *total, bool *more, struct refusal *why);
/* All, however expired: up to `limit` (> 0) of those after that seq. */
enum fault catalog_page(
    struct catalog *catalog, int64_t after, size_t limit, struct files *files, struct refusal *why);
/* Does a delete token of this SHA-256 delete this file? Constant time. */
bool catalog_delete_token_fits(
    struct catalog *catalog, const char *id, const uint8_t hash[SHA256_LEN]);

/* What quotas are judged by, in bytes; `owner` is one owner, or all who have no name. Asking costs the
 * same however much there is. */
struct catalog_sums {
	int64_t files;		/* records */
	int64_t bytes;		/* of distinct content, and of fields */
	int64_t owner_bytes;	/* of the owner's records, shared content or not, and fields */
	int64_t promised;	/* to resumable uploads that have begun and are not finished */
	int64_t owner_promised; /* the owner's among them */
	int64_t pending;	/* of the promised, those that are not on disk yet */
};
/* All from one moment. `owner` absent: the anonymous. */
enum fault catalog_sums(
    struct catalog *catalog, struct span owner, struct catalog_sums *sums, struct refusal *why);

/* ---- tokens: by the SHA-256 of their text ---------------------------------------------------- */

/* NOT_FOUND: none such, or expired. owner: OWNER_ROOM bytes. */
enum { OWNER_ROOM = 256 };
enum fault token_find(
    struct catalog *catalog, const uint8_t hash[SHA256_LEN], char *owner, struct token *token);
/* BAD_REQUEST: the name is taken. */
enum fault token_add(struct catalog *catalog, const struct token *token,
    const uint8_t hash[SHA256_LEN], struct refusal *why);
enum fault token_remove(struct catalog *catalog, const char *name, struct refusal *why);
enum fault token_each(
    struct catalog *catalog, token_visitor *visit, void *self, struct refusal *why);
struct token_use {
	uint8_t hash[SHA256_LEN];
	int64_t at;
};
enum fault tokens_used(
    struct catalog *catalog, const struct token_use *use, size_t count, struct refusal *why);

#endif
