/*
 * store.h: where bytes are: content by its SHA-256, bytes on their way, space.
 *
 *     store_open -> store_join -> { blob_create -> blob_write* -> blob_end -> blob_sync
 *                                   -> blob_link -> blob_leave | object_open }* -> store_close
 *
 * The interface; the disk is behind it (disk.h). What it promises, whatever is behind:
 *
 * - What was blob_sync()ed and then blob_link()ed survives a power cut once store_settle() has
 *   returned; with durability=normal only the death of processes.
 * - Nobody reads a part of some content: an object is there whole, or not at all.
 * - Objects come and go only while the caller holds the catalog's write lock. Which of them may go
 *   the catalog knows, and the store does not.
 * - Bytes on their way that nobody is at, because their process died, are found and removed.
 *
 * All functions are safe from any thread, on one blob from one thread at a time. Sizes are in bytes.
 * Faults: NO_SPACE, BUSY (descriptors are used up), INTERNAL, which the log explains; and those told.
 */
#ifndef WAYBILL_STORE_STORE_H
#define WAYBILL_STORE_STORE_H

#include <sys/types.h>

#include "shared/config.h"
#include "shared/digest.h"
#include "shared/flow.h"

struct store;

/* Open (write: and where need be create, 0750) config->data_dir. On a fault *why says what to do. */
enum fault store_open(
    struct store **store, const struct config *config, bool write, struct refusal *why);
/* Take part in what all processes share: the ledger, and who holds what. All that have joined agree
 * on `schema`. What it opens must not be inherited: fork first. */
enum fault store_join(struct store *store, int schema, struct refusal *why);
void store_close(struct store *store); /* NULL is fine */

/* Bytes that waybill may use: without min_free_bytes. -1: it does not answer; the log says why. */
int64_t store_free_bytes(const struct store *store);
bool store_is_writable(const struct store *store);
/* Bytes promised to uploads by all processes: ledger.h. NULL: not joined. */
struct ledger *store_ledger(const struct store *store);
/* Does what is acknowledged survive a power cut (durability=full)? */
bool store_syncs(const struct store *store);
/* This start of the machine, to be kept beside what was not synced; 0: it cannot be told. What was
 * not synced is as it was written only as long as the machine runs that wrote it. */
int64_t store_boot(const struct store *store);
bool store_believes(const struct store *store, bool durable, int64_t boot);

/* ---- blob.c: bytes on their way -------------------------------------------------------------- */

enum { BLOB_NAME = 40 }; /* bytes of a name, with the NUL */

/* Zero-initialised with fd = -1 it is a blob that holds nothing. */
struct blob {
	int fd;
	char name[BLOB_NAME]; /* empty: it has none until it is linked */
	int64_t size;	      /* bytes written, and digested */
	int64_t allocated;    /* bytes set aside; 0: none */
	int64_t flushed;      /* bytes whose write-back was started early */
	struct digest digest; /* running SHA-256 */
	bool synced;	      /* since the last write */
	bool spoiled;	      /* a sync has failed: none that follows is believed */
	bool durable;	      /* will be synced: start write-back early */
};

/* An empty one, which vanishes with the process unless it is linked. */
enum fault blob_create(const struct store *store, struct blob *blob, struct refusal *why);
/* An empty one that outlives the request, and the process, under `name`; held, and its name synced. */
enum fault blob_create_named(
    const struct store *store, struct blob *blob, const char *name, struct refusal *why);
/*
 * Go on with a named one, taken to have `size` bytes, which `digest` is the state after. Holds it, with
 * a lock that ends with the process: LOCKED when another request does. NOT_FOUND: there is none, or
 * it is shorter. After a fault nothing is held.
 */
enum fault blob_open_named(const struct store *store, struct blob *blob, const char *name,
    int64_t size, const struct digest *digest, struct refusal *why);
/* Is there a named one of at least `size` bytes? */
bool blob_is_there(const struct store *store, const char *name, int64_t size);
/* Before a byte is written to a named one: its bytes are nobody else's (a crash may have left an
 * object that is the same file). GONE: its name may be lost. */
enum fault blob_be_alone(const struct store *store, struct blob *blob, struct refusal *why);
/*
 * A file of somebody else's making (nginx's body file), to be linked in where it lies: only on the
 * file system of the objects. The descriptor is duplicated. Its bytes go through the digest one
 * blob_absorb() after the other; *got 0: that was all.
 */
bool blob_can_adopt(const struct store *store, int fd);
enum fault blob_adopt(const struct store *store, struct blob *blob, int fd, struct refusal *why);
enum fault blob_absorb(
    struct blob *blob, char *buffer, size_t room, size_t *got, struct refusal *why);
/* Set aside `bytes` in all; NO_SPACE. Where the file system cannot, that is fine. */
enum fault blob_allocate(struct blob *blob, int64_t bytes, struct refusal *why);
/* On a fault, what was written before it counts as written. */
enum fault blob_write(struct blob *blob, const void *bytes, size_t len, struct refusal *why);
/* Bytes from, including, *at of another blob, `len` of them, which *at then is after. */
enum fault blob_append(struct blob *blob, const struct blob *from, int64_t *at, int64_t len,
    struct refusal *why);
