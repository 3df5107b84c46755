/*
 * inside.h: what keep/'s own files know of each other.
 *
 *     keep.c     an open data_dir and its health
 *     volume.c   what it lies on, and since when the machine runs
 *     content.c  a file's bytes, for reading: proved first where a power cut may have taken them
 *     upload.c   the life of an upload, on top of all below
 *     judge.c    whether it may be: space, quotas, type
 *     promise.c  what a file name's extension promises
 *     blob.c     bytes on disk: an unnamed file that is written, digested, synced
 *     link.c     bytes become content
 *     ledger.c   bytes promised to uploads under way, shared by all processes on one data_dir;
 *                ledger_table.h: as they lie in a file
 *     catalog.h  SQLite's only door, and behind it, in the order of a change's way:
 *     catalog.c  connections, migrations       statements.c  every word of SQL
 *     commit.c   group commit, checkpoints     generation.c  does it belong to the objects
 *     objects.c  content as rows               records.c  files: add, find, remove
 *     rows.c     read and lent                 vfs.c      what SQLite may open
 *     listing.c  pages of them                 sums.c     what quotas are judged by
 *     tokens.c   who is asking                 sweep.c    what has to go
 */
#ifndef WAYBILL_KEEP_INSIDE_H
#define WAYBILL_KEEP_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include <dirent.h>

#include "keep/keep.h"
#include "shared/clock.h"
#include "shared/digest.h"
#include "sniff/sniff.h"

_Static_assert(sizeof(off_t) == 8 && sizeof(time_t) == 8, "the Makefile's _FILE_OFFSET_BITS, _TIME_BITS");

/* ---- keep.c ---------------------------------------------------------------------------------- */

/* Uses of tokens that the catalog is not told yet. */
enum { TOKEN_USES = 64 };
struct token_uses {
	pthread_mutex_t lock;
	unsigned count;
	struct {
		uint8_t hash[SHA256_LEN];
		int64_t at; /* calendar */
	} use[TOKEN_USES];
	int64_t next; /* when it is told, by the steady clock */
};

/* tokens.c: tell the catalog. */
void tokens_tend(struct keep *keep);

struct keep {
	const struct config *config; /* borrowed from keep_open()'s caller */
	unsigned mode;
	int dir;      /* data_dir; everything below it is reached through these three */
	int objects;  /* objects/: content by SHA-256, flat, so that one fsync serves a whole batch
		       */
	int partial;  /* partial/: named temporary files, resumable uploads, the ledger */
	bool unnamed; /* files need no name until they are linked */
	bool by_descriptor; /* /proc is there to link by */
	bool unproved;	    /* there is content that an earlier start of the machine wrote unsynced */
	int64_t boot;	    /* this start of the machine; 0: it cannot be told */
	struct catalog *catalog;
	struct ledger *ledger;
	struct sniffers *sniffers;
	struct holders *holders; /* who holds which resumable upload; NULL: nobody can */
	atomic_bool leaving;	 /* sweeps end early */
	struct token_uses uses;
	int64_t next_orphans;	 /* by the steady clock: when a sweep looks through objects/ again */
};

/* In data_dir while a restore is not finished: nobody but restore.c opens it then. INTERNAL: so it
 * is. To be asked again under the lock that a catalog is made under, as the mark is. */
#define RESTORING "restoring"
enum fault keep_restored(const struct keep *keep, struct refusal *why);

/* What was not synced is as it was written only as long as the machine runs that wrote it. */
static inline bool keep_believes(const struct keep *keep, bool durable, int64_t boot)
{
	return durable || (boot != 0 && boot == keep->boot);
}

/* Read the directory that `directory` is open on, from its beginning; closedir() when done. */
enum fault keep_entries(int directory, const char *what, DIR **dir, struct refusal *why);
/* Is there nothing in objects/? */
enum fault keep_is_bare(const struct keep *keep, bool *empty, struct refusal *why);
/* The content of an entry of objects/; false: no object has such a name. */
bool object_named(const char *name, uint8_t sha256[SHA256_LEN]);
/* When what begins `now` and lasts so long ends; 0, never, where it lasts for ever. */
int64_t keep_deadline(int64_t now, int64_t lasts);
/* Bytes of the file system that waybill may use: without min_free_bytes. -1: errno. */
int64_t keep_free_bytes(const struct keep *keep);

