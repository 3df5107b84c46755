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
static int prepare(struct connection *c, enum statement which, struct values values)
{
	sqlite3_stmt **s = &c->statement[which];
	int code = SQLITE_OK;

	if (*s == NULL)
		code =
		    sqlite3_prepare_v3(c->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, s, NULL);
	for (int i = 0; i < values.count && code == SQLITE_OK; i++)
		bind(*s, i + 1, &values.at[i]);
	return code;
}

enum fault sql_rows(struct connection *c, enum statement which, row_reader *read, void *self,
    struct refusal *why, struct values values)
{
	int code = prepare(c, which, values);
	sqlite3_stmt *s = c->statement[which];

	if (code != SQLITE_OK)
		return sql_fault(c, code, why);
	do
		code = sqlite3_step(s);
	while (code == SQLITE_ROW && read(self, s));
	bool good = code == SQLITE_ROW || code == SQLITE_DONE;
	enum fault f = good ? FAULT_NONE : sql_fault(c, code, why);
	sqlite3_reset(s);
	return f;
}

struct numbers {
	int64_t *at;
	int count;
};

static bool read_numbers(void *self, sqlite3_stmt *s)
{
	struct numbers *numbers = self;

	for (int i = 0; i < numbers->count; i++)
		numbers->at[i] = sqlite3_column_int64(s, i);
	return false;
}

enum fault sql_read(struct connection *c, enum statement which, int64_t *value, int count,
    struct refusal *why, struct values values)
{
	struct numbers numbers = {value, count};

	memset(value, 0, (size_t)count * sizeof *value);
	return sql_rows(c, which, read_numbers, &numbers, why, values);
}

static bool pass_over(void *self, sqlite3_stmt *s)
{
	return true;
}

enum fault sql_run(
    struct connection *c, enum statement which, struct refusal *why, struct values values)
{
	return sql_rows(c, which, pass_over, NULL, why, values);
}

enum fault sql_do(struct connection *c, enum statement which, struct refusal *why)
{
	return sql_run(c, which, why, NO_VALUES);
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
