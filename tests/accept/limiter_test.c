/* limiter_test.c: the pace of a transfer, and how many at once. */
#include "asked.h"
#include "accept/pace.h"

/* ---- pace and limiter ---------------------------------------------------------------------- */

static void the_first_minute_is_free_then_an_average_counts(void **state)
{
	struct pace pace;

	pace_start(&pace);
	assert_true(pace_add(&pace, 1, 1024));
	pace.start -= 61;
	assert_false(pace_add(&pace, 1, 1024));
	assert_true(pace_add(&pace, 1, 0));
	assert_true(pace_add(&pace, 61 * 1024, 1024));
}

static void some_threads_are_kept_from_transfers(void **state)
{
	struct limiter *t = limiter_new(16);
	struct refusal why;

	for (int i = 0; i < 14; i++)
		assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_NONE);
	assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_BUSY);
	/* the other lane still has a place, but together they leave one thread */
	assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_NONE);
	assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_BUSY);
	limiter_leave(t, LANE_BODY);
	assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_NONE);
	limiter_free(t);
}

static void few_threads_leave_one_too(void **state)
{
	static const struct {
		int threads, lane, both;
	} cases[] = {{1, 1, 1}, {2, 1, 1}, {3, 2, 2}, {4, 2, 3}, {8, 6, 7}, {16, 14, 15}, {256, 224, 240}};
	struct refusal why;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct limiter *t = limiter_new(cases[i].threads);
		for (int n = 0; n < cases[i].lane; n++)
			assert_int_equal(limiter_enter(t, LANE_CONTENT, &why), FAULT_NONE);
		for (int n = cases[i].lane; n < cases[i].both; n++)
			assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_NONE);
		if (cases[i].threads < 32) /* no bench to wait on */
			assert_int_equal(limiter_enter(t, LANE_BODY, &why), FAULT_BUSY);
		limiter_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_minute_is_free_then_an_average_counts),
	    cmocka_unit_test(some_threads_are_kept_from_transfers),
	    cmocka_unit_test(few_threads_leave_one_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
