/*
 * partial.c: resumable uploads are found, made, taken over, left and removed.
 */
#include "keep/ledger.h"
#include "keep/uploads.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY_MS = 24 * 3600 * 1000 /* a finished upload is remembered for so long */ };

int64_t partial_deadline(const struct keep *keep)
{
	int64_t lasts = keep->config->partial_expire_after;

	return keep_deadline(clock_calendar(), lasts);
}

int64_t memory_deadline(const struct keep *keep)
{
	int64_t lasts = keep->config->partial_expire_after;

	return clock_calendar() + (lasts > MEMORY_MS || lasts == 0 ? MEMORY_MS : lasts);
}

const struct partial_row *partial_row(const struct partial *p)
{
	return &p->row;
}

int64_t partial_offset(const struct partial *p)
{
	return p->file.blob.size;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Is there something to go on with? Judged by state, expiry, and whether the bytes are there. */
static enum fault judge_row(struct keep *keep, const struct partial_row *row, struct refusal *why)
{
	struct stat st;

	if (row->expires_at != 0 && row->expires_at <= clock_calendar())
		return refuse(why, FAULT_EXPIRED, "This upload has expired. Start it anew.");
	if (row->state == PARTIAL_ENDED)
		return refuse(why, FAULT_GONE, NULL);
	if (row->state == PARTIAL_DONE)
		return FAULT_NONE;
	if (fstatat(keep->partial, row->id, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    st.st_size < row->offset)
		return refuse(why, FAULT_GONE, "Bytes of this upload are lost. Start it anew.");
	return FAULT_NONE;
}

/* Found and judged. A file that was linked and unlinked between the two looks is not lost. */
static enum fault look(
    struct keep *keep, struct span id, struct partial_row *row, struct refusal *why)
{
	enum fault f = row_find(keep->catalog, id, row, why);

	if (f == FAULT_NONE)
		f = judge_row(keep, row, why);
	else
		return f;
	if (f == FAULT_GONE && row->state != PARTIAL_ENDED) {
		partial_release(row);
		f = row_find(keep->catalog, id, row, why);
		if (f != FAULT_NONE)
			return f;
		f = judge_row(keep, row, why);
		if (f == FAULT_GONE && row->state != PARTIAL_ENDED)
			log_line(LOG_ERROR, "bytes of an upload are lost", "id=%s", row->id);
	}
	if (f != FAULT_NONE)
		partial_release(row);
	return f;
}

enum fault partial_find(
    struct keep *keep, struct span id, bool settle, struct partial_row *row, struct refusal *why)
{
	enum fault f = look(keep, id, row, why);

	if (f != FAULT_NONE || !settle || row->state == PARTIAL_DONE)
		return f;
	/* Who does not let go is shut out: what it still writes will not count. */
	if (!holder_settle(keep, row->id, HOLDER_PATIENCE))
		f = row_shut_out(keep->catalog, id, why);
	partial_release(row);
	return f != FAULT_NONE ? f : look(keep, id, row, why);
}

/* ---- creating -------------------------------------------------------------------------------- */

static const char *keep_text(struct partial_row *row, struct span text, bool *short_of_memory)
{
	const char *kept = files_text(&row->texts, text);

	*short_of_memory |= kept == NULL && text.at != NULL;
	return kept;
}

static enum fault make_id(struct partial_row *row, struct refusal *why)
{
	uint8_t random[17];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return disk_fault(why, "getrandom");
	text_id(random, row->id);
	return FAULT_NONE;
}

enum fault row_from_plan(const struct keep *keep, const struct grant *grant,
    const struct partial_plan *plan, struct partial_row *row, struct refusal *why)
{
	char name[NAME_BYTES + 1], type[TYPE_BYTES + 1];
	bool short_of_memory = false, typed;
	int64_t now = clock_calendar();

	*row = (struct partial_row){.protocol = plan->protocol,
	    .concat = plan->concat,
	    .length = plan->length,
	    .created_at = now,
	    .expires_at = partial_deadline(keep),
	    .lasts = grant->lasts,
	    .whole = plan->whole};
	text_clean_name(plan->name, name);
	typed = plan->declared_type.at != NULL && upload_clean_type(plan->declared_type, type);
	row->owner = keep_text(row, grant->owner, &short_of_memory);
	row->name = keep_text(row, span_of(name), &short_of_memory);
	row->declared_type = typed ? keep_text(row, span_of(type), &short_of_memory) : NULL;
	row->fields = keep_text(row, span_of(plan->fields), &short_of_memory);
	row->metadata = keep_text(row, plan->metadata, &short_of_memory);
	row->parts = keep_text(row, plan->parts, &short_of_memory);
	return short_of_memory ? refuse(why, FAULT_INTERNAL, NULL) : make_id(row, why);
}

/* Name and type as the judge of types wants them. */
static void describe_file(struct partial *p)
{
	struct incoming *file = &p->file;

	span_copy(file->name, sizeof file->name, span_of(p->row.name));
	span_copy(file->type, sizeof file->type, span_of(p->row.type));
	file->judged = p->row.type[0] != '\0';
}

static struct partial *new_partial(struct keep *keep, const struct grant *grant)
{
	struct partial *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->keep = keep;
	p->grant = *grant;
	p->room = (struct upload){.keep = keep, .grant = &p->grant};
	p->file.blob.fd = -1;
	return p;
}

static void hold(struct partial *p, struct exchange *x)
{
	memcpy(p->holder.id, p->row.id, sizeof p->holder.id);
	p->holder.x = x;
	holder_enter(p->keep, &p->holder);
	p->held = true;
}

static enum fault make_file(struct partial *p, struct refusal *why)
{
	struct digest unused;
	bool durable = p->keep->config->durability == DURABILITY_FULL;

	digest_start(&unused, DIGEST_SHA256);
	enum fault f = blob_open_named(p->keep, &p->file.blob, p->row.id, true, 0, &unused, why);
	if (f == FAULT_NONE)
		f = partial_set_aside(p, why);
	if (f == FAULT_NONE && durable && fsync(p->keep->partial) != 0)
		f = disk_fault(why, "fsync partial");
	return f;
}

enum fault partial_create(struct keep *keep, const struct grant *grant,
    const struct partial_plan *plan, struct partial **result, struct refusal *why)
{
	struct partial *p = new_partial(keep, grant);
	enum fault f;

	*result = NULL;
	if (p == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	f = plan->length > grant->max_bytes ? partial_too_large(grant, plan->length, why)
					    : FAULT_NONE;
	if (f == FAULT_NONE)
		f = row_from_plan(keep, grant, plan, &p->row, why);
	if (f == FAULT_NONE)
		f = upload_reserve(&p->room, plan->length > 0 ? plan->length : 0, why);
	if (f == FAULT_NONE)
		f = partial_expect(p, why);
	if (f == FAULT_NONE)
		f = make_file(p, why);
	partial_store_digest(&p->row, &p->file.blob.digest);
	if (f == FAULT_NONE)
		f = row_add(keep->catalog, &p->row, why);
	if (f != FAULT_NONE) {
		blob_leave(keep, &p->file.blob, false);
		partial_leave(p);
		return f;
	}
	if (plan->length >= 0)
		partial_release_room(p);
	p->start = p->file.blob.digest;
	describe_file(p);
	hold(p, plan->x);
	*result = p;
	return FAULT_NONE;
}

/* ---- resuming -------------------------------------------------------------------------------- */

/*
 * A crash between the linking of an object and its COMMIT leaves an orphan in objects/ that is the
 * same file as ours. Before a byte changes here, ours becomes a file of its own: otherwise somebody
 * who uploads what the orphan's name says would be given what we write.
 */
static enum fault be_alone(struct partial *p, struct refusal *why)
{
	struct blob *blob = &p->file.blob, copy;
	struct stat st;

	if (fstat(blob->fd, &st) != 0)
		return disk_fault(why, "fstat");
	if (st.st_nlink == 1)
		return FAULT_NONE;
	char name[BLOB_NAME];
	snprintf(name, sizeof name, "tmp-%s", p->row.id);
	unlinkat(p->keep->partial, name, 0);
	enum fault f = blob_open_named(p->keep, &copy, name, true, 0, &p->start, why);
	if (f != FAULT_NONE)
		return f;
	off_t from = 0, to = 0;
	ssize_t n = 1;
	while (to < p->row.offset && n > 0)
		n = copy_file_range(blob->fd, &from, copy.fd, &to, (size_t)(p->row.offset - to), 0);
	if (to < p->row.offset || fdatasync(copy.fd) != 0 ||
	    renameat(p->keep->partial, name, p->keep->partial, p->row.id) != 0) {
		f = disk_fault(why, "copy partial file");
		blob_leave(p->keep, &copy, false);
		return f;
	}
	close(blob->fd);
	blob->fd = copy.fd;
	return FAULT_NONE;
}

/* With the lock held, the row is ours: read it again, and stand where it says. */
static enum fault settle_in(struct partial *p, struct span id, struct refusal *why)
{
	struct blob *blob = &p->file.blob;

	partial_release(&p->row);
	enum fault f = look(p->keep, id, &p->row, why);
	if (f != FAULT_NONE || !p->held || p->row.state == PARTIAL_DONE)
		return f;
	f = partial_load_digest(&p->row, blob->fd, &p->start, why);
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
	enum fault f = look(p->keep, id, &p->row, why);

	if (f != FAULT_NONE || p->row.state == PARTIAL_DONE)
		return f;
	f = holder_take(p->keep, p->row.id, HOLDER_PATIENCE, &p->file.blob, why);
	if (f == FAULT_NONE)
		hold(p, x);
	else if (f != FAULT_NOT_FOUND)
		return f;
	return settle_in(p, id, why);
}

enum fault partial_resume(struct keep *keep, const struct grant *grant, struct span id,
    int64_t offset, bool all_or_nothing, struct exchange *x, struct partial **result,
    struct refusal *why)
{
	struct partial *p = new_partial(keep, grant);

	*result = NULL;
	if (p == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	p->all_or_nothing = all_or_nothing;
	enum fault f = take_over(p, id, x, why);
	if (f == FAULT_NONE)
		f = compare_offset(p, offset, why);
	if (f == FAULT_NONE)
		p->grant.owner = span_of(p->row.owner);
	if (f == FAULT_NONE)
		f = partial_set_aside(p, why);
	if (f == FAULT_NONE)
		f = partial_expect(p, why);
	if (f != FAULT_NONE) {
		partial_leave(p);
		return f;
	}
	describe_file(p);
	*result = p;
	return FAULT_NONE;
}

/* ---- the end --------------------------------------------------------------------------------- */

void partial_leave(struct partial *p)
{
	if (p == NULL)
		return;
	partial_let_go(p, true);
	partial_release(&p->row);
	free(p);
}

enum fault partial_remove(struct keep *keep, struct span id, struct refusal *why)
{
	struct partial_row row;
	struct blob blob = {.fd = -1};
	enum fault f = row_find(keep->catalog, id, &row, why);

	if (f != FAULT_NONE)
		return f;
	f = judge_row(keep, &row, why);
	if (f == FAULT_GONE && row.state != PARTIAL_ENDED)
		f = FAULT_NONE; /* its bytes are lost: the row may go as well */
	if (f == FAULT_NONE) {
		/* Held or not, it goes: who still writes will find no row to record it in. */
		bool ours = row.state != PARTIAL_DONE &&
			    holder_take(keep, row.id, HOLDER_PATIENCE, &blob, why) == FAULT_NONE;
		f = row_remove(keep->catalog, id, why);
		if (f == FAULT_NONE && !ours)
			unlinkat(keep->partial, row.id, 0);
		if (ours)
			blob_leave(keep, &blob, f != FAULT_NONE);
	}
	partial_release(&row);
	return f;
}
