/*
 * upload.h: the one life of an upload, from its first byte to the record.
 *
 *     upload_begin  -> (upload_file -> upload_write* -> upload_file_end | upload_adopt)*
 *     upload_create | upload_resume -> upload_write* -> upload_rest | upload_take_back
 *                   -> upload_finish -> upload_leave
 *
 * An upload is one transaction: after upload_finish() returns FAULT_NONE all its files are kept
 * (with durability=full: synced and committed); after upload_leave() without it, none are. Order of
 * truth: data synced -> in one transaction: objects linked in, rows inserted, directory synced,
 * COMMIT -> yes.
 *
 * A *resumable* one (tus, IETF) can rest: it has one file, which outlives the request, and a row of
 * the catalog that says how far it is. Offset, digest state and verdict change in one UPDATE, after
 * the bytes were synced; so whatever kills the process, the offset told is backed by bytes, and
 * going on from there gives the right SHA-256. Where they were not synced (durability=normal) and
 * the machine was started anew since, they are read before anybody is told of them, and the upload
 * is gone if some are lost. One request at a time holds it; a new one makes the old one let go, also
 * in another process on the same data_dir.
 *
 * Whoever owns an upload pays for it, whoever sends: the whole declared length counts against quotas
 * and free space, in all processes. Of a resumable one from the first byte to the end; before that
 * byte it is only judged, and dropped if none comes in ten minutes.
 *
 * Any thread; one upload from one thread at a time. TOO_LARGE, NO_SPACE, QUOTA_EXCEEDED, BUSY and
 * INTERNAL may come from any of these.
 */
#ifndef WAYBILL_KEEP_UPLOAD_H
#define WAYBILL_KEEP_UPLOAD_H

#include "keep/keep.h"

struct upload; /* one under way, which this request holds */

/* ---- in one request -------------------------------------------------------------------------- */

/* Reserve grant->length. *grant is borrowed for the upload's life, and may change until it is
 * finished, but for who pays and how much. */
enum fault upload_begin(
    struct keep *keep, const struct grant *grant, struct upload **upload, struct refusal *why);
enum fault upload_file(struct upload *upload, const struct part *part, struct refusal *why);
/* TYPE_REFUSED where what came is of a type that may not be. */
enum fault upload_file_end(struct upload *upload, struct refusal *why);
/* Would upload_adopt() link this file in? Then grant->spooled may be set before upload_begin(). */
bool upload_can_adopt(struct keep *keep, const struct grant *grant, int fd);
/* Instead of upload_file() ... upload_file_end(), where it can: take a whole file that is there
 * already by linking it in; it is read once, through `buffer`. fd stays the caller's. */
enum fault upload_adopt(struct upload *upload, const struct part *part, int fd, char *buffer,
    size_t room, struct refusal *why);

/* ---- over several ---------------------------------------------------------------------------- */

/* What a new one is told at its creation; borrowed for the call. */
struct upload_plan {
	enum protocol protocol;
	enum concat concat;
	struct span name, declared_type; /* as sent */
	struct span path;		 /* clean; absent: the grant's */
	const char *fields;		 /* JSON object */
	struct span metadata, parts;	 /* to be echoed; absent: none */
	int64_t length;			 /* -1: not known yet */
	struct claim whole;		 /* of all of it; DIGEST_NONE: none */
	struct span address;		 /* who makes it, for the count of those without a name */
	int64_t quota;			 /* of the token that makes it; 0: none */
	struct exchange *x;		 /* what to interrupt when another request wants it */
	/* CONCAT_FINAL: */
	const struct span *ids; /* of its parts, in order */
	size_t count;
	bool wants_token; /* to delete the file */
};
/* Make one and hold it; judged as if its first byte came now. What the grant and the plan borrow must
 * outlive it. QUOTA_EXCEEDED, also where this owner has open_uploads of them already. */
enum fault upload_create(struct keep *keep, const struct grant *grant,
    const struct upload_plan *plan, struct upload **upload, struct refusal *why);

struct upload_place {
	struct span id;
	int64_t offset;	     /* where the client thinks it stands */
	bool all_or_nothing; /* nothing counts before upload_rest(): a checksum was promised */
	struct exchange *x;
};
/* Hold one, taking it over from whoever does. NOT_FOUND, EXPIRED, GONE, LOCKED; OFFSET_CONFLICT with
 * why->upload_offset when it does not stand there. */
enum fault upload_resume(struct keep *keep, const struct grant *grant,
    const struct upload_place *place, struct upload **upload, struct refusal *why);
/* What it is; offset as of the last rest. Lives as long as the upload. */
const struct resumable *upload_row(const struct upload *upload);
/* Bytes that are there, recorded or not. */
int64_t upload_offset(const struct upload *upload);
/* Once. BAD_LENGTH_CLAIM: it contradicts what is known, or the offset. */
enum fault upload_set_length(struct upload *upload, int64_t length, struct refusal *why);
/* What came counts from here on: synced, recorded. LOCKED: it was taken away. */
enum fault upload_rest(struct upload *upload, struct refusal *why);
/* Back to where it was when it was resumed. */
enum fault upload_take_back(struct upload *upload, struct refusal *why);
/* Refused for good: its bytes go, its address is 410 from here on. */
void upload_end(struct upload *upload);

/* ---- both ------------------------------------------------------------------------------------ */

/*
 * TYPE_REFUSED as soon as the first HEAD_BYTES are there; a resumable one is then over. Of that also:
 * BAD_LENGTH_CLAIM: past the length; what fits was taken. LOCKED: another request wants it.
 */
enum fault upload_write(struct upload *upload, const void *bytes, size_t len, struct refusal *why);
/*
 * Keep all its files. `fields`: JSON object text for each; NULL: what a resumable one was created
 * with. with_delete_token: each file gets one. With a key in the grant that has been seen: the files
 * of that time, and nothing is kept twice; KEY_REUSED where they are others. TYPE_REFUSED,
 * DIGEST_MISMATCH: a resumable one is over. Give *files back with files_release().
 */
enum fault upload_finish(struct upload *upload, const char *fields, bool with_delete_token,
    struct files *files, struct refusal *why);
/* The one cleanup: reservations are released; what was not finished vanishes, or, if it is
 * resumable, rests where it was last recorded. NULL is fine. */
void upload_leave(struct upload *upload);

/* ---- without holding one --------------------------------------------------------------------- */

/* NOT_FOUND; EXPIRED; GONE (ended, or its bytes are lost). With `settle`, a request that still adds
 * bytes is made to let go first, so that the offset told will be accepted next; waits a few seconds
 * at most, and is never refused because of a lock. On a fault *row need not be released. */
enum fault keep_find_upload(
    struct keep *keep, struct span id, bool settle, struct resumable *row, struct refusal *why);
/* Remove one and free its bytes, whoever holds it. FINISHED: it is a file by now, and nothing was
 * removed. */
enum fault keep_remove_upload(struct keep *keep, struct span id, struct refusal *why);
/* All that are unfinished, in no particular order. *row lives for the call. */
enum fault keep_each_upload(
    struct keep *keep, resumable_visitor *visit, void *self, struct refusal *why);
/* Join the parts of plan->ids into a file; plan->concat is CONCAT_FINAL, its length does not matter.
 * BAD_REQUEST: one is no part, not finished, or not there. */
enum fault keep_join(struct keep *keep, const struct grant *grant, const struct upload_plan *plan,
    struct files *files, struct refusal *why);

#endif
