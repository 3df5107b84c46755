/* rest_test.c: uploads that outlive a request, and the ways in which they are cut short. */
#include "partials.h"

/* ---- as it should be ------------------------------------------------------------------------- */

static void test_pieces_become_a_file(void **state)
{
	char id[ID_LEN + 1], path[160];
	struct resumable row;

	rest_with(11, "hello ", id);
	assert_int_equal(offset_of(id), 6);
	assert_int_equal(look(id), FAULT_NOT_FOUND);
	finish_with(id, 6, "world", "hello world");
	in_partial(id, path);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(keep_find_upload(keep, span_of(id), true, &row, &why), FAULT_NONE);
	assert_int_equal(row.state, UPLOAD_DONE);
	assert_int_equal(row.offset, 11);
	assert_int_equal(row.length, 11);
	resumable_release(&row);
	assert_int_equal(ask("SELECT count(*) FROM uploads WHERE state = 0"), 0);
	assert_int_equal(keep_remove(keep, span_of(id), &why), FAULT_NONE);
	assert_int_equal(ask("SELECT count(*) FROM uploads"), 0);
}

static void test_another_process_goes_on(void **state)
{
	char id[ID_LEN + 1];

	rest_with(11, "hello ", id);
	keep_close(keep);
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_non_null(keep);
	finish_with(id, 6, "world", "hello world");
}

static void test_discard_takes_everything_back(void **state)
{
	char id[ID_LEN + 1];
	struct upload *p;

	rest_with(-1, "hello ", id);
	p = resume(id, 6, true);
	assert_non_null(p);
	assert_int_equal(upload_set_length(p, 11, &why), FAULT_NONE);
	assert_int_equal(upload_write(p, "xxxxx", 5, &why), FAULT_NONE);
	assert_int_equal(upload_take_back(p, &why), FAULT_NONE);
	upload_leave(p);
	assert_int_equal(offset_of(id), 6);
	assert_int_equal(ask("SELECT length IS NULL FROM uploads"), 1);
	p = resume(id, 6, false);
	assert_int_equal(upload_set_length(p, 11, &why), FAULT_NONE);
	upload_leave(p);
	finish_with(id, 6, "world", "hello world");
}

static void test_what_was_not_paused_is_forgotten(void **state)
{
	char id[ID_LEN + 1];
	struct upload *p;

	rest_with(11, "hello ", id);
	p = resume(id, 6, false);
	assert_int_equal(upload_write(p, "WOR", 3, &why), FAULT_NONE);
	upload_leave(p);
	assert_int_equal(offset_of(id), 6);
	finish_with(id, 6, "world", "hello world");
}

