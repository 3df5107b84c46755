/* commit_test.c: what is true when a commit fails by itself, when others wait for it, and when
 * somebody else reads for long or changes the schema. */
#include "datadir.h"
#include "catalog/sqlite/sqlite.h"

#include <sys/syscall.h>

enum { PATIENCE = 20000, LARGE_WAL = 40 << 20 }; /* ms; bytes */

static sqlite3 *open_raw(void)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/waybill.db", data_dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	return db;
}

static void run_raw(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
}

static bool wait_for(bool (*condition)(void))
{
	for (int ms = 0; ms < PATIENCE && !condition(); ms++)
		usleep(1000);
	return condition();
}

/* ---- objects are unlinked here, and may have to wait ----------------------------------------- */

static atomic_bool hold_unlinks, unlink_held;

static bool unlinks_go_on(void)
{
	return !hold_unlinks;
}

/* In the place of libc's. */
int unlinkat(int dir, const char *name, int flags)
{
	if (keep != NULL && dir == keep->store->objects && hold_unlinks) {
		unlink_held = true;
		wait_for(unlinks_go_on);
	}
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

/* ---- rolled back by SQLite itself ------------------------------------------------------------ */

static struct keep *other;
static char others_id[ID_LEN + 1];
static enum fault others_fault;

/* The lock is free from here on, and another process is quick: the same content once more. */
static void upload_between(void *self)
{
	struct grant grant = grant_of(4, NULL);
	struct sent s = {"theirs", "same", 0};
	struct files files;
	struct refusal no;

	refusal_clear(&no);
	others_fault = send_all(other, &grant, &s, 1, false, &files, &no);
	if (others_fault == FAULT_NONE) {
		strcpy(others_id, files.at[0].id);
		files_release(&files);
	}
}

/* As SQLite does on its own where memory is short or the disk fails. */
static void nobody_elses_object_is_unlinked(void **state)
{
	struct grant grant = grant_of(4, NULL);
	struct sent s = {"bad", "same", 0};
	struct files files;
	struct swept swept;
	sqlite3 *db = open_raw();
	int fd;

	other = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	assert_non_null(other);
	run_raw(db, "CREATE TRIGGER t BEFORE INSERT ON files WHEN new.name = 'bad'"
		    " BEGIN SELECT raise(ROLLBACK, 'no'); END");
	sqlite3_rollback_hook(keep->catalog->writer->db, upload_between, NULL);
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_INTERNAL);
	sqlite3_rollback_hook(keep->catalog->writer->db, NULL, NULL);
	assert_int_equal(others_fault, FAULT_NONE);
	assert_int_equal(keep_find(keep, span_of(others_id), &files, &why), FAULT_NONE);
	assert_int_equal(keep_content(keep, &files.at[0], &fd, NULL, &why), FAULT_NONE);
	close(fd);
	files_release(&files);
	s.bytes = "mine"; /* linked, and left to the sweep */
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_INTERNAL);
	assert_int_equal(entries("objects"), 2);
	run_raw(db, "DROP TRIGGER t");
	sqlite3_close(db);
	keep_close(other);
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_NONE);
	assert_int_equal(swept.orphans, 1);
	check_sums();
}

/* ---- followers ------------------------------------------------------------------------------- */

static char doomed[ID_LEN + 1];
static atomic_int uploads_done, deletes_done;

static void *upload_one(void *self)
{
	struct grant grant = grant_of(5, NULL);
	struct sent s = {"a", self, 5};
	struct files files;
	struct refusal no;

	refusal_clear(&no);
	if (send_all(keep, &grant, &s, 1, false, &files, &no) == FAULT_NONE) {
		files_release(&files);
		uploads_done++;
	}
	return NULL;
}

static void *delete_one(void *self)
{
	struct refusal no;

	refusal_clear(&no);
	if (keep_remove(keep, span_of(doomed), &no) == FAULT_NONE)
		deletes_done++;
	return NULL;
}

/* Has anybody queued up behind `*end`, the end of the queue as it was? */
static struct waiting **end;

static bool queue_has_grown(void)
{
	pthread_mutex_lock(&keep->catalog->queue_lock);
	bool grown = keep->catalog->last != end;
	pthread_mutex_unlock(&keep->catalog->queue_lock);
	return grown;
}

static bool one_leads(void)
{
	pthread_mutex_lock(&keep->catalog->queue_lock);
	bool leads = keep->catalog->led && keep->catalog->first == NULL;
	end = keep->catalog->last;
	pthread_mutex_unlock(&keep->catalog->queue_lock);
	return leads;
}

static void start_and_queue(pthread_t *thread, void *(*what)(void *), void *self)
{
	end = keep->catalog->last;
	assert_int_equal(pthread_create(thread, NULL, what, self), 0);
	assert_true(wait_for(queue_has_grown));
}

static bool both_are_uploaded(void)
{
	return uploads_done == 2;
}

static bool an_unlink_is_held(void)
{
	return unlink_held;
}

/* An upload is done when it is committed, whatever is unlinked after that for somebody else; a
 * deletion when the bytes are gone. */
