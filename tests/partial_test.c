/* partial_test.c: uploads that outlive a request, and the ways in which they are cut short. */
#include "datadir.h"
#include "keep/partial.h"

static int interrupted;

static void note_interrupt(struct exchange *x)
{
	__atomic_add_fetch(&interrupted, 1, __ATOMIC_RELAXED);
}

static struct exchange here = {.interrupt = note_interrupt};

static struct partial_plan plan_of(int64_t length)
{
	return (struct partial_plan){.protocol = PROTOCOL_TUS,
	    .name = span_of("plan.txt"),
	    .fields = "{\"note\":\"x\"}",
	    .length = length,
	    .x = &here};
}

static struct grant nobody = {.length = -1, .max_bytes = 1 << 30, .max_files = 64};

/* Make one, let it rest with these bytes, and say its id. */
static void rest_with(int64_t length, const char *bytes, char id[ID_LEN + 1])
{
	struct partial_plan plan = plan_of(length);
	struct partial *p;

	refusal_clear(&why);
	if (partial_create(keep, &nobody, &plan, &p, &why) != FAULT_NONE)
		fail_msg("%s", refusal_detail(&why));
	strcpy(id, partial_row(p)->id);
	assert_int_equal(partial_write(p, bytes, strlen(bytes), &why), FAULT_NONE);
	assert_int_equal(partial_pause(p, &why), FAULT_NONE);
	partial_leave(p);
}

static struct partial *resume(const char *id, int64_t offset, bool all_or_nothing)
{
	struct partial *p;

	refusal_clear(&why);
	if (partial_resume(keep, &nobody, span_of(id), offset, all_or_nothing, &here, &p, &why) !=
	    FAULT_NONE)
		return NULL;
	return p;
}

static int64_t offset_of(const char *id)
{
	struct partial_row row;

	refusal_clear(&why);
	if (partial_find(keep, span_of(id), true, &row, &why) != FAULT_NONE)
		return -(int64_t)why.fault;
	int64_t offset = row.offset;
	partial_release(&row);
	return offset;
}

/* Go on from `offset` with `bytes`, finish, and compare the whole. */
static void finish_with(const char *id, int64_t offset, const char *bytes, const char *whole)
{
	uint8_t sha256[SHA256_LEN];
	struct files files;
	struct partial *p = resume(id, offset, false);

	if (p == NULL)
		fail_msg("%s", refusal_detail(&why));
	assert_int_equal(partial_write(p, bytes, strlen(bytes), &why), FAULT_NONE);
	if (partial_finish(p, false, &files, &why) != FAULT_NONE)
		fail_msg("%s", refusal_detail(&why));
	partial_leave(p);
	digest_of(DIGEST_SHA256, whole, strlen(whole), sha256);
	assert_int_equal(files.count, 1);
	assert_string_equal(files.at[0].id, id);
	assert_string_equal(files.at[0].fields, "{\"note\":\"x\"}");
	assert_memory_equal(files.at[0].sha256, sha256, SHA256_LEN);
	keep_release(&files);
	assert_int_equal(look(id), FAULT_NONE);
	check_sums();
}

static void in_partial(const char *id, char path[160])
{
	snprintf(path, 160, "%s/partial/%s", data_dir, id);
}

/* ---- as it should be ------------------------------------------------------------------------- */

