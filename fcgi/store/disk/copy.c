/*
 * copy.c: bytes that are on disk already: read again, or copied from one blob to another.
 */
#include "store/disk/disk.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum fault bytes_digest(int fd, int64_t at, int64_t end, struct digest *digest, struct refusal *why)
{
	char buffer[32 * 1024];

	while (at < end) {
		int64_t left = end - at;
		size_t len = left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer;
		ssize_t n = TEMP_FAILURE_RETRY(pread(fd, buffer, len, at));
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return disk_fault(why, "read back");
		digest_add(digest, buffer, (size_t)n);
		at += n;
	}
	return FAULT_NONE;
}

/* ---- joining --------------------------------------------------------------------------------- */

static enum fault append_bytes(
    struct blob *blob, int from, off_t *at, off_t *target, size_t len, struct refusal *why)
{
	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(copy_file_range(from, at, blob->fd, target, len, 0));
		if (n <= 0)
			return disk_fault(why, "copy_file_range");
		len -= (size_t)n;
	}
	return FAULT_NONE;
}

/* The kernel copies, or only shares, where the file system can; the digest reads what is in memory
 * by then. */
enum fault blob_append(
    struct blob *blob, const struct blob *from, int64_t *at, int64_t len, struct refusal *why)
{
	off_t source = *at, target = blob->size;
	enum fault f = append_bytes(blob, from->fd, &source, &target, (size_t)len, why);

	if (!f)
		f = bytes_digest(blob->fd, blob->size, target, &blob->digest, why);
	if (f)
		return f;
	*at = source;
	blob->size = target;
	blob->synced = false;
	return FAULT_NONE;
}

/* ---- a file of its own ----------------------------------------------------------------------- */

/* The bytes that count, as another file that is called partial/<name>, and held. */
static enum fault copy_as(const struct store *store, const struct blob *blob, const char *name,
    struct blob *copy, struct refusal *why)
{
	off_t from = 0, to = 0, size = blob->size;
	ssize_t n = 1;

	unlinkat(store->partial, name, 0);
	enum fault f = blob_create_named(store, copy, name, why);
	if (f)
		return f;
	while (to < size && n > 0)
		n = copy_file_range(blob->fd, &from, copy->fd, &to, (size_t)(size - to), 0);
	if (to == size && fdatasync(copy->fd) == 0)
		return FAULT_NONE;
	f = disk_fault(why, "copy partial file");
	blob_leave(store, copy, false);
	return f;
}

/*
 * A crash between the linking of an object and its COMMIT leaves an orphan in objects/ that is the
 * same file as ours. Before a byte changes here, ours becomes a file of its own: otherwise somebody
 * who uploads what the orphan's name says would be given what we write.
 */
enum fault blob_be_alone(const struct store *store, struct blob *blob, struct refusal *why)
{
	char name[BLOB_NAME];
	struct blob copy;
	struct stat st;

	if (fstat(blob->fd, &st) != 0)
		return disk_fault(why, "fstat");
	if (st.st_nlink == 1)
		return FAULT_NONE;
	snprintf(name, sizeof name, "tmp-%.32s", blob->name);
	enum fault f = copy_as(store, blob, name, &copy, why);
	if (f)
		return f;
	if (renameat(store->partial, name, store->partial, blob->name) != 0) {
		f = disk_fault(why, "rename partial file");
		blob_leave(store, &copy, false);
		return f;
	}
	close(blob->fd);
	blob->fd = copy.fd;
	if (!store_syncs(store) || fsync(store->partial) == 0)
		return FAULT_NONE;
	/* The new name is lost with a power cut, whatever a second sync says, and what is written
	 * under it with the name. */
	disk_fault(why, "fsync partial");
	return FAULT_GONE;
}
