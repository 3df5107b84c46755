/*
 * shim.c: an LD_PRELOAD library between waybill (SQLite included) and the disk.
 *
 * It writes down, in the order in which they took effect, all calls that change what is below
 * $FAULTS_ROOT, for disk.py to rebuild from them what a power cut would have left; and it makes the
 * calls fail that the control page ($FAULTS_CONTROL, shared with the test) asks for. With
 * $FAULTS_NO_TMPFILE the file system cannot make unnamed files, as some cannot.
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
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <time.h>
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
	ALLOCATE,   /* ino, a: offset, b: bytes */
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

/* ---- state ------------------------------------------------------------------------------------ */

enum { FDS = 65536, LOG_FD = 1000 };

struct seen {
	uint64_t ino;
	bool directory;
	char path[]; /* below root */
};

static struct seen *_Atomic table[FDS];
static struct control *control;
static char root[PATH_MAX];
static size_t root_len;
static int log_fd = -1;
static _Atomic int64_t syncs;

#define REAL(name)                                                                                 \
	static __typeof__(name) *real;                                                             \
	if (!real)                                                                                 \
		real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

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

static void put(enum op op, uint64_t ino, int64_t a, int64_t b, const char *path, const void *more,
    size_t len2)
{
	struct record r = {op, path ? (uint32_t)strlen(path) : 0, (uint32_t)len2, 0, ino, a, b};
	struct iovec out[] = {{&r, sizeof r}, {(void *)path, r.len1}, {(void *)more, len2}};
	int saved = errno;
	if (log_fd >= 0 && writev(log_fd, out, 3) != (ssize_t)(sizeof r + r.len1 + len2))
		abort();
	errno = saved;
}

/* ---- descriptors and paths -------------------------------------------------------------------- */

static struct seen *of(int fd)
{
	return fd >= 0 && fd < FDS ? atomic_load(&table[fd]) : NULL;
}

/* The path below root, "" for root itself; false: it is elsewhere. */
static bool below(int dir, const char *path, char to[PATH_MAX])
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

static void forget(int fd)
{
	if (fd >= 0 && fd < FDS)
		free(atomic_exchange(&table[fd], NULL));
}

static uint64_t remember(int fd, const char *path)
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

/* Is this call to fail? Then errno is set. */
static bool fails(enum kind kind, const char *call, const char *path)
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

static bool fd_fails(enum kind kind, const char *call, int fd)
{
	struct seen *s = of(fd);
	return s && fails(kind, call, s->path);
}

/* ---- opening and closing ---------------------------------------------------------------------- */

static int open_any(int dir, const char *path, int flags, mode_t mode)
{
	char rel[PATH_MAX];
	REAL(openat);
	if (!below(dir, path, rel))
		return real(dir, path, flags, mode);
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	static int (*there)(int, const char *, int, int);
	if (!there)
		there = (int (*)(int, const char *, int, int))dlsym(RTLD_NEXT, "faccessat");
	bool makes = unnamed || ((flags & O_CREAT) && there(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0);
	if (unnamed && getenv("FAULTS_NO_TMPFILE")) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (fails(makes ? K_CREATE : K_OPEN, "open", rel))
		return -1;
	int fd = real(dir, path, flags, mode);
	if (fd < 0)
		return fd;
	uint64_t ino = remember(fd, rel);
	if (unnamed)
		put(TMPFILE, ino, 0, 0, NULL, NULL, 0);
	else if (makes)
		put(CREATE, ino, 0, 0, rel, NULL, 0);
	else if (flags & O_TRUNC)
		put(TRUNCATE, ino, 0, 0, NULL, NULL, 0);
	return fd;
}

#define MODE(flags)                                                                                \
	mode_t mode = 0;                                                                           \
	if ((flags) & (O_CREAT | O_TMPFILE)) {                                                     \
		va_list args;                                                                      \
		va_start(args, flags);                                                             \
		mode = va_arg(args, mode_t);                                                       \
		va_end(args);                                                                      \
	}

int open(const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(AT_FDCWD, path, flags, mode);
}
int openat(int dir, const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(dir, path, flags, mode);
}
int openat64(int dir, const char *path, int flags, ...)
{
	MODE(flags)
	return open_any(dir, path, flags, mode);
}
int __open_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_any(AT_FDCWD, path, flags, 0); }
int __openat_2(int dir, const char *path, int flags) { return open_any(dir, path, flags, 0); }
int __openat64_2(int dir, const char *path, int flags) { return open_any(dir, path, flags, 0); }

int close(int fd)
{
	REAL(close);
	forget(fd);
	return real(fd);
}

int closedir(DIR *dir)
{
	REAL(closedir);
	forget(dirfd(dir));
	return real(dir);
}

int fclose(FILE *file)
{
	REAL(fclose);
	forget(fileno(file));
	return real(file);
}

