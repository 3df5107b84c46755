/*
 * inside.h: what the files behind backup_take() and backup_restore() know of each other.
 *
 *     backup.c      data_dir -> DIR, beside servers      restore.c  DIR -> an empty data_dir
 *     dir.c  DIR: whose is it, is it a backup, is anybody at it
 *     copy.c        objects from one directory into another, verified and synced
 *
 * DIR holds `waybill-backup` (the mark, and the lock), `waybill.db`, `objects/`. What is on its way
 * has another name (tmp-*, waybill.db.new), and gets its own only when it is synced; so whatever
 * has a name is whole, and a run that was killed costs no more than its time.
 */
#ifndef WAYBILL_BACKUP_INSIDE_H
#define WAYBILL_BACKUP_INSIDE_H

#include <limits.h>

#include "backup/backup.h"
#include "catalog/snapshot.h"
#include "keep/inside.h"
#include "store/disk/disk.h"

/* ---- dir.c ---------------------------------------------------------------------------- */

struct backup_dir {
	char path[PATH_MAX]; /* without symbolic links */
	int dir, objects;
	int mark; /* waybill-backup, locked: alone where it was made to be written */
};

/*
 * Open DIR. `store` >= 0: to write a backup of that data_dir into it, so it is made (0750) or empty
 * where it is no backup yet. -1: to read one. Anything else is refused. Close it in any case.
 */
enum fault backup_dir_open(struct backup_dir *b, const char *path, int store, struct refusal *why);
void backup_dir_close(struct backup_dir *b);
/* Is the directory `fd` the directory `above`, or anywhere below it? */
bool lies_within(int fd, int above);

/* ---- copy.c ---------------------------------------------------------------------------------- */

enum { COPY_BATCH = 256, COPY_BUFFER = 256 << 10 };

struct copying {
	int from, to;	 /* two directories of objects */
	bool may_link;	 /* a hard link is as good as a copy */
	bool read_again; /* what is there already is read and hashed, not only looked at */
	/* The rest is copy.c's own. */
	bool no_clone, no_link; /* tried in vain: another file system, or not this one */
	char *buffer;
	struct fresh {
		int fd;
		struct object_name name;
	} batch[COPY_BATCH];
	size_t count;
};

enum copied {
	COPY_THERE,    /* and as good as it has to be */
	COPY_FRESH,    /* will be at the end of copy_all() */
	COPY_REPLACED, /* the same, in the place of a damaged one */
	COPY_MISSING,  /* `from` does not have it */
	COPY_UNREADABLE,
	COPY_WRONG_HASH
};

/* A fault is one of `to`; what is wrong with `from` is told by *how. */
enum fault copy_object(struct copying *c, const uint8_t sha256[SHA256_LEN], int64_t size,
    enum copied *how, struct refusal *why);
/* All content that the snapshot knows: `each` copies what it is shown. What a run that was killed left
 * in `to` is removed first; at the end all is synced, named, and the directory synced. */
enum fault copy_all(struct copying *c, struct snapshot *snapshot, snapshot_visitor *each,
    void *self, struct refusal *why);
/* False: errno says why. A disk that is filling up takes some of it first. */
bool write_all(int fd, const char *bytes, size_t len);
/* Remove from a directory of objects those that the snapshot does not know. */
enum fault objects_keep_only(
    int objects, struct snapshot *snapshot, int64_t *removed, struct refusal *why);
/* How a finding begins: "missing", "unreadable", "wrong-hash". */
const char *copied_word(enum copied how);

#endif
