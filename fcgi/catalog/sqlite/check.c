/*
 * check.c: waybill.db by itself: is the file whole, and do its rows agree?
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/text.h"

/* ---- is the file whole? ---------------------------------------------------------------------- */

/* Rows of PRAGMA integrity_check, other than "ok". */
static enum fault check_integrity(
    struct connection *c, finding_visitor *found, void *self, int64_t *wrong)
{
	sqlite3_stmt *s;
	bool row = false;
	enum fault f = sql_row(c, SQL_VERIFY_INTEGRITY, &s, &row, NULL, NO_VALUES);

	*wrong = 0;
	for (; row; f = sql_step(c, s, &row, NULL)) {
		struct span said = column_span(s, 0);
		if (span_is(said, "ok"))
			continue;
		*wrong += 1;
		if (found != NULL)
			found(self, said, (struct span){NULL, 0});
	}
	return f;
}

static enum fault run_reindex(struct catalog *catalog, void *self, struct refusal *why)
{
	return sql_do(catalog->writer, SQL_VERIFY_REINDEX, why);
}

/* An index can be made anew from its table; of a broken table there is no other copy. */
static enum fault check_on(
    struct connection *c, bool mend, finding_visitor *found, void *self, bool *usable, bool *mended)
{
	struct refusal unused;
	int64_t wrong;
	enum fault f = check_integrity(c, found, self, &wrong);

	*usable = !f && wrong == 0;
	if (f || wrong == 0 || !mend)
		return f;
	refusal_clear(&unused);
	if (!catalog_commit(c->catalog, run_reindex, NULL, &unused))
		*mended = !check_integrity(c, NULL, NULL, &wrong) && wrong == 0;
	*usable = *mended;
	return FAULT_NONE;
}

enum fault catalog_check_file(struct catalog *catalog, bool mend, finding_visitor *found,
    void *self, bool *usable, bool *mended)
{
	struct connection *c = reader_take(catalog, NULL);

	*usable = *mended = false;
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = check_on(c, mend, found, self, usable, mended);
	reader_give(catalog, c);
	return f;
}

/* ---- do the rows agree with each other? ------------------------------------------------------ */

/* Each statement gives a row of text for each finding, and none when all is well. */
static const enum statement checks[] = {SQL_VERIFY_POINTERS, SQL_VERIFY_UNUSED, SQL_VERIFY_SIZES,
    SQL_VERIFY_REFS, SQL_VERIFY_FORMS, SQL_VERIFY_USAGE, SQL_VERIFY_STORE, SQL_VERIFY_UPLOADS};

static enum fault check_one(struct connection *c, enum statement which, finding_visitor *found,
    void *self, struct refusal *why)
{
	sqlite3_stmt *s;
	bool row;
	enum fault f = sql_row(c, which, &s, &row, why, NO_VALUES);

	for (; !f && row; f = sql_step(c, s, &row, why))
		found(self, column_span(s, 0), column_span(s, 1));
	return f;
}

enum fault catalog_check_rows(
    struct catalog *catalog, finding_visitor *found, void *self, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);
	enum fault f = c == NULL ? FAULT_INTERNAL : FAULT_NONE;

	for (size_t i = 0; i < sizeof checks / sizeof *checks && !f; i++)
		f = check_one(c, checks[i], found, self, why);
	if (c != NULL)
		reader_give(catalog, c);
	return f;
}

/* In this order: an object row for every record, none without, the same for forms, then all that is
 * added up. */
static const enum statement mends[] = {SQL_MEND_POINTERS, SQL_MEND_UNUSED, SQL_MEND_SIZES,
    SQL_MEND_REFS, SQL_MEND_FORMS, SQL_MEND_NO_USAGE, SQL_MEND_USAGE, SQL_MEND_STORE,
    SQL_MEND_NO_UPLOADS, SQL_MEND_UPLOADS};

static enum fault run_mend(struct catalog *catalog, void *self, struct refusal *why)
{
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < sizeof mends / sizeof *mends && !f; i++)
		f = sql_do(catalog->writer, mends[i], why);
	return f;
}

enum fault catalog_mend(struct catalog *catalog, struct refusal *why)
{
	return catalog_commit(catalog, run_mend, NULL, why);
}
