/*
 * uploads.c: resumable uploads as rows: found, changed, removed.
 */
#include "catalog/uploads.h"
#include "catalog/sqlite/sqlite.h"
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

/* A text column on loan. False: no memory. */
static bool text_read(sqlite3_stmt *s, int at, struct resumable *row, const char **to)
{
	struct span text = column_span(s, at);

	*to = files_text(&row->texts, text);
	return *to != NULL || text.at == NULL;
}

/* In the order of UPLOAD_COLUMNS. */
static bool row_read(sqlite3_stmt *s, struct resumable *row)
{
	memset(row, 0, sizeof *row);
	span_copy(row->id, sizeof row->id, column_span(s, 0));
	row->protocol = (enum protocol)sqlite3_column_int(s, 1);
	row->state = (enum upload_state)sqlite3_column_int(s, 2);
	row->concat = (enum concat)sqlite3_column_int(s, 3);
	bool whole = text_read(s, 4, row, &row->owner) && text_read(s, 5, row, &row->name) &&
		     text_read(s, 6, row, &row->declared_type) &&
		     text_read(s, 7, row, &row->fields) && text_read(s, 8, row, &row->metadata) &&
		     text_read(s, 9, row, &row->parts) && text_read(s, 23, row, &row->client) &&
		     text_read(s, 24, row, &row->path);
	row->length = sqlite3_column_type(s, 10) == SQLITE_NULL ? -1 : sqlite3_column_int64(s, 10);
	row->offset = sqlite3_column_int64(s, 11);
	row->allocated = sqlite3_column_int64(s, 12);
	row->created_at = sqlite3_column_int64(s, 13);
	row->expires_at = sqlite3_column_int64(s, 14);
	row->lasts = sqlite3_column_int64(s, 15);
	row->epoch = sqlite3_column_int64(s, 16);
	claim_read(s, 17, &row->whole);
	span_copy(row->type, sizeof row->type, column_span(s, 18));
	row->durable = sqlite3_column_int(s, 21) != 0;
	row->boot = sqlite3_column_int64(s, 22);
	row->digest_len = (size_t)sqlite3_column_bytes(s, 19);
	if (row->digest_len > sizeof row->digest)
		row->digest_len = 0;
	if (row->digest_len > 0)
		memcpy(row->digest, sqlite3_column_blob(s, 19), row->digest_len);
	row->quota = sqlite3_column_int64(s, 20);
	return whole && row->name != NULL && row->fields != NULL;
}

struct reading {
	struct resumable *row;
	bool there, whole;
};

static bool upload_row(void *self, sqlite3_stmt *s)
{
	struct reading *reading = self;

	reading->there = true;
	reading->whole = row_read(s, reading->row);
	return false;
}

static enum fault read_one(struct catalog *catalog, enum statement which, struct resumable *row,
    bool *there, struct refusal *why, struct values values)
{
	struct reading reading = {.row = row};
	enum fault f = reader_rows(catalog, which, upload_row, &reading, why, values);

	*there = reading.there;
	if (f || reading.whole || !reading.there)
		return f;
	resumable_release(row);
	return refuse(why, FAULT_INTERNAL, NULL);
}

static enum fault no_such(struct refusal *why)
{
	return refuse(why, FAULT_NOT_FOUND, "There is no such upload.");
}

enum fault resumable_find(
    struct catalog *catalog, struct span id, struct resumable *row, struct refusal *why)
{
	bool there;
	enum fault f = read_one(catalog, SQL_UPLOAD_FIND, row, &there, why, BIND(SPAN(id)));

	return f || there ? f : no_such(why);
}

enum fault resumable_each(
    struct catalog *catalog, resumable_visitor *visit, void *self, struct refusal *why)
{
	struct resumable row = {.id = ""};
	char after[sizeof row.id];
	bool there;

	for (;;) {
		memcpy(after, row.id, sizeof after);
		enum fault f =
		    read_one(catalog, SQL_UPLOAD_NEXT, &row, &there, why, BIND(TEXT(after)));
		if (f || !there)
			return f;
		visit(self, &row);
		resumable_release(&row);
	}
}

/* ---- changing -------------------------------------------------------------------------------- */

static enum fault lost(struct refusal *why)
{
	return refuse(why, FAULT_LOCKED,
	    "Another request has taken this upload over or ended it. Ask for its offset with "
	    "HEAD.");
}

enum fault row_changed(
    struct connection *c, enum statement which, struct refusal *why, struct values values)
{
	enum fault f = sql_run(c, which, why, values);

	return !f && sqlite3_changes(c->db) == 0 ? lost(why) : f;
}

/* The same, as a job of its own. */
static enum fault change(
    struct catalog *catalog, enum statement which, struct refusal *why, struct values values)
{
	enum fault f = commit_one(catalog, which, FAULT_LOCKED, why, values);

	return f == FAULT_LOCKED ? lost(why) : f;
}

enum fault resumable_update(
    struct catalog *catalog, const struct resumable *row, struct refusal *why)
{
	return change(catalog, SQL_UPLOAD_UPDATE, why,
	    BIND(TEXT(row->id), NUMBER(row->epoch), LENGTH(row->length), NUMBER(row->offset),
		BYTES(row->digest, row->digest_len), TEXT(row->type[0] != '\0' ? row->type : NULL),
		NUMBER(row->allocated), MOMENT(row->expires_at), NUMBER(row->durable),
		NUMBER(row->boot)));
}

enum fault resumable_prolong(
    struct catalog *catalog, const struct resumable *row, struct refusal *why)
{
	return change(catalog, SQL_UPLOAD_PROLONG, why,
	    BIND(TEXT(row->id), NUMBER(row->epoch), MOMENT(row->expires_at)));
}

enum fault resumable_proved(
    struct catalog *catalog, const struct resumable *row, struct refusal *why)
{
	return commit_one(catalog, SQL_UPLOAD_PROVED, FAULT_NONE, why,
	    BIND(TEXT(row->id), NUMBER(row->offset), NUMBER(row->boot)));
}

/* Nobody pays for what is remembered of it: as little as it takes to say so, and not for ever. */
enum fault resumable_end(
    struct catalog *catalog, struct span id, int64_t forget_at, struct refusal *why)
{
	return commit_one(
	    catalog, SQL_UPLOAD_END, FAULT_NONE, why, BIND(SPAN(id), NUMBER(forget_at)));
}

static bool presence_row(void *self, sqlite3_stmt *s)
{
	*(bool *)self = true;
	return false;
}

/* A request that adds the last bytes may have made a file of it since it was looked at. */
static enum fault run_remove(struct catalog *catalog, void *id, struct refusal *why)
{
	struct connection *c = catalog->writer;
	const struct values values = BIND(SPAN(*(struct span *)id));
	bool there = false;
	enum fault f = sql_run(c, SQL_UPLOAD_REMOVE, why, values);

	if (f || sqlite3_changes(c->db) > 0)
		return f;
	f = sql_rows(c, SQL_UPLOAD_FIND, presence_row, &there, why, values);
	if (f)
		return f;
	return there ? refuse(why, FAULT_FINISHED, NULL) : no_such(why);
}

enum fault resumable_remove(struct catalog *catalog, struct span id, struct refusal *why)
{
	return catalog_commit(catalog, run_remove, &id, why);
}

enum fault resumable_shut_out(struct catalog *catalog, struct span id, struct refusal *why)
{
	return commit_one(catalog, SQL_UPLOAD_SHUT_OUT, FAULT_NONE, why, BIND(SPAN(id)));
}
