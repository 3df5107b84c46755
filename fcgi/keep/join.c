/*
 * join.c: several resumable uploads become one file.
 */
#include "keep/inside.h"

#include <stdlib.h>
#include <string.h>

enum {
	COPY_STEP = 8 << 20,  /* bytes copied, then digested while they are in memory */
	USED_MS = 3600 * 1000 /* a part that went into a whole stays for another so long */
};

struct join {
	struct keep *keep;
	const struct upload_plan *plan;
	struct room room;
	struct resumable row;
	struct incoming whole;
	struct span *own; /* those among them that count for the same owner, once each */
	size_t owned;
};

static enum fault not_a_part(struct span id, const char *reason, struct refusal *why)
{
	return refuse(why, FAULT_BAD_REQUEST,
	    "The part %.*s %s. Upload-Concat: final takes finished uploads that were created with "
	    "Upload-Concat: partial.",
	    (int)id.len, id.at, reason);
}

static enum fault look_at_part(
    struct join *j, struct span id, struct resumable *row, struct refusal *why)
{
	enum fault f = keep_find_upload(j->keep, id, false, row, why);

	if (f == FAULT_NOT_FOUND || f == FAULT_EXPIRED || f == FAULT_GONE)
		return not_a_part(id, "is not there", why);
	if (f)
		return f;
	if (row->concat != CONCAT_PARTIAL)
		f = not_a_part(id, "is no part", why);
	else if (row->length < 0 || row->offset < row->length)
		f = not_a_part(id, "is not finished", why);
	if (f)
		resumable_release(row);
	return f;
}

/*
 * A part counts for its owner until it is in a whole of that owner's, which then counts instead. In
 * somebody else's it goes on counting: the whole is new to who pays for it.
 */
static void credit(struct join *j, struct span id, const struct resumable *part)
{
	if (part->state != UPLOAD_OPEN || !same_owner(j->room.grant->owner, part->owner))
		return;
	for (size_t i = 0; i < j->owned; i++)
		if (memcmp(j->own[i].at, id.at, ID_LEN) == 0)
			return;
	j->own[j->owned++] = id;
	j->room.credit += part->length;
}

/* All that can be refused is, before a byte is copied. */
static enum fault measure(
    struct join *j, const struct grant *grant, int64_t *sum, struct refusal *why)
{
	*sum = 0;
	for (size_t i = 0; i < j->plan->count; i++) {
		struct resumable part;
		enum fault f = look_at_part(j, j->plan->ids[i], &part, why);
		if (f)
			return f;
		int64_t length = part.length;
		credit(j, j->plan->ids[i], &part);
		resumable_release(&part);
		if (__builtin_add_overflow(*sum, length, sum) || *sum > grant->max_bytes)
			return refuse_too_large(why, *sum, grant->max_bytes);
	}
	return FAULT_NONE;
}

static enum fault append_part(struct join *j, struct span id, struct refusal *why)
{
	struct resumable part;
	struct blob blob;
	int64_t at = 0;
	enum fault f = look_at_part(j, id, &part, why);

	if (f)
		return f;
	f = holder_take(j->keep->store, part.id, HOLDER_PATIENCE, &blob, why);
	int64_t length = part.length;
	resumable_release(&part);
	if (f)
		return f;
	while (!f && at < length) {
		int64_t left = length - at;
		f = blob_append(
		    &j->whole.blob, &blob, &at, left < COPY_STEP ? left : COPY_STEP, why);
		if (!f)
			f = incoming_look(j->keep, &j->whole, why);
	}
	blob_leave(j->keep->store, &blob, true);
	return f;
}

static enum fault join_parts(struct join *j, int64_t sum, struct refusal *why)
{
	enum fault f = blob_create(j->keep->store, &j->whole.blob, why);

	if (!f && sum > 0)
		f = blob_allocate(&j->whole.blob, sum, why);
	for (size_t i = 0; i < j->plan->count && !f; i++)
		f = append_part(j, j->plan->ids[i], why);
	return f;
}

static enum fault join(
    struct join *j, const struct grant *grant, struct files *files, struct refusal *why)
{
	const struct upload_plan *plan = j->plan;
	struct finish finish = {.row = &j->row, .parts = j->own};
	int64_t sum;
	enum fault f = measure(j, grant, &sum, why);

	if (!f)
		f = resumable_plan(j->keep, grant, plan, &j->row, why);
	if (!f)
		f = room_reserve(&j->room, sum + fields_bytes(j->row.fields), why);
	if (f)
		return f;
	incoming_describe(&j->whole, &j->row);
	f = join_parts(j, sum, why);
	if (!f)
		f = incoming_end(j->keep, &j->whole, &plan->whole, why);
	j->row.state = UPLOAD_DONE;
	finish.parts_count = j->owned;
	finish.parts_expire_at = clock_calendar() + USED_MS;
	return f ? f : record_enter(j->keep, &j->whole, plan->wants_token, &finish, files, why);
}

enum fault keep_join(struct keep *keep, const struct grant *grant, const struct upload_plan *plan,
    struct files *files, struct refusal *why)
{
	struct join *j = calloc(1, sizeof *j);

	*files = (struct files){0};
	if (j == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	*j = (struct join){.keep = keep, .plan = plan, .room = {.keep = keep, .grant = grant}};
	j->own = calloc(plan->count + 1, sizeof *j->own);
	j->whole.blob.fd = -1;
	enum fault f =
	    j->own != NULL ? join(j, grant, files, why) : refuse(why, FAULT_INTERNAL, NULL);
	if (f)
		files_release(files);
	room_release(&j->room);
	blob_leave(keep->store, &j->whole.blob, false);
	resumable_release(&j->row);
	free(j->own);
	free(j);
	return f;
}
