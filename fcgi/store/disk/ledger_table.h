/*
 * ledger_table.h: what lies in the file behind ledger.h, and its sums.
 *
 * Every process writes to it, so nothing found here is trusted further than a figure can be.
 */
#ifndef WAYBILL_STORE_LEDGER_TABLE_H
#define WAYBILL_STORE_LEDGER_TABLE_H

#include <stdatomic.h>
#include <stdint.h>

#include "store/ledger.h"

enum { ENTRIES = 16384 };

#define LEDGER_MAGIC UINT64_C(0x7265676465770a02) /* changes with the layout */

struct entry {
	_Atomic uint32_t unit; /* who holds it, 1 ... UNITS - 1; 0: free */
	uint32_t unused;
	_Atomic uint64_t owner; /* first 8 bytes of SHA-256 of the name; 0: anonymous */
	_Atomic int64_t bytes;
	_Atomic int64_t pending;
};

struct edition { /* what all who share the table have to agree on */
	uint64_t magic;
	uint64_t size; /* of the table, in bytes */
	uint64_t schema;
};

struct head {
	struct edition edition;
	_Atomic uint32_t high;	  /* entries from here on are free, whatever they say */
	_Atomic uint64_t ended;	  /* bytes of all reservations that are no more */
	_Atomic uint64_t settled; /* bytes that were pending and are not any more */
	uint8_t unused[16];
};

struct table {
	struct head head;
	struct entry entries[ENTRIES];
};

_Static_assert(sizeof(struct head) == 64 && sizeof(struct entry) == 32, "no holes to differ in");

/* Entries from here on are free. */
unsigned table_used(const struct table *table);
/* Add a figure, which must make a sum neither overflow nor shrink. */
void table_add(int64_t *sum, int64_t figure);
/* One pass under the lock: the sums, as ledger_check is told them; returns the index of the first
 * free entry, ENTRIES: none. The used part shrinks again. */
unsigned table_add_up(
    struct table *table, uint64_t owner, struct ledger_mark mark, struct ledger_sums *sums);
/* Free an entry, if `holder` has it, and count as gone what was in it. Needs no lock. */
void table_end(struct table *table, struct entry *entry, uint32_t holder);

#endif