static void test_offsets_and_lengths_are_held_to(void **state)
{
	char id[ID_LEN + 1];

	rest_with(11, "hello ", id);
	assert_null(resume(id, 5, false));
	assert_int_equal(why.fault, FAULT_OFFSET_CONFLICT);
	assert_int_equal(why.upload_offset, 6);
	struct upload *p = resume(id, 6, false);
	assert_int_equal(upload_set_length(p, 12, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(upload_set_length(p, 11, &why), FAULT_NONE);
	assert_int_equal(upload_write(p, "world!", 6, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(upload_offset(p), 11);
	upload_leave(p);
	assert_int_equal(offset_of(id), 6);
}

/* ---- type and digest ------------------------------------------------------------------------- */

static void test_refused_type_is_the_end(void **state)
{
	char id[ID_LEN + 1];
	struct files files;

	rest_with(4, "MZ", id);
	struct upload *p = resume(id, 2, false);
	assert_int_equal(upload_write(p, "..", 2, &why), FAULT_NONE);
	assert_int_equal(upload_finish(p, NULL, false, &files, &why), FAULT_TYPE_REFUSED);
	assert_string_equal(why.detected_type, "application/x-dosexec");
	upload_leave(p);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_GONE);
	assert_null(resume(id, 4, false));
	assert_int_equal(why.fault, FAULT_GONE);
	assert_int_equal(entries("partial"), 0);
	assert_int_equal(ask("SELECT count(*) FROM files"), 0);
}

static void test_verdict_falls_at_the_first_mebibyte(void **state)
{
	char id[ID_LEN + 1], *block = calloc(1, HEAD_BYTES);

	rest_with(3 << 20, "MZ", id);
	assert_int_equal(sniffed, 0);
	struct upload *p = resume(id, 2, false);
	assert_int_equal(upload_write(p, block, HEAD_BYTES - 3, &why), FAULT_NONE);
	assert_int_equal(upload_write(p, block, 1, &why), FAULT_TYPE_REFUSED);
	assert_int_equal(upload_write(p, block, 1, &why), FAULT_GONE);
	upload_leave(p);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_GONE);
	free(block);
}

static void test_verdict_is_remembered(void **state)
{
	char id[ID_LEN + 1], *block = malloc(HEAD_BYTES);

	memset(block, 'x', HEAD_BYTES);
	rest_with(-1, "text", id);
	struct upload *p = resume(id, 4, false);
	assert_int_equal(upload_write(p, block, HEAD_BYTES, &why), FAULT_NONE);
	assert_int_equal(upload_rest(p, &why), FAULT_NONE);
	upload_leave(p);
	assert_int_equal(sniffed, 1);
	p = resume(id, 4 + HEAD_BYTES, false);
	assert_int_equal(upload_write(p, block, HEAD_BYTES, &why), FAULT_NONE);
	struct files files;
	assert_int_equal(upload_finish(p, NULL, false, &files, &why), FAULT_NONE);
	assert_string_equal(files.at[0].type, "text/plain");
	files_release(&files);
	upload_leave(p);
	assert_int_equal(sniffed, 1);
	free(block);
}

static void test_claim_on_the_whole(void **state)
{
	static const enum digest_algorithm by[] = {DIGEST_SHA256, DIGEST_SHA512};

	for (int wrong = 0; wrong < 2; wrong++)
		for (size_t i = 0; i < 2; i++) {
			struct upload_plan plan = plan_of(5);
			struct upload *p;
			struct files files;
			plan.whole.algorithm = by[i];
			digest_of(by[i], wrong ? "other" : "hello", 5, plan.whole.value);
			assert_int_equal(
			    upload_create(keep, &nobody, &plan, &p, &why), FAULT_NONE);
			assert_int_equal(upload_write(p, "hello", 5, &why), FAULT_NONE);
			assert_int_equal(upload_finish(p, NULL, false, &files, &why),
			    wrong ? FAULT_DIGEST_MISMATCH : FAULT_NONE);
			files_release(&files);
			upload_leave(p);
		}
	assert_int_equal(ask("SELECT count(*) FROM files"), 2);
	assert_int_equal(entries("partial"), 0);
}

/* ---- crashes --------------------------------------------------------------------------------- */

/* Bytes beyond the recorded offset are what a killed process left. */
static void test_bytes_after_the_offset_do_not_count(void **state)
{
	char id[ID_LEN + 1], path[160];

	rest_with(-1, "hello ", id);
	in_partial(id, path);
	FILE *file = fopen(path, "a");
	fputs("garbage that is longer than what will come", file);
	fclose(file);
	assert_int_equal(offset_of(id), 6);
	finish_with(id, 6, "world", "hello world");
}

static void test_lost_bytes_are_the_end(void **state)
{
	char id[ID_LEN + 1], path[160];

	rest_with(-1, "hello ", id);
	in_partial(id, path);
	assert_int_equal(truncate(path, 5), 0);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_GONE);
	assert_null(resume(id, 6, false));
	assert_int_equal(why.fault, FAULT_GONE);
	assert_int_equal(keep_remove_upload(keep, span_of(id), &why), FAULT_NONE);
	assert_int_equal(entries("partial"), 0);
}

/* The digest's state as another build would have stored it. */
static void test_unreadable_digest_is_made_again(void **state)
{
	static const char *const damage[] = {"UPDATE uploads SET digest = x'00'",
	    "UPDATE uploads SET digest = zeroblob(length(digest))"};

	for (size_t i = 0; i < 2; i++) {
		char id[ID_LEN + 1];
		rest_with(11, "hello ", id);
		ask(damage[i]);
		finish_with(id, 6, "world", "hello world");
	}
}

/* Killed between link and COMMIT: the object is an orphan, and the same file as ours. What is
 * written on must not reach it. */
static void test_orphan_of_a_crash_is_not_written_to(void **state)
{
	char id[ID_LEN + 1], from[160], to[200], content[16] = "";

	rest_with(-1, "hello ", id);
	in_partial(id, from);
	snprintf(to, sizeof to, "%s/objects/%064d", data_dir, 7);
	assert_int_equal(link(from, to), 0);
	struct upload *p = resume(id, 6, false);
	assert_non_null(p);
	assert_int_equal(upload_write(p, "WORLD", 5, &why), FAULT_NONE);
	assert_int_equal(upload_rest(p, &why), FAULT_NONE);
	upload_leave(p);
	FILE *file = fopen(to, "r");
	assert_int_equal(fread(content, 1, sizeof content, file), 6);
	fclose(file);
	assert_string_equal(content, "hello ");
	assert_int_equal(unlink(to), 0);
	finish_with(id, 11, "!", "hello WORLD!");
}

/* ---- time ------------------------------------------------------------------------------------ */

static void test_expired_uploads_go(void **state)
{
	char id[ID_LEN + 1];
	struct swept swept;

	config.partial_expire_after = 3600 * 1000;
	rest_with(11, "hello ", id);
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(offset_of(id), 6);
	ask("UPDATE uploads SET expires_at = 1");
	assert_int_equal(offset_of(id), -(int64_t)FAULT_EXPIRED);
	assert_null(resume(id, 6, false));
	assert_int_equal(why.fault, FAULT_EXPIRED);
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.partials, 1);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_NOT_FOUND);
	assert_int_equal(entries("partial"), 0);
}