/* ---- volume.c -------------------------------------------------------------------------------- */

/* Does a sync save a file that has no name yet? Where nobody knows, no. */
bool volume_logs_unnamed(int fd);
/* INTERNAL: `other`, path/name, is not on the file system and mount of `dir`. */
enum fault volume_is_one(
    int dir, int other, const char *path, const char *name, struct refusal *why);
/* A number of this start of the machine; 0: it cannot be told. */
int64_t volume_boot(void);

/* ---- blob.c ---------------------------------------------------------------------------------- */

enum { BLOB_NAME = 40 }; /* bytes of a name in partial/, with the NUL */
enum { OBJECT_NAME = 2 * SHA256_LEN + 1 };

/* Bytes on their way to disk. Zero-initialised with fd = -1 it is a blob that holds nothing. */
struct blob {
	int fd;
	char name[BLOB_NAME]; /* in partial/; empty: an unnamed file */
	int64_t size;	      /* bytes written, and digested */
	int64_t allocated;    /* bytes fallocate(2) has promised; 0: none */
	int64_t flushed;      /* bytes whose write-back was started early */
	struct digest digest; /* running SHA-256 */
	bool synced;	      /* fdatasync(2) done since the last write */
	bool spoiled;	      /* a sync has failed: none that follows is believed */
	bool durable;	      /* will be synced: start write-back early */
};

/* An empty blob: unnamed where the file system can, else partial/tmp-*, locked. */
enum fault blob_create(const struct keep *keep, struct blob *blob, struct refusal *why);
/*
 * A named one, for uploads that outlive a request. create: it must not exist yet. Otherwise it is
 * taken to have `size` bytes, which `digest` is the state after. After a fault nothing is held. Holds an
 * exclusive OFD lock while open: LOCKED when another request does. NOT_FOUND: no such file, or
 * shorter than `size`.
 */
enum fault blob_open_named(const struct keep *keep, struct blob *blob, const char *name,
    bool create, int64_t size, const struct digest *digest, struct refusal *why);
/*
 * A file of somebody else's making (nginx's body file), to be linked in where it lies: only on the
 * file system of objects/. The descriptor is duplicated. Its bytes go through the digest one
 * blob_absorb() after the other; *got 0: that was all.
 */
bool blob_can_adopt(const struct keep *keep, int fd);
enum fault blob_adopt(const struct keep *keep, struct blob *blob, int fd, struct refusal *why);
enum fault blob_absorb(
    struct blob *blob, char *buffer, size_t room, size_t *got, struct refusal *why);
/*
 * Open and lock a file of partial/ whose owner is gone. -1: it is not there, or no more (ENOENT), or
 * somebody is at it.
 */
int blob_seize(const struct keep *keep, const char *name);
/* Have the file system set aside `bytes` in all, beyond the end of the file; NO_SPACE. Where it
 * cannot, that is fine. */
enum fault blob_allocate(struct blob *blob, int64_t bytes, struct refusal *why);
enum fault blob_write(struct blob *blob, const void *bytes, size_t len, struct refusal *why);
/* No more bytes: give back what was allocated beyond, and tell the SHA-256. */
enum fault blob_end(struct blob *blob, uint8_t sha256[SHA256_LEN], struct refusal *why);
/* The bytes survive a power cut. */
enum fault blob_sync(struct blob *blob, struct refusal *why);
/* Forget what came after `size`; `digest` is the state there. */
enum fault blob_cut(
    struct blob *blob, int64_t size, const struct digest *digest, struct refusal *why);
/* Close it. What was not linked vanishes, unless it is named and `rest` is true. */
void blob_leave(const struct keep *keep, struct blob *blob, bool rest);

/* ---- link.c ---------------------------------------------------------------------------------- */

