/*
 * inside.h: what keep/'s own files know of each other.
 *
 *     keep.c     an open data_dir and its health
 *     records.c  files found, listed, read, removed
 *     tokens.c   who is asking
 *
 *     upload.h, the life of an upload, from below:
 *     room.c     space and quotas, reserved
 *     incoming.c one file: its bytes, its digest, its verdict
 *     record.c   files become records
 *     rest.c     what came counts, or is taken back
 *     standing.c how far a resumable one has come, held against its bytes where that is needed
 *     resume.c   found, gone on with, taken over
 *     create.c   made, removed            join.c     several become one
 *     upload.c   begin, write, finish, leave
 */
#ifndef WAYBILL_KEEP_INSIDE_H
#define WAYBILL_KEEP_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "catalog/uploads.h"
#include "keep/upload.h"
#include "shared/clock.h"
#include "shared/mint.h"
#include "sniff/sniff.h"
#include "store/holder.h"
#include "store/ledger.h"

/* Uses of tokens that the catalog is not told yet. */
enum { TOKEN_USES = 64 };
struct token_uses {
	pthread_mutex_t lock;
	size_t count;
	struct token_use use[TOKEN_USES];
	int64_t next; /* when it is told, by the steady clock */
};

/* tokens.c: tell the catalog. */
void tokens_tend(struct keep *keep);

struct keep {
	const struct config *config; /* borrowed from keep_open()'s caller */
	unsigned mode;
	struct store *store;
	struct catalog *catalog;
	struct sniffers *sniffers;
	bool unproved; /* there is content that an earlier start of the machine wrote unsynced */
	atomic_bool leaving; /* sweeps end early */
	struct token_uses uses;
	/* By the steady clock: when a sweep looks through all objects again. */
	int64_t next_orphans;
};

/* When what begins `now` and lasts so long ends; 0, never, where it lasts for ever. */
int64_t keep_deadline(int64_t now, int64_t lasts);
/* When an unfinished upload expires if nothing more comes; 0: never. When a finished one is
 * forgotten. ms since the epoch. */
int64_t upload_deadline(const struct keep *keep, const struct resumable *row);
int64_t memory_deadline(const struct keep *keep);

/* ---- room.c: bytes reserved, in the ledger, against free space and quotas -------------------- */

struct room {
	struct keep *keep;
	const struct grant *grant; /* who pays, and what for */
	bool reserved;
	unsigned slot;	  /* of the ledger, where it is */
	int64_t promised; /* bytes reserved */
	int64_t told;	  /* of them, bytes the ledger was told are on disk */
	int64_t credit;	  /* bytes that quotas count already, and that this one replaces */
	bool anothers;	  /* who asks is not who pays: figures are none of his business */
};
/* So many bytes more than what is reserved already. */
enum fault room_reserve(struct room *room, int64_t bytes, struct refusal *why);
/* Would that be refused now? Reserves nothing. */
enum fault room_would_fit(struct room *room, int64_t bytes, struct refusal *why);
/* So many of them are on disk now. */
void room_written(struct room *room, int64_t bytes);
void room_release(struct room *room);

/* ---- incoming.c ------------------------------------------------------------------------------ */

struct incoming { /* one file of an upload */
	struct blob blob;
	char name[NAME_BYTES + 1];
	char declared_type[TYPE_BYTES + 1]; /* empty: none */
	bool judged;			    /* type is known and allowed */
	bool known_durable;		    /* the catalog has this content, synced */
	char type[TYPE_BYTES + 1];
	uint8_t sha256[SHA256_LEN];
};
/* The client's claim made fit to be stored; empty when nothing is left of it. */
void incoming_clean_type(struct span raw, char to[TYPE_BYTES + 1]);
/* What a row says of it: name, declared type, verdict. */
void incoming_describe(struct incoming *file, const struct resumable *row);
/* TYPE_REFUSED as soon as HEAD_BYTES are there. */
enum fault incoming_write(
    struct keep *keep, struct incoming *file, const void *bytes, size_t len, struct refusal *why);
/* Once enough is there: may it be of that type? */
enum fault incoming_look(struct keep *keep, struct incoming *file, struct refusal *why);
/* No more bytes: SHA-256, what was claimed of the whole (DIGEST_MISMATCH), the verdict. */
enum fault incoming_end(
    struct keep *keep, struct incoming *file, const struct claim *whole, struct refusal *why);

/* ---- record.c -------------------------------------------------------------------------------- */

