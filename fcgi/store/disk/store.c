/*
 * store.c: data_dir is opened; its space.
 */
#include "shared/log.h"
#include "shared/text.h"
#include "store/disk/disk.h"
#include "store/holder.h"
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0750 };

static enum fault cannot(struct refusal *why, const char *verb, const char *path)
{
	const char *reason = strerrordesc_np(errno);
	const struct passwd *user = getpwuid(geteuid());

	return refuse(why, FAULT_INTERNAL,
	    "Cannot %s %s: %s. This runs as %s (user %u); check data_dir and who may write there.",
	    verb, path, reason, user ? user->pw_name : "a user without a name",
	    (unsigned)geteuid());
}

/* ---- directories ----------------------------------------------------------------------------- */

bool directory_path(int fd, char *path)
{
	char proc[32];

	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	ssize_t len = readlink(proc, path, PATH_MAX - 1);
	if (len >= 0)
		path[len] = '\0';
	return len >= 0;
}

enum fault check_private(int fd, const char *path, struct refusal *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return cannot(why, "look at", path);
	if ((st.st_mode & S_IWOTH) && (st.st_mode & S_ISVTX)) /* /tmp, and it has to be so */
		return refuse(why, FAULT_INTERNAL,
		    "Everybody on this machine can write to %s. Name a directory in it.", path);
	if (st.st_mode & S_IWOTH)
		return refuse(why, FAULT_INTERNAL,
		    "Everybody on this machine can write to %s. Say: chmod o-w %s", path, path);
	return FAULT_NONE;
}

/* Whoever may not read the directory above cannot have made this one there. */
bool sync_above(int dir)
{
	int above = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (above < 0)
		return errno == EACCES;
	bool synced = fsync(above) == 0;
	descriptor_close(above);
	return synced;
}

static enum fault open_directory(
    int at, const char *path, bool make, int flags, int *fd, struct refusal *why)
{
	if (make && mkdirat(at, path, DIRECTORY_MODE) != 0 && errno != EEXIST)
		return cannot(why, "create", path);
	*fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
	if (*fd < 0)
		return cannot(why, "open", path);
	return check_private(*fd, path, why);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Can files stay without a name until they are linked? It takes O_TMPFILE, a file system that saves
 * them all the same, and /proc. */
static void probe_unnamed(struct store *store, const char *path)
{
	int fd = openat(store->objects, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char quoted[1024];

	store->by_descriptor = access("/proc/self/fd", X_OK) == 0;
	store->unnamed = store->by_descriptor && fd >= 0 && volume_logs_unnamed(store->objects);
	descriptor_close(fd);
	if (!store->unnamed)
		log_line(LOG_INFO, "no unnamed files here, using partial/tmp-*", "data_dir=%s",
		    log_value(span_of(path), quoted, sizeof quoted));
}

/*
 * A catalog is worth as much as the entries on the way to it, and nobody else syncs the one of
 * data_dir itself. As long as there is no catalog, so that one that is there needs no second look.
 */
static enum fault sync_way(const struct store *store, const char *path, struct refusal *why)
{
	if (faccessat(store->dir, "waybill.db", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return FAULT_NONE;
	return sync_above(store->dir) && fsync(store->dir) == 0 ? FAULT_NONE
								: cannot(why, "sync", path);
}

enum fault store_restored(const struct store *store, struct refusal *why)
{
	if (faccessat(store->dir, RESTORING, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return FAULT_NONE;
	return refuse(why, FAULT_INTERNAL,
	    "A restore into %s has begun and not ended. Run `waybill restore` again, or empty it.",
	    store->config->data_dir);
}

static enum fault open_to_write(struct store *store, const char *path, struct refusal *why)
{
	enum fault f =
	    open_directory(store->dir, "partial", true, O_NOFOLLOW, &store->partial, why);

	if (!f)
		f = volume_is_one(store->dir, store->objects, path, "objects", why);
	if (!f)
		f = volume_is_one(store->dir, store->partial, path, "partial", why);
	if (f)
		return f;
	if (faccessat(store->dir, ".", W_OK | X_OK, 0) != 0)
		return cannot(why, "write to", path);
	f = sync_way(store, path, why);
	if (!f)
		probe_unnamed(store, path);
	return f;
}

static enum fault open_all(struct store *store, const char *path, struct refusal *why)
{
	enum fault f = open_directory(AT_FDCWD, path, store->write, 0, &store->dir, why);

	if (!f)
		f = store_restored(store, why);
	if (!f)
		f = open_directory(
		    store->dir, "objects", store->write, O_NOFOLLOW, &store->objects, why);
	return !f && store->write ? open_to_write(store, path, why) : f;
}

enum fault store_open(
    struct store **store, const struct config *config, bool write, struct refusal *why)
{
	struct store *new = calloc(1, sizeof *new);

	*store = new;
	if (new == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	*new = (struct store){.config = config,
	    .write = write,
	    .boot = volume_boot(),
	    .dir = -1,
	    .objects = -1,
	    .partial = -1};
	enum fault f = open_all(new, config->data_dir, why);
	if (!f)
		return f;
	store_close(new);
	*store = NULL;
	return f;
}

enum fault store_join(struct store *store, int schema, struct refusal *why)
{
	store->ledger = ledger_open(store->partial, "ledger", schema, why);
	if (store->ledger == NULL)
		return FAULT_INTERNAL;
	return holders_open(store) ? FAULT_NONE : cannot(why, "write to", "partial/wanted");
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	holders_close(store);
	ledger_close(store->ledger);
	descriptor_close(store->partial);
	descriptor_close(store->objects);
	descriptor_close(store->dir);
	free(store);
}

/* ---- asked ----------------------------------------------------------------------------------- */

int64_t store_free_bytes(const struct store *store)
{
	struct statvfs st;

	if (fstatvfs(store->dir, &st) != 0) {
		disk_fault(NULL, "statvfs");
		return -1;
	}
	int64_t free_bytes = (int64_t)(st.f_bavail * st.f_frsize) - store->config->min_free_bytes;
	return free_bytes > 0 ? free_bytes : 0;
}

bool store_is_writable(const struct store *store)
{
	return faccessat(store->objects, ".", W_OK | X_OK, 0) == 0 &&
	       faccessat(store->dir, ".", W_OK | X_OK, 0) == 0;
}

struct ledger *store_ledger(const struct store *store)
{
	return store->ledger;
}
