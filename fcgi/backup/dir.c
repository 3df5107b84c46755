/*
 * dir.c: the directory of a backup: is it one, may it become one, is anybody at it?
 */
#include "backup/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORY_MODE = 0750, FILE_MODE = 0640 };

static const char mark_name[] = "waybill-backup";
/* The first line tells what can be read, the others whoever comes across it. */
static const char mark_line[] = "waybill backup 1\n";
static const char mark_text[] =
    "waybill backup 1\n"
    "Made by `waybill backup`, which goes on from here the next time; `waybill restore` puts it\n"
    "back into an empty data_dir. waybill.db is the catalog as of the last backup that came to its\n"
    "end, objects/ the content, each file named by its SHA-256.\n";

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool lies_within(int fd, int above)
{
	struct stat here, top, last = {0};
	int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	bool within = false, root = false;

	if (fstat(above, &top) != 0)
		return false;
	while (at >= 0 && !within && !root && fstat(at, &here) == 0) {
		within = same_file(&here, &top);
		root = same_file(&here, &last);
		last = here;
		int parent = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = parent;
	}
	descriptor_close(at);
	return within;
}

/* ---- the mark -------------------------------------------------------------------------------- */

/* Nothing but what a new file system holds? */
static enum fault check_empty(const struct backup_dir *b, struct refusal *why)
{
	static const char *const harmless[] = {".", "..", "lost+found"};
	struct dirent *entry;
	DIR *dir;
	bool empty = true;
	enum fault f = disk_entries(b->dir, b->path, &dir, why);

	if (f)
		return f;
	while (empty && (entry = readdir(dir)) != NULL) {
		empty = false;
		for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
			empty |= strcmp(entry->d_name, harmless[i]) == 0;
	}
	closedir(dir);
	if (empty)
		return FAULT_NONE;
	return refuse(why, FAULT_INTERNAL,
	    "%s is not empty, and no backup of waybill's. Name an empty directory, or a new one.",
	    b->path);
}

/* In a directory that is empty. Synced, since all else there is worth as much as this. */
static enum fault make_mark(struct backup_dir *b, struct refusal *why)
{
	size_t len = sizeof mark_text - 1;

	b->mark = openat(b->dir, mark_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (b->mark < 0 && errno == EEXIST)
		return refuse(why, FAULT_BUSY, "Another backup has just begun in %s.", b->path);
	if (b->mark < 0)
		return cannot_do(why, "write to", b->path);
	if (!give_to_owner(b->mark, b->dir) || flock(b->mark, LOCK_EX | LOCK_NB) != 0 ||
	    write(b->mark, mark_text, len) != (ssize_t)len || fsync(b->mark) != 0 ||
	    fsync(b->dir) != 0)
		return cannot_do(why, "mark", b->path);
	return FAULT_NONE;
}

static enum fault lock_mark(struct backup_dir *b, bool write, struct refusal *why)
{
	if (flock(b->mark, (write ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
		return FAULT_NONE;
	if (errno == EWOULDBLOCK)
		return refuse(
		    why, FAULT_BUSY, "Another backup or restore is at work in %s.", b->path);
	return cannot_do(why, "lock", b->path);
}

/* Is it one of ours whose bytes a power cut took, to the last or from some byte on? A file system may
 * leave zeros in their place. */
static bool is_torn(const char *line, ssize_t len)
{
	ssize_t same = 0;

	while (same < len && line[same] == mark_line[same])
		same++;
	for (ssize_t i = same; i < len; i++)
		if (line[i] != '\0')
			return false;
	return true;
}

static enum fault mend_mark(struct backup_dir *b, struct refusal *why)
{
	size_t len = sizeof mark_text - 1;

	if (pwrite(b->mark, mark_text, len, 0) != (ssize_t)len || fsync(b->mark) != 0)
		return cannot_do(why, "mark", b->path);
	return FAULT_NONE;
}

static enum fault read_mark(struct backup_dir *b, bool write, struct refusal *why)
{
	char line[sizeof mark_line - 1];
	ssize_t len = pread(b->mark, line, sizeof line, 0);

	if (len < 0)
		return cannot_do(why, "read", mark_name);
	if ((size_t)len == sizeof line && memcmp(line, mark_line, sizeof line) == 0)
		return FAULT_NONE;
	if (is_torn(line, len))
		return write ? mend_mark(b, why) : FAULT_NONE;
	return refuse(why, FAULT_INTERNAL,
	    "%s/%s does not say \"waybill backup 1\": it is a newer waybill's, or damaged.",
	    b->path, mark_name);
}

static enum fault open_mark(struct backup_dir *b, bool write, struct refusal *why)
{
	b->mark = openat(
	    b->dir, mark_name, (write ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (b->mark < 0 && errno == ENOENT && !write)
		return refuse(
		    why, FAULT_INTERNAL, "%s is no backup: there is no %s.", b->path, mark_name);
	if (b->mark < 0 && errno == ENOENT) {
		enum fault f = check_empty(b, why);
		return !f ? make_mark(b, why) : f;
	}
	if (b->mark < 0)
		return cannot_do(why, "open the mark of", b->path);
	enum fault f = lock_mark(b, write, why);
	return !f ? read_mark(b, write, why) : f;
}

/* ---- the directories ------------------------------------------------------------------------- */

static enum fault open_top(struct backup_dir *b, const char *path, int store, struct refusal *why)
{
	bool made = store >= 0 && mkdir(path, DIRECTORY_MODE) == 0;

	if (store >= 0 && !made && errno != EEXIST)
		return cannot_do(why, "create", path);
	b->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->dir < 0)
		return cannot_do(why, "open", path);
	enum fault f = directory_path(b->dir, b->path) ? FAULT_NONE : cannot_do(why, "find", path);
	if (!f && store >= 0 && lies_within(b->dir, store))
		f = refuse(why, FAULT_INTERNAL,
		    "%s lies in data_dir. Name a directory elsewhere, at best on another disk.",
		    b->path);
	if (!f)
		f = check_private(b->dir, b->path, why);
	if (!f && made && !sync_above(b->dir))
		f = cannot_do(why, "sync", b->path);
	if (f && made)
		rmdir(path);
	return f;
}

static enum fault open_objects(struct backup_dir *b, bool write, struct refusal *why)
{
	bool made = write && mkdirat(b->dir, "objects", DIRECTORY_MODE) == 0;

	if (write && !made && errno != EEXIST)
		return cannot_do(why, "create objects in", b->path);
	b->objects = openat(b->dir, "objects", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (b->objects < 0)
		return cannot_do(why, "open objects in", b->path);
	if (made && (!give_to_owner(b->objects, b->dir) || fsync(b->dir) != 0))
		return cannot_do(why, "make objects in", b->path);
	return check_private(b->objects, "objects", why);
}

enum fault backup_dir_open(struct backup_dir *b, const char *path, int store, struct refusal *why)
{
	*b = (struct backup_dir){.dir = -1, .objects = -1, .mark = -1};
	enum fault f = open_top(b, path, store, why);
	if (!f)
		f = open_mark(b, store >= 0, why);
	if (!f)
		f = open_objects(b, store >= 0, why);
	return f;
}

void backup_dir_close(struct backup_dir *b)
{
	descriptor_close(b->objects);
	descriptor_close(b->mark);
	descriptor_close(b->dir);
}