/* Its expiry in the catalog, in minutes from now. */
static int64_t minutes_left(const char *id)
{
	char sql[128];

	snprintf(sql, sizeof sql, "SELECT expires_at FROM uploads WHERE id = '%s'", id);
	return (ask(sql) - clock_calendar() + 30 * 1000) / (60 * 1000);
}

static void test_first_byte_has_ten_minutes(void **state)
{
	static const struct {
		int64_t configured, empty, begun;
	} cases[] = {{24 * 60, 10, 24 * 60}, {5, 5, 5}};

	for (size_t i = 0; i < 2; i++) {
		char empty[ID_LEN + 1], begun[ID_LEN + 1];
		config.partial_expire_after = cases[i].configured * 60 * 1000;
		rest_with(11, "", empty);
		rest_with(11, "x", begun);
		assert_int_equal(minutes_left(empty), cases[i].empty);
		assert_int_equal(minutes_left(begun), cases[i].begun);
	}
}

/* A slow client, or one whose bytes wait for their checksum, has nothing recorded for long. */
static void test_nothing_expires_while_bytes_come(void **state)
{
	char id[ID_LEN + 1];

	config.partial_expire_after = 60 * 60 * 1000;
	rest_with(11, "", id);
	struct upload *p = resume(id, 0, true);
	assert_int_equal(upload_write(p, "h", 1, &why), FAULT_NONE);
	assert_int_equal(minutes_left(id), 10);
	p->prolong_at = clock_calendar(); /* half the time is over */
	assert_int_equal(upload_write(p, "e", 1, &why), FAULT_NONE);
	assert_int_equal(minutes_left(id), 60);
	assert_int_equal(ask("SELECT offset FROM uploads"), 0);
	assert_int_equal(upload_take_back(p, &why), FAULT_NONE);
	upload_leave(p);
	assert_int_equal(offset_of(id), 0);
}

static void count_row(void *self, const struct resumable *row)
{
	assert_string_equal(row->name, "plan.txt");
	++*(int *)self;
}

static void test_unfinished_ones_are_listed(void **state)
{
	char id[3][ID_LEN + 1];
	int seen = 0;

	for (int i = 0; i < 3; i++)
		rest_with(11, "hello ", id[i]);
	finish_with(id[1], 6, "world", "hello world");
	assert_int_equal(keep_each_upload(keep, count_row, &seen, &why), FAULT_NONE);
	assert_int_equal(seen, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_KEEP(test_pieces_become_a_file),
	    WITH_KEEP(test_another_process_goes_on),
	    WITH_KEEP(test_discard_takes_everything_back),
	    WITH_KEEP(test_what_was_not_paused_is_forgotten),
	    WITH_KEEP(test_offsets_and_lengths_are_held_to),
	    WITH_KEEP(test_refused_type_is_the_end),
	    WITH_KEEP(test_verdict_falls_at_the_first_mebibyte),
	    WITH_KEEP(test_verdict_is_remembered),
	    WITH_KEEP(test_claim_on_the_whole),
	    WITH_KEEP(test_bytes_after_the_offset_do_not_count),
	    WITH_KEEP(test_lost_bytes_are_the_end),
	    WITH_KEEP(test_unreadable_digest_is_made_again),
	    WITH_KEEP(test_orphan_of_a_crash_is_not_written_to),
	    WITH_KEEP(test_nothing_expires_while_bytes_come),
	    WITH_KEEP(test_first_byte_has_ten_minutes),
	    WITH_KEEP(test_expired_uploads_go),
	    WITH_KEEP(test_unfinished_ones_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
