/*
 * sweep.c: what has to go: expired files and partial uploads, what the dead left behind.
 *
 * In small bounded jobs, so that uploads wait for none of them. Nothing needs a grace period: an
 * object without a row, seen under the write lock, belongs to nobody, because objects are linked
 * and entered in one transaction under that lock; and a file in partial/ that is not locked is
 * nobody's, because whoever is at it holds its lock. All of that holds for the catalog that belongs
 * to the objects: beside any other nothing is swept (generation.h).
 */
#include "keep/catalog.h"
#include "shared/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	CHUNK = 64,	   /* rows or objects of one job */
	ORPHAN_PAUSE = 100 /* times as long as looking took: 1 % of one CPU at most */
};

struct ids {
	char at[CHUNK][ID_LEN + 1];
	size_t count;
};

static enum fault read_ids(
    struct connection *c, sqlite3_stmt *s, struct ids *ids, struct refusal *why)
{
	bool row;
	enum fault f = sql_step(c, s, &row, why);

	for (ids->count = 0; row && ids->count < CHUNK; f = sql_step(c, s, &row, why))
		span_copy(ids->at[ids->count++], ID_LEN + 1, column_span(s, 0));
	if (row)
		sql_done(s);
	return f;
}

/* ---- expired files --------------------------------------------------------------------------- */

struct chunk {
	struct ids ids;
	int64_t now, bytes;
};

static enum fault run_expire(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct chunk *chunk = self;
	sqlite3_stmt *s;
	int64_t freed;
	enum fault f = sql_prepare(c, SQL_FILE_EXPIRED, &s, why);

	if (f != FAULT_NONE)
		return f;
	chunk->bytes = 0;
	bind_number(s, 1, chunk->now);
	bind_number(s, 2, CHUNK);
	f = read_ids(c, s, &chunk->ids, why);
	for (size_t i = 0; i < chunk->ids.count && f == FAULT_NONE; i++) {
		f = record_remove(catalog, span_of(chunk->ids.at[i]), &freed, why);
		chunk->bytes += freed;
	}
	return f;
}

static enum fault sweep_files(struct keep *keep, struct swept *swept, struct refusal *why)
{
	struct chunk chunk = {.now = clock_calendar()};
	enum fault f;

	do {
		f = catalog_commit(keep->catalog, run_expire, &chunk, why);
		if (f != FAULT_NONE)
			return f;
		swept->files += (int64_t)chunk.ids.count;
		swept->bytes += chunk.bytes;
	} while (chunk.ids.count == CHUNK && !keep->leaving);
	return FAULT_NONE;
}

/* ---- partial/ -------------------------------------------------------------------------------- */

/* With its lock held: whoever wants it next finds it gone. */
static void remove_seized(const struct keep *keep, int fd, const char *name, struct swept *swept)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		swept->bytes += st.st_blocks * 512;
	if (unlinkat(keep->partial, name, 0) != 0 && errno != ENOENT)
		disk_fault(NULL, "unlink partial");
	close(fd);
}

struct expiry {
	const char *id;
	int64_t now;
	bool removed;
};

/* Again under the lock: it may have been prolonged, or finished. */
static enum fault run_expire_upload(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct expiry *e = self;
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_EXPIRE, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_text(s, 1, e->id);
	bind_number(s, 2, e->now);
	f = sql_finish(c, s, why);
	e->removed = sqlite3_changes(c->db) > 0;
	return f;
}

static enum fault expired_uploads(
    struct keep *keep, int64_t now, const char *after, struct ids *ids, struct refusal *why)
{
	struct connection *c = reader_take(keep->catalog, why);
	sqlite3_stmt *s;

	ids->count = 0;
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_prepare(c, SQL_UPLOAD_EXPIRED, &s, why);
	if (f == FAULT_NONE) {
		bind_number(s, 1, now);
		bind_text(s, 2, after);
		bind_number(s, 3, CHUNK);
		f = read_ids(c, s, ids, why);
	}
	reader_give(keep->catalog, c);
	return f;
}

/* A row whose file is in use stays until a later sweep; one without a file just goes. */
static enum fault sweep_upload(
    struct keep *keep, const char *id, int64_t now, struct swept *swept, struct refusal *why)
{
	struct expiry e = {.id = id, .now = now};
	int fd = blob_seize(keep, id);

