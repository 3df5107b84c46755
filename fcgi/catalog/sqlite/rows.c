/*
 * rows.c: rows of files, copied out.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

#include <string.h>

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
static bool row_read(sqlite3_stmt *s, struct files *files, int64_t *form)
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
static size_t weight(const struct file *file, const struct budget *budget)
{
	return budget->each + text_json_length(span_of(file->name)) +
	       text_json_length(span_of(file->type)) +
	       text_json_length(span_of(file->declared_type)) +
	       text_json_length(span_of(file->owner)) + text_json_length(span_of(file->path)) +
	       text_json_length(span_of(file->address)) + strlen(file->fields);
}

/* Take the last record back if it is too much, and not the only one. */
static bool over_budget(struct budget *budget, struct files *files)
{
	if (budget == NULL)
		return false;
	size_t more = weight(&files->at[files->count - 1], budget);
	bool over = more > budget->bytes && files->count > 1;
	budget->bytes -= more < budget->bytes ? more : budget->bytes;
	files->count -= over;
	return over;
}

enum fault files_read(struct connection *c, sqlite3_stmt *s, size_t limit, struct budget *budget,
    struct files *files, bool *more, struct refusal *why)
{
	int64_t form = 0;
	bool row;
	enum fault f = sql_step(c, s, &row, why);

	*more = false;
	while (!f && row) {
		*more = files->count == limit;
		if (!*more && !row_read(s, files, &form))
			f = refuse(why, FAULT_INTERNAL, NULL);
		else if (!*more)
			*more = over_budget(budget, files);
		if (f || *more) {
			sql_done(s);
			return f;
		}
		f = sql_step(c, s, &row, why);
	}
	return f;
}