int close_range(unsigned first, unsigned last, int flags)
{
	REAL(close_range);
	for (unsigned fd = first; fd <= last && fd < FDS; fd++)
		forget((int)fd);
	return real(first, last, flags);
}

/* ---- bytes ------------------------------------------------------------------------------------ */

static void wrote(int fd, const void *bytes, ssize_t n, off_t at)
{
	if (n > 0)
		put(WRITE, of(fd)->ino, at, 0, NULL, bytes, (size_t)n);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	REAL(write);
	if (!of(fd))
		return real(fd, bytes, len);
	if (fd_fails(K_WRITE, "write", fd))
		return -1;
	ssize_t n = real(fd, bytes, len);
	wrote(fd, bytes, n, lseek(fd, 0, SEEK_CUR) - (n > 0 ? n : 0));
	return n;
}

static ssize_t pwrite_any(int fd, const void *bytes, size_t len, off_t at)
{
	REAL(pwrite);
	if (fd_fails(K_WRITE, "pwrite", fd))
		return -1;
	ssize_t n = real(fd, bytes, len, at);
	if (of(fd))
		wrote(fd, bytes, n, at);
	return n;
}
ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) { return pwrite_any(fd, bytes, len, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at) { return pwrite_any(fd, bytes, len, at); }

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags)
{
	REAL(copy_file_range);
	if (fd_fails(K_WRITE, "copy_file_range", to))
		return -1;
	ssize_t n = real(from, from_at, to, to_at, len, flags);
	char *copy = n > 0 && of(to) ? malloc((size_t)n) : NULL;
	if (copy) { /* to_at is never NULL here */
		wrote(to, copy, pread(to, copy, (size_t)n, *to_at - n), *to_at - n);
		free(copy);
	}
	return n;
}

static int truncate_any(int fd, off_t size)
{
	REAL(ftruncate);
	if (fd_fails(K_TRUNCATE, "ftruncate", fd))
		return -1;
	int done = real(fd, size);
	if (done == 0 && of(fd))
		put(TRUNCATE, of(fd)->ino, size, 0, NULL, NULL, 0);
	return done;
}
int ftruncate(int fd, off_t size) { return truncate_any(fd, size); }
int ftruncate64(int fd, off_t size) { return truncate_any(fd, size); }

int fallocate(int fd, int mode, off_t at, off_t len)
{
	REAL(fallocate);
	if (fd_fails(K_ALLOCATE, "fallocate", fd))
		return -1;
	if (of(fd) && mode != 0)
		abort(); /* disk.py knows only mode 0 */
	int done = real(fd, mode, at, len);
	if (done == 0 && of(fd))
		put(ALLOCATE, of(fd)->ino, at, len, NULL, NULL, 0);
	return done;
}

static int posix_fallocate_any(int fd, off_t at, off_t len)
{
	REAL(posix_fallocate);
	if (fd_fails(K_ALLOCATE, "posix_fallocate", fd))
		return errno;
	int err = real(fd, at, len);
	if (err == 0 && of(fd))
		put(ALLOCATE, of(fd)->ino, at, len, NULL, NULL, 0);
	return err;
}
int posix_fallocate(int fd, off_t at, off_t len) { return posix_fallocate_any(fd, at, len); }
int posix_fallocate64(int fd, off_t at, off_t len) { return posix_fallocate_any(fd, at, len); }

static void *map_any(void *at, size_t len, int protection, int flags, int fd, off_t from)
{
	REAL(mmap);
	struct seen *s = of(fd);
	if (s && fails(K_MAP, "mmap", s->path))
		return MAP_FAILED;
	if (s && (protection & PROT_WRITE) && (flags & MAP_SHARED))
		put(MAP, s->ino, 0, 0, NULL, NULL, 0);
	return real(at, len, protection, flags, fd, from);
}
void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t from)
{
	return map_any(at, len, protection, flags, fd, from);
}
void *mmap64(void *at, size_t len, int protection, int flags, int fd, off_t from)
{
	return map_any(at, len, protection, flags, fd, from);
}

/* ---- syncs: only written down, for disk.py decides what they are worth ------------------------- */

static int sync_any(int fd, const char *call, int (*real)(int))
{
	struct seen *s = of(fd);
	if (!s)
		return real(fd);
	int64_t number = (int64_t)getpid() << 32 | atomic_fetch_add(&syncs, 1);
	put(SYNC_BEGIN, s->ino, number, 0, s->directory ? s->path : NULL, NULL, 0);
	int done = fails(K_SYNC, call, s->path) ? -1 : log_fd >= 0 ? 0 : real(fd);
	int err = done == 0 ? 0 : errno;
	put(SYNC_END, s->ino, number, err, NULL, s->path, strlen(s->path));
	errno = err;
	return done;
}

