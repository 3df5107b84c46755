/*
 * objects.c: content as rows: what is known of it, how it comes and goes.
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/text.h"

/* ---- what is known --------------------------------------------------------------------------- */

static bool known_row(void *self, sqlite3_stmt *s)
{
	struct known *known = self;

	known->found = true;
	known->size = sqlite3_column_int64(s, 0);
	span_copy(known->type, sizeof known->type, column_span(s, 1));
	known->magic = sqlite3_column_int(s, 2);
	known->durable = sqlite3_column_int(s, 3) != 0;
	known->boot = sqlite3_column_int64(s, 4);
	known->damaged = sqlite3_column_int64(s, 5);
	return false;
}

enum fault object_find(
    struct connection *c, const uint8_t *sha256, struct known *known, struct refusal *why)
{
	*known = (struct known){0};
	return sql_rows(c, SQL_OBJECT_FIND, known_row, known, why, BIND(BYTES(sha256, SHA256_LEN)));
}

enum fault job_known(struct catalog *catalog, const uint8_t sha256[SHA256_LEN], struct known *known,
    struct refusal *why)
{
	return object_find(catalog->writer, sha256, known, why);
}

enum fault job_judged(
    struct catalog *catalog, const uint8_t sha256[SHA256_LEN], int64_t damaged, struct refusal *why)
{
	struct connection *c = catalog->writer;
	return sql_run(c, SQL_OBJECT_JUDGED, why, BIND(BYTES(sha256, SHA256_LEN), MOMENT(damaged)));
}

enum fault catalog_known(struct catalog *catalog, const uint8_t sha256[SHA256_LEN],
    struct known *known, struct refusal *why)
{
	*known = (struct known){0};
	return reader_rows(
	    catalog, SQL_OBJECT_FIND, known_row, known, why, BIND(BYTES(sha256, SHA256_LEN)));
}

enum fault catalog_any_unproved(
    struct catalog *catalog, int64_t boot, bool *any, struct refusal *why)
{
	int64_t found;
	enum fault f =
	    reader_read(catalog, SQL_OBJECTS_UNPROVED, &found, 1, why, BIND(NUMBER(boot)));

	*any = found != 0;
	return f;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static enum fault object_write(struct connection *c, enum statement which,
    const struct arrival *arrival, const struct known *now, struct refusal *why)
{
	return sql_run(c, which, why,
	    BIND(BYTES(arrival->file.sha256, SHA256_LEN), NUMBER(arrival->file.size),
		TEXT(arrival->file.type), NUMBER(arrival->magic), NUMBER(now->durable),
		NUMBER(now->boot)));
}

enum fault object_add(struct catalog *catalog, struct arrival *arrival, struct refusal *why)
{
	const struct store *store = catalog->store;
	struct connection *c = catalog->writer;
	struct known known, now;
	enum fault f = object_find(c, arrival->file.sha256, &known, why);

	if (!f)
		f = blob_link(
		    store, arrival->blob, arrival->file.sha256, &known, &arrival->link, why);
	if (f)
		return f;
	now = known;
	if (arrival->link != LINK_THERE) {
		catalog->linked = true;
		now.durable = store_syncs(store);
		now.boot = store->boot;
	}
	if (!known.found)
		return object_write(c, SQL_OBJECT_ADD, arrival, &now, why);
	if (arrival->link != LINK_THERE || known.magic != arrival->magic)
		return object_write(c, SQL_OBJECT_REFRESH, arrival, &now, why);
	return FAULT_NONE;
}

enum fault job_enter_object(
    struct catalog *catalog, const struct arrival *arrival, struct refusal *why)
{
	const struct known synced = {.durable = true};

	return object_write(catalog->writer, SQL_OBJECT_ADD, arrival, &synced, why);
}

/* ---- dropping -------------------------------------------------------------------------------- */

/*
 * commit.c drops them after COMMIT, if they still have no row then. The UPDATE is there so that
 * this transaction writes: a COMMIT that failed earlier may have left its frames in the WAL, to be
 * found by a recovery; once another was written over them they are gone for good, and the objects
 * that they spoke of are orphans beyond doubt.
 */
enum fault job_drop_orphans(
    struct catalog *catalog, const uint8_t (*sha256)[SHA256_LEN], size_t count, struct refusal *why)
{
	enum fault f =
	    sql_run(catalog->writer, SQL_STORE_SWEPT, why, BIND(NUMBER(clock_calendar())));

	for (size_t i = 0; i < count && !f; i++)
		catalog_drop(catalog, sha256[i]);
	return f;
}

enum fault job_resize(
    struct catalog *catalog, const uint8_t sha256[SHA256_LEN], int64_t size, struct refusal *why)
{
	return sql_run(
	    catalog->writer, SQL_MEND_OBJECT, why, BIND(BYTES(sha256, SHA256_LEN), NUMBER(size)));
}

static bool content_row(void *self, sqlite3_stmt *s)
{
	struct content *page = self;
	size_t i = page->count;

	page->count += column_bytes(s, 0, page->sha256[i], SHA256_LEN);
	page->size[i] = sqlite3_column_int64(s, 1);
	return true;
}

enum fault content_page(struct catalog *catalog, int64_t records, const uint8_t *after, size_t len,
    struct content *page, struct refusal *why)
{
	page->count = 0;
	return reader_rows(catalog, SQL_VERIFY_OBJECTS, content_row, page, why,
	    BIND(BYTES(after, len), NUMBER(EXPIRY_CHUNK), NUMBER(records)));
}
