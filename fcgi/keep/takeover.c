/*
 * takeover.c: a request goes on with a resumable upload, whoever has it, on its owner's account.
 */
#include "keep/uploads.h"
#include "shared/text.h"

/* With the lock held, the row is ours: read it again, and stand where it says. */
static enum fault settle_in(struct partial *p, struct span id, struct refusal *why)
{
	struct blob *blob = &p->file.blob;

	partial_release(&p->row);
	p->row.offset = -1; /* should it not be read: as it was, it says nothing of the bytes there */
	enum fault f = partial_look(p->keep, id, &p->row, why);
	if (f != FAULT_NONE || !p->held || p->row.state == PARTIAL_DONE)
		return f;
	f = partial_stand(p->keep, &p->row, blob->fd, &p->start, why);
	if (f == FAULT_GONE)
		partial_end(p);
	blob->size = p->row.offset;
	if (f == FAULT_NONE) {
		f = blob_be_alone(p->keep->store, blob, why);
		if (f == FAULT_GONE)
			partial_end(p);
	}
	if (f == FAULT_NONE)
		f = blob_cut(blob, p->row.offset, &p->start, why);
	if (f == FAULT_NOT_FOUND)
		f = refuse(why, FAULT_GONE, "Bytes of this upload are lost. Start it anew.");
	return f;
}

static enum fault compare_offset(const struct partial *p, int64_t offset, struct refusal *why)
{
	if (offset != p->row.offset) {
		refuse(why, FAULT_OFFSET_CONFLICT,
		    "Upload-Offset is %lld, but this upload stands at %lld. Go on from there.",
		    (long long)offset, (long long)p->row.offset);
		why->upload_offset = p->row.offset;
		why->provided_offset = offset;
		return FAULT_OFFSET_CONFLICT;
	}
	if (!p->held || p->row.state == PARTIAL_DONE)
		return refuse(why, FAULT_LOCKED, "Another request has just completed this upload.");
	return FAULT_NONE;
}

/* Afterwards the upload is held, unless it was done meanwhile. */
static enum fault take_over(
    struct partial *p, struct span id, struct exchange *x, struct refusal *why)
{
	enum fault f = partial_look(p->keep, id, &p->row, why);

	if (f != FAULT_NONE || p->row.state == PARTIAL_DONE)
		return f;
	f = holder_take(p->keep->store, p->row.id, HOLDER_PATIENCE, &p->file.blob, why);
	if (f == FAULT_NONE)
		partial_hold(p, x);
	else if (f != FAULT_NOT_FOUND)
		return f;
	return settle_in(p, id, why);
}

/* ---- who pays -------------------------------------------------------------------------------- */

static bool same_owner(struct span a, const char *b)
{
	return a.at == NULL || b == NULL ? a.at == b : span_is(a, b);
}

/* Whoever sends: it is the upload's owner who will have the file, so it is that owner's quota. */
static enum fault let_owner_pay(struct partial *p, struct refusal *why)
{
	int64_t all = p->keep->config->owner_quota_bytes, own = 0;
	enum fault f = FAULT_NONE;

	if (same_owner(p->grant.owner, p->row.owner))
		return FAULT_NONE;
	if (p->row.owner != NULL)
		f = row_quota(p->keep->catalog, &p->row, &own, why);
	p->grant.owner = span_of(p->row.owner);
	p->grant.owner_quota = own == 0 || (all != 0 && all < own) ? all : own;
	p->room.anothers = true;
	return f;
}

/* It stands where it was left: what will be added may be, and what is there is set aside. */
static enum fault get_ready(struct partial *p, struct refusal *why)
{
	enum fault f = let_owner_pay(p, why);

	partial_describe(p);
	if (f == FAULT_NONE && p->row.offset > 0)
		f = partial_set_aside(p, why);
	if (f == FAULT_NONE && p->grant.length != 0)
		f = partial_expect(p, why);
	return f;
}

enum fault partial_resume(struct keep *keep, const struct grant *grant, struct span id,
    int64_t offset, bool all_or_nothing, struct exchange *x, struct partial **result,
    struct refusal *why)
{
	struct partial *p = partial_new(keep, grant);

	*result = NULL;
	if (p == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	p->all_or_nothing = all_or_nothing;
	enum fault f = take_over(p, id, x, why);
	if (f == FAULT_NONE)
		f = compare_offset(p, offset, why);
	if (f == FAULT_NONE)
		f = get_ready(p, why);
	if (f != FAULT_NONE) {
		partial_leave(p);
		return f;
	}
	*result = p;
	return FAULT_NONE;
}
