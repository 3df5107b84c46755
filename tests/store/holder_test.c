/* holder_test.c: who holds a resumable upload, and what becomes of it when another wants it. */
#include "partials.h"

struct rival {
	char id[ID_LEN + 1];
	int64_t offset;
};

static void *settle(void *self)
{
	struct rival *r = self;

	r->offset = offset_of(r->id);
	return NULL;
}

static void wait_for_interrupt(void)
{
	for (int i = 0; i < 2000 && __atomic_load_n(&interrupted, __ATOMIC_RELAXED) == 0; i++)
		usleep(5000);
	assert_true(__atomic_load_n(&interrupted, __ATOMIC_RELAXED) > 0);
}

static void test_holder_is_asked_to_let_go(void **state)
{
	struct rival r;
	pthread_t thread;

	interrupted = 0;
	rest_with(11, "hello ", r.id);
	struct upload *p = resume(r.id, 6, false);
	assert_int_equal(upload_write(p, "wor", 3, &why), FAULT_NONE);
	assert_int_equal(pthread_create(&thread, NULL, settle, &r), 0);
	wait_for_interrupt();
	assert_int_equal(upload_write(p, "ld", 2, &why), FAULT_LOCKED);
	assert_int_equal(upload_rest(p, &why), FAULT_NONE);
	upload_leave(p);
	pthread_join(thread, NULL);
	assert_int_equal(r.offset, 9);
	finish_with(r.id, 9, "ld", "hello world");
}

/* Who does not let go: nobody waits for ever, and what was told holds. */
static void test_holder_that_does_not_let_go_is_shut_out(void **state)
{
	char id[ID_LEN + 1];
	struct files files;

	rest_with(11, "hello ", id);
	struct upload *p = resume(id, 6, false);
	assert_int_equal(upload_write(p, "WORLD", 5, &why), FAULT_NONE);
	assert_int_equal(offset_of(id), 6);
	assert_null(resume(id, 6, false));
	assert_int_equal(why.fault, FAULT_LOCKED);
	assert_int_equal(upload_rest(p, &why), FAULT_LOCKED);
	assert_int_equal(upload_finish(p, NULL, false, &files, &why), FAULT_LOCKED);
	upload_leave(p);
	finish_with(id, 6, "world", "hello world");
}

static void test_removed_under_its_holder(void **state)
{
	char id[ID_LEN + 1];
	struct files files;

	rest_with(11, "hello ", id);
	struct upload *p = resume(id, 6, false);
	assert_int_equal(upload_write(p, "world", 5, &why), FAULT_NONE);
	assert_int_equal(keep_remove_upload(keep, span_of(id), &why), FAULT_NONE);
	assert_int_equal(upload_finish(p, NULL, false, &files, &why), FAULT_LOCKED);
	upload_leave(p);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_NOT_FOUND);
	assert_int_equal(look(id), FAULT_NOT_FOUND);
	assert_int_equal(entries("partial"), 0);
	check_sums();
}

static void *remove_it(void *self)
{
	struct rival *r = self;
	struct refusal no;

	r->offset = -(int64_t)keep_remove_upload(keep, span_of(r->id), &no);
	return NULL;
}

/* It was there to be removed when that began; when that had its turn there was a file. */
static void test_removed_too_late(void **state)
{
	struct rival r;
	struct files files;
	pthread_t thread;

	interrupted = 0;
	rest_with(11, "hello ", r.id);
	struct upload *p = resume(r.id, 6, false);
	assert_int_equal(upload_write(p, "world", 5, &why), FAULT_NONE);
	assert_int_equal(pthread_create(&thread, NULL, remove_it, &r), 0);
	wait_for_interrupt();
	assert_int_equal(upload_finish(p, NULL, false, &files, &why), FAULT_NONE);
	files_release(&files);
	upload_leave(p);
	pthread_join(thread, NULL);
	assert_int_equal(-r.offset, FAULT_FINISHED);
	assert_int_equal(look(r.id), FAULT_NONE);
	assert_int_equal(offset_of(r.id), 11);
	check_sums();
}

static void *go_on(void *self)
{
	struct rival *r = self;
	const struct upload_place place = {span_of(r->id), 6, false, &here};
	struct refusal no;
	struct upload *p;

	r->offset = -(int64_t)upload_resume(keep, &nobody, &place, &p, &no);
	return NULL;
}

/* Who takes it over and then cannot read how far it has come knows nothing of its bytes, least of all
 * that there are none. */
static void test_taken_over_while_the_catalog_fails(void **state)
{
	struct upload_plan plan = plan_of(11);
	struct rival r;
	struct upload *p;
	pthread_t thread;

	interrupted = 0;
	assert_int_equal(upload_create(keep, &nobody, &plan, &p, &why), FAULT_NONE);
	strcpy(r.id, upload_row(p)->id);
	assert_int_equal(upload_write(p, "hello ", 6, &why), FAULT_NONE);
	assert_int_equal(pthread_create(&thread, NULL, go_on, &r), 0);
	wait_for_interrupt(); /* it has seen a row without a byte, and waits */
	assert_int_equal(upload_rest(p, &why), FAULT_NONE);
	ask("ALTER TABLE uploads RENAME TO elsewhere");
	upload_leave(p);
	pthread_join(thread, NULL);
	ask("ALTER TABLE elsewhere RENAME TO uploads");
	assert_int_equal(-r.offset, FAULT_INTERNAL);
	assert_int_equal(offset_of(r.id), 6);
	finish_with(r.id, 6, "world", "hello world");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_KEEP(test_holder_is_asked_to_let_go),
	    WITH_KEEP(test_holder_that_does_not_let_go_is_shut_out),
	    WITH_KEEP(test_removed_under_its_holder),
	    WITH_KEEP(test_removed_too_late),
	    WITH_KEEP(test_taken_over_while_the_catalog_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
