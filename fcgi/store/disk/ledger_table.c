/* ledger_table.c: the sums of a table that others write to meanwhile. */
#include "store/disk/ledger_table.h"

unsigned table_used(const struct table *table)
{
	uint32_t high = atomic_load(&table->head.high);
	return high < ENTRIES ? high : ENTRIES;
}

void table_add(int64_t *sum, int64_t figure)
{
	if (figure > 0 && __builtin_add_overflow(*sum, figure, sum))
		*sum = INT64_MAX;
}

/* What a counter that only grows has grown by since the mark. */
static int64_t grown(const _Atomic uint64_t *counter, uint64_t mark)
{
	uint64_t by = atomic_load(counter) - mark;
	return by < INT64_MAX ? (int64_t)by : INT64_MAX;
}

/* After the entries were read: whoever ends one counts first and frees it then. */
static void add_late(const struct table *table, struct ledger_mark mark, struct ledger_sums *sums)
{
	int64_t ended = grown(&table->head.ended, mark.ended);
	int64_t settled = grown(&table->head.settled, mark.settled);
	table_add(&sums->total, ended);
	table_add(&sums->owner_total, ended);
	table_add(&sums->pending, settled);
	sums->late = ended > settled ? ended : settled;
}

unsigned table_add_up(
    struct table *table, uint64_t owner, struct ledger_mark mark, struct ledger_sums *sums)
{
	unsigned high = table_used(table), last = 0, spare = ENTRIES;
	*sums = (struct ledger_sums){0};
	for (unsigned i = 0; i < high; i++) {
		struct entry *e = &table->entries[i];
		if (!atomic_load(&e->unit)) {
			if (spare == ENTRIES)
				spare = i;
			continue;
		}
		last = i + 1;
		table_add(&sums->total, atomic_load(&e->bytes));
		table_add(&sums->pending, atomic_load(&e->pending));
		if (owner && atomic_load(&e->owner) == owner)
			table_add(&sums->owner_total, atomic_load(&e->bytes));
	}
	atomic_store(&table->head.high, last);
	add_late(table, mark, sums);
	return spare > last ? last : spare;
}

/* In this order: see add_late(). */
void table_end(struct table *table, struct entry *e, uint32_t holder)
{
	struct head *head = &table->head;
	atomic_fetch_add(&head->settled, (uint64_t)atomic_load(&e->pending));
	atomic_fetch_add(&head->ended, (uint64_t)atomic_load(&e->bytes));
	atomic_compare_exchange_strong(&e->unit, &holder, 0);
}
