/*
 * records.c: files as rows: find, add, remove.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

#include <string.h>

enum { FORM_FILES = 1000 /* of one form, at most, that are found by one of them */ };

/* ---- reading --------------------------------------------------------------------------------- */

/* Those of the row before, where it is of the same form: a copy for each would be no loan but a
 * burden. Most forms have none. */
static const char *fields_read(sqlite3_stmt *s, struct files *files, int64_t *form)
{
	int64_t before = *form;

	*form = sqlite3_column_int64(s, 10);
	if (*form == before && files->count > 1)
		return files->at[files->count - 2].fields;
	if (sqlite3_column_type(s, 11) == SQLITE_NULL)
		return NO_FIELDS;
	return files_text(files, column_span(s, 11));
}

/* In the order of FILE_COLUMNS. False: no memory, or a row that we cannot have written. *form: of
 * the row before, then of this one. */
static bool file_read(sqlite3_stmt *s, struct files *files, int64_t *form)
{
	struct file *f = &files->at[files->count++];

	f->seq = sqlite3_column_int64(s, 0);
	f->id = files_text(files, column_span(s, 1));
	f->name = files_text(files, column_span(s, 2));
	f->size = sqlite3_column_int64(s, 3);
	f->type = files_text(files, column_span(s, 4));
	f->declared_type = files_text(files, column_span(s, 5));
	f->owner = files_text(files, column_span(s, 7));
	f->uploaded_at = sqlite3_column_int64(s, 8);
	f->expires_at = sqlite3_column_int64(s, 9);
	f->address = files_text(files, column_span(s, 12));
	f->path = files_text(files, column_span(s, 13));
	f->fields = fields_read(s, files, form);
	return column_bytes(s, 6, f->sha256, SHA256_LEN) && f->id != NULL && f->name != NULL &&
	       f->type != NULL && f->fields != NULL;
}

/* A record as JSON: to the safe side, since it is reply/ that writes it. */
static size_t weight(const struct file *file)
{
	return text_json_length(span_of(file->name)) + text_json_length(span_of(file->type)) +
	       text_json_length(span_of(file->declared_type)) +
	       text_json_length(span_of(file->owner)) + text_json_length(span_of(file->path)) +
	       text_json_length(span_of(file->address)) + strlen(file->fields);
}

/* Take the last record back if it is too much, and not the only one. */
static bool over_budget(struct page *page)
{
	struct files *files = page->files;

	if (page->each == 0)
		return false;
	size_t more = page->each + weight(&files->at[files->count - 1]);
	bool over = more > page->left && files->count > 1;
	page->left -= more < page->left ? more : page->left;
	files->count -= over;
	return over;
}

bool page_row(void *self, sqlite3_stmt *s)
{
	struct page *page = self;

	page->more = page->files->count == page->files->room;
	if (!page->more && !file_read(s, page->files, &page->form))
		page->fault = refuse(page->why, FAULT_INTERNAL, NULL);
	else if (!page->more)
		page->more = over_budget(page);
	return !page->fault && !page->more;
}

/* ---- finding --------------------------------------------------------------------------------- */

enum fault catalog_find(
    struct catalog *catalog, struct span id, struct files *files, struct refusal *why)
{
	struct page page = {.files = files, .why = why};
	enum fault f = files_make(files, 1, why);

	if (!f)
		f = reader_rows(catalog, SQL_FILE_FIND, page_row, &page, why, BIND(SPAN(id)));
	if (!f)
		f = page.fault;
	if (!f && files->count == 0)
		f = refuse(why, FAULT_NOT_FOUND, NULL);
	if (!f && clock_has_passed(files->at[0].expires_at))
		return refuse(why, FAULT_EXPIRED, NULL);
	if (f)
		files_release(files);
	return f;
}

static enum fault form_on(
    struct connection *c, struct span id, struct files *files, struct refusal *why)
{
	struct page page = {.files = files, .why = why};
	int64_t first;
	enum fault f = sql_read(c, SQL_FILE_FORM, &first, 1, why, BIND(SPAN(id)));

