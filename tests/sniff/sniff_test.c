/* sniff_test.c: the jail, deaths, many threads. */
#include "chance.h"
#include "sniffing.h"

/* ---- the jail -------------------------------------------------------------------------------- */

static int open_files(int pid, char *one, size_t room)
{
	char path[64], link[384];
	int count = 0;
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		count++;
		snprintf(link, sizeof link, "%s/%s", path, e->d_name);
		ssize_t len = readlink(link, one, room - 1);
		one[len > 0 ? len : 0] = '\0';
	}
	closedir(dir);
	return count;
}

static void children_sit_in_a_jail(void **state)
{
	int secrets = open("/etc/passwd", O_RDONLY); /* not close-on-exec */
	struct sniffers *s = start(3);
	int pids[SNIFF_SLOTS];
	char one[256];
	assert_int_equal(sniff_pids(s, pids, SNIFF_SLOTS), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(status_of(pids[i], "Seccomp:"), 2);
		assert_int_equal(status_of(pids[i], "NoNewPrivs:"), 1);
		assert_int_equal(open_files(pids[i], one, sizeof one), 2); /* socket, region */
	}
	/* stderr, a signalfd, the control socket, and a socket and a region for each child */
	int parent = (int)status_of(pids[0], "PPid:");
	assert_int_equal(open_files(parent, one, sizeof one), 9);
	close(secrets);
	sniff_stop(s);
	for (int i = 0; i < 3; i++)
		assert_true(gone(pids[i]));
	assert_true(gone(parent));
}

/* ---- deaths ---------------------------------------------------------------------------------- */

static void an_idle_death_costs_nothing(void **state)
{
	struct sniffers *s = start(1);
	for (int i = 1; i <= 6; i++) {
		int pid = only_child(s);
		kill(pid, SIGKILL);
		assert_png(s);
		assert_int_equal(deaths(s), i);
		assert_int_not_equal(only_child(s), pid);
	}
	assert_png(s);
	assert_int_equal(alive(s), 1);
	sniff_stop(s);
}

struct asked {
	struct sniffers *sniffers;
	const void *bytes;
	size_t len;
	enum fault fault;
	char type[TYPE_BYTES + 1];
};

static void *ask(void *self)
{
	struct asked *a = self;
	a->fault = verdict(a->sniffers, a->bytes, a->len, a->type);
	return NULL;
}

/* Killed with the query in hand: its successor is asked again. */
static void a_death_while_asked(void **state)
{
	struct sniffers *s = start(1);
	struct asked a = {.sniffers = s, .bytes = png, .len = sizeof png};
	pthread_t thread;
	int pid = only_child(s);
	kill(pid, SIGSTOP);
	assert_int_equal(pthread_create(&thread, NULL, ask, &a), 0);
	usleep(20000); /* either order must do */
	kill(pid, SIGKILL);
	pthread_join(thread, NULL);
	assert_int_equal(a.fault, FAULT_NONE);
	assert_string_equal(a.type, "image/png");
	assert_int_equal(deaths(s), 1);
	sniff_stop(s);
}

static void a_hung_child_is_replaced(void **state)
{
	struct sniffers *s = start(1);
	char type[TYPE_BYTES + 1];
	int pid = only_child(s);
	kill(pid, SIGSTOP);
	assert_int_equal(verdict(s, png, sizeof png, type), FAULT_INTERNAL); /* after 10 s */
	assert_png(s);
	assert_true(gone(pid));
	assert_int_equal(deaths(s), 1);
	sniff_stop(s);
}

static void old_children_retire(void **state)
{
	struct sniffers *s = start(1);
	int pid = only_child(s);
	for (int i = 0; i < SNIFF_RETIRE + 50; i++)
		assert_png(s);
	assert_int_not_equal(only_child(s), pid);
	assert_int_equal(deaths(s), 0);
	sniff_stop(s);
}

/* libmagic's own parsers have had the holes: who has read an ELF or an OLE file reads nothing else. */
static void who_parsed_a_file_judges_no_other(void **state)
{
	static const unsigned char ole[512] = {0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1};
	static const unsigned char elf[512] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	const unsigned char *heads[] = {ole, elf};
	struct sniffers *s = start(1);
	char type[TYPE_BYTES + 1];
	for (int i = 0; i < 2; i++) {
		int pid = only_child(s);
		assert_png(s);
		assert_int_equal(only_child(s), pid);
		assert_int_equal(verdict(s, heads[i], sizeof ole, type), FAULT_NONE);
		assert_png(s);
		assert_true(gone(pid));
	}
	assert_int_equal(deaths(s), 0);
	sniff_stop(s);
}

