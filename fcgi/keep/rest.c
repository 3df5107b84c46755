/*
 * rest.c: room for what comes; and of a resumable upload: what came counts, or is taken back.
 */
#include "keep/inside.h"
#include "shared/text.h"

enum {
	RECORD_STEP = 32 << 20, /* bytes after which the offset is recorded while more arrive */
	ROOM_STEP = 8 << 20	/* bytes reserved at a time where no length is known */
};

int64_t upload_offset(const struct upload *u)
{
	return upload_last(u)->blob.size;
}

const struct resumable *upload_row(const struct upload *u)
{
	return &u->row;
}

/* ---- room ------------------------------------------------------------------------------------ */

/* Bytes to be reserved to get to `after`. A row counts for nothing before the first byte, and then for
 * the length, or what is there of it; the rest is on top of that. */
static int64_t need(const struct upload *u, int64_t after)
{
	if (!u->resumable)
		return after - u->kept;
	if (u->row.length >= 0)
		return u->row.offset > 0 ? 0 : u->row.length;
	return (after > u->end ? after : u->end) - u->row.offset;
}

static enum fault check_end(const struct upload *u, int64_t after, struct refusal *why)
{
	if (!u->resumable || u->row.length >= 0 || after <= u->grant->max_bytes)
		return FAULT_NONE;
	return refuse_too_large(why, after, u->grant->max_bytes);
}

enum fault upload_expect(struct upload *u, struct refusal *why)
{
	int64_t bytes = need(u, u->row.offset);
	enum fault f = check_end(u, u->end, why);

	return f || bytes == 0 ? f : room_would_fit(&u->room, bytes, why);
}

/* Where no length is known, what comes is reserved as it comes: in steps, or just as much as it takes
 * where a step is too much to ask. */
enum fault upload_make_room(struct upload *u, size_t len, struct refusal *why)
{
	int64_t after = (u->resumable ? upload_offset(u) : u->received) + (int64_t)len;
	int64_t over = need(u, after) - u->room.promised;
	bool declared = u->resumable && (u->row.length >= 0 || after <= u->end);
	enum fault f = check_end(u, after, why);

	if (f || over <= 0)
		return f;
	if (!declared && !room_reserve(&u->room, over + ROOM_STEP, why))
		return FAULT_NONE;
	f = room_reserve(&u->room, over, why);
	return f || !u->resumable ? f : upload_set_aside(u, u->row.length, why);
}

enum fault upload_set_aside(struct upload *u, int64_t length, struct refusal *why)
{
	struct blob *blob = &upload_last(u)->blob;

	if (length <= 0 || blob->allocated >= length)
		return FAULT_NONE;
	int64_t before = blob->allocated;
	enum fault f = blob_allocate(blob, length, why);
	u->row.allocated = blob->allocated;
	/* Free space shows it from here on. */
	if (blob->allocated > before)
		room_written(&u->room, blob->allocated - before);
	return f;
}

/* ---- the length ------------------------------------------------------------------------------ */

static enum fault check_length(const struct upload *u, int64_t length, struct refusal *why)
{
	int64_t was = u->row.length, there = upload_offset(u);

	if (was >= 0 || length < there)
		return refuse(why, FAULT_BAD_LENGTH_CLAIM,
		    "The length of this upload cannot be %lld: %lld bytes are %s.",
		    (long long)length, (long long)(was >= 0 ? was : there),
		    was >= 0 ? "what it was declared with" : "there already");
	if (length > u->grant->max_bytes)
		return refuse_too_large(why, length, u->grant->max_bytes);
	return FAULT_NONE;
}

static enum fault take_length(struct upload *u, int64_t length, struct refusal *why)
{
	bool begun = u->row.offset > 0;
	int64_t more = length - upload_offset(u) - u->room.promised;
	enum fault f = FAULT_NONE;

	if (more > 0)
		f = begun ? room_reserve(&u->room, more, why) : room_would_fit(&u->room, more, why);
	if (f)
		return f;
	u->row.length = length;
	if (begun)
		f = upload_set_aside(u, length, why);
	return f || u->all_or_nothing ? f : resumable_update(u->keep->catalog, &u->row, why);
}

