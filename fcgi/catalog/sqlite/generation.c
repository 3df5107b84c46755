/*
 * generation.c: the file data_dir/generation, held against the catalog.
 *
 * Written without a lock by all processes: what one of them overwrites of another's only makes the
 * file fall behind. A record lies in one sector and carries a sum, so that it is read whole or not
 * at all.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x6e65676465770a01) /* changes with the layout */

enum { TRIES = 8 /* readings of a record that is being written */ };

/* ---- the file -------------------------------------------------------------------------------- */

static void sum_up(const struct record *r, uint8_t sum[sizeof r->sum])
{
	uint8_t sha256[SHA256_LEN];

	digest_of(DIGEST_SHA256, r, offsetof(struct record, sum), sha256);
	memcpy(sum, sha256, sizeof r->sum);
}

bool record_read(int fd, struct record *r)
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

bool record_write(int fd, struct record *r)
{
	r->magic = MAGIC;
	sum_up(r, r->sum);
	return pwrite(fd, r, sizeof *r, 0) == sizeof *r;
}

int64_t generation_last(const struct generation *g, const struct record *r)
{
	bool same_boot = r->boot == g->boot && r->boot != 0;

	return same_boot && r->seen > r->durable ? r->seen : r->durable;
}

/* ---- watching -------------------------------------------------------------------------------- */

void generation_watch(struct catalog *catalog)
{
	catalog->generation.boot = catalog->store->boot;
	catalog->generation.fd =
	    openat(catalog->store->dir, "generation", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void generation_close(struct catalog *catalog)
{
	descriptor_close(catalog->generation.fd);
	catalog->generation.fd = -1;
}

/* ---- each commit ----------------------------------------------------------------------------- */

/* With the write lock held no other process commits, so what the file says is behind us. */
enum fault generation_count(struct catalog *catalog, struct refusal *why)
{
	struct generation *g = &catalog->generation;
	struct record r;

	if (g->astray)
		return FAULT_NONE;
	g->at = clock_calendar();
	enum fault f = sql_read(
	    catalog->writer, SQL_GENERATION_COUNT, &g->commit, 1, why, BIND(NUMBER(g->at)));
	if (f)
		return f;
	if (!record_read(g->fd, &r) ||
	    (memcmp(r.line, g->line, LINE_BYTES) == 0 && g->commit > generation_last(g, &r)))
		return FAULT_NONE;
	log_line(LOG_ERROR, "waybill.db was replaced while serving",
	    "reason=\"it is not, or no longer, the catalog of this data_dir\"");
	return refuse(why, FAULT_INTERNAL, NULL);
}

/* Should it fail, the file falls behind, which is no harm. */
static void advance(const struct generation *g, const struct record *to)
{
	struct record r;

	if (!record_read(g->fd, &r) || memcmp(r.line, g->line, LINE_BYTES) != 0)
		return;
	if (r.boot != g->boot)
		r.seen = 0; /* what was seen before the boot counts only as far as it is durable */
	r.boot = g->boot;
	if (to->seen > r.seen)
		r.at = to->at;
	r.seen = to->seen > r.seen ? to->seen : r.seen;
	r.durable = to->durable > r.durable ? to->durable : r.durable;
	record_write(g->fd, &r);
}

void generation_tell(const struct catalog *catalog)
{
	const struct generation *g = &catalog->generation;
	struct record to = {
	    .seen = g->commit, .durable = store_syncs(catalog->store) ? g->commit : 0, .at = g->at};

	if (!g->astray)
		advance(g, &to);
}

int64_t generation_seen(const struct catalog *catalog)
{
	const struct generation *g = &catalog->generation;
	struct record r;

	return !g->astray && g->fd >= 0 && record_read(g->fd, &r) ? generation_last(g, &r) : 0;
}

void generation_settle(const struct catalog *catalog, int64_t commit)
{
	struct record to = {.durable = commit};

	if (commit > 0)
		advance(&catalog->generation, &to);
}
