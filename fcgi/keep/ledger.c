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
#include "keep/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/digest.h"

enum { ENTRIES = 16384, UNITS = 1024, BITS = 64 };

#define LOCKS ((off_t)1 << 40) /* far behind the table: later builds find the same bytes there */
#define MAGIC UINT64_C(0x7265676465770a01) /* changes with the layout */

struct entry {
	_Atomic uint32_t unit; /* who holds it, 1 ... UNITS - 1; 0: free */
	uint32_t unused;
	_Atomic uint64_t owner; /* first 8 bytes of SHA-256 of the name; 0: anonymous */
	_Atomic int64_t bytes;
	_Atomic int64_t pending;
};

struct head {
	uint64_t magic;
	uint64_t size;	       /* of the table, in bytes */
	_Atomic uint32_t high; /* entries from here on are free, whatever they say */
	uint8_t unused[44];
};

struct table {
	struct head head;
	struct entry entries[ENTRIES];
};

struct ledger {
	int fd;
	uint32_t unit;
	pthread_mutex_t threads; /* our threads share one description: the lock is one for them */
	struct table *table;
};

struct sums {
	int64_t total, owner_total, pending;
	unsigned free; /* index of the first free entry, ENTRIES: none */
};

/* ---- locks ----------------------------------------------------------------------------------- */

static bool set_lock(int fd, int command, short type, off_t byte)
{
	struct flock lock = {
	    .l_type = type, .l_whence = SEEK_SET, .l_start = LOCKS + byte, .l_len = 1};
	int r;
	do
		r = fcntl(fd, command, &lock);
	while (r < 0 && errno == EINTR);
	return r == 0;
}

/* Does somebody else hold one of these bytes? When the kernel will not say: yes. */
static bool locked_by_other(int fd, off_t byte, off_t count)
{
	struct flock lock = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCKS + byte, .l_len = count};
	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

static bool enter(struct ledger *l)
{
	pthread_mutex_lock(&l->threads);
	if (set_lock(l->fd, F_OFD_SETLKW, F_WRLCK, 0))
		return true;
	pthread_mutex_unlock(&l->threads);
	return false;
}

static void leave(struct ledger *l)
{
	set_lock(l->fd, F_OFD_SETLK, F_UNLCK, 0);
	pthread_mutex_unlock(&l->threads);
}

/* ---- the table, under its lock --------------------------------------------------------------- */

static unsigned used(const struct ledger *l)
{
	uint32_t high = atomic_load(&l->table->head.high);
	return high < ENTRIES ? high : ENTRIES;
}

/* Another process wrote the figures: a sum of them must neither overflow nor shrink. */
static void add(int64_t *sum, int64_t figure)
{
	if (figure > 0 && __builtin_add_overflow(*sum, figure, sum))
		*sum = INT64_MAX;
}

/* One pass: the sums, the first free entry; and the table's used part shrinks again. */
static struct sums add_up(struct ledger *l, uint64_t owner)
{
	struct sums sums = {.free = ENTRIES};
	unsigned high = used(l), last = 0;
	for (unsigned i = 0; i < high; i++) {
		struct entry *e = &l->table->entries[i];
		if (!atomic_load(&e->unit)) {
			if (sums.free == ENTRIES)
				sums.free = i;
			continue;
		}
		last = i + 1;
		add(&sums.total, atomic_load_explicit(&e->bytes, memory_order_relaxed));
		add(&sums.pending, atomic_load_explicit(&e->pending, memory_order_relaxed));
		if (owner && atomic_load_explicit(&e->owner, memory_order_relaxed) == owner)
			add(&sums.owner_total,
			    atomic_load_explicit(&e->bytes, memory_order_relaxed));
	}
	atomic_store(&l->table->head.high, last);
	if (sums.free > last)
		sums.free = last;
	return sums;
}

/* Free what processes hold that are gone; returns how many entries that were. */
static unsigned reclaim(struct ledger *l)
{
	uint64_t asked[UNITS / BITS] = {0}, gone[UNITS / BITS] = {0};
	unsigned freed = 0;
	for (unsigned i = 0; i < used(l); i++) {
		uint32_t unit = atomic_load(&l->table->entries[i].unit);
		uint64_t bit = UINT64_C(1) << unit % BITS;
		if (!unit || unit == l->unit)
			continue;
		if (unit < UNITS && !(asked[unit / BITS] & bit)) {
			asked[unit / BITS] |= bit;
			if (!locked_by_other(l->fd, unit, 1))
				gone[unit / BITS] |= bit;
		}
		if (unit < UNITS && !(gone[unit / BITS] & bit))
			continue;
		atomic_store(&l->table->entries[i].unit, 0);
		freed++;
	}
	return freed;
}

