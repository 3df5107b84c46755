/* upload_test.c: parts become kept files, all of them or none; they are found, listed, removed. */
#include "datadir.h"

enum { THREADS = 16, ROUNDS = 25 };

/* ---- one file -------------------------------------------------------------------------------- */

static void test_one_file(void **state)
{
	struct grant grant = grant_of(11, "alice");
	struct sent s = {"dir/\xc3\x9c"
			 "bersicht.txt",
	    "hello world", 0};
	struct files files, found;
	char path[80], bytes[32];
	int fd;

	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_NONE);
	assert_int_equal(files.count, 1);
	assert_int_equal(keep_find(keep, span_of(files.at[0].id), &found, &why), FAULT_NONE);
	assert_int_equal(found.count, 1);
	const struct file *f = &found.at[0];
	assert_true(text_is_id(span_of(f->id)));
	assert_string_equal(f->id, files.at[0].id);
	assert_int_equal(f->seq, files.at[0].seq);
	assert_string_equal(f->name, "\xc3\x9c"
				     "bersicht.txt");
	assert_int_equal(f->size, 11);
	assert_string_equal(f->type, "text/plain");
	assert_string_equal(f->declared_type, "application/octet-stream");
	assert_string_equal(f->owner, "alice");
	assert_string_equal(f->fields, "{}");
	assert_int_equal(f->expires_at, 0);
	assert_null(f->delete_token);
	assert_in_range(f->uploaded_at, clock_calendar() - 60000, clock_calendar());
	assert_int_equal(keep_content(keep, f, &fd, path, &why), FAULT_NONE);
	assert_int_equal(read(fd, bytes, sizeof bytes), 11);
	assert_memory_equal(bytes, "hello world", 11);
	close(fd);
	/* sha256sum of "hello world" */
	assert_string_equal(
	    path, "objects/b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
	files_release(&found);
	files_release(&files);
	check_sums();
}

