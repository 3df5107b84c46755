/* records_test.c: fields are kept once for all files of a form, paid for, and bounded in a page. */
#include "datadir.h"
#include "catalog/sqlite/sqlite.h"

enum { FIELDS_ROOM = 2 * PAGE_BYTES };

static char fields[FIELDS_ROOM];

/* {"n":"xxx"} of `len` bytes. */
static const char *fields_of(size_t len)
{
	assert_in_range(len, 9, sizeof fields - 1);
	memset(fields, 'x', len);
	memcpy(fields, "{\"n\":\"", 6);
	strcpy(fields + len - 2, "\"}");
	return fields;
}

/* A form of `count` files of one byte each; their ids. */
static enum fault send_form(
    const char *owner, size_t count, const char *said, char ids[][ID_LEN + 1])
{
	struct grant grant = grant_of((int64_t)count, owner);
	struct files files;
	struct upload *u;

	refusal_clear(&why);
	enum fault f = upload_begin(keep, &grant, &u, &why);
	for (size_t i = 0; i < count && f == FAULT_NONE; i++)
		f = send_one(u, &(struct sent){"a", "abcdefghij" + i % 10, 1}, true, &why);
	if (f == FAULT_NONE)
		f = upload_finish(u, said, false, &files, &why);
	for (size_t i = 0; i < count && f == FAULT_NONE; i++) {
		assert_string_equal(files.at[i].fields, said);
		strcpy(ids[i], files.at[i].id);
	}
	if (f == FAULT_NONE)
		files_release(&files);
	upload_leave(u);
	return f;
}

static void take_away(const char *id)
{
	assert_int_equal(keep_remove(keep, span_of(id), &why), FAULT_NONE);
}

static const char *fields_now(const char *id)
{
	static char text[FIELDS_ROOM];
	struct files files;

	assert_int_equal(keep_find(keep, span_of(id), &files, &why), FAULT_NONE);
	strcpy(text, files.at[0].fields);
	files_release(&files);
	return text;
}

/* ---- once for a form ------------------------------------------------------------------------- */

static void they_are_there_once(void **state)
{
	char ids[64][ID_LEN + 1];
	const char *said = fields_of(60000);

	assert_int_equal(send_form("alice", 64, said, ids), FAULT_NONE);
	assert_int_equal(ask("SELECT count(*) FROM forms"), 1);
	assert_int_equal(ask("SELECT bytes FROM usage WHERE owner = 'alice'"), 64 + 60000);
	assert_int_equal(ask("SELECT bytes FROM store"), 10 + 60000);
	assert_in_range(
	    ask("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"), 60000,
	    300000);
	check_sums();
	for (int i = 0; i < 64; i++) {
		assert_string_equal(fields_now(ids[i]), said);
		take_away(ids[i]); /* the first of the form goes first */
		check_sums();
		assert_int_equal(ask("SELECT count(*) FROM forms"), i < 63);
	}
	assert_int_equal(ask("SELECT bytes FROM store"), 0);
	assert_int_equal(ask("SELECT count(*) FROM usage"), 0);
}

static void none_cost_nothing(void **state)
{
	char ids[3][ID_LEN + 1];

	assert_int_equal(send_form(NULL, 3, "{}", ids), FAULT_NONE);
	assert_int_equal(ask("SELECT count(*) FROM forms"), 0);
	assert_int_equal(ask("SELECT bytes FROM usage"), 3);
	assert_string_equal(fields_now(ids[2]), "{}");
	check_sums();
}

static void quotas_count_them(void **state)
{
	char ids[2][ID_LEN + 1];

	config.quota_bytes = 100000;
	for (int sent = 0; sent < 3; sent++)
		assert_int_equal(send_form("alice", 1, fields_of(40000), ids),
		    sent < 2 ? FAULT_NONE : FAULT_QUOTA_EXCEEDED);
	assert_int_equal(
	    send_form("bob", 1, fields_of(100000 - 80000 - 2 + 1), ids), FAULT_QUOTA_EXCEEDED);
	/* "a" is there already, but that is known only after the reservation */
	assert_int_equal(send_form("bob", 1, fields_of(100000 - 80000 - 2), ids), FAULT_NONE);
	check_sums();
}

