/*
 * uploads.c: resumable uploads as rows: add, find, change, finish.
 */
#include "keep/uploads.h"
#include "keep/catalog.h"
#include "shared/text.h"

#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

/* A claim as stored: one byte of algorithm, then its value. */
static void claim_read(sqlite3_stmt *s, int at, struct claim *claim)
{
	const uint8_t *bytes = sqlite3_column_blob(s, at);
	size_t len = (size_t)sqlite3_column_bytes(s, at);

	*claim = (struct claim){.algorithm = DIGEST_NONE};
	if (bytes == NULL || len < 1 || bytes[0] > DIGEST_SHA512 ||
	    digest_length(bytes[0]) != len - 1)
		return;
	claim->algorithm = bytes[0];
	memcpy(claim->value, bytes + 1, len - 1);
}

static size_t claim_store(const struct claim *claim, uint8_t to[65])
{
	size_t len = digest_length(claim->algorithm);

	to[0] = (uint8_t)claim->algorithm;
	memcpy(to + 1, claim->value, len);
	return claim->algorithm == DIGEST_NONE ? 0 : len + 1;
}

/* A text column on loan. False: no memory. */
static bool text_read(sqlite3_stmt *s, int at, struct partial_row *row, const char **to)
{
	struct span text = column_span(s, at);

	*to = files_text(&row->texts, text);
	return *to != NULL || text.at == NULL;
}

/* In the order of UPLOAD_COLUMNS. */
static bool row_read(sqlite3_stmt *s, struct partial_row *row)
{
	memset(row, 0, sizeof *row);
	span_copy(row->id, sizeof row->id, column_span(s, 0));
	row->protocol = (enum protocol)sqlite3_column_int(s, 1);
	row->state = (enum partial_state)sqlite3_column_int(s, 2);
	row->concat = (enum partial_concat)sqlite3_column_int(s, 3);
	bool whole = text_read(s, 4, row, &row->owner) && text_read(s, 5, row, &row->name) &&
		     text_read(s, 6, row, &row->declared_type) &&
		     text_read(s, 7, row, &row->fields) && text_read(s, 8, row, &row->metadata) &&
		     text_read(s, 9, row, &row->parts);
	row->length = sqlite3_column_type(s, 10) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 10);
	row->offset = sqlite3_column_int64(s, 11);
	row->allocated = sqlite3_column_int64(s, 12);
	row->created_at = sqlite3_column_int64(s, 13);
	row->expires_at = sqlite3_column_int64(s, 14);
	row->lasts = sqlite3_column_int64(s, 15);
	row->claim = sqlite3_column_int64(s, 16);
	claim_read(s, 17, &row->whole);
	span_copy(row->type, sizeof row->type, column_span(s, 18));
	row->digest_len = (size_t)sqlite3_column_bytes(s, 19);
	if (row->digest_len > sizeof row->digest)
		row->digest_len = 0;
	if (row->digest_len > 0)
		memcpy(row->digest, sqlite3_column_blob(s, 19), row->digest_len);
	return whole && row->name != NULL && row->fields != NULL;
}

static enum fault find_on(
    struct connection *c, struct span id, struct partial_row *row, struct refusal *why)
{
	sqlite3_stmt *s;
	bool there = false;
	enum fault f = sql_prepare(c, SQL_UPLOAD_FIND, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_span(s, 1, id);
	f = sql_step(c, s, &there, why);
	if (f != FAULT_NONE)
		return f;
	if (!there)
		return refuse(why, FAULT_NOT_FOUND, "There is no such upload.");
	bool whole = row_read(s, row);
	sql_done(s);
	if (whole)
		return FAULT_NONE;
	partial_release(row);
	return refuse(why, FAULT_INTERNAL, NULL);
}

enum fault row_find(
    struct catalog *catalog, struct span id, struct partial_row *row, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = find_on(c, id, row, why);
	reader_give(catalog, c);
	return f;
}

void partial_release(struct partial_row *row)
{
	keep_release(&row->texts);
}

/* Row by row, each in a transaction of its own, so that the visitor may take its time. */
enum fault keep_partial_each(
    struct keep *keep, partial_visitor *visit, void *self, struct refusal *why)
{
	struct partial_row row = {.id = ""};
	enum fault f = FAULT_NONE;
	bool there = true;

	while (f == FAULT_NONE) {
		struct connection *c = reader_take(keep->catalog, why);
		sqlite3_stmt *s;
		char after[ID_LEN + 1];
		memcpy(after, row.id, sizeof after);
		if (c == NULL)
			return FAULT_INTERNAL;
		f = sql_prepare(c, SQL_UPLOAD_NEXT, &s, why);
		if (f == FAULT_NONE) {
			bind_text(s, 1, after);
			f = sql_step(c, s, &there, why);
		}
		if (f == FAULT_NONE && there) {
			if (!row_read(s, &row))
				f = refuse(why, FAULT_INTERNAL, NULL);
			sql_done(s);
		}
		reader_give(keep->catalog, c);
		if (f != FAULT_NONE || !there)
			break;
		visit(self, &row);
		partial_release(&row);
	}
	return f;
}

/* ---- changing -------------------------------------------------------------------------------- */

/* A job about one row. */
struct change {
	const struct partial_row *row;
	struct span id;
	enum statement which;
};

static enum fault lost(struct refusal *why)
{
	return refuse(why, FAULT_LOCKED,
	    "Another request has taken this upload over or ended it. Ask for its offset with "
	    "HEAD.");
}

/* Step to the end; LOCKED when no row was changed. */
static enum fault finish_one(struct connection *c, sqlite3_stmt *s, struct refusal *why)
{
	enum fault f = sql_finish(c, s, why);

