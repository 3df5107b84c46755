/*
 * restore.c: a backup becomes a data_dir.
 *
 *     the mark `restoring` -> catalog beside its place -> every object, hashed -> the catalog gets
 *     its name -> the mark goes
 *
 * As long as the mark is there nobody opens the directory, and a restore that was killed is gone
 * on with. Objects are cloned or copied, never linked: what befalls the one shall not befall the
 * other.
 */
#include "backup/inside.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0750, FILE_MODE = 0640 };

static const char mark_name[] = RESTORING, fresh_name[] = "waybill.db.restoring",
		  name_there[] = "waybill.db";

struct restoring {
	const char *data_dir;
	const struct inspector *inspector;
	struct restored *result;
	struct backup_dir from;
	int dir, mark; /* of data_dir */
	char path[PATH_MAX];
	struct copying copying;
	struct snapshot *snapshot;
};

/* ---- where to -------------------------------------------------------------------------------- */

/* What may be there: what a package or a web server makes, and what a restore that was killed left.
 */
static bool is_harmless(const char *name, bool again)
{
	static const char *const always[] = {".", "..", "lost+found", "spool", "waybill.sock"};
	static const char *const ours[] = {mark_name, "objects", "partial"};

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (strcmp(name, always[i]) == 0)
			return true;
	for (size_t i = 0; again && i < sizeof ours / sizeof *ours; i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return again && strncmp(name, name_there, sizeof name_there - 1) == 0;
}

static enum fault check_empty(struct restoring *r, bool again, struct refusal *why)
{
	struct dirent *entry;
	DIR *dir;
	enum fault f = disk_entries(r->dir, r->data_dir, &dir, why);

	if (f)
		return f;
	while ((entry = readdir(dir)) != NULL && is_harmless(entry->d_name, again)) {
	}
	if (entry != NULL)
		f = refuse(why, FAULT_INTERNAL,
		    "%s is not empty: there is %s. A backup is restored into an empty data_dir: stop "
		    "waybill, and move away what is there.",
		    r->data_dir, entry->d_name);
	closedir(dir);
	return f;
}

/* The mark, locked. Under the lock that a starting server makes its catalog under, so that it is
 * either here first or finds the mark. */
static enum fault set_mark(struct restoring *r, struct refusal *why)
{
	static const char text[] =
	    "A restore has begun here and has not ended. Run `waybill restore` again, or empty this "
	    "directory.\n";
	bool again = faccessat(r->dir, mark_name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	enum fault f = check_empty(r, again, why);

	if (f)
		return f;
	r->mark = openat(
	    r->dir, mark_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	if (r->mark < 0)
		return cannot_do(why, "write to", r->data_dir);
	if (flock(r->mark, LOCK_EX | LOCK_NB) != 0)
		return refuse(why, FAULT_BUSY, "Another restore is at work in %s.", r->data_dir);
	if (pwrite(r->mark, text, sizeof text - 1, 0) != sizeof text - 1 || fsync(r->mark) != 0 ||
	    fsync(r->dir) != 0)
		return cannot_do(why, "write to", r->data_dir);
	return FAULT_NONE;
}

static enum fault begin(struct restoring *r, struct refusal *why)
{
	if (flock(r->dir, LOCK_EX) != 0)
		return cannot_do(why, "lock", r->data_dir);
	enum fault f = set_mark(r, why);
	flock(r->dir, LOCK_UN);
	return f;
}

/* Run by root, all that is made belongs to whom data_dir belongs to. */
static enum fault find_owner(struct restoring *r, struct refusal *why)
{
	struct stat st;

	if (fstat(r->dir, &st) != 0)
		return cannot_do(why, "look at", r->data_dir);
	r->result->of_root = geteuid() == 0 && st.st_uid == 0;
	return check_private(r->dir, r->data_dir, why);
}

static enum fault open_data_dir(struct restoring *r, struct refusal *why)
{
	if (mkdir(r->data_dir, DIRECTORY_MODE) != 0 && errno != EEXIST)
		return cannot_do(why, "create", r->data_dir);
	r->dir = open(r->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0)
		return cannot_do(why, "open", r->data_dir);
	enum fault f = sync_above(r->dir) && directory_path(r->dir, r->path)
			   ? FAULT_NONE
			   : cannot_do(why, "sync", r->data_dir);
	if (!f && (lies_within(r->dir, r->from.dir) || lies_within(r->from.dir, r->dir)))
		f = refuse(
		    why, FAULT_INTERNAL, "%s and %s lie in each other.", r->data_dir, r->from.path);
	if (!f)
		f = find_owner(r, why);
	return !f ? begin(r, why) : f;
}

static enum fault open_objects(struct restoring *r, struct refusal *why)
{
	if (mkdirat(r->dir, "objects", DIRECTORY_MODE) != 0 && errno != EEXIST)
		return cannot_do(why, "create", "objects");
	r->copying.to = openat(r->dir, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->copying.to < 0 || !give_to_owner(r->copying.to, r->dir) || fsync(r->dir) != 0)
		return cannot_do(why, "make", "objects");
	r->copying.from = r->from.objects;
	return FAULT_NONE;
}

/* ---- the catalog ----------------------------------------------------------------------------- */

static enum fault copy_bytes(int from, int to, struct refusal *why)
{
	char buffer[64 << 10];
	ssize_t n;

	while ((n = read(from, buffer, sizeof buffer)) > 0)
		if (!write_all(to, buffer, (size_t)n))
			return cannot_do(why, "write", fresh_name);
	return n == 0 ? FAULT_NONE : cannot_do(why, "read", name_there);
}

static enum fault copy_catalog(struct restoring *r, struct refusal *why)
{
	int from = openat(r->from.dir, name_there, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (from < 0)
		return cannot_do(why, "open the catalog of", r->from.path);
	int to = openat(
	    r->dir, fresh_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	enum fault f = to < 0 || !give_to_owner(to, r->dir) ? cannot_do(why, "create", fresh_name)
							    : copy_bytes(from, to, why);
	descriptor_close(to);
	close(from);
	return f;
}

/* Of a run that was killed nothing is taken over but the objects. */
static enum fault take_catalog(struct restoring *r, struct refusal *why)
{
	char said[sizeof why->detail];
	enum fault f = catalog_remove(r->dir, fresh_name, why);

	if (!f)
		f = catalog_remove(r->dir, name_there, why);
	if (!f)
		f = copy_catalog(r, why);
	if (!f)
		f = snapshot_open(r->path, fresh_name, &r->snapshot, why);
	if (f == FAULT_BAD_REQUEST) {
		span_copy(said, sizeof said, span_of(why->detail));
		refuse(why, f, "%s That is how it stands in the backup %s.", said, r->from.path);
	}
	return !f ? snapshot_sums(r->snapshot, &r->result->files, &r->result->expected, why) : f;
}

/* ---- objects --------------------------------------------------------------------------------- */

static void tell_lost(struct restoring *r, enum copied how, const uint8_t *sha256)
{
	char line[256];

	snprintf(line, sizeof line, "%s object=%s: not restored", copied_word(how),
	    object_name(sha256).hex);
	r->result->lost++;
	inspector_tell(r->inspector, line);
}

static enum fault take_object(
    void *self, const uint8_t sha256[SHA256_LEN], int64_t size, struct refusal *why)
{
	struct restoring *r = self;
	enum copied how;
	enum fault f = copy_object(&r->copying, sha256, size, &how, why);

	if (f)
		return f;
	if (how >= COPY_MISSING)
		tell_lost(r, how, sha256);
	else {
		r->result->objects++;
		r->result->bytes += size;
	}
	r->result->done += size;
	inspector_advance(r->inspector, r->result->done, r->result->expected);
	return FAULT_NONE;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum fault end(struct restoring *r, struct refusal *why)
{
	int64_t removed = 0; /* of another backup, whose restore was killed */
	enum fault f = objects_keep_only(r->copying.to, r->snapshot, &removed, why);

	if (!f)
		f = snapshot_make_live(r->snapshot, why);
	snapshot_close(r->snapshot); /* folds the log back */
	r->snapshot = NULL;
	if (!f)
		f = catalog_publish(r->dir, fresh_name, name_there, why);
	if (!f && (unlinkat(r->dir, mark_name, 0) != 0 || fsync(r->dir) != 0))
		f = cannot_do(why, "end the restore in", r->data_dir);
	return f;
}

static enum fault restore(struct restoring *r, const char *dir, struct refusal *why)
{
	enum fault f = backup_dir_open(&r->from, dir, -1, why);

	if (!f && faccessat(r->from.dir, name_there, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		f = refuse(why, FAULT_INTERNAL,
		    "There is no catalog in %s: no backup has come to its end there.",
		    r->from.path);
	if (!f)
		f = open_data_dir(r, why);
	if (!f)
		f = open_objects(r, why);
	if (!f)
		f = take_catalog(r, why);
	if (!f)
		f = copy_all(&r->copying, r->snapshot, take_object, r, why);
	return !f ? end(r, why) : f;
}

enum fault backup_restore(const struct config *config, const char *dir,
    const struct inspector *inspector, struct restored *result, struct refusal *why)
{
	struct restoring r = {.data_dir = config->data_dir,
	    .inspector = inspector,
	    .result = result,
	    .dir = -1,
	    .mark = -1,
	    .copying = {.from = -1, .to = -1, .read_again = true}};

	*result = (struct restored){0};
	umask(umask(077) | 027);
	enum fault f = restore(&r, dir, why);
	if (f == FAULT_NO_SPACE)
		refuse(why, f, "The disk of %s is full. Make room, and say it again.",
		    config->data_dir);
	snapshot_close(r.snapshot);
	descriptor_close(r.copying.to);
	descriptor_close(r.mark);
	descriptor_close(r.dir);
	backup_dir_close(&r.from);
	return f;
}
