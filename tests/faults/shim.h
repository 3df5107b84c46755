/*
 * shim.h: what the files of the shim know of each other, and what the tests share with them.
 *
 *     shim.c        what is recorded, what is to fail, which descriptor is which file
 *     shim_files.c  opening and closing; names
 *     shim_bytes.c  bytes and syncs
 *     shim_looks.c  reading, looking, locking; a disk and a boot that are only pretended
 */
#ifndef WAYBILL_TESTS_SHIM_H
#define WAYBILL_TESTS_SHIM_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what the test and disk.py share with us -------------------------------------------------- */

enum op {
	CREATE = 1, /* path1, ino */
	TMPFILE,    /* ino */
	MKDIR,	    /* path1 */
	LINK,	    /* path1, ino */
	RENAME,	    /* path1 to path2 */
	UNLINK,	    /* path1 */
	WRITE,	    /* ino, a: offset; path2: the bytes */
	TRUNCATE,   /* ino, a: size */
	ALLOCATE,   /* ino, a: offset, b: bytes; not where the size stays as it is */
	SYNC_BEGIN, /* ino, or path1 of a directory; a: number of this sync */
	SYNC_END,   /* a: its number, b: errno */
	MAP	    /* ino: written through memory from here on */
};

struct record {
	uint32_t op, len1, len2, unused;
	uint64_t ino;
	int64_t a, b;
};

enum kind {
	K_OPEN = 1, K_CREATE = 2, K_WRITE = 4, K_SYNC = 8, K_ALLOCATE = 16, K_LINK = 32, K_TRUNCATE = 64,
	K_RENAME = 128, K_UNLINK = 256, K_MAP = 512, K_READ = 1024, K_STAT = 2048, K_LOCK = 4096
};

struct control {
	_Atomic int32_t kinds; /* set of enum kind; 0: nothing fails */
	_Atomic int32_t nth;   /* the first such call to fail, from 1 */
	_Atomic int32_t times; /* so many fail from there on */
	_Atomic int32_t err;
	_Atomic int32_t seen;  /* such calls since it was armed */
	_Atomic int32_t fired; /* of them failed */
	_Atomic int32_t clock; /* s by which the calendar is wrong */
	char what[228];	       /* the last that failed: call and path */
};

/* ---- shim.c ----------------------------------------------------------------------------------- */

enum { FDS = 65536 };

struct seen {
	uint64_t ino;
	bool directory;
	char path[]; /* below root */
};

#define REAL(name)                                                                                 \
	static __typeof__(name) *real;                                                             \
	if (!real)                                                                                 \
		real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

extern struct control *control; /* NULL: nothing is to go wrong */
extern int log_fd; /* -1: nothing is written down */

void put(enum op op, uint64_t ino, int64_t a, int64_t b, const char *path, const void *more, size_t len2);
/* NULL: this descriptor is none of ours. */
struct seen *of(int fd);
/* The path below root, "" for root itself; false: it is elsewhere. */
bool below(int dir, const char *path, char to[PATH_MAX]);
void forget(int fd);
uint64_t remember(int fd, const char *path);
/* Is this call to fail? Then errno is set. */
bool fails(enum kind kind, const char *call, const char *path);
bool fd_fails(enum kind kind, const char *call, int fd);

/* ---- shim_looks.c ----------------------------------------------------------------------------- */

/* The file to open in the place of `path`, which is mostly the same. */
const char *pretended(const char *path);

#endif
