/*
 * object.c: content on disk, opened and looked at.
 */
#include "shared/log.h"
#include "store/disk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t in_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct mark mark_from(const struct stat *st)
{
	return (struct mark){.there = true,
	    .dev = st->st_dev,
	    .ino = st->st_ino,
	    .size = st->st_size,
	    .written = in_ns(&st->st_mtim),
	    .changed = in_ns(&st->st_ctim)};
}

void object_mark(const struct store *store, const uint8_t sha256[SHA256_LEN], struct mark *mark)
{
	struct stat st;
	bool there =
	    fstatat(store->objects, object_name(sha256).hex, &st, AT_SYMLINK_NOFOLLOW) == 0;

	*mark = there ? mark_from(&st) : (struct mark){0};
}

enum fault mark_of(int fd, struct mark *mark, struct refusal *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return disk_fault(why, "fstat");
	*mark = mark_from(&st);
	return FAULT_NONE;
}

bool mark_same(const struct mark *a, const struct mark *b)
{
	return a->there == b->there && a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->written == b->written;
}

enum fault object_damaged(const uint8_t sha256[SHA256_LEN], const char *reason, struct refusal *why)
{
	log_line(LOG_ERROR, "damaged object", "sha256=%s reason=\"%s\"", object_name(sha256).hex,
	    reason);
	return refuse(why, FAULT_INTERNAL, NULL);
}

enum fault object_open(const struct store *store, const uint8_t sha256[SHA256_LEN], int64_t size,
    int *fd, struct refusal *why)
{
	struct stat st;

	*fd = openat(store->objects, object_name(sha256).hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0 && errno == ENOENT) /* removed since the record was read */
		return refuse(why, FAULT_NOT_FOUND, NULL);
	if (*fd < 0)
		return disk_fault(why, "open object");
	enum fault f = fstat(*fd, &st) != 0 ? disk_fault(why, "fstat")
		       : st.st_size != size ? object_damaged(sha256, "another size", why)
					    : FAULT_NONE;
	if (!f)
		return f;
	close(*fd);
	*fd = -1;
	return f;
}

int object_file(int objects, const char *name)
{
	int fd = openat(objects, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		return fd;
	}
	close(fd);
	errno = EISDIR;
	return -1;
}

int object_reach(const struct store *store, const uint8_t sha256[SHA256_LEN])
{
	return object_file(store->objects, object_name(sha256).hex);
}

enum fault object_put_aside(
    const struct store *store, const uint8_t sha256[SHA256_LEN], struct refusal *why)
{
	struct object_name name = object_name(sha256);
	char aside[sizeof name + 8];

	snprintf(aside, sizeof aside, "%s.damaged", name.hex);
	if (renameat(store->objects, name.hex, store->objects, aside) != 0)
		return disk_fault(why, "put aside");
	return FAULT_NONE;
}

bool object_sync(const struct store *store, int fd)
{
	return fdatasync(fd) == 0 && fsync(store->objects) == 0;
}