static void test_modes_on_disk(void **state)
{
	char id[ID_LEN + 1], path[256];
	struct files files;
	struct stat st;
	int fd;

	put("a", "bytes", NULL, id);
	assert_int_equal(keep_find(keep, span_of(id), &files, &why), FAULT_NONE);
	assert_int_equal(keep_content(keep, &files.at[0], &fd, NULL, &why), FAULT_NONE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	close(fd);
	files_release(&files);
	snprintf(path, sizeof path, "%s/waybill.db", data_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 027, 0);
	snprintf(path, sizeof path, "%s/objects", data_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
}

static void test_absent_things(void **state)
{
	struct grant grant = grant_of(3, NULL);
	struct part part = {.is_file = true};
	struct upload *u;
	struct files files;

	assert_int_equal(upload_begin(keep, &grant, &u, &why), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	assert_int_equal(upload_write(u, "abc", 3, &why), FAULT_NONE);
	assert_int_equal(upload_file_end(u, &why), FAULT_NONE);
	assert_int_equal(upload_finish(u, "{\"a\":\"b\"}", false, &files, &why), FAULT_NONE);
	upload_leave(u);
	assert_string_equal(files.at[0].name, "unnamed");
	assert_null(files.at[0].declared_type);
	assert_null(files.at[0].owner);
	assert_string_equal(files.at[0].fields, "{\"a\":\"b\"}");
	files_release(&files);
	assert_int_equal(ask("SELECT count(*) FROM files WHERE owner IS NULL AND declared_type "
			     "IS NULL AND delete_hash IS NULL AND form IS NULL"),
	    1);
}

static void test_declared_type_is_cleaned(void **state)
{
	char to[TYPE_BYTES + 1], longest[400];

	incoming_clean_type(span_of(" Text/Plain; charset=utf-8\r\n"), to);
	assert_string_equal(to, "Text/Plain; charset=utf-8");
	incoming_clean_type(span_of(" \t\x01"), to);
	assert_string_equal(to, "");
	incoming_clean_type((struct span){NULL, 0}, to);
	assert_string_equal(to, "");
	incoming_clean_type(span_of("a\xff"
				    "b"),
	    to);
	assert_true(to[0] == 'a' && text_is_utf8(span_of(to)));
	memset(longest, 'x', sizeof longest);
	incoming_clean_type((struct span){longest, sizeof longest}, to);
	assert_int_equal(strlen(to), TYPE_BYTES);
}

static void test_large_in_odd_pieces(void **state)
{
	enum { SIZE = 3 * HEAD_BYTES + 17 };
	struct grant grant = grant_of(SIZE, NULL);
	struct part part = {.is_file = true, .name = span_of("big")};
	char *bytes = malloc(SIZE), *back = malloc(SIZE + 1);
	uint8_t sha256[SHA256_LEN];
	struct upload *u;
	struct files files;
	int fd;

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	assert_int_equal(upload_begin(keep, &grant, &u, &why), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	for (size_t at = 0, n = 1; at < SIZE; at += n, n = n * 3 + 1) {
		n = n > 200000 ? 7 : n;
		n = n > SIZE - at ? SIZE - at : n;
		assert_int_equal(upload_write(u, bytes + at, n, &why), FAULT_NONE);
	}
	assert_int_equal(upload_file_end(u, &why), FAULT_NONE);
	assert_int_equal(upload_finish(u, "{}", false, &files, &why), FAULT_NONE);
	upload_leave(u);
	digest_of(DIGEST_SHA256, bytes, SIZE, sha256);
	assert_memory_equal(sha256, files.at[0].sha256, SHA256_LEN);
	assert_int_equal(keep_content(keep, &files.at[0], &fd, NULL, &why), FAULT_NONE);
	assert_int_equal(read(fd, back, SIZE + 1), SIZE);
	assert_memory_equal(back, bytes, SIZE);
	close(fd);
	files_release(&files);
	free(bytes);
	free(back);
	assert_int_equal(sniffed, 1);
}

/* What was allocated beyond the true end, or never came, is given back. */
static void test_shorter_than_granted(void **state)
{
	struct grant grant = grant_of(1 << 20, NULL);
	struct sent s = {"short", "only this", 0};
	struct files files;
	struct stat st;
	int fd;

	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_NONE);
	assert_int_equal(keep_content(keep, &files.at[0], &fd, NULL, &why), FAULT_NONE);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 9);
	assert_true(st.st_blocks * 512 < 1 << 20);
	close(fd);
	files_release(&files);
}

/* ---- the same content ------------------------------------------------------------------------ */

static void test_same_content_once(void **state)
{
	char a[ID_LEN + 1], b[ID_LEN + 1];

	put("a", "same", "alice", a);
	assert_int_equal(sniffed, 1);
	put("b", "same", NULL, b);
	assert_int_equal(sniffed, 1); /* the catalog knew the verdict */
	assert_string_not_equal(a, b);
	assert_int_equal(entries("objects"), 1);
	check_sums();
	assert_int_equal(keep_remove(keep, span_of(a), &why), FAULT_NONE);
	assert_int_equal(entries("objects"), 1);
	assert_int_equal(look(b), FAULT_NONE);
	check_sums();
	assert_int_equal(keep_remove(keep, span_of(b), &why), FAULT_NONE);
	assert_int_equal(entries("objects"), 0);
	assert_int_equal(ask("SELECT count(*) FROM usage"), 0);
	assert_int_equal(keep_remove(keep, span_of(b), &why), FAULT_NOT_FOUND);
	check_sums();
}

static void test_verdict_of_another_libmagic(void **state)
{
	char id[ID_LEN + 1];

	put("a", "same", NULL, id);
	sniffer_version++;
	put("b", "same", NULL, id);
	assert_int_equal(sniffed, 2);
	assert_int_equal(ask("SELECT magic FROM objects"), sniffer_version);
	put("c", "same", NULL, id);
	assert_int_equal(sniffed, 2);
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void test_form(void **state)
{
	struct grant grant = grant_of(100, "bob");
	struct sent s[] = {{"one", "1111", 0}, {"two", "22", 0}, {"three", "1111", 0}};
	struct files files, form;
	char other[ID_LEN + 1];

	put("before", "x", NULL, other);
	assert_int_equal(send_all(keep, &grant, s, 3, true, &files, &why), FAULT_NONE);
	put("after", "y", NULL, other);
	assert_int_equal(files.count, 3);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(files.at[i].name, s[i].name);
		assert_int_equal(strlen(files.at[i].delete_token), 64);
		assert_int_equal(
		    keep_find_form(keep, span_of(files.at[i].id), &form, &why), FAULT_NONE);
		assert_int_equal(form.count, 3);
		assert_string_equal(form.at[0].name, "one");
		assert_string_equal(form.at[2].name, "three");
		files_release(&form);
	}
	assert_int_equal(entries("objects"), 4);
	/* The first gone, the others still know each other. */
	assert_int_equal(keep_remove(keep, span_of(files.at[0].id), &why), FAULT_NONE);
	assert_int_equal(keep_find_form(keep, span_of(files.at[2].id), &form, &why), FAULT_NONE);
	assert_int_equal(form.count, 2);
	files_release(&form);
	assert_int_equal(keep_find_form(keep, span_of(other), &form, &why), FAULT_NONE);
	assert_int_equal(form.count, 1);
	files_release(&form);
	files_release(&files);
	check_sums();
}

static void test_form_all_or_none(void **state)
{
	struct grant grant = grant_of(100, NULL);
	struct sent s[] = {{"good.txt", "fine", 0}, {"bad.exe", "MZ\x90", 0}};
	struct files files = {0};

	assert_int_equal(send_all(keep, &grant, s, 2, false, &files, &why), FAULT_TYPE_REFUSED);
	assert_null(files.at);
	assert_string_equal(why.file, "bad.exe");
	assert_string_equal(why.detected_type, "application/x-dosexec");
	assert_non_null(strstr(why.detail, "bad.exe"));
	assert_non_null(strstr(why.detail, "application/x-dosexec"));
	assert_int_equal(ask("SELECT count(*) FROM files"), 0);
	assert_int_equal(entries("objects"), 0);
	assert_int_equal(entries("partial"), 0);
}

/* A job that fails in the middle undoes its own links and rows, and nobody else's. */
static void test_failed_job_undone(void **state)
{
	struct grant grant = grant_of(100, NULL);
	struct sent s[] = {{"one", "1111", 0}, {"two", "2222", 0}};
	struct files files;
	char id[ID_LEN + 1], path[128];
	sqlite3 *db;

	put("before", "1111", NULL, id);
	snprintf(path, sizeof path, "%s/waybill.db", data_dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
			     "CREATE TRIGGER t BEFORE INSERT ON files WHEN new.name = "
			     "'two' BEGIN SELECT raise(ABORT, 'no'); END",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	assert_int_equal(send_all(keep, &grant, s, 2, false, &files, &why), FAULT_INTERNAL);
	assert_int_equal(ask("SELECT count(*) FROM files"), 1);
	assert_int_equal(entries("objects"), 1);
	assert_int_equal(sqlite3_exec(db, "DROP TRIGGER t", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(send_all(keep, &grant, s, 2, false, &files, &why), FAULT_NONE);
	files_release(&files);
	check_sums();
}

static void test_leave_leaves_nothing(void **state)
{
	struct grant grant = grant_of(1 << 20, NULL);
	struct part part = {.is_file = true, .name = span_of("a")};
	struct health health;
	struct upload *u;

	assert_int_equal(upload_begin(keep, &grant, &u, &why), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	assert_int_equal(upload_write(u, "abc", 3, &why), FAULT_NONE);
	keep_health(keep, &health);
	assert_int_equal(health.reserved, 1 << 20);
	upload_leave(u);
	upload_leave(NULL);
	keep_health(keep, &health);
	assert_int_equal(health.reserved, 0);
	assert_int_equal(entries("objects"), 0);
	assert_int_equal(entries("partial"), 0);
	assert_int_equal(ask("SELECT count(*) FROM files"), 0);
}

static void test_empty_finish(void **state)
{
	struct grant grant = grant_of(10, NULL);
	struct files files;
	struct upload *u;

	assert_int_equal(upload_begin(keep, &grant, &u, &why), FAULT_NONE);
	assert_int_equal(upload_finish(u, "{}", false, &files, &why), FAULT_NO_FILE);
	upload_leave(u);
}

static void test_named_temporaries(void **state)
{
	struct grant grant = grant_of(100, NULL);
	struct sent s[] = {{"one", "1111", 0}, {"two", "2222", 0}};
	struct part part = {.is_file = true};
	struct files files;
	struct upload *u;

	keep->store->unnamed = false;
	assert_int_equal(send_all(keep, &grant, s, 2, false, &files, &why), FAULT_NONE);
	files_release(&files);
	assert_int_equal(entries("objects"), 2);
	assert_int_equal(entries("partial"), 0);
	assert_int_equal(upload_begin(keep, &grant, &u, &why), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	assert_int_equal(entries("partial"), 1);
	upload_leave(u);
	assert_int_equal(entries("partial"), 0);
	check_sums();
}

/* ---- many at once ---------------------------------------------------------------------------- */

static void *send_many(void *number)
{
	struct grant grant = grant_of(64, (intptr_t)number % 2 ? "odd" : NULL);

	for (int i = 0; i < ROUNDS; i++) {
		char own[64], shared[64];
		struct refusal no;
		struct files files;
		snprintf(own, sizeof own, "own %d %d", (int)(intptr_t)number, i);
		snprintf(shared, sizeof shared, "shared %d", i);
		struct sent s[] = {{"own", own, 0}, {"shared", shared, 0}};
		refusal_clear(&no);
		if (send_all(keep, &grant, s, 2, false, &files, &no) != FAULT_NONE)
			return "refused";
		/* Every other one goes again, so that links and unlinks meet. */
		bool gone = i % 2 == 0;
		if (gone && keep_remove(keep, span_of(files.at[1].id), &no) != FAULT_NONE)
			return "not removed";
		files_release(&files);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct catalog_counts counts;
	pthread_t thread[THREADS];
	void *result;

	config.durability = DURABILITY_FULL;
	for (intptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, send_many, (void *)i), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &result), 0);
		if (result != NULL)
			fail_msg("%s", (char *)result);
	}
	catalog_count(keep->catalog, &counts);
	assert_int_equal(counts.commits, THREADS * (ROUNDS + (ROUNDS + 1) / 2));
	assert_true(counts.batches <= counts.commits);
	assert_int_equal(
	    ask("SELECT count(*) FROM files"), THREADS * ROUNDS + THREADS * (ROUNDS / 2));
	assert_int_equal(ask("SELECT count(*) FROM objects WHERE durable = 0"), 0);
	check_sums();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_keep, drop_keep)
	const struct CMUnitTest tests[] = {
	    TEST(one_file), TEST(modes_on_disk), TEST(absent_things),
	    TEST(declared_type_is_cleaned), TEST(large_in_odd_pieces),
	    TEST(shorter_than_granted), TEST(same_content_once),
	    TEST(verdict_of_another_libmagic), TEST(form), TEST(form_all_or_none),
	    TEST(failed_job_undone), TEST(leave_leaves_nothing), TEST(empty_finish),
	    TEST(named_temporaries), TEST(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
