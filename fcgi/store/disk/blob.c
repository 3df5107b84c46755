/*
 * blob.c: bytes on disk.
 *
 * A blob has no name until it is linked into objects/, so that whatever kills the process leaves
 * nothing behind. Where a sync may not save what has no name (volume.c) it is partial/tmp-<random>,
 * held under an open file description lock: a lock that nobody holds marks what a dead process left.
 */
#include "shared/text.h"
#include "store/disk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FLUSH_STEP = 8 << 20, /* bytes after which write-back is started */
	NAME_TRIES = 16,
	FILE_MODE = 0640
};

static void blob_reset(const struct store *store, struct blob *blob)
{
	memset(blob, 0, sizeof *blob);
	blob->fd = -1;
	blob->durable = store_syncs(store);
	digest_start(&blob->digest, DIGEST_SHA256);
}

/* Take the lock that says somebody alive is at it. LOCKED: somebody else is. */
static enum fault hold(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return FAULT_NONE;
	return errno == EAGAIN || errno == EACCES ? FAULT_LOCKED : fault_of_errno(errno);
}

/* A sweep may have come first, and unlinked it. */
static enum fault still_named(int fd, struct refusal *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return disk_fault(why, "fstat");
	return st.st_nlink > 0 ? FAULT_NONE : refuse(why, FAULT_NOT_FOUND, NULL);
}

/* Held before anybody can find it by its name. Where the file system cannot do that: -1. */
static int make_quietly(const struct store *store, const char *name)
{
	int fd = openat(store->partial, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);

	if (fd >= 0 && !hold(fd) && link_descriptor(fd, store->partial, name))
		return fd;
	descriptor_close(fd);
	return -1;
}

/* Make partial/<name>, held. Where it is made first and then locked, a sweep may come in between,
 * and unlink it as abandoned: EAGAIN, try again. */
