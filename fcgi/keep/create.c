/*
 * create.c: resumable uploads are made and removed.
 */
#include "keep/inside.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- creating -------------------------------------------------------------------------------- */

enum fault resumable_plan(const struct keep *keep, const struct grant *grant,
    const struct upload_plan *plan, struct resumable *row, struct refusal *why)
{
	char name[NAME_BYTES + 1], type[TYPE_BYTES + 1];
	bool short_of_memory = false;
	int64_t now = clock_calendar();

	*row = (struct resumable){.protocol = plan->protocol,
	    .concat = plan->concat,
	    .length = plan->length,
	    .created_at = now,
	    .lasts = grant->lasts,
	    .durable = store_syncs(keep->store),
	    .boot = store_boot(keep->store),
	    .quota = plan->quota,
	    .whole = plan->whole};
	row->expires_at = upload_deadline(keep, row);
	text_clean_name(plan->name, name);
	incoming_clean_type(plan->declared_type, type);
	row->owner = files_keep(&row->texts, grant->owner, &short_of_memory);
	row->client = files_keep(&row->texts, grant->address, &short_of_memory);
	row->path = files_keep(&row->texts, plan->path.at ? plan->path : grant->path, &short_of_memory);
	row->name = files_keep(&row->texts, span_of(name), &short_of_memory);
	row->declared_type =
	    type[0] != '\0' ? files_keep(&row->texts, span_of(type), &short_of_memory) : NULL;
	row->fields = files_keep(&row->texts, span_of(plan->fields), &short_of_memory);
	row->metadata = files_keep(&row->texts, plan->metadata, &short_of_memory);
	row->parts = files_keep(&row->texts, plan->parts, &short_of_memory);
	return short_of_memory ? refuse(why, FAULT_INTERNAL, NULL) : mint_id(row->id, why);
}

void resumable_describe(struct upload *u)
{
	if (u->grant->length > 0 &&
	    __builtin_add_overflow(u->row.offset, u->grant->length, &u->end))
		u->end = INT64_MAX;
	incoming_describe(upload_last(u), &u->row);
}

struct upload *resumable_new(struct keep *keep, const struct grant *grant)
{
	struct upload *u = upload_new(keep, grant);

	if (u == NULL || upload_add_file(u) == NULL) {
		free(u);
		return NULL;
	}
	u->resumable = true;
	u->paid = *grant;
	u->grant = u->room.grant = &u->paid;
	return u;
}

void resumable_hold(struct upload *u, struct exchange *x)
{
	memcpy(u->holder.id, u->row.id, sizeof u->holder.id);
	u->holder.x = x;
	holder_enter(u->keep->store, &u->holder);
	u->held = true;
}

static enum fault judge_plan(struct upload *u, const struct upload_plan *plan, struct refusal *why)
{
	struct keep *keep = u->keep;
	enum fault f = plan->length > u->grant->max_bytes
			   ? refuse_too_large(why, plan->length, u->grant->max_bytes)
			   : resumable_plan(keep, u->grant, plan, &u->row, why);

	if (!f)
		resumable_describe(u);
	if (!f)
		f = resumable_may_be_added(
		    keep->catalog, &u->row, plan->address, keep->config->open_uploads, why);
	return !f ? upload_expect(u, why) : f;
}

static enum fault make(struct upload *u, const struct upload_plan *plan, struct refusal *why)
{
	enum fault f = blob_create_named(u->keep->store, &upload_last(u)->blob, u->row.id, why);

	resumable_store_digest(&u->row, &upload_last(u)->blob.digest);
	if (!f)
		f = resumable_add(
		    u->keep->catalog, &u->row, plan->address, u->keep->config->open_uploads, why);
	if (f)
		blob_leave(u->keep->store, &upload_last(u)->blob, false);
	return f;
}

enum fault upload_create(struct keep *keep, const struct grant *grant,
    const struct upload_plan *plan, struct upload **upload, struct refusal *why)
{
	struct upload *u = resumable_new(keep, grant);

	*upload = NULL;
	if (u == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	enum fault f = judge_plan(u, plan, why);
	if (!f)
		f = make(u, plan, why);
	if (f) {
		upload_leave(u);
		return f;
	}
	u->start = upload_last(u)->blob.digest;
	resumable_hold(u, plan->x);
	*upload = u;
	return FAULT_NONE;
}

/* ---- removing -------------------------------------------------------------------------------- */

enum fault keep_remove_upload(struct keep *keep, struct span id, struct refusal *why)
{
	struct resumable row;
	struct blob blob = {.fd = -1};
	enum fault f = resumable_find(keep->catalog, id, &row, why);

	if (f)
		return f;
	f = resumable_judge(keep, &row, why);
	if (f == FAULT_GONE && row.state != UPLOAD_ENDED)
		f = FAULT_NONE; /* its bytes are lost: the row may go as well */
	if (!f) {
		/* Held or not, it goes: who still writes will find no row to record it in. */
		bool ours = row.state != UPLOAD_DONE &&
			    !holder_take(keep->store, row.id, HOLDER_PATIENCE, &blob, why);
		f = resumable_remove(keep->catalog, id, why);
		if (!f && !ours)
			blob_discard(keep->store, row.id);
		if (ours)
			blob_leave(keep->store, &blob, f);
	}
	resumable_release(&row);
	return f;
}

enum fault keep_each_upload(
    struct keep *keep, resumable_visitor *visit, void *self, struct refusal *why)
{
	return resumable_each(keep->catalog, visit, self, why);
}
