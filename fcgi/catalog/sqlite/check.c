/*
 * check.c: waybill.db by itself: is the file whole, and do its rows agree?
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/text.h"

/* ---- is the file whole? ---------------------------------------------------------------------- */

struct telling {
	finding_visitor *found; /* NULL: nobody is told */
	void *self;
	int64_t findings;
};

/* Of PRAGMA integrity_check. */
static bool integrity_row(void *self, sqlite3_stmt *s)
{
	struct telling *telling = self;
	struct span said = column_span(s, 0);

	if (span_is(said, "ok"))
		return true;
	telling->findings++;
	if (telling->found != NULL)
		telling->found(telling->self, said, (struct span){NULL, 0});
	return true;
}

static enum fault check_integrity(struct catalog *catalog, struct telling *telling)
{
	return reader_rows(catalog, SQL_VERIFY_INTEGRITY, integrity_row, telling, NULL, NO_VALUES);
}

/* An index can be made anew from its table; of a broken table there is no other copy. */
enum fault catalog_check_file(struct catalog *catalog, bool mend, finding_visitor *found,
    void *self, bool *usable, bool *mended)
{
	struct telling before = {.found = found, .self = self}, after = {0};
	enum fault f = check_integrity(catalog, &before);

	*usable = !f && before.findings == 0;
	*mended = false;
	if (f || *usable || !mend)
		return f;
	*mended = !commit_one(catalog, SQL_VERIFY_REINDEX, FAULT_NONE, NULL, NO_VALUES) &&
		  !check_integrity(catalog, &after) && after.findings == 0;
	*usable = *mended;
	return FAULT_NONE;
}

/* ---- do the rows agree with each other? ------------------------------------------------------ */

/* Each statement gives a row of text for each finding, and none when all is well. */
static const enum statement checks[] = {SQL_VERIFY_POINTERS, SQL_VERIFY_UNUSED, SQL_VERIFY_SIZES,
    SQL_VERIFY_REFS, SQL_VERIFY_FORMS, SQL_VERIFY_USAGE, SQL_VERIFY_STORE, SQL_VERIFY_UPLOADS};

static bool finding_row(void *self, sqlite3_stmt *s)
{
	const struct telling *telling = self;

	telling->found(telling->self, column_span(s, 0), column_span(s, 1));
	return true;
}

enum fault catalog_check_rows(
    struct catalog *catalog, finding_visitor *found, void *self, struct refusal *why)
{
	struct telling telling = {.found = found, .self = self};
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < sizeof checks / sizeof *checks && !f; i++)
		f = reader_rows(catalog, checks[i], finding_row, &telling, why, NO_VALUES);
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
