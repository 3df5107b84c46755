/* ledger_table.h: what the tests of the ledger share: a directory, and a check that looks. */
#ifndef WAYBILL_TESTS_LEDGER_TABLE_H
#define WAYBILL_TESTS_LEDGER_TABLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/ledger.h"

enum { TABLE = 16384, SCHEMA = 2 };

static int dir = -1;
static char dir_name[64];

static inline int make_dir(void **state)
{
	snprintf(dir_name, sizeof dir_name, "/tmp/ledger-test-XXXXXX");
	assert_non_null(mkdtemp(dir_name));
	dir = open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	return dir < 0;
}

static inline int drop_dir(void **state)
{
	unlinkat(dir, "ledger", 0);
	close(dir);
	return rmdir(dir_name);
}

static inline struct ledger *open_it(void)
{
	struct refusal why;
	refusal_clear(&why);
	struct ledger *l = ledger_open(dir, "ledger", SCHEMA, &why);
	if (!l)
		print_error("%s\n", why.detail);
	return l;
}

/* As most tests ask: nothing else is read beside the ledger, so any mark will do. */
static inline enum fault reserve(struct ledger *l, struct span owner, int64_t bytes,
    ledger_check *check, void *self, unsigned *slot)
{
	return ledger_reserve(l, owner, bytes, ledger_now(l), check, self, slot);
}

static inline enum fault grow(
    struct ledger *l, unsigned slot, int64_t more, ledger_check *check, void *self)
{
	return ledger_grow(l, slot, more, ledger_now(l), check, self);
}

static const struct span nobody = {NULL, 0}, alice = {"alice", 5}, bob = {"bob", 3};

struct seen {
	struct ledger_sums sums;
	int calls;
	enum fault answer;
};

static inline enum fault look(void *self, const struct ledger_sums *sums)
{
	struct seen *seen = self;
	seen->sums = *sums;
	seen->calls++;
	return seen->answer;
}

#define assert_seen(seen, t, o, p)                                                                 \
	do {                                                                                       \
		assert_int_equal((seen).sums.total, t);                                            \
		assert_int_equal((seen).sums.owner_total, o);                                      \
		assert_int_equal((seen).sums.pending, p);                                          \
	} while (0)

#endif