int fsync(int fd)
{
	REAL(fsync);
	return sync_any(fd, "fsync", real);
}
int fdatasync(int fd)
{
	REAL(fdatasync);
	return sync_any(fd, "fdatasync", real);
}

/* ---- names ------------------------------------------------------------------------------------ */

int mkdirat(int dir, const char *path, mode_t mode)
{
	char rel[PATH_MAX];
	REAL(mkdirat);
	bool ours = below(dir, path, rel);
	if (ours && fails(K_CREATE, "mkdir", rel))
		return -1;
	int done = real(dir, path, mode);
	if (done == 0 && ours)
		put(MKDIR, 0, 0, 0, rel, NULL, 0);
	return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

static uint64_t ino_of(int dir, const char *path, int flags)
{
	struct stat st;
	REAL(fstatat);
	int follow = flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW;
	return real(dir, path, &st, follow) == 0 ? st.st_ino : 0;
}

int linkat(int from, const char *path, int to, const char *name, int flags)
{
	char rel[PATH_MAX];
	REAL(linkat);
	bool ours = below(to, name, rel);
	if (ours && fails(K_LINK, "linkat", rel))
		return -1;
	uint64_t ino = ours ? ino_of(from, path, flags) : 0;
	int done = real(from, path, to, name, flags);
	if (done == 0 && ours)
		put(LINK, ino, 0, 0, rel, NULL, 0);
	return done;
}

int renameat(int from, const char *path, int to, const char *name)
{
	char old[PATH_MAX], new[PATH_MAX];
	REAL(renameat);
	bool ours = below(from, path, old) && below(to, name, new);
	if (ours && fails(K_RENAME, "renameat", new))
		return -1;
	int done = real(from, path, to, name);
	if (done == 0 && ours)
		put(RENAME, 0, 0, 0, old, new, strlen(new));
	return done;
}

int unlinkat(int dir, const char *path, int flags)
{
	char rel[PATH_MAX];
	REAL(unlinkat);
	bool ours = below(dir, path, rel);
	if (ours && fails(K_UNLINK, "unlink", rel))
		return -1;
	int done = real(dir, path, flags);
	if (done == 0 && ours)
		put(UNLINK, 0, 0, 0, rel, NULL, 0);
	return done;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

/* ---- the calendar ----------------------------------------------------------------------------- */

int clock_gettime(clockid_t which, struct timespec *now)
{
	REAL(clock_gettime);
	int done = real(which, now);
	if (done == 0 && control && which == CLOCK_REALTIME)
		now->tv_sec += atomic_load(&control->clock);
	return done;
}

time_t time(time_t *to)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (to)
		*to = now.tv_sec;
	return now.tv_sec;
}

/* ---- reading, looking, locking: never written down, but they can fail -------------------------- */

ssize_t read(int fd, void *to, size_t len)
{
	REAL(read);
	return fd_fails(K_READ, "read", fd) ? -1 : real(fd, to, len);
}
ssize_t pread(int fd, void *to, size_t len, off_t at)
{
	REAL(pread);
	return fd_fails(K_READ, "pread", fd) ? -1 : real(fd, to, len, at);
}
ssize_t pread64(int fd, void *to, size_t len, off_t at)
{
	REAL(pread);
	return fd_fails(K_READ, "pread", fd) ? -1 : real(fd, to, len, at);
}
int fstat(int fd, struct stat *st)
{
	REAL(fstat);
	return fd_fails(K_STAT, "fstat", fd) ? -1 : real(fd, st);
}
int fstat64(int fd, struct stat64 *st)
{
	REAL(fstat64);
	return fd_fails(K_STAT, "fstat", fd) ? -1 : real(fd, st);
}
int fstatvfs(int fd, struct statvfs *st)
{
	REAL(fstatvfs);
	return fd_fails(K_STAT, "fstatvfs", fd) ? -1 : real(fd, st);
}

static int control_any(int fd, int command, void *argument)
{
	REAL(fcntl);
	bool lock = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
	    command == F_OFD_SETLKW;
	short type = lock ? ((struct flock *)argument)->l_type : F_UNLCK;
	if (lock && type != F_UNLCK && fd_fails(K_LOCK, "fcntl", fd))
		return -1;
	int done = real(fd, command, argument);
	if (done >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC) && of(fd))
		remember(done, of(fd)->path);
	return done;
}
int fcntl(int fd, int command, ...)
{
	va_list args;
	va_start(args, command);
	void *argument = va_arg(args, void *);
	va_end(args);
	return control_any(fd, command, argument);
}
int fcntl64(int fd, int command, ...)
{
	va_list args;
	va_start(args, command);
	void *argument = va_arg(args, void *);
	va_end(args);
	return control_any(fd, command, argument);
}
