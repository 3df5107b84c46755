/* sniffer_test.c: the verdict is file(1)'s, and no death among the sniffers is the worker's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keep/inside.h"
#include "sniff/sniffer.h"
#include "shared/sandbox.h"

enum { SAMPLES = 900, THREADS = 16, VERDICTS = 150 };

static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\b\2\0\0\0";
static const char pdf[] = "%PDF-1.4\n1 0 obj\n";

static struct sniffers *start(unsigned count)
{
	struct refusal why;
	refusal_clear(&why);
	struct sniffers *s = sniff_start(count, &why);
	if (!s)
		print_error("%s\n", why.detail);
	assert_non_null(s);
	return s;
}

static enum fault verdict(struct sniffers *s, const void *bytes, size_t len, char *type)
{
	struct refusal why;
	refusal_clear(&why);
	enum fault f = sniff_type(s, -1, bytes, len, type, &why);
	assert_int_equal(why.fault, f);
	return f;
}

#define assert_png(s)                                                                              \
	do {                                                                                       \
		char type_[TYPE_BYTES + 1];                                                        \
		assert_int_equal(verdict(s, png, sizeof png, type_), FAULT_NONE);                  \
		assert_string_equal(type_, "image/png");                                           \
	} while (0)

static int64_t alive(struct sniffers *s)
{
	int64_t living, deaths;
	sniff_count(s, &living, &deaths);
	return living;
}

static int64_t deaths(struct sniffers *s)
{
	int64_t living, dead;
	sniff_count(s, &living, &dead);
	return dead;
}

/* Wait for what other processes are about to bring about; 20 s is never, not a measure. */
#define wait_until(condition)                                                                      \
	do {                                                                                       \
		int tries_ = 0;                                                                    \
		while (!(condition) && tries_++ < 20000)                                           \
			usleep(1000);                                                              \
		assert_true(condition);                                                            \
	} while (0)

/* A number out of a line of /proc/PID/status, or -1: no such process. */
static long status_of(int pid, const char *key)
{
	char path[64], line[256];
	long value = -1;
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return value;
}

/* One that is gone has none to be found, and kill(-1) would end whatever this user runs. */
static void kill_parent_of(int pid, int signal)
{
	long parent = status_of(pid, "PPid:");
	assert_true(parent > 1);
	kill((pid_t)parent, signal);
}

static bool gone(int pid)
{
	char path[64], text[512] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return true;
	ssize_t got = read(fd, text, sizeof text - 1);
	close(fd);
	char *state = got > 0 ? strrchr(text, ')') : NULL;
	return !state || state[2] == 'Z' || state[2] == 'X'; /* who reaps orphans may be slow */
}

static int only_child(struct sniffers *s)
{
	int pids[SNIFF_SLOTS];
	wait_until(sniff_pids(s, pids, SNIFF_SLOTS) == 1);
	return pids[0];
}

/* ---- the same as file(1) --------------------------------------------------------------------- */

static char dir_name[64];
static int samples;