/* One copy in memory, too: a receipt may name a thousand files. */
static void a_receipt_holds_them_once(void **state)
{
	char ids[64][ID_LEN + 1];
	struct files files;

	assert_int_equal(send_form(NULL, 64, fields_of(50000), ids), FAULT_NONE);
	assert_int_equal(keep_find_form(keep, span_of(ids[40]), &files, &why), FAULT_NONE);
	assert_int_equal(files.count, 64);
	for (int i = 0; i < 64; i++) {
		assert_ptr_equal(files.at[i].fields, files.at[0].fields);
		assert_string_equal(files.at[i].id, ids[i]);
	}
	files_release(&files);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void check_page(const struct files *files, struct listing *l, size_t *bytes)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct file *file = &files->at[i];
		*bytes += strlen(file->fields) + strlen(file->name);
		assert_true(l->after == 0 || (l->oldest_first == (file->seq > l->after)));
		l->after = file->seq;
	}
}

static void a_page_ends_in_time(void **state)
{
	char ids[64][ID_LEN + 1];
	struct files files;
	int64_t total;

	for (int i = 0; i < 3; i++)
		assert_int_equal(send_form(NULL, 64, fields_of(65000), ids), FAULT_NONE);
	for (int oldest = 0; oldest < 2; oldest++) {
		struct listing l = {.limit = 1000, .oldest_first = oldest};
		size_t seen = 0;
		bool more = true;
		while (more) {
			size_t bytes = 0;
			assert_int_equal(
			    keep_list(keep, &l, &files, &total, &more, &why), FAULT_NONE);
			check_page(&files, &l, &bytes);
			seen += files.count;
			assert_in_range(files.count, 1, 16);
			assert_in_range(bytes, 1, PAGE_BYTES);
			files_release(&files);
		}
		assert_int_equal(seen, 192);
		assert_int_equal(total, 192);
	}
}

/* A limit that is smaller still counts, and a record larger than a page comes alone. */
static void a_page_has_one_at_least(void **state)
{
	char ids[4][ID_LEN + 1];
	struct listing l = {.limit = 2};
	struct files files;
	int64_t total;
	bool more;

	assert_int_equal(send_form(NULL, 4, "{}", ids), FAULT_NONE);
	assert_int_equal(keep_list(keep, &l, &files, &total, &more, &why), FAULT_NONE);
	assert_int_equal(files.count, 2);
	assert_true(more);
	files_release(&files);
	assert_int_equal(send_form(NULL, 2, fields_of(FIELDS_ROOM - 1), ids), FAULT_NONE);
	assert_int_equal(keep_list(keep, &l, &files, &total, &more, &why), FAULT_NONE);
	assert_int_equal(files.count, 1);
	assert_true(more);
	files_release(&files);
}

/* ---- a catalog of version 1 ------------------------------------------------------------------ */

extern const char embed_schema_001[];

static sqlite3 *open_raw(void)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/waybill.db", data_dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void run_raw(sqlite3 *db, const char *sql)
{
	char *problem = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &problem) != SQLITE_OK)
		fail_msg("%s: %s", sql, problem);
}

#define V1_FILE(form, id, owner, fields)                                                           \
	"INSERT INTO files (id, form, name, name_fold, size, type, sha256, owner, fields,"         \
	" uploaded_at) VALUES ('" id "', " form ", 'n', 'n', 1, 'text/plain'," SHA_OF_A ", " owner \
	", '" fields "', 1);"
#define SHA_OF_A "x'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'"