static void free_entries_of(struct ledger *l, uint32_t unit)
{
	for (unsigned i = 0; i < used(l); i++) {
		uint32_t holder = unit;
		atomic_compare_exchange_strong(&l->table->entries[i].unit, &holder, 0);
	}
}

/* ---- open and close -------------------------------------------------------------------------- */

/* Start anew: nobody lives. Every block must be there, or a full disk would be a SIGBUS later. */
static enum fault reset(int fd, struct refusal *why)
{
	struct head head = {.magic = MAGIC, .size = sizeof(struct table)};
	int err = ftruncate(fd, sizeof(struct table)) < 0 ? errno : 0;
	if (!err)
		err = posix_fallocate(fd, 0, sizeof(struct table));
	if (!err && pwrite(fd, &head, sizeof head, 0) < 0)
		err = errno;
	if (!err)
		return FAULT_NONE;
	return refuse(why, fault_of_errno(err),
	    "The ledger of uploads under way cannot be written: %s.", strerror(err));
}

static enum fault check_layout(int fd, struct refusal *why)
{
	uint64_t head[2];
	struct stat st;
	if (fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(struct table) &&
	    pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && head[0] == MAGIC &&
	    head[1] == sizeof(struct table))
		return FAULT_NONE;
	return refuse(why, FAULT_BUSY,
	    "Another build of waybill is serving from this data_dir; stop it first.");
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
	enum fault f =
	    locked_by_other(l->fd, 1, UNITS - 1) ? check_layout(l->fd, why) : reset(l->fd, why);
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
	if (!enter(l))
		return refuse(
		    why, FAULT_INTERNAL, "The ledger cannot be locked: %s.", strerror(errno));
	enum fault f = join(l, why);
	leave(l);
	return f;
}

struct ledger *ledger_open(int dirfd, const char *name, struct refusal *why)
{
	struct ledger *l = calloc(1, sizeof *l);
	if (!l) {
		refuse(why, FAULT_INTERNAL, "Out of memory.");
		return NULL;
	}
	pthread_mutex_init(&l->threads, NULL);
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
	if (l->fd >= 0)
		close(l->fd);
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

/* Ask `check`; before a refusal counts, make sure that it is not for the sake of the dead. With
 * `slot` a free entry is wanted too. */
static enum fault ask(
    struct ledger *l, uint64_t owner, ledger_check *check, void *self, unsigned *slot)
{
	for (int attempt = 0;; attempt++) {
		struct sums s = add_up(l, owner);
		enum fault f = FAULT_NONE;
		if (check)
			f = check(self, s.total, s.owner_total, s.pending);
		if (!f && slot && s.free == ENTRIES)
			f = FAULT_BUSY;
		if (!f && slot)
			*slot = s.free;
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
	if (slot >= used(l))
		atomic_store(&l->table->head.high, slot + 1);
}

enum fault ledger_reserve(struct ledger *l, struct span owner, int64_t bytes, ledger_check *check,
    void *self, unsigned *slot)
{
	uint64_t key = owner_key(owner);
	if (bytes < 0 || !enter(l))
		return FAULT_INTERNAL;
	enum fault f = ask(l, key, check, self, slot);
	if (!f)
		fill(l, *slot, key, bytes);
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

enum fault ledger_grow(
    struct ledger *l, unsigned slot, int64_t more, ledger_check *check, void *self)
{
	struct entry *e = held(l, slot);
	if (!e || more < 0 || !enter(l))
		return FAULT_INTERNAL;
	enum fault f = ask(l, atomic_load(&e->owner), check, self, NULL);
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
	while (!atomic_compare_exchange_weak(
	    &e->pending, &pending, pending > bytes ? pending - bytes : 0))
		;
}

void ledger_release(struct ledger *l, unsigned slot)
{
	struct entry *e = held(l, slot);
	if (e)
		atomic_store(&e->unit, 0);
}

int64_t ledger_total(struct ledger *l)
{
	if (!enter(l))
		return 0;
	reclaim(l);
	struct sums s = add_up(l, 0);
	leave(l);
	return s.total;
}
