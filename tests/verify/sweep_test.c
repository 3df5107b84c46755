/* sweep_test.c: keep/ keeps house: sweeps, several processes, crashes, old and new catalogs. */
#include "house.h"

enum { BATCH = 12, PROCESSES = 4, EACH = 40 };

/* ---- sweeps ---------------------------------------------------------------------------------- */

static void put_expiring(const char *bytes, int64_t expires_at)
{
	struct grant grant = grant_of((int64_t)strlen(bytes), NULL);
	struct sent s = {bytes, bytes, 0};
	struct files files;

	grant.lasts = expires_at - clock_calendar();
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_NONE);
	files_release(&files);
}

static void test_expired_files_go(void **state)
{
	struct swept swept;
	char bytes[16], id[ID_LEN + 1];

	for (int i = 0; i < 150; i++) { /* more than one job's worth */
		snprintf(bytes, sizeof bytes, "%d", i);
		put_expiring(bytes, clock_calendar() - 1);
	}
	put_expiring("later", clock_calendar() + 1000000);
	put("0", "0", NULL, id); /* the same content as one that goes */
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.files, 150);
	assert_int_equal(swept.orphans, 0);
	assert_int_equal(swept.bytes, 9 + 90 * 2 + 50 * 3);
	assert_int_equal(entries("objects"), 2);
	assert_int_equal(look(id), FAULT_NONE);
	check_sums();
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.files, 0);
}

static void test_orphans_go(void **state)
{
	struct swept swept;
	char id[ID_LEN + 1];

	put("kept", "kept", NULL, id);
	make_file(ORPHAN, "12345");
	make_file("objects/not-ours", "x");
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.orphans, 1);
	assert_int_equal(swept.bytes, 5);
	assert_int_equal(look(id), FAULT_NONE);
	char path[256];
	path_of(path, ORPHAN);
	assert_int_equal(access(path, F_OK), -1);
	path_of(path, "objects/not-ours");
	assert_int_equal(access(path, F_OK), 0);
}

/* What a living upload writes to is not abandoned; what a dead one left is. */
static void test_temporaries_go(void **state)
{
	struct grant grant = grant_of(100, NULL);
	struct part part = {.is_file = true, .name = span_of("a")};
	struct swept swept;
	struct files files;
	struct upload *u;

	keep->store->unnamed = false;
	assert_int_equal(upload_begin(keep, &grant, &u, &why), FAULT_NONE);
	assert_int_equal(upload_file(u, &part, &why), FAULT_NONE);
	make_file("partial/tmp-0123456789abcdef0123456789abcdef", "left");
	make_file("partial/zzzzzzzzzzzzzzzzzzzzzzzzzz", "a partial upload without a row");
	make_file("partial/readme", "not ours");
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.partials, 2);
	assert_int_equal(entries("partial"), 1);
	assert_int_equal(upload_write(u, "abc", 3, &why), FAULT_NONE);
	assert_int_equal(upload_file_end(u, &why), FAULT_NONE);
	assert_int_equal(upload_finish(u, "{}", false, &files, &why), FAULT_NONE);
	files_release(&files);
	upload_leave(u);
	assert_int_equal(entries("partial"), 0);
	check_sums();
}

/* ---- content that is there already ----------------------------------------------------------- */

static void path_of_object(char path[256], const char *id)
{
	struct files files;

	assert_int_equal(keep_find(keep, span_of(id), &files, &why), FAULT_NONE);
	snprintf(path, 256, "%s/objects/%s", data_dir, object_name(files.at[0].sha256).hex);
	files_release(&files);
}

static void check_content(const char *id, const char *bytes)
{
	struct files files;
	char read_back[64];
	int fd;

	assert_int_equal(keep_find(keep, span_of(id), &files, &why), FAULT_NONE);
	assert_int_equal(keep_content(keep, &files.at[0], &fd, NULL, &why), FAULT_NONE);
	assert_int_equal(read(fd, read_back, sizeof read_back), strlen(bytes));
	assert_memory_equal(read_back, bytes, strlen(bytes));
	close(fd);
	files_release(&files);
}

