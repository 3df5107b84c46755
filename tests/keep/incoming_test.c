/* incoming_test.c: types, space and quotas. */
#include "datadir.h"

/* ---- types ----------------------------------------------------------------------------------- */

static enum fault judge(const char *name, const char *bytes)
{
	struct grant grant = grant_of((int64_t)strlen(bytes), NULL);
	struct sent s = {name, bytes, 0};
	struct files files = {0};

	refusal_clear(&why);
	enum fault f = send_all(keep, &grant, &s, 1, false, &files, &why);
	files_release(&files);
	return f;
}

static void test_types(void **state)
{
	assert_int_equal(judge("a.exe", "MZ"), FAULT_TYPE_REFUSED);
	assert_int_equal(judge("a.txt", "MZ"), FAULT_TYPE_REFUSED);
	config.allow_types = "image/*, text/plain";
	assert_int_equal(judge("a.png", "\x89PNG"), FAULT_NONE);
	assert_int_equal(judge("a.txt", "text"), FAULT_NONE);
	config.allow_types = "image/*";
	assert_int_equal(judge("a.txt", "text"), FAULT_TYPE_REFUSED); /* known content, too */
	assert_non_null(strstr(why.detail, "image/*"));
	config.deny_types = "image/png";
	assert_int_equal(judge("a.png", "\x89PNG"), FAULT_TYPE_REFUSED);
	assert_int_equal(judge("a.gif", "GIF89a"), FAULT_NONE);
}

static void test_mismatch(void **state)
{
	assert_int_equal(judge("a.png", "GIF89a"), FAULT_NONE);
	config.type_mismatch = MISMATCH_REJECT;
	assert_int_equal(judge("a.png", "GIF89a"), FAULT_TYPE_REFUSED);
	assert_string_equal(why.file, "a.png");
	assert_string_equal(why.detected_type, "image/gif");
	assert_int_equal(judge("a.PNG", "\x89PNG"), FAULT_NONE);
	assert_int_equal(judge("a.unheard-of", "GIF89a"), FAULT_NONE);
	assert_int_equal(judge("png", "GIF89a"), FAULT_NONE);
	assert_int_equal(judge("a.txt", "GIF89a"), FAULT_TYPE_REFUSED);
	assert_false(promise_broken("a.docx", "application/zip"));
	assert_false(promise_broken("a.json", "text/plain"));
	assert_true(promise_broken("a.pdf", "application/x-dosexec"));
}

