/*
 * generation.c: the file data_dir/generation, held against the catalog.
 *
 * Written without a lock by all processes: what one of them overwrites of another's only makes the
 * file fall behind. A record lies in one sector and carries a sum, so that it is read whole or not
 * at all.
 */
#include "catalog/sqlite/sqlite.h"
#include "catalog/uploads.h"
#include "shared/log.h"
#include "shared/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x6e65676465770a01) /* changes with the layout */

enum {
	TRIES = 8,	    /* readings of a record that is being written */
	LOOKED_AT = 100000, /* entries of objects/, to say how many are unknown */
};

struct record {
	uint64_t magic;
	uint8_t line[LINE_BYTES];
	uint8_t boot[BOOT_BYTES]; /* that `seen` is true of */
	int64_t durable, seen, at;
	uint8_t sum[8];
};

/* ---- the file -------------------------------------------------------------------------------- */

static void sum_up(const struct record *r, uint8_t sum[sizeof r->sum])
{
	uint8_t sha256[SHA256_LEN];

	digest_of(DIGEST_SHA256, r, offsetof(struct record, sum), sha256);
	memcpy(sum, sha256, sizeof r->sum);
}

/* False: there is none, or nothing that we have written. */
static bool record_read(int fd, struct record *r)
{
	uint8_t sum[sizeof r->sum];

	for (int i = 0; i < TRIES; i++) {
		if (pread(fd, r, sizeof *r, 0) != sizeof *r)
			return false;
		sum_up(r, sum);
		if (r->magic == MAGIC && memcmp(sum, r->sum, sizeof sum) == 0)
			return true;
	}
	return false;
}

static bool record_write(int fd, struct record *r)
{
	r->magic = MAGIC;
	sum_up(r, r->sum);
	return pwrite(fd, r, sizeof *r, 0) == sizeof *r;
}

static void read_boot(uint8_t boot[BOOT_BYTES])
{
	char text[37], hex[33];
	size_t len = 0;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(boot, 0, BOOT_BYTES);
	if (fd < 0)
		return;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	for (ssize_t i = 0; i < n && len < sizeof hex - 1; i++)
		if (text[i] != '-')
			hex[len++] = text[i];
	if (!text_unhex((struct span){hex, len}, boot, BOOT_BYTES))
		memset(boot, 0, BOOT_BYTES);
}

/* The last commit that has to be in the catalog. */
static int64_t last_commit(const struct generation *g, const struct record *r)
{
	static const uint8_t unknown[BOOT_BYTES];
	bool same_boot = memcmp(r->boot, g->boot, BOOT_BYTES) == 0 &&
			 memcmp(r->boot, unknown, BOOT_BYTES) != 0;

	return same_boot && r->seen > r->durable ? r->seen : r->durable;
}

/* ---- the catalog's side ---------------------------------------------------------------------- */

struct side {
	uint8_t line[LINE_BYTES];
	int64_t commits, at;
	int64_t unknown; /* objects that it does not know, */
	bool more;	 /* or more: not all were looked at */
};

static enum fault read_side(struct connection *c, struct side *side, struct refusal *why)
{
	sqlite3_stmt *s;
	bool row = false;
	enum fault f = sql_prepare(c, SQL_GENERATION, &s, why);

	if (f == FAULT_NONE)
		f = sql_step(c, s, &row, why);
	if (f != FAULT_NONE)
		return f;
	*side = (struct side){0};
	if (!row)
		return FAULT_NONE; /* a damaged catalog; it belongs to no file */
	side->commits = sqlite3_column_int64(s, 0);
	side->at = sqlite3_column_int64(s, 1);
	column_bytes(s, 2, side->line, LINE_BYTES);
	sql_done(s);
	return FAULT_NONE;
}

static bool belong(const struct generation *g, const struct record *r, const struct side *side)
{
	return memcmp(r->line, side->line, LINE_BYTES) == 0 && side->commits >= last_commit(g, r);
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
	return l->fault == FAULT_NONE && !l->side->more;
}

static enum fault count_unknown(struct catalog *catalog, struct side *side, struct refusal *why)
{
	struct looking looking = {.catalog = catalog, .side = side, .why = why};
	enum fault f = object_each(catalog->store, look_at, &looking, why);

	return f == FAULT_NONE ? looking.fault : f;
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
		    (long long)last_commit(&catalog->generation, told), there);
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
	struct record r = {.seen = side->commits, .at = side->at};

	memcpy(r.line, side->line, LINE_BYTES);
	memcpy(r.boot, g->boot, BOOT_BYTES);
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

	if (f != FAULT_NONE)
		return f;
	if (side->unknown == 0 && (fresh || told == NULL))
		return take_over(catalog, side, why);
	catalog->generation.astray = (catalog->mode & CATALOG_ADOPT) != 0;
	return catalog->generation.astray ? FAULT_NONE
					  : refuse_strangers(catalog, side, told, why);
}

