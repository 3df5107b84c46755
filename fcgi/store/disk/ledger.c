/*
 * ledger.c: the table behind ledger.h.
 *
 * What makes it safe against kill -9 is that there is little to be torn. An entry is free when its
 * `unit` is 0; whoever takes it fills in the figures first and the unit last; whoever gives it back
 * clears the unit, in one store. Sums are not kept but added up, when somebody asks: a scan of a
 * few hundred entries of 32 bytes is cheaper than any repair of a total that drifted.
 *
 * Locks are open-file-description locks (fcntl(2), F_OFD_SETLK): byte LOCKS of the file is the
 * table's lock, byte LOCKS + u says that unit u, an open ledger, lives. The kernel drops both when
 * the last descriptor is gone. A robust futex would save two system calls a reservation, but it
 * names its owner by a thread id, and in two pid namespaces two threads may have the same one.
 */
#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/descriptor.h"
#include "shared/digest.h"
#include "store/disk/ledger_table.h"

enum {
	UNITS = 1024,
	BITS = 64,
	PATIENCE = 2000,     /* ms to wait for the lock, which is held for microseconds */
	STUCK_PATIENCE = 50, /* ms, once somebody has waited in vain and nobody got it since */
	TURN = 50	     /* microseconds between two tries; later ten times that */
};

#define LOCKS ((off_t)1 << 40) /* far behind the table: later builds find the same bytes there */

struct ledger {
	int fd;
	uint32_t unit;
	struct edition edition;
	pthread_mutex_t threads; /* our threads share one description: the lock is one for them */
	atomic_bool stuck;	 /* the last who wanted the lock did not get it */
	struct table *table;
};

/* ---- locks ----------------------------------------------------------------------------------- */

static bool set_lock(int fd, int command, short type, off_t byte)
{
	struct flock lock = {
	    .l_type = type, .l_whence = SEEK_SET, .l_start = LOCKS + byte, .l_len = 1};
	return TEMP_FAILURE_RETRY(fcntl(fd, command, &lock)) == 0;
}

/* Does somebody else hold one of these bytes? When the kernel will not say: yes. */
static bool locked_by_other(int fd, off_t byte, off_t count)
{
	struct flock lock = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCKS + byte, .l_len = count};
	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* Not F_OFD_SETLKW: a process that is stopped holds its locks for ever. */
static enum fault take_lock(struct ledger *l, int64_t until)
{
	for (int tries = 0;; tries++) {
		if (set_lock(l->fd, F_OFD_SETLK, F_WRLCK, 0))
			return FAULT_NONE;
		if (errno != EAGAIN && errno != EACCES)
			return FAULT_INTERNAL;
		if (clock_steady() >= until)
			return FAULT_BUSY;
		usleep(tries < 40 ? TURN : 10 * TURN);
	}
}

static enum fault enter(struct ledger *l)
{
	int64_t until = clock_steady() + (atomic_load(&l->stuck) ? STUCK_PATIENCE : PATIENCE);
	struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	enum fault f = FAULT_BUSY;

	if (pthread_mutex_clocklock(&l->threads, CLOCK_MONOTONIC, &deadline) == 0) {
		f = take_lock(l, until);
		if (f)
			pthread_mutex_unlock(&l->threads);
	}
	atomic_store(&l->stuck, f == FAULT_BUSY);
	return f;
}

static void leave(struct ledger *l)
{
	set_lock(l->fd, F_OFD_SETLK, F_UNLCK, 0);
	pthread_mutex_unlock(&l->threads);
}

/* ---- the dead, under the lock ---------------------------------------------------------------- */

/* Units that live, as far as the kernel was asked. */
struct census {
	uint64_t asked[UNITS / BITS], gone[UNITS / BITS];
};

static bool is_gone(const struct ledger *l, struct census *census, uint32_t unit)
{
	if (unit >= UNITS)
		return true;
	uint64_t bit = UINT64_C(1) << unit % BITS;
	if (unit != l->unit && !(census->asked[unit / BITS] & bit)) {
		census->asked[unit / BITS] |= bit;
		if (!locked_by_other(l->fd, unit, 1))
			census->gone[unit / BITS] |= bit;
	}
	return census->gone[unit / BITS] & bit;
}

/* Free what processes hold that are gone; returns how many entries that were. */
static unsigned reclaim(struct ledger *l)
{
	struct census census = {0};
	unsigned freed = 0;
	for (unsigned i = 0; i < table_used(l->table); i++) {
		struct entry *e = &l->table->entries[i];
		uint32_t unit = atomic_load(&e->unit);
		if (!unit || !is_gone(l, &census, unit))
			continue;
		table_end(l->table, e, unit);
		freed++;
	}
	return freed;
}