static void followers_wait_for_no_unlinking(void **state)
{
	pthread_t thread[3];
	sqlite3 *db = open_raw();

	put("doomed", "doomed", NULL, doomed);
	uploads_done = deletes_done = 0;
	run_raw(db, "BEGIN IMMEDIATE");
	assert_int_equal(pthread_create(&thread[0], NULL, upload_one, "first"), 0);
	assert_true(wait_for(one_leads)); /* alone, and waits for the lock */
	start_and_queue(&thread[1], delete_one, NULL);
	start_and_queue(&thread[2], upload_one, "third"); /* one batch, which the deletion leads */
	hold_unlinks = true;
	run_raw(db, "COMMIT");
	sqlite3_close(db);
	bool uploaded = wait_for(both_are_uploaded) && wait_for(an_unlink_is_held);
	assert_int_equal(deletes_done, 0);
	assert_int_equal(entries("objects"), 3);
	hold_unlinks = false;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_true(uploaded);
	assert_int_equal(deletes_done, 1);
	assert_int_equal(entries("objects"), 2);
	check_sums();
}

/* ---- another version of the schema ----------------------------------------------------------- */

static void a_newer_schema_stops_the_writing(void **state)
{
	struct grant grant = grant_of(3, NULL);
	struct sent s = {"new", "new", 0};
	struct swept swept;
	struct files files;
	char old[ID_LEN + 1];
	sqlite3 *db = open_raw();

	put("old", "old", NULL, old);
	run_raw(db, "PRAGMA user_version = 3");
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_BUSY);
	assert_int_equal(keep_remove(keep, span_of(old), &why), FAULT_BUSY);
	assert_int_equal(sweep_store(keep, &swept, &why), FAULT_BUSY);
	assert_int_equal(look(old), FAULT_NONE);
	assert_int_equal(entries("objects"), 1);
	run_raw(db, "PRAGMA user_version = 2");
	sqlite3_close(db);
	assert_int_equal(send_all(keep, &grant, &s, 1, false, &files, &why), FAULT_NONE);
	files_release(&files);
	check_sums();
}

/* ---- readers who take their time ------------------------------------------------------------- */

/* A WAL that asks for a restart, beside a reader who does not let it begin anew. */
static sqlite3 *read_for_long(void)
{
	sqlite3 *reader = open_raw(), *db = open_raw();
	char sql[128], id[ID_LEN + 1];

	run_raw(reader, "BEGIN");
	run_raw(reader, "SELECT count(*) FROM files");
	run_raw(db, "PRAGMA wal_autocheckpoint = 0");
	snprintf(sql, sizeof sql, "CREATE TABLE large AS SELECT zeroblob(%d) AS b", LARGE_WAL);
	run_raw(db, sql);
	run_raw(db, "DROP TABLE large");
	sqlite3_close(db);
	put("a", "a", NULL, id);
	return reader;
}

static void a_long_reader_stops_nobody(void **state)
{
	enum { TURNS = 200 };
	char id[ID_LEN + 1], bytes[16];
	sqlite3 *reader = read_for_long();
	struct connection *tender = keep->catalog->tender;

	assert_in_range(tender->patience, 1, 50);
	for (int i = 0; i < TURNS; i++) {
		keep_tend(keep);
		snprintf(bytes, sizeof bytes, "%d", i);
		put(bytes, bytes, NULL, id);
	}
	assert_in_range(keep->catalog->insisted, 2, 10); /* of 200 turns */
	run_raw(reader, "COMMIT");
	sqlite3_close(reader);
	for (int i = 0; i < 70 && atomic_load(&keep->catalog->wal_pages) > 1000; i++)
		keep_tend(keep); /* soon after, all is as before */
	assert_int_equal(atomic_load(&keep->catalog->wal_pages), 0);
	check_sums();
}

/* Whoever lists tokens into a pager that nobody scrolls: the visitor is slow, the reader is not. */
static void visit_and_commit(void *self, const struct token *token)
{
	sqlite3 *db = open_raw();
	int in_wal = 0, done = 0;

	++*(int *)self;
	sqlite3_busy_timeout(db, 100);
	run_raw(db, "SELECT count(*) FROM tokens"); /* opens the WAL */
	assert_int_equal(
	    sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &in_wal, &done),
	    SQLITE_OK);
	sqlite3_close(db);
}

static void a_visitor_holds_no_snapshot(void **state)
{
	char text[128], name[16];
	int visits = 0;

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "t%d", i);
		assert_int_equal(
		    keep_token_add(
			keep, &(struct token){.name = name, .rights = RIGHT_READ}, text, &why),
		    FAULT_NONE);
	}
	assert_int_equal(keep_token_each(keep, visit_and_commit, &visits, &why), FAULT_NONE);
	assert_int_equal(visits, 3);
}

#define IN_A_DATA_DIR(test) cmocka_unit_test_setup_teardown(test, make_keep, drop_keep)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_A_DATA_DIR(nobody_elses_object_is_unlinked),
	    IN_A_DATA_DIR(followers_wait_for_no_unlinking),
	    IN_A_DATA_DIR(a_newer_schema_stops_the_writing),
	    IN_A_DATA_DIR(a_long_reader_stops_nobody),
	    IN_A_DATA_DIR(a_visitor_holds_no_snapshot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
