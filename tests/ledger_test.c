/* ledger_test.c: promises are counted once, by everybody, and die with whoever made them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keep/ledger.h"

enum { PROCESSES = 8, THREADS = 8, ROUNDS = 3000, TABLE = 16384 };

static int dir = -1;
static char dir_name[64];

static int make_dir(void **state)
{
	snprintf(dir_name, sizeof dir_name, "/tmp/ledger-test-XXXXXX");
	assert_non_null(mkdtemp(dir_name));
	dir = open(dir_name, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	return dir < 0;
}

static int drop_dir(void **state)
{
	unlinkat(dir, "ledger", 0);
	close(dir);
	return rmdir(dir_name);
}

static struct ledger *open_it(void)
{
	struct refusal why;
	refusal_clear(&why);
	struct ledger *l = ledger_open(dir, "ledger", &why);
	if (!l)
		print_error("%s\n", why.detail);
	return l;
}

static const struct span nobody = {NULL, 0}, alice = {"alice", 5}, bob = {"bob", 3};

/* ---- what a check is told -------------------------------------------------------------------- */

struct seen {
	int64_t total, owner_total, pending;
	int calls;
	enum fault answer;
};

static enum fault look(void *self, int64_t total, int64_t owner_total, int64_t pending)
{
	struct seen *seen = self;
	seen->total = total;
	seen->owner_total = owner_total;
	seen->pending = pending;
	seen->calls++;
	return seen->answer;
}

#define assert_seen(seen, t, o, p)                                                                 \
	do {                                                                                       \
		assert_int_equal((seen).total, t);                                                 \
		assert_int_equal((seen).owner_total, o);                                           \
		assert_int_equal((seen).pending, p);                                               \
	} while (0)

static void sums_are_told(void **state)
{
	struct ledger *l = open_it(), *other = open_it();
	struct seen seen = {0};
	unsigned a, b, c;
	assert_int_equal(ledger_reserve(l, alice, 100, look, &seen, &a), FAULT_NONE);
	assert_seen(seen, 0, 0, 0);
	assert_int_equal(ledger_reserve(other, bob, 1000, look, &seen, &b), FAULT_NONE);
	assert_seen(seen, 100, 0, 100);
	ledger_written(l, a, 30);
	assert_int_equal(ledger_reserve(other, alice, 10000, look, &seen, &c), FAULT_NONE);
	assert_seen(seen, 1100, 100, 1070);
	assert_int_equal(ledger_grow(l, a, 5, look, &seen), FAULT_NONE);
	assert_seen(seen, 11100, 10100, 11070);
	ledger_written(l, a, 1000000); /* never below 0 */
	unsigned d;
	assert_int_equal(ledger_reserve(l, nobody, 0, look, &seen, &d), FAULT_NONE);
	assert_seen(seen, 11105, 0, 11000);
	assert_int_equal(ledger_total(l), 11105);
	ledger_release(l, a);
	ledger_release(l, d);
	assert_int_equal(ledger_total(other), 11000);
	ledger_release(other, c);
	ledger_close(other); /* still holds b */
	assert_int_equal(ledger_total(l), 0);
	ledger_close(l);
}

