/*
 * disk.c: what a disk promises, what can go wrong with one, and how its entries are called.
 */
#include "store/disk/disk.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum fault disk_fault(struct refusal *why, const char *what)
{
	int err = errno;

	if (err == EMFILE || err == ENFILE) {
		log_line(LOG_ERROR, "out of file descriptors", "at=%s", what);
		return refuse(why, FAULT_BUSY, NULL);
	}
	enum fault f = fault_of_errno(err);
	if (f == FAULT_INTERNAL)
		log_line(LOG_ERROR, "storage failed", "at=%s errno=%d error=\"%s\"", what, err,
		    strerrordesc_np(err));
	return refuse(why, f, NULL);
}

bool store_syncs(const struct store *store)
{
	return store->config->durability == DURABILITY_FULL;
}

int64_t store_boot(const struct store *store)
{
	return store->boot;
}

bool store_believes(const struct store *store, bool durable, int64_t boot)
{
	return durable || (boot != 0 && boot == store->boot);
}

enum fault disk_sync(int fd, struct refusal *why)
{
	return TEMP_FAILURE_RETRY(fdatasync(fd)) == 0 ? FAULT_NONE : disk_fault(why, "fdatasync");
}

/* ---- entries --------------------------------------------------------------------------------- */

enum fault disk_entries(int directory, const char *what, DIR **dir, struct refusal *why)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*dir = copy < 0 ? NULL : fdopendir(copy);
	if (*dir != NULL)
		return FAULT_NONE;
	descriptor_close(copy);
	return disk_fault(why, what);
}

enum fault disk_is_bare(const struct store *store, bool *empty, struct refusal *why)
{
	DIR *dir;
	struct dirent *entry;
	enum fault f = disk_entries(store->objects, "objects", &dir, why);

	if (f)
		return f;
	do
		entry = readdir(dir);
	while (entry != NULL && entry->d_name[0] == '.');
	closedir(dir);
	*empty = entry == NULL;
	return FAULT_NONE;
}

enum fault object_each(
    const struct store *store, object_visitor *visit, void *self, struct refusal *why)
{
	uint8_t sha256[SHA256_LEN];
	struct dirent *entry;
	DIR *dir;
	enum fault f = disk_entries(store->objects, "objects", &dir, why);

	while (!f && (entry = readdir(dir)) != NULL)
		if (object_named(entry->d_name, sha256) && !visit(self, sha256))
			break;
	if (!f)
		closedir(dir);
	return f;
}

enum fault blob_each(
    const struct store *store, blob_visitor *visit, void *self, struct refusal *why)
{
	struct dirent *entry;
	DIR *dir;
	enum fault f = disk_entries(store->partial, "partial", &dir, why);

	while (!f && (entry = readdir(dir)) != NULL) {
		bool temporary = strncmp(entry->d_name, "tmp-", 4) == 0;
		bool ours = temporary || text_is_id(span_of(entry->d_name));
		if (ours && !visit(self, entry->d_name, temporary))
			break;
	}
	if (!f)
		closedir(dir);
	return f;
}

struct object_name object_name(const uint8_t sha256[SHA256_LEN])
{
	struct object_name name;

	text_hex(sha256, SHA256_LEN, name.hex);
	return name;
}

void object_path(const uint8_t sha256[SHA256_LEN], char path[OBJECT_PATH])
{
	snprintf(path, OBJECT_PATH, "objects/%s", object_name(sha256).hex);
}

bool object_named(const char *name, uint8_t sha256[SHA256_LEN])
{
	return strlen(name) == 2 * SHA256_LEN && text_unhex(span_of(name), sha256, SHA256_LEN);
}

bool link_descriptor(int fd, int directory, const char *name)
{
	char source[32];

	snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, source, directory, name, AT_SYMLINK_FOLLOW) == 0;
}

enum fault cannot_do(struct refusal *why, const char *verb, const char *path)
{
	int err = errno;

	return refuse(why, err == ENOSPC || err == EDQUOT ? FAULT_NO_SPACE : FAULT_INTERNAL,
	    "Cannot %s %s: %s.", verb, path, strerrordesc_np(err));
}

bool give_to_owner(int fd, int dir)
{
	struct stat st;

	if (geteuid() != 0)
		return true;
	return fstat(dir, &st) == 0 && (st.st_uid == 0 || fchown(fd, st.st_uid, st.st_gid) == 0);
}
