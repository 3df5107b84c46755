/*
 * expiry.c: what has expired, in small bounded changes.
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/text.h"

static bool id_row(void *self, sqlite3_stmt *s)
{
	struct ids *ids = self;

	span_copy(ids->at[ids->count++], ID_LEN + 1, column_span(s, 0));
	return ids->count < EXPIRY_CHUNK;
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
	int64_t freed;
	enum fault f = sql_rows(c, SQL_FILE_EXPIRED, id_row, &chunk->ids, why,
	    BIND(NUMBER(chunk->now), NUMBER(EXPIRY_CHUNK)));

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
	ids->count = 0;
	return reader_rows(catalog, SQL_UPLOAD_EXPIRED, id_row, ids, why,
	    BIND(NUMBER(now), TEXT(after), NUMBER(EXPIRY_CHUNK)));
}

/* Again under the lock: it may have been prolonged, or finished. */
enum fault expire_upload(
    struct catalog *catalog, const char *id, int64_t now, bool *removed, struct refusal *why)
{
	enum fault f = commit_one(
	    catalog, SQL_UPLOAD_EXPIRE, FAULT_NOT_FOUND, why, BIND(TEXT(id), NUMBER(now)));

	*removed = !f;
	return f == FAULT_NOT_FOUND ? FAULT_NONE : f;
}

bool upload_is_known(struct catalog *catalog, const char *id)
{
	int64_t found;
	enum fault f = reader_read(catalog, SQL_UPLOAD_THERE, &found, 1, NULL, BIND(TEXT(id)));

	return f || found != 0;
}
