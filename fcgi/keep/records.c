/*
 * records.c: files as rows: add, find, remove.
 */
#include "keep/catalog.h"
#include "shared/text.h"

#include <string.h>
#include <unistd.h>

/* ---- adding ---------------------------------------------------------------------------------- */

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
	sql_done(s);
	return FAULT_NONE;
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

static enum fault object_write(struct connection *c, enum statement which,
    const struct arrival *arrival, bool durable, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, which, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_bytes(s, 1, arrival->file.sha256, SHA256_LEN);
	bind_number(s, 2, arrival->file.size);
	bind_text(s, 3, arrival->file.type);
	bind_number(s, 4, arrival->magic);
	bind_number(s, 5, durable);
	return sql_finish(c, s, why);
}

/* The content: linked, and a row for it. */
static enum fault object_add(
    struct catalog *catalog, const struct keep *keep, struct arrival *arrival, struct refusal *why)
{
	struct connection *c = catalog->writer;
	bool durable = keep->config->durability == DURABILITY_FULL;
	struct known known;
	enum fault f = object_find(c, arrival->file.sha256, &known, why);

	if (f == FAULT_NONE)
		f = blob_link(keep, arrival->blob, arrival->file.sha256, durable, known.durable,
		    &arrival->link, why);
	if (f != FAULT_NONE)
		return f;
	if (arrival->link != LINK_THERE || !known.durable)
		catalog_linked(catalog);
	if (!known.found)
		return object_write(c, SQL_OBJECT_ADD, arrival, durable, why);
	if ((durable && !known.durable) || known.magic != arrival->magic)
		return object_write(c, SQL_OBJECT_REFRESH, arrival, durable, why);
	return FAULT_NONE;
}

enum fault object_enter(
    struct catalog *catalog, const struct arrival *arrival, struct refusal *why)
{
	return object_write(catalog->writer, SQL_OBJECT_ADD, arrival, true, why);
}

static enum fault file_add(
    struct connection *c, struct arrival *arrival, int64_t form, struct refusal *why)
{
	struct file *file = &arrival->file;
	char folded[2 * NAME_BYTES + 1];
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_FILE_ADD, &s, why);

	if (f != FAULT_NONE)
		return f;
	size_t len = text_fold(span_of(file->name), folded, sizeof folded);
	bind_text(s, 1, file->id);
	bind_time(s, 2, form);
	bind_text(s, 3, file->name);
	bind_span(s, 4, (struct span){folded, len});
	bind_number(s, 5, file->size);
	bind_text(s, 6, file->type);
	bind_text(s, 7, file->declared_type);
	bind_bytes(s, 8, file->sha256, SHA256_LEN);
	bind_text(s, 9, file->owner);
	bind_number(s, 10, file->uploaded_at);
	bind_time(s, 11, file->expires_at);
	bind_bytes(s, 12, arrival->delete_hash, SHA256_LEN);
	f = sql_finish(c, s, why);
	file->seq = sqlite3_last_insert_rowid(c->db);
	return f;
}

/* Once for all files of a form, of which this is the first. */
static enum fault form_add(struct connection *c, const struct file *first, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = FAULT_NONE;

	if (fields_bytes(first->fields) == 0)
		return FAULT_NONE;
	f = sql_prepare(c, SQL_FORM_ADD, &s, why);
	if (f != FAULT_NONE)
		return f;
	bind_number(s, 1, first->seq);
	bind_text(s, 2, first->owner);
	bind_text(s, 3, first->fields);
	return sql_finish(c, s, why);
}

static enum fault upload_end(struct connection *c, const char *id, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_UPLOAD_REMOVE, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_text(s, 1, id);
	return sql_finish(c, s, why);
}

/* Nothing refers to what this job linked: its rows are about to be rolled back, and the lock is
 * still held. */
static void unlink_made(const struct arrivals *all)
{
	char name[OBJECT_NAME];

	for (size_t i = 0; i < all->count; i++) {
		if (all->at[i].link != LINK_MADE)
			continue;
		object_name(all->at[i].file.sha256, name);
		unlinkat(all->keep->objects, name, 0);
	}
}

enum fault records_add(struct catalog *catalog, void *arrivals, struct refusal *why)
{
	struct arrivals *all = arrivals;
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < all->count && f == FAULT_NONE; i++) {
		f = object_add(catalog, all->keep, &all->at[i], why);
		if (f == FAULT_NONE)
			f = file_add(
			    catalog->writer, &all->at[i], i == 0 ? 0 : all->at[0].file.seq, why);
		if (f == FAULT_NONE && i == 0)
			f = form_add(catalog->writer, &all->at[0].file, why);
	}
	if (f == FAULT_NONE && all->end_upload != NULL)
		f = upload_end(catalog->writer, all->end_upload, why);
	if (f != FAULT_NONE)
		unlink_made(all);
	return f;
}

