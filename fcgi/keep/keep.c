/*
 * keep.c: an open data_dir and its health.
 */
#include "keep/inside.h"
#include "keep/ledger.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0750 };

enum fault keep_entries(int directory, const char *what, DIR **dir, struct refusal *why)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*dir = copy < 0 ? NULL : fdopendir(copy);
	if (*dir != NULL)
		return FAULT_NONE;
	enum fault f = disk_fault(why, what);
	if (copy >= 0)
		close(copy);
	return f;
}

enum fault keep_is_bare(const struct keep *keep, bool *empty, struct refusal *why)
{
	DIR *dir;
	struct dirent *entry;
	enum fault f = keep_entries(keep->objects, "objects", &dir, why);

	if (f != FAULT_NONE)
		return f;
	do
		entry = readdir(dir);
	while (entry != NULL && entry->d_name[0] == '.');
	closedir(dir);
	*empty = entry == NULL;
	return FAULT_NONE;
}

bool object_named(const char *name, uint8_t sha256[SHA256_LEN])
{
	return strlen(name) == 2 * SHA256_LEN && text_unhex(span_of(name), sha256, SHA256_LEN);
}

int64_t keep_deadline(int64_t now, int64_t lasts)
{
	return lasts == 0 || lasts > INT64_MAX - now ? 0 : now + lasts;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum fault cannot(struct refusal *why, const char *verb, const char *path)
{
	const char *reason = strerrordesc_np(errno);
	const struct passwd *user = getpwuid(geteuid());

	return refuse(why, FAULT_INTERNAL,
	    "Cannot %s %s: %s. This runs as %s (user %u); check data_dir and who may write there.",
	    verb, path, reason, user ? user->pw_name : "a user without a name",
	    (unsigned)geteuid());
}

/* What others can write, they can replace under our hands. */
static enum fault check_private(int fd, const char *path, struct refusal *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return cannot(why, "look at", path);
	if (st.st_mode & S_IWOTH)
		return refuse(why, FAULT_INTERNAL,
		    "Everybody on this machine can write to %s. Say: chmod o-w %s", path, path);
	return FAULT_NONE;
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

/* Can files stay without a name until they are linked? It takes O_TMPFILE, a file system that saves
 * them all the same, and /proc. */
static void probe_unnamed(struct keep *keep, const char *path)
{
	int fd = openat(keep->objects, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char quoted[1024];

	keep->by_descriptor = access("/proc/self/fd", X_OK) == 0;
	keep->unnamed = keep->by_descriptor && fd >= 0 && volume_logs_unnamed(keep->objects);
	if (fd >= 0)
		close(fd);
	if (!keep->unnamed)
		log_line(LOG_INFO, "no unnamed files here, using partial/tmp-*", "data_dir=%s",
		    log_value(span_of(path), quoted, sizeof quoted));
}

/*
 * A catalog is worth as much as the entries on the way to it, and nobody else syncs the one of
 * data_dir itself. As long as there is no catalog, so that one that is there needs no second look.
 */
static enum fault sync_way(const struct keep *keep, const char *path, struct refusal *why)
{
	if (faccessat(keep->dir, "waybill.db", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return FAULT_NONE;
	int above = openat(keep->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = (above < 0 && errno == EACCES) || (above >= 0 && fsync(above) == 0);
	synced = synced && fsync(keep->dir) == 0;
	enum fault f = synced ? FAULT_NONE : cannot(why, "sync", path);
	if (above >= 0)
		close(above);
	return f;
}

enum fault keep_restored(const struct keep *keep, struct refusal *why)
{
	if (faccessat(keep->dir, RESTORING, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return FAULT_NONE;
	return refuse(why, FAULT_INTERNAL,
	    "A restore into %s has begun and not ended. Run `waybill restore` again, or empty it.",
	    keep->config->data_dir);
}

static enum fault open_directories(struct keep *keep, const char *path, struct refusal *why)
{
	bool write = (keep->mode & KEEP_WRITE) != 0;
	enum fault f = open_directory(AT_FDCWD, path, write, 0, &keep->dir, why);

	if (f == FAULT_NONE)
		f = keep_restored(keep, why);
	if (f == FAULT_NONE)
		f = open_directory(keep->dir, "objects", write, O_NOFOLLOW, &keep->objects, why);
	if (f != FAULT_NONE || !write)
		return f;
	f = open_directory(keep->dir, "partial", true, O_NOFOLLOW, &keep->partial, why);
	if (f == FAULT_NONE)
		f = volume_is_one(keep->dir, keep->objects, path, "objects", why);
	if (f == FAULT_NONE)
		f = volume_is_one(keep->dir, keep->partial, path, "partial", why);
	if (f != FAULT_NONE)
		return f;
	if (faccessat(keep->dir, ".", W_OK | X_OK, 0) != 0)
		return cannot(why, "write to", path);
	f = sync_way(keep, path, why);
	if (f == FAULT_NONE)
		probe_unnamed(keep, path);
	return f;
}

/* SQLite is to follow no symbolic links, so it gets a path that has none. */
static enum fault open_catalog(struct keep *keep, struct refusal *why)
{
	char proc[32], dir[PATH_MAX];

	snprintf(proc, sizeof proc, "/proc/self/fd/%d", keep->dir);
	ssize_t len = readlink(proc, dir, sizeof dir - 1);
	if (len >= 0)
		dir[len] = '\0';
	else if (realpath(keep->config->data_dir, dir) == NULL)
		return cannot(why, "find", keep->config->data_dir);
	if (!catalog_open(&keep->catalog, keep, dir, why))
		return FAULT_INTERNAL;
	return FAULT_NONE;
}

static enum fault open_all(struct keep *keep, unsigned sniffers, struct refusal *why)
{
	enum fault f = open_directories(keep, keep->config->data_dir, why);

	if (f != FAULT_NONE)
		return f;
	/* The sniffers are forked off first, so that they inherit neither catalog nor ledger. */
	if (keep->mode & KEEP_SNIFF) {
		keep->sniffers = sniff_start(sniffers, why);
		if (keep->sniffers == NULL)
			return FAULT_INTERNAL;
	}
	if (keep->mode & KEEP_WRITE) {
		keep->ledger = ledger_open(keep->partial, "ledger", catalog_version(), why);
		if (keep->ledger == NULL)
			return FAULT_INTERNAL;
	}
	f = open_catalog(keep, why);
	if (f == FAULT_NONE)
		f = records_any_unproved(keep->catalog, keep->boot, &keep->unproved, why);
	if (f == FAULT_NONE && (keep->mode & KEEP_WRITE) && !holders_open(keep))
		return cannot(why, "write to", "partial/wanted");
	return f;
}

bool keep_open(struct keep **keep, const struct config *config, unsigned mode, unsigned sniffers,
    struct refusal *why)
{
	struct keep *k = calloc(1, sizeof *k);

	*keep = k;
	if (k == NULL)
		return refuse(why, FAULT_INTERNAL, NULL) == FAULT_NONE;
	*k = (struct keep){.config = config, .mode = mode, .dir = -1, .objects = -1, .partial = -1};
	pthread_mutex_init(&k->uses.lock, NULL);
	k->boot = volume_boot();
	/* SQLite makes its files as the mask lets it: nobody else's business. */
	umask(umask(077) | 027);
	if (open_all(k, sniffers, why) == FAULT_NONE)
		return true;
	keep_close(k);
	*keep = NULL;
	return false;
}

void keep_close(struct keep *keep)
{
	if (keep == NULL)
		return;
	holders_close(keep);
	catalog_close(keep->catalog);
	ledger_close(keep->ledger);
	sniff_stop(keep->sniffers);
	if (keep->partial >= 0)
		close(keep->partial);
	if (keep->objects >= 0)
		close(keep->objects);
	if (keep->dir >= 0)
		close(keep->dir);
	free(keep);
}

void keep_tend(struct keep *keep)
{
	tokens_tend(keep);
	catalog_tend(keep->catalog);
}

/* ---- health ---------------------------------------------------------------------------------- */

static void ill(struct health *health, const char *reason)
{
	if (health->ok)
		snprintf(health->reason, sizeof health->reason, "%s", reason);
	health->ok = false;
}

static void check_health(struct keep *keep, struct health *health)
{
	struct catalog_sums sums;

	if (catalog_sums(keep->catalog, (struct span){NULL, 0}, &sums, NULL) != FAULT_NONE)
		ill(health, "The catalog does not answer; the log says why.");
	health->files = sums.files;
	health->bytes = sums.bytes;
	health->reserved = sums.promised;
	if (keep->ledger != NULL)
		health->reserved += ledger_total(keep->ledger);
	health->free_bytes = keep_free_bytes(keep);
	if (health->free_bytes < 0)
		ill(health, "The file system of data_dir does not answer.");
	health->readable = health->ok;
	if (keep->mode & KEEP_WRITE && (faccessat(keep->objects, ".", W_OK | X_OK, 0) != 0 ||
					   faccessat(keep->dir, ".", W_OK | X_OK, 0) != 0))
		ill(health, "data_dir cannot be written to.");
	if (keep->mode & KEEP_WRITE && health->free_bytes == 0)
		ill(health, "The file system of data_dir is full, but for min_free_bytes.");
}

void keep_count(struct keep *keep, struct health *health)
{
	struct catalog_counts counts;

	health->sniffers = health->sniffer_deaths = 0;
	if (keep->sniffers != NULL)
		sniff_count(keep->sniffers, &health->sniffers, &health->sniffer_deaths);
	catalog_count(keep->catalog, &counts);
	health->commits = counts.commits;
	health->commit_batches = counts.batches;
	health->catalog_busy = counts.busy;
}

void keep_health(struct keep *keep, struct health *health)
{
	*health = (struct health){.ok = true};
	check_health(keep, health);
	keep_count(keep, health);
	if (keep->sniffers != NULL && health->sniffers == 0)
		ill(health, "No sniffer is alive: types cannot be told.");
}
