/*
 * commit.c: group commit, and what belongs between commits.
 *
 * No thread of its own: a caller that finds nobody committing leads, takes all jobs that wait, runs
 * each inside its own savepoint, commits once for all, hands the lead to the first of those who
 * came meanwhile and wakes its followers. Alone, a caller commits without a context switch.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/log.h"

#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BATCH_MAX = 128,	 /* jobs of one transaction */
	CHECKPOINT_PAGES = 1000, /* of the WAL, before it is worth it */
	CATCH_UP_PAGES = 8192,	 /* commits outrun the checkpoints: hold them up */
	WAL_MAX = 64 << 20,	 /* bytes of the WAL file that may stay when idle */
	BACK_OFF_MAX = 64	 /* turns of catalog_tend() */
};

struct waiting {
	job_run *run;
	void *self;
	struct refusal *why;
	enum fault fault;
	bool lead;  /* woken to lead, not because it is done */
	bool drops; /* it gave up content, which is to be gone when it is told that all is done */
	sem_t wake;
	struct waiting *next;
};

static int count_pages(void *self, sqlite3 *db, const char *name, int pages)
{
	struct catalog *catalog = self;

	atomic_store(&catalog->wal_pages, pages);
	return SQLITE_OK;
}

enum fault catalog_ready(struct catalog *catalog, struct refusal *why)
{
	sqlite3_wal_hook(catalog->writer->db, count_pages, catalog);
	catalog->dropped = calloc(DROPPED_MAX, sizeof *catalog->dropped);
	return catalog->dropped == NULL ? refuse(why, FAULT_INTERNAL, NULL) : FAULT_NONE;
}

/* ---- one batch ------------------------------------------------------------------------------- */

/*
 * The write lock, on a catalog that is still what this program knows: a newer one may have migrated
 * it meanwhile. What was prepared for the old one would not fail, but do harm.
 */
static enum fault begin_write(struct catalog *catalog, struct refusal *why)
{
	struct connection *c = catalog->writer;
	int64_t version;
	enum fault f = sql_do(c, SQL_BEGIN_WRITE, why);

	if (f)
		return f;
	f = sql_read(c, SQL_VERSION, &version, 1, why, NO_VALUES);
	if (!f && version == catalog_version())
		return FAULT_NONE;
	if (!f) {
		log_line(LOG_ERROR, "catalog changed by another version of waybill",
		    "schema=%lld known=%d advice=\"restart this worker\"", (long long)version,
		    catalog_version());
		f = refuse(why, FAULT_BUSY,
		    "This server is being brought up to date. Try again in a moment.");
	}
	sql_do(c, SQL_ROLLBACK, NULL);
	return f;
}

/*
 * The only place where an object that was ever committed is unlinked. Unlinking before COMMIT could
 * lose one: a crash in between brings the row back, but not the file. So the rows go first, for
 * good, and then under a new write lock, with nothing uncommitted in sight, the object goes if it
 * still has no row: somebody may have uploaded the same content between the two. A crash in between
 * leaves an orphan, which the sweep finds; an unlinking that a power cut undoes, likewise.
 */
static void unlink_dropped(struct catalog *catalog)
{
	struct connection *c = catalog->writer;
	struct known known;
	enum fault f = begin_write(catalog, NULL);

	if (f)
		return;
	for (size_t i = 0; i < catalog->dropped_count && !f; i++) {
		f = object_find(c, catalog->dropped[i], &known, NULL);
		if (!f && !known.found)
			f = object_drop(catalog->store, catalog->dropped[i], NULL);
	}
	sql_do(c, SQL_COMMIT, NULL);
}

/* A job that fails is rolled back alone. */
static enum fault run_beside(struct catalog *catalog, struct waiting *job, struct refusal *why)
{
	struct connection *c = catalog->writer;
	size_t dropped = catalog->dropped_count;
	enum fault f = sql_do(c, SQL_SAVEPOINT, why);

	if (f)
		return f;
	f = job->run(catalog, job->self, why);
	if (f) {
		catalog->dropped_count = dropped;
		if (!sqlite3_get_autocommit(c->db))
			sql_do(c, SQL_UNDO, NULL);
	}
	if (!sqlite3_get_autocommit(c->db)) {
		enum fault released = sql_do(c, SQL_RELEASE, !f ? why : NULL);
		f = !f ? released : f;
	}
	return f;
}

