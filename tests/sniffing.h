/*
 * sniffing.h: sniffers that are started, asked, and looked at from outside.
 */
#ifndef WAYBILL_TESTS_SNIFFING_H
#define WAYBILL_TESTS_SNIFFING_H

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

static inline struct sniffers *start(unsigned count)
{
	struct refusal why;
	refusal_clear(&why);
	struct sniffers *s = sniff_start(count, &why);
	if (!s)
		print_error("%s\n", why.detail);
	assert_non_null(s);
	return s;
}

static inline enum fault verdict(struct sniffers *s, const void *bytes, size_t len, char *type)
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

static inline int64_t alive(struct sniffers *s)
{
	int64_t living, deaths;
	sniff_count(s, &living, &deaths);
	return living;
}

static inline int64_t deaths(struct sniffers *s)
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
static inline long status_of(int pid, const char *key)
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
static inline void kill_parent_of(int pid, int signal)
{
	long parent = status_of(pid, "PPid:");
	assert_true(parent > 1);
	kill((pid_t)parent, signal);
}

static inline bool gone(int pid)
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

static inline int only_child(struct sniffers *s)
{
	int pids[SNIFF_SLOTS];
	wait_until(sniff_pids(s, pids, SNIFF_SLOTS) == 1);
	return pids[0];
}

#endif