/* ---- finding --------------------------------------------------------------------------------- */

static enum fault find_on(
    struct connection *c, struct span id, struct files *files, struct refusal *why)
{
	sqlite3_stmt *s;
	bool more;
	enum fault f = sql_prepare(c, SQL_FILE_FIND, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_span(s, 1, id);
	f = files_read(c, s, 1, NULL, files, &more, why);
	if (f != FAULT_NONE)
		return f;
	if (files->count == 0)
		return refuse(why, FAULT_NOT_FOUND, NULL);
	int64_t expires_at = files->at[0].expires_at;
	if (expires_at != 0 && expires_at <= clock_calendar())
		return refuse(why, FAULT_EXPIRED, NULL);
	return FAULT_NONE;
}

enum fault keep_find(struct keep *keep, struct span id, struct files *files, struct refusal *why)
{
	enum fault f = files_make(files, 1, why);
	struct connection *c = f == FAULT_NONE ? reader_take(keep->catalog, why) : NULL;

	f = c == NULL ? FAULT_INTERNAL : find_on(c, id, files, why);
	if (c != NULL)
		reader_give(keep->catalog, c);
	if (f != FAULT_NONE && f != FAULT_EXPIRED)
		keep_release(files);
	return f;
}

static enum fault form_on(
    struct connection *c, struct span id, struct files *files, struct refusal *why)
{
	sqlite3_stmt *s;
	int64_t first;
	bool more;
	enum fault f = sql_prepare(c, SQL_FILE_FORM, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_span(s, 1, id);
	f = sql_numbers(c, s, &first, 1, why);
	if (f != FAULT_NONE)
		return f;
	if (first == 0)
		return refuse(why, FAULT_NOT_FOUND, NULL);
	f = sql_prepare(c, SQL_FORM_FIND, &s, why);
	if (f != FAULT_NONE)
		return f;
	bind_number(s, 1, first);
	bind_number(s, 2, clock_calendar());
	f = files_read(c, s, 1000, NULL, files, &more, why);
	if (f == FAULT_NONE && files->count == 0)
		return refuse(why, FAULT_EXPIRED, NULL);
	return f;
}

enum fault keep_find_form(
    struct keep *keep, struct span id, struct files *files, struct refusal *why)
{
	enum fault f = files_make(files, 1000, why);
	struct connection *c = f == FAULT_NONE ? reader_take(keep->catalog, why) : NULL;

	f = c == NULL ? FAULT_INTERNAL : form_on(c, id, files, why);
	if (c != NULL)
		reader_give(keep->catalog, c);
	if (f != FAULT_NONE)
		keep_release(files);
	return f;
}

/* ---- removing -------------------------------------------------------------------------------- */

enum fault record_remove(
    struct catalog *catalog, struct span id, int64_t *freed, struct refusal *why)
{
	struct connection *c = catalog->writer;
	uint8_t sha256[SHA256_LEN];
	sqlite3_stmt *s;
	bool row;
	enum fault f = sql_prepare(c, SQL_FILE_REMOVE, &s, why);

	*freed = 0;
	if (f != FAULT_NONE)
		return f;
	bind_span(s, 1, id);
	f = sql_step(c, s, &row, why);
	if (f != FAULT_NONE)
		return f;
	if (!row)
		return refuse(why, FAULT_NOT_FOUND, NULL);
	bool whole = column_bytes(s, 0, sha256, SHA256_LEN);
	f = sql_finish(c, s, why);
	if (f != FAULT_NONE || !whole)
		return f;
	f = sql_prepare(c, SQL_OBJECT_FORGET, &s, why);
	if (f != FAULT_NONE)
		return f;
	bind_bytes(s, 1, sha256, SHA256_LEN);
	f = sql_step(c, s, &row, why);
	if (f != FAULT_NONE || !row)
		return f;
	*freed = sqlite3_column_int64(s, 0);
	catalog_drop(catalog, sha256);
	return sql_finish(c, s, why);
}

static enum fault run_remove(struct catalog *catalog, void *id, struct refusal *why)
{
	int64_t freed;

	return record_remove(catalog, *(struct span *)id, &freed, why);
}

enum fault keep_remove(struct keep *keep, struct span id, struct refusal *why)
{
	return catalog_commit(keep->catalog, run_remove, &id, why);
}
