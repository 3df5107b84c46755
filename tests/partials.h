/*
 * partials.h: what the tests of resumable uploads share, on top of datadir.h.
 */
#ifndef WAYBILL_TESTS_PARTIALS_H
#define WAYBILL_TESTS_PARTIALS_H

#include "datadir.h"
#include "keep/uploads.h"

static int interrupted;

static inline void note_interrupt(struct exchange *x)
{
	__atomic_add_fetch(&interrupted, 1, __ATOMIC_RELAXED);
}

static struct exchange here = {.interrupt = note_interrupt};

static inline struct partial_plan plan_of(int64_t length)
{
	return (struct partial_plan){.protocol = PROTOCOL_TUS,
	    .name = span_of("plan.txt"),
	    .fields = "{\"note\":\"x\"}",
	    .length = length,
	    .x = &here};
}

static struct grant nobody = {.length = -1, .max_bytes = 1 << 30, .max_files = 64};

/* Make one, let it rest with these bytes, and say its id. */
static inline void rest_with(int64_t length, const char *bytes, char id[ID_LEN + 1])
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

static inline struct partial *resume(const char *id, int64_t offset, bool all_or_nothing)
{
	struct partial *p;

	refusal_clear(&why);
	if (partial_resume(keep, &nobody, span_of(id), offset, all_or_nothing, &here, &p, &why) !=
	    FAULT_NONE)
		return NULL;
	return p;
}

static inline int64_t offset_of(const char *id)
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
static inline void finish_with(const char *id, int64_t offset, const char *bytes, const char *whole)
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
