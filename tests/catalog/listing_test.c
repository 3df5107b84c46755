/* listing_test.c: pages that stay true while files come and go; filters; sums; tokens. */
#include "datadir.h"
#include "catalog/sqlite/statements.h"

static struct listing all = {.limit = 50};

static void list(const struct listing *l, struct files *files, int64_t *total, bool *more)
{
	refusal_clear(&why);
	if (keep_list(keep, l, files, total, more, &why) != FAULT_NONE)
		fail_msg("%s", refusal_detail(&why));
}

/* The names a listing gives, one after the other, page by page. */
static const char *names(struct listing l)
{
	static char text[4096];
	struct files files;
	int64_t total, seen = 0;
	bool more = true;

	for (text[0] = '\0'; more;) {
		list(&l, &files, &total, &more);
		assert_true(files.count <= (size_t)l.limit);
		assert_true(files.count == (size_t)l.limit || !more);
		for (size_t i = 0; i < files.count; i++) {
			strcat(strcat(text, text[0] != '\0' ? " " : ""), files.at[i].name);
			l.after = files.at[i].seq;
			seen++;
		}
		files_release(&files);
		assert_true(seen < 1000);
	}
	assert_int_equal(seen, total);
	return text;
}

static void fill(void)
{
	char id[ID_LEN + 1];

	put("One.txt", "1", "alice", id);
	put("two.png", "\x89PNG 2", "bob", id);
	put("THREE.gif", "GIF89a 3", "alice", id);
	put("vier_%.txt", "4", NULL, id);
	put("\xc3\x84pfel.txt", "5", "alice", id);
}

static void test_orders_and_pages(void **state)
{
	struct listing l = all;

	assert_string_equal(names(l), "");
	fill();
	for (l.limit = 1; l.limit <= 6; l.limit++) {
		l.oldest_first = false;
		assert_string_equal(
		    names(l), "\xc3\x84pfel.txt vier_%.txt THREE.gif two.png One.txt");
		l.oldest_first = true;
		assert_string_equal(
		    names(l), "One.txt two.png THREE.gif vier_%.txt \xc3\x84pfel.txt");
	}
}

static void test_filters(void **state)
{
	struct listing l = all;

	fill();
	for (l.limit = 1; l.limit <= 3; l.limit++) {
		l.owner = span_of("alice");
		assert_string_equal(names(l), "\xc3\x84pfel.txt THREE.gif One.txt");
		l.type = span_of("text/plain");
		assert_string_equal(names(l), "\xc3\x84pfel.txt One.txt");
		l.type = span_of("image/*");
		assert_string_equal(names(l), "THREE.gif");
		l.owner = (struct span){NULL, 0};
		assert_string_equal(names(l), "THREE.gif two.png");
		l.type = span_of("image/png");
		assert_string_equal(names(l), "two.png");
		l.type = span_of("*/p*n*");
		assert_string_equal(names(l), "\xc3\x84pfel.txt vier_%.txt two.png One.txt");
		l.type = span_of("text/pl[a]in");
		assert_string_equal(names(l), "");
		l.type = span_of("text/pl?i*");
		assert_string_equal(names(l), "");
		l.type = span_of("*/*");
		assert_int_equal(strlen(names(l)), 47);
		l.type = (struct span){NULL, 0};
	}
}

static void test_names(void **state)
{
	struct listing l = all;

	fill();
	l.name = span_of("t");
	assert_string_equal(names(l), "\xc3\x84pfel.txt vier_%.txt THREE.gif two.png One.txt");
	l.name = span_of("ThReE");
	assert_string_equal(names(l), "THREE.gif");
	l.name = span_of("\xc3\xa4PF");
	assert_string_equal(names(l), "\xc3\x84pfel.txt");
	l.name = span_of("%");
	assert_string_equal(names(l), "vier_%.txt");
	l.name = span_of("_");
	assert_string_equal(names(l), "vier_%.txt");
	l.name = span_of("'; DROP TABLE files; --");
	assert_string_equal(names(l), "");
	l.name = span_of("e");
	l.type = span_of("text/*");
	l.owner = span_of("alice");
	assert_string_equal(names(l), "\xc3\x84pfel.txt One.txt");
}

