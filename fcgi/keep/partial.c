/*
 * partial.c: resumable uploads are found, made, left and removed.
 */
#include "keep/uploads.h"
#include "shared/log.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	MEMORY_MS = 24 * 3600 * 1000,  /* a finished upload is remembered for so long */
	FIRST_BYTE_MS = 10 * 60 * 1000 /* and one that was only announced for so long */
};

int64_t partial_deadline(const struct keep *keep, const struct partial_row *row)
{
	int64_t deadline = keep_deadline(clock_calendar(), keep->config->partial_expire_after);
	int64_t first = row->created_at + FIRST_BYTE_MS;

	if (row->state == PARTIAL_USED)
		return row->expires_at;
	if (row->offset > 0 || row->length == 0)
		return deadline;
	return deadline == 0 || first < deadline ? first : deadline;
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
	if (row->expires_at != 0 && row->expires_at <= clock_calendar())
		return refuse(why, FAULT_EXPIRED, "This upload has expired. Start it anew.");
	if (row->state == PARTIAL_ENDED)
		return refuse(why, FAULT_GONE, NULL);
	if (row->state == PARTIAL_DONE)
		return FAULT_NONE;
	if (!blob_is_there(keep->store, row->id, row->offset))
		return refuse(why, FAULT_GONE, "Bytes of this upload are lost. Start it anew.");
	return FAULT_NONE;
}

/* A file that was linked and unlinked between the two looks is not lost. */
enum fault partial_look(
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
	enum fault f = partial_look(keep, id, row, why);

	if (f == FAULT_NONE && !partial_proved(keep, row)) {
		partial_release(row);
		f = partial_prove(keep, id, why);
		if (f == FAULT_NONE || (f == FAULT_LOCKED && settle))
			f = partial_look(keep, id, row, why);
	}
	if (f != FAULT_NONE || !settle || row->state == PARTIAL_DONE)
		return f;
	/* Who does not let go is shut out: what it still writes will not count. */
	if (!holder_settle(keep->store, row->id, HOLDER_PATIENCE))
		f = row_shut_out(keep->catalog, id, why);
	partial_release(row);
	return f != FAULT_NONE ? f : partial_look(keep, id, row, why);
}

enum fault keep_partial_each(
    struct keep *keep, partial_visitor *visit, void *self, struct refusal *why)
{
	return row_each(keep->catalog, visit, self, why);
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
		return refuse(why, FAULT_INTERNAL, NULL);
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
	    .lasts = grant->lasts,
	    .durable = store_syncs(keep->store),
	    .boot = store_boot(keep->store),
	    .quota = plan->quota,
	    .whole = plan->whole};
	row->expires_at = partial_deadline(keep, row);
	text_clean_name(plan->name, name);
	typed = plan->declared_type.at != NULL && upload_clean_type(plan->declared_type, type);
	row->owner = keep_text(row, grant->owner, &short_of_memory);
	row->client = keep_text(row, grant->address, &short_of_memory);
	row->path = keep_text(row, plan->path.at ? plan->path : grant->path, &short_of_memory);
	row->name = keep_text(row, span_of(name), &short_of_memory);
	row->declared_type = typed ? keep_text(row, span_of(type), &short_of_memory) : NULL;
	row->fields = keep_text(row, span_of(plan->fields), &short_of_memory);
	row->metadata = keep_text(row, plan->metadata, &short_of_memory);
	row->parts = keep_text(row, plan->parts, &short_of_memory);
	return short_of_memory ? refuse(why, FAULT_INTERNAL, NULL) : make_id(row, why);
}

/* Where its body ends, as far as it is declared. */
static int64_t body_end(const struct partial *p)
{
	int64_t end;

	if (p->grant.length <= 0)
		return 0;
	return __builtin_add_overflow(p->row.offset, p->grant.length, &end) ? INT64_MAX : end;
}

void partial_describe(struct partial *p)
{
	struct incoming *file = &p->file;

	p->end = body_end(p);
	span_copy(file->name, sizeof file->name, span_of(p->row.name));
	span_copy(file->type, sizeof file->type, span_of(p->row.type));
	file->judged = p->row.type[0] != '\0';
}

struct partial *partial_new(struct keep *keep, const struct grant *grant)
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

void partial_hold(struct partial *p, struct exchange *x)
{
	memcpy(p->holder.id, p->row.id, sizeof p->holder.id);
	p->holder.x = x;
	holder_enter(p->keep->store, &p->holder);
	p->held = true;
}

static enum fault judge_plan(
    struct partial *p, const struct partial_plan *plan, struct refusal *why)
{
	struct keep *keep = p->keep;
	enum fault f = plan->length > p->grant.max_bytes
			   ? refuse_too_large(why, plan->length, p->grant.max_bytes)
			   : row_from_plan(keep, &p->grant, plan, &p->row, why);

	if (f == FAULT_NONE)
		partial_describe(p);
	if (f == FAULT_NONE)
		f = row_may_be_added(
		    keep->catalog, &p->row, plan->address, keep->config->open_uploads, why);
	return f == FAULT_NONE ? partial_expect(p, why) : f;
}

static enum fault make(struct partial *p, const struct partial_plan *plan, struct refusal *why)
{
	enum fault f = blob_create_named(p->keep->store, &p->file.blob, p->row.id, why);

	partial_store_digest(&p->row, &p->file.blob.digest);
	if (f == FAULT_NONE)
		f = row_add(
		    p->keep->catalog, &p->row, plan->address, p->keep->config->open_uploads, why);
	if (f != FAULT_NONE)
		blob_leave(p->keep->store, &p->file.blob, false);
	return f;
}

enum fault partial_create(struct keep *keep, const struct grant *grant,
    const struct partial_plan *plan, struct partial **result, struct refusal *why)
{
	struct partial *p = partial_new(keep, grant);

	*result = NULL;
	if (p == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	enum fault f = judge_plan(p, plan, why);
	if (f == FAULT_NONE)
		f = make(p, plan, why);
	if (f != FAULT_NONE) {
		partial_leave(p);
		return f;
	}
	p->start = p->file.blob.digest;
	partial_hold(p, plan->x);
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
			    holder_take(keep->store, row.id, HOLDER_PATIENCE, &blob, why) == FAULT_NONE;
		f = row_remove(keep->catalog, id, why);
		if (f == FAULT_NONE && !ours)
			blob_discard(keep->store, row.id);
		if (ours)
			blob_leave(keep->store, &blob, f != FAULT_NONE);
	}
	partial_release(&row);
	return f;
}
