/*
 * progress.c: bytes of a resumable upload come in and are recorded, or taken back.
 */
#include "keep/ledger.h"
#include "keep/uploads.h"
#include "shared/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	RECORD_STEP = 32 << 20, /* bytes after which the offset is recorded while more arrive */
	ROOM_STEP = 8 << 20	/* bytes reserved at a time where no length is known */
};

/* ---- room ------------------------------------------------------------------------------------ */

/* The row counts from here on; the ledger need not any more. */
void partial_release_room(struct partial *p)
{
	if (p->room.reserved)
		ledger_release(p->keep->ledger, p->room.slot);
	p->room.reserved = false;
	p->room.promised = 0;
}

enum fault partial_set_aside(struct partial *p, struct refusal *why)
{
	struct blob *blob = &p->file.blob;

	if (p->row.length <= 0 || blob->allocated >= p->row.length)
		return FAULT_NONE;
	enum fault f = blob_allocate(blob, p->row.length, why);
	p->row.allocated = blob->allocated;
	return f;
}

enum fault partial_too_large(const struct grant *grant, int64_t length, struct refusal *why)
{
	refuse(why, FAULT_TOO_LARGE,
	    "The file would have %lld bytes; this server accepts at most %lld.", (long long)length,
	    (long long)grant->max_bytes);
	why->max_bytes = grant->max_bytes;
	return FAULT_TOO_LARGE;
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
		return partial_too_large(&p->grant, length, why);
	int64_t more = length - p->file.blob.size - p->room.promised;
	enum fault f = more > 0 ? upload_reserve(&p->room, more, why) : FAULT_NONE;
	if (f != FAULT_NONE)
		return f;
	p->row.length = length;
	f = partial_set_aside(p, why);
	if (f == FAULT_NONE && !p->all_or_nothing)
		f = row_update(p->keep->catalog, &p->row, why);
	if (f != FAULT_NONE)
		p->row.length = was;
	else if (!p->all_or_nothing)
		partial_release_room(p);
	return f;
}

/* ---- the digest's state ---------------------------------------------------------------------- */

void partial_store_digest(struct partial_row *row, const struct digest *digest)
{
	_Static_assert(sizeof *digest <= sizeof row->digest, "a digest's state fits its row");
	memcpy(row->digest, digest, sizeof *digest);
	row->digest_len = sizeof *digest;
}

enum fault partial_digest(int fd, int64_t size, struct digest *digest, struct refusal *why)
{
	char buffer[16 * 1024];

	for (int64_t at = 0; at < size;) {
		int64_t left = size - at;
		ssize_t n = pread(
		    fd, buffer, left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return disk_fault(why, "read partial file");
		digest_add(digest, buffer, (size_t)n);
		at += n;
	}
	return FAULT_NONE;
}

enum fault partial_load_digest(
    const struct partial_row *row, int fd, struct digest *digest, struct refusal *why)
{
	if (row->digest_len == sizeof *digest) {
		memcpy(digest, row->digest, sizeof *digest);
		const struct sha256_ctx *sha = &digest->state.sha256;
		int64_t size = (int64_t)(sha->count * SHA256_BLOCK_SIZE + sha->index);
		if (digest->algorithm == DIGEST_SHA256 && size == row->offset)
			return FAULT_NONE;
	}
	/* Another build stored it, or nobody: from the bytes themselves. */
	digest_start(digest, DIGEST_SHA256);
	return partial_digest(fd, row->offset, digest, why);
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum fault sync_bytes(struct partial *p, struct refusal *why)
{
	if (p->keep->config->durability != DURABILITY_FULL)
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
	next.expires_at = partial_deadline(p->keep);
	if (p->file.judged)
		span_copy(next.type, sizeof next.type, span_of(p->file.type));
	partial_store_digest(&next, &p->file.blob.digest);
	f = row_update(p->keep->catalog, &next, why);
	if (f != FAULT_NONE)
		return f;
	p->row = next;
	p->start = p->file.blob.digest;
	return FAULT_NONE;
}

enum fault partial_expect(struct partial *p, struct refusal *why)
{
	int64_t body = p->grant.length, after = p->file.blob.size + body;

	if (p->row.length >= 0 || body <= 0)
		return FAULT_NONE;
	if (after > p->grant.max_bytes)
		return partial_too_large(&p->grant, after, why);
	return upload_reserve(&p->room, body, why);
}

/* Without any known length, what comes is reserved as it comes: in steps, or just as much as it
 * takes where a step is too much to ask. */
static enum fault make_room(struct partial *p, size_t len, struct refusal *why)
{
	int64_t after = p->file.blob.size + (int64_t)len;
	int64_t over = after - p->row.offset - p->room.promised;

	if (p->row.length >= 0)
		return FAULT_NONE;
	if (after > p->grant.max_bytes)
		return partial_too_large(&p->grant, after, why);
	if (over <= 0 || upload_reserve(&p->room, over + ROOM_STEP, why) == FAULT_NONE)
		return FAULT_NONE;
	return upload_reserve(&p->room, over, why);
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
		holder_leave(p->keep, &p->holder);
	p->held = false;
	blob_leave(p->keep, &p->file.blob, rest);
	partial_release_room(p);
}

void partial_end(struct partial *p)
{
	if (row_end(p->keep->catalog, span_of(p->row.id), NULL) == FAULT_NONE)
		partial_let_go(p, false);
	p->ended = true;
}
