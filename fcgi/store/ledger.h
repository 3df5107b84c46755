/*
 * ledger.h: bytes promised to uploads under way, by all processes on one data_dir.
 *
 *     ledger_open -> { ledger_reserve -> (ledger_grow | ledger_written)* -> ledger_release }*
 *                 -> ledger_close
 *
 * A table in a file mapped by every process. A reservation belongs to the process that made it and
 * ends with that process, however it ends: each process holds a lock on one byte of the file, the
 * kernel drops it when the process dies, and whoever finds it gone takes the entries back. The
 * first process to come when nobody lives starts the table anew, so that what a crash, a power cut
 * or an earlier build left there does not matter. Nothing asks for pids: processes in different
 * pid namespaces can share a data_dir.
 *
 * A process that is stopped while it holds the table's lock stops nobody else: whoever does not get
 * the lock within two seconds is told BUSY. Nothing is done under it but arithmetic.
 *
 * Limits: 16,384 reservations, 1,023 processes. All functions are safe from any thread.
 */
#ifndef WAYBILL_STORE_LEDGER_H
#define WAYBILL_STORE_LEDGER_H

#include "shared/flow.h"

struct ledger;

/*
 * Open `name` in dirfd, making it (0640) where need be. All who have it open at a time agree on
 * `schema`, the catalog's version, so that nobody goes on with an old one while a newer program
 * migrates. The descriptor must not be inherited by processes that outlive this one: fork (the
 * sniffers) first. NULL: *why says what is wrong (NO_SPACE; BUSY: too many processes, another
 * version of waybill serves from here, or the lock is not to be had; INTERNAL).
 */
struct ledger *ledger_open(int dirfd, const char *name, int schema, struct refusal *why);
/* Releases all this process still holds. NULL is fine. */
void ledger_close(struct ledger *ledger);

/* How far the table has come; only differences mean anything. */
struct ledger_mark {
	uint64_t ended, settled;
};
struct ledger_mark ledger_now(const struct ledger *ledger);

/*
 * Sums of all live reservations, in bytes. For whoever adds them to figures from elsewhere, which
 * reservations move to when they end (the catalog's sums, free space): take a mark, read those
 * figures, reserve. What left the table in between may be missing from both, so it is added here:
 * too much perhaps, never too little. In ledger_grow() the sums include what the reservation holds.
 */
struct ledger_sums {
	int64_t total;
	int64_t owner_total; /* of the same owner; 0 for the anonymous */
	int64_t pending;     /* promised and not yet written: what free space does not show yet */
	int64_t late;	     /* what has been added for the mark's sake, at most, to one of them */
};

/*
 * May this reservation be made? Called under the lock that all processes share: it must wait for
 * nothing and not call the ledger. May be called a second time, after the entries of dead processes
 * were taken back.
 */
typedef enum fault ledger_check(void *self, const struct ledger_sums *sums);

/*
 * Reserve `bytes` (>= 0, all of them pending) for `owner` (absent: anonymous). `check` decides; its
 * fault is returned as it is. NULL: no check. *slot is what the functions below take. BUSY: the
 * table is full, or its lock not to be had. (Seven parameters, since all of it has to be told under one lock.)
 */
enum fault ledger_reserve(struct ledger *ledger, struct span owner, int64_t bytes,
    struct ledger_mark mark, ledger_check *check, void *self, unsigned *slot);
/* `more` bytes (>= 0), in the same way; on a fault the reservation stays as it was. */
enum fault ledger_grow(struct ledger *ledger, unsigned slot, int64_t more, struct ledger_mark mark,
    ledger_check *check, void *self);
/* `bytes` of it are on disk now: pending shrinks, never below 0. Takes no lock. */
void ledger_written(struct ledger *ledger, unsigned slot, int64_t bytes);
/* Takes no lock. Once per reservation. */
void ledger_release(struct ledger *ledger, unsigned slot);

/* Bytes promised by all live processes. Takes no lock. */
int64_t ledger_total(struct ledger *ledger);

#endif