	if (f)
		return f;
	if (first == 0)
		return refuse(why, FAULT_NOT_FOUND, NULL);
	f = files_make(files, FORM_FILES, why);
	if (!f)
		f = sql_rows(c, SQL_FORM_FIND, page_row, &page, why,
		    BIND(NUMBER(first), NUMBER(clock_calendar())));
	if (!f)
		f = page.fault;
	return !f && files->count == 0 ? refuse(why, FAULT_EXPIRED, NULL) : f;
}

enum fault catalog_find_form(
    struct catalog *catalog, struct span id, struct files *files, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);

	*files = (struct files){0};
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = form_on(c, id, files, why);
	reader_give(catalog, c);
	if (f)
		files_release(files);
	return f;
}

enum fault catalog_page(
    struct catalog *catalog, int64_t after, size_t limit, struct files *files, struct refusal *why)
{
	struct page page = {.files = files, .why = why};
	enum fault f = files_make(files, limit, why);

	if (!f)
		f = reader_rows(catalog, SQL_VERIFY_FILES, page_row, &page, why,
		    BIND(NUMBER(after), NUMBER((int64_t)limit)));
	return !f ? page.fault : f;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static enum fault file_add(struct connection *c, struct arrival *arrival, int64_t form,
    const uint8_t *key_hash, struct refusal *why)
{
	struct file *file = &arrival->file;
	char folded[2 * NAME_BYTES + 1];
	size_t len = text_fold(span_of(file->name), folded, sizeof folded);
	enum fault f = sql_run(c, SQL_FILE_ADD, why,
	    BIND(TEXT(file->id), MOMENT(form), TEXT(file->name), SPAN((struct span){folded, len}),
		NUMBER(file->size), TEXT(file->type), TEXT(file->declared_type),
		BYTES(file->sha256, SHA256_LEN), TEXT(file->owner), NUMBER(file->uploaded_at),
		MOMENT(file->expires_at), BYTES(arrival->delete_hash, SHA256_LEN),
		TEXT(file->address), TEXT(file->path), BYTES(key_hash, SHA256_LEN)));

	file->seq = sqlite3_last_insert_rowid(c->db);
	return f;
}

/* Once for all files of a form, of which this is the first. */
static enum fault form_add(struct connection *c, const struct file *first, struct refusal *why)
{
	if (fields_bytes(first->fields) == 0)
		return FAULT_NONE;
	return sql_run(c, SQL_FORM_ADD, why,
	    BIND(NUMBER(first->seq), TEXT(first->owner), TEXT(first->fields)));
}

/* Nothing refers to what this job linked: its rows are about to be rolled back, and the lock is
 * still held. Where SQLite has rolled back by itself, as it does when memory is short, it is not:
 * somebody else's record may have the content by now, so it is left to the sweep. */
static void drop_made(struct catalog *catalog, const struct arrivals *all)
{
	if (sqlite3_get_autocommit(catalog->writer->db))
		return;
	for (size_t i = 0; i < all->count; i++)
		if (all->at[i].link == LINK_MADE)
			object_drop(catalog->store, all->at[i].file.sha256, NULL);
}

/* ---- what is sent again ---------------------------------------------------------------------- */

static bool are_same(const struct files *before, const struct arrivals *all)
{
	bool same = before->count == all->count;

	for (size_t i = 0; i < all->count && same; i++) {
		const struct file *a = &before->at[i], *b = &all->at[i].file;
		same =
		    memcmp(a->sha256, b->sha256, SHA256_LEN) == 0 && strcmp(a->name, b->name) == 0;
	}
	return same;
}

static enum fault compare(struct connection *c, struct arrivals *all, struct refusal *why)
{
	struct files before = {0};
	enum fault f = form_on(c, span_of(all->first), &before, why);