static void free_entries_of(struct ledger *l, uint32_t unit)
{
	for (unsigned i = 0; i < table_used(l->table); i++)
		if (atomic_load(&l->table->entries[i].unit) == unit)
			table_end(l->table, &l->table->entries[i], unit);
}

/* ---- open and close -------------------------------------------------------------------------- */

/* Start anew: nobody lives. Every block must be there, or a full disk would be a SIGBUS later. */
static enum fault reset(const struct ledger *l, struct refusal *why)
{
	struct head head = {.edition = l->edition};
	int err = ftruncate(l->fd, sizeof(struct table)) < 0 ? errno : 0;
	if (!err)
		err = posix_fallocate(l->fd, 0, sizeof(struct table));
	if (!err && pwrite(l->fd, &head, sizeof head, 0) < 0)
		err = errno;
	if (!err)
		return FAULT_NONE;
	return refuse(why, fault_of_errno(err),
	    "The ledger of uploads under way cannot be written: %s.", strerror(err));
}

static enum fault check_edition(const struct ledger *l, struct refusal *why)
{
	struct edition found;
	struct stat st;
	if (fstat(l->fd, &st) == 0 && st.st_size == (off_t)sizeof(struct table) &&
	    pread(l->fd, &found, sizeof found, 0) == (ssize_t)sizeof found &&
	    memcmp(&found, &l->edition, sizeof found) == 0)
		return FAULT_NONE;
	return refuse(why, FAULT_BUSY,
	    "Another version of waybill is serving from this data_dir. Stop it first: two versions "
	    "do not share one.");
}

static enum fault claim_unit(struct ledger *l, struct refusal *why)
{
	for (uint32_t unit = 1; unit < UNITS; unit++)
		if (set_lock(l->fd, F_OFD_SETLK, F_WRLCK, unit)) {
			l->unit = unit;
			free_entries_of(l, unit); /* of a dead process that had this number */
			return FAULT_NONE;
		}
	return refuse(why, FAULT_BUSY,
	    "%d processes serve from this data_dir; that is all there may be.", UNITS - 1);
}

static enum fault join(struct ledger *l, struct refusal *why)
{
	enum fault f = locked_by_other(l->fd, 1, UNITS - 1) ? check_edition(l, why) : reset(l, why);
	if (f)
		return f;
	l->table = mmap(NULL, sizeof *l->table, PROT_READ | PROT_WRITE, MAP_SHARED, l->fd, 0);
	if (l->table == MAP_FAILED) {
		l->table = NULL;
		return refuse(why, FAULT_INTERNAL, "mmap of the ledger: %s.", strerror(errno));
	}
	return claim_unit(l, why);
}

static enum fault open_locked(struct ledger *l, struct refusal *why)
{
	enum fault f = enter(l);
	if (f == FAULT_BUSY)
		return refuse(why, f,
		    "The ledger of uploads under way is locked by a process that does not let go. "
		    "Is one stopped? Go on with it, or kill it.");
	if (f)
		return refuse(why, f, "The ledger cannot be locked: %s.", strerror(errno));
	f = join(l, why);
	leave(l);
	return f;
}

struct ledger *ledger_open(int dirfd, const char *name, int schema, struct refusal *why)
{
	struct ledger *l = calloc(1, sizeof *l);
	if (!l) {
		refuse(why, FAULT_INTERNAL, "Out of memory.");
		return NULL;
	}
	pthread_mutex_init(&l->threads, NULL);
	l->edition = (struct edition){LEDGER_MAGIC, sizeof(struct table), (uint64_t)schema};
	l->fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	enum fault f = FAULT_NONE;
	if (l->fd < 0)
		f = refuse(
		    why, fault_of_errno(errno), "%s cannot be opened: %s.", name, strerror(errno));
	if (!f)
		f = open_locked(l, why);
	if (!f)
		return l;
	ledger_close(l);
	return NULL;
}

void ledger_close(struct ledger *l)
{
	if (!l)
		return;
	if (l->table && l->unit)
		free_entries_of(l, l->unit);
	if (l->table)
		munmap(l->table, sizeof *l->table);
	descriptor_close(l->fd);
	pthread_mutex_destroy(&l->threads);
	free(l);
}

/* ---- reservations ---------------------------------------------------------------------------- */

