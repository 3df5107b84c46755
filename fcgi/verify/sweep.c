/*
 * sweep.c: what has to go: expired files and partial uploads, what the dead left behind.
 *
 * In small bounded jobs, so that uploads wait for none of them. Nothing needs a grace period: an
 * object without a row, seen under the write lock, belongs to nobody, because objects are linked
 * and entered in one transaction under that lock; and a file in partial/ that is not locked is
 * nobody's, because whoever is at it holds its lock. All of that holds for the catalog that belongs
 * to the objects: beside any other nothing is swept (catalog_belongs()).
 */
#include "shared/clock.h"
#include "verify/inside.h"

#include <string.h>

enum { ORPHAN_PAUSE = 100 /* times as long as looking took: 1 % of one CPU at most */ };

struct sweeping {
	struct keep *keep;
	struct swept *swept;
	struct refusal *why;
	enum fault fault;
	uint8_t orphan[EXPIRY_CHUNK][SHA256_LEN]; /* candidates */
	int64_t size[EXPIRY_CHUNK];
	size_t count;
};

/* ---- expired files --------------------------------------------------------------------------- */

static enum fault sweep_files(struct keep *keep, struct swept *swept, struct refusal *why)
{
	int64_t now = clock_calendar(), bytes;
	size_t count;

	do {
		enum fault f = expire_files(keep->catalog, now, &count, &bytes, why);
		if (f)
			return f;
		swept->files += (int64_t)count;
		swept->bytes += bytes;
	} while (count == EXPIRY_CHUNK && !keep->leaving);
	return FAULT_NONE;
}

/* ---- partial/ -------------------------------------------------------------------------------- */

/* A row whose file is in use stays until a later sweep; one without a file just goes. */
static enum fault sweep_upload(
    struct keep *keep, const char *id, int64_t now, struct swept *swept, struct refusal *why)
{
	bool removed = false;
	int fd = blob_seize(keep->store, id);

	if (fd < 0 && blob_is_there(keep->store, id, 0))
		return FAULT_NONE;
	enum fault f = expire_upload(keep->catalog, id, now, &removed, why);
	swept->partials += removed;
	blob_unseize(keep->store, fd, id, removed, &swept->bytes);
	return f;
}

static enum fault sweep_uploads(struct keep *keep, struct swept *swept, struct refusal *why)
{
	char after[ID_LEN + 1] = "";
	int64_t now = clock_calendar();
	struct ids ids;
	enum fault f;

	do {
		f = expired_uploads(keep->catalog, now, after, &ids, why);
		for (size_t i = 0; i < ids.count && !f; i++)
			f = sweep_upload(keep, ids.at[i], now, swept, why);
		if (ids.count > 0)
			memcpy(after, ids.at[ids.count - 1], sizeof after);
	} while (!f && ids.count == EXPIRY_CHUNK && !keep->leaving);
	return f;
}

/* Temporary files of dead processes, and partial uploads that never got their row, or lost it. */
static bool sweep_blob(void *self, const char *name, bool temporary)
{
	struct sweeping *s = self;
	struct keep *keep = s->keep;
	int fd = blob_seize(keep->store, name);
	bool nobodys = fd >= 0 && (temporary || !upload_is_known(keep->catalog, name));

	s->swept->partials += nobodys;
	blob_unseize(keep->store, fd, name, nobodys, &s->swept->bytes);
	return !keep->leaving;
}

/* ---- orphans --------------------------------------------------------------------------------- */

static enum fault run_orphans(struct catalog *catalog, void *self, struct refusal *why)
{
	const struct sweeping *s = self;

	return job_drop_orphans(catalog, s->orphan, s->count, why);
}

static enum fault drop_orphans(struct sweeping *s)
{
	struct mark mark;

	if (s->count == 0)
		return FAULT_NONE;
	enum fault f = catalog_commit(s->keep->catalog, run_orphans, s, s->why);
	for (size_t i = 0; i < s->count && !f; i++) {
		object_mark(s->keep->store, s->orphan[i], &mark);
		if (mark.there)
			continue;
		s->swept->orphans++;
		s->swept->bytes += s->size[i];
	}
	s->count = 0;
	return f;
}

/* Without the lock, so only a candidate. */
static bool consider(void *self, const uint8_t sha256[SHA256_LEN])
{
	struct sweeping *s = self;
	struct known known;
	struct mark mark;

	s->fault = catalog_known(s->keep->catalog, sha256, &known, s->why);
	if (!s->fault && !known.found) {
		object_mark(s->keep->store, sha256, &mark);
		memcpy(s->orphan[s->count], sha256, SHA256_LEN);
		s->size[s->count] = mark.size;
		s->count += mark.there;
	}
	if (s->count == EXPIRY_CHUNK)
		s->fault = drop_orphans(s);
	return !s->fault && !s->keep->leaving;
}

/* Crashes are rare and objects many, so it is looked for them as often as it is cheap. */
static enum fault sweep_orphans(struct sweeping *s)
{
	int64_t start = clock_steady();

	if (start < s->keep->next_orphans)
		return FAULT_NONE;
	enum fault f = object_each(s->keep->store, consider, s, s->why);
	if (!f)
		f = s->fault;
	if (!f)
		f = drop_orphans(s);
	s->keep->next_orphans = start + (clock_steady() - start) * ORPHAN_PAUSE;
	return f;
}

void sweep_stop(struct keep *keep)
{
	keep->leaving = true;
}

enum fault sweep_store(struct keep *keep, struct swept *swept, struct refusal *why)
{
	struct sweeping s = {.keep = keep, .swept = swept, .why = why};

	*swept = (struct swept){0};
	enum fault f = catalog_belongs(keep->catalog, why);
	if (!f)
		f = sweep_files(keep, swept, why);
	if (!f)
		f = sweep_uploads(keep, swept, why);
	if (!f)
		f = blob_each(keep->store, sweep_blob, &s, why);
	return !f ? sweep_orphans(&s) : f;
}
