/*
 * shim_looks.c: what only looks, and what it is shown.
 */
#include "shim.h"

#include <stdarg.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>

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
int fstatvfs64(int fd, struct statvfs64 *st)
{
	REAL(fstatvfs64);
	return fd_fails(K_STAT, "fstatvfs", fd) ? -1 : real(fd, st);
}
static int statfs_any(int fd, struct statfs *st)
{
	REAL(fstatfs);
	if (fd_fails(K_STAT, "fstatfs", fd))
		return -1;
	int done = real(fd, st);
	const char *kind = getenv("FAULTS_STATFS");
	if (done == 0 && kind && of(fd))
		st->f_type = (__typeof__(st->f_type))strtol(kind, NULL, 16);
	return done;
}
int fstatfs(int fd, struct statfs *st) { return statfs_any(fd, st); }
int fstatfs64(int fd, struct statfs64 *st) { return statfs_any(fd, (struct statfs *)st); }

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

const char *pretended(const char *path)
{
	const char *boot = getenv("FAULTS_BOOT");
	return boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot : path;
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
