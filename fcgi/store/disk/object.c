/*
 * object.c: content on disk, opened and looked at.
 */
#include "shared/log.h"
#include "store/disk/disk.h"

#include <errno.h>
#include <fcntl.h>
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
	char name[OBJECT_NAME];
	struct stat st;

	object_name(sha256, name);
	bool there = fstatat(store->objects, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
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
	char name[OBJECT_NAME];

	object_name(sha256, name);
	log_line(LOG_ERROR, "damaged object", "sha256=%s reason=\"%s\"", name, reason);
	return refuse(why, FAULT_INTERNAL, NULL);
}

enum fault object_open(const struct store *store, const uint8_t sha256[SHA256_LEN], int64_t size,
    int *fd, struct refusal *why)
{
	char name[OBJECT_NAME];
	struct stat st;

	object_name(sha256, name);
	*fd = openat(store->objects, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
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

bool object_sync(const struct store *store, int fd)
{
	return fdatasync(fd) == 0 && fsync(store->objects) == 0;
}
