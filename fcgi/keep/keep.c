/*
 * keep.c: an open data_dir and its health.
 */
#include "keep/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int64_t keep_deadline(int64_t now, int64_t lasts)
{
	return lasts == 0 || lasts > INT64_MAX - now ? 0 : now + lasts;
}

enum {
	MEMORY_MS = 24 * 3600 * 1000,  /* a finished upload is remembered for so long */
	FIRST_BYTE_MS = 10 * 60 * 1000 /* and one that was only announced for so long */
};

int64_t upload_deadline(const struct keep *keep, const struct resumable *row)
{
	int64_t deadline = keep_deadline(clock_calendar(), keep->config->partial_expire_after);
	int64_t first = row->created_at + FIRST_BYTE_MS;

	if (row->state == UPLOAD_USED)
		return row->expires_at;
	if (row->offset > 0 || row->length == 0)
		return deadline;
	return deadline == 0 || first < deadline ? first : deadline;
}

int64_t memory_deadline(const struct keep *keep)
{
	int64_t lasts = keep->config->partial_expire_after;

	return clock_calendar() + (lasts > MEMORY_MS || lasts == 0 ? MEMORY_MS : lasts);
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum fault open_catalog(struct keep *keep, struct refusal *why)
{
	unsigned mode = (keep->mode & KEEP_WRITE ? CATALOG_WRITE : 0) |
			(keep->mode & KEEP_ADOPT ? CATALOG_ADOPT : 0);
	enum fault f = catalog_open(&keep->catalog, keep->store, mode, why);

	if (f)
		return f;
	return catalog_any_unproved(keep->catalog, store_boot(keep->store), &keep->unproved, why);
}

static enum fault open_all(struct keep *keep, unsigned sniffers, struct refusal *why)
{
	bool write = (keep->mode & KEEP_WRITE) != 0;
	enum fault f = store_open(&keep->store, keep->config, write, why);

	if (f)
		return f;
	/* The sniffers are forked off first, so that they inherit neither catalog nor ledger. */
	if (keep->mode & KEEP_SNIFF) {
		keep->sniffers = sniff_start(sniffers, why);
		if (keep->sniffers == NULL)
			return FAULT_INTERNAL;
	}
	if (write)
		f = store_join(keep->store, catalog_version(), why);
	return !f ? open_catalog(keep, why) : f;
}

bool keep_open(struct keep **keep, const struct config *config, unsigned mode, unsigned sniffers,
    struct refusal *why)
{
	struct keep *k = calloc(1, sizeof *k);

	*keep = k;
	if (k == NULL)
		return !refuse(why, FAULT_INTERNAL, NULL);
	*k = (struct keep){.config = config, .mode = mode};
	pthread_mutex_init(&k->uses.lock, NULL);
	/* SQLite makes its files as the mask lets it: nobody else's business. */
	umask(umask(077) | 027);
	if (!open_all(k, sniffers, why))
		return true;
	keep_close(k);
	*keep = NULL;
	return false;
}

void keep_close(struct keep *keep)
{
	if (keep == NULL)
		return;
	catalog_close(keep->catalog);
	sniff_stop(keep->sniffers);
	store_close(keep->store);
	free(keep);
}

void keep_tend(struct keep *keep)
{
	tokens_tend(keep);
	catalog_tend(keep->catalog);
}

/* ---- health ---------------------------------------------------------------------------------- */

static void ill(struct health *health, const char *reason)
{
	if (health->ok)
		snprintf(health->reason, sizeof health->reason, "%s", reason);
	health->ok = false;
}

static void check_health(struct keep *keep, struct health *health)
{
	struct catalog_sums sums;

	if (catalog_sums(keep->catalog, (struct span){NULL, 0}, &sums, NULL))
		ill(health, "The catalog does not answer; the log says why.");
	health->files = sums.files;
	health->bytes = sums.bytes;
	health->reserved = sums.promised;
	if (store_ledger(keep->store) != NULL)
		health->reserved += ledger_total(store_ledger(keep->store));
	health->free_bytes = store_free_bytes(keep->store);
	if (health->free_bytes < 0)
		ill(health, "The file system of data_dir does not answer.");
	health->readable = health->ok;
	if (keep->mode & KEEP_WRITE && !store_is_writable(keep->store))
		ill(health, "data_dir cannot be written to.");
	if (keep->mode & KEEP_WRITE && health->free_bytes == 0)
		ill(health, "The file system of data_dir is full, but for min_free_bytes.");
}

void keep_count(struct keep *keep, struct health *health)
{
	struct catalog_counts counts;

	health->sniffers = health->sniffer_deaths = 0;
	if (keep->sniffers != NULL)
		sniff_count(keep->sniffers, &health->sniffers, &health->sniffer_deaths);
	catalog_count(keep->catalog, &counts);
	health->commits = counts.commits;
	health->commit_batches = counts.batches;
	health->catalog_busy = counts.busy;
}

void keep_health(struct keep *keep, struct health *health)
{
	*health = (struct health){.ok = true};
	check_health(keep, health);
	keep_count(keep, health);
	if (keep->sniffers != NULL && health->sniffers == 0)
		ill(health, "No sniffer is alive: types cannot be told.");
}
