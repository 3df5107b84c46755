/*
 * snapshot.c: a catalog that nobody serves yet.
 *
 * Taken by SQLite's own backup in one step, which is one read of the catalog as it is at that
 * moment: it costs as long as the pages take to be copied, and no commit waits for it. What follows
 * (is it whole, what has to go) is done to the copy. While it is on its way it is not synced; whoever
 * wants to keep it says catalog_publish().
 */
#include "catalog/snapshot.h"
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct snapshot {
	struct catalog catalog; /* a path and a count of waits: what a connection asks for */
	struct connection *c;
};

/* Ours alone, so the log of what is written need not be a file. */
static const char pragmas[] = "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY;"
			      "PRAGMA synchronous = OFF";

enum fault catalog_remove(int dir, const char *name, struct refusal *why)
{
	static const char *const beside[] = {"", "-wal", "-shm", "-journal"};
	char path[64];

	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
		snprintf(path, sizeof path, "%s%s", name, beside[i]);
		if (unlinkat(dir, path, 0) != 0 && errno != ENOENT)
			return cannot_do(why, "remove", path);
	}
	return FAULT_NONE;
}

enum fault catalog_publish(int dir, const char *from, const char *name, struct refusal *why)
{
	int fd = openat(dir, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return cannot_do(why, "open", from);
	bool synced = fsync(fd) == 0;
	enum fault f = synced ? FAULT_NONE : cannot_do(why, "sync", from);
	close(fd);
	if (!f && (renameat(dir, from, dir, name) != 0 || fsync(dir) != 0))
		f = cannot_do(why, "put in place", name);
	return f;
}

/* ---- opening --------------------------------------------------------------------------------- */

void snapshot_close(struct snapshot *s)
{
	if (s == NULL)
		return;
	connection_close(s->c);
	free(s);
}

static struct snapshot *make(const char *path, const char *name, struct refusal *why)
{
	struct snapshot *s = calloc(1, sizeof *s);

	if (s == NULL) {
		refuse(why, FAULT_INTERNAL, "Out of memory.");
		return NULL;
	}
	if ((size_t)snprintf(s->catalog.path, sizeof s->catalog.path, "%s/%s", path, name) >=
	    sizeof s->catalog.path) {
		refuse(why, FAULT_INTERNAL, "The path of %s is too long.", name);
		free(s);
		return NULL;
	}
	return s;
}

static enum fault connect(struct snapshot *s, struct refusal *why)
{
	s->c = connection_open(&s->catalog, SQLITE_OPEN_READWRITE, 0, pragmas, why);
	return s->c == NULL ? why->fault : FAULT_NONE;
}

struct said {
	char first[256];
};

static bool said_row(void *self, sqlite3_stmt *s)
{
	struct said *said = self;

	span_copy(said->first, sizeof said->first, column_span(s, 0));
	return false;
}

/* A catalog with broken pages must not take the place of one without. */
static enum fault check_whole(struct snapshot *s, struct refusal *why)
{
	struct said said = {"it cannot be read"};
	enum fault f = sql_rows(s->c, SQL_VERIFY_INTEGRITY, said_row, &said, NULL, NO_VALUES);

	if (!f && strcmp(said.first, "ok") == 0)
		return FAULT_NONE;
	return refuse(why, FAULT_BAD_REQUEST, "The catalog is damaged (%s).", said.first);
}

enum fault snapshot_open(
    const char *path, const char *name, struct snapshot **snapshot, struct refusal *why)
{
	struct snapshot *s = make(path, name, why);
	int64_t version;

	*snapshot = s;
	if (s == NULL)
		return FAULT_INTERNAL;
	enum fault f = connect(s, why);
	if (!f)
		f = catalog_schema(s->c, &version, why);
	if (!f && version == 0)
		f = refuse(why, FAULT_BAD_REQUEST, "%s is empty.", s->catalog.path);
	if (f && why->detail[0] == '\0')
		return refuse(why, FAULT_BAD_REQUEST, "%s cannot be read.", s->catalog.path);
	return !f ? check_whole(s, why) : f;
}

/* ---- taking ---------------------------------------------------------------------------------- */

static enum fault copy_pages(struct connection *to, struct connection *from, struct refusal *why)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");

