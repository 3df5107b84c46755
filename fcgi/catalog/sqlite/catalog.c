/*
 * catalog.c: connections to waybill.db.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/log.h"
#include "shared/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE = 10 * 1000,	/* ms to wait for other processes' commits */
	TENDER_PATIENCE = 20	/* ms; writers may have to wait as long, and it can be had later */
};

/* ---- connections ----------------------------------------------------------------------------- */

/* Another process holds the lock. SQLite's own handler backs off to 100 ms, and so never gets a
 * turn beside a process that commits without pause; short waits do. */
static int wait_turn(void *self, int times)
{
	struct connection *c = self;
	int64_t now = clock_steady();

	if (times == 0) {
		c->waiting_since = now;
		atomic_fetch_add(&c->catalog->busy, 1);
	}
	if (now - c->waiting_since >= c->patience)
		return 0;
	usleep(times < 8 ? 250 : 2000);
	return 1;
}

void connection_close(struct connection *c)
{
	if (c == NULL)
		return;
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(c->statement[i]);
	sqlite3_close(c->db);
	free(c);
}

/* Only the schema that we wrote is trusted, and only as far as we need it. */
static int harden(sqlite3 *db)
{
	int code = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	return code;
}

struct connection *connection_open(
    struct catalog *catalog, int flags, int patience, const char *pragmas, struct refusal *why)
{
	struct connection *c = calloc(1, sizeof *c);

