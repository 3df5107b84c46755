/*
 * enter.c: resumable uploads enter the catalog, and leave it as files.
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"

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
	size_t whole_len = claim_store(&row->whole, whole);

	/* As for SQL_UPLOAD_DONE: what is a file already has its fields there, and they are paid for. */
	return sql_run(c, SQL_UPLOAD_ADD, why,
	    BIND(TEXT(row->id), NUMBER(row->protocol), NUMBER(row->state), NUMBER(row->concat),
		TEXT(row->owner), TEXT(row->name), TEXT(row->declared_type),
		TEXT(row->state == UPLOAD_DONE ? NO_FIELDS : row->fields), TEXT(row->metadata),
		TEXT(row->parts), LENGTH(row->length), NUMBER(row->offset), NUMBER(row->allocated),
		NUMBER(row->created_at), MOMENT(row->expires_at), MOMENT(row->lasts),
		BYTES(whole_len > 0 ? whole : NULL, whole_len), BYTES(row->digest, row->digest_len),
		NUMBER(row->quota), SPAN(row->owner == NULL ? address : (struct span){NULL, 0}),
		NUMBER(row->durable), NUMBER(row->boot), TEXT(row->client), TEXT(row->path)));
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
	enum fault f = sql_read(
	    c, SQL_UPLOAD_COUNT, &count, 1, why, BIND(TEXT(a->row->owner), SPAN(a->address)));

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
	return reader_read(
	    catalog, SQL_UPLOAD_QUOTA, quota, 1, why, BIND(TEXT(row->owner), NUMBER(row->quota)));
}

/* ---- finishing ------------------------------------------------------------------------------- */

static enum fault done_on(struct connection *c, const struct resumable *row, struct refusal *why)
{
	return row_changed(c, SQL_UPLOAD_DONE, why,
	    BIND(TEXT(row->id), NUMBER(row->epoch), NUMBER(row->length), MOMENT(row->expires_at)));
}

static enum fault use_part(
    struct connection *c, const struct finish *finish, struct span id, struct refusal *why)
{
	return row_changed(c, SQL_UPLOAD_USE, why,
	    BIND(SPAN(id), NUMBER(finish->parts_expire_at), TEXT(finish->row->id)));
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