struct known { /* what the catalog knows of some content */
	bool found, durable;
	int64_t boot;	 /* where not durable: the start of the machine that wrote it, or 0 */
	int64_t damaged; /* ns since the epoch: change time of the file that was found damaged */
	int64_t size;
	char type[TYPE_BYTES + 1];
	int magic;
};

/* Give the file that fd is open on another name. False: errno. */
bool link_descriptor(int fd, int directory, const char *name);

enum link_result {
	LINK_THERE,   /* the same content was there already */
	LINK_MADE,    /* a new entry: to be unlinked again if the job fails */
	LINK_REPLACED /* in the place of one that is damaged, or may be */
};
/*
 * Make objects/<sha256> out of it. Only under the catalog's write lock. What is there already stays
 * if what is `known` of it will do. With durability=full the bytes, whoever wrote them, are synced
 * when this returns.
 */
enum fault blob_link(const struct keep *keep, struct blob *blob, const uint8_t sha256[SHA256_LEN],
    const struct known *known, enum link_result *result, struct refusal *why);

/* errno as a fault, said in the log (INTERNAL) or to the client (NO_SPACE, BUSY). */
enum fault disk_fault(struct refusal *why, const char *what);
void object_name(const uint8_t sha256[SHA256_LEN], char name[OBJECT_NAME]);

/* ---- promise.c ------------------------------------------------------------------------------- */

/* Does what `name`'s extension promises disagree with `type`? Lenient: only where it is sure. */
bool promise_broken(const char *name, const char *type);

/* ---- catalog.c, commit.c --------------------------------------------------------------------- */

struct catalog;

/* The schema's, as this program knows it. */
int catalog_version(void);
/* Open (keep->mode & KEEP_WRITE: create, migrate) waybill.db in keep->dir, whose path without
 * symbolic links is `dir`. */
bool catalog_open(
    struct catalog **catalog, struct keep *keep, const char *dir, struct refusal *why);
void catalog_close(struct catalog *catalog);

/*
 * One change of the catalog. run() is called with the write lock held, inside a savepoint, on
 * whichever thread leads the batch: it may only touch *self and the catalog. When it returns a
 * fault its changes are rolled back alone; files it linked itself it must have unlinked again.
 */
typedef enum fault job_run(struct catalog *catalog, void *self, struct refusal *why);
/* Returns when the batch it was in is committed, or the fault that prevented it. */
enum fault catalog_commit(struct catalog *catalog, job_run *run, void *self, struct refusal *why);
/* From a job: objects/ has new entries that must be synced before COMMIT. */
void catalog_linked(struct catalog *catalog);
/* From a job: no record has this content any more. After COMMIT the object is unlinked, if that is
 * still true under a new write lock. */
void catalog_drop(struct catalog *catalog, const uint8_t sha256[SHA256_LEN]);

/* Every second or so: checkpoint when it is time. */
void catalog_tend(struct catalog *catalog);

struct catalog_counts {
	int64_t commits, batches, busy;
};
void catalog_count(struct catalog *catalog, struct catalog_counts *counts);

/* ---- generation.c ---------------------------------------------------------------------------- */

/* Do catalog and objects belong together, as far as data_dir/generation tells? INTERNAL: no; nothing
 * may be taken for an orphan. keep_open() with KEEP_WRITE has asked that already. */
enum fault keep_generation_check(struct keep *keep, struct refusal *why);
/*
 * Have them belong together from now on, as what no older or newer copy of either can be taken for.
 * For a data_dir that nobody serves: workers that do have to be started anew. In two steps, for
 * whoever has something to enter between them: after the first, a crash leaves a data_dir that is
 * refused until the second is done.
 */
enum fault keep_generation_renew(struct keep *keep, struct refusal *why);
enum fault keep_generation_part(struct keep *keep, struct refusal *why);
enum fault keep_generation_join(struct keep *keep, struct refusal *why);

/* ---- objects.c, records.c --------------------------------------------------------------------- */

enum fault records_known(struct catalog *catalog, const uint8_t sha256[SHA256_LEN],
    struct known *known, struct refusal *why);

