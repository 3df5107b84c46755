/*
 * tally.h: figures that several processes count, in a file with a row for each of them.
 *
 *     tally_open -> { tally_write | tally_add_others }* -> tally_close
 *
 * A row belongs to the process that holds the lock on its byte; the kernel drops the lock with the process,
 * and the next one takes the row and goes on from what stands there. So the sum of a counter never goes back,
 * whoever comes and goes; gauges count while their process lives only. A row is written, not mapped: a full
 * disk makes figures stale, and does nothing worse. Not for several threads at once.
 */
#ifndef WAYBILL_SHARED_TALLY_H
#define WAYBILL_SHARED_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally;

/*
 * A row of `cells` figures in the file at `path`, made (0640) where need be; the first `gauges` of
 * them are gauges. `layout` stands for what each cell means: a file with another one is replaced,
 * and those who still write to it are no longer added. *row (zero before) becomes what is
 * inherited. NULL: errno says why (EUSERS: 256 processes have a row already).
 */
struct tally *tally_open(
    const char *path, size_t cells, size_t gauges, uint64_t layout, int64_t *row);
void tally_close(struct tally *t); /* NULL is fine */

/* False: what was written before stays. */
bool tally_write(struct tally *t, const int64_t *row);
/* Adds the rows of all other processes; returns how many of these live. */
unsigned tally_add_others(struct tally *t, int64_t *sums);

#endif
