/*
 * catalog.c: waybill.db by itself.
 */
#include "verify/inside.h"
#include "shared/log.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- is the file whole? ---------------------------------------------------------------------- */

/* Rows of PRAGMA integrity_check, other than "ok". */
static enum fault check_integrity(struct verifying *v, struct connection *c, int64_t *wrong)
{
	char text[512];
	sqlite3_stmt *s;
	bool row = false;
	enum fault f = sql_prepare(c, SQL_VERIFY_INTEGRITY, &s, NULL);

	*wrong = 0;
	if (f == FAULT_NONE)
		f = sql_step(c, s, &row, NULL);
	for (; row; f = sql_step(c, s, &row, NULL)) {
		struct span said = column_span(s, 0);
		if (span_is(said, "ok"))
			continue;
		*wrong += 1;
		if (v != NULL)
			verify_tell(
			    v, NULL, "catalog problem=%s", log_value(said, text, sizeof text));
	}
	return f;
}

static enum fault run_reindex(struct catalog *catalog, void *self, struct refusal *why)
{
	return sql_do(catalog->writer, SQL_VERIFY_REINDEX, why);
}

/* An index can be made anew from its table; of a broken table there is no other copy. */
static enum fault integrity(struct verifying *v, struct connection *c, bool *usable)
{
	int64_t wrong;
	struct refusal unused;

	if (check_integrity(v, c, &wrong) != FAULT_NONE) {
		verify_tell(v, NULL,
		    "catalog problem=\"waybill.db cannot be read; see waybill restore, or move it "
		    "away and see verify --adopt\"");
		*usable = false;
		return FAULT_NONE;
	}
	*usable = wrong == 0;
	if (wrong == 0 || !v->repair)
		return FAULT_NONE;
	refusal_clear(&unused);
	if (catalog_commit(v->keep->catalog, run_reindex, NULL, &unused) != FAULT_NONE)
		return FAULT_NONE;
	*usable = check_integrity(NULL, c, &wrong) == FAULT_NONE && wrong == 0;
	if (*usable)
		v->result->repaired = v->result->findings;
	return FAULT_NONE;
}

/* ---- do the rows agree with each other? ------------------------------------------------------ */

/* Each statement gives a row of text for each finding, and none when all is well. */
static const enum statement checks[] = {SQL_VERIFY_POINTERS, SQL_VERIFY_UNUSED, SQL_VERIFY_SIZES,
    SQL_VERIFY_REFS, SQL_VERIFY_FORMS, SQL_VERIFY_USAGE, SQL_VERIFY_STORE, SQL_VERIFY_UPLOADS};

static enum fault check_rows(
    struct verifying *v, struct connection *c, enum statement which, struct refusal *why)
{
	sqlite3_stmt *s;
	bool row;
	enum fault f = sql_prepare(c, which, &s, why);

	if (f == FAULT_NONE)
		f = sql_step(c, s, &row, why);
	for (; f == FAULT_NONE && row; f = sql_step(c, s, &row, why)) {
		char who[512];
		struct span what = column_span(s, 0), whose = column_span(s, 1);
		verify_tell(v, v->repair ? "yes" : NULL, "%.*s of=%s", (int)what.len, what.at,
		    log_value(whose, who, sizeof who));
	}
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

	for (size_t i = 0; i < sizeof mends / sizeof *mends && f == FAULT_NONE; i++)
		f = sql_do(catalog->writer, mends[i], why);
	return f;
}

enum fault verify_mend(struct verifying *v, struct refusal *why)
{
	return catalog_commit(v->keep->catalog, run_mend, NULL, why);
}

static enum fault check_all(struct verifying *v, bool *usable, struct refusal *why)
{
	struct connection *c = reader_take(v->keep->catalog, why);

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = integrity(v, c, usable);
	v->indexes = v->result->findings;
	for (size_t i = 0; i < sizeof checks / sizeof *checks && f == FAULT_NONE && *usable; i++)
		f = check_rows(v, c, checks[i], why);
	reader_give(v->keep->catalog, c);
	return f;
}

/* A finding may be printed into a pipe that nobody reads, and an open reader keeps the WAL from
 * beginning anew: so it is told when that is over. */
enum fault verify_catalog(struct verifying *v, bool *usable, struct refusal *why)
{
	char *text = NULL, *rest, *line;
	size_t len = 0;

	v->held = open_memstream(&text, &len);
	if (v->held == NULL)
		return refuse(why, FAULT_INTERNAL, "Out of memory.");
	enum fault f = check_all(v, usable, why);
	bool whole = fclose(v->held) == 0;
	v->held = NULL;
	for (rest = text; whole && (line = strsep(&rest, "\n")) != NULL && *line != '\0';)
		verify_say(v, line);
	free(text);
	if (!whole)
		return refuse(why, FAULT_INTERNAL, "Out of memory.");
	if (f == FAULT_NONE && v->repair && v->result->findings > v->indexes)
		f = verify_mend(v, why);
	return f;
}