/* What belongs to a file's record besides what came. Absent and NULL: none. */
struct about {
	const char *id, *token;
	struct span owner, address, path;
	const char *fields;
	int64_t lasts;
};
/* The record of `in`, its strings on loan in *files, which has room for it. */
enum fault record_make(
    const struct incoming *in, const struct about *about, struct files *files, struct refusal *why);
/* A finished resumable upload enters: `finish` says what goes with it. */
enum fault record_enter(struct keep *keep, struct incoming *in, bool with_token,
    struct finish *finish, struct files *files, struct refusal *why);
/* All files of one that came in one request. */
enum fault record_enter_all(struct upload *upload, const char *fields, bool with_token,
    struct files *files, struct refusal *why);

/* ---- an upload ------------------------------------------------------------------------------- */

struct upload {
	struct keep *keep;
	const struct grant *grant; /* the request's, or `paid` */
	struct room room;	   /* on top of what a row counts for */
	struct incoming **file;
	size_t count;
	int64_t received; /* bytes of all files, by this request */
	int64_t kept;	  /* bytes that came by the same key before: they need no room again */
	bool open;	  /* the last file takes bytes */
	bool over;	  /* finished, or refused for good */
	/* Where it is resumable: */
	bool resumable;
	struct grant paid; /* the request's; but the upload's owner pays */
	struct resumable row;
	struct holder holder;
	bool held;	     /* the blob is open, holder is entered */
	bool all_or_nothing; /* record nothing before it rests */
	int64_t end;	     /* where this request's body ends, as declared; 0: unknown */
	int64_t prolong_at;  /* ms since the epoch: when to say that bytes still come; 0: never */
	struct digest start; /* at row.offset */
};

/* upload.c: an empty one; NULL: no memory. */
struct upload *upload_new(struct keep *keep, const struct grant *grant);
struct incoming *upload_add_file(struct upload *u);
static inline struct incoming *upload_last(const struct upload *u)
{
	return u->file[u->count - 1];
}
/* rest.c. Bytes will come: may they? Nothing is reserved before the first is there. */
enum fault upload_expect(struct upload *u, struct refusal *why);
/* Room for so many bytes more than have come. */
enum fault upload_make_room(struct upload *u, size_t len, struct refusal *why);
/* Have the store set so many bytes aside for the last file. */
enum fault upload_set_aside(struct upload *u, int64_t length, struct refusal *why);
/* Once bytes have come: prolong, record now and then. */
enum fault upload_progress(struct upload *u, struct refusal *why);
/* Nobody can interrupt us any more, and whoever wants the bytes may have them; !rest: they go. */
void upload_let_go(struct upload *u, bool rest);

/* create.c: one that can rest, not made yet; NULL: no memory. */
struct upload *resumable_new(struct keep *keep, const struct grant *grant);
/* Name, type and the rest of a plan made fit to be stored; strings go into row->texts. */
enum fault resumable_plan(const struct keep *keep, const struct grant *grant,
    const struct upload_plan *plan, struct resumable *row, struct refusal *why);
/* What follows from the row: what the file is called, the body's end. */
void resumable_describe(struct upload *u);
/* resume.c: both absent counts as the same. */
bool same_owner(struct span a, const char *b);
/* With its bytes open and locked: others may ask for it from here on. */
void resumable_hold(struct upload *u, struct exchange *x);

/* standing.c: the running digest, to be stored with its offset. */
void resumable_store_digest(struct resumable *row, const struct digest *digest);
/* What the row has of it; false: another build stored it, or nobody. */
bool resumable_stored_digest(const struct resumable *row, struct digest *digest);
/* Of the same bytes? Both may run on. */
bool digests_agree(struct digest a, struct digest b);
/* Are the bytes there that the row tells of, as far as is known without reading them? */
bool resumable_is_proved(const struct keep *keep, const struct resumable *row);
/* Is there something to go on with? By state, expiry, and whether the bytes are there. */
enum fault resumable_judge(struct keep *keep, const struct resumable *row, struct refusal *why);
/* The row, judged by state, expiry, and whether its bytes are there; see keep_find_upload(). */
enum fault resumable_look(
    struct keep *keep, struct span id, struct resumable *row, struct refusal *why);
/* The digest at the row's offset, of the bytes in fd, whose lock is held. GONE: a power cut has taken
 * some of them. */
enum fault resumable_stand(
    struct keep *keep, struct resumable *row, int fd, struct digest *digest, struct refusal *why);

#endif
