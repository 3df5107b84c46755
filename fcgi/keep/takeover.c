/*
 * takeover.c: a request goes on with a resumable upload, whoever has it, on its owner's account.
 */
#include "keep/uploads.h"
#include "shared/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The bytes that count, as another file that is called partial/<name>, and held. */
static enum fault copy_as(
    const struct partial *p, const char *name, struct blob *copy, struct refusal *why)
{
	off_t from = 0, to = 0, size = p->row.offset;
	ssize_t n = 1;

	unlinkat(p->keep->partial, name, 0);
	enum fault f = blob_open_named(p->keep, copy, name, true, 0, &p->start, why);
	if (f != FAULT_NONE)
		return f;
	while (to < size && n > 0)
		n = copy_file_range(
		    p->file.blob.fd, &from, copy->fd, &to, (size_t)(size - to), 0);
	if (to == size && fdatasync(copy->fd) == 0)
		return FAULT_NONE;
	f = disk_fault(why, "copy partial file");
	blob_leave(p->keep, copy, false);
	return f;
}

/*
 * A crash between the linking of an object and its COMMIT leaves an orphan in objects/ that is the
 * same file as ours. Before a byte changes here, ours becomes a file of its own: otherwise somebody
 * who uploads what the orphan's name says would be given what we write.
 */
static enum fault be_alone(struct partial *p, struct refusal *why)
{
	bool full = p->keep->config->durability == DURABILITY_FULL;
	struct blob *blob = &p->file.blob, copy;
	char name[BLOB_NAME];
	struct stat st;

	if (fstat(blob->fd, &st) != 0)
		return disk_fault(why, "fstat");
	if (st.st_nlink == 1)
		return FAULT_NONE;
	snprintf(name, sizeof name, "tmp-%s", p->row.id);
	enum fault f = copy_as(p, name, &copy, why);
	if (f != FAULT_NONE)
		return f;
	if (renameat(p->keep->partial, name, p->keep->partial, p->row.id) != 0) {
		f = disk_fault(why, "rename partial file");
		blob_leave(p->keep, &copy, false);
		return f;
	}
	close(blob->fd);
	blob->fd = copy.fd;
	if (!full || fsync(p->keep->partial) == 0)
		return FAULT_NONE;
	/* The new name is lost with a power cut, whatever a second sync says, and what is written
	 * under it with the name. */
	f = disk_fault(why, "fsync partial");
	partial_end(p);
	return f;
}

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
	if (f == FAULT_NONE)
		f = be_alone(p, why);
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
	f = holder_take(p->keep, p->row.id, HOLDER_PATIENCE, &p->file.blob, why);
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