	if (fd < 0 && faccessat(keep->partial, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return FAULT_NONE;
	enum fault f = catalog_commit(keep->catalog, run_expire_upload, &e, why);
	bool gone = f == FAULT_NONE && e.removed;
	swept->partials += gone;
	if (fd >= 0 && gone)
		remove_seized(keep, fd, id, swept);
	else if (fd >= 0)
		close(fd);
	return f;
}

static enum fault sweep_uploads(struct keep *keep, struct swept *swept, struct refusal *why)
{
	char after[ID_LEN + 1] = "";
	int64_t now = clock_calendar();
	struct ids ids;
	enum fault f;

	do {
		f = expired_uploads(keep, now, after, &ids, why);
		for (size_t i = 0; i < ids.count && f == FAULT_NONE; i++)
			f = sweep_upload(keep, ids.at[i], now, swept, why);
		if (ids.count > 0)
			memcpy(after, ids.at[ids.count - 1], sizeof after);
	} while (f == FAULT_NONE && ids.count == CHUNK && !keep->leaving);
	return f;
}

static bool upload_known(struct keep *keep, const char *id)
{
	struct connection *c = reader_take(keep->catalog, NULL);
	int64_t found = 1; /* when in doubt, leave it */
	sqlite3_stmt *s;

	if (c == NULL)
		return true;
	if (sql_prepare(c, SQL_UPLOAD_THERE, &s, NULL) == FAULT_NONE) {
		bind_text(s, 1, id);
		if (sql_numbers(c, s, &found, 1, NULL) != FAULT_NONE)
			found = 1;
	}
	reader_give(keep->catalog, c);
	return found != 0;
}

/* Temporary files of dead processes, and partial uploads that never got their row, or lost it. */
static enum fault sweep_partial(struct keep *keep, struct swept *swept, struct refusal *why)
{
	DIR *dir;
	struct dirent *entry;
	enum fault f = keep_entries(keep->partial, "partial", &dir, why);

	if (f != FAULT_NONE)
		return f;
	while (!keep->leaving && (entry = readdir(dir)) != NULL) {
		bool temporary = strncmp(entry->d_name, "tmp-", 4) == 0;
		if (!temporary && !text_is_id(span_of(entry->d_name)))
			continue;
		int fd = blob_seize(keep, entry->d_name);
		if (fd < 0)
			continue;
		if (!temporary && upload_known(keep, entry->d_name)) {
			close(fd);
			continue;
		}
		swept->partials++;
		remove_seized(keep, fd, entry->d_name, swept);
	}
	closedir(dir);
	return FAULT_NONE;
}

/* ---- orphans --------------------------------------------------------------------------------- */

struct orphans {
	uint8_t at[CHUNK][SHA256_LEN];
	int64_t size[CHUNK];
	size_t count;
};

/*
 * commit.c unlinks what is dropped here after COMMIT, if it still has no row then. The UPDATE is
 * there so that this transaction writes: a COMMIT that failed earlier may have left its frames in
 * the WAL, to be found by a recovery; once another was written over them they are gone for good,
 * and the objects that they spoke of are orphans beyond doubt.
 */
static enum fault run_orphans(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct orphans *orphans = self;
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_STORE_SWEPT, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_number(s, 1, clock_calendar());
	for (size_t i = 0; i < orphans->count; i++)
		catalog_drop(catalog, orphans->at[i]);
	return sql_finish(c, s, why);
}

static enum fault drop_orphans(
    struct keep *keep, struct orphans *orphans, struct swept *swept, struct refusal *why)
{
	char name[OBJECT_NAME];

	if (orphans->count == 0)
		return FAULT_NONE;
	enum fault f = catalog_commit(keep->catalog, run_orphans, orphans, why);
	for (size_t i = 0; i < orphans->count && f == FAULT_NONE; i++) {
		object_name(orphans->at[i], name);
		if (faccessat(keep->objects, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		swept->orphans++;
		swept->bytes += orphans->size[i];
	}
	orphans->count = 0;
	return f;
}

/* Without the lock, so only a candidate. */
static enum fault consider(
    struct keep *keep, const char *name, struct orphans *orphans, struct refusal *why)
{
	uint8_t *sha256 = orphans->at[orphans->count];
	struct known known;
	struct stat st;

	if (!object_named(name, sha256))
		return FAULT_NONE;
	enum fault f = records_known(keep->catalog, sha256, &known, why);
	if (f != FAULT_NONE || known.found ||
	    fstatat(keep->objects, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return f;
	orphans->size[orphans->count++] = st.st_size;
	return FAULT_NONE;
}

static enum fault look_through(
    struct keep *keep, DIR *dir, struct swept *swept, struct refusal *why)
{
	struct orphans orphans = {.count = 0};
	struct dirent *entry;
	enum fault f = FAULT_NONE;

	while (f == FAULT_NONE && !keep->leaving && (entry = readdir(dir)) != NULL) {
		f = consider(keep, entry->d_name, &orphans, why);
		if (f == FAULT_NONE && orphans.count == CHUNK)
			f = drop_orphans(keep, &orphans, swept, why);
	}
	return f == FAULT_NONE ? drop_orphans(keep, &orphans, swept, why) : f;
}

/* Crashes are rare and objects many, so it is looked for them as often as it is cheap. */
static enum fault sweep_orphans(struct keep *keep, struct swept *swept, struct refusal *why)
{
	int64_t start = clock_steady();

	if (start < keep->next_orphans)
		return FAULT_NONE;
	DIR *dir;
	enum fault f = keep_entries(keep->objects, "objects", &dir, why);
	if (f != FAULT_NONE)
		return f;
	f = look_through(keep, dir, swept, why);
	closedir(dir);
	keep->next_orphans = start + (clock_steady() - start) * ORPHAN_PAUSE;
	return f;
}

void keep_stop_sweeping(struct keep *keep)
{
	keep->leaving = true;
}

enum fault keep_sweep(struct keep *keep, struct swept *swept, struct refusal *why)
{
	*swept = (struct swept){0};
	enum fault f = keep_generation_check(keep, why);
	if (f == FAULT_NONE)
		f = sweep_files(keep, swept, why);
	if (f == FAULT_NONE)
		f = sweep_uploads(keep, swept, why);
	if (f == FAULT_NONE)
		f = sweep_partial(keep, swept, why);
	return f == FAULT_NONE ? sweep_orphans(keep, swept, why) : f;
}
