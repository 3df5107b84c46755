/*
 * generation.h: do waybill.db and objects/ belong together?
 *
 * A sweep takes what the catalog does not know for what a crash left behind. With an older copy of
 * waybill.db in its place that would be all that came since. So the catalog carries the id of its
 * line and counts its commits, and data_dir/generation remembers both. Where the file knows of a
 * later commit, or of another line, nothing is served, committed or swept until somebody has said
 * what is meant.
 *
 * The file may fall behind the catalog, but is never ahead of it, whatever crashes:
 *     seen     is written after COMMIT, and counts until the next boot: no kill undoes a commit
 *     durable  is what a power cut cannot undo: with durability=full a commit that has returned,
 *              with durability=normal one that a checkpoint has synced
 */
#ifndef WAYBILL_CATALOG_GENERATION_H
#define WAYBILL_CATALOG_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/fault.h"

enum { LINE_BYTES = 16 };

struct catalog;

struct record { /* what the file holds */
	uint64_t magic;
	uint8_t line[LINE_BYTES];
	int64_t boot; /* that `seen` is true of */
	int64_t unused;
	int64_t durable, seen, at;
	uint8_t sum[8];
};

struct generation { /* what struct catalog has of it */
	int fd;	    /* data_dir/generation; -1: not opened for writing */
	uint8_t line[LINE_BYTES];
	int64_t boot; /* 0 where the kernel does not tell */
	int64_t commit, at; /* of the transaction under way: its number, its time */
	bool astray;	    /* opened all the same, to be mended: nothing is counted meanwhile */
};

/* False: there is none, or nothing that we have written. */
bool record_read(int fd, struct record *r);
bool record_write(int fd, struct record *r);
/* The last commit that, by this record, has to be in the catalog. */
int64_t generation_last(const struct generation *g, const struct record *r);

/* With data_dir locked, before anything else is written. INTERNAL: they do not belong together;
 * *why says what to do. `fresh`: the catalog was made just now. */
enum fault generation_open(struct catalog *catalog, bool fresh, struct refusal *why);
/* Only to be asked later, by catalog_belongs(). */
void generation_watch(struct catalog *catalog);
void generation_close(struct catalog *catalog);

/* In a transaction that has changed something, before COMMIT: this is one more. INTERNAL: data_dir
 * has gone over to another catalog. */
enum fault generation_count(struct catalog *catalog, struct refusal *why);
/* After that COMMIT. */
void generation_tell(const struct catalog *catalog);

/* The last commit that the file knows of; 0: none. */
int64_t generation_seen(const struct catalog *catalog);
/* No power cut undoes `commit` any more. */
void generation_settle(const struct catalog *catalog, int64_t commit);

#endif