/* Run all jobs. A fault means that the whole transaction is lost. *kept: how many succeeded. */
static enum fault run_all(
    struct catalog *catalog, struct waiting *batch, size_t *kept, struct refusal *why)
{
	struct connection *c = catalog->writer;

	for (struct waiting *job = batch; job != NULL; job = job->next) {
		size_t dropped = catalog->dropped_count;
		job->fault = batch->next == NULL ? job->run(catalog, job->self, job->why)
						 : run_beside(catalog, job, job->why);
		/* On a full disk and the like SQLite rolls everything back by itself. */
		if (sqlite3_get_autocommit(c->db))
			return refuse(why, !job->fault ? FAULT_INTERNAL : job->fault, NULL);
		job->drops = catalog->dropped_count > dropped;
		*kept += !job->fault;
	}
	return FAULT_NONE;
}

/*
 * When this fails after jobs linked objects, those links stay for the sweep: a COMMIT whose sync
 * failed may still be found in the WAL after a crash, and must then find its objects. (The sweep
 * commits something of its own before it looks, after which that cannot happen any more.)
 */
static enum fault transact(struct catalog *catalog, struct waiting *batch, struct refusal *why)
{
	struct connection *c = catalog->writer;
	size_t kept = 0;
	sqlite3_int64 changes = sqlite3_total_changes64(c->db);
	catalog->linked = false;
	catalog->dropped_count = 0;
	enum fault f = begin_write(catalog, why);

	if (f)
		return f;
	f = run_all(catalog, batch, &kept, why);
	if (!f && kept > 0 && catalog->linked)
		f = store_settle(catalog->store, why);
	bool changed = sqlite3_total_changes64(c->db) != changes;
	if (!f && kept > 0 && changed)
		f = generation_count(catalog, why);
	if (!f && kept > 0)
		f = sql_do(c, SQL_COMMIT, why);
	if (!f && kept > 0 && changed)
		generation_tell(catalog);
	if (!sqlite3_get_autocommit(c->db))
		sql_do(c, SQL_ROLLBACK, NULL);
	atomic_fetch_add(&catalog->commits, (int64_t)kept);
	atomic_fetch_add(&catalog->batches, 1);
	return f;
}

/* False: all of it is lost. */
static bool run_batch(struct catalog *catalog, struct waiting *batch)
{
	struct refusal why;

	refusal_clear(&why);
	enum fault f = transact(catalog, batch, &why);
	for (struct waiting *job = batch; f && job != NULL; job = job->next) {
		if (job->fault)
			continue;
		job->fault = f;
		if (job->why != NULL)
			*job->why = why;
	}
	return !f;
}

/* ---- the lead -------------------------------------------------------------------------------- */

/* True: this caller leads. False: another has done, or will do, its job. */
static bool queue_up(struct catalog *catalog, struct waiting *job)
{
	pthread_mutex_lock(&catalog->queue_lock);
	*catalog->last = job;
	catalog->last = &job->next;
	bool lead = !catalog->led;
	catalog->led = true;
	pthread_mutex_unlock(&catalog->queue_lock);
	if (lead)
		return true;
	while (sem_wait(&job->wake) != 0) {
	}
	return job->lead;
}

/* The jobs that wait, the leader's own first. */
static struct waiting *take_batch(struct catalog *catalog)
{
	pthread_mutex_lock(&catalog->queue_lock);
	struct waiting *batch = catalog->first, *end = batch;
	for (int n = 1; n < BATCH_MAX && end->next != NULL; n++)
		end = end->next;
	catalog->first = end->next;
	if (catalog->first == NULL)
		catalog->last = &catalog->first;
	end->next = NULL;
	pthread_mutex_unlock(&catalog->queue_lock);
	return batch;
}

static void pass_lead(struct catalog *catalog)
{
	pthread_mutex_lock(&catalog->queue_lock);
	struct waiting *next = catalog->first;
	catalog->led = next != NULL;
	if (next != NULL) {
		next->lead = true;
		sem_post(&next->wake);
	}
	pthread_mutex_unlock(&catalog->queue_lock);
}