static uint64_t owner_key(struct span owner)
{
	uint8_t value[64];
	uint64_t key;
	if (!owner.at)
		return 0;
	digest_of(DIGEST_SHA256, owner.at, owner.len, value);
	memcpy(&key, value, sizeof key);
	return key ? key : 1;
}

struct ledger_mark ledger_now(const struct ledger *l)
{
	const struct head *head = &l->table->head;
	return (struct ledger_mark){atomic_load(&head->ended), atomic_load(&head->settled)};
}

/* What is asked for. */
struct wish {
	uint64_t owner;
	struct ledger_mark mark;
	ledger_check *check; /* NULL: none */
	void *self;
	unsigned *slot; /* where the index of a free entry goes; NULL: none is wanted */
};

/* Before a refusal counts, make sure that it is not for the sake of the dead. */
static enum fault ask(struct ledger *l, const struct wish *wish)
{
	for (int attempt = 0;; attempt++) {
		struct ledger_sums sums;
		unsigned spare = table_add_up(l->table, wish->owner, wish->mark, &sums);
		enum fault f = wish->check ? wish->check(wish->self, &sums) : FAULT_NONE;
		if (!f && wish->slot && spare == ENTRIES)
			f = FAULT_BUSY;
		if (!f && wish->slot)
			*wish->slot = spare;
		if (!f || attempt || !reclaim(l))
			return f;
	}
}

static void fill(struct ledger *l, unsigned slot, uint64_t owner, int64_t bytes)
{
	struct entry *e = &l->table->entries[slot];
	atomic_store(&e->owner, owner);
	atomic_store(&e->bytes, bytes);
	atomic_store(&e->pending, bytes);
	atomic_store(&e->unit, l->unit);
	if (slot >= table_used(l->table))
		atomic_store(&l->table->head.high, slot + 1);
}

enum fault ledger_reserve(struct ledger *l, struct span owner, int64_t bytes,
    struct ledger_mark mark, ledger_check *check, void *self, unsigned *slot)
{
	struct wish wish = {owner_key(owner), mark, check, self, slot};
	enum fault f = bytes < 0 ? FAULT_INTERNAL : enter(l);
	if (f)
		return f;
	f = ask(l, &wish);
	if (!f)
		fill(l, *slot, wish.owner, bytes);
	leave(l);
	return f;
}

/* The entry, if it is one of ours. */
static struct entry *held(struct ledger *l, unsigned slot)
{
	if (slot >= ENTRIES || atomic_load(&l->table->entries[slot].unit) != l->unit)
		return NULL;
	return &l->table->entries[slot];
}

static enum fault grow(struct entry *e, int64_t more)
{
	int64_t bytes;
	if (__builtin_add_overflow(atomic_load(&e->bytes), more, &bytes))
		return FAULT_INTERNAL;
	atomic_store(&e->bytes, bytes);
	atomic_fetch_add(&e->pending, more); /* pending <= bytes: cannot overflow either */
	return FAULT_NONE;
}

enum fault ledger_grow(struct ledger *l, unsigned slot, int64_t more, struct ledger_mark mark,
    ledger_check *check, void *self)
{
	struct entry *e = held(l, slot);
	enum fault f = !e || more < 0 ? FAULT_INTERNAL : enter(l);
	if (f)
		return f;
	struct wish wish = {atomic_load(&e->owner), mark, check, self, NULL};
	f = ask(l, &wish);
	if (!f)
		f = grow(e, more);
	leave(l);
	return f;
}

void ledger_written(struct ledger *l, unsigned slot, int64_t bytes)
{
	struct entry *e = held(l, slot);
	if (!e || bytes <= 0)
		return;
	int64_t pending = atomic_load(&e->pending);
	/* Counted before it is gone from the entry: see add_late(). */
	atomic_fetch_add(&l->table->head.settled, (uint64_t)(pending < bytes ? pending : bytes));
	while (!atomic_compare_exchange_weak(
	    &e->pending, &pending, pending > bytes ? pending - bytes : 0))
		;
}

void ledger_release(struct ledger *l, unsigned slot)
{
	struct entry *e = held(l, slot);
	if (e)
		table_end(l->table, e, l->unit);
}

int64_t ledger_total(struct ledger *l)
{
	struct census census = {0};
	int64_t total = 0;
	for (unsigned i = 0; i < table_used(l->table); i++) {
		const struct entry *e = &l->table->entries[i];
		uint32_t unit = atomic_load(&e->unit);
		if (unit && !is_gone(l, &census, unit))
			table_add(&total, atomic_load(&e->bytes));
	}
	return total;
}