static int new_sample(void)
{
	char path[96];
	snprintf(path, sizeof path, "%s/%d", dir_name, samples++);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void sample_of(const void *bytes, size_t len)
{
	int fd = new_sample();
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

static void copy_head(const char *path)
{
	static char head[HEAD_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof head);
	if (fd >= 0)
		close(fd);
	if (got >= 0)
		sample_of(head, (size_t)got);
}

/* Every so many files below some directories. */
static void copy_tree(char *top, int each, int most)
{
	char *tops[] = {top, NULL};
	FTS *tree = fts_open(tops, FTS_PHYSICAL | FTS_NOSTAT, NULL);
	FTSENT *entry;
	int seen = 0, first = samples;
	assert_non_null(tree);
	while (samples - first < most && (entry = fts_read(tree)))
		if ((entry->fts_info == FTS_NSOK || entry->fts_info == FTS_F) &&
		    seen++ % each == 0) {
			struct stat st;
			if (lstat(entry->fts_accpath, &st) == 0 && S_ISREG(st.st_mode))
				copy_head(entry->fts_accpath);
		}
	fts_close(tree);
}

static void odd_ones(void)
{
	static const char *const texts[] = {"a", "\n", " ", "{\"a\": [1, 2]}", "[1,2",
	    "a,b\n1,2\n3,4\n", "<!DOCTYPE html><html></html>", "<?xml version=\"1.0\"?><a/>",
	    "#!/bin/sh\necho\n", "BM", "GIF89a", "MZ", "PK\3\4", "\xff\xd8\xff\xe0",
	    "\xef\xbb\xbfsigned", "caf\xe9\n", "\xc3\xa9t\xc3\xa9\n", "\x1b[31mred\x1b[0m\n",
	    "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "From: a@b.c\nSubject: x\n\ntext\n",
	    "int main(void)\n{\n\treturn 0;\n}\n", " %PDF-1.4\n", "\177ELF\2\1\1", "Rar!\x1a\7\1",
	    "7z\xbc\xaf\x27\x1c", "\x28\xb5\x2f\xfd", "OggS", "ID3\3", "RIFF....WAVEfmt ",
	    "RIFF....WEBPVP8 ", "....ftypisom", "SQLite format 3"};
	static char noise[HEAD_BYTES];
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		sample_of(texts[i], strlen(texts[i]));
	sample_of("", 0);
	sample_of("\0", 1);
	sample_of("f\0e\0f\0e\0", 8);
	sample_of(png, sizeof png);
	sample_of(pdf, sizeof pdf - 1);
	sample_of(noise, sizeof noise);
	for (size_t got = 0; got < sizeof noise; got += 256)
		assert_int_equal(getrandom(noise + got, 256, 0), 256);
	for (int i = 0; i < 60; i++)
		sample_of(noise + i * 4099, 1 + i * 97);
	sample_of(noise, sizeof noise);
	memset(noise, 'x', sizeof noise);
	sample_of(noise, sizeof noise);
	for (size_t i = 0; i + 20 < sizeof noise; i += 20)
		memcpy(noise + i, "{\"k\": \"value, more\"}\n", 20);
	sample_of(noise, sizeof noise);
}

static void archives(void)
{
	char command[512];
	snprintf(command, sizeof command,
	    "cd %s && cp %d a.txt && tar cf %d a.txt && gzip -c a.txt >%d && tar czf %d a.txt && "
	    "xz -c a.txt >%d && bzip2 -c a.txt >%d && /usr/bin/python3 -m zipfile -c %d.zip a.txt "
	    "&& "
	    "mv %d.zip %d && rm a.txt",
	    dir_name, 5, samples, samples + 1, samples + 2, samples + 3, samples + 4, samples + 5,
	    samples + 5, samples + 5);
	assert_int_equal(system(command), 0);
	samples += 6;
}

static int make_samples(void **state)
{
	snprintf(dir_name, sizeof dir_name, "/tmp/sniff-test-XXXXXX");
	assert_non_null(mkdtemp(dir_name));
	samples = 0;
	odd_ones();
	archives();
	copy_tree("/usr/share", 97, SAMPLES / 2);
	copy_tree("/usr/bin", 7, SAMPLES / 6);
	copy_tree("/usr/lib", 61, SAMPLES / 6);
	copy_tree("/etc", 11, SAMPLES / 6);
	return 0;
}

static int drop_samples(void **state)
{
	char command[96];
	snprintf(command, sizeof command, "rm -rf '%s'", dir_name);
	return system(command);
}

static void compare(struct sniffers *s, const char *locale)
{
	char command[256], expected[256], type[TYPE_BYTES + 1];
	struct refusal why;
	snprintf(command, sizeof command,
	    "cd %s && seq 0 %d | LC_ALL=%s file --brief --mime-type --files-from -", dir_name,
	    samples - 1, locale);
	FILE *answers = popen(command, "r");
	int unlike = 0;
	assert_non_null(answers);
	for (int i = 0; i < samples; i++) {
		assert_non_null(fgets(expected, sizeof expected, answers));
		expected[strcspn(expected, "\n")] = '\0';
		char path[96];
		snprintf(path, sizeof path, "%s/%d", dir_name, i);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		refusal_clear(&why);
		assert_int_equal(sniff_type(s, fd, NULL, HEAD_BYTES, type, &why), FAULT_NONE);
		close(fd);
		if (strcasecmp(type, expected) != 0) /* media types ignore case, ours are lower */
			print_error("%s: %s, file says %s\n", path, type, expected), unlike++;
	}
	assert_int_equal(pclose(answers), 0);
	assert_int_equal(unlike, 0);
}

static void verdict_is_files(void **state)
{
	struct sniffers *s = start(2);
	assert_true(samples > 300);
	compare(s, "C");
	compare(s, "C.UTF-8");
	assert_int_equal(deaths(s), 0);
	assert_int_equal(alive(s), 2);
	assert_true(sniff_version() >= 500);
	sniff_stop(s);
}

static void bytes_and_descriptor_agree(void **state)
{
	static char big[HEAD_BYTES + 4096];
	char a[TYPE_BYTES + 1], b[TYPE_BYTES + 1];
	struct refusal why;
	struct sniffers *s = start(1);
	memcpy(big, pdf, sizeof pdf);
	int fd = new_sample();
	assert_int_equal(write(fd, big, sizeof big), (ssize_t)sizeof big);
	assert_int_equal(sniff_type(s, fd, NULL, sizeof big, a, &why), FAULT_NONE);
	assert_int_equal(sniff_type(s, -1, big, sizeof big, b, &why), FAULT_NONE);
	assert_string_equal(a, "application/pdf");
	assert_string_equal(b, "application/pdf");
	assert_png(s); /* nothing is left of the file before */
	assert_int_equal(sniff_type(s, fd, NULL, 0, a, &why), FAULT_NONE);
	assert_string_equal(a, "inode/x-empty");
	assert_int_equal(sniff_type(s, -1, NULL, 5, a, &why), FAULT_INTERNAL); /* EBADF */
	assert_png(s);
	close(fd);
	sniff_stop(s);
	sniff_stop(NULL);
}

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
	_Atomic unsigned seed;
	_Atomic int wrong, refused, finished;
};

/* What a thread is told must be of its own file, whatever dies meanwhile. */
static void *crowd(void *self)
{
	struct crowd *c = self;
	unsigned seed = ++c->seed;
	for (int i = 0; i < VERDICTS; i++) {
		struct refusal why;
		char type[TYPE_BYTES + 1];
		bool is_png = rand_r(&seed) % 2;
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
	unsigned seed = 7;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd, c), 0);
	for (int kills = 0; murder && kills < 12 && c->finished < THREADS; kills++) {
		int pids[SNIFF_SLOTS];
		unsigned n = sniff_pids(c->sniffers, pids, SNIFF_SLOTS);
		if (n)
			kill(pids[rand_r(&seed) % n], SIGKILL);
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
	    cmocka_unit_test_setup_teardown(verdict_is_files, make_samples, drop_samples),
	    cmocka_unit_test_setup_teardown(bytes_and_descriptor_agree, make_samples, drop_samples),
	    cmocka_unit_test(children_sit_in_a_jail),
	    cmocka_unit_test(an_idle_death_costs_nothing),
	    cmocka_unit_test(a_death_while_asked),
	    cmocka_unit_test(a_hung_child_is_replaced),
	    cmocka_unit_test(old_children_retire),
	    cmocka_unit_test(who_parsed_a_file_judges_no_other),
	    cmocka_unit_test(the_board_is_only_read),
	    cmocka_unit_test(another_parent_follows),
	    cmocka_unit_test(without_a_guard_nothing_works),
	    cmocka_unit_test(they_go_with_the_worker),
	    cmocka_unit_test(signals_for_the_group_are_not_theirs),
	    cmocka_unit_test(no_database_is_said),
	    cmocka_unit_test(many_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
