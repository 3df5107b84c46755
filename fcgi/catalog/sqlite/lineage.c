/*
 * lineage.c: do waybill.db and objects/ belong together, as far as generation.c tells?
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOOKED_AT = 100000 /* entries of objects/, to say how many are unknown */ };

/* ---- the catalog's side ---------------------------------------------------------------------- */

struct side {
	uint8_t line[LINE_BYTES];
	int64_t commits, at;
	int64_t unknown; /* objects that it does not know, */
	bool more;	 /* or more: not all were looked at */
};

/* Without a row it is a damaged catalog, and belongs to no file. */
static bool side_row(void *self, sqlite3_stmt *s)
{
	struct side *side = self;

	side->commits = sqlite3_column_int64(s, 0);
	side->at = sqlite3_column_int64(s, 1);
	column_bytes(s, 2, side->line, LINE_BYTES);
	return false;
}

static enum fault read_side(struct catalog *catalog, struct side *side, struct refusal *why)
{
	*side = (struct side){0};
	return reader_rows(catalog, SQL_GENERATION, side_row, side, why, NO_VALUES);
}

static bool belong(const struct generation *g, const struct record *r, const struct side *side)
{
	return memcmp(r->line, side->line, LINE_BYTES) == 0 &&
	       side->commits >= generation_last(g, r);
}

/* ---- what is there, when they do not agree --------------------------------------------------- */

/* Objects that the catalog does not know. Once there are some, not all are looked at where they are
 * very many: that may be done for each request. */
struct looking {
	struct catalog *catalog;
	struct side *side;
	struct refusal *why;
	enum fault fault;
	int64_t looked_at;
};

static bool look_at(void *self, const uint8_t sha256[SHA256_LEN])
{
	struct looking *l = self;
	struct known known;

	l->fault = object_find(l->catalog->writer, sha256, &known, l->why);
	l->side->unknown += !known.found;
	l->side->more = ++l->looked_at >= LOOKED_AT && l->side->unknown > 0;
	return !l->fault && !l->side->more;
}

static enum fault count_unknown(struct catalog *catalog, struct side *side, struct refusal *why)
{
	struct looking looking = {.catalog = catalog, .side = side, .why = why};
	enum fault f = object_each(catalog->store, look_at, &looking, why);

	return !f ? looking.fault : f;
}

