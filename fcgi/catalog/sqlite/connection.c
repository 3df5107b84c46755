/*
 * connection.c: connections to waybill.db.
 */
#include "catalog/sqlite/sqlite.h"

#include <stdlib.h>
#include <unistd.h>

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
	return connection_open(catalog, SQLITE_OPEN_READWRITE, WRITER_PATIENCE,
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

enum fault reader_rows(struct catalog *catalog, enum statement which, row_reader *read, void *self,
    struct refusal *why, struct values values)
{
	struct connection *c = reader_take(catalog, why);

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_rows(c, which, read, self, why, values);
	reader_give(catalog, c);
	return f;
}

enum fault reader_read(struct catalog *catalog, enum statement which, int64_t *value, int count,
    struct refusal *why, struct values values)
{
	struct connection *c = reader_take(catalog, why);

	memset(value, 0, (size_t)count * sizeof *value);
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_read(c, which, value, count, why, values);
	reader_give(catalog, c);
	return f;
}
