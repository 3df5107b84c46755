/*
 * disk.h: the store on a disk, for those who have to know that it is one: the files of store/, the
 * catalog that lies beside it, and backup/.
 *
 *     store.c    data_dir opened, its space      disk.c    faults, names, entries
 *     volume.c   the file system below           blob.c    bytes on their way
 *     link.c     bytes become content            object.c  content
 *     copy.c     bytes read again, or copied     holder.c  who holds an upload's bytes
 *     ledger.c   space promised; ledger_table.c: as it lies in a file
 *
 * data_dir: objects/ (content by SHA-256, flat, so that one fsync serves a whole batch), partial/
 * (what has a name and is no object yet: resumable uploads, tmp-*, the ledger).
 */
#ifndef WAYBILL_STORE_DISK_H
#define WAYBILL_STORE_DISK_H

#include <dirent.h>

#include "shared/clock.h"
#include "shared/descriptor.h"
#include "store/store.h"

_Static_assert(
    sizeof(off_t) == 8 && sizeof(time_t) == 8, "the Makefile's _FILE_OFFSET_BITS, _TIME_BITS");

struct store {
	const struct config *config; /* borrowed from store_open()'s caller */
	int dir; /* data_dir; everything below it is reached through these three */
	int objects, partial;
	bool write;
	bool unnamed;	    /* files need no name until they are linked */
	bool by_descriptor; /* /proc is there to link by */
	int64_t boot;	    /* this start of the machine; 0: it cannot be told */
	struct ledger *ledger;
	struct holders *holders; /* who holds which named blob; NULL: nobody can */
};

/* ---- store.c --------------------------------------------------------------------------------- */

/* In data_dir while a restore is not finished: nobody but restore.c opens it then. INTERNAL: so it
 * is. To be asked again under the lock that a catalog is made under, as the mark is. */
#define RESTORING "restoring"
enum fault store_restored(const struct store *store, struct refusal *why);
/* The path of an open directory, without symbolic links; PATH_MAX bytes. False: errno. */
bool directory_path(int fd, char *path);
/* What others can write, they can replace under our hands: INTERNAL. */
enum fault check_private(int fd, const char *path, struct refusal *why);
/* Sync the entry of the directory `dir` in the one above. False: errno. */
bool sync_above(int dir);

/* ---- disk.c ---------------------------------------------------------------------------------- */

/* errno as a fault, said in the log (INTERNAL) or to the client (NO_SPACE, BUSY). */
enum fault disk_fault(struct refusal *why, const char *what);
/* The bytes survive a power cut. */
enum fault disk_sync(int fd, struct refusal *why);
/* Read the directory that `directory` is open on, from its beginning; closedir() when done. */
enum fault disk_entries(int directory, const char *what, DIR **dir, struct refusal *why);
/* Is there nothing in objects/? */
enum fault disk_is_bare(const struct store *store, bool *empty, struct refusal *why);
/* The content of an entry of objects/; false: no object has such a name. */
bool object_named(const char *name, uint8_t sha256[SHA256_LEN]);
/* Give the file that fd is open on another name. False: errno. */
bool link_descriptor(int fd, int directory, const char *name);

/* Run by root, what it makes in a directory belongs to whom the directory belongs to; false with errno. */
bool give_to_owner(int fd, int dir);
/* errno in words, for whoever runs a subcommand. */
enum fault cannot_do(struct refusal *why, const char *verb, const char *path);

/* ---- volume.c -------------------------------------------------------------------------------- */

/* Does a sync save a file that has no name yet? Where nobody knows, no. */
bool volume_logs_unnamed(int fd);
/* INTERNAL: `other`, path/name, is not on the file system and mount of `dir`. */
enum fault volume_is_one(
    int dir, int other, const char *path, const char *name, struct refusal *why);
/* A number of this start of the machine; 0: it cannot be told. */
int64_t volume_boot(void);

/* ---- object.c -------------------------------------------------------------------------------- */

/* object_reach() in any directory of objects. */
int object_file(int objects, const char *name);

/* ---- blob.c ---------------------------------------------------------------------------------- */

/* Is that what partial/<name> is open on? It may have gone, or be another file, before we had the lock. */
bool blob_is_called(const struct store *store, int fd, const char *name);

#endif