	if (backup == NULL)
		return sql_fault(to, sqlite3_errcode(to->db), why);
	int code = sqlite3_backup_step(backup, -1);
	int ended = sqlite3_backup_finish(backup);
	if (code == SQLITE_DONE && ended == SQLITE_OK)
		return FAULT_NONE;
	return sql_fault(to, code == SQLITE_DONE ? ended : code, why);
}

static enum fault take_pages(struct snapshot *s, struct catalog *from, struct refusal *why)
{
	struct connection *reader = reader_take(from, why);

	if (reader == NULL)
		return FAULT_INTERNAL;
	enum fault f = copy_pages(s->c, reader, why);
	reader_give(from, reader);
	return f;
}

enum fault snapshot_take(struct catalog *from, int dir, const char *path, const char *name,
    struct snapshot **snapshot, struct refusal *why)
{
	*snapshot = NULL;
	enum fault f = catalog_remove(dir, name, why);
	if (f)
		return f;
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return cannot_do(why, "create", name);
	bool given = give_to_owner(fd, dir);
	close(fd);
	if (!given)
		return cannot_do(why, "give away", name);
	struct snapshot *s = *snapshot = make(path, name, why);
	f = s == NULL ? FAULT_INTERNAL : connect(s, why);
	if (!f)
		f = take_pages(s, from, why);
	if (f)
		return f;
	/* Its first page says that it has a write-ahead log; opened anew, it has none. */
	connection_close(s->c);
	f = connect(s, why);
	if (!f)
		f = sql_do(s->c, SQL_COPY_GONE, why);
	return !f ? check_whole(s, why) : f;
}

/* ---- asking ---------------------------------------------------------------------------------- */

enum fault snapshot_sums(struct snapshot *s, int64_t *files, int64_t *bytes, struct refusal *why)
{
	int64_t sums[2];
	enum fault f = sql_read(s->c, SQL_STORE, sums, 2, why, NO_VALUES);

	*files = sums[0];
	*bytes = sums[1];
	return f;
}

struct visiting {
	snapshot_visitor *each;
	void *self;
	struct refusal *why;
	enum fault fault;
};

static bool object_row(void *self, sqlite3_stmt *s)
{
	struct visiting *v = self;
	uint8_t sha256[SHA256_LEN];

	if (column_bytes(s, 0, sha256, SHA256_LEN))
		v->fault = v->each(v->self, sha256, sqlite3_column_int64(s, 1), v->why);
	return !v->fault;
}

enum fault snapshot_objects(
    struct snapshot *s, snapshot_visitor *each, void *self, struct refusal *why)
{
	struct visiting v = {.each = each, .self = self, .why = why};
	enum fault f = sql_rows(s->c, SQL_COPY_OBJECTS, object_row, &v, why, NO_VALUES);

	return !f ? v.fault : f;
}

bool snapshot_knows(struct snapshot *s, const uint8_t sha256[SHA256_LEN])
{
	struct known known;

	return object_find(s->c, sha256, &known, NULL) || known.found;
}

/* ---- whose is it ----------------------------------------------------------------------------- */

struct origin {
	uint8_t line[LINE_BYTES];
	int64_t commits;
};

static bool origin_row(void *self, sqlite3_stmt *s)
{
	struct origin *o = self;

	column_bytes(s, 0, o->line, LINE_BYTES);
	o->commits = sqlite3_column_int64(s, 1);
	return false;
}

static enum fault read_origin(struct snapshot *s, struct origin *o, struct refusal *why)
{
	*o = (struct origin){.commits = -1};
	return sql_rows(s->c, SQL_COPY_LINE, origin_row, o, why, NO_VALUES);
}