/* A crash between link and COMMIT, then the same content again. */
static void test_orphan_is_adopted(void **state)
{
	char id[ID_LEN + 1], path[256];
	struct swept swept;

	config.durability = DURABILITY_FULL;
	put("a", "content", NULL, id);
	path_of_object(path, id);
	execute_sql("DELETE FROM files; DELETE FROM objects");
	assert_int_equal(access(path, F_OK), 0);
	put("b", "content", NULL, id);
	check_content(id, "content");
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.orphans, 0);
	assert_int_equal(ask("SELECT durable FROM objects"), 1);
	check_sums();
}

/* A power cut under durability=normal ate the bytes; an object was removed by hand: uploading the
 * same again mends both. */
static void test_damage_is_mended(void **state)
{
	char a[ID_LEN + 1], b[ID_LEN + 1], path[256];
	struct files files;
	int fd;

	put("a", "content", NULL, a);
	path_of_object(path, a);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(keep_find(keep, span_of(a), &files, &why), FAULT_NONE);
	assert_int_equal(keep_content(keep, &files.at[0], &fd, NULL, &why), FAULT_INTERNAL);
	put("b", "content", NULL, b);
	check_content(a, "content");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keep_content(keep, &files.at[0], &fd, NULL, &why), FAULT_NOT_FOUND);
	put("b", "content", NULL, b);
	check_content(a, "content");
	files_release(&files);
	assert_int_equal(entries("partial"), 0);
	check_sums();
}

/* durability=normal first, then full: what is stored counts as synced only once it was. */
static void test_durability_changes(void **state)
{
	char id[ID_LEN + 1];

	put("a", "content", NULL, id);
	assert_int_equal(ask("SELECT durable FROM objects"), 0);
	config.durability = DURABILITY_FULL;
	put("b", "content", NULL, id);
	assert_int_equal(ask("SELECT durable FROM objects"), 1);
	config.durability = DURABILITY_NORMAL;
	put("c", "content", NULL, id);
	assert_int_equal(ask("SELECT durable FROM objects"), 1);
}

/* ---- batches --------------------------------------------------------------------------------- */

struct outcome {
	int number;
	enum fault fault;
};

static void *send_numbered(void *self)
{
	struct outcome *o = self;
	struct grant grant = grant_of(20, NULL);
	char name[16], bytes[16];
	struct refusal no;
	struct files files;

	snprintf(name, sizeof name, "%s%d", o->number % 3 == 0 ? "bad" : "good", o->number);
	snprintf(bytes, sizeof bytes, "%d", o->number / 2); /* pairs with the same content */
	struct sent s = {name, bytes, 0};
	refusal_clear(&no);
	o->fault = send_all(keep, &grant, &s, 1, false, &files, &no);
	if (o->fault == FAULT_NONE)
		files_release(&files);
	return NULL;
}

static int queued(void)
{
	int n = 0;

	pthread_mutex_lock(&keep->catalog->queue_lock);
	n = keep->catalog->first != NULL;
	pthread_mutex_unlock(&keep->catalog->queue_lock);
	return n;
}

static bool one_waits_for_the_lock(void)
{
	struct catalog_counts counts;

	catalog_count(keep->catalog, &counts);
	return counts.busy >= 1;
}

