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
 * Limits: 16,384 reservations, 1,023 processes. All functions are safe from any thread.
 */
#ifndef WAYBILL_KEEP_LEDGER_H
#define WAYBILL_KEEP_LEDGER_H

#include "shared/flow.h"

struct ledger;

/*
 * Open `name` in dirfd, making it (0640) where need be. The descriptor must not be inherited by
 * processes that outlive this one: fork (the sniffers) first. NULL: *why says what is wrong
 * (NO_SPACE; BUSY: too many processes, or another build of waybill serves from here; INTERNAL).
 */
struct ledger *ledger_open(int dirfd, const char *name, struct refusal *why);
/* Releases all this process still holds. NULL is fine. */
void ledger_close(struct ledger *ledger);

/*
 * May this reservation be made? Called under the ledger's lock, which all processes share, with
 * the sums of all live reservations, in bytes: total; owner_total, those of the same owner (0 for
 * the anonymous); total_pending, what is promised and not yet written, that is what free space
 * does not show yet. In ledger_grow() the sums include what the reservation holds already. May be
 * called a second time, after the entries of dead processes were taken back. Must not call the
 * ledger.
 */
typedef enum fault ledger_check(
    void *self, int64_t total, int64_t owner_total, int64_t total_pending);

/*
 * Reserve `bytes` (>= 0, all of them pending) for `owner` (absent: anonymous). `check` decides; its
 * fault is returned as it is. NULL: no check. *slot is what the functions below take. BUSY: the
 * table is full.
 */
enum fault ledger_reserve(struct ledger *ledger, struct span owner, int64_t bytes,
    ledger_check *check, void *self, unsigned *slot);
/* `more` bytes (>= 0), in the same way; on a fault the reservation stays as it was. */
enum fault ledger_grow(
    struct ledger *ledger, unsigned slot, int64_t more, ledger_check *check, void *self);
/* `bytes` of it are on disk now: pending shrinks, never below 0. Takes no lock. */
void ledger_written(struct ledger *ledger, unsigned slot, int64_t bytes);
/* Takes no lock. Once per reservation. */
void ledger_release(struct ledger *ledger, unsigned slot);

/* Bytes promised by all live processes. Takes back what dead ones held. */
int64_t ledger_total(struct ledger *ledger);

#endif