enum fault generation_open(struct catalog *catalog, bool fresh, struct refusal *why)
{
	struct generation *g = &catalog->generation;
	struct record r;
	struct side side;

	read_boot(g->boot);
	g->fd = openat(
	    catalog->store->dir, "generation", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (g->fd < 0)
		return disk_fault(why, "open generation");
	bool told = record_read(g->fd, &r);
	enum fault f = read_side(catalog->writer, &side, why);
	if (f != FAULT_NONE)
		return f;
	if (!told || !belong(g, &r, &side))
		return settle_differences(catalog, fresh, told ? &r : NULL, &side, why);
	memcpy(g->line, r.line, LINE_BYTES);
	return FAULT_NONE;
}

void generation_watch(struct catalog *catalog)
{
	read_boot(catalog->generation.boot);
	catalog->generation.fd =
	    openat(catalog->store->dir, "generation", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void generation_close(struct catalog *catalog)
{
	if (catalog->generation.fd >= 0)
		close(catalog->generation.fd);
	catalog->generation.fd = -1;
}

/* ---- each commit ----------------------------------------------------------------------------- */

static enum fault refuse_commit(struct refusal *why)
{
	log_line(LOG_ERROR, "waybill.db was replaced while serving",
	    "reason=\"it is not, or no longer, the catalog of this data_dir\"");
	return refuse(why, FAULT_INTERNAL, NULL);
}

/* With the write lock held no other process commits, so what the file says is behind us. */
enum fault generation_count(struct catalog *catalog, struct refusal *why)
{
	struct generation *g = &catalog->generation;
	struct record r;
	sqlite3_stmt *s;

	if (g->astray)
		return FAULT_NONE;
	enum fault f = sql_prepare(catalog->writer, SQL_GENERATION_COUNT, &s, why);
	if (f != FAULT_NONE)
		return f;
	g->at = clock_calendar();
	bind_number(s, 1, g->at);
	f = sql_numbers(catalog->writer, s, &g->commit, 1, why);
	if (f != FAULT_NONE)
		return f;
	if (record_read(g->fd, &r) &&
	    (memcmp(r.line, g->line, LINE_BYTES) != 0 || g->commit <= last_commit(g, &r)))
		return refuse_commit(why);
	return FAULT_NONE;
}

/* Should it fail, the file falls behind, which is no harm. */
static void advance(const struct generation *g, const struct record *to)
{
	struct record r;

	if (!record_read(g->fd, &r) || memcmp(r.line, g->line, LINE_BYTES) != 0)
		return;
	if (memcmp(r.boot, g->boot, BOOT_BYTES) != 0)
		r.seen = 0; /* what was seen before the boot counts only as far as it is durable */
	memcpy(r.boot, g->boot, BOOT_BYTES);
	if (to->seen > r.seen)
		r.at = to->at;
	r.seen = to->seen > r.seen ? to->seen : r.seen;
	r.durable = to->durable > r.durable ? to->durable : r.durable;
	record_write(g->fd, &r);
}

void generation_tell(const struct catalog *catalog)
{
	const struct generation *g = &catalog->generation;
	struct record to = {.seen = g->commit, .durable = store_syncs(catalog->store) ? g->commit : 0, .at = g->at};

	if (!g->astray)
		advance(g, &to);
}

int64_t generation_seen(const struct catalog *catalog)
{
	const struct generation *g = &catalog->generation;
	struct record r;

	return !g->astray && g->fd >= 0 && record_read(g->fd, &r) ? last_commit(g, &r) : 0;
}

void generation_settle(const struct catalog *catalog, int64_t commit)
{
	struct record to = {.durable = commit};

	if (commit > 0)
		advance(&catalog->generation, &to);
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
	struct connection *c = reader_take(catalog, why);

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = read_side(c, &side, why);
	reader_give(catalog, c);
	if (f != FAULT_NONE || (told && !g->astray && belong(g, &r, &side)))
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
	struct connection *c = f == FAULT_NONE ? reader_take(catalog, why) : NULL;

	if (c == NULL)
		return f == FAULT_NONE ? FAULT_INTERNAL : f;
	f = read_side(c, &side, why);
	reader_give(catalog, c);
	if (f == FAULT_NONE)
		f = take_over(catalog, &side, why);
	if (f == FAULT_NONE)
		catalog->generation.astray = false;
	return f;
}