static void refusal_changes_nothing(void **state)
{
	struct ledger *l = open_it();
	struct seen seen = {.answer = FAULT_QUOTA_EXCEEDED};
	unsigned a, b;
	assert_int_equal(ledger_reserve(l, alice, 7, look, &seen, &a), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(ledger_total(l), 0);
	assert_int_equal(seen.calls, 1); /* nobody died: asking again is pointless */
	assert_int_equal(ledger_reserve(l, alice, 7, NULL, NULL, &b), FAULT_NONE);
	assert_int_equal(ledger_grow(l, b, 9, look, &seen), FAULT_QUOTA_EXCEEDED);
	assert_int_equal(ledger_total(l), 7);
	assert_int_equal(ledger_reserve(l, alice, -1, NULL, NULL, &a), FAULT_INTERNAL);
	assert_int_equal(ledger_grow(l, b, INT64_MAX, NULL, NULL), FAULT_INTERNAL);
	assert_int_equal(ledger_grow(l, b + 1, 1, NULL, NULL), FAULT_INTERNAL);
	ledger_release(l, TABLE + 5);
	ledger_written(l, TABLE + 5, 1);
	assert_int_equal(
	    ledger_reserve(l, bob, INT64_MAX, look, &(struct seen){0}, &a), FAULT_NONE);
	assert_int_equal(ledger_total(l), INT64_MAX); /* no overflow */
	ledger_close(l);
}

static void table_fills_and_empties(void **state)
{
	struct ledger *l = open_it();
	unsigned slot, last = 0;
	bool *taken = calloc(TABLE, sizeof *taken);
	for (int i = 0; i < TABLE; i++) {
		assert_int_equal(ledger_reserve(l, nobody, 1, NULL, NULL, &slot), FAULT_NONE);
		assert_true(slot < TABLE && !taken[slot]);
		taken[slot] = true;
		last = slot;
	}
	assert_int_equal(ledger_total(l), TABLE);
	assert_int_equal(ledger_reserve(l, nobody, 1, NULL, NULL, &slot), FAULT_BUSY);
	assert_int_equal(ledger_grow(l, 5, 2, NULL, NULL), FAULT_NONE); /* needs no entry */
	ledger_release(l, 77);
	assert_int_equal(ledger_reserve(l, nobody, 1, NULL, NULL, &slot), FAULT_NONE);
	assert_int_equal(slot, 77);
	for (int i = 0; i < TABLE; i++)
		ledger_release(l, i);
	assert_int_equal(ledger_total(l), 0);
	assert_true(last < TABLE);
	free(taken);
	ledger_close(l);
}

/* ---- processes that die ---------------------------------------------------------------------- */

static enum fault die(void *self, int64_t total, int64_t owner_total, int64_t pending)
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
		if (!l || ledger_reserve(l, alice, 100, NULL, NULL, &slot))
			_exit(1);
		if (locked)
			ledger_reserve(l, alice, 100, die, NULL, &slot);
		kill(getpid(), SIGKILL);
		_exit(2);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static enum fault only_when_empty(void *self, int64_t total, int64_t owner_total, int64_t pending)
{
	++*(int *)self;
	return total ? FAULT_NO_SPACE : FAULT_NONE;
}

static void the_dead_hold_nothing(void **state)
{
	for (int locked = 0; locked < 2; locked++) {
		struct ledger *l = open_it();
		struct seen seen = {0};
		unsigned slot;
		reserve_and_die(locked);
		assert_int_equal(ledger_reserve(l, bob, 1, look, &seen, &slot), FAULT_NONE);
		assert_int_equal(seen.total, 100); /* nobody has looked yet */
		ledger_release(l, slot);
		int calls = 0;
		assert_int_equal(
		    ledger_reserve(l, bob, 1, only_when_empty, &calls, &slot), FAULT_NONE);
		assert_int_equal(calls, 2);
		assert_int_equal(ledger_total(l), 1);
		reserve_and_die(locked);
		assert_int_equal(ledger_total(l), 1);
		reserve_and_die(locked);
		struct ledger *heir = open_it(); /* takes the dead one's number, not its bytes */
		calls = 0;
		ledger_release(l, slot);
		assert_int_equal(
		    ledger_reserve(heir, bob, 1, only_when_empty, &calls, &slot), FAULT_NONE);
		assert_int_equal(calls, 1);
		ledger_close(heir);
		ledger_close(l);
	}
}

struct limit {
	int64_t bytes, limit;
};

static enum fault within(void *self, int64_t total, int64_t owner_total, int64_t pending)
{
	struct limit *limit = self;
	return total + limit->bytes > limit->limit ? FAULT_NO_SPACE : FAULT_NONE;
}

/* Reserve and release at random, never beyond 1,000 bytes altogether; *sum is the proof. */
static int play(struct ledger *l, unsigned seed, _Atomic int64_t *sum)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct limit limit = {rand_r(&seed) % 400, 1000};
		unsigned slot;
		enum fault f = ledger_reserve(
		    l, seed & 1 ? alice : nobody, limit.bytes, within, &limit, &slot);
		if (f == FAULT_NO_SPACE)
			continue;
		if (f || atomic_fetch_add(sum, limit.bytes) + limit.bytes > 1000)
			return 1;
		ledger_written(l, slot, rand_r(&seed) % 400);
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
	for (int i = 0; i < PROCESSES; i++)
		if ((pids[i] = fork()) == 0) {
			struct ledger *mine = open_it();
			_exit(mine ? play(mine, i + 1, sum) : 2);
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
		for (int i = 0; i < PROCESSES; i++)
			if ((pids[i] = fork()) == 0) {
				struct ledger *mine = open_it();
				while (mine && play(mine, round * PROCESSES + i, &sum) == 0)
					;
				_exit(1);
			}
		for (int i = 0; i < 50; i++) {
			assert_int_equal(
			    ledger_reserve(l, alice, 1, NULL, NULL, &slot), FAULT_NONE);
			ledger_release(l, slot);
		}
		for (int i = 0; i < PROCESSES; i++) {
			int status;
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
	_Atomic unsigned seed;
	_Atomic int failures;
};

static void *thread(void *self)
{
	struct crew *crew = self;
	crew->failures += play(crew->ledger, ++crew->seed, &crew->sum);
	return NULL;
}

static void threads_share_one_limit(void **state)
{
	struct crew crew = {.ledger = open_it()};
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread, &crew), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(crew.failures, 0);
	assert_int_equal(ledger_total(crew.ledger), 0);
	ledger_close(crew.ledger);
}

/* ---- what is found in the file --------------------------------------------------------------- */

static void scribble(size_t len)
{
	int fd = openat(dir, "ledger", O_WRONLY | O_CREAT | O_TRUNC, 0640);
	char *rubbish = malloc(len + 1);
	memset(rubbish, 0xa5, len + 1);
	assert_int_equal(write(fd, rubbish, len), (ssize_t)len);
	free(rubbish);
	close(fd);
}

static void garbage_is_started_anew(void **state)
{
	static const size_t lengths[] = {0, 1, 15, 64, 4096, 64 + TABLE * 32, 1 << 20};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		scribble(lengths[i]);
		struct ledger *l = open_it();
		unsigned slot;
		assert_non_null(l);
		assert_int_equal(ledger_total(l), 0);
		assert_int_equal(ledger_reserve(l, alice, 5, NULL, NULL, &slot), FAULT_NONE);
		assert_int_equal(ledger_total(l), 5);
		struct stat st;
		assert_int_equal(fstatat(dir, "ledger", &st, 0), 0);
		assert_int_equal(st.st_size, 64 + TABLE * 32);
		assert_true(
		    st.st_blocks * 512 >= st.st_size); /* no hole: no SIGBUS on a full disk */
		assert_int_equal(st.st_mode & 0137, 0);
		ledger_close(l);
	}
}

static void another_build_is_not_trampled(void **state)
{
	struct ledger *l = open_it();
	struct refusal why;
	refusal_clear(&why);
	int fd = openat(dir, "ledger", O_WRONLY);
	assert_int_equal(pwrite(fd, "another!", 8, 0), 8);
	close(fd);
	assert_null(ledger_open(dir, "ledger", &why));
	assert_int_equal(why.fault, FAULT_BUSY);
	assert_non_null(strstr(why.detail, "Another build"));
	ledger_close(l);
	l = open_it();
	assert_non_null(l); /* nobody lives: started anew */
	ledger_close(l);
	refusal_clear(&why);
	assert_null(ledger_open(dir, "no/such", &why));
	assert_int_equal(why.fault, FAULT_INTERNAL);
	ledger_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(sums_are_told, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(refusal_changes_nothing, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(table_fills_and_empties, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(the_dead_hold_nothing, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(processes_share_one_limit, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(kill_nine_anywhere, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(threads_share_one_limit, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(garbage_is_started_anew, make_dir, drop_dir),
	    cmocka_unit_test_setup_teardown(another_build_is_not_trampled, make_dir, drop_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