/* Six files of one byte: a form of alice's that has lost its first, one of nobody's, one bare. */
static const char v1_rows[] =
    "INSERT INTO objects (sha256, size, type, magic, durable) VALUES (" SHA_OF_A
    ", 1, 'text/plain', 544, 1);" V1_FILE("NULL", "a", "'alice'", "{\"k\":\"ab\"}")
	V1_FILE("1", "b", "'alice'", "{\"k\":\"ab\"}") V1_FILE("1", "c", "'alice'",
	    "{\"k\":\"ab\"}") "DELETE FROM files WHERE id = 'a';" V1_FILE("NULL", "d", "NULL",
	    "{\"k\":\"\xc3\xa4\"}") V1_FILE("4", "e", "NULL", "{\"k\":\"\xc3\xa4\"}")
	    V1_FILE("NULL", "f", "'bob'", "{}") V1_FILE("NULL", "g", "'bob'", "{\"k\":\"z\"}");

static sqlite3 *make_version_1(void)
{
	char id[ID_LEN + 1], path[128];

	put("a", "a", NULL, id); /* for its object */
	keep_close(keep);
	snprintf(path, sizeof path, "%s/generation", data_dir); /* which it did not have */
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof path, "%s/waybill.db", data_dir);
	assert_int_equal(unlink(path), 0);
	sqlite3 *db = open_raw();
	run_raw(db, "PRAGMA journal_mode = WAL");
	run_raw(db, embed_schema_001);
	run_raw(db, v1_rows);
	run_raw(db, "PRAGMA user_version = 1");
	return db;
}

static void version_1_is_taken_along(void **state)
{
	static const char *const expected[][2] = {{"b", "{\"k\":\"ab\"}"}, {"c", "{\"k\":\"ab\"}"},
	    {"d", "{\"k\":\"\xc3\xa4\"}"}, {"e", "{\"k\":\"\xc3\xa4\"}"}, {"f", "{}"},
	    {"g", "{\"k\":\"z\"}"}};

	sqlite3_close(make_version_1());
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_non_null(keep);
	check_sums();
	assert_int_equal(ask("SELECT count(*) FROM forms"), 3);
	assert_int_equal(ask("SELECT bytes FROM usage WHERE owner = 'alice'"), 2 + 10);
	assert_int_equal(ask("SELECT bytes FROM usage WHERE owner = ''"), 2 + 10);
	assert_int_equal(ask("SELECT bytes FROM usage WHERE owner = 'bob'"), 2 + 9);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
		assert_string_equal(fields_now(expected[i][0]), expected[i][1]);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		take_away(expected[i][0]);
		check_sums();
	}
	assert_int_equal(ask("SELECT count(*) FROM forms"), 0);
}

/* A worker of version 1 whose statements were prepared before somebody migrated. */
static void version_1_cannot_go_on(void **state)
{
	sqlite3 *old = make_version_1();
	sqlite3_stmt *add;

	assert_int_equal(sqlite3_prepare_v3(old, V1_FILE("NULL", "late", "NULL", "{}"), -1,
			     SQLITE_PREPARE_PERSISTENT, &add, NULL),
	    SQLITE_OK);
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_non_null(keep);
	assert_int_equal(sqlite3_step(add), SQLITE_ERROR);
	sqlite3_finalize(add);
	sqlite3_close(old);
	assert_int_equal(ask("SELECT count(*) FROM files"), 6);
	check_sums();
}

#define IN_A_DATA_DIR(test) cmocka_unit_test_setup_teardown(test, make_keep, drop_keep)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_A_DATA_DIR(they_are_there_once),
	    IN_A_DATA_DIR(none_cost_nothing),
	    IN_A_DATA_DIR(quotas_count_them),
	    IN_A_DATA_DIR(a_receipt_holds_them_once),
	    IN_A_DATA_DIR(a_page_ends_in_time),
	    IN_A_DATA_DIR(a_page_has_one_at_least),
	    IN_A_DATA_DIR(version_1_is_taken_along),
	    IN_A_DATA_DIR(version_1_cannot_go_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
