/*
 * inside.h: what keep/'s own files know of each other.
 *
 *     keep.c     an open data_dir and its health
 *     records.c  files found, listed, removed; their bytes, proved first where a power cut may
 *                have taken them
 *     upload.c   the life of an upload within one request, on top of:
 *     judge.c    whether it may be: space, quotas, type
 *     promise.c  what a file name's extension promises
 *     tokens.c   who is asking
 *     sweep.c    what has to go
 *     uploads.h  uploads that outlive a request
 */
#ifndef WAYBILL_KEEP_INSIDE_H
#define WAYBILL_KEEP_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "catalog/catalog.h"
#include "keep/keep.h"
#include "shared/clock.h"
#include "sniff/sniff.h"
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
	int64_t next_orphans; /* by the steady clock: when a sweep looks through all objects again */
};

/* When what begins `now` and lasts so long ends; 0, never, where it lasts for ever. */
int64_t keep_deadline(int64_t now, int64_t lasts);

/* promise.c: does what `name`'s extension promises disagree with `type`? Only where it is sure. */
bool promise_broken(const char *name, const char *type);

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

#endif
