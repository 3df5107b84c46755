/* room_test.c: what resumable uploads reserve, and when; parts and their wholes. */
#include "partials.h"

/* ---- space ----------------------------------------------------------------------------------- */

/* What is promised to unfinished uploads, as quotas see it. */
static int64_t promised(void)
{
	struct catalog_sums sums;

	assert_int_equal(
	    catalog_sums(keep->catalog, (struct span){NULL, 0}, &sums, &why), FAULT_NONE);
	return sums.promised;
}

static struct upload *create(const struct grant *grant, int64_t length)
{
	struct upload_plan plan = plan_of(length);
	struct upload *p;

	refusal_clear(&why);
	return upload_create(keep, grant, &plan, &p, &why) == FAULT_NONE ? p : NULL;
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
		struct upload *p = create(&alice, 800);
		assert_non_null(p);
		strcpy(id, upload_row(p)->id);
		assert_int_equal(promised(), 0);
		assert_int_equal(upload_begin(keep, &plain, &u, &why), FAULT_NONE);
		upload_leave(u);
		assert_int_equal(upload_write(p, "x", 1, &why), FAULT_NONE);
		assert_int_equal(upload_begin(keep, &plain, &u, &why), FAULT_QUOTA_EXCEEDED);
		assert_int_equal(upload_rest(p, &why), FAULT_NONE);
		upload_leave(p);
		assert_int_equal(promised(), 800);
		assert_int_equal(upload_begin(keep, &plain, &u, &why), FAULT_QUOTA_EXCEEDED);
		assert_null(create(&alice, 800));
		assert_int_equal(why.fault, FAULT_QUOTA_EXCEEDED);
		plain.owner = span_of("bob");
		assert_int_equal(upload_begin(keep, &plain, &u, &why),
		    by_owner ? FAULT_NONE : FAULT_QUOTA_EXCEEDED);
		upload_leave(u);
		check_sums();
		assert_int_equal(keep_remove_upload(keep, span_of(id), &why), FAULT_NONE);
		assert_int_equal(promised(), 0);
		check_sums();
	}
}

/* Judged at creation, but what fitted then need not when its first byte comes. */
static void test_first_byte_may_be_one_too_many(void **state)
{
	struct grant alice = grant_of(-1, "alice");

	config.quota_bytes = 1000;
	struct upload *first = create(&alice, 600), *second = create(&alice, 600);
	assert_non_null(first);
	assert_non_null(second);
	assert_int_equal(upload_write(first, "x", 1, &why), FAULT_NONE);
	assert_int_equal(upload_write(second, "x", 1, &why), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(upload_write(first, "y", 1, &why), FAULT_NONE);
	assert_int_equal(upload_take_back(first, &why), FAULT_NONE);
	assert_int_equal(upload_write(second, "x", 1, &why), FAULT_NONE);
	upload_leave(second);
	upload_leave(first);
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
	struct upload *p = create(&nobody, 64 << 20);

	strcpy(id, upload_row(p)->id);
	assert_in_range(blocks(id), 0, 4096);
	upload_leave(p);
	assert_in_range(blocks(id), 0, 4096);
	p = resume(id, 0, true);
	assert_int_equal(upload_write(p, "x", 1, &why), FAULT_NONE);
	assert_int_equal(upload_take_back(p, &why), FAULT_NONE);
	upload_leave(p);
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
	struct upload_plan plan = plan_of(-1);

	plan.concat = CONCAT_FINAL;
	plan.parts = span_of("final;...");
	plan.ids = ids;
	plan.count = count;
	return keep_join(keep, &nobody, &plan, files, &why);
}

static void make_part(const char *bytes, int64_t length, char id[ID_LEN + 1])
{
	struct upload_plan plan = plan_of(length);
	struct upload *p;

	plan.concat = CONCAT_PARTIAL;
	assert_int_equal(upload_create(keep, &nobody, &plan, &p, &why), FAULT_NONE);
	strcpy(id, upload_row(p)->id);
	assert_int_equal(upload_write(p, bytes, strlen(bytes), &why), FAULT_NONE);
	assert_int_equal(upload_rest(p, &why), FAULT_NONE);
	upload_leave(p);
}

/* A quota that holds the whole once is enough, though its parts are there as well. */
static void test_parts_become_one(void **state)
{
	char a[ID_LEN + 1], b[ID_LEN + 1];
	struct files files;

	config.quota_bytes = 11 + (int64_t)strlen(plan_of(0).fields);
	make_part("hello ", 6, a);
	make_part("world", 5, b);
	struct span ids[] = {span_of(a), span_of(b), span_of(a)};
	assert_int_equal(join(ids, 3, &files), FAULT_QUOTA_EXCEEDED);
	if (join(ids, 2, &files) != FAULT_NONE)
		fail_msg("%s", refusal_detail(&why));
	uint8_t sha256[SHA256_LEN];
	digest_of(DIGEST_SHA256, "hello world", 11, sha256);
	assert_memory_equal(files.at[0].sha256, sha256, SHA256_LEN);
	files_release(&files);
	check_sums();
	assert_int_equal(offset_of(a), 6);
	config.quota_bytes = 0;
	assert_int_equal(join(ids, 3, &files), FAULT_NONE);
	assert_int_equal(files.at[0].size, 17);
	files_release(&files);
	/* They are the file's, which pays for them. */
	assert_int_equal(ask("SELECT count(*) FROM uploads WHERE state = 1 AND fields <> '{}'"), 0);
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

static void use_it_too(void *self)
{
	const struct span *part = self;
	struct files files;

	assert_int_equal(join(part, 1, &files), FAULT_NONE);
	files_release(&files);
}

/* Two make a whole of one part at a time: it is paid for in one of them only. */
static void test_a_part_is_credited_once(void **state)
{
	char id[ID_LEN + 1];
	struct files files;

	make_part("hello ", 6, id);
	struct span part = span_of(id);
	while_sniffing = use_it_too;
	sniffing_self = &part;
	assert_int_equal(join(&part, 1, &files), FAULT_LOCKED);
	assert_int_equal(ask("SELECT count(*) FROM files"), 1);
	assert_int_equal(join(&part, 1, &files), FAULT_NONE); /* in full */
	files_release(&files);
	assert_int_equal(promised(), 0);
	check_sums();
}

/* What it counts with is gone: so is the part. */
static void test_a_part_goes_with_its_whole(void **state)
{
	char id[ID_LEN + 1], whole[ID_LEN + 1];
	struct files files;
	struct swept swept;

	make_part("hello ", 6, id);
	struct span part = span_of(id);
	assert_int_equal(join(&part, 1, &files), FAULT_NONE);
	strcpy(whole, files.at[0].id);
	files_release(&files);
	assert_int_equal(offset_of(id), 6);
	assert_int_equal(keep_remove(keep, span_of(whole), &why), FAULT_NONE);
	assert_int_equal(offset_of(id), -(int64_t)FAULT_EXPIRED);
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(entries("partial"), 0);
	check_sums();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_KEEP(test_declared_length_counts_from_the_first_byte),
	    WITH_KEEP(test_first_byte_may_be_one_too_many),
	    WITH_KEEP(test_no_space_is_taken_without_a_byte_that_counts),
	    WITH_KEEP(test_pending_is_never_negative),
	    WITH_KEEP(test_parts_become_one),
	    WITH_KEEP(test_parts_must_be_finished_parts),
	    WITH_KEEP(test_a_part_is_credited_once),
	    WITH_KEEP(test_a_part_goes_with_its_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
