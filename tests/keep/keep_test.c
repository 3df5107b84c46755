/* keep_test.c: a data_dir is opened; its health. */
#include "house.h"

/* ---- opening --------------------------------------------------------------------------------- */

static void test_newer_schema(void **state)
{
	keep_close(keep);
	execute_sql("PRAGMA user_version = 999");
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_null(keep);
	assert_non_null(strstr(why.detail, "newer"));
	assert_non_null(strstr(why.detail, "999"));
	assert_null(open_keep(KEEP_READ));
	assert_int_equal(ask("PRAGMA user_version"), 999);
}

static void test_foreign_database(void **state)
{
	keep_close(keep);
	char path[256];
	path_of(path, "waybill.db");
	assert_int_equal(unlink(path), 0);
	execute_sql("CREATE TABLE somebody_elses (a)");
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_null(keep);
	assert_non_null(strstr(why.detail, "not a catalog"));
	assert_int_equal(ask("SELECT count(*) FROM somebody_elses"), 0);
	make_file(
	    "waybill.db", "this is not a database, whatever it is called; long enough to tell");
	assert_null(open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF));
}

static void test_open_to_others(void **state)
{
	char objects[256];

	keep_close(keep);
	assert_int_equal(chmod(data_dir, 0777), 0);
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_null(keep);
	assert_non_null(strstr(why.detail, "chmod o-w"));
	assert_int_equal(chmod(data_dir, 0750), 0);
	path_of(objects, "objects");
	assert_int_equal(chmod(objects, 0757), 0);
	assert_null(open_keep(KEEP_READ | KEEP_WRITE));
	assert_int_equal(chmod(objects, 0750), 0);
	keep = open_keep(KEEP_READ | KEEP_WRITE);
	assert_non_null(keep);
}

static void test_links_are_not_followed(void **state)
{
	char db[256], moved[256];

	keep_close(keep);
	path_of(db, "waybill.db");
	path_of(moved, "moved.db");
	assert_int_equal(rename(db, moved), 0);
	assert_int_equal(symlink("moved.db", db), 0);
	keep = open_keep(KEEP_READ | KEEP_WRITE);
	assert_null(keep);
	assert_non_null(strstr(why.detail, "waybill.db"));
}

/* data_dir itself may be reached by a symbolic link: that is the administrator's choice. */
static void test_linked_data_dir(void **state)
{
	char path[256], id[ID_LEN + 1];

	put("a", "a", NULL, id);
	keep_close(keep);
	snprintf(path, sizeof path, "%s.link", data_dir);
	assert_int_equal(symlink(data_dir, path), 0);
	config.data_dir = path;
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_non_null(keep);
	assert_int_equal(look(id), FAULT_NONE);
	assert_int_equal(unlink(path), 0);
	config.data_dir = data_dir;
}

static void test_readers_change_nothing(void **state)
{
	char id[ID_LEN + 1], path[256];

	put("a", "a", NULL, id);
	keep_close(keep);
	keep = open_keep(KEEP_READ);
	assert_non_null(keep);
	assert_int_equal(look(id), FAULT_NONE);
	keep_close(keep);
	keep = NULL;
	path_of(path, "nowhere");
	config.data_dir = path;
	assert_null(open_keep(KEEP_READ));
	assert_int_equal(access(path, F_OK), -1);
	assert_true(why.detail[0] != '\0');
}

/* ---- checkpoints and health ------------------------------------------------------------------ */

static int64_t wal_bytes(void)
{
	char path[256];
	struct stat st;

	path_of(path, "waybill.db-wal");
	return stat(path, &st) == 0 ? st.st_size : 0;
}

static void test_checkpoints(void **state)
{
	char bytes[16], id[ID_LEN + 1];

	for (int i = 0; i < 400; i++) {
		snprintf(bytes, sizeof bytes, "%d", i);
		put(bytes, bytes, NULL, id);
	}
	/* Never by itself ... */
	assert_true(wal_bytes() > 1000 * 4096);
	assert_true(atomic_load(&keep->catalog->wal_pages) > 1000);
	keep_tend(keep);
	assert_int_equal(atomic_load(&keep->catalog->wal_pages), 0);
	/* ... and after that the WAL begins anew. */
	put("again", "again", NULL, id);
	assert_in_range(atomic_load(&keep->catalog->wal_pages), 1, 100);
	keep_close(keep);
	assert_int_equal(wal_bytes(), 0);
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_int_equal(look(id), FAULT_NONE);
	check_sums();
}

static void test_health(void **state)
{
	struct health health;
	char id[ID_LEN + 1];

	put("a", "12345", NULL, id);
	put("b", "12345", NULL, id);
	keep_health(keep, &health);
	assert_true(health.ok);
	assert_int_equal(health.files, 2);
	assert_int_equal(health.bytes, 5);
	assert_int_equal(health.reserved, 0);
	assert_int_equal(health.commits, 2);
	assert_int_equal(health.commit_batches, 2);
	assert_true(health.free_bytes > 0);
	config.min_free_bytes = INT64_MAX;
	keep_health(keep, &health);
	assert_false(health.ok);
	assert_true(health.reason[0] != '\0');
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_keep, drop_keep)
	const struct CMUnitTest tests[] = {
	    TEST(newer_schema), TEST(foreign_database), TEST(open_to_others),
	    TEST(links_are_not_followed), TEST(linked_data_dir), TEST(readers_change_nothing),
	    TEST(checkpoints), TEST(health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
