/*
 * statements.c: statements prepared, bound, stepped, and what goes wrong on the way.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <string.h>

static const char *const texts[SQL_COUNT] = {
#define X(name, text) [SQL_##name] = text,
    STATEMENTS(X)
#undef X
};

enum fault sql_fault(struct connection *c, int code, struct refusal *why)
{
	char text[256];
	int err = sqlite3_system_errno(c->db);

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return refuse(why, FAULT_BUSY, NULL);
	case SQLITE_FULL:
		return refuse(why, FAULT_NO_SPACE, NULL);
	case SQLITE_IOERR:
		if (err == ENOSPC || err == EDQUOT)
			return refuse(why, FAULT_NO_SPACE, NULL);
	}
	log_line(LOG_ERROR, "catalog failed", "code=%d errno=%d error=%s", code, err,
	    log_value(span_of(sqlite3_errmsg(c->db)), text, sizeof text));
	return refuse(why, FAULT_INTERNAL, NULL);
}

enum fault sql_prepare(
    struct connection *c, enum statement which, sqlite3_stmt **s, struct refusal *why)
{
	int code = SQLITE_OK;

	if (c->statement[which] == NULL)
		code = sqlite3_prepare_v3(
		    c->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, &c->statement[which], NULL);
	*s = c->statement[which];
	return code == SQLITE_OK ? FAULT_NONE : sql_fault(c, code, why);
}

void sql_done(sqlite3_stmt *s)
{
	sqlite3_reset(s);
}

enum fault sql_step(struct connection *c, sqlite3_stmt *s, bool *row, struct refusal *why)
{
	int code = sqlite3_step(s);

	*row = code == SQLITE_ROW;
	if (*row)
		return FAULT_NONE;
	enum fault f = code == SQLITE_DONE ? FAULT_NONE : sql_fault(c, code, why);
	sqlite3_reset(s);
	return f;
}

enum fault sql_finish(struct connection *c, sqlite3_stmt *s, struct refusal *why)
{
	enum fault f;
	bool row;

	do
		f = sql_step(c, s, &row, why);
	while (row);
	return f;
}

enum fault sql_do(struct connection *c, enum statement which, struct refusal *why)
{
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, which, &s, why);

	return f ? f : sql_finish(c, s, why);
}

enum fault sql_numbers(
    struct connection *c, sqlite3_stmt *s, int64_t *value, int count, struct refusal *why)
{
	bool row;
	enum fault f = sql_step(c, s, &row, why);

	for (int i = 0; i < count; i++)
		value[i] = row ? sqlite3_column_int64(s, i) : 0;
	if (row)
		sql_done(s);
	return f;
}

static int bind(sqlite3_stmt *s, int at, const struct value *v)
{
	switch (v->kind) {
	case VALUE_NUMBER:
		return sqlite3_bind_int64(s, at, v->number);
	case VALUE_TEXT:
		return sqlite3_bind_text64(
		    s, at, v->at, (sqlite3_uint64)v->number, SQLITE_STATIC, SQLITE_UTF8);
	case VALUE_BYTES:
		return sqlite3_bind_blob64(s, at, v->at, (sqlite3_uint64)v->number, SQLITE_STATIC);
	case VALUE_NULL:
		break;
	}
	return sqlite3_bind_null(s, at);
}

/* Binding cannot fail but for memory, which the step then tells. */
enum fault sql_bound(struct connection *c, enum statement which, sqlite3_stmt **s,
    struct refusal *why, struct values values)
{
	enum fault f = sql_prepare(c, which, s, why);

	for (int i = 0; i < values.count && !f; i++)
		bind(*s, i + 1, &values.at[i]);
	return f;
}

enum fault sql_row(struct connection *c, enum statement which, sqlite3_stmt **s, bool *row,
    struct refusal *why, struct values values)
{
	enum fault f = sql_bound(c, which, s, why, values);

	*row = false;
	return f ? f : sql_step(c, *s, row, why);
}

enum fault sql_read(struct connection *c, enum statement which, int64_t *value, int count,
    struct refusal *why, struct values values)
{
	sqlite3_stmt *s;
	enum fault f = sql_bound(c, which, &s, why, values);

	return f ? f : sql_numbers(c, s, value, count, why);
}

enum fault sql_run(
    struct connection *c, enum statement which, struct refusal *why, struct values values)
{
	sqlite3_stmt *s;
	enum fault f = sql_bound(c, which, &s, why, values);

	return f ? f : sql_finish(c, s, why);
}

bool column_bytes(sqlite3_stmt *s, int at, uint8_t *to, size_t len)
{
	const void *bytes = sqlite3_column_blob(s, at);

	if (bytes == NULL || (size_t)sqlite3_column_bytes(s, at) != len)
		return false;
	memcpy(to, bytes, len);
	return true;
}

struct span column_span(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return (struct span){text, text == NULL ? 0 : (size_t)sqlite3_column_bytes(s, at)};
}
