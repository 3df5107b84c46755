/*
 * partials.h: what the tests of resumable uploads share, on top of datadir.h.
 */
#ifndef WAYBILL_TESTS_PARTIALS_H
#define WAYBILL_TESTS_PARTIALS_H

#include "datadir.h"
#include "keep/inside.h"

static int interrupted;

static inline void note_interrupt(struct exchange *x)
{
	__atomic_add_fetch(&interrupted, 1, __ATOMIC_RELAXED);
}

static struct exchange here = {.interrupt = note_interrupt};

static inline struct upload_plan plan_of(int64_t length)
{
	return (struct upload_plan){.protocol = PROTOCOL_TUS,
	    .name = span_of("plan.txt"),
	    .fields = "{\"note\":\"x\"}",
	    .length = length,
	    .x = &here};
}

static struct grant nobody = {.length = -1, .max_bytes = 1 << 30, .max_files = 64};

/* Make one, let it rest with these bytes, and say its id. */
static inline void rest_with(int64_t length, const char *bytes, char id[ID_LEN + 1])
{
	struct upload_plan plan = plan_of(length);
	struct upload *p;

	refusal_clear(&why);
	if (upload_create(keep, &nobody, &plan, &p, &why) != FAULT_NONE)
		fail_msg("%s", refusal_detail(&why));
	strcpy(id, upload_row(p)->id);
	assert_int_equal(upload_write(p, bytes, strlen(bytes), &why), FAULT_NONE);
	assert_int_equal(upload_rest(p, &why), FAULT_NONE);
	upload_leave(p);
}

static inline struct upload *resume(const char *id, int64_t offset, bool all_or_nothing)
{
	const struct upload_place place = {span_of(id), offset, all_or_nothing, &here};
	struct upload *p;

	refusal_clear(&why);
	return upload_resume(keep, &nobody, &place, &p, &why) == FAULT_NONE ? p : NULL;
}

static inline int64_t offset_of(const char *id)
{
	struct resumable row;
	struct refusal no; /* this may be another thread than the test's */

	refusal_clear(&no);
	if (keep_find_upload(keep, span_of(id), true, &row, &no) != FAULT_NONE)
		return -(int64_t)no.fault;
	int64_t offset = row.offset;
	resumable_release(&row);
	return offset;
}

/* Go on from `offset` with `bytes`, finish, and compare the whole. */
static inline void finish_with(const char *id, int64_t offset, const char *bytes, const char *whole)
{
	uint8_t sha256[SHA256_LEN];
	struct files files;
	struct upload *p = resume(id, offset, false);

	if (p == NULL)
		fail_msg("%s", refusal_detail(&why));
	assert_int_equal(upload_write(p, bytes, strlen(bytes), &why), FAULT_NONE);
	if (upload_finish(p, NULL, false, &files, &why) != FAULT_NONE)
		fail_msg("%s", refusal_detail(&why));
	upload_leave(p);
	digest_of(DIGEST_SHA256, whole, strlen(whole), sha256);
	assert_int_equal(files.count, 1);
	assert_string_equal(files.at[0].id, id);
	assert_string_equal(files.at[0].fields, "{\"note\":\"x\"}");
	assert_memory_equal(files.at[0].sha256, sha256, SHA256_LEN);
	files_release(&files);
	assert_int_equal(look(id), FAULT_NONE);
	check_sums();
}

static inline void in_partial(const char *id, char path[160])
{
	snprintf(path, 160, "%s/partial/%s", data_dir, id);
}

#define WITH_KEEP(test) cmocka_unit_test_setup_teardown(test, make_keep, drop_keep)

#endif