/* What SQLite calls no catalog, or one with broken pages. Not one that somebody else has locked, or that
 * cannot be read just now: nobody knows what is in it. */
static bool is_damaged(struct connection *c)
{
	switch (sqlite3_errcode(c->db) & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_ERROR: /* there is no such table */
		return true;
	default:
		return false;
	}
}

/* FAULT_NONE with commits < 0: there is nothing worth keeping. */
static enum fault look_at(
    const char *path, const char *name, struct origin *old, struct refusal *why)
{
	struct snapshot *s = make(path, name, why);
	struct refusal unread;

	if (s == NULL)
		return FAULT_INTERNAL;
	refusal_clear(&unread);
	/* Only what says nothing of the pages: a failure has to be told apart. */
	s->c = connection_open(
	    &s->catalog, SQLITE_OPEN_READWRITE, 0, "PRAGMA locking_mode = EXCLUSIVE", &unread);
	enum fault f = s->c == NULL ? unread.fault : read_origin(s, old, &unread);
	if (f && s->c != NULL && is_damaged(s->c))
		f = FAULT_NONE;
	if (f)
		refuse(why, f,
		    "%s/%s cannot be read (%s), so there is no telling whether it is an earlier "
		    "state of this catalog. It is left as it is. Mend that, or name another directory.",
		    path, name, s->c != NULL ? sqlite3_errmsg(s->c->db) : "it cannot be opened");
	snapshot_close(s);
	return f;
}

/* A line may go on under a new id, after a restore or `verify --adopt`, and says which ones it had. */
static enum fault descends(
    struct snapshot *s, const struct origin *from, bool *does, struct refusal *why)
{
	int64_t yes;
	enum fault f =
	    sql_read(s->c, SQL_COPY_DESCENDS, &yes, 1, why, BIND(BYTES(from->line, LINE_BYTES)));

	*does = yes != 0;
	return f;
}

/*
 * An empty data_dir where the right one is not mounted, or an older catalog in the place of the
 * right one: their backup would be the end of all that this one alone has.
 */
enum fault snapshot_succeeds(
    struct snapshot *s, const char *path, const char *name, struct refusal *why)
{
	struct origin old = {.commits = -1}, new;
	bool same = false;
	enum fault f = look_at(path, name, &old, why);

	if (f || old.commits < 0)
		return f; /* damaged: whoever can make a new one should */
	f = read_origin(s, &new, why);
	if (!f)
		f = descends(s, &old, &same, why);
	if (f || (same && new.commits >= old.commits))
		return f;
	return refuse(why, FAULT_INTERNAL,
	    "%s is the backup of %s. It is left as it is. If data_dir is the right one, name "
	    "another directory.",
	    path, same ? "a later state of this catalog than is there now" : "another data_dir");
}

/* ---- trimming -------------------------------------------------------------------------------- */

enum fault snapshot_forget(
    struct snapshot *s, const uint8_t sha256[SHA256_LEN], struct refusal *why)
{
	return sql_run(s->c, SQL_COPY_FORGET, why, BIND(BYTES(sha256, SHA256_LEN)));
}

/* Triggers keep the sums right. */
enum fault snapshot_settle(struct snapshot *s, struct refusal *why)
{
	static const enum statement steps[] = {SQL_BEGIN_WRITE, SQL_COPY_NO_UPLOADS,
	    SQL_COPY_NO_FILES, SQL_COPY_NO_OBJECTS, SQL_COMMIT};
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < sizeof steps / sizeof *steps && !f; i++)
		f = sql_do(s->c, steps[i], why);
	return f;
}

enum fault snapshot_make_live(struct snapshot *s, struct refusal *why)
{
	enum fault f = sql_do(s->c, SQL_GENERATION_NEW, why);

	return !f ? sql_do(s->c, SQL_COPY_LIVE, why) : f;
}
