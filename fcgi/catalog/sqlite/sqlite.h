/*
 * sqlite.h: SQLite's only door, for the files that stand right behind it, in the order of a change's
 * way:
 *
 *     catalog.c  opened and closed             connection.c connections
 *     migrate.c  schema, steps forward         lineage.c  does it belong to the objects
 *     statements.c every word of SQL
 *     commit.c   group commit, checkpoints     generation.c  what tells
 *     objects.c  content as rows               records.c  files: add, find, remove
 *     listing.c  pages of them
 *     uploads.c  resumable uploads; enter.c: how they come, and become files
 *     tokens.c   who is asking                 sums.c     what quotas are judged by
 *     expiry.c   what has to go                check.c    the file by itself
 *     vfs.c      what SQLite may open          snapshot.c a copy that nobody serves
 *
 * Connections are used by one thread at a time, so SQLite's own mutexes are off. One connection
 * writes, led by whoever commits; readers come from a pool; a third kind only checkpoints.
 */
#ifndef WAYBILL_CATALOG_SQLITE_H
#define WAYBILL_CATALOG_SQLITE_H

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/sqlite/generation.h"
#include "catalog/sqlite/statements.h"
#include "catalog/sqlite/value.h"
#include "store/disk/disk.h"

enum {
	READERS_MAX = 8,	     /* connections; more threads wait for one */
	WRITER_PATIENCE = 10 * 1000, /* ms to wait for other processes' commits */
	TENDER_PATIENCE = 20, /* ms; writers may have to wait as long, and it can be had later */
	DROPPED_MAX = 1024    /* objects that one batch may give up; more are left to the sweep */
};

struct connection {
	struct catalog *catalog;
	sqlite3 *db;
	int patience;	       /* ms to wait for other processes' locks */
	int64_t waiting_since; /* ms, monotonic */
	sqlite3_stmt *statement[SQL_COUNT];
	struct connection *next; /* in the pool */
};

struct waiting; /* a job in the queue: commit.c */

struct catalog {
	struct store *store; /* borrowed */
	unsigned mode;	     /* CATALOG_WRITE, CATALOG_ADOPT */
	char path[PATH_MAX];

	pthread_mutex_t pool_lock;
	pthread_cond_t pool_ready;
	struct connection *idle;
	unsigned readers;

	pthread_mutex_t queue_lock;
	struct waiting *first, **last;
	bool led; /* somebody commits */

	struct connection *writer; /* the leader's, as is all to the next blank line */
	bool linked;
	uint8_t (*dropped)[SHA256_LEN];
	size_t dropped_count;

	struct connection *tender; /* catalog_tend()'s */
	int64_t tended_commits;
	int pause, back_off;  /* turns until it may hold up the writers again; see insist() */
	int insisted;	      /* how often it did */
	atomic_int wal_pages; /* as of this process's last commit, or 0 once checkpointed */
	atomic_int_least64_t commits, batches, busy;

	struct generation generation;
};

/* ---- connections ----------------------------------------------------------------------------- */

/* A reader from the pool, perhaps after a wait; NULL: *why. Give it back soon. */
struct connection *reader_take(struct catalog *catalog, struct refusal *why);
void reader_give(struct catalog *catalog, struct connection *reader);

/* One row of a statement, by its columns. False: that is enough. */
typedef bool row_reader(void *self, sqlite3_stmt *s);
/* sql_rows() and sql_read() on a reader. */
enum fault reader_rows(struct catalog *catalog, enum statement which, row_reader *read, void *self,
    struct refusal *why, struct values values);
enum fault reader_read(struct catalog *catalog, enum statement which, int64_t *value, int count,
    struct refusal *why, struct values values);

/* One more of any kind to catalog->path, of which it is all that is looked at. */
struct connection *connection_open(
    struct catalog *catalog, int flags, int patience, const char *pragmas, struct refusal *why);
void connection_close(struct connection *c); /* NULL is fine */
/* The name of the VFS that all connections have: vfs.c. */
const char *catalog_vfs(void);

/* ---- migrate.c ------------------------------------------------------------------------------- */

/* Its schema's version, 0: an empty file. Refused where it is no catalog, or a newer program's. */
enum fault catalog_schema(struct connection *c, int64_t *version, struct refusal *why);
/* All steps to the schema that this program knows. *fresh: the file was empty. */
enum fault catalog_migrate(struct connection *c, bool *fresh, struct refusal *why);
/* Files, and no object: is something not mounted? */
void catalog_warn_of_emptiness(const struct catalog *catalog);
/* Text that is no statement of ours. */
enum fault sql_execute(struct connection *c, const char *text, struct refusal *why);

/* ---- statements ------------------------------------------------------------------------------ */

/* What went wrong on this connection, in the log and as a fault: BUSY, NO_SPACE, INTERNAL. */
enum fault sql_fault(struct connection *c, int code, struct refusal *why);
/* Run a statement whose parameters have these values, from the first on. Rows are read as they come,
 * until there are no more, or enough. */
enum fault sql_rows(struct connection *c, enum statement which, row_reader *read, void *self,
    struct refusal *why, struct values values);
/* The first row's columns, all integers; 0 when there is none, and on a fault. */
enum fault sql_read(struct connection *c, enum statement which, int64_t *value, int count,
    struct refusal *why, struct values values);
/* Whatever rows come. */
enum fault sql_run(
    struct connection *c, enum statement which, struct refusal *why, struct values values);
enum fault sql_do(struct connection *c, enum statement which, struct refusal *why);
/* Exactly `len` bytes of a BLOB column, or false. */
bool column_bytes(sqlite3_stmt *s, int at, uint8_t *to, size_t len);
struct span column_span(sqlite3_stmt *s, int at);

/* ---- records --------------------------------------------------------------------------------- */

/* Records, as far as there is room for them, and as far as the budget goes, but one. */
struct page {
	struct files *files;
	struct refusal *why;
	size_t left; /* bytes of JSON that it may become */
	size_t each; /* what a record has besides its texts, at most; 0: no such bound */
	bool more;   /* there was a row beyond */
	enum fault fault;
	int64_t form; /* of the last row */
};
/* Of a statement of FILE_COLUMNS. */
row_reader page_row;

/* In a job: no record has this content any more. After COMMIT the object is dropped, if that is still
 * true under a new write lock. */
static inline void catalog_drop(struct catalog *catalog, const uint8_t sha256[SHA256_LEN])
{
	if (catalog->dropped_count < DROPPED_MAX)
		memcpy(catalog->dropped[catalog->dropped_count++], sha256, SHA256_LEN);
}

/* ---- commit.c -------------------------------------------------------------------------------- */

/* What it needs of an open catalog. */
enum fault catalog_ready(struct catalog *catalog, struct refusal *why);
/* A job that is one statement; `unchanged`, which leaves *why alone, where it changed no row. */
enum fault commit_one(struct catalog *catalog, enum statement which, enum fault unchanged,
    struct refusal *why, struct values values);

/* ---- uploads.c ------------------------------------------------------------------------------- */

/* Run it; LOCKED when no row was changed: the upload is not its holder's any more. */
enum fault row_changed(
    struct connection *c, enum statement which, struct refusal *why, struct values values);

/* ---- objects.c ------------------------------------------------------------------------------- */

/* What the catalog knows of some content, as this connection sees it: the writer's, under the lock. */
enum fault object_find(
    struct connection *c, const uint8_t *sha256, struct known *known, struct refusal *why);
/* In a job: the content of an arrival, linked, and a row for it. */
enum fault object_add(struct catalog *catalog, struct arrival *arrival, struct refusal *why);

#endif