static enum fault refuse_strangers(const struct catalog *catalog, const struct side *side,
    const struct record *told, struct refusal *why)
{
	char here[32], there[32], what[256];

	text_time(side->at, here);
	if (told == NULL)
		snprintf(what, sizeof what,
		    "waybill.db may be older than the objects beside it (the file generation, which "
		    "would tell, is missing or damaged)");
	else {
		bool older = memcmp(told->line, side->line, LINE_BYTES) == 0;
		text_time(told->at, there);
		snprintf(what, sizeof what,
		    "waybill.db is %s: it ends with commit %lld of %s, they have seen commit %lld "
		    "of %s",
		    older ? "older than the objects beside it"
			  : "not the catalog of the objects beside it",
		    (long long)side->commits, here,
		    (long long)generation_last(&catalog->generation, told), there);
	}
	return refuse(why, FAULT_INTERNAL,
	    "%s. It does not know %s%lld of them. Nothing is served and nothing removed before "
	    "that is settled: put the right waybill.db (and waybill.db-wal) in its place, or take a "
	    "backup (waybill restore), or say `waybill verify --adopt`: that enters what is unknown "
	    "as files of nobody.",
	    what, side->more ? "at least " : "", (long long)side->unknown);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* From here on data_dir goes with this catalog, which is synced: so is this, with its name, before
 * anything relies on it. */
static enum fault take_over(struct catalog *catalog, const struct side *side, struct refusal *why)
{
	struct generation *g = &catalog->generation;
	struct record r = {.boot = g->boot, .seen = side->commits, .at = side->at};

	memcpy(r.line, side->line, LINE_BYTES);
	if (!record_write(g->fd, &r) || fsync(g->fd) != 0 || fsync(catalog->store->dir) != 0)
		return disk_fault(why, "write generation");
	memcpy(g->line, side->line, LINE_BYTES);
	return FAULT_NONE;
}

/* They do not agree, or nothing tells. A new catalog, and one of which nothing is told (0.1.0's, or
 * a copy), is fine as long as it knows all objects. */
static enum fault settle_differences(struct catalog *catalog, bool fresh, const struct record *told,
    struct side *side, struct refusal *why)
{
	enum fault f = count_unknown(catalog, side, why);

	if (f)
		return f;
	if (side->unknown == 0 && (fresh || told == NULL))
		return take_over(catalog, side, why);
	catalog->generation.astray = (catalog->mode & CATALOG_ADOPT) != 0;
	return catalog->generation.astray ? FAULT_NONE : refuse_strangers(catalog, side, told, why);
}

enum fault generation_open(struct catalog *catalog, bool fresh, struct refusal *why)
{
	struct generation *g = &catalog->generation;
	struct record r;
	struct side side = {0};

	g->boot = catalog->store->boot;
	g->fd = openat(
	    catalog->store->dir, "generation", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (g->fd < 0)
		return disk_fault(why, "open generation");
	bool told = record_read(g->fd, &r);
	enum fault f = sql_rows(catalog->writer, SQL_GENERATION, side_row, &side, why, NO_VALUES);
	if (f)
		return f;
	if (!told || !belong(g, &r, &side))
		return settle_differences(catalog, fresh, told ? &r : NULL, &side, why);
	memcpy(g->line, r.line, LINE_BYTES);
	return FAULT_NONE;
}

/* ---- asked, and mended --------------------------------------------------------------------- */

bool catalog_tells(const struct catalog *catalog)
{
	return catalog->generation.fd >= 0;
}

bool catalog_is_astray(const struct catalog *catalog)
{
	return catalog->generation.astray;
}

enum fault catalog_belongs(struct catalog *catalog, struct refusal *why)
{
	struct generation *g = &catalog->generation;
	struct record r;
	struct side side;
	/* The file first: it is never ahead of what is read after it. */
	bool told = record_read(g->fd, &r);
	enum fault f = read_side(catalog, &side, why);

	if (f || (told && !g->astray && belong(g, &r, &side)))
		return f;
	return refuse(why, FAULT_INTERNAL,
	    "waybill.db is not, or no longer, the catalog of the objects beside it. Start waybill "
	    "anew: it says what to do.");
}

/* Neither the old file nor the old catalog agrees with what the catalog is from here on. */
static enum fault run_part(struct catalog *catalog, void *self, struct refusal *why)
{
	catalog->generation.astray = true;
	return sql_do(catalog->writer, SQL_GENERATION_NEW, why);
}

enum fault catalog_part(struct catalog *catalog, struct refusal *why)
{
	return catalog_commit(catalog, run_part, NULL, why);
}

/* All that is in the catalog is synced, with durability=normal, too. */
static enum fault sync_catalog(struct catalog *catalog, struct refusal *why)
{
	int in_wal = 0, done = 0;
	int code = sqlite3_wal_checkpoint_v2(
	    catalog->tender->db, NULL, SQLITE_CHECKPOINT_FULL, &in_wal, &done);

	if (code != SQLITE_OK)
		return sql_fault(catalog->tender, code, why);
	return done == in_wal ? FAULT_NONE : refuse(why, FAULT_BUSY, NULL);
}

enum fault catalog_join(struct catalog *catalog, struct refusal *why)
{
	struct side side;
	enum fault f = sync_catalog(catalog, why);

	if (!f)
		f = read_side(catalog, &side, why);
	if (!f)
		f = take_over(catalog, &side, why);
	if (!f)
		catalog->generation.astray = false;
	return f;
}
