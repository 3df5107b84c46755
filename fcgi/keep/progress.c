/*
 * progress.c: bytes of a resumable upload come in and are recorded, or taken back.
 */
#include "keep/uploads.h"
#include "shared/text.h"

enum {
	RECORD_STEP = 32 << 20, /* bytes after which the offset is recorded while more arrive */
	ROOM_STEP = 8 << 20	/* bytes reserved at a time where no length is known */
};

/* ---- room ------------------------------------------------------------------------------------ */

/* The row counts from here on; the ledger need not any more. */
void partial_release_room(struct partial *p)
{
	if (p->room.reserved)
		ledger_release(store_ledger(p->keep->store), p->room.slot);
	p->room.reserved = false;
	p->room.promised = 0;
}

enum fault partial_set_aside(struct partial *p, struct refusal *why)
{
	struct blob *blob = &p->file.blob;

	if (p->row.length <= 0 || blob->allocated >= p->row.length)
		return FAULT_NONE;
	int64_t before = blob->allocated;
	enum fault f = blob_allocate(blob, p->row.length, why);
	p->row.allocated = blob->allocated;
	/* Free space shows it from here on. */
	if (p->room.reserved && blob->allocated > before)
		ledger_written(store_ledger(p->keep->store), p->room.slot, blob->allocated - before);
	return f;
}

enum fault partial_set_length(struct partial *p, int64_t length, struct refusal *why)
{
	int64_t was = p->row.length;

	if (length == was)
		return FAULT_NONE;
	if (was >= 0 || length < p->file.blob.size)
		return refuse(why, FAULT_BAD_LENGTH_CLAIM,
		    "The length of this upload cannot be %lld: %lld bytes are %s.",
		    (long long)length, (long long)(was >= 0 ? was : p->file.blob.size),
		    was >= 0 ? "what it was declared with" : "there already");
	if (length > p->grant.max_bytes)
		return refuse_too_large(why, length, p->grant.max_bytes);
	bool begun = p->row.offset > 0;
	int64_t more = length - p->file.blob.size - p->room.promised;
	enum fault f = FAULT_NONE;
	if (more > 0)
		f = begun ? upload_reserve(&p->room, more, why)
			  : upload_would_fit(&p->room, more, why);
	if (f != FAULT_NONE)
		return f;
	p->row.length = length;
	f = begun ? partial_set_aside(p, why) : FAULT_NONE;
	if (f == FAULT_NONE && !p->all_or_nothing)
		f = row_update(p->keep->catalog, &p->row, why);
	if (f != FAULT_NONE)
		p->row.length = was;
	else if (!p->all_or_nothing)
		partial_release_room(p);
	return f;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum fault sync_bytes(struct partial *p, struct refusal *why)
{
	if (!store_syncs(p->keep->store))
		return FAULT_NONE;
	return blob_sync(&p->file.blob, why);
}

/* Bytes first, then offset, digest and verdict in one row. */
static enum fault record(struct partial *p, struct refusal *why)
{
	struct partial_row next = p->row;
	enum fault f = sync_bytes(p, why);

	if (f != FAULT_NONE)
		return f;
	next.offset = p->file.blob.size;
	next.allocated = p->file.blob.allocated;
	next.expires_at = partial_deadline(p->keep, &next);
	next.durable = store_syncs(p->keep->store);
	next.boot = store_boot(p->keep->store);
	if (p->file.judged)
		span_copy(next.type, sizeof next.type, span_of(p->file.type));
	partial_store_digest(&next, &p->file.blob.digest);
	f = row_update(p->keep->catalog, &next, why);
	if (f != FAULT_NONE)
		return f;
	p->row = next;
	p->start = p->file.blob.digest;
	p->prolong_at = 0;
	if (p->row.length >= 0)
		partial_release_room(p);
	return FAULT_NONE;
}

/* Bytes to be reserved on top of what the row counts for, to get to `after`: the row counts for
 * nothing before the first byte, and then for the length, or what is there of it. */
static int64_t need(const struct partial *p, int64_t after)
{
	if (p->row.length >= 0)
		return p->row.offset > 0 ? 0 : p->row.length;
	return (after > p->end ? after : p->end) - p->row.offset;
}

static enum fault check_end(const struct partial *p, int64_t after, struct refusal *why)
{
	if (p->row.length >= 0 || after <= p->grant.max_bytes)
		return FAULT_NONE;
	return refuse_too_large(why, after, p->grant.max_bytes);
}

enum fault partial_expect(struct partial *p, struct refusal *why)
{
	int64_t bytes = need(p, p->row.offset);
	enum fault f = check_end(p, p->end, why);