static void test_times(void **state)
{
	struct listing l = all;
	int64_t now = clock_calendar();

	fill();
	l.since = now + 1000000;
	assert_string_equal(names(l), "");
	l.since = now - 1000000;
	assert_int_equal(strlen(names(l)), 47);
	l.until = now - 1000;
	assert_string_equal(names(l), "");
	l.until = now + 1000000;
	assert_int_equal(strlen(names(l)), 47);
}

static void test_visible(void **state)
{
	struct listing l = all;

	fill();
	l.only_visible = true;
	assert_string_equal(names(l), "");
	l.viewer = span_of("bob");
	assert_string_equal(names(l), "two.png");
	l.owner = span_of("bob");
	assert_string_equal(names(l), "two.png");
	l.owner = span_of("alice");
	assert_string_equal(names(l), "");
	l.owner = (struct span){NULL, 0};
	l.type = span_of("text/*");
	assert_string_equal(names(l), "");
}

/* Between two pages one file is added, and some are removed, before and after the cursor. */
static void changes_between_pages(bool oldest_first, int driver)
{
	char id[20][ID_LEN + 1], name[16], late[ID_LEN + 1];
	struct listing l = {.limit = 5, .oldest_first = oldest_first};
	struct files files;
	bool more = true, seen[20] = {false};
	int64_t total;

	if (driver == 1)
		l.owner = span_of("alice");
	if (driver == 2)
		l.type = span_of("text/plain");
	if (driver == 3)
		l.type = span_of("text/*");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "%d", i);
		put(name, name, "alice", id[i]);
	}
	for (int page = 0; more; page++) {
		list(&l, &files, &total, &more);
		for (size_t i = 0; i < files.count; i++) {
			l.after = files.at[i].seq;
			if (strcmp(files.at[i].name, "late") == 0)
				continue;
			int n = atoi(files.at[i].name);
			assert_false(seen[n]);
			seen[n] = true;
		}
		files_release(&files);
		put("late", "late", "alice", late);
		if (page == 0) { /* one before, one after the cursor, and the cursor itself */
			assert_int_equal(keep_remove(keep, span_of(id[1]), &why), FAULT_NONE);
			assert_int_equal(keep_remove(keep, span_of(id[18]), &why), FAULT_NONE);
			assert_int_equal(keep_remove(keep, span_of(id[4]), &why), FAULT_NONE);
			assert_int_equal(keep_remove(keep, span_of(id[15]), &why), FAULT_NONE);
		}
		assert_true(page < 20);
		if (page > 6)
			break; /* each page adds one at the end where the oldest come first */
	}
	for (int i = 0; i < 20; i++)
		assert_true(seen[i] || i == 1 || i == 18 || i == 4 || i == 15);
	check_sums();
}

static void test_newest_while_changing(void **state)
{
	changes_between_pages(false, 0);
}

static void test_oldest_while_changing(void **state)
{
	changes_between_pages(true, 0);
}

static void test_owner_while_changing(void **state)
{
	changes_between_pages(false, 1);
}

static void test_type_while_changing(void **state)
{
	changes_between_pages(true, 2);
}

static void test_glob_while_changing(void **state)
{
	changes_between_pages(false, 3);
}

/* The last number of a removed file is not given out again, or a cursor would skip it. */
static void test_numbers_only_grow(void **state)
{
	char a[ID_LEN + 1], b[ID_LEN + 1];
	int64_t last;

	put("a", "a", NULL, a);
	last = ask("SELECT max(seq) FROM files");
	assert_int_equal(keep_remove(keep, span_of(a), &why), FAULT_NONE);
	put("b", "b", NULL, b);
	assert_true(ask("SELECT max(seq) FROM files") > last);
}

