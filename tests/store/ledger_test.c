/* ledger_test.c: promises are counted once, and those who share the table agree on what it is. */
#include "ledger_table.h"

/* ---- what a check is told -------------------------------------------------------------------- */

static void sums_are_told(void **state)
{
	struct ledger *l = open_it(), *other = open_it();
	struct seen seen = {0};
	unsigned a, b, c;
	assert_int_equal(reserve(l, alice, 100, look, &seen, &a), FAULT_NONE);
	assert_seen(seen, 0, 0, 0);
	assert_int_equal(reserve(other, bob, 1000, look, &seen, &b), FAULT_NONE);
	assert_seen(seen, 100, 0, 100);
	ledger_written(l, a, 30);
	assert_int_equal(reserve(other, alice, 10000, look, &seen, &c), FAULT_NONE);
	assert_seen(seen, 1100, 100, 1070);
	assert_int_equal(grow(l, a, 5, look, &seen), FAULT_NONE);
	assert_seen(seen, 11100, 10100, 11070);
	ledger_written(l, a, 1000000); /* never below 0 */
	unsigned d;
	assert_int_equal(reserve(l, nobody, 0, look, &seen, &d), FAULT_NONE);
	assert_seen(seen, 11105, 0, 11000);
	assert_int_equal(ledger_total(l), 11105);
	ledger_release(l, a);
	ledger_release(l, d);
	assert_int_equal(ledger_total(other), 11000);
	ledger_release(other, c);
	ledger_close(other); /* still holds b */
	assert_int_equal(ledger_total(l), 0);
	ledger_close(l);
}