	if (c == NULL) {
		refuse(why, FAULT_INTERNAL, NULL);
		return NULL;
	}
	c->catalog = catalog;
	c->patience = patience;
	int code = sqlite3_open_v2(catalog->path, &c->db,
	    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_PRIVATECACHE,
	    catalog_vfs());
	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(c->db, 1);
		sqlite3_busy_handler(c->db, wait_turn, c);
		code = harden(c->db);
	}
	/* Temporary tables in memory: no file is ever made outside data_dir. */
	if (code == SQLITE_OK)
		code = sqlite3_exec(c->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(c->db, pragmas, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return c;
	sql_fault(c, code, why);
	connection_close(c);
	return NULL;
}

static struct connection *connect_reader(struct catalog *catalog, struct refusal *why)
{
	/* Writable, because a reader of a WAL marks in shared memory what it still reads. */
	return connection_open(catalog, SQLITE_OPEN_READWRITE, PATIENCE,
	    "PRAGMA query_only = ON; PRAGMA cache_size = -256", why);
}

struct connection *reader_take(struct catalog *catalog, struct refusal *why)
{
	struct connection *c;

	pthread_mutex_lock(&catalog->pool_lock);
	while (catalog->idle == NULL && catalog->readers >= READERS_MAX)
		pthread_cond_wait(&catalog->pool_ready, &catalog->pool_lock);
	c = catalog->idle;
	if (c != NULL)
		catalog->idle = c->next;
	else
		catalog->readers++;
	pthread_mutex_unlock(&catalog->pool_lock);
	if (c != NULL)
		return c;
	c = connect_reader(catalog, why);
	if (c == NULL) {
		pthread_mutex_lock(&catalog->pool_lock);
		catalog->readers--;
		pthread_cond_signal(&catalog->pool_ready);
		pthread_mutex_unlock(&catalog->pool_lock);
	}
	return c;
}

void reader_give(struct catalog *catalog, struct connection *reader)
{
	pthread_mutex_lock(&catalog->pool_lock);
	reader->next = catalog->idle;
	catalog->idle = reader;
	pthread_cond_signal(&catalog->pool_ready);
	pthread_mutex_unlock(&catalog->pool_lock);
}

/* ---- opening and closing --------------------------------------------------------------------- */

/* Asked for a writable one, SQLite opens what it may only read all the same, and says nothing. */
static enum fault check_writable(struct catalog *catalog, struct refusal *why)
{
	if (sqlite3_db_readonly(catalog->writer->db, "main") != 1)
		return FAULT_NONE;
	return refuse(
	    why, FAULT_INTERNAL, "%s cannot be written to. Check whose it is.", catalog->path);
}

/* The lock on the directory is for the change to WAL, which must not meet another process doing
 * the same: it fails at once then, without asking the busy handler. */
static enum fault prepare_file(struct catalog *catalog, struct refusal *why)
{
	const struct store *store = catalog->store;
	bool fresh = false;

	if (flock(store->dir, LOCK_EX) != 0)
		return disk_fault(why, "flock");
	enum fault f = store_restored(store, why);
	if (f == FAULT_NONE) {
		catalog->writer = connection_open(catalog,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, PATIENCE,
		    "PRAGMA wal_autocheckpoint = 0", why);
		f = catalog->writer == NULL ? FAULT_INTERNAL : check_writable(catalog, why);
	}
	if (f == FAULT_NONE)
		f = catalog_migrate(catalog->writer, &fresh, why);
	if (f == FAULT_NONE)
		f = generation_open(catalog, fresh, why);
	if (f == FAULT_NONE)
		catalog_warn_of_emptiness(catalog);
	if (f == FAULT_NONE)
		f = sql_execute(catalog->writer,
		    store_syncs(store) ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", why);
	if (f == FAULT_NONE) {
		catalog->tender = connection_open(catalog, SQLITE_OPEN_READWRITE, TENDER_PATIENCE,
		    "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -64", why);
		f = catalog->tender == NULL ? FAULT_INTERNAL : FAULT_NONE;
	}
	flock(store->dir, LOCK_UN);
	return f;
}

/* A reader changes nothing, so it wants a catalog of exactly its own version. */
static enum fault check_file(struct catalog *catalog, struct refusal *why)
{
	int64_t version;

	if (faccessat(catalog->store->dir, "waybill.db", F_OK, 0) != 0)
		return refuse(why, FAULT_INTERNAL,
		    "There is no catalog at %s. Check data_dir, or start the server once.",
		    catalog->path);
	generation_watch(catalog);
	struct connection *c = reader_take(catalog, why);
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = catalog_schema(c, &version, why);
	reader_give(catalog, c);
	if (f == FAULT_NONE && version < catalog_version())
		f = refuse(why, FAULT_INTERNAL,
		    version == 0 ? "%s is empty. Start the server once: it says what is wrong."
				 : "%s was made by an older waybill. Start the server once to "
				   "bring it up to date.",
		    catalog->path);
	return f;
}

/* These two are a client's business where requests meet them, so the log has nothing of them. */
static void explain(const struct catalog *catalog, struct refusal *why)
{
	const char *reason = why->fault == FAULT_NO_SPACE
				 ? ": the disk is full. It may take a few times its own size to bring it "
				   "up to date, for a moment. What is there is as it was"
			     : why->fault == FAULT_BUSY
				 ? ": another process holds its lock and does not let go"
				 : "; the log says why";

	refuse(why, why->fault, "The catalog %s cannot be opened%s.", catalog->path, reason);
}

/* SQLite is to follow no symbolic links, so it gets a path that has none. */
static enum fault find_path(struct catalog *catalog, struct refusal *why)
{
	const struct store *store = catalog->store;
	char dir[PATH_MAX];

	if (!directory_path(store->dir, dir) && realpath(store->config->data_dir, dir) == NULL)
		return disk_fault(why, "realpath");
	if ((size_t)snprintf(catalog->path, sizeof catalog->path, "%s/waybill.db", dir) >=
	    sizeof catalog->path)
		return refuse(why, FAULT_INTERNAL, "The path of data_dir is too long.");
	return FAULT_NONE;
}

static enum fault open_file(struct catalog *catalog, struct refusal *why)
{
	bool write = (catalog->mode & CATALOG_WRITE) != 0;
	enum fault f = find_path(catalog, why);

	if (f == FAULT_NONE)
		f = write ? prepare_file(catalog, why) : check_file(catalog, why);
	return f == FAULT_NONE && write ? catalog_ready(catalog, why) : f;
}

enum fault catalog_open(
    struct catalog **catalog, struct store *store, unsigned mode, struct refusal *why)
{
	struct catalog *new = calloc(1, sizeof *new);

	*catalog = new;
	if (new == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	/* Counting memory would cost a global lock at each allocation. Once per process; later
	 * calls are refused, which does no harm. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	new->store = store;
	new->mode = mode;
	new->generation.fd = -1;
	new->last = &new->first;
	pthread_mutex_init(&new->pool_lock, NULL);
	pthread_cond_init(&new->pool_ready, NULL);
	pthread_mutex_init(&new->queue_lock, NULL);
	enum fault f = open_file(new, why);
	if (f == FAULT_NONE)
		return f;
	if (why != NULL && why->detail[0] == '\0')
		explain(new, why);
	catalog_close(new);
	*catalog = NULL;
	return f;
}

void catalog_close(struct catalog *catalog)
{
	if (catalog == NULL)
		return;
	while (catalog->idle != NULL) {
		struct connection *c = catalog->idle;
		catalog->idle = c->next;
		connection_close(c);
	}
	/* The last process to leave folds the WAL back into waybill.db, synced; SQLite sees to that. */
	int64_t seen = generation_seen(catalog);
	connection_close(catalog->writer);
	connection_close(catalog->tender);
	if (catalog->mode & CATALOG_WRITE &&
	    faccessat(catalog->store->dir, "waybill.db-wal", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		generation_settle(catalog, seen);
	generation_close(catalog);
	free(catalog->dropped);
	pthread_mutex_destroy(&catalog->pool_lock);
	pthread_cond_destroy(&catalog->pool_ready);
	pthread_mutex_destroy(&catalog->queue_lock);
	free(catalog);
}