	if (f != FAULT_NONE || bytes == 0)
		return f;
	return upload_would_fit(&p->room, bytes, why);
}

/* Where no length is known, what comes is reserved as it comes: in steps, or just as much as it
 * takes where a step is too much to ask. */
static enum fault make_room(struct partial *p, size_t len, struct refusal *why)
{
	int64_t after = p->file.blob.size + (int64_t)len;
	int64_t over = need(p, after) - p->room.promised;
	bool declared = p->row.length >= 0 || after <= p->end;
	enum fault f = check_end(p, after, why);

	if (f != FAULT_NONE || over <= 0)
		return f;
	if (!declared && upload_reserve(&p->room, over + ROOM_STEP, why) == FAULT_NONE)
		return FAULT_NONE;
	f = upload_reserve(&p->room, over, why);
	return f == FAULT_NONE ? partial_set_aside(p, why) : f;
}

/* While bytes come an upload does not expire, though none of them be recorded yet. */
static enum fault stay(struct partial *p, struct refusal *why)
{
	int64_t now = clock_calendar();

	if (p->row.expires_at == 0)
		return FAULT_NONE;
	if (p->prolong_at == 0)
		p->prolong_at = now + (p->row.expires_at - now) / 2;
	if (now < p->prolong_at)
		return FAULT_NONE;
	struct partial_row next = p->row;
	next.offset = p->file.blob.size;
	next.expires_at = partial_deadline(p->keep, &next);
	p->prolong_at = 0;
	enum fault f = row_prolong(p->keep->catalog, &next, why);
	if (f == FAULT_NONE)
		p->row.expires_at = next.expires_at;
	return f;
}

static enum fault judge_type(struct partial *p, struct refusal *why)
{
	enum fault f = upload_judge(&p->room, &p->file, why);

	if (f == FAULT_TYPE_REFUSED)
		partial_end(p);
	return f;
}

static enum fault write_some(struct partial *p, const void *bytes, size_t len, struct refusal *why)
{
	enum fault f = make_room(p, len, why);

	if (f == FAULT_NONE)
		f = blob_write(&p->file.blob, bytes, len, why);
	if (f == FAULT_NONE)
		f = stay(p, why);
	if (f == FAULT_NONE && !p->file.judged && p->file.blob.size >= HEAD_BYTES)
		f = judge_type(p, why);
	/* Never at the very end: a tus client that reads its length there takes it for a file. */
	if (f == FAULT_NONE && !p->all_or_nothing && p->file.blob.size != p->row.length &&
	    p->file.blob.size - p->row.offset >= RECORD_STEP)
		f = record(p, why);
	return f;
}

enum fault partial_write(struct partial *p, const void *bytes, size_t len, struct refusal *why)
{
	int64_t left = p->row.length < 0 ? INT64_MAX : p->row.length - p->file.blob.size;

	if (p->ended)
		return refuse(why, FAULT_GONE, NULL);
	if (__atomic_load_n(&p->holder.wanted, __ATOMIC_RELAXED))
		return refuse(why, FAULT_LOCKED, "Another request has taken this upload over.");
	if ((int64_t)len <= left)
		return write_some(p, bytes, len, why);
	enum fault f = write_some(p, bytes, (size_t)left, why);
	if (f != FAULT_NONE)
		return f;
	return refuse(why, FAULT_BAD_LENGTH_CLAIM, "More bytes came than the %lld of this upload.",
	    (long long)p->row.length);
}

enum fault partial_pause(struct partial *p, struct refusal *why)
{
	enum fault f = p->ended ? refuse(why, FAULT_GONE, NULL) : record(p, why);

	if (f == FAULT_NONE)
		partial_release_room(p);
	return f;
}

enum fault partial_discard(struct partial *p, struct refusal *why)
{
	partial_release_room(p);
	return p->ended ? FAULT_NONE : blob_cut(&p->file.blob, p->row.offset, &p->start, why);
}

void partial_let_go(struct partial *p, bool rest)
{
	/* First nobody may interrupt our exchange any more, then another may have the file. */
	if (p->held)
		holder_leave(p->keep->store, &p->holder);
	if (p->held && rest && p->row.offset == 0)
		blob_empty(&p->file.blob);
	p->held = false;
	blob_leave(p->keep->store, &p->file.blob, rest);
	partial_release_room(p);
}

void partial_end(struct partial *p)
{
	if (row_end(p->keep->catalog, span_of(p->row.id), memory_deadline(p->keep), NULL) == FAULT_NONE)
		partial_let_go(p, false);
	p->ended = true;
}