	if (!f && !are_same(&before, all))
		f = refuse(why, FAULT_KEY_REUSED, NULL);
	files_release(&before);
	all->again = !f;
	return f;
}

struct keyed {
	struct arrivals *all;
	bool found;
	int64_t expires_at;
};

static bool keyed_row(void *self, sqlite3_stmt *s)
{
	struct keyed *keyed = self;

	span_copy(keyed->all->first, sizeof keyed->all->first, column_span(s, 0));
	keyed->expires_at = sqlite3_column_int64(s, 1);
	keyed->found = true;
	return false;
}

/* What has expired and was not swept yet is no more. */
static enum fault look_for_key(struct catalog *catalog, struct arrivals *all, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct keyed keyed = {.all = all};
	enum fault f = sql_rows(
	    c, SQL_KEY_FIND, keyed_row, &keyed, why, BIND(BYTES(all->key_hash, SHA256_LEN)));

	if (f || !keyed.found)
		return f;
	if (clock_has_passed(keyed.expires_at))
		return record_remove(catalog, span_of(all->first), NULL, why);
	return compare(c, all, why);
}

int64_t catalog_key_bytes(struct catalog *catalog, const uint8_t key_hash[SHA256_LEN])
{
	int64_t bytes;

	reader_read(catalog, SQL_KEY_BYTES, &bytes, 1, NULL, BIND(BYTES(key_hash, SHA256_LEN)));
	return bytes;
}

static enum fault add_one(
    struct catalog *catalog, struct arrivals *all, size_t i, struct refusal *why)
{
	struct arrival *first = all->at;
	int64_t form = i == 0 ? 0 : first->file.seq;
	enum fault f =
	    file_add(catalog->writer, &all->at[i], form, i == 0 ? all->key_hash : NULL, why);

	return f || i > 0 ? f : form_add(catalog->writer, &first->file, why);
}

/* Content that is sent again is looked after again: what was lost meanwhile is made good. */
enum fault records_add(struct catalog *catalog, void *arrivals, struct refusal *why)
{
	struct arrivals *all = arrivals;
	enum fault f = FAULT_NONE;

	all->again = false;
	if (all->key_hash != NULL)
		f = look_for_key(catalog, all, why);
	for (size_t i = 0; i < all->count && !f; i++) {
		f = object_add(catalog, &all->at[i], why);
		if (!f && !all->again)
			f = add_one(catalog, all, i, why);
	}
	if (f && !all->again) /* else they have records, which this job did not make */
		drop_made(catalog, all);
	return f;
}

/* ---- removing -------------------------------------------------------------------------------- */

struct content_of {
	uint8_t sha256[SHA256_LEN];
	bool whole;
};

static bool content_row(void *self, sqlite3_stmt *s)
{
	struct content_of *content = self;

	content->whole = column_bytes(s, 0, content->sha256, SHA256_LEN);
	return true;
}

enum fault record_remove(
    struct catalog *catalog, struct span id, int64_t *freed, struct refusal *why)
{
	struct connection *c = catalog->writer;
	struct content_of content = {.whole = false};
	int64_t size;
	enum fault f = sql_rows(c, SQL_FILE_REMOVE, content_row, &content, why, BIND(SPAN(id)));

	if (freed != NULL)
		*freed = 0;
	if (!f && sqlite3_changes(c->db) == 0)
		return refuse(why, FAULT_NOT_FOUND, NULL);
	if (f || !content.whole)
		return f;
	f = sql_read(c, SQL_OBJECT_FORGET, &size, 1, why, BIND(BYTES(content.sha256, SHA256_LEN)));
	if (f || sqlite3_changes(c->db) == 0)
		return f;
	if (freed != NULL)
		*freed = size;
	catalog_drop(catalog, content.sha256);
	return FAULT_NONE;
}

static enum fault run_remove(struct catalog *catalog, void *id, struct refusal *why)
{
	return record_remove(catalog, *(struct span *)id, NULL, why);
}

enum fault catalog_remove_file(struct catalog *catalog, struct span id, struct refusal *why)
{
	return catalog_commit(catalog, run_remove, &id, why);
}
