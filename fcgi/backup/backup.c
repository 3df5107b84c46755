/*
 * backup.c: a copy of catalog and objects, beside running servers.
 *
 *     catalog as of now -> every object it names -> what vanished meanwhile is struck out of it
 *                       -> it takes the place of the one before -> what only that one named goes
 *
 * Nothing is locked meanwhile, so an object may be deleted before it is copied, with the last file
 * that had it. Then the copy's rows of it go too: the copy is the store as it was when the backup
 * began, less what was deleted for good before it ended. Until the new catalog has the name, the
 * old one and all its objects are untouched.
 */
#include "backup/inside.h"
#include "catalog/uploads.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
	MOMENT_MS = 10, /* between looks at what seems lost */
	MOMENTS = 50,	/* looks at one */
	IN_ALL = 500 /* looks at all, but for a second one at each: objects/ may not be mounted */
};

static const char fresh_name[] = "waybill.db.new", name_there[] = "waybill.db";

struct backing {
	struct keep *keep;
	const struct inspector *inspector;
	struct backed_up *result;
	struct backup_dir to;
	struct copying copying;
	struct snapshot *snapshot;
	int looks; /* so far, at what seems lost */
};

/* ---- objects --------------------------------------------------------------------------------- */

/* Does a record still want it? When in doubt, yes. */
static bool wanted(struct keep *keep, const uint8_t *sha256)
{
	struct known known;

	return catalog_known(keep->catalog, sha256, &known, NULL) || known.found;
}

/*
 * Whoever reads a row finds its object, unless that was deleted in between: rows go first, objects
 * are linked first. So what is missing while there is a row came and went between two looks, or is
 * lost.
 */
static enum fault bring(struct backing *b, const uint8_t *sha256, int64_t size, enum copied *how,
    bool *gone, struct refusal *why)
{
	const struct timespec moment = {.tv_nsec = MOMENT_MS * 1000000};
	enum fault f = FAULT_NONE;

	*gone = false;
	for (int look = 0; look < 2 || (look < MOMENTS && b->looks < IN_ALL); look++) {
		f = copy_object(&b->copying, sha256, size, how, why);
		if (f || *how < COPY_MISSING)
			return f;
		*gone = !wanted(b->keep, sha256);
		if (*gone || *how != COPY_MISSING)
			return FAULT_NONE;
		nanosleep(&moment, NULL);
		b->looks++;
	}
	return f;
}

static void tell(struct backing *b, const char *fmt, const char *word, const uint8_t *sha256)
{
	char line[256];

	snprintf(line, sizeof line, fmt, word, object_name(sha256).hex);
	inspector_tell(b->inspector, line);
}

static void count(struct backing *b, enum copied how, const uint8_t *sha256, int64_t size)
{
	struct backed_up *r = b->result;

	r->objects++;
	r->bytes += size;
	if (how == COPY_THERE) {
		r->kept++;
		return;
	}
	r->fresh++;
	r->fresh_bytes += size;
	if (how == COPY_REPLACED)
		tell(b, "%s object=%s: its copy was damaged, and is a new one now", "replaced",
		    sha256);
}

static enum fault take_object(
    void *self, const uint8_t sha256[SHA256_LEN], int64_t size, struct refusal *why)
{
	struct backing *b = self;
	enum copied how;
	bool gone;
	enum fault f = bring(b, sha256, size, &how, &gone, why);

	if (f)
		return f;
	if (gone)
		return snapshot_forget(b->snapshot, sha256, why);
	if (how < COPY_MISSING)
		count(b, how, sha256, size);
	else {
		b->result->lost++;
		tell(b, "%s object=%s: not in the backup; `waybill verify` says whose it is",
		    copied_word(how), sha256);
	}
	b->result->done += size;
	inspector_advance(b->inspector, b->result->done, b->result->expected);
	return FAULT_NONE;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* What is there, if anything is. A link is nobody's catalog, and gives way. */
static enum fault may_replace(struct backing *b, struct refusal *why)
{
	int fd = openat(b->to.dir, name_there, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return FAULT_NONE;
	if (fd < 0)
		return cannot_do(why, "open the catalog of", b->to.path);
	close(fd);
	return snapshot_succeeds(b->snapshot, b->to.path, name_there, why);
}

static enum fault take_catalog(struct backing *b, struct refusal *why)
{
	char said[sizeof why->detail];
	enum fault f =
	    snapshot_take(b->keep->catalog, b->to.dir, b->to.path, fresh_name, &b->snapshot, why);

	if (f == FAULT_BAD_REQUEST) {
		span_copy(said, sizeof said, span_of(why->detail));
		refuse(why, f, "%s What was in %s is left as it was. See `waybill verify`.", said,
		    b->to.path);
	}
	if (!f)
		f = may_replace(b, why);
	return f ? f : snapshot_sums(b->snapshot, &b->result->files, &b->result->expected, why);
}

static enum fault put_in_place(struct backing *b, struct refusal *why)
{
	enum fault f = snapshot_settle(b->snapshot, why);
	int64_t bytes;

	if (!f)
		f = snapshot_sums(b->snapshot, &b->result->files, &bytes, why);
	return !f ? catalog_publish(b->to.dir, fresh_name, name_there, why) : f;
}

static enum fault back_up(struct backing *b, struct refusal *why)
{
	enum fault f = take_catalog(b, why);

	b->copying.from = b->keep->store->objects;
	b->copying.to = b->to.objects;
	if (!f)
		f = copy_all(&b->copying, b->snapshot, take_object, b, why);
	if (!f)
		f = put_in_place(b, why);
	if (!f)
		f = objects_keep_only(b->to.objects, b->snapshot, &b->result->removed, why);
	snapshot_close(b->snapshot);
	return f;
}

enum fault backup_take(struct keep *keep, const char *dir, bool full,
    const struct inspector *inspector, struct backed_up *result, struct refusal *why)
{
	struct backing b = {.keep = keep, .inspector = inspector, .result = result};

	*result = (struct backed_up){0};
	b.copying = (struct copying){.may_link = true, .read_again = full};
	/* Nothing tells in a data_dir that was just restored; nobody has served from it either. */
	enum fault f =
	    catalog_tells(keep->catalog) ? catalog_belongs(keep->catalog, why) : FAULT_NONE;
	if (!f)
		f = backup_dir_open(&b.to, dir, keep->store->dir, why);
	if (!f)
		f = back_up(&b, why);
	if (f == FAULT_NO_SPACE)
		refuse(why, f,
		    "The disk of %s is full. The backup that was there before is whole; the next "
		    "one goes on from here.",
		    dir);
	backup_dir_close(&b.to);
	return f;
}
