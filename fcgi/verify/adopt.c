/*
 * adopt.c: objects that the catalog does not know become files of nobody.
 *
 * For a catalog that was lost or put back from an older copy. Until all are entered it agrees with
 * the data_dir even less than before, so that a crash half way leaves nothing to a sweep.
 */
#include "verify/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DELETION = 1 /* s that one under way may take from COMMIT to unlinking */ };

struct adoption { /* one object, ready to be entered */
	struct arrival arrival;
	struct blob blob;
	struct lost mark; /* what was hashed */
	char id[ID_LEN + 1], name[NAME_BYTES + 1], type[TYPE_BYTES + 1];
	bool entered;
};

struct adopting {
	struct verifying *v;
	uint8_t (*unknown)[SHA256_LEN];
	size_t count, room;
	struct adoption at[VERIFY_CHUNK];
	size_t ready;	     /* of them, to be entered by the next job */
	int64_t bytes;	     /* entered */
	struct refusal *why; /* of a visit */
	enum fault fault;
	char buffer[VERIFY_BUFFER];
};

/* ---- which ones ------------------------------------------------------------------------------ */

static bool note_unknown(struct adopting *a, const uint8_t *sha256)
{
	if (a->count == a->room) {
		size_t room = a->room == 0 ? 256 : a->room * 2;
		void *more = realloc(a->unknown, room * sizeof *a->unknown);
		if (more == NULL)
			return false;
		a->unknown = more;
		a->room = room;
	}
	memcpy(a->unknown[a->count++], sha256, SHA256_LEN);
	return true;
}

static bool visit_object(void *self, const uint8_t sha256[SHA256_LEN])
{
	struct adopting *a = self;
	struct known known;

	a->fault = catalog_known(a->v->keep->catalog, sha256, &known, a->why);
	if (!a->fault && !known.found && !note_unknown(a, sha256))
		a->fault = refuse(a->why, FAULT_INTERNAL, "Out of memory.");
	return !a->fault;
}

/* ---- entering them --------------------------------------------------------------------------- */

/* Is it still there, the same, and nobody's? */
static enum fault still_unknown(const struct keep *keep, struct catalog *catalog,
    const struct lost *mark, bool *still, struct refusal *why)
{
	struct mark now;
	struct known known;
	enum fault f = job_known(catalog, mark->sha256, &known, why);

	object_mark(keep->store, mark->sha256, &now);
	*still = !f && !known.found && now.there && mark_same(&now, &mark->mark);
	return f;
}

/* Each is a form of its own. */
static enum fault run_enter(struct catalog *catalog, void *self, struct refusal *why)
{
	struct adopting *a = self;
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < a->ready && !f; i++) {
		struct adoption *one = &a->at[i];
		struct arrivals alone = {.at = &one->arrival, .count = 1};
		f = still_unknown(a->v->keep, catalog, &one->mark, &one->entered, why);
		if (f || !one->entered)
			continue;
		f = job_enter_object(catalog, &one->arrival, why);
		if (!f)
			f = records_add(catalog, &alone, why);
	}
	return f;
}

static void tell_entered(struct adopting *a, const struct adoption *one)
{
	char line[512];

	snprintf(line, sizeof line, "adopted id=%s object=%s size=%lld type=%s", one->id,
	    object_name(one->mark.sha256).hex, (long long)one->arrival.file.size, one->type);
	a->v->result->objects++;
	a->bytes += one->arrival.file.size;
	inspector_tell(a->v->inspector, line);
}

static enum fault enter_ready(struct adopting *a, struct refusal *why)
{
	enum fault f =
	    a->ready == 0 ? FAULT_NONE : catalog_commit(a->v->keep->catalog, run_enter, a, why);

	for (size_t i = 0; i < a->ready; i++) {
		close(a->at[i].blob.fd);
		if (!f && a->at[i].entered)
			tell_entered(a, &a->at[i]);
	}
	a->ready = 0;
	return f;
}

/* ---- one object ------------------------------------------------------------------------------ */

struct aside {
	const struct keep *keep;
	struct lost mark;
	bool done;
};

static enum fault run_aside(struct catalog *catalog, void *self, struct refusal *why)
{
	struct aside *aside = self;
	bool still;
	enum fault f = still_unknown(aside->keep, catalog, &aside->mark, &still, why);

	if (f || !still)
		return f;
	f = object_put_aside(aside->keep->store, aside->mark.sha256, why);
	aside->done = !f;
	return f;
}

static enum fault put_aside(struct verifying *v, const struct lost *mark, struct refusal *why)
{
	struct aside aside = {.keep = v->keep, .mark = *mark};
	enum fault f = catalog_commit(v->keep->catalog, run_aside, &aside, why);

