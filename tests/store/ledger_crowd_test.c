/* ledger_crowd_test.c: processes and threads share one limit; the dead hold nothing, the stopped
 * nobody up. */
#include "chance.h"
#include "ledger_table.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { PROCESSES = 8, THREADS = 8, ROUNDS = 3000 };

/* ---- processes that die ---------------------------------------------------------------------- */

static enum fault die(void *self, const struct ledger_sums *sums)
{
	kill(getpid(), SIGKILL);
	return FAULT_NONE;
}

/* A process that reserves 100 bytes and is gone; while it holds the lock, if `locked`. */
static void reserve_and_die(bool locked)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		unsigned slot;
		struct ledger *l = open_it();
		if (!l || reserve(l, alice, 100, NULL, NULL, &slot))
			_exit(1);
		if (locked)
			reserve(l, alice, 100, die, NULL, &slot);
		kill(getpid(), SIGKILL);
		_exit(2);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

struct empty {
	int calls;
	bool late;
};

static enum fault only_when_empty(void *self, const struct ledger_sums *sums)
{
	struct empty *empty = self;
	empty->calls++;
	empty->late = sums->late > 0;
	return sums->total ? FAULT_NO_SPACE : FAULT_NONE;
}

/* What the dead held may have become files since the mark; by the next one it is settled. */
static int calls_until_empty(struct ledger *l, unsigned *slot)
{
	struct empty empty = {0};
	while (reserve(l, bob, 1, only_when_empty, &empty, slot) != FAULT_NONE)
		assert_true(empty.late);
	return empty.calls;
}

static void the_dead_hold_nothing(void **state)
{
	for (int locked = 0; locked < 2; locked++) {
		struct ledger *l = open_it();
		struct seen seen = {0};
		unsigned slot;
		reserve_and_die(locked);
		assert_int_equal(reserve(l, bob, 1, look, &seen, &slot), FAULT_NONE);
		assert_int_equal(seen.sums.total, 100); /* nobody has looked yet */
		ledger_release(l, slot);
		assert_int_equal(calls_until_empty(l, &slot), 3);
		assert_int_equal(ledger_total(l), 1);
		reserve_and_die(locked);
		assert_int_equal(ledger_total(l), 1);
		reserve_and_die(locked);
		struct ledger *heir = open_it(); /* takes the dead one's number, not its bytes */
		ledger_release(l, slot);
		assert_int_equal(calls_until_empty(heir, &slot), 1);
		ledger_close(heir);
		ledger_close(l);
	}
}

static enum fault halt(void *self, const struct ledger_sums *sums)
{
	kill(getpid(), SIGSTOP);
	return FAULT_NONE;
}

/* Stopped while it holds the lock, a process takes nobody along. */
static void the_stopped_stop_nobody(void **state)
{
	struct ledger *l = open_it();
	struct refusal why;
	unsigned slot;
	int status;
	assert_int_equal(reserve(l, alice, 7, NULL, NULL, &slot), FAULT_NONE);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct ledger *mine = open_it();
		_exit(!mine || reserve(mine, bob, 1, halt, NULL, &slot));
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	for (int i = 0; i < 20; i++) /* all but the first at once: it is known by then */
		assert_int_equal(reserve(l, alice, 1, NULL, NULL, &slot), FAULT_BUSY);
	assert_int_equal(grow(l, slot, 1, NULL, NULL), FAULT_BUSY);
	assert_int_equal(ledger_total(l), 7);
	refusal_clear(&why);
	assert_null(ledger_open(dir, "ledger", SCHEMA, &why));
	assert_int_equal(why.fault, FAULT_BUSY);
	assert_non_null(strstr(why.detail, "stopped"));
	kill(pid, SIGCONT);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(reserve(l, alice, 1, NULL, NULL, &slot), FAULT_NONE);
	ledger_close(l);
}

struct limit {
	int64_t bytes, limit;
};

static enum fault within(void *self, const struct ledger_sums *sums)
{
	struct limit *limit = self;
	return sums->total + limit->bytes > limit->limit ? FAULT_NO_SPACE : FAULT_NONE;
}

/* Reserve and release at random, never beyond 1,000 bytes altogether; *sum is the proof. */
static int play(struct ledger *l, struct chance luck, _Atomic int64_t *sum)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct limit limit = {chance_below(&luck, 400), 1000};
		unsigned slot;
		enum fault f = reserve(
		    l, chance_below(&luck, 2) ? alice : nobody, limit.bytes, within, &limit, &slot);
		if (f == FAULT_NO_SPACE)
			continue;
		if (f || atomic_fetch_add(sum, limit.bytes) + limit.bytes > 1000)
			return 1;
		ledger_written(l, slot, chance_below(&luck, 400));
		atomic_fetch_sub(sum, limit.bytes);
		ledger_release(l, slot);
	}
	return 0;
}

static void processes_share_one_limit(void **state)
{
	struct ledger *l = open_it();
	pid_t pids[PROCESSES];
	_Atomic int64_t *sum =
	    mmap(NULL, sizeof *sum, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sum != MAP_FAILED);
	for (int i = 0; i < PROCESSES; i++) {
		struct chance luck = chance("shared", i);
		if ((pids[i] = fork()) == 0) {
			struct ledger *mine = open_it();
			_exit(mine ? play(mine, luck, sum) : 2);
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(ledger_total(l), 0);
	ledger_close(l);
	munmap(sum, sizeof *sum);
}

/* All of them killed in the midst of it, again and again; the survivor must never be stuck. */
static void kill_nine_anywhere(void **state)
{
	struct ledger *l = open_it();
	unsigned slot;
	for (int round = 0; round < 20; round++) {
		pid_t pids[PROCESSES];
		_Atomic int64_t sum = INT64_MIN / 2;
		for (int i = 0; i < PROCESSES; i++) {
			struct chance luck = chance("killed", round * PROCESSES + i);
			if ((pids[i] = fork()) == 0) {
				struct ledger *mine = open_it();
				while (mine && play(mine, luck, &sum) == 0)
					;
				_exit(1);
			}
		}
		for (int i = 0; i < 50; i++) {
			assert_int_equal(reserve(l, alice, 1, NULL, NULL, &slot), FAULT_NONE);
			ledger_release(l, slot);
		}
		for (int i = 0; i < PROCESSES; i++) {
			int status;
			assert_true(pids[i] > 0); /* -1 would be everybody */
			kill(pids[i], SIGKILL);
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_true(WIFSIGNALED(status));
		}
		assert_int_equal(ledger_total(l), 0);
	}
	ledger_close(l);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct crew {
	struct ledger *ledger;
	_Atomic int64_t sum;
	_Atomic unsigned started;
	_Atomic int failures;
};

static void *thread(void *self)
{
	struct crew *crew = self;
	crew->failures += play(crew->ledger, chance("crew", (int)++crew->started), &crew->sum);
	return NULL;
}

static void threads_share_one_limit(void **state)
{
	struct crew crew = {.ledger = open_it()};
	pthread_t threads[THREADS];
	chance_seed(); /* said before there are threads */
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread, &crew), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crew.failures, 0);
	assert_int_equal(ledger_total(crew.ledger), 0);
	ledger_close(crew.ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_dead_hold_nothing, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(the_stopped_stop_nobody, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(processes_share_one_limit, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(kill_nine_anywhere, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(threads_share_one_limit, make_dir, drop_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
