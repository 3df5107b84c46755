/*
 * shim_files.c: opening, closing, and names.
 */
#include "shim.h"

#include <dirent.h>
#include <stdarg.h>

/* ---- opening and closing ---------------------------------------------------------------------- */

static int open_any(int dir, const char *path, int flags, mode_t mode)
{
	char rel[PATH_MAX];
	REAL(openat);
	if (!below(dir, path, rel))
		return real(dir, pretended(path), flags, mode);
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
