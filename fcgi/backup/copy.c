/*
 * copy.c: objects from one directory into another.
 *
 * Three ways, tried in this order: a clone, which shares blocks but not their fate (FICLONE: btrfs,
 * XFS); a hard link, where that is good enough; a copy. Whichever it was, the bytes that will stand
 * there are hashed before they get their name.
 *
 * Syncing one small file after the other takes a journal's commit for each. So write-back is
 * started for a batch, then each is synced (the first sync carries the others along), then all get
 * their names.
 */
#include "backup/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0640, TMP_NAME = sizeof(struct object_name) + 4 };

static void tmp_name(const char *name, char tmp[TMP_NAME])
{
	snprintf(tmp, TMP_NAME, "tmp-%s", name);
}

const char *copied_word(enum copied how)
{
	static const char *const words[] = {[COPY_MISSING] = "missing",
	    [COPY_UNREADABLE] = "unreadable",
	    [COPY_WRONG_HASH] = "wrong-hash"};

	return words[how];
}

/* ---- reading --------------------------------------------------------------------------------- */

bool write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, bytes, len));
		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* From its beginning, hashed, and written to `to` unless that is -1. *how: what came of reading. */
static enum fault pour(struct copying *c, int from, int to, const uint8_t *sha256, enum copied *how,
    struct refusal *why)
{
	struct digest digest;
	uint8_t found[SHA256_LEN];
	ssize_t n;

	digest_start(&digest, DIGEST_SHA256);
	while ((n = TEMP_FAILURE_RETRY(read(from, c->buffer, COPY_BUFFER))) > 0) {
		digest_add(&digest, c->buffer, (size_t)n);
		if (to >= 0 && !write_all(to, c->buffer, (size_t)n))
			return disk_fault(why, "write copy");
	}
	digest_end(&digest, found);
	*how = n < 0					? COPY_UNREADABLE
	       : memcmp(found, sha256, SHA256_LEN) != 0 ? COPY_WRONG_HASH
							: COPY_FRESH;
	return FAULT_NONE;
}

/* A regular file, or -1 and what is wrong with it. */
static int open_object(int dir, const char *name, enum copied *how)
{
	int fd = object_file(dir, name);

	*how = fd < 0 && errno == ENOENT ? COPY_MISSING : COPY_UNREADABLE;
	return fd;
}

/* What has its name was whole when it got it; whether it still is, only reading tells. */
static enum fault look(struct copying *c, const char *name, const uint8_t *sha256, int64_t size,
    enum copied *there, struct refusal *why)
{
	struct stat st;

