/*
 * holder.h: who holds a named blob, and making them let go.
 *
 * Holding ends with the process, however it ends. At most one request holds a blob; one that wants
 * it makes the other let go, also in another process.
 */
#ifndef WAYBILL_STORE_HOLDER_H
#define WAYBILL_STORE_HOLDER_H

#include "store/store.h"

struct holder {
	char id[ID_LEN + 1];
	struct exchange *x; /* NULL: cannot be interrupted */
	bool wanted;	    /* another request waits for it; atomic */
	struct holder *next;
};

enum { HOLDER_PATIENCE = 4000 /* ms to wait for another to let go */ };

/* With the store: before the first upload, after the last. */
bool holders_open(struct store *store);
void holders_close(struct store *store);

/* With its blob open: others may ask for it from here on, until it is left. */
void holder_enter(struct store *store, struct holder *holder);
void holder_leave(struct store *store, struct holder *holder);
/* Open and lock the blob, once whoever has it has let go. LOCKED: that took too long. NOT_FOUND. It
 * stands at 0: blob_cut() it to what is known to count. */
enum fault holder_take(
    struct store *store, const char *id, int patience, struct blob *blob, struct refusal *why);
/* Wait until nobody holds it. False: somebody still does. */
bool holder_settle(struct store *store, const char *id, int patience);
/* For who holds its lock without having entered: does another process wait for it? */
bool holder_wanted(const struct store *store, const char *id);

#endif
