/*
 * uploads_enter.c: resumable uploads enter the catalog, and leave it as files.
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/text.h"

#include <string.h>

/* ---- a row ----------------------------------------------------------------------------------- */

static size_t claim_store(const struct claim *claim, uint8_t to[65])
{
	size_t len = digest_length(claim->algorithm);

	to[0] = (uint8_t)claim->algorithm;
	memcpy(to + 1, claim->value, len);
	return claim->algorithm == DIGEST_NONE ? 0 : len + 1;
}

static enum fault add_on(
    struct connection *c, const struct resumable *row, struct span address, struct refusal *why)
{
	uint8_t whole[65];
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_ADD, &s, why);

	if (f)
		return f;
	size_t whole_len = claim_store(&row->whole, whole);
	bind_text(s, 1, row->id);
	bind_number(s, 2, row->protocol);
	bind_number(s, 3, row->state);
	bind_number(s, 4, row->concat);
	bind_text(s, 5, row->owner);
	bind_text(s, 6, row->name);
	bind_text(s, 7, row->declared_type);
	/* As for SQL_UPLOAD_DONE: what is a file already has its fields there, and they are paid for. */
	bind_text(s, 8, row->state == UPLOAD_DONE ? NO_FIELDS : row->fields);
	bind_text(s, 9, row->metadata);
	bind_text(s, 10, row->parts);
	bind_length(s, 11, row->length);
	bind_number(s, 12, row->offset);
	bind_number(s, 13, row->allocated);
	bind_number(s, 14, row->created_at);
	bind_time(s, 15, row->expires_at);
	bind_time(s, 16, row->lasts);
	bind_bytes(s, 17, whole_len > 0 ? whole : NULL, whole_len);
	bind_bytes(s, 18, row->digest, row->digest_len);
	bind_number(s, 19, row->quota);
	bind_span(s, 20, row->owner == NULL ? address : (struct span){NULL, 0});
	bind_number(s, 21, row->durable);
	bind_number(s, 22, row->boot);
	bind_text(s, 23, row->client);
	bind_text(s, 24, row->path);
	return sql_finish(c, s, why);
}

/* ---- one more -------------------------------------------------------------------------------- */

/* A row that may be one too many. */
struct addition {
	const struct resumable *row;
	struct span address;
	int64_t most;
};

static enum fault count_on(struct connection *c, const struct addition *a, struct refusal *why)
{
	int64_t count;
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_COUNT, &s, why);

	if (f)
		return f;
	bind_text(s, 1, a->row->owner);
	bind_span(s, 2, a->address);
	f = sql_numbers(c, s, &count, 1, why);
	if (f || count < a->most)
		return f;
	return refuse(why, FAULT_QUOTA_EXCEEDED,
	    "There are %lld unfinished uploads of yours already, and no more than %lld may be. Finish "
	    "or end some of them first.",
	    (long long)count, (long long)a->most);
}

/* Under the write lock nobody else adds one between the count and the row. */
static enum fault run_add(struct catalog *catalog, void *self, struct refusal *why)
{
	const struct addition *a = self;
	enum fault f = count_on(catalog->writer, a, why);

	return f ? f : add_on(catalog->writer, a->row, a->address, why);
}

enum fault resumable_add(struct catalog *catalog, const struct resumable *row, struct span address,
    int64_t most, struct refusal *why)
{
	struct addition a = {row, address, most};

	return catalog_commit(catalog, run_add, &a, why);
}

enum fault resumable_may_be_added(struct catalog *catalog, const struct resumable *row,
    struct span address, int64_t most, struct refusal *why)
{
	const struct addition a = {row, address, most};
	struct connection *c = reader_take(catalog, why);

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = count_on(c, &a, why);
	reader_give(catalog, c);
	return f;
}

enum fault resumable_quota(
    struct catalog *catalog, const struct resumable *row, int64_t *quota, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);
	sqlite3_stmt *s;

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_prepare(c, SQL_UPLOAD_QUOTA, &s, why);
	if (!f) {
		bind_text(s, 1, row->owner);
		bind_number(s, 2, row->quota);
		f = sql_numbers(c, s, quota, 1, why);
	}
	reader_give(catalog, c);
	return f;
}

/* ---- finishing ------------------------------------------------------------------------------- */

static enum fault done_on(struct connection *c, const struct resumable *row, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_DONE, &s, why);

	if (f)
		return f;
	bind_text(s, 1, row->id);
	bind_number(s, 2, row->claim);
	bind_number(s, 3, row->length);
	bind_time(s, 4, row->expires_at);
	return row_step(c, s, why);
}

static enum fault use_part(
    struct connection *c, const struct finish *finish, struct span id, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_USE, &s, why);

	if (f)
		return f;
	bind_span(s, 1, id);
	bind_number(s, 2, finish->parts_expire_at);
	bind_text(s, 3, finish->row->id);
	return row_step(c, s, why);
}

static enum fault run_finish(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct finish *finish = self;
	enum fault f;

	if (finish->row->concat == CONCAT_FINAL)
		f = add_on(c, finish->row, (struct span){NULL, 0}, why);
	else
		f = done_on(c, finish->row, why);
	for (size_t i = 0; i < finish->parts_count && !f; i++)
		f = use_part(c, finish, finish->parts[i], why);
	/* Last, because it links objects, which nothing after it may undo. */
	return f ? f : records_add(catalog, finish->arrivals, why);
}

enum fault resumable_finish(struct catalog *catalog, struct finish *finish, struct refusal *why)
{
	return catalog_commit(catalog, run_finish, finish, why);
}