	if (aside.done)
		verify_tell(v, "put-aside", "damaged object=%s", object_name(mark->sha256).hex);
	return f;
}

/* What kills libmagic's children is a file all the same; its next upload has it judged again. */
static void judge(struct keep *keep, struct adoption *one)
{
	struct refusal unused;
	int64_t size = one->arrival.file.size;
	size_t len = size < HEAD_BYTES ? (size_t)size : HEAD_BYTES;

	refusal_clear(&unused);
	one->arrival.magic = sniff_version();
	if (keep->sniffers != NULL &&
	    !sniff_type(keep->sniffers, one->blob.fd, NULL, len, one->type, &unused))
		return;
	one->arrival.magic = 0;
	snprintf(one->type, sizeof one->type, "application/octet-stream");
}

/* Its bytes were hashed: a record for them. They are synced, whatever `durability` says. */
static enum fault prepare(
    struct adopting *a, const struct lost *mark, int64_t size, struct refusal *why)
{
	struct adoption *one = &a->at[a->ready];
	int fd;
	enum fault f = object_open(a->v->keep->store, mark->sha256, size, &fd, why);

	if (f)
		return f == FAULT_NOT_FOUND ? FAULT_NONE : f;
	*one = (struct adoption){.mark = *mark, .blob = {.fd = fd, .size = size}};
	a->ready++; /* and is closed with the others */
	one->arrival.blob = &one->blob;
	one->arrival.file = (struct file){.id = one->id,
	    .name = one->name,
	    .size = size,
	    .type = one->type,
	    .fields = NO_FIELDS,
	    .uploaded_at = mark->mark.written / 1000000};
	memcpy(one->arrival.file.sha256, mark->sha256, SHA256_LEN);
	snprintf(one->name, sizeof one->name, "recovered-%s", object_name(mark->sha256).hex);
	f = mint_id(one->id, why);
	if (f)
		return f;
	judge(a->v->keep, one);
	return blob_sync(&one->blob, why);
}

static enum fault consider(struct adopting *a, const uint8_t *sha256, struct refusal *why)
{
	struct verifying *v = a->v;
	struct lost mark;
	int64_t size;

	memcpy(mark.sha256, sha256, SHA256_LEN);
	object_mark(v->keep->store, sha256, &mark.mark);
	enum object_state state = verify_hash(v, sha256, a->buffer, &size);
	if (state == OBJECT_WRONG_HASH)
		return put_aside(v, &mark, why);
	if (state == OBJECT_GOOD)
		return prepare(a, &mark, size, why);
	if (state != OBJECT_MISSING)
		verify_unreadable(v, sha256, state == OBJECT_BROKEN ? EIO : errno);
	return FAULT_NONE;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static enum fault enter_all(struct adopting *a, struct refusal *why)
{
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < a->count && !f; i++) {
		f = consider(a, a->unknown[i], why);
		if (!f && a->ready == VERIFY_CHUNK)
			f = enter_ready(a, why);
	}
	enum fault last = enter_ready(a, !f ? why : NULL);
	return !f ? last : f;
}

static enum fault adopt(struct adopting *a, struct refusal *why)
{
	struct keep *keep = a->v->keep;
	bool astray = catalog_is_astray(keep->catalog);
	enum fault f = object_each(keep->store, visit_object, a, why);

	if (!f)
		f = a->fault;
	if (!f && astray)
		f = catalog_part(keep->catalog, why);
	/* Beside servers a deletion may be under way, which commits first and unlinks after: what has
	 * just lost its record is not to come back. */
	else if (!f && a->count > 0)
		nanosleep(&(struct timespec){.tv_sec = DELETION}, NULL);
	/* Their entries may be older than the last sync of the directory; their records are not. */
	if (!f)
		f = store_sync(keep->store, why);
	if (!f)
		f = enter_all(a, why);
	if (!f && a->v->unreadable > 0)
		f = refuse(why, FAULT_INTERNAL,
		    "%lld objects cannot be read. Have this user own them, or move them away, and "
		    "say it again.",
		    (long long)a->v->unreadable);
	return !f && astray ? catalog_join(keep->catalog, why) : f;
}

enum fault verify_adopt(struct keep *keep, const struct inspector *inspector,
    struct verified *result, struct refusal *why)
{
	struct inspector quiet = {.self = inspector->self, .found = inspector->found};
	struct verifying v = {.keep = keep, .inspector = &quiet, .result = result};
	struct adopting *a = calloc(1, sizeof *a);

	*result = (struct verified){0};
	if (a == NULL)
		return refuse(why, FAULT_INTERNAL, "Out of memory.");
	a->v = &v;
	a->why = why;
	enum fault f = adopt(a, why);
	result->bytes = a->bytes;
	free(a->unknown);
	free(a);
	return f;
}
