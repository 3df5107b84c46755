/*
 * keep.h: what is kept in a data_dir: found, listed, read, removed; and who may ask.
 *
 *     keep_open -> { uploads (upload.h) | keep_find | keep_list | ... }* -> keep_close
 *
 * All functions are safe from any thread.
 */
#ifndef WAYBILL_KEEP_H
#define WAYBILL_KEEP_H

#include "catalog/rows.h"
#include "shared/config.h"
#include "shared/files.h"

struct keep; /* an open data_dir */

/* What to bring up: `waybill ls` needs no sniffers. KEEP_ADOPT: also a catalog that does not belong
 * to the objects, for keep_adopt() alone. */
enum { KEEP_READ = 1, KEEP_WRITE = 2, KEEP_SNIFF = 4, KEEP_ADOPT = 8 };

/*
 * Open (KEEP_WRITE: and where need be create, 0750) config->data_dir. With KEEP_SNIFF `sniffers`
 * jailed children are started: call it before any thread exists. False: *why->detail says what to do.
 */
bool keep_open(struct keep **keep, const struct config *config, unsigned mode, unsigned sniffers,
    struct refusal *why);
void keep_close(struct keep *keep); /* NULL is fine */

/* ---- looking up ------------------------------------------------------------------------------ */

/* NOT_FOUND; EXPIRED (with *files filled all the same). One record in *files. */
enum fault keep_find(struct keep *keep, struct span id, struct files *files, struct refusal *why);
/* The records of the same form as `id`, oldest first; at most 1000. */
enum fault keep_find_form(
    struct keep *keep, struct span id, struct files *files, struct refusal *why);
/* One page, of at most 1 MiB as JSON; *total counts what the filters match; *more: there is a
 * page after this. */
enum fault keep_list(struct keep *keep, const struct listing *listing, struct files *files,
    int64_t *total, bool *more, struct refusal *why);

/* Bytes that count against an owner's quota (absent: the anonymous, together): of files, fields and
 * unfinished uploads. */
enum fault keep_used(struct keep *keep, struct span owner, int64_t *bytes, struct refusal *why);

/* Open a file's bytes for reading; the caller closes *fd. path (may be NULL) gets the object's
 * path relative to data_dir ("objects/9f86..."). */
enum { CONTENT_PATH = 80 };
enum fault keep_content(struct keep *keep, const struct file *file, int *fd, char path[CONTENT_PATH],
    struct refusal *why);

/* Does `token` (as presented) delete this file? Constant time. */
bool keep_delete_token_fits(struct keep *keep, const struct file *file, struct span token);
/* Remove record and, when it was the last with that content, the object. NOT_FOUND, INTERNAL. */
enum fault keep_remove(struct keep *keep, struct span id, struct refusal *why);

/* ---- who is asking --------------------------------------------------------------------------- */

/* Look a bearer token up. NOT_FOUND: none such, expired or revoked. owner: at least 256 bytes. */
enum fault keep_token_find(
    struct keep *keep, struct span token, char *owner, unsigned *rights, int64_t *quota);
/* Make one; its text (at least 64 bytes) is told this once. BAD_REQUEST: the name is taken. */
enum fault keep_token_add(
    struct keep *keep, const struct token *token, char *text, struct refusal *why);
enum fault keep_token_remove(struct keep *keep, const char *name, struct refusal *why);
enum fault keep_token_each(
    struct keep *keep, token_visitor *visit, void *self, struct refusal *why);

/* ---- keeping house --------------------------------------------------------------------------- */

/* Who watches what verify/ and backup/ find. */
struct inspector {
	void *self;
	void (*found)(void *self, const char *line); /* one finding, without controls; or NULL */
	void (*progress)(void *self, int64_t bytes, int64_t expected); /* or NULL */
};
static inline void inspector_tell(const struct inspector *i, const char *line)
{
	if (i->found != NULL)
		i->found(i->self, line);
}
static inline void inspector_advance(const struct inspector *i, int64_t bytes, int64_t expected)
{
	if (i->progress != NULL)
		i->progress(i->self, bytes, expected);
}
/* Called every second or so by one thread: checkpoints the WAL on its own terms. */
void keep_tend(struct keep *keep);

struct health {
	bool ok;	      /* uploads can be kept */
	bool readable;	      /* what is there can be listed and read */
	char reason[256];     /* why not */
	int64_t files, bytes; /* stored: records, and bytes of distinct content and fields */
	int64_t reserved;     /* bytes promised to uploads under way, in all processes */
	int64_t free_bytes;   /* of the file system, for waybill */
	int64_t sniffers, sniffer_deaths; /* from here on: of this process */
	int64_t commits, commit_batches, catalog_busy;
};
void keep_health(struct keep *keep, struct health *health);
/* Only what is of this process, which costs nothing. */
void keep_count(struct keep *keep, struct health *health);

#endif
