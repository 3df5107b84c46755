/*
 * shim.c: an LD_PRELOAD library between waybill (SQLite included) and the disk.
 *
 * It writes down, in the order in which they took effect, all calls that change what is below
 * $FAULTS_ROOT, for disk.py to rebuild from them what a power cut would have left; and it makes the
 * calls fail that the control page ($FAULTS_CONTROL, shared with the test) asks for. With
 * $FAULTS_NO_TMPFILE the file system cannot make unnamed files, as some cannot; with $FAULTS_STATFS it
 * is of another kind (its magic number in hex); with $FAULTS_BOOT the machine was started anew: a file
 * with another boot_id.
 *
 * What it does not see: memory written through mmap (the SQLite -shm file and the ledger; both are
 * worthless after a crash, and disk.py fills them with garbage), and system calls that bypass libc.
 * test_power.py proves that nothing else is missed: all records replayed give the very directory
 * that the worker left. The worker runs with sandbox=off, since the records are written with calls
 * that its jail would refuse.
 *
 * A change is written down after it was made, and a sync's begin before it, so that with several
 * threads a write may seem to come after the sync that covered it, but never the other way round.
 */
#include "shim.h"

#include <sys/mman.h>
#include <sys/uio.h>

/* ---- state ------------------------------------------------------------------------------------ */

enum { LOG_FD = 1000 };

static struct seen *_Atomic table[FDS];
struct control *control;
static char root[PATH_MAX];
static size_t root_len;
int log_fd = -1;

static int plain_open(const char *path, int flags)
{
	REAL(open);
	return real(path, flags, 0644);
}

__attribute__((constructor)) static void begin(void)
{
	const char *r = getenv("FAULTS_ROOT"), *l = getenv("FAULTS_LOG"), *c = getenv("FAULTS_CONTROL");
	if (r && realpath(r, root))
		root_len = strlen(root);
	if (l) {
		int fd = plain_open(l, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC);
		log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD);
		close(fd);
	}
	if (c) {
		int fd = plain_open(c, O_RDWR | O_CLOEXEC);
		REAL(mmap);
		void *at = real(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		control = at == MAP_FAILED ? NULL : at;
		close(fd);
	}
}

void put(enum op op, uint64_t ino, int64_t a, int64_t b, const char *path, const void *more, size_t len2)
{
	struct record r = {op, path ? (uint32_t)strlen(path) : 0, (uint32_t)len2, 0, ino, a, b};
	struct iovec out[] = {{&r, sizeof r}, {(void *)path, r.len1}, {(void *)more, len2}};
	int saved = errno;
	if (log_fd >= 0 && writev(log_fd, out, 3) != (ssize_t)(sizeof r + r.len1 + len2))
		abort();
	errno = saved;
}

/* ---- descriptors and paths -------------------------------------------------------------------- */

struct seen *of(int fd)
{
	return fd >= 0 && fd < FDS ? atomic_load(&table[fd]) : NULL;
}

bool below(int dir, const char *path, char to[PATH_MAX])
{
	char whole[2 * PATH_MAX];
	struct seen *d = of(dir);
	if (path[0] == '/')
		snprintf(whole, sizeof whole, "%s", path);
	else if (d)
		snprintf(whole, sizeof whole, "%s/%s/%s", root, d->path, path);
	else
		return false;
	size_t len = 0; /* without "//", "/." and "/.." */
	for (const char *at = whole; *at; at++) {
		if (at[0] == '/' && (at[1] == '/' || at[1] == '\0'))
			continue;
		if (at[0] == '/' && at[1] == '.' && (at[2] == '/' || at[2] == '\0')) {
			at++;
			continue;
		}
		if (strncmp(at, "/..", 3) == 0 && (at[3] == '/' || at[3] == '\0')) {
			while (len > 0 && whole[--len] != '/')
				;
			at += 2;
			continue;
		}
		whole[len++] = *at;
	}
	whole[len] = '\0';
	if (!root_len || strncmp(whole, root, root_len) != 0 ||
	    (whole[root_len] != '/' && whole[root_len] != '\0'))
		return false;
	snprintf(to, PATH_MAX, "%s", whole + root_len + (whole[root_len] == '/'));
	return true;
}

void forget(int fd)
{
	if (fd >= 0 && fd < FDS)
		free(atomic_exchange(&table[fd], NULL));
}

uint64_t remember(int fd, const char *path)
{
	struct stat st;
	REAL(fstat);
	if (fd >= FDS || real(fd, &st) != 0)
		abort();
	struct seen *s = malloc(sizeof *s + strlen(path) + 1);
	s->ino = st.st_ino;
	s->directory = S_ISDIR(st.st_mode);
	strcpy(s->path, path);
	free(atomic_exchange(&table[fd], s));
	return st.st_ino;
}

bool fails(enum kind kind, const char *call, const char *path)
{
	if (!control || !(atomic_load(&control->kinds) & (int)kind))
		return false;
	int number = atomic_fetch_add(&control->seen, 1) + 1, nth = atomic_load(&control->nth);
	if (number < nth || number - nth >= atomic_load(&control->times))
		return false;
	snprintf(control->what, sizeof control->what, "%s %.200s", call, path);
	atomic_fetch_add(&control->fired, 1);
	errno = atomic_load(&control->err);
	return true;
}

bool fd_fails(enum kind kind, const char *call, int fd)
{
	struct seen *s = of(fd);
	return s && fails(kind, call, s->path);
}
