/*
 * partial.h: uploads that outlive a request.
 *
 *     partial_create | partial_resume -> partial_write* -> partial_pause | partial_discard
 *                                     -> partial_finish -> partial_leave
 *     partial_find, partial_remove, partial_concat: without holding one
 *
 * Bytes are partial/<id>; offset, digest state and verdict are one row of the catalog and change in
 * one UPDATE, after the bytes were synced. Whatever kills the process, the offset told is backed by
 * bytes, and going on from there gives the right SHA-256. Where they were not synced (durability =
 * normal) and the machine was started anew since, they are read before anybody is told of them, and
 * the upload is gone if some are lost.
 *
 * Whoever owns an upload pays for it, whoever
 * sends: the whole declared length counts against quotas and free space, in all processes, from the
 * first byte to the end. Before that byte it is only judged, and dropped if none comes in ten minutes.
 *
 * One request at a time holds an upload. A new one makes the old one let go, also in another
 * process on the same data_dir.
 */
#ifndef WAYBILL_KEEP_PARTIAL_H
#define WAYBILL_KEEP_PARTIAL_H

#include "keep/keep.h"

struct partial; /* a resumable upload that this request holds */

/*
 * NOT_FOUND; EXPIRED; GONE (ended, or its bytes are lost). With `settle`, a request that still adds
 * bytes is made to let go first, so that the offset told will be accepted next; waits a few seconds
 * at most, and is never refused because of a lock. On a fault *row need not be released.
 */
enum fault partial_find(
    struct keep *keep, struct span id, bool settle, struct partial_row *row, struct refusal *why);

/* What a new upload is told at its creation; borrowed for the call. */
struct partial_plan {
	enum protocol protocol;
	enum partial_concat concat;
	struct span name, declared_type; /* as sent */
	struct span path;		 /* clean; absent: the grant's */
	const char *fields;		 /* JSON object */
	struct span metadata, parts;	 /* to be echoed; absent: none */
	int64_t length;			 /* -1: not known yet */
	struct claim whole;		 /* of all of it; DIGEST_NONE: none */
	struct span address;		 /* who makes it, for the count of those without a name */
	int64_t quota;			 /* of the token that makes it; 0: none */
	bool wants_token;		 /* to delete what parts become */
	struct exchange *x;		 /* what to interrupt when another request wants it */
};

/*
 * Make one and hold it. Judges plan->length against quotas and space as if its first byte came now.
 * What the grant and the plan borrow must outlive *p. TOO_LARGE, NO_SPACE, INTERNAL; QUOTA_EXCEEDED,
 * also where this owner has open_uploads of them already.
 */
enum fault partial_create(struct keep *keep, const struct grant *grant,
    const struct partial_plan *plan, struct partial **p, struct refusal *why);

/*
 * Hold one, taking it over from whoever does. `all_or_nothing`: nothing is recorded before
 * partial_pause(), so that partial_discard() can take everything back (a checksum was promised).
 * NOT_FOUND, EXPIRED, GONE, LOCKED; OFFSET_CONFLICT with why->upload_offset when it does not stand
 * at `offset`.
 */
enum fault partial_resume(struct keep *keep, const struct grant *grant, struct span id,
    int64_t offset, bool all_or_nothing, struct exchange *x, struct partial **p,
    struct refusal *why);
/* What it is; offset as of the last pause. Lives as long as *p. */
const struct partial_row *partial_row(const struct partial *p);
/* Bytes that are there, recorded or not. */
int64_t partial_offset(const struct partial *p);

/* Once; the rest is reserved, or judged where nothing is there yet. BAD_LENGTH_CLAIM: it contradicts what is known, or the offset. */
enum fault partial_set_length(struct partial *p, int64_t length, struct refusal *why);
/*
 * The first bytes of all reserve the length: NO_SPACE, QUOTA_EXCEEDED.
 * TYPE_REFUSED as soon as the first HEAD_BYTES are there: the upload is then over.
 * BAD_LENGTH_CLAIM: past the length; what fits was taken. LOCKED: another request wants it.
 */
enum fault partial_write(struct partial *p, const void *bytes, size_t len, struct refusal *why);
/* What came counts from here on: synced, recorded. LOCKED: it was taken away. */
enum fault partial_pause(struct partial *p, struct refusal *why);
/* Back to where it was when it was resumed. */
enum fault partial_discard(struct partial *p, struct refusal *why);
/*
 * Make the file of the same id; its length is the offset. TYPE_REFUSED, DIGEST_MISMATCH: the upload
 * is over. Give *files back with files_release().
 */
enum fault partial_finish(
    struct partial *p, bool with_delete_token, struct files *files, struct refusal *why);
/* Refused for good: its bytes go, its address is 410 from here on. */
void partial_end(struct partial *p);
/* Let go. What was not paused is forgotten. NULL is fine. */
void partial_leave(struct partial *p);

/* Remove one and free its bytes, whoever holds it. FINISHED: it is a file by now, and nothing was
 * removed. */
enum fault partial_remove(struct keep *keep, struct span id, struct refusal *why);

/*
 * Join parts, in order, into a file; plan->concat is PARTIAL_FINAL, its length does not matter. id
 * gets the id. BAD_REQUEST: one is no part, not finished, or not there; TOO_LARGE; TYPE_REFUSED.
 */
enum fault partial_concat(struct keep *keep, const struct grant *grant,
    const struct partial_plan *plan, const struct span *ids, size_t count, struct files *files,
    struct refusal *why);

/* For `waybill ls --partial`: all that are unfinished, in no particular order. *row
 * lives for the call. */
enum fault keep_partial_each(
    struct keep *keep, partial_visitor *visit, void *self, struct refusal *why);

#endif
