/*
 * resume.c: a resumable upload is found, and gone on with, whoever has it, on its owner's account.
 */
#include "keep/inside.h"
#include "shared/text.h"

/* ---- finding --------------------------------------------------------------------------------- */

/* With the lock held, so that the row is as it will stay. */
static enum fault prove_held(
    struct keep *keep, struct span id, const struct blob *blob, struct refusal *why)
{
	struct resumable row;
	struct digest digest;
	enum fault f = resumable_find(keep->catalog, id, &row, why);

	if (f)
		return f;
	if (!resumable_is_proved(keep, &row))
		f = resumable_stand(keep, &row, blob->fd, &digest, why);
	if (f == FAULT_GONE && resumable_end(keep->catalog, id, memory_deadline(keep), NULL))
		f = FAULT_INTERNAL;
	resumable_release(&row);
	return f;
}

static enum fault prove(struct keep *keep, struct span id, struct refusal *why)
{
	struct blob blob = {.fd = -1};
	char name[ID_LEN + 1];

	span_copy(name, sizeof name, id);
	enum fault f = holder_take(keep->store, name, HOLDER_PATIENCE, &blob, why);
	if (f == FAULT_NOT_FOUND) /* finished or ended meanwhile */
		return FAULT_NONE;
	if (!f)
		f = prove_held(keep, id, &blob, why);
	blob_leave(keep->store, &blob, f != FAULT_GONE);
	return f;
}

enum fault keep_find_upload(
    struct keep *keep, struct span id, bool settle, struct resumable *row, struct refusal *why)
{
	enum fault f = resumable_look(keep, id, row, why);

	if (!f && !resumable_is_proved(keep, row)) {
		resumable_release(row);
		f = prove(keep, id, why);
		if (!f || (f == FAULT_LOCKED && settle))
			f = resumable_look(keep, id, row, why);
	}
	if (f || !settle || row->state == UPLOAD_DONE)
		return f;
	/* Who does not let go is shut out: what it still writes will not count. */
	if (!holder_settle(keep->store, row->id, HOLDER_PATIENCE))
		f = resumable_shut_out(keep->catalog, id, why);
	resumable_release(row);
	return f ? f : resumable_look(keep, id, row, why);
}

/* ---- taking over ----------------------------------------------------------------------------- */

/* With the lock held, the row is ours: read it again, and stand where it says. */
static enum fault settle_in(struct upload *u, struct span id, struct refusal *why)
{
	struct blob *blob = &upload_last(u)->blob;

	resumable_release(&u->row);
	u->row.offset =
	    -1; /* should it not be read: as it was, it says nothing of the bytes there */
	enum fault f = resumable_look(u->keep, id, &u->row, why);
	if (f || !u->held || u->row.state == UPLOAD_DONE)
		return f;
	f = resumable_stand(u->keep, &u->row, blob->fd, &u->start, why);
	if (f == FAULT_GONE)
		upload_end(u);
	blob->size = u->row.offset;
	if (!f) {
		f = blob_be_alone(u->keep->store, blob, why);
		if (f == FAULT_GONE) {
			upload_end(u);
			f = FAULT_INTERNAL;
		}
	}
	if (!f)
		f = blob_cut(blob, u->row.offset, &u->start, why);
	if (f == FAULT_NOT_FOUND)
		f = refuse(why, FAULT_GONE, "Bytes of this upload are lost. Start it anew.");
	return f;
}

static enum fault compare_offset(const struct upload *u, int64_t offset, struct refusal *why)
{
	if (offset != u->row.offset) {
		refuse(why, FAULT_OFFSET_CONFLICT,
		    "Upload-Offset is %lld, but this upload stands at %lld. Go on from there.",
		    (long long)offset, (long long)u->row.offset);
		why->upload_offset = u->row.offset;
		why->provided_offset = offset;
		return FAULT_OFFSET_CONFLICT;
	}
	if (!u->held || u->row.state == UPLOAD_DONE)
		return refuse(why, FAULT_LOCKED, "Another request has just completed this upload.");
	return FAULT_NONE;
}

/* Afterwards the upload is held, unless it was done meanwhile. */
static enum fault take_over(
    struct upload *u, struct span id, struct exchange *x, struct refusal *why)
{
	enum fault f = resumable_look(u->keep, id, &u->row, why);

	if (f || u->row.state == UPLOAD_DONE)
		return f;
	f = holder_take(u->keep->store, u->row.id, HOLDER_PATIENCE, &upload_last(u)->blob, why);
	if (!f)
		resumable_hold(u, x);
	else if (f != FAULT_NOT_FOUND)
		return f;
	return settle_in(u, id, why);
}

/* ---- who pays -------------------------------------------------------------------------------- */

bool same_owner(struct span a, const char *b)
{
	return a.at == NULL || b == NULL ? a.at == b : span_is(a, b);
}

/* Whoever sends: it is the upload's owner who will have the file, so it is that owner's quota. */
static enum fault let_owner_pay(struct upload *u, struct refusal *why)
{
	int64_t all = u->keep->config->owner_quota_bytes, own = 0;
	enum fault f = FAULT_NONE;

	if (same_owner(u->grant->owner, u->row.owner))
		return FAULT_NONE;
	if (u->row.owner != NULL)
		f = resumable_quota(u->keep->catalog, &u->row, &own, why);
	u->paid.owner = span_of(u->row.owner);
	u->paid.owner_quota = own == 0 || (all != 0 && all < own) ? all : own;
	u->room.anothers = true;
	return f;
}

/* It stands where it was left: what will be added may be, and what is there is set aside. */
static enum fault get_ready(struct upload *u, struct refusal *why)
{
	enum fault f = let_owner_pay(u, why);

	resumable_describe(u);
	if (!f && u->row.offset > 0)
		f = upload_set_aside(u, u->row.length, why);
	if (!f && u->grant->length != 0)
		f = upload_expect(u, why);
	return f;
}

enum fault upload_resume(struct keep *keep, const struct grant *grant,
    const struct upload_place *place, struct upload **upload, struct refusal *why)
{
	struct upload *u = resumable_new(keep, grant);

	*upload = NULL;
	if (u == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	u->all_or_nothing = place->all_or_nothing;
	enum fault f = take_over(u, place->id, place->x, why);
	if (!f)
		f = compare_offset(u, place->offset, why);
	if (!f)
		f = get_ready(u, why);
	if (f) {
		upload_leave(u);
		return f;
	}
	*upload = u;
	return FAULT_NONE;
}
