/*
 * link.c: bytes become content: objects/<sha256>.
 */
#include "shared/log.h"
#include "store/disk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool link_as(
    const struct store *store, const struct blob *blob, int directory, const char *name)
{
	if (blob->name[0] == '\0')
		return link_descriptor(blob->fd, directory, name);
	return linkat(store->partial, blob->name, directory, name, 0) == 0;
}

/* Another name of this very file, from an attempt that failed: rename(2) would do nothing. */
static bool is_ours(const struct blob *blob, const struct stat *there)
{
	struct stat ours;

	return fstat(blob->fd, &ours) == 0 && ours.st_ino == there->st_ino &&
	       ours.st_dev == there->st_dev;
}

/* A sweep takes what is in partial/ and not locked for abandoned. A named blob is locked already,
 * and one that was handed over may be open for reading only. */
static bool pin(const struct blob *blob)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return blob->name[0] != '\0' || fcntl(blob->fd, F_OFD_SETLK, &lock) == 0;
}

/* Our bytes in the place of what is there, without a moment in which the name is missing. */
static enum fault replace(
    const struct store *store, struct blob *blob, const char *name, struct refusal *why)
{
	char fresh[BLOB_NAME];

	snprintf(fresh, sizeof fresh, "tmp-%.32s", name);
	unlinkat(store->partial, fresh, 0);
	if (!pin(blob) || !link_as(store, blob, store->partial, fresh) ||
	    renameat(store->partial, fresh, store->objects, name) != 0)
		return disk_fault(why, "replace object"); /* a sweep removes what is left */
	return FAULT_NONE;
}

static enum fault put_in(const struct store *store, struct blob *blob, const char *name,
    const struct stat *there, enum link_result *result, struct refusal *why)
{
	if (there != NULL && !is_ours(blob, there)) {
		if (there->st_size != blob->size)
			log_line(LOG_WARN, "damaged object replaced", "sha256=%s", name);
		*result = LINK_REPLACED;
		return replace(store, blob, name, why);
	}
	if (there != NULL && unlinkat(store->objects, name, 0) != 0)
		return disk_fault(why, "unlink object");
	if (!link_as(store, blob, store->objects, name))
		return disk_fault(why, "link object");
	*result = LINK_MADE;
	return FAULT_NONE;
}

/*
 * Why this is safe. objects/ changes only under the catalog's write lock (BEGIN IMMEDIATE), by this
 * function and by the unlinking after a COMMIT, so nothing moves between the look and the link,
 * whatever other threads and processes do. An entry that is there already was linked
 *   - by a committed transaction: it has a row, which says whether its bytes were synced, and if
 *     not, since which start of the machine they can be relied on;
 *   - by one that failed or whose process died before COMMIT: an orphan without a row. (Never by
 *     one that is still under way: that would hold the lock.) Under durability=full its bytes were
 *     synced before it was linked, but nobody recorded that. Perhaps it failed because a sync
 *     did, and a sync that fails is never made good by a later one that does not: the kernel has
 *     marked the pages clean (fsyncgate).
 * So what is not known to be there is not trusted but replaced by our own bytes, under a new entry;
 * with durability=full they are synced before, and the caller syncs the directory once for the whole
 * batch before COMMIT.
 */
enum fault blob_link(const struct store *store, struct blob *blob, const uint8_t sha256[SHA256_LEN],
    const struct known *known, enum link_result *result, struct refusal *why)
{
	bool believed = store_syncs(store) ? known->durable
					   : store_believes(store, known->durable, known->boot);
	struct object_name name = object_name(sha256);
	struct stat st;

	*result = LINK_THERE;
	bool there = fstatat(store->objects, name.hex, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && S_ISREG(st.st_mode) && st.st_size == blob->size && believed)
		return FAULT_NONE;
	enum fault f = store_syncs(store) ? blob_sync(blob, why) : FAULT_NONE;
	return f ? f : put_in(store, blob, name.hex, there ? &st : NULL, result, why);
}

enum fault store_settle(const struct store *store, struct refusal *why)
{
	return store_syncs(store) ? store_sync(store, why) : FAULT_NONE;
}

enum fault store_sync(const struct store *store, struct refusal *why)
{
	return fsync(store->objects) == 0 ? FAULT_NONE : disk_fault(why, "fsync objects");
}

enum fault object_drop(
    const struct store *store, const uint8_t sha256[SHA256_LEN], struct refusal *why)
{
	if (unlinkat(store->objects, object_name(sha256).hex, 0) != 0 && errno != ENOENT)
		return disk_fault(why, "unlink object");
	return FAULT_NONE;
}