/* A worker that was taken over cannot have the parent, which is in no jail, kill for it. */
static void the_board_is_only_read(void **state)
{
	struct sniffers *s = start(1);
	void *board = (void *)s->board;
	assert_int_equal(mprotect(board, sizeof *s->board, PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(s->board->slot[0].pid, only_child(s));
	sniff_stop(s);
}

static void another_parent_follows(void **state)
{
	struct sniffers *s = start(2);
	char type[TYPE_BYTES + 1];
	int pids[SNIFF_SLOTS];
	for (int64_t round = 1; round <= 3; round++) {
		assert_int_equal(sniff_pids(s, pids, SNIFF_SLOTS), 2);
		kill_parent_of(pids[0], SIGKILL);
		enum fault f = verdict(s, png, sizeof png, type);
		assert_true(f == FAULT_NONE || f == FAULT_INTERNAL);
		wait_until(deaths(s) == 2 * round && alive(s) == 2);
		assert_true(gone(pids[0]) && gone(pids[1]));
		for (int i = 0; i < 5; i++)
			assert_png(s);
	}
	sniff_stop(s);
}

static void without_a_guard_nothing_works(void **state)
{
	struct sniffers *s = start(2);
	char type[TYPE_BYTES + 1];
	int pids[SNIFF_SLOTS];
	assert_int_equal(sniff_pids(s, pids, SNIFF_SLOTS), 2);
	int parent = (int)status_of(pids[0], "PPid:");
	kill_parent_of(parent, SIGKILL);
	wait_until(alive(s) == 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(verdict(s, png, sizeof png, type), FAULT_INTERNAL);
	wait_until(gone(parent) && gone(pids[0]) && gone(pids[1]));
	sniff_stop(s);
}

/* A worker that dies by kill -9, in its jail or not, takes its sniffers with it. */
static void they_go_with_the_worker(void **state)
{
	for (int jailed = 0; jailed < 2; jailed++) {
		int wire[2], pids[3];
		assert_int_equal(pipe2(wire, O_CLOEXEC), 0);
		pid_t worker = fork();
		if (worker == 0) {
			struct refusal why;
			struct sandbox_state jail;
			const char *const writable[] = {"/tmp", NULL};
			char problem[256], type[TYPE_BYTES + 1];
			struct sniffers *s = sniff_start(2, &why);
			if (!s || (jailed && !sandbox_worker(writable, NULL, false, &jail, problem,
						 sizeof problem)))
				_exit(1);
			if (sniff_type(s, -1, png, sizeof png, type, &why) ||
			    sniff_pids(s, pids, 2) != 2)
				_exit(2);
			if (write(wire[1], pids, sizeof pids) < 0)
				_exit(3);
			pause();
			_exit(4);
		}
		assert_int_equal(read(wire[0], pids, sizeof pids), sizeof pids);
		pids[2] = (int)status_of(pids[0], "PPid:");
		assert_true(pids[2] > 0 && !gone(pids[2]));
		kill(worker, SIGKILL);
		assert_int_equal(waitpid(worker, NULL, 0), worker);
		for (int i = 0; i < 3; i++)
			wait_until(gone(pids[i]));
		close(wire[0]);
		close(wire[1]);
	}
}

static void signals_for_the_group_are_not_theirs(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP, SIGQUIT};
	struct sniffers *s = start(2);
	int pids[SNIFF_SLOTS], again[SNIFF_SLOTS];
	assert_int_equal(sniff_pids(s, pids, SNIFF_SLOTS), 2);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		kill_parent_of(pids[0], signals[i]);
		kill(pids[0], signals[i]);
		kill(pids[1], signals[i]);
	}
	assert_png(s);
	assert_int_equal(sniff_pids(s, again, SNIFF_SLOTS), 2);
	assert_memory_equal(pids, again, 2 * sizeof *pids);
	assert_int_equal(deaths(s), 0);
	sniff_stop(s);
}

static void no_database_is_said(void **state)
{
	struct refusal why;
	refusal_clear(&why);
	setenv("MAGIC", "/no/such/database", 1);
	assert_null(sniff_start(2, &why));
	unsetenv("MAGIC");
	assert_int_equal(why.fault, FAULT_INTERNAL);
	assert_non_null(strstr(why.detail, "magic"));
}

/* ---- threads --------------------------------------------------------------------------------- */

struct crowd {
	struct sniffers *sniffers;
	_Atomic unsigned started;
	_Atomic int wrong, refused, finished;
};

/* What a thread is told must be of its own file, whatever dies meanwhile. */
static void *crowd(void *self)
{
	struct crowd *c = self;
	struct chance luck = chance("asked", (int)++c->started);
	for (int i = 0; i < VERDICTS; i++) {
		struct refusal why;
		char type[TYPE_BYTES + 1];
		bool is_png = chance_below(&luck, 2);
		enum fault f = sniff_type(c->sniffers, -1, is_png ? png : pdf,
		    is_png ? sizeof png : sizeof pdf - 1, type, &why);
		if (f)
			c->refused++;
		else if (strcmp(type, is_png ? "image/png" : "application/pdf") != 0)
			c->wrong++;
	}
	c->finished++;
	return NULL;
}

static void run_crowd(struct crowd *c, bool murder)
{
	pthread_t threads[THREADS];
	struct chance luck = chance("victims", 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd, c), 0);
	for (int kills = 0; murder && kills < 12 && c->finished < THREADS; kills++) {
		int pids[SNIFF_SLOTS];
		unsigned n = sniff_pids(c->sniffers, pids, SNIFF_SLOTS);
		if (n)
			kill(pids[chance_below(&luck, n)], SIGKILL);
		usleep(3000);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(c->wrong, 0);
}

static void many_threads(void **state)
{
	struct crowd c = {.sniffers = start(2)};
	run_crowd(&c, false);
	assert_int_equal(c.refused, 0);
	assert_int_equal(deaths(c.sniffers), 0);
	c.finished = 0;
	run_crowd(&c, true);
	assert_true(deaths(c.sniffers) > 0);
	assert_true(c.refused < THREADS * VERDICTS / 2);
	assert_png(c.sniffers);
	wait_until(alive(c.sniffers) == 2);
	sniff_stop(c.sniffers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(children_sit_in_a_jail),
	    cmocka_unit_test(an_idle_death_costs_nothing), cmocka_unit_test(a_death_while_asked),
	    cmocka_unit_test(a_hung_child_is_replaced), cmocka_unit_test(old_children_retire),
	    cmocka_unit_test(who_parsed_a_file_judges_no_other),
	    cmocka_unit_test(the_board_is_only_read), cmocka_unit_test(another_parent_follows),
	    cmocka_unit_test(without_a_guard_nothing_works),
	    cmocka_unit_test(they_go_with_the_worker),
	    cmocka_unit_test(signals_for_the_group_are_not_theirs),
	    cmocka_unit_test(no_database_is_said), cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