/* While another process holds the lock everybody queues; then some jobs of the one batch fail. */
static void test_failures_in_a_batch(void **state)
{
	struct outcome outcome[BATCH];
	pthread_t thread[BATCH];
	struct catalog_counts counts;
	char path[256];
	sqlite3 *db;

	execute_sql("CREATE TRIGGER t BEFORE INSERT ON files WHEN new.name GLOB 'bad*' "
		    "BEGIN SELECT raise(ABORT, 'no'); END");
	path_of(path, "waybill.db");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < BATCH; i++) {
		outcome[i].number = i;
		assert_int_equal(pthread_create(&thread[i], NULL, send_numbered, &outcome[i]), 0);
	}
	for (int tries = 0; tries < 5000 && !one_waits_for_the_lock(); tries++)
		usleep(1000);
	for (int tries = 0; tries < 50 && !queued(); tries++) /* the leader may have taken all of them along */
		usleep(1000);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	for (int i = 0; i < BATCH; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	for (int i = 0; i < BATCH; i++)
		assert_int_equal(outcome[i].fault, i % 3 == 0 ? FAULT_INTERNAL : FAULT_NONE);
	catalog_count(keep->catalog, &counts);
	assert_int_equal(counts.commits, BATCH - BATCH / 3);
	assert_true(counts.batches < BATCH);
	assert_true(counts.busy >= 1);
	execute_sql("DROP TRIGGER t");
	check_sums();
}

static void test_busy(void **state)
{
	struct grant grant = grant_of(1, NULL);
	struct sent s = {"a", "a", 0};
	struct files files;
	char path[256];
	sqlite3 *db;

	keep->catalog->writer->patience = 50;
	path_of(path, "waybill.db");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_BUSY);
	assert_int_equal(entries("objects"), 0);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_NONE);
	files_release(&files);
	check_sums();
}

/* ---- several at one data_dir ----------------------------------------------------------------- */

static void test_two_handles(void **state)
{
	struct keep *first = keep, *second = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	char a[ID_LEN + 1], b[ID_LEN + 1];

	assert_non_null(second);
	put("a", "same", NULL, a);
	keep = second;
	assert_int_equal(look(a), FAULT_NONE);
	put("b", "same", NULL, b);
	assert_int_equal(sniffed, 1);
	assert_int_equal(keep_remove(keep, span_of(a), &why), FAULT_NONE);
	keep = first;
	assert_int_equal(look(a), FAULT_NOT_FOUND);
	check_content(b, "same");
	assert_int_equal(keep_remove(keep, span_of(b), &why), FAULT_NONE);
	check_sums();
	keep_close(second);
}

/* A process of its own: opens, stores, removes; the same contents as all others. */
static int be_a_process(int number)
{
	struct keep *own = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	struct grant grant = grant_of(20, NULL);
	struct swept swept;
	char bytes[16];
	struct files files;

	if (own == NULL)
		return 1;
	for (int i = 0; i < EACH; i++) {
		snprintf(bytes, sizeof bytes, "%d", i);
		struct sent s = {bytes, bytes, 0};
		if (send_all(own, &grant, &s, 1, false, &files, &why) != FAULT_NONE)
			return 2;
		bool remove = (i + number) % 2 == 0;
		if (remove && keep_remove(own, span_of(files.at[0].id), &why) != FAULT_NONE)
			return 3;
		files_release(&files);
		own->next_orphans = 0;
		if (i % 10 == 0 && sweep_store(own, &swept, &why) != FAULT_NONE)
			return 4;
		keep_tend(own);
	}
	keep_close(own);
	return 0;
}

static void test_processes(void **state)
{
	pid_t child[PROCESSES];
	int status;

	keep_close(keep); /* they race to create it, too */
	assert_int_equal(nftw(data_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	keep = NULL;
	config.durability = DURABILITY_FULL;
	for (int i = 0; i < PROCESSES; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0)
			_exit(be_a_process(i));
	}
	for (int i = 0; i < PROCESSES; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_non_null(keep);
	assert_int_equal(ask("SELECT count(*) FROM files"), PROCESSES * EACH / 2);
	check_sums();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_keep, drop_keep)
	const struct CMUnitTest tests[] = {
	    TEST(expired_files_go), TEST(orphans_go), TEST(temporaries_go),
	    TEST(orphan_is_adopted), TEST(damage_is_mended), TEST(durability_changes),
	    TEST(failures_in_a_batch), TEST(busy), TEST(two_handles), TEST(processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
