/*
 * objects.c: content as rows: what is known of it, and how it is added.
 */
#include "keep/catalog.h"
#include "shared/text.h"

/* ---- what is known --------------------------------------------------------------------------- */

enum fault object_find(
    struct connection *c, const uint8_t *sha256, struct known *known, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_OBJECT_FIND, &s, why);

	*known = (struct known){0};
	if (f != FAULT_NONE)
		return f;
	bind_bytes(s, 1, sha256, SHA256_LEN);
	f = sql_step(c, s, &known->found, why);
	if (f != FAULT_NONE || !known->found)
		return f;
	known->size = sqlite3_column_int64(s, 0);
	span_copy(known->type, sizeof known->type, column_span(s, 1));
	known->magic = sqlite3_column_int(s, 2);
	known->durable = sqlite3_column_int(s, 3) != 0;
	known->boot = sqlite3_column_int64(s, 4);
	known->damaged = sqlite3_column_int64(s, 5);
	sql_done(s);
	return FAULT_NONE;
}

enum fault object_judged(
    struct connection *c, const uint8_t *sha256, int64_t damaged, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_OBJECT_JUDGED, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_bytes(s, 1, sha256, SHA256_LEN);
	bind_time(s, 2, damaged);
	return sql_finish(c, s, why);
}

enum fault records_known(struct catalog *catalog, const uint8_t sha256[SHA256_LEN],
    struct known *known, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);

	*known = (struct known){0};
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = object_find(c, sha256, known, why);
	reader_give(catalog, c);
	return f;
}

enum fault records_any_unproved(
    struct catalog *catalog, int64_t boot, bool *any, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);
	int64_t found = 0;
	sqlite3_stmt *s;

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_prepare(c, SQL_OBJECTS_UNPROVED, &s, why);
	if (f == FAULT_NONE) {
		bind_number(s, 1, boot);
		f = sql_numbers(c, s, &found, 1, why);
	}
	reader_give(catalog, c);
	*any = found != 0;
	return f;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static enum fault object_write(struct connection *c, enum statement which,
    const struct arrival *arrival, const struct known *now, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, which, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_bytes(s, 1, arrival->file.sha256, SHA256_LEN);
	bind_number(s, 2, arrival->file.size);
	bind_text(s, 3, arrival->file.type);
	bind_number(s, 4, arrival->magic);
	bind_number(s, 5, now->durable);
	bind_number(s, 6, now->boot);
	return sql_finish(c, s, why);
}

enum fault object_add(
    struct catalog *catalog, const struct keep *keep, struct arrival *arrival, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct known known, now;
	enum fault f = object_find(c, arrival->file.sha256, &known, why);

	if (f == FAULT_NONE)
		f = blob_link(
		    keep, arrival->blob, arrival->file.sha256, &known, &arrival->link, why);
	if (f != FAULT_NONE)
		return f;
	now = known;
	if (arrival->link != LINK_THERE) {
		catalog_linked(catalog);
		now.durable = keep->config->durability == DURABILITY_FULL;
		now.boot = keep->boot;
	}
	if (!known.found)
		return object_write(c, SQL_OBJECT_ADD, arrival, &now, why);
	if (arrival->link != LINK_THERE || known.magic != arrival->magic)
		return object_write(c, SQL_OBJECT_REFRESH, arrival, &now, why);
	return FAULT_NONE;
}

enum fault object_enter(
    struct catalog *catalog, const struct arrival *arrival, struct refusal *why)
{
	const struct known synced = {.durable = true};

	return object_write(catalog->writer, SQL_OBJECT_ADD, arrival, &synced, why);
}