static void test_pieces_become_a_file(void **state)
{
	char id[ID_LEN + 1], path[160];
	struct partial_row row;

	rest_with(11, "hello ", id);
	assert_int_equal(offset_of(id), 6);
	assert_int_equal(look(id), FAULT_NOT_FOUND);
	finish_with(id, 6, "world", "hello world");
	in_partial(id, path);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(partial_find(keep, span_of(id), true, &row, &why), FAULT_NONE);
	assert_int_equal(row.state, PARTIAL_DONE);
	assert_int_equal(row.offset, 11);
	assert_int_equal(row.length, 11);
	partial_release(&row);
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
	struct partial *p;

	rest_with(-1, "hello ", id);
	p = resume(id, 6, true);
	assert_non_null(p);
	assert_int_equal(partial_set_length(p, 11, &why), FAULT_NONE);
	assert_int_equal(partial_write(p, "xxxxx", 5, &why), FAULT_NONE);
	assert_int_equal(partial_discard(p, &why), FAULT_NONE);
	partial_leave(p);
	assert_int_equal(offset_of(id), 6);
	assert_int_equal(ask("SELECT length IS NULL FROM uploads"), 1);
	p = resume(id, 6, false);
	assert_int_equal(partial_set_length(p, 11, &why), FAULT_NONE);
	partial_leave(p);
	finish_with(id, 6, "world", "hello world");
}

static void test_what_was_not_paused_is_forgotten(void **state)
{
	char id[ID_LEN + 1];
	struct partial *p;

	rest_with(11, "hello ", id);
	p = resume(id, 6, false);
	assert_int_equal(partial_write(p, "WOR", 3, &why), FAULT_NONE);
	partial_leave(p);
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
	struct partial *p = resume(id, 6, false);
	assert_int_equal(partial_set_length(p, 12, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(partial_set_length(p, 11, &why), FAULT_NONE);
	assert_int_equal(partial_write(p, "world!", 6, &why), FAULT_BAD_LENGTH_CLAIM);
	assert_int_equal(partial_offset(p), 11);
	partial_leave(p);
	assert_int_equal(offset_of(id), 6);
}

/* ---- type and digest ------------------------------------------------------------------------- */

static void test_refused_type_is_the_end(void **state)
{
	char id[ID_LEN + 1];
	struct files files;

	rest_with(4, "MZ", id);
	struct partial *p = resume(id, 2, false);
	assert_int_equal(partial_write(p, "..", 2, &why), FAULT_NONE);
	assert_int_equal(partial_finish(p, false, &files, &why), FAULT_TYPE_REFUSED);
	assert_string_equal(why.detected_type, "application/x-dosexec");
	partial_leave(p);
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
	struct partial *p = resume(id, 2, false);
	assert_int_equal(partial_write(p, block, HEAD_BYTES - 3, &why), FAULT_NONE);
	assert_int_equal(partial_write(p, block, 1, &why), FAULT_TYPE_REFUSED);
	assert_int_equal(partial_write(p, block, 1, &why), FAULT_GONE);
	partial_leave(p);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_GONE);
	free(block);
}

static void test_verdict_is_remembered(void **state)
{
	char id[ID_LEN + 1], *block = malloc(HEAD_BYTES);

	memset(block, 'x', HEAD_BYTES);
	rest_with(-1, "text", id);
	struct partial *p = resume(id, 4, false);
	assert_int_equal(partial_write(p, block, HEAD_BYTES, &why), FAULT_NONE);
	assert_int_equal(partial_pause(p, &why), FAULT_NONE);
	partial_leave(p);
	assert_int_equal(sniffed, 1);
	p = resume(id, 4 + HEAD_BYTES, false);
	assert_int_equal(partial_write(p, block, HEAD_BYTES, &why), FAULT_NONE);
	struct files files;
	assert_int_equal(partial_finish(p, false, &files, &why), FAULT_NONE);
	assert_string_equal(files.at[0].type, "text/plain");
	keep_release(&files);
	partial_leave(p);
	assert_int_equal(sniffed, 1);
	free(block);
}

static void test_claim_on_the_whole(void **state)
{
	static const enum digest_algorithm by[] = {DIGEST_SHA256, DIGEST_SHA512};

	for (int wrong = 0; wrong < 2; wrong++)
		for (size_t i = 0; i < 2; i++) {
			struct partial_plan plan = plan_of(5);
			struct partial *p;
			struct files files;
			plan.whole.algorithm = by[i];
			digest_of(by[i], wrong ? "other" : "hello", 5, plan.whole.value);
			assert_int_equal(
			    partial_create(keep, &nobody, &plan, &p, &why), FAULT_NONE);
			assert_int_equal(partial_write(p, "hello", 5, &why), FAULT_NONE);
			assert_int_equal(partial_finish(p, false, &files, &why),
			    wrong ? FAULT_DIGEST_MISMATCH : FAULT_NONE);
			keep_release(&files);
			partial_leave(p);
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
	assert_int_equal(partial_remove(keep, span_of(id), &why), FAULT_NONE);
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
	struct partial *p = resume(id, 6, false);
	assert_non_null(p);
	assert_int_equal(partial_write(p, "WORLD", 5, &why), FAULT_NONE);
	assert_int_equal(partial_pause(p, &why), FAULT_NONE);
	partial_leave(p);
	FILE *file = fopen(to, "r");
	assert_int_equal(fread(content, 1, sizeof content, file), 6);
	fclose(file);
	assert_string_equal(content, "hello ");
	assert_int_equal(unlink(to), 0);
	finish_with(id, 11, "!", "hello WORLD!");
}

/* ---- who holds it ---------------------------------------------------------------------------- */

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
	struct partial *p = resume(r.id, 6, false);
	assert_int_equal(partial_write(p, "wor", 3, &why), FAULT_NONE);
	assert_int_equal(pthread_create(&thread, NULL, settle, &r), 0);
	wait_for_interrupt();
	assert_int_equal(partial_write(p, "ld", 2, &why), FAULT_LOCKED);
	assert_int_equal(partial_pause(p, &why), FAULT_NONE);
	partial_leave(p);
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
	struct partial *p = resume(id, 6, false);
	assert_int_equal(partial_write(p, "WORLD", 5, &why), FAULT_NONE);
	assert_int_equal(offset_of(id), 6);
	assert_null(resume(id, 6, false));
	assert_int_equal(why.fault, FAULT_LOCKED);
	assert_int_equal(partial_pause(p, &why), FAULT_LOCKED);
	assert_int_equal(partial_finish(p, false, &files, &why), FAULT_LOCKED);
	partial_leave(p);
	finish_with(id, 6, "world", "hello world");
}

static void test_removed_under_its_holder(void **state)
{
	char id[ID_LEN + 1];
	struct files files;

	rest_with(11, "hello ", id);
	struct partial *p = resume(id, 6, false);
	assert_int_equal(partial_write(p, "world", 5, &why), FAULT_NONE);
	assert_int_equal(partial_remove(keep, span_of(id), &why), FAULT_NONE);
	assert_int_equal(partial_finish(p, false, &files, &why), FAULT_LOCKED);
	partial_leave(p);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_NOT_FOUND);
	assert_int_equal(look(id), FAULT_NOT_FOUND);
	assert_int_equal(entries("partial"), 0);
	check_sums();
}