static void refusal_changes_nothing(void **state)
{
	struct ledger *l = open_it();
	struct seen seen = {.answer = FAULT_QUOTA_EXCEEDED};
	unsigned a, b;
	assert_int_equal(reserve(l, alice, 7, look, &seen, &a), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(ledger_total(l), 0);
	assert_int_equal(seen.calls, 1); /* nobody died: asking again is pointless */
	assert_int_equal(reserve(l, alice, 7, NULL, NULL, &b), FAULT_NONE);
	assert_int_equal(grow(l, b, 9, look, &seen), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(ledger_total(l), 7);
	assert_int_equal(reserve(l, alice, -1, NULL, NULL, &a), FAULT_INTERNAL);
	assert_int_equal(grow(l, b, INT64_MAX, NULL, NULL), FAULT_INTERNAL);
	assert_int_equal(grow(l, b + 1, 1, NULL, NULL), FAULT_INTERNAL);
	ledger_release(l, TABLE + 5);
	ledger_written(l, TABLE + 5, 1);
	assert_int_equal(reserve(l, bob, INT64_MAX, look, &(struct seen){0}, &a), FAULT_NONE);
	assert_int_equal(ledger_total(l), INT64_MAX); /* no overflow */
	ledger_close(l);
}

static void table_fills_and_empties(void **state)
{
	struct ledger *l = open_it();
	unsigned slot, last = 0;
	bool *taken = calloc(TABLE, sizeof *taken);
	for (int i = 0; i < TABLE; i++) {
		assert_int_equal(reserve(l, nobody, 1, NULL, NULL, &slot), FAULT_NONE);
		assert_true(slot < TABLE && !taken[slot]);
		taken[slot] = true;
		last = slot;
	}
	assert_int_equal(ledger_total(l), TABLE);
	assert_int_equal(reserve(l, nobody, 1, NULL, NULL, &slot), FAULT_BUSY);
	assert_int_equal(grow(l, 5, 2, NULL, NULL), FAULT_NONE); /* needs no entry */
	ledger_release(l, 77);
	assert_int_equal(reserve(l, nobody, 1, NULL, NULL, &slot), FAULT_NONE);
	assert_int_equal(slot, 77);
	for (int i = 0; i < TABLE; i++)
		ledger_release(l, i);
	assert_int_equal(ledger_total(l), 0);
	assert_true(last < TABLE);
	free(taken);
	ledger_close(l);
}

/* What moves elsewhere between the reading of both is in one of them at least. */
static void what_leaves_meanwhile_counts(void **state)
{
	struct ledger *l = open_it();
	struct seen seen = {0};
	unsigned a, b;
	assert_int_equal(reserve(l, alice, 100, NULL, NULL, &a), FAULT_NONE);
	assert_int_equal(reserve(l, bob, 1000, NULL, NULL, &b), FAULT_NONE);
	struct ledger_mark mark = ledger_now(l);
	ledger_written(l, a, 60);
	assert_int_equal(ledger_grow(l, b, 0, mark, look, &seen), FAULT_NONE);
	assert_seen(seen, 1100, 1000, 1100);
	assert_int_equal(seen.sums.late, 60);
	ledger_release(l, a);
	assert_int_equal(ledger_grow(l, b, 0, mark, look, &seen), FAULT_NONE);
	assert_seen(seen, 1100, 1100, 1100);
	assert_int_equal(seen.sums.late, 100);
	assert_int_equal(grow(l, b, 0, look, &seen), FAULT_NONE);
	assert_seen(seen, 1000, 1000, 1000);
	assert_int_equal(seen.sums.late, 0);
	ledger_close(l);
}

/* ---- what is found in the file --------------------------------------------------------------- */

static void scribble(size_t len)
{
	int fd = openat(dir, "ledger", O_WRONLY | O_CREAT | O_TRUNC, 0640);
	char *rubbish = malloc(len + 1);
	memset(rubbish, 0xa5, len + 1);
	assert_int_equal(write(fd, rubbish, len), (ssize_t)len);
	free(rubbish);
	close(fd);
}

static void garbage_is_started_anew(void **state)
{
	static const size_t lengths[] = {0, 1, 15, 64, 4096, 64 + TABLE * 32, 1 << 20};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		scribble(lengths[i]);
		struct ledger *l = open_it();
		unsigned slot;
		assert_non_null(l);
		assert_int_equal(ledger_total(l), 0);
		assert_int_equal(reserve(l, alice, 5, NULL, NULL, &slot), FAULT_NONE);
		assert_int_equal(ledger_total(l), 5);
		struct stat st;
		assert_int_equal(fstatat(dir, "ledger", &st, 0), 0);
		assert_int_equal(st.st_size, 64 + TABLE * 32);
		assert_true(
		    st.st_blocks * 512 >= st.st_size); /* no hole: no SIGBUS on a full disk */
		assert_int_equal(st.st_mode & 0137, 0);
		ledger_close(l);
	}
}

static void versions_do_not_mix(void **state)
{
	for (int schema = SCHEMA - 1; schema <= SCHEMA + 1; schema += 2) {
		struct ledger *l = open_it(), *other;
		struct refusal why;
		refusal_clear(&why);
		assert_null(ledger_open(dir, "ledger", schema, &why));
		assert_int_equal(why.fault, FAULT_BUSY);
		assert_non_null(strstr(why.detail, "Another version"));
		ledger_close(l);
		other = ledger_open(dir, "ledger", schema, &why);
		assert_non_null(other); /* alone it may */
		assert_null(ledger_open(dir, "ledger", SCHEMA, &why));
		ledger_close(other);
	}
}

static void another_build_is_not_trampled(void **state)
{
	struct ledger *l = open_it();
	struct refusal why;
	refusal_clear(&why);
	int fd = openat(dir, "ledger", O_WRONLY);
	assert_int_equal(pwrite(fd, "another!", 8, 0), 8);
	close(fd);
	assert_null(ledger_open(dir, "ledger", SCHEMA, &why));
	assert_int_equal(why.fault, FAULT_BUSY);
	assert_non_null(strstr(why.detail, "Another version"));
	ledger_close(l);
	l = open_it();
	assert_non_null(l); /* nobody lives: started anew */
	ledger_close(l);
	refusal_clear(&why);
	assert_null(ledger_open(dir, "no/such", SCHEMA, &why));
	assert_int_equal(why.fault, FAULT_INTERNAL);
	ledger_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(sums_are_told, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(what_leaves_meanwhile_counts, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(refusal_changes_nothing, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(table_fills_and_empties, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(garbage_is_started_anew, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(versions_do_not_mix, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(another_build_is_not_trampled, make_dir, drop_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
