/*
 * catalog.c: waybill.db is opened and closed.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

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
	if (!f) {
		catalog->writer =
		    connection_open(catalog, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			WRITER_PATIENCE, "PRAGMA wal_autocheckpoint = 0", why);
		f = catalog->writer == NULL ? FAULT_INTERNAL : check_writable(catalog, why);
	}
	if (!f)
		f = catalog_migrate(catalog->writer, &fresh, why);
	if (!f)
		f = generation_open(catalog, fresh, why);
	if (!f)
		catalog_warn_of_emptiness(catalog);
	if (!f)
		f = sql_execute(catalog->writer,
		    store_syncs(store) ? "PRAGMA synchronous = FULL"
				       : "PRAGMA synchronous = NORMAL",
		    why);
	if (!f) {
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
	if (!f && version < catalog_version())
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
	const char *reason =
	    why->fault == FAULT_NO_SPACE
		? ": the disk is full. It may take a few times its own size to bring it "
		  "up to date, for a moment. What is there is as it was"
	    : why->fault == FAULT_BUSY ? ": another process holds its lock and does not let go"
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

	if (!f)
		f = write ? prepare_file(catalog, why) : check_file(catalog, why);
	return !f && write ? catalog_ready(catalog, why) : f;
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
	if (!f)
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
