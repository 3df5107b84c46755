/*
 * listing.c: pages of records, and how many there are in all.
 *
 * Keyset pages: a page begins after the seq the last one ended with, so a page costs the same
 * wherever it is, and whatever comes or goes meanwhile moves nothing else. Which index drives
 * follows from the filters; the others are checked row by row. A page is bounded in records and in
 * bytes, so that no fields, however large, make it cost more than any other.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>

enum {
	ENVELOPE = 16 * 1024, /* more than what is around the records: next, with the whole query */
	RECORD_BYTES = 512    /* more than what is in a record besides its texts */
};

enum driver { BY_NUMBER, BY_OWNER, BY_TYPE, BY_TYPES };

/* What goes by each: pages in both orders, and how many there are. */
enum { NEWEST_FIRST, OLDEST_FIRST, HOW_MANY };
static const enum statement driven[][3] = {
    [BY_NUMBER] = {SQL_NEWEST_BY_SEQ, SQL_OLDEST_BY_SEQ, SQL_COUNT_BY_SEQ},
    [BY_OWNER] = {SQL_NEWEST_BY_OWNER, SQL_OLDEST_BY_OWNER, SQL_COUNT_BY_OWNER},
    [BY_TYPE] = {SQL_NEWEST_BY_TYPE, SQL_OLDEST_BY_TYPE, SQL_COUNT_BY_TYPE},
    [BY_TYPES] = {SQL_NEWEST_BY_TYPES, SQL_OLDEST_BY_TYPES, SQL_COUNT_BY_TYPES}};

/* A listing in the terms of the statements. */
struct query {
	const struct listing *listing;
	enum driver driver;
	struct span owner;     /* absent: any */
	struct span low, high; /* of type: equal to low where BY_TYPE */
	struct span glob;      /* absent: low and high say it all */
	struct span name;      /* folded */
	int64_t now;
	bool nothing; /* the viewer may see nothing of this */
	char high_text[TYPE_BYTES + 1];
	char glob_text[3 * TYPE_BYTES + 1];
	char *name_text;
};

/* Our glob knows only '*'; SQLite's also '?' and '['. */
static struct span sqlite_glob(struct span glob, char *to)
{
	size_t len = 0;

	for (size_t i = 0; i < glob.len; i++) {
		bool special = glob.at[i] == '?' || glob.at[i] == '[';
		if (special)
			to[len++] = '[';
		to[len++] = glob.at[i];
		if (special)
			to[len++] = ']';
	}
	to[len] = '\0';
	return (struct span){to, len};
}

static void query_type(struct query *q)
{
	struct span type = q->listing->type;

	if (type.at == NULL || span_is(type, "*") || span_is(type, "*/*"))
		return;
	if (type.len > TYPE_BYTES) { /* no type is so long */
		q->nothing = true;
		return;
	}
	const char *star = memchr(type.at, '*', type.len);
	size_t prefix = star == NULL ? type.len : (size_t)(star - type.at);
	if (star == NULL) {
		q->driver = BY_TYPE;
		q->low = type;
		return;
	}
	q->glob = sqlite_glob(type, q->glob_text);
	if (prefix == 0)
		return;
	/* Types are ASCII, so the next string after all with this prefix is easy to name. */
	q->driver = BY_TYPES;
	q->low = (struct span){type.at, prefix};
	memcpy(q->high_text, type.at, prefix);
	q->high_text[prefix - 1]++;
	q->high = (struct span){q->high_text, prefix};
}

static void query_owner(struct query *q)
{
	const struct listing *l = q->listing;

	q->owner = l->owner;
	if (l->only_visible) {
		if (l->viewer.at == NULL)
			q->nothing = true;
		else if (l->owner.at != NULL &&
			 (l->owner.len != l->viewer.len ||
			     memcmp(l->owner.at, l->viewer.at, l->owner.len) != 0))
			q->nothing = true;
		q->owner = l->viewer;
	}
	if (q->owner.at != NULL)
		q->driver = BY_OWNER;
}