/* Is there content that was not synced, and not written since this start of the machine? */
enum fault records_any_unproved(
    struct catalog *catalog, int64_t boot, bool *any, struct refusal *why);

/* A file about to be kept. */
struct arrival {
	struct file file; /* seq is filled in; and the times, where it was there already */
	enum link_result link;
	struct blob *blob;
	const uint8_t *delete_hash; /* 32 bytes or NULL */
	int magic;		    /* version of the verdict */
};
struct arrivals { /* a job_run's self */
	const struct keep *keep;
	struct arrival *at;
	size_t count;
	bool keyed;		/* their ids follow from a key: they may be there already */
	const char *end_upload; /* id of the resumable upload whose row goes with it, or NULL */
};
/* job_run: keep them all. KEY_REUSED: under their ids there is something else. */
enum fault records_add(struct catalog *catalog, void *arrivals, struct refusal *why);

/* Of a form without any. */
#define NO_FIELDS "{}"
/* What quotas are charged for them. */
int64_t fields_bytes(const char *fields);

/* Room for `limit` records in *files; keep_release() gives it back. INTERNAL: no memory. */
enum fault files_make(struct files *files, size_t limit, struct refusal *why);
/* A copy that lives as long as *files; NULL: absent, or no memory. */
const char *files_text(struct files *files, struct span text);

/* ---- sums.c ---------------------------------------------------------------------------------- */

/* What quotas are judged by, in bytes; `owner` is one owner, or all who have no name. Triggers keep
 * it: asking costs the same however much there is. */
struct catalog_sums {
	int64_t files;		/* records */
	int64_t bytes;		/* of distinct content, and of fields */
	int64_t owner_bytes;	/* of the owner's records, shared content or not, and fields */
	int64_t promised;	/* to resumable uploads that have begun and are not finished */
	int64_t owner_promised; /* the owner's among them */
	int64_t pending;	/* of the promised, those that are not on disk yet */
};
/* All from one snapshot. `owner` absent: the anonymous. */
enum fault catalog_sums(
    struct catalog *catalog, struct span owner, struct catalog_sums *sums, struct refusal *why);

/* ---- upload.c, judge.c ----------------------------------------------------------------------- */

/* One file of an upload. */
struct incoming {
	struct blob blob;
	char name[NAME_BYTES + 1];
	char declared_type[TYPE_BYTES + 1];
	bool has_declared_type;
	bool judged;	    /* type is known and allowed */
	bool known_durable; /* the catalog has this content, synced */
	char type[TYPE_BYTES + 1];
	uint8_t sha256[SHA256_LEN];
};

struct upload {
	struct keep *keep;
	const struct grant *grant;
	unsigned slot;	  /* of the ledger */
	bool reserved;	  /* slot is held */
	int64_t promised; /* bytes reserved */
	int64_t credit;	  /* bytes that quotas count already, and that this one replaces */
	bool anothers;	  /* who asks is not who pays: figures are none of his business */
	int64_t received; /* bytes of all files */
	int64_t told;	  /* of the promised, bytes the ledger was told are on disk */
	bool open;	  /* between upload_file() and upload_file_end() */
	bool finished;
	struct incoming **file;
	size_t count;
};

/* Reserve `bytes` more than what is reserved already, against free space and quotas; see
 * upload_begin(). */
enum fault upload_reserve(struct upload *upload, int64_t bytes, struct refusal *why);
/* Would that be refused now? Reserves nothing. */
enum fault upload_would_fit(struct upload *upload, int64_t bytes, struct refusal *why);
/* libmagic's verdict on the file so far, and whether it is allowed. */
enum fault upload_judge(struct upload *upload, struct incoming *file, struct refusal *why);
/* The client's claim made fit to be stored: false when nothing is left of it. */
bool upload_clean_type(struct span raw, char to[TYPE_BYTES + 1]);

/* ---- uploads.c, holder.c: resumable ones, see partial.h and uploads.h ------------------------ */

/* With the data_dir: before the first upload, after the last. */
bool holders_open(struct keep *keep);
void holders_close(struct keep *keep);

#endif