/* No more bytes: give back what was allocated beyond, and tell the SHA-256. */
enum fault blob_end(struct blob *blob, uint8_t sha256[SHA256_LEN], struct refusal *why);
/* The bytes survive a power cut. A sync that failed is never tried again. */
enum fault blob_sync(struct blob *blob, struct refusal *why);
/* Forget what came after `size`; `digest` is the state there. */
enum fault blob_cut(
    struct blob *blob, int64_t size, const struct digest *digest, struct refusal *why);
/* A named one at which nothing counts takes no space while it rests. */
void blob_empty(const struct blob *blob);
/* Close it. What was not linked vanishes, unless it is named and `rest` is true. */
void blob_leave(const struct store *store, struct blob *blob, bool rest);
/* Remove a named one without holding it. */
void blob_discard(const struct store *store, const char *name);
/* Open and lock a named one, or a temporary one whose process died. -1 with errno: it is not there, or no
 * more (ENOENT), or somebody is at it (EAGAIN). */
int blob_seize(const struct store *store, const char *name);
/* Let go of it, or remove it; then *freed grows by what it took. fd < 0 is fine. */
void blob_unseize(const struct store *store, int fd, const char *name, bool remove, int64_t *freed);
/* Visit all that are not objects, in no order, until one visit returns false. */
typedef bool blob_visitor(void *self, const char *name, bool temporary);
enum fault blob_each(
    const struct store *store, blob_visitor *visit, void *self, struct refusal *why);
/* Take the bytes of fd from `at` to `end` into a digest that was started. */
enum fault bytes_digest(
    int fd, int64_t at, int64_t end, struct digest *digest, struct refusal *why);

/* ---- link.c: bytes become content ------------------------------------------------------------ */

struct known { /* what the catalog knows of some content */
	bool found, durable;
	int64_t boot;	 /* where not durable: the start of the machine that wrote it, or 0 */
	int64_t damaged; /* the change time of the file that was found damaged, or 0 */
	int64_t size;
	char type[TYPE_BYTES + 1];
	int magic; /* the version of libmagic that said so */
};

enum link_result {
	LINK_THERE,   /* the same content was there already */
	LINK_MADE,    /* a new entry: to be unlinked again if the job fails */
	LINK_REPLACED /* in the place of one that is damaged, or may be */
};
/*
 * Make the object of that SHA-256 out of it. Only under the catalog's write lock. What is there
 * already stays if what is `known` of it will do. With durability=full the bytes, whoever wrote
 * them, are synced when this returns.
 */
enum fault blob_link(const struct store *store, struct blob *blob, const uint8_t sha256[SHA256_LEN],
    const struct known *known, enum link_result *result, struct refusal *why);
/* With durability=full: the entries of all that was linked survive a power cut. */
enum fault store_settle(const struct store *store, struct refusal *why);
/* Those of all objects do, whatever `durability` says. */
enum fault store_sync(const struct store *store, struct refusal *why);
/* Remove an object; that it is gone already is fine. */
enum fault object_drop(
    const struct store *store, const uint8_t sha256[SHA256_LEN], struct refusal *why);

/* ---- object.c: content ----------------------------------------------------------------------- */

struct object_name {
	char hex[2 * SHA256_LEN + 1];
};
struct object_name object_name(const uint8_t sha256[SHA256_LEN]);
/* Where it lies, from data_dir, for a web server that reads it there. */
enum { OBJECT_PATH = 80 };
void object_path(const uint8_t sha256[SHA256_LEN], char path[OBJECT_PATH]);

struct mark { /* what stands in an object's place: by this it is known again */
	bool there;
	dev_t dev;
	ino_t ino;
	int64_t size;
	int64_t written, changed; /* ns since the epoch; nobody can set the second */
};
void object_mark(const struct store *store, const uint8_t sha256[SHA256_LEN], struct mark *mark);
enum fault mark_of(int fd, struct mark *mark, struct refusal *why);
/* The same file, with the same bytes as far as its times tell? */
bool mark_same(const struct mark *a, const struct mark *b);

/* Visit all content, in no order, until one visit returns false. */
typedef bool object_visitor(void *self, const uint8_t sha256[SHA256_LEN]);
enum fault object_each(
    const struct store *store, object_visitor *visit, void *self, struct refusal *why);

/* Open it for reading; the caller closes *fd. NOT_FOUND; INTERNAL: it has another size. */
enum fault object_open(const struct store *store, const uint8_t sha256[SHA256_LEN], int64_t size,
    int *fd, struct refusal *why);
/* Open what stands in its place, whatever its size, to be read to its end; the caller closes it. -1:
 * errno says why. */
int object_reach(const struct store *store, const uint8_t sha256[SHA256_LEN]);
/* What is left of damaged content is not thrown away: part of a file may be all that its owner ever
 * gets back. Under the write lock, so that nobody links good bytes there meanwhile. */
enum fault object_put_aside(
    const struct store *store, const uint8_t sha256[SHA256_LEN], struct refusal *why);
/* Bytes of an object that were read and are right: they, and its name, survive a power cut. */
bool object_sync(const struct store *store, int fd);
/* Something in the log, and INTERNAL. */
enum fault object_damaged(
    const uint8_t sha256[SHA256_LEN], const char *reason, struct refusal *why);

#endif