enum fault upload_set_length(struct upload *u, int64_t length, struct refusal *why)
{
	int64_t was = u->row.length;

	if (length == was)
		return FAULT_NONE;
	enum fault f = check_length(u, length, why);
	if (!f)
		f = take_length(u, length, why);
	if (f)
		u->row.length = was;
	else if (!u->all_or_nothing)
		room_release(&u->room); /* the row counts from here on */
	return f;
}

/* ---- what came counts ------------------------------------------------------------------------ */

/* Bytes first, then offset, digest and verdict in one row. */
static enum fault record(struct upload *u, struct refusal *why)
{
	struct incoming *file = upload_last(u);
	struct resumable next = u->row;
	bool synced = store_syncs(u->keep->store);
	enum fault f = synced ? blob_sync(&file->blob, why) : FAULT_NONE;

	if (f)
		return f;
	next.offset = file->blob.size;
	next.allocated = file->blob.allocated;
	next.expires_at = upload_deadline(u->keep, &next);
	next.durable = synced;
	next.boot = store_boot(u->keep->store);
	if (file->judged)
		span_copy(next.type, sizeof next.type, span_of(file->type));
	resumable_store_digest(&next, &file->blob.digest);
	f = resumable_update(u->keep->catalog, &next, why);
	if (f)
		return f;
	u->row = next;
	u->start = file->blob.digest;
	u->prolong_at = 0;
	if (u->row.length >= 0)
		room_release(&u->room);
	return FAULT_NONE;
}

/* While bytes come an upload does not expire, though none of them be recorded yet. */
static enum fault prolong(struct upload *u, struct refusal *why)
{
	int64_t now = clock_calendar();

	if (u->row.expires_at == 0)
		return FAULT_NONE;
	if (u->prolong_at == 0)
		u->prolong_at = now + (u->row.expires_at - now) / 2;
	if (now < u->prolong_at)
		return FAULT_NONE;
	struct resumable next = u->row;
	next.offset = upload_offset(u);
	next.expires_at = upload_deadline(u->keep, &next);
	u->prolong_at = 0;
	enum fault f = resumable_prolong(u->keep->catalog, &next, why);
	if (!f)
		u->row.expires_at = next.expires_at;
	return f;
}

enum fault upload_progress(struct upload *u, struct refusal *why)
{
	int64_t offset = upload_offset(u);
	enum fault f = prolong(u, why);

	/* Never at the very end: a tus client that reads its length there takes it for a file. */
	if (!f && !u->all_or_nothing && offset != u->row.length &&
	    offset - u->row.offset >= RECORD_STEP)
		f = record(u, why);
	return f;
}

enum fault upload_rest(struct upload *u, struct refusal *why)
{
	enum fault f = u->over ? refuse(why, FAULT_GONE, NULL) : record(u, why);

	if (!f)
		room_release(&u->room);
	return f;
}

enum fault upload_take_back(struct upload *u, struct refusal *why)
{
	room_release(&u->room);
	if (u->over)
		return FAULT_NONE;
	return blob_cut(&upload_last(u)->blob, u->row.offset, &u->start, why);
}

/* ---- the end --------------------------------------------------------------------------------- */

void upload_let_go(struct upload *u, bool rest)
{
	/* First nobody may interrupt our exchange any more, then another may have the file. */
	if (u->held)
		holder_leave(u->keep->store, &u->holder);
	if (u->held && rest && u->row.offset == 0)
		blob_empty(&upload_last(u)->blob);
	u->held = false;
	blob_leave(u->keep->store, &upload_last(u)->blob, rest);
	room_release(&u->room);
}

void upload_end(struct upload *u)
{
	int64_t forget_at = memory_deadline(u->keep);

	if (!resumable_end(u->keep->catalog, span_of(u->row.id), forget_at, NULL))
		upload_let_go(u, false);
	u->over = true;
}