/* ---- space ----------------------------------------------------------------------------------- */

/* What is promised to unfinished uploads, as quotas see it. */
static int64_t promised(void)
{
	struct catalog_sums sums;

	assert_int_equal(catalog_sums(keep->catalog, (struct span){NULL, 0}, &sums, &why), FAULT_NONE);
	return sums.promised;
}

static struct partial *create(const struct grant *grant, int64_t length)
{
	struct partial_plan plan = plan_of(length);
	struct partial *p;

	refusal_clear(&why);
	return partial_create(keep, grant, &plan, &p, &why) == FAULT_NONE ? p : NULL;
}

static void test_declared_length_counts_from_the_first_byte(void **state)
{
	struct grant plain = grant_of(300, "alice");
	struct grant alice = grant_of(-1, "alice");
	char id[ID_LEN + 1];
	struct upload *u;

	for (int by_owner = 0; by_owner < 2; by_owner++) {
		config.quota_bytes = by_owner ? 0 : 1000;
		plain.owner_quota = alice.owner_quota = by_owner ? 1000 : 0;
		plain.owner = span_of("alice");
		struct partial *p = create(&alice, 800);
		assert_non_null(p);
		strcpy(id, partial_row(p)->id);
		assert_int_equal(promised(), 0);
		assert_int_equal(upload_begin(keep, &plain, &u, &why), FAULT_NONE);
		upload_leave(u);
		assert_int_equal(partial_write(p, "x", 1, &why), FAULT_NONE);
		assert_int_equal(upload_begin(keep, &plain, &u, &why), FAULT_QUOTA_EXCEEDED);
		assert_int_equal(partial_pause(p, &why), FAULT_NONE);
		partial_leave(p);
		assert_int_equal(promised(), 800);
		assert_int_equal(upload_begin(keep, &plain, &u, &why), FAULT_QUOTA_EXCEEDED);
		assert_null(create(&alice, 800));
		assert_int_equal(why.fault, FAULT_QUOTA_EXCEEDED);
		plain.owner = span_of("bob");
		assert_int_equal(upload_begin(keep, &plain, &u, &why),
		    by_owner ? FAULT_NONE : FAULT_QUOTA_EXCEEDED);
		upload_leave(u);
		check_sums();
		assert_int_equal(partial_remove(keep, span_of(id), &why), FAULT_NONE);
		assert_int_equal(promised(), 0);
		check_sums();
	}
}

