/*
 * room.c: whether an upload may be: space and quotas.
 */
#include "keep/inside.h"
#include "shared/log.h"
#include "shared/text.h"

enum { TRIES = 8 }; /* to judge by figures that did not change meanwhile */

struct wish {
	const struct room *room;
	int64_t bytes;
	struct refusal *why;
	bool only_asking; /* nothing is to be reserved */
	/* As they were after the ledger's mark. */
	int64_t free_bytes;
	struct catalog_sums sums;
	bool late; /* something changed since: a refusal may be too strict */
};

static enum fault over_quota(const struct wish *w, const char *whose, int64_t quota, int64_t used)
{
	char need[TEXT_FIGURE], has[TEXT_FIGURE], left[TEXT_FIGURE];

	return refuse(w->why, FAULT_QUOTA_EXCEEDED,
	    "This needs %s, but of %s quota of %s only %s are left. Nothing was stored. Remove "
	    "something first, or ask whoever runs this server.",
	    text_figure(w->bytes, need), whose, text_figure(quota, has),
	    text_figure(quota - used, left));
}

/* Sums that other processes write to are only as sane as those are. */
static int64_t plus(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static enum fault check_quotas(const struct wish *w, int64_t total, int64_t owner_total)
{
	const struct room *r = w->room;
	const struct catalog_sums *sums = &w->sums;
	int64_t quota = r->keep->config->quota_bytes, owner_quota = r->grant->owner_quota;

	total = plus(total, sums->bytes + sums->promised - r->credit);
	owner_total = plus(owner_total, sums->owner_bytes + sums->owner_promised - r->credit);
	if (quota > 0 && w->bytes > quota - total)
		return over_quota(w, "this server's", quota, total);
	if (owner_quota == 0 || w->bytes <= owner_quota - owner_total)
		return FAULT_NONE;
	if (r->anothers)
		return refuse(w->why, FAULT_QUOTA_EXCEEDED,
		    "This would go over the quota of the upload's owner. Nothing was stored.");
	return over_quota(w, "your", owner_quota, owner_total);
}

/* Under the ledger's lock. */
static enum fault check_space(void *self, const struct ledger_sums *sums)
{
	struct wish *w = self;
	char need[TEXT_FIGURE], left[TEXT_FIGURE];
	int64_t free_bytes = w->free_bytes - plus(sums->pending, w->sums.pending);

	w->late = sums->late > 0;
	if (w->bytes > free_bytes && !w->room->grant->spooled)
		return refuse(w->why, FAULT_NO_SPACE,
		    "This needs %s, but only %s are free on the server. Nothing was stored. Try a "
		    "smaller file, or tell whoever runs this server.",
		    text_figure(w->bytes, need), text_figure(free_bytes, left));
	return check_quotas(w, sums->total, sums->owner_total);
}

/* All that nobody's name is on counts as one owner's, or leaving the token out would be a way round
 * the quota. */
static struct span payer(const struct room *r)
{
	return r->grant->owner.at != NULL ? r->grant->owner : span_of("");
}

static enum fault look_around(struct wish *w)
{
	struct keep *keep = w->room->keep;
	enum fault f = catalog_sums(keep->catalog, payer(w->room), &w->sums, w->why);

	w->free_bytes = store_free_bytes(keep->store);
	if (!f && w->free_bytes < 0)
		f = refuse(w->why, FAULT_INTERNAL, NULL);
	return f;
}

/*
 * An upload is in the ledger until its COMMIT, and in the catalog from then on; a resumable one
 * between two requests is a row of the catalog, too. The catalog is read before the ledger is
 * locked, after a mark: so what leaves the ledger in between counts, twice perhaps for a moment,
 * never not at all.
 */
static enum fault reserve_once(struct room *r, struct wish *wish)
{
	struct ledger *ledger = store_ledger(r->keep->store);
	struct ledger_mark mark = ledger_now(ledger);
	int64_t bytes = wish->only_asking ? 0 : wish->bytes;
	enum fault f = look_around(wish);
	unsigned slot;

	if (f)
		return f;
	/* The ledger's own fault (BUSY) leaves *why alone. */
	refuse(wish->why, FAULT_BUSY, NULL);
	f = r->reserved ? ledger_grow(ledger, r->slot, bytes, mark, check_space, wish)
			: ledger_reserve(ledger, payer(r), bytes, mark, check_space, wish, &slot);
	if (f == FAULT_BUSY)
		log_line(LOG_ERROR, "ledger busy",
		    "problem=\"full, or locked by a process that does not let go\"");
	if (f)
		return f;
	if (!r->reserved)
		r->slot = slot;
	if (r->grant->spooled)
		ledger_written(ledger, r->slot, bytes);
	r->reserved = true;
	r->promised += bytes;
	return FAULT_NONE;
}

static enum fault reserve(struct room *r, int64_t bytes, bool only_asking, struct refusal *why)
{
	struct wish wish = {.room = r, .bytes = bytes, .why = why, .only_asking = only_asking};
	enum fault f = FAULT_NONE;

	if (store_ledger(r->keep->store) == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	for (int i = 0; i < TRIES; i++) {
		wish.late = false;
		f = reserve_once(r, &wish);
		if (!f || !wish.late)
			break;
	}
	if (!f)
		refusal_clear(why);
	return f;
}

enum fault room_reserve(struct room *room, int64_t bytes, struct refusal *why)
{
	return reserve(room, bytes, false, why);
}

enum fault room_would_fit(struct room *room, int64_t bytes, struct refusal *why)
{
	return reserve(room, bytes, true, why);
}

void room_written(struct room *room, int64_t bytes)
{
	if (!room->reserved)
		return;
	ledger_written(store_ledger(room->keep->store), room->slot, bytes);
	room->told += bytes;
}

void room_release(struct room *room)
{
	if (room->reserved)
		ledger_release(store_ledger(room->keep->store), room->slot);
	room->reserved = false;
	room->promised = 0;
}