/* Wake the leader's followers that are done: `all`, or those that wait for no unlinking. */
static void wake(struct waiting *leader, bool all)
{
	for (struct waiting **at = &leader->next; *at != NULL;) {
		struct waiting *job = *at;
		if (job->drops && !all) {
			at = &job->next;
			continue;
		}
		*at = job->next; /* its owner is gone once it is woken */
		sem_post(&job->wake);
	}
}

static void lead(struct catalog *catalog)
{
	/* Whoever is about to queue up on this core may come along: one sync and one set of pages
	 * for all. Where nobody is, this costs nothing. */
	sched_yield();
	struct waiting *batch = take_batch(catalog);
	bool committed = run_batch(catalog, batch);
	wake(batch, !committed);
	if (committed && catalog->dropped_count > 0)
		unlink_dropped(catalog);
	pass_lead(catalog);
	wake(batch, true);
}

enum fault catalog_commit(struct catalog *catalog, job_run *run, void *self, struct refusal *why)
{
	struct waiting job = {.run = run, .self = self, .why = why};

	if (sem_init(&job.wake, 0, 0) != 0)
		return disk_fault(why, "sem_init");
	if (queue_up(catalog, &job))
		lead(catalog);
	sem_destroy(&job.wake);
	return job.fault;
}

struct one {
	enum statement which;
	enum fault unchanged;
	struct values values;
};

static enum fault run_one(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	const struct one *one = self;
	enum fault f = sql_run(c, one->which, why, one->values);

	return !f && sqlite3_changes(c->db) == 0 ? one->unchanged : f;
}

enum fault commit_one(struct catalog *catalog, enum statement which, enum fault unchanged,
    struct refusal *why, struct values values)
{
	struct one one = {which, unchanged, values};

	return catalog_commit(catalog, run_one, &one, why);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

/*
 * Both kinds hold the lock of all writers while they wait for readers, so that one who reads for
 * long would make every upload wait as well. Hence the tender's little patience, and after it was
 * in vain a pause, each time twice as long.
 */
static int insist(struct catalog *catalog, int how, int *in_wal, int *done)
{
	if (catalog->pause > 0) {
		catalog->pause--;
		return SQLITE_OK;
	}
	int code = sqlite3_wal_checkpoint_v2(catalog->tender->db, NULL, how, in_wal, done);
	bool busy = (code & 0xff) == SQLITE_BUSY;
	int longer = catalog->back_off == 0 ? 1 : 2 * catalog->back_off;

	catalog->insisted++;
	catalog->back_off = !busy ? 0 : longer < BACK_OFF_MAX ? longer : BACK_OFF_MAX;
	catalog->pause = catalog->back_off;
	return code;
}

static bool wal_is_large(const struct catalog *catalog)
{
	struct stat st;

	return fstatat(catalog->store->dir, "waybill.db-wal", &st, 0) == 0 && st.st_size > WAL_MAX;
}

/*
 * Never automatic, since they would make some upload wait until the disk has all of waybill.db and,
 * on ext4, all new files' data. Here only a thread waits that has nothing better to do.
 */
void catalog_tend(struct catalog *catalog)
{
	struct connection *c = catalog->tender;
	int pages = atomic_load(&catalog->wal_pages), in_wal = 0, done = 0;
	int64_t commits = atomic_load(&catalog->commits);
	bool idle = commits == catalog->tended_commits;
	int64_t seen = generation_seen(catalog);

	if (c == NULL)
		return;
	catalog->tended_commits = commits;
	if (idle && wal_is_large(catalog))
		insist(catalog, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (pages < CHECKPOINT_PAGES)
		return;
	int code =
	    sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &done);
	/* The WAL begins anew only when all of it was copied; without a pause in the commits that
	 * never happens, so make one: short, since little is left to copy. */
	if (code == SQLITE_OK && done < in_wal && in_wal > CATCH_UP_PAGES)
		code = insist(catalog, SQLITE_CHECKPOINT_RESTART, &in_wal, &done);
	if (code == SQLITE_OK && done == in_wal) {
		atomic_compare_exchange_strong(&catalog->wal_pages, &pages, 0);
		generation_settle(catalog, seen);
	} else if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY)
		sql_fault(c, code, NULL);
}

void catalog_count(struct catalog *catalog, struct catalog_counts *counts)
{
	counts->commits = atomic_load(&catalog->commits);
	counts->batches = atomic_load(&catalog->batches);
	counts->busy = atomic_load(&catalog->busy);
}
