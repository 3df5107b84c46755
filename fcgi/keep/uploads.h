/*
 * uploads.h: what the files behind partial.h know of each other.
 *
 *     partial.c   found, made, left, removed
 *     takeover.c  gone on with, taken over
 *     progress.c  bytes come in and are recorded, or taken back
 *     standing.c  how far one has come, held against its bytes where that is needed
 *     finish.c    one becomes a file; several become one
 */
#ifndef WAYBILL_KEEP_UPLOADS_H
#define WAYBILL_KEEP_UPLOADS_H

#include "catalog/uploads.h"
#include "keep/inside.h"
#include "keep/partial.h"
#include "store/holder.h"

/* ---- standing.c ------------------------------------------------------------------------------ */

/* The running digest, to be stored with its offset. */
void partial_store_digest(struct partial_row *row, const struct digest *digest);
/* What the row has of it; false: another build stored it, or nobody. */
bool partial_stored_digest(const struct partial_row *row, struct digest *digest);
/*
 * The digest at the row's offset, of the bytes in fd, whose lock is held. GONE: a power cut has taken
 * some of them.
 */
enum fault partial_stand(struct keep *keep, struct partial_row *row, int fd,
    struct digest *digest, struct refusal *why);
/* Are the bytes there that the row tells of, as far as is known without reading them? */
bool partial_proved(const struct keep *keep, const struct partial_row *row);
/* Make sure of it. GONE: they are not, and the upload was ended; LOCKED: somebody is at it. */
enum fault partial_prove(struct keep *keep, struct span id, struct refusal *why);

/* ---- partial.c, takeover.c, progress.c --------------------------------------------------------- */

struct partial {
	struct keep *keep;
	struct grant grant;   /* of the request; but the upload's owner pays */
	struct upload room;   /* what is reserved in the ledger on top of the row */
	struct incoming file; /* its bytes */
	struct partial_row row;
	struct holder holder;
	int64_t end;	     /* where this request's body ends, as declared; 0: unknown */
	int64_t prolong_at;  /* ms since the epoch: when to say that bytes still come; 0: never */
	bool held;	     /* the blob is open, holder is entered */
	bool all_or_nothing; /* record nothing before the pause */
	bool ended;
	struct digest start; /* at row.offset, for partial_discard() */
};

/* NULL: no memory. */
struct partial *partial_new(struct keep *keep, const struct grant *grant);
/* The row, judged by state, expiry, and whether its bytes are there; see partial_find(). */
enum fault partial_look(
    struct keep *keep, struct span id, struct partial_row *row, struct refusal *why);
/* What follows from the row: name and type as the judge of types wants them, the body's end. */
void partial_describe(struct partial *p);
/* With its bytes open and locked: others may ask for it from here on. */
void partial_hold(struct partial *p, struct exchange *x);
/* Name, type and the rest of a plan made fit to be stored; strings go into row->texts. */
enum fault row_from_plan(const struct keep *keep, const struct grant *grant,
    const struct partial_plan *plan, struct partial_row *row, struct refusal *why);
/* When an unfinished upload expires if nothing more comes; 0: never. When a finished one is
 * forgotten. ms since the epoch. */
int64_t partial_deadline(const struct keep *keep, const struct partial_row *row);
int64_t memory_deadline(const struct keep *keep);

/* The row counts from here on; the ledger need not any more. */
void partial_release_room(struct partial *p);
/* Have the file system set the whole length aside, where it is known. */
enum fault partial_set_aside(struct partial *p, struct refusal *why);
/* Bytes will come: may they? Nothing is reserved before the first is there. TOO_LARGE, NO_SPACE, ... */
enum fault partial_expect(struct partial *p, struct refusal *why);
/* Nobody can interrupt us any more, and whoever wants the bytes may have them; !rest: they go. */
void partial_let_go(struct partial *p, bool rest);

#endif