static bool make_held(const struct store *store, struct blob *blob)
{
	if (store->by_descriptor)
		blob->fd = make_quietly(store, blob->name);
	if (blob->fd >= 0)
		return true;
	blob->fd =
	    openat(store->partial, blob->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (blob->fd < 0)
		return false;
	if (!hold(blob->fd) && !still_named(blob->fd, NULL))
		return true;
	close(blob->fd);
	blob->fd = -1;
	errno = EAGAIN;
	return false;
}

/* The name is nobody else's: if it is there, a sweep is about to unlink it. */
static enum fault create_named(const struct store *store, struct blob *blob, struct refusal *why)
{
	const struct timespec moment = {.tv_nsec = 1000000};

	for (int tries = 0; tries < NAME_TRIES; tries++) {
		if (make_held(store, blob))
			return FAULT_NONE;
		if (errno != EAGAIN && errno != EEXIST)
			break;
		nanosleep(&moment, NULL);
	}
	return disk_fault(why, "partial file");
}

static enum fault create_temporary(
    const struct store *store, struct blob *blob, struct refusal *why)
{
	uint8_t random[16];
	char hex[2 * sizeof random + 1];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return disk_fault(why, "getrandom");
	text_hex(random, sizeof random, hex);
	snprintf(blob->name, sizeof blob->name, "tmp-%s", hex);
	return create_named(store, blob, why);
}

enum fault blob_create(const struct store *store, struct blob *blob, struct refusal *why)
{
	blob_reset(store, blob);
	if (!store->unnamed)
		return create_temporary(store, blob, why);
	blob->fd = openat(store->objects, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, FILE_MODE);
	return blob->fd < 0 ? disk_fault(why, "unnamed file") : FAULT_NONE;
}

bool blob_can_adopt(const struct store *store, int fd)
{
	struct stat file, objects;

	return store->by_descriptor && fstat(fd, &file) == 0 &&
	       fstat(store->objects, &objects) == 0 && file.st_dev == objects.st_dev;
}

enum fault blob_adopt(const struct store *store, struct blob *blob, int fd, struct refusal *why)
{
	blob_reset(store, blob);
	blob->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (blob->fd < 0 || fchmod(blob->fd, FILE_MODE) != 0)
		return disk_fault(why, "file handed over");
	return FAULT_NONE;
}

enum fault blob_absorb(
    struct blob *blob, char *buffer, size_t room, size_t *got, struct refusal *why)
{
	ssize_t n = TEMP_FAILURE_RETRY(pread(blob->fd, buffer, room, blob->size));

	if (n < 0)
		return disk_fault(why, "read file handed over");
	*got = (size_t)n;
	digest_add(&blob->digest, buffer, *got);
	blob->size += n;
	return FAULT_NONE;
}

bool blob_is_called(const struct store *store, int fd, const char *name)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 &&
	       fstatat(store->partial, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == named.st_ino;
}

int blob_seize(const struct store *store, const char *name)
{
	int fd = openat(store->partial, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	enum fault f = fd < 0 ? FAULT_NONE : hold(fd);

	if (fd < 0 || (!f && blob_is_called(store, fd, name)))
		return fd;
	close(fd);
	errno = !f ? ENOENT : EAGAIN;
	return -1;
}

/* FAULT_NONE: it is there, and ours. */
static enum fault open_held(const struct store *store, struct blob *blob, struct refusal *why)
{
	blob->fd = openat(store->partial, blob->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (blob->fd < 0 && errno == ENOENT)
		return refuse(why, FAULT_NOT_FOUND, NULL);
	if (blob->fd < 0)
		return disk_fault(why, "partial file");
	enum fault f = hold(blob->fd);
	return !f ? still_named(blob->fd, why) : refuse(why, f, NULL);
}

enum fault blob_create_named(
    const struct store *store, struct blob *blob, const char *name, struct refusal *why)
{
	blob_reset(store, blob);
	span_copy(blob->name, sizeof blob->name, span_of(name));
	enum fault f = create_named(store, blob, why);
	if (f || !store_syncs(store) || fsync(store->partial) == 0)
		return f;
	f = disk_fault(why, "fsync partial");
	blob_leave(store, blob, false);
	return f;
}

enum fault blob_open_named(const struct store *store, struct blob *blob, const char *name,
    int64_t size, const struct digest *digest, struct refusal *why)
{
	blob_reset(store, blob);
	span_copy(blob->name, sizeof blob->name, span_of(name));
	enum fault f = open_held(store, blob, why);
	if (!f)
		f = blob_cut(blob, size, digest, why);
	if (f)
		blob_leave(store, blob, true);
	return f;
}

/* The size stays as it is: one that reaches the disk before the bytes would make zeros of them. */
enum fault blob_allocate(struct blob *blob, int64_t bytes, struct refusal *why)
{
	if (TEMP_FAILURE_RETRY(fallocate(blob->fd, FALLOC_FL_KEEP_SIZE, 0, bytes)) == 0) {
		blob->allocated = bytes;
		return FAULT_NONE;
	}
	/* Anything but a full disk only means that this file system cannot promise. */
	if (errno == ENOSPC || errno == EDQUOT)
		return disk_fault(why, "fallocate");
	return FAULT_NONE;
}

/* Start writing back what has come, so that the last byte is not followed by a long sync. */
static void flush_early(struct blob *blob)
{
	if (!blob->durable || blob->size - blob->flushed < FLUSH_STEP)
		return;
	sync_file_range(blob->fd, blob->flushed, blob->size - blob->flushed, SYNC_FILE_RANGE_WRITE);
	blob->flushed = blob->size;
}

enum fault blob_write(struct blob *blob, const void *bytes, size_t len, struct refusal *why)
{
	const char *at = bytes;

	blob->synced = false;
	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(pwrite(blob->fd, at, len, blob->size));
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return disk_fault(why, "write");
		/* Digested as far as written: an upload can rest where the disk filled up. */
		digest_add(&blob->digest, at, (size_t)n);
		at += n;
		len -= (size_t)n;
		blob->size += n;
	}
	flush_early(blob);
	return FAULT_NONE;
}

static enum fault truncate_to(struct blob *blob, int64_t size, struct refusal *why)
{
	blob->synced = false;
	if (TEMP_FAILURE_RETRY(ftruncate(blob->fd, size)) != 0)
		return disk_fault(why, "ftruncate");
	return FAULT_NONE;
}

enum fault blob_cut(
    struct blob *blob, int64_t size, const struct digest *digest, struct refusal *why)
{
	struct stat st;

	if (fstat(blob->fd, &st) != 0)
		return disk_fault(why, "fstat");
	if (st.st_size < size)
		return refuse(why, FAULT_NOT_FOUND, NULL);
	/* What is beyond stays as set aside, to be written over, and goes with blob_end(). */
	blob->size = size;
	blob->allocated = st.st_size;
	blob->flushed = size;
	blob->digest = *digest;
	blob->synced = false;
	return FAULT_NONE;
}

enum fault blob_end(struct blob *blob, uint8_t sha256[SHA256_LEN], struct refusal *why)
{
	struct digest last = blob->digest; /* a paused upload goes on from its own copy */

	digest_end(&last, sha256);
	if (blob->allocated <= blob->size)
		return FAULT_NONE;
	enum fault f = truncate_to(blob, blob->size, why);
	if (!f)
		blob->allocated = blob->size;
	return f;
}

enum fault blob_sync(struct blob *blob, struct refusal *why)
{
	if (blob->synced)
		return FAULT_NONE;
	if (blob->spoiled)
		return refuse(why, FAULT_INTERNAL, NULL);
	enum fault f = disk_sync(blob->fd, why);
	blob->synced = !f;
	/* Asked again, the kernel would say yes: it has marked the lost pages clean. */
	blob->spoiled = f;
	return f;
}

void blob_leave(const struct store *store, struct blob *blob, bool rest)
{
	if (blob->fd < 0)
		return;
	/* Unlinked while the lock is held: nobody else can have taken it for abandoned. */
	if (blob->name[0] != '\0' && !rest)
		unlinkat(store->partial, blob->name, 0);
	close(blob->fd);
	blob->fd = -1;
	blob->name[0] = '\0';
}

void blob_discard(const struct store *store, const char *name)
{
	unlinkat(store->partial, name, 0);
}

bool blob_is_there(const struct store *store, const char *name, int64_t size)
{
	struct stat st;

	return fstatat(store->partial, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size >= size;
}

/* With a second name its bytes may count after all: a COMMIT whose sync has failed linked it, and a
 * crash may yet bring that back. */
void blob_empty(const struct blob *blob)
{
	struct stat st;

	if (fstat(blob->fd, &st) == 0 && st.st_nlink == 1 && ftruncate(blob->fd, 0) != 0)
		disk_fault(NULL, "ftruncate partial");
}

/* With its lock held: whoever wants it next finds it gone. */
void blob_unseize(const struct store *store, int fd, const char *name, bool remove, int64_t *freed)
{
	struct stat st;

	if (fd < 0)
		return;
	if (remove && fstat(fd, &st) == 0)
		*freed += st.st_blocks * 512;
	if (remove && unlinkat(store->partial, name, 0) != 0 && errno != ENOENT)
		disk_fault(NULL, "unlink partial");
	close(fd);
}