/* Judged at creation, but what fitted then need not when its first byte comes. */
static void test_first_byte_may_be_one_too_many(void **state)
{
	struct grant alice = grant_of(-1, "alice");

	config.quota_bytes = 1000;
	struct partial *first = create(&alice, 600), *second = create(&alice, 600);
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(partial_write(first, "x", 1, &why), FAULT_NONE);
	assert_int_equal(partial_write(second, "x", 1, &why), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(partial_write(first, "y", 1, &why), FAULT_NONE);
	assert_int_equal(partial_discard(first, &why), FAULT_NONE);
	assert_int_equal(partial_write(second, "x", 1, &why), FAULT_NONE);
	partial_leave(second);
	partial_leave(first);
	assert_int_equal(promised(), 0);
}

/* Blocks that the file system has set aside for it, in bytes. */
static int64_t blocks(const char *id)
{
	char path[160];
	struct stat st;

	in_partial(id, path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_blocks * 512;
}

static void test_no_space_is_taken_without_a_byte_that_counts(void **state)
{
	char id[ID_LEN + 1];
	struct partial *p = create(&nobody, 64 << 20);

	strcpy(id, partial_row(p)->id);
	assert_in_range(blocks(id), 0, 4096);
	partial_leave(p);
	assert_in_range(blocks(id), 0, 4096);
	p = resume(id, 0, true);
	assert_int_equal(partial_write(p, "x", 1, &why), FAULT_NONE);
	assert_int_equal(partial_discard(p, &why), FAULT_NONE);
	partial_leave(p);
	assert_in_range(blocks(id), 0, 4096);
	assert_int_equal(offset_of(id), 0);
}

/* After a crash an upload of no known length may have more set aside than it counts for. */
static void test_pending_is_never_negative(void **state)
{
	struct catalog_sums sums;
	char id[ID_LEN + 1];

	rest_with(-1, "hello ", id);
	ask("UPDATE uploads SET allocated = 1000000");
	assert_int_equal(catalog_sums(keep->catalog, span_of("alice"), &sums, &why), FAULT_NONE);
	assert_int_equal(sums.pending, 0);
	assert_int_equal(sums.promised, 6);
	assert_int_equal(sums.owner_promised, 0);
	check_sums();
}

static enum fault join(const struct span *ids, size_t count, struct files *files)
{
	struct partial_plan plan = plan_of(-1);

	plan.concat = PARTIAL_FINAL;
	plan.parts = span_of("final;...");
	return partial_concat(keep, &nobody, &plan, ids, count, files, &why);
}

static void make_part(const char *bytes, int64_t length, char id[ID_LEN + 1])
{
	struct partial_plan plan = plan_of(length);
	struct partial *p;

	plan.concat = PARTIAL_PART;
	assert_int_equal(partial_create(keep, &nobody, &plan, &p, &why), FAULT_NONE);
	strcpy(id, partial_row(p)->id);
	assert_int_equal(partial_write(p, bytes, strlen(bytes), &why), FAULT_NONE);
	assert_int_equal(partial_pause(p, &why), FAULT_NONE);
	partial_leave(p);
}

/* A quota that holds the whole once is enough, though its parts are there as well. */
static void test_parts_become_one(void **state)
{
	char a[ID_LEN + 1], b[ID_LEN + 1];
	struct files files;

	config.quota_bytes = 11;
	make_part("hello ", 6, a);
	make_part("world", 5, b);
	struct span ids[] = {span_of(a), span_of(b), span_of(a)};
	assert_int_equal(join(ids, 3, &files), FAULT_QUOTA_EXCEEDED);
	if (join(ids, 2, &files) != FAULT_NONE)
		fail_msg("%s", refusal_detail(&why));
	uint8_t sha256[SHA256_LEN];
	digest_of(DIGEST_SHA256, "hello world", 11, sha256);
	assert_memory_equal(files.at[0].sha256, sha256, SHA256_LEN);
	keep_release(&files);
	check_sums();
	assert_int_equal(offset_of(a), 6);
	config.quota_bytes = 0;
	assert_int_equal(join(ids, 3, &files), FAULT_NONE);
	assert_int_equal(files.at[0].size, 17);
	keep_release(&files);
}

static void test_parts_must_be_finished_parts(void **state)
{
	char done[ID_LEN + 1], half[ID_LEN + 1], whole[ID_LEN + 1];
	struct files files;

	make_part("hello ", 6, done);
	make_part("wor", 5, half);
	rest_with(5, "world", whole);
	const char *const bad[] = {half, whole, "00000000000000000000000000"};
	for (size_t i = 0; i < 3; i++) {
		struct span ids[] = {span_of(done), span_of(bad[i])};
		assert_int_equal(join(ids, 2, &files), FAULT_BAD_REQUEST);
	}
	assert_int_equal(ask("SELECT count(*) FROM files"), 0);
	assert_int_equal(entries("partial"), 3);
	assert_int_equal(ask("SELECT count(*) FROM uploads WHERE state = 0"), 3);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void test_expired_uploads_go(void **state)
{
	char id[ID_LEN + 1];
	struct swept swept;

	config.partial_expire_after = 3600 * 1000;
	rest_with(11, "hello ", id);
	assert_int_equal(keep_sweep(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(offset_of(id), 6);
	ask("UPDATE uploads SET expires_at = 1");
	assert_int_equal(offset_of(id), -(int64_t)FAULT_EXPIRED);
	assert_null(resume(id, 6, false));
	assert_int_equal(why.fault, FAULT_EXPIRED);
	assert_int_equal(keep_sweep(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.partials, 1);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_NOT_FOUND);
	assert_int_equal(entries("partial"), 0);
}

static void count_row(void *self, const struct partial_row *row)
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
	assert_int_equal(keep_partial_each(keep, count_row, &seen, &why), FAULT_NONE);
	assert_int_equal(seen, 2);
}

#define WITH_KEEP(test) cmocka_unit_test_setup_teardown(test, make_keep, drop_keep)

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
	    WITH_KEEP(test_holder_is_asked_to_let_go),
	    WITH_KEEP(test_holder_that_does_not_let_go_is_shut_out),
	    WITH_KEEP(test_removed_under_its_holder),
	    WITH_KEEP(test_declared_length_counts_from_the_first_byte),
	    WITH_KEEP(test_first_byte_may_be_one_too_many),
	    WITH_KEEP(test_no_space_is_taken_without_a_byte_that_counts),
	    WITH_KEEP(test_pending_is_never_negative),
	    WITH_KEEP(test_parts_become_one),
	    WITH_KEEP(test_parts_must_be_finished_parts),
	    WITH_KEEP(test_expired_uploads_go),
	    WITH_KEEP(test_unfinished_ones_are_listed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