static void test_expired_are_not_listed(void **state)
{
	struct grant grant = grant_of(10, "alice");
	struct sent s = {"old.txt", "old", 0};
	struct listing l = all;
	struct files files;

	fill();
	grant.lasts = -1;
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_NONE);
	char *id = strdup(files.at[0].id);
	files_release(&files);
	grant.lasts = 1000000;
	s = (struct sent){"new.txt", "new", 0};
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_NONE);
	files_release(&files);
	assert_string_equal(
	    names(l), "new.txt \xc3\x84pfel.txt vier_%.txt THREE.gif two.png One.txt");
	l.owner = span_of("alice");
	assert_string_equal(names(l), "new.txt \xc3\x84pfel.txt THREE.gif One.txt");
	l.type = span_of("text/plain");
	assert_string_equal(names(l), "new.txt \xc3\x84pfel.txt One.txt");
	assert_int_equal(keep_find(keep, span_of(id), &files, &why), FAULT_EXPIRED);
	assert_int_equal(files.count, 1);
	assert_string_equal(files.at[0].name, "old.txt");
	files_release(&files);
	assert_int_equal(keep_find_form(keep, span_of(id), &files, &why), FAULT_EXPIRED);
	free(id);
}

/* Every shape of listing is driven by the index it is meant for, in the order of that index. Only
 * a range of types is sorted, and keep_list() takes that where little matches. */
static void check_plan(sqlite3 *db, const char *text, const char *index, bool sorted)
{
	char sql[2048], plan[1024] = "";
	sqlite3_stmt *s;

	snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", text);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW)
		strcat(strcat(plan, (const char *)sqlite3_column_text(s, 3)), "; ");
	sqlite3_finalize(s);
	if (strncmp(plan, "SEARCH files USING", 18) != 0 || strstr(plan, index) == NULL ||
	    (strstr(plan, "TEMP B-TREE") != NULL) != sorted)
		fail_msg("%s\n-> %s", text, plan);
}

static void test_plans(void **state)
{
	static const char *const texts[] = {
#define X(name, text) [SQL_##name] = text,
	    STATEMENTS(X)
#undef X
	};
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/waybill.db", data_dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	for (int oldest = 0; oldest < 2; oldest++) {
		int first = oldest ? SQL_OLDEST_BY_SEQ : SQL_NEWEST_BY_SEQ;
		check_plan(db, texts[first], "PRIMARY KEY (rowid", false);
		check_plan(db, texts[first + 1], "files_by_owner (owner=? AND rowid", false);
		check_plan(db, texts[first + 2], "files_by_type (type=? AND rowid", false);
		check_plan(db, texts[first + 3], "files_by_type (type>? AND type<?)", true);
	}
	check_plan(db, texts[SQL_COUNT_BY_OWNER], "files_by_owner (owner=?)", false);
	check_plan(db, texts[SQL_COUNT_BY_TYPE], "files_by_type (type=?)", false);
	check_plan(db, texts[SQL_COUNT_BY_TYPES], "files_by_type (type>? AND type<?)", false);
	check_plan(db, texts[SQL_FILE_FIND], "(id=?)", false);
	check_plan(db, texts[SQL_EXPIRED_COUNT], "COVERING INDEX files_by_expiry", false);
	check_plan(db, texts[SQL_FILE_EXPIRED], "files_by_expiry", false);
	sqlite3_close(db);
}

static void test_find_nothing(void **state)
{
	struct files files = {0};

	assert_int_equal(
	    keep_find(keep, span_of("00000000000000000000000000"), &files, &why), FAULT_NOT_FOUND);
	assert_null(files.at);
	assert_int_equal(keep_find(keep, span_of("' OR 1"), &files, &why), FAULT_NOT_FOUND);
	assert_int_equal(keep_find_form(keep, span_of("nothing"), &files, &why), FAULT_NOT_FOUND);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_keep, drop_keep)
	const struct CMUnitTest tests[] = {
	    TEST(orders_and_pages), TEST(filters), TEST(names), TEST(times), TEST(visible),
	    TEST(newest_while_changing), TEST(oldest_while_changing), TEST(owner_while_changing),
	    TEST(type_while_changing), TEST(glob_while_changing), TEST(numbers_only_grow),
	    TEST(expired_are_not_listed), TEST(plans), TEST(find_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
