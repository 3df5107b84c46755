/*
 * verify.c: is all that was promised there, and nothing else?
 *
 *     can objects be opened? -> catalog by itself -> objects -> records of what is lost
 *     -> orphans -> partial
 */
#include "shared/log.h"
#include "shared/text.h"
#include "verify/inside.h"

#include <stdlib.h>
#include <string.h>

/* ---- records whose content is lost ----------------------------------------------------------- */

static int compare_lost(const void *a, const void *b)
{
	return memcmp(
	    ((const struct lost *)a)->sha256, ((const struct lost *)b)->sha256, SHA256_LEN);
}

static const struct lost *lost_of(const struct verifying *v, const struct file *file)
{
	struct lost key;

	memcpy(key.sha256, file->sha256, SHA256_LEN);
	return v->lost_count == 0
		   ? NULL
		   : bsearch(&key, v->lost, v->lost_count, sizeof *v->lost, compare_lost);
}

struct removal {
	struct verifying *v;
	const struct file *file;
	const struct lost *lost;
	bool healed; /* somebody uploaded the content again meanwhile */
};

static enum fault run_lose(struct catalog *catalog, void *self, struct refusal *why)
{
	struct removal *r = self;
	const struct store *store = r->v->keep->store;
	struct mark now;
	enum fault f = FAULT_NONE;

	object_mark(store, r->lost->sha256, &now);
	if (now.there && !mark_same(&now, &r->lost->mark)) {
		r->healed = true;
		return FAULT_NONE;
	}
	if (now.there)
		f = object_put_aside(store, r->lost->sha256, why);
	if (!f)
		f = record_remove(catalog, span_of(r->file->id), NULL, why);
	return f == FAULT_NOT_FOUND ? FAULT_NONE : f;
}

/* By name and owner, so that whoever runs this can ask for the file again. */
static enum fault lose(struct verifying *v, const struct file *file, struct refusal *why)
{
	struct removal removal = {.v = v, .file = file, .lost = lost_of(v, file)};
	char name[1024], owner[512];

	if (removal.lost == NULL)
		return FAULT_NONE;
	if (v->repair) {
		enum fault f = catalog_commit(v->keep->catalog, run_lose, &removal, why);
		if (f || removal.healed)
			return f;
	}
	verify_tell(v, v->repair ? "record-removed" : NULL,
	    "lost id=%s name=%s size=%lld owner=%s object=%s", file->id,
	    log_value(span_of(file->name), name, sizeof name), (long long)file->size,
	    log_value(span_of(file->owner), owner, sizeof owner), object_name(file->sha256).hex);
	return FAULT_NONE;
}

/* One pass over all records, however much is lost: nothing indexes them by content. */
static enum fault lose_records(struct verifying *v, struct refusal *why)
{
	enum fault f = FAULT_NONE;
	int64_t after = 0;
	bool more = v->lost_count > 0;

	if (more)
		qsort(v->lost, v->lost_count, sizeof *v->lost, compare_lost);
	while (more && !f) {
		struct files files = {0};
		f = catalog_page(v->keep->catalog, after, VERIFY_CHUNK, &files, why);
		for (size_t i = 0; i < files.count && !f; i++)
			f = lose(v, &files.at[i], why);
		more = files.count == VERIFY_CHUNK;
		if (files.count > 0)
			after = files.at[files.count - 1].seq;
		files_release(&files);
	}
	return f;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum fault verify_all(struct verifying *v, struct refusal *why)
{
	struct catalog_sums sums;
	bool usable;
	enum fault f = v->repair ? verify_reach(v, why) : FAULT_NONE;

	if (!f)
		f = verify_catalog(v, &usable, why);
	if (f || !usable)
		return f;
	f = catalog_sums(v->keep->catalog, (struct span){NULL, 0}, &sums, why);
	v->result->expected = sums.bytes;
	if (!f)
		f = verify_objects(v, why);
	if (!f && v->repair)
		f = verify_doubt(v, v->result->objects, why);
	if (!f)
		f = lose_records(v, why);
	if (!f && v->resize)
		f = catalog_mend(v->keep->catalog, why);
	if (!f)
		f = verify_orphans(v, why);
	return !f ? verify_partial(v, why) : f;
}

enum fault verify_run(struct keep *keep, unsigned wishes, const struct inspector *inspector,
    struct verified *result, struct refusal *why)
{
	struct verifying v = {.keep = keep,
	    .repair = (wishes & VERIFY_REPAIR) != 0,
	    .force = (wishes & VERIFY_FORCE) != 0,
	    .inspector = inspector,
	    .result = result};

	*result = (struct verified){0};
	enum fault f = verify_all(&v, why);
	free(v.lost);
	return f;
}
