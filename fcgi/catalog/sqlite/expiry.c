/*
 * expiry.c: what has expired, in small bounded changes.
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/text.h"

static enum fault read_ids(
    struct connection *c, sqlite3_stmt *s, struct ids *ids, struct refusal *why)
{
	bool row;
	enum fault f = sql_step(c, s, &row, why);

	for (ids->count = 0; row && ids->count < EXPIRY_CHUNK; f = sql_step(c, s, &row, why))
		span_copy(ids->at[ids->count++], ID_LEN + 1, column_span(s, 0));
	if (row)
		sql_done(s);
	return f;
}

/* ---- files ----------------------------------------------------------------------------------- */

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
	enum fault f =
	    sql_bound(c, SQL_FILE_EXPIRED, &s, why, BIND(NUMBER(chunk->now), NUMBER(EXPIRY_CHUNK)));

	chunk->bytes = 0;
	if (!f)
		f = read_ids(c, s, &chunk->ids, why);
	for (size_t i = 0; i < chunk->ids.count && !f; i++) {
		f = record_remove(catalog, span_of(chunk->ids.at[i]), &freed, why);
		chunk->bytes += freed;
	}
	return f;
}

enum fault expire_files(
    struct catalog *catalog, int64_t now, size_t *count, int64_t *bytes, struct refusal *why)
{
	struct chunk chunk = {.now = now};
	enum fault f = catalog_commit(catalog, run_expire, &chunk, why);

	*count = chunk.ids.count;
	*bytes = chunk.bytes;
	return f;
}

/* ---- resumable uploads ----------------------------------------------------------------------- */

enum fault expired_uploads(
    struct catalog *catalog, int64_t now, const char *after, struct ids *ids, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);
	sqlite3_stmt *s;

	ids->count = 0;
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_bound(
	    c, SQL_UPLOAD_EXPIRED, &s, why, BIND(NUMBER(now), TEXT(after), NUMBER(EXPIRY_CHUNK)));
	if (!f)
		f = read_ids(c, s, ids, why);
	reader_give(catalog, c);
	return f;
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
	enum fault f = sql_run(c, SQL_UPLOAD_EXPIRE, why, BIND(TEXT(e->id), NUMBER(e->now)));

	e->removed = sqlite3_changes(c->db) > 0;
	return f;
}

enum fault expire_upload(
    struct catalog *catalog, const char *id, int64_t now, bool *removed, struct refusal *why)
{
	struct expiry e = {.id = id, .now = now};
	enum fault f = catalog_commit(catalog, run_expire_upload, &e, why);

	*removed = e.removed;
	return f;
}

bool upload_is_known(struct catalog *catalog, const char *id)
{
	int64_t found;
	enum fault f = reader_read(catalog, SQL_UPLOAD_THERE, &found, 1, NULL, BIND(TEXT(id)));

	return f || found != 0;
}