static enum fault query_make(struct query *q, const struct listing *l, struct refusal *why)
{
	*q = (struct query){.listing = l, .driver = BY_NUMBER, .now = clock_calendar()};
	query_type(q);
	query_owner(q);
	/* Exact types are looked up by range too where the owner drives: [type, type + NUL). */
	if (q->driver == BY_OWNER && q->low.at != NULL && q->high.at == NULL)
		q->glob = sqlite_glob(q->low, q->glob_text);
	if (l->name.len == 0)
		return FAULT_NONE;
	size_t room = 2 * l->name.len + 1;
	q->name_text = malloc(room);
	if (q->name_text == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	q->name = (struct span){q->name_text, text_fold(l->name, q->name_text, room)};
	return FAULT_NONE;
}

static enum fault query_rows(struct connection *c, const struct query *q, int what,
    row_reader *read, void *self, struct refusal *why)
{
	const struct listing *l = q->listing;
	int64_t start = l->oldest_first ? 0 : INT64_MAX;

	return sql_rows(c, driven[q->driver][what], read, self, why,
	    BIND(NUMBER(l->after != 0 ? l->after : start), SPAN(q->owner), SPAN(q->low),
		SPAN(q->high), SPAN(q->glob), SPAN(q->name),
		NUMBER(l->since != 0 ? l->since : INT64_MIN),
		NUMBER(l->until != 0 ? l->until : INT64_MAX), NUMBER(q->now), NUMBER(l->limit + 1),
		SPAN(l->address)));
}

/* ---- totals ---------------------------------------------------------------------------------- */

/* Nothing but perhaps an owner was asked for: the sums know, but for what has expired and was not
 * swept yet, and that is few and indexed. */
static enum fault plain_total(
    struct connection *c, const struct query *q, int64_t *total, struct refusal *why)
{
	int64_t all, expired = 0;
	enum fault f;

	if (q->owner.at != NULL) {
		f = sql_read(c, SQL_USAGE, &all, 1, why, BIND(SPAN(q->owner)));
		if (!f)
			f = sql_read(c, SQL_EXPIRED_OWNED, &expired, 1, why,
			    BIND(NUMBER(q->now), SPAN(q->owner)));
	} else {
		f = sql_read(c, SQL_STORE, &all, 1, why, NO_VALUES);
		if (!f)
			f = sql_read(c, SQL_EXPIRED_COUNT, &expired, 1, why, BIND(NUMBER(q->now)));
	}
	*total = all - expired;
	return f;
}

static bool total_row(void *self, sqlite3_stmt *s)
{
	*(int64_t *)self = sqlite3_column_int64(s, 0);
	return false;
}

static enum fault query_total(
    struct connection *c, const struct query *q, int64_t *total, struct refusal *why)
{
	const struct listing *l = q->listing;

	if (q->low.at == NULL && q->glob.at == NULL && q->name.at == NULL &&
	    l->address.at == NULL && l->since == 0 && l->until == 0)
		return plain_total(c, q, total, why);
	return query_rows(c, q, HOW_MANY, total_row, total, why);
}

/* ---- a page ---------------------------------------------------------------------------------- */

/*
 * A range of types is either sorted by seq (costs as many rows as match) or met on the way through
 * all rows (costs limit * all / matching of them, when they are spread evenly): take the cheaper.
 */
static enum fault choose_driver(
    struct connection *c, struct query *q, int64_t total, struct refusal *why)
{
	int64_t all;

	if (q->driver != BY_TYPES)
		return FAULT_NONE;
	enum fault f = sql_read(c, SQL_STORE, &all, 1, why, NO_VALUES);
	if (!f && (double)total * (double)total > (double)q->listing->limit * (double)all)
		q->driver = BY_NUMBER;
	return f;
}

static enum fault read_page(struct connection *c, struct query *q, struct files *files,
    int64_t *total, bool *more, struct refusal *why)
{
	/* A base that is not UTF-8, or full of control characters, grows sixfold. */
	struct page page = {.files = files,
	    .why = why,
	    .left = PAGE_BYTES - ENVELOPE,
	    .each = RECORD_BYTES + 6 * q->listing->base_len};
	int order = q->listing->oldest_first ? OLDEST_FIRST : NEWEST_FIRST;
	enum fault f = query_total(c, q, total, why);

	if (!f)
		f = choose_driver(c, q, *total, why);
	if (!f)
		f = query_rows(c, q, order, page_row, &page, why);
	*more = page.more;
	return !f ? page.fault : f;
}

/* Total and page out of one snapshot. */
static enum fault read_snapshot(struct catalog *catalog, struct query *q, struct files *files,
    int64_t *total, bool *more, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_do(c, SQL_BEGIN_READ, why);
	if (!f) {
		f = read_page(c, q, files, total, more, why);
		sql_do(c, SQL_COMMIT, NULL);
	}
	reader_give(catalog, c);
	return f;
}

enum fault catalog_list(struct catalog *catalog, const struct listing *listing, struct files *files,
    int64_t *total, bool *more, struct refusal *why)
{
	struct query q;
	enum fault f = files_make(files, (size_t)listing->limit, why);

	*total = 0;
	*more = false;
	if (f)
		return f;
	f = query_make(&q, listing, why);
	if (!f && !q.nothing)
		f = read_snapshot(catalog, &q, files, total, more, why);
	free(q.name_text);
	if (f)
		files_release(files);
	return f;
}