	*there = COPY_MISSING;
	if (fstatat(c->to, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? FAULT_NONE : disk_fault(why, "look at copy");
	*there = COPY_THERE;
	if (S_ISREG(st.st_mode) && st.st_size == size && !c->read_again)
		return FAULT_NONE;
	int fd = open_object(c->to, name, there);
	if (fd < 0)
		return FAULT_NONE;
	enum fault f = pour(c, fd, -1, sha256, there, why);
	close(fd);
	if (*there == COPY_FRESH)
		*there = COPY_THERE;
	return f;
}

/* ---- three ways ------------------------------------------------------------------------------ */

static int create(struct copying *c, const char *tmp)
{
	int fd = openat(c->to, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

	if (fd < 0 || give_to_owner(fd, c->to))
		return fd;
	int err = errno;
	close(fd);
	unlinkat(c->to, tmp, 0);
	errno = err;
	return -1;
}

static int try_clone(struct copying *c, int source, const char *tmp)
{
	int fd = c->no_clone ? -1 : create(c, tmp);

	if (fd < 0 || ioctl(fd, FICLONE, source) == 0)
		return fd;
	/* Where one cannot be cloned, none can; but for a full disk, which copying then meets. */
	c->no_clone = true;
	close(fd);
	unlinkat(c->to, tmp, 0);
	return -1;
}

/* The very file that is open, whatever stands under its name by now. */
static int try_link(struct copying *c, int source, const char *tmp)
{
	if (!c->may_link || c->no_link)
		return -1;
	if (link_descriptor(source, c->to, tmp))
		return fcntl(source, F_DUPFD_CLOEXEC, 0);
	c->no_link = errno == EXDEV;
	return -1;
}

/* *fd: the new file as `tmp`; -1 where its bytes are not what they should be. (Seven parameters: two
 * results, and the names of one object that its caller has made.) */
static enum fault bring(struct copying *c, int source, const char *tmp, const uint8_t *sha256,
    int *fd, enum copied *how, struct refusal *why)
{
	*fd = try_clone(c, source, tmp);
	if (*fd < 0)
		*fd = try_link(c, source, tmp);
	bool shares = *fd >= 0;
	if (!shares)
		*fd = create(c, tmp);
	if (*fd < 0)
		return disk_fault(why, "create copy");
	enum fault f = pour(c, shares ? *fd : source, shares ? -1 : *fd, sha256, how, why);
	if (!f && *how == COPY_FRESH)
		return FAULT_NONE;
	close(*fd);
	*fd = -1;
	unlinkat(c->to, tmp, 0);
	return f;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* Close all; what still has its first name goes. */
static void drop_batch(struct copying *c)
{
	char tmp[TMP_NAME];

	for (size_t i = 0; i < c->count; i++) {
		tmp_name(c->batch[i].name.hex, tmp);
		unlinkat(c->to, tmp, 0);
		close(c->batch[i].fd);
	}
	c->count = 0;
}

static enum fault name_batch(struct copying *c, struct refusal *why)
{
	char tmp[TMP_NAME];
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < c->count && !f; i++)
		f = disk_sync(c->batch[i].fd, why);
	for (size_t i = 0; i < c->count && !f; i++) {
		const char *name = c->batch[i].name.hex;
		tmp_name(name, tmp);
		if (renameat(c->to, tmp, c->to, name) != 0)
			f = disk_fault(why, "name copy");
	}
	if (!f)
		drop_batch(c);
	return f;
}

static enum fault add(
    struct copying *c, int fd, const struct object_name *name, struct refusal *why)
{
	c->batch[c->count++] = (struct fresh){fd, *name};
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	return c->count < COPY_BATCH ? FAULT_NONE : name_batch(c, why);
}

/* ---- one, and all ---------------------------------------------------------------------------- */

enum fault copy_object(struct copying *c, const uint8_t sha256[SHA256_LEN], int64_t size,
    enum copied *how, struct refusal *why)
{
	struct object_name name = object_name(sha256);
	char tmp[TMP_NAME];
	enum copied there;
	int fd;

	tmp_name(name.hex, tmp);
	enum fault f = look(c, name.hex, sha256, size, &there, why);
	*how = there;
	if (f || there == COPY_THERE)
		return f;
	int source = open_object(c->from, name.hex, how);
	if (source < 0)
		return errno == EMFILE || errno == ENFILE ? disk_fault(why, "open object")
							  : FAULT_NONE;
	f = bring(c, source, tmp, sha256, &fd, how, why);
	close(source);
	if (f || fd < 0)
		return f;
	if (there != COPY_MISSING)
		*how = COPY_REPLACED;
	return add(c, fd, &name, why);
}

static enum fault remove_leftovers(const struct copying *c, struct refusal *why)
{
	struct dirent *entry;
	DIR *dir;
	enum fault f = disk_entries(c->to, "objects", &dir, why);

	if (f)
		return f;
	while (!f && (entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, "tmp-", 4) == 0 &&
		    unlinkat(c->to, entry->d_name, 0) != 0 && errno != ENOENT)
			f = disk_fault(why, "remove what was left");
	closedir(dir);
	return f;
}

enum fault copy_all(struct copying *c, struct snapshot *snapshot, snapshot_visitor *each,
    void *self, struct refusal *why)
{
	c->buffer = malloc(COPY_BUFFER);
	if (c->buffer == NULL)
		return refuse(why, FAULT_INTERNAL, "Out of memory.");
	enum fault f = remove_leftovers(c, why);
	if (!f)
		f = snapshot_objects(snapshot, each, self, why);
	if (!f)
		f = name_batch(c, why);
	if (!f && fsync(c->to) != 0)
		f = disk_fault(why, "sync objects");
	drop_batch(c);
	free(c->buffer);
	return f;
}

enum fault objects_keep_only(int objects, struct snapshot *s, int64_t *removed, struct refusal *why)
{
	uint8_t sha256[SHA256_LEN];
	struct dirent *entry;
	DIR *dir;
	enum fault f = disk_entries(objects, "objects", &dir, why);

	if (f)
		return f;
	while ((entry = readdir(dir)) != NULL) {
		if (!object_named(entry->d_name, sha256) || snapshot_knows(s, sha256))
			continue;
		if (unlinkat(objects, entry->d_name, 0) == 0)
			*removed += 1;
		else if (errno != ENOENT)
			f = cannot_do(why, "remove", entry->d_name);
	}
	closedir(dir);
	return f;
}