	if (f == FAULT_NONE && sqlite3_changes(c->db) == 0)
		return lost(why);
	return f;
}

static void bind_length(sqlite3_stmt *s, int at, int64_t length)
{
	if (length < 0)
		sqlite3_bind_null(s, at);
	else
		bind_number(s, at, length);
}

static enum fault add_on(struct connection *c, const struct partial_row *row, struct refusal *why)
{
	uint8_t whole[65];
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_ADD, &s, why);

	if (f != FAULT_NONE)
		return f;
	size_t whole_len = claim_store(&row->whole, whole);
	bind_text(s, 1, row->id);
	bind_number(s, 2, row->protocol);
	bind_number(s, 3, row->state);
	bind_number(s, 4, row->concat);
	bind_text(s, 5, row->owner);
	bind_text(s, 6, row->name);
	bind_text(s, 7, row->declared_type);
	bind_text(s, 8, row->fields);
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
	return sql_finish(c, s, why);
}

static enum fault run_add(struct catalog *catalog, void *self, struct refusal *why)
{
	return add_on(catalog->writer, self, why);
}

enum fault row_add(struct catalog *catalog, const struct partial_row *row, struct refusal *why)
{
	return catalog_commit(catalog, run_add, (void *)(uintptr_t)row, why);
}

static enum fault run_update(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	const struct partial_row *row = self;
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_UPDATE, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_text(s, 1, row->id);
	bind_number(s, 2, row->claim);
	bind_length(s, 3, row->length);
	bind_number(s, 4, row->offset);
	bind_bytes(s, 5, row->digest, row->digest_len);
	bind_text(s, 6, row->type[0] != '\0' ? row->type : NULL);
	bind_number(s, 7, row->allocated);
	bind_time(s, 8, row->expires_at);
	return finish_one(c, s, why);
}

enum fault row_update(struct catalog *catalog, const struct partial_row *row, struct refusal *why)
{
	return catalog_commit(catalog, run_update, (void *)(uintptr_t)row, why);
}

/* Statements whose only parameter is the id. */
static enum fault run_by_id(struct catalog *catalog, void *self, struct refusal *why)
{
	const struct change *change = self;
	sqlite3_stmt *s;
	enum fault f = sql_prepare(catalog->writer, change->which, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_span(s, 1, change->id);
	return sql_finish(catalog->writer, s, why);
}

enum fault row_end(struct catalog *catalog, struct span id, struct refusal *why)
{
	struct change change = {.id = id, .which = SQL_UPLOAD_END};

	return catalog_commit(catalog, run_by_id, &change, why);
}

enum fault row_remove(struct catalog *catalog, struct span id, struct refusal *why)
{
	struct change change = {.id = id, .which = SQL_UPLOAD_REMOVE};

	return catalog_commit(catalog, run_by_id, &change, why);
}

enum fault row_shut_out(struct catalog *catalog, struct span id, struct refusal *why)
{
	struct change change = {.id = id, .which = SQL_UPLOAD_SHUT_OUT};

	return catalog_commit(catalog, run_by_id, &change, why);
}

/* ---- finishing ------------------------------------------------------------------------------- */

static enum fault done_on(struct connection *c, const struct partial_row *row, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_DONE, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_text(s, 1, row->id);
	bind_number(s, 2, row->claim);
	bind_number(s, 3, row->length);
	bind_time(s, 4, row->expires_at);
	return finish_one(c, s, why);
}

static enum fault use_part(
    struct connection *c, struct span id, int64_t expires_at, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_USE, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_span(s, 1, id);
	bind_number(s, 2, expires_at);
	return sql_finish(c, s, why);
}

static enum fault run_finish(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct finish *finish = self;
	enum fault f;

	if (finish->row->concat == PARTIAL_FINAL)
		f = add_on(c, finish->row, why);
	else
		f = done_on(c, finish->row, why);
	for (size_t i = 0; i < finish->parts_count && f == FAULT_NONE; i++)
		f = use_part(c, finish->parts[i], finish->parts_expire_at, why);
	/* Last, because it links objects, which nothing after it may undo. */
	return f != FAULT_NONE ? f : records_add(catalog, finish->arrivals, why);
}

enum fault row_finish(struct catalog *catalog, struct finish *finish, struct refusal *why)
{
	return catalog_commit(catalog, run_finish, finish, why);
}

/* ---- what they promise ----------------------------------------------------------------------- */

enum fault uploads_promised(struct catalog *catalog, struct span owner, int64_t *total,
    int64_t *owner_total, int64_t *pending, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);
	int64_t sum[3] = {0};
	sqlite3_stmt *s;

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_prepare(c, SQL_UPLOAD_SUMS, &s, why);
	if (f == FAULT_NONE) {
		bind_span(s, 1, owner);
		f = sql_numbers(c, s, sum, 3, why);
	}
	reader_give(catalog, c);
	*total = sum[0];
	*owner_total = sum[1];
	*pending = sum[2];
	return f;
}