static void test_early_verdict(void **state)
{
	struct grant grant = grant_of(4 * HEAD_BYTES, NULL);
	struct part part = {.is_file = true, .name = span_of("setup.exe")};
	char *half = calloc(1, HEAD_BYTES / 2);
	struct upload *u;

	memcpy(half, "MZ", 2);
	assert_int_equal(upload_begin(keep, &grant, &u, &why), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	assert_int_equal(upload_write(u, half, HEAD_BYTES / 2, &why), FAULT_NONE);
	assert_int_equal(upload_write(u, half, HEAD_BYTES / 2, &why), FAULT_TYPE_REFUSED);
	upload_leave(u);
	free(half);
	assert_int_equal(entries("objects"), 0);
}

static void test_sniffer_dies(void **state)
{
	sniffer_dies = true;
	assert_int_equal(judge("a", "text"), FAULT_INTERNAL);
	assert_int_equal(ask("SELECT count(*) FROM files"), 0);
	sniffer_dies = false;
	assert_int_equal(judge("a", "text"), FAULT_NONE);
}

/* ---- space and quotas ------------------------------------------------------------------------ */

static enum fault begin_only(
    int64_t length, const char *owner, int64_t owner_quota, struct upload **u)
{
	static struct grant grants[8]; /* they outlive the uploads */
	static unsigned next;
	struct grant *grant = &grants[next++ % 8];

	*grant = grant_of(length, owner);
	grant->owner_quota = owner_quota;
	refusal_clear(&why);
	return upload_begin(keep, grant, u, &why);
}

static void test_space(void **state)
{
	struct upload *u, *v;
	int64_t free_bytes = store_free_bytes(keep->store);

	assert_int_equal(begin_only(INT64_MAX, NULL, 0, &u), FAULT_NO_SPACE);
	assert_null(u);
	assert_non_null(strstr(why.detail, "iB"));
	/* Two that fit alone, but not side by side. */
	assert_int_equal(begin_only(free_bytes / 3 * 2, NULL, 0, &u), FAULT_NONE);
	assert_int_equal(begin_only(free_bytes / 3 * 2, NULL, 0, &v), FAULT_NO_SPACE);
	upload_leave(u);
	assert_int_equal(begin_only(free_bytes / 3 * 2, NULL, 0, &v), FAULT_NONE);
	upload_leave(v);
	config.min_free_bytes = INT64_MAX;
	assert_int_equal(begin_only(1, NULL, 0, &u), FAULT_NO_SPACE);
}

static void test_store_quota(void **state)
{
	struct upload *u, *v;
	char id[ID_LEN + 1];

	config.quota_bytes = 100;
	put("a", "1234567890", NULL, id); /* 10 */
	put("b", "1234567890", NULL, id); /* the same content: still 10 */
	assert_int_equal(begin_only(91, NULL, 0, &u), FAULT_QUOTA_EXCEEDED);
	assert_non_null(strstr(why.detail, "91 bytes"));
	assert_int_equal(begin_only(90, NULL, 0, &u), FAULT_NONE);
	assert_int_equal(begin_only(1, NULL, 0, &v), FAULT_QUOTA_EXCEEDED);
	upload_leave(u);
	assert_int_equal(begin_only(1, NULL, 0, &v), FAULT_NONE);
	upload_leave(v);
}

static void test_owner_quota(void **state)
{
	struct upload *u, *v;
	char id[ID_LEN + 1];

	put("a", "1234567890", "alice", id);
	put("b", "1234567890", "alice", id); /* one's own copies count */
	put("c", "1234567890", "bob", id);
	assert_int_equal(begin_only(81, "alice", 100, &u), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(begin_only(80, "alice", 100, &u), FAULT_NONE);
	assert_int_equal(begin_only(1, "alice", 100, &v), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(begin_only(90, "bob", 100, &v), FAULT_NONE);
	upload_leave(u);
	upload_leave(v);
	assert_int_equal(keep_remove(keep, span_of(id), &why), FAULT_NONE);
	assert_int_equal(begin_only(100, "bob", 100, &v), FAULT_NONE);
	upload_leave(v);
}

/* No length: reserved as it comes, so a quota still holds. */
static void test_unknown_length(void **state)
{
	enum { MIB = 1 << 20 };
	struct part part = {.is_file = true};
	char *mib = calloc(1, MIB);
	struct upload *u;
	struct files files;
	enum fault f = FAULT_NONE;

	assert_int_equal(begin_only(-1, NULL, 0, &u), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	for (int i = 0; i < 20; i++)
		assert_int_equal(upload_write(u, mib, MIB, &why), FAULT_NONE);
	assert_int_equal(upload_file_end(u, &why), FAULT_NONE);
	assert_int_equal(upload_finish(u, "{}", false, &files, &why), FAULT_NONE);
	assert_int_equal(files.at[0].size, 20 * MIB);
	files_release(&files);
	upload_leave(u);
	config.quota_bytes = 20 * MIB + 10 * MIB;
	assert_int_equal(begin_only(-1, NULL, 0, &u), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	for (int i = 0; i < 20 && f == FAULT_NONE; i++)
		f = upload_write(u, mib, MIB, &why);
	assert_int_equal(f, FAULT_QUOTA_EXCEEDED);
	upload_leave(u);
	free(mib);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_keep, drop_keep)
	const struct CMUnitTest tests[] = {
	    TEST(types), TEST(mismatch), TEST(early_verdict), TEST(sniffer_dies), TEST(space),
	    TEST(store_quota), TEST(owner_quota), TEST(unknown_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
