/*
 * shim_bytes.c: what changes bytes, and what is to save them.
 */
#include "shim.h"

#include <sys/mman.h>
#include <sys/uio.h>

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

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	REAL(writev);
	if (of(fd))
		abort(); /* only sockets and logs are written to like this */
	return real(fd, parts, count);
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

static int allocate_any(int fd, int mode, off_t at, off_t len)
{
	REAL(fallocate);
	if (fd_fails(K_ALLOCATE, "fallocate", fd))
		return -1;
	if (of(fd) && mode != 0 && mode != FALLOC_FL_KEEP_SIZE)
		abort(); /* disk.py knows no other */
	int done = real(fd, mode, at, len);
	if (done == 0 && of(fd) && mode == 0)
		put(ALLOCATE, of(fd)->ino, at, len, NULL, NULL, 0);
	return done;
}
int fallocate(int fd, int mode, off_t at, off_t len) { return allocate_any(fd, mode, at, len); }
int fallocate64(int fd, int mode, off_t at, off_t len) { return allocate_any(fd, mode, at, len); }

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

static _Atomic int64_t syncs;

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
