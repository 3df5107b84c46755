/*
 * judge.c: whether an upload may be: space and quotas before it, the type as soon as it shows.
 */
#include "keep/inside.h"
#include "shared/log.h"
#include "shared/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- space and quotas ------------------------------------------------------------------------ */

enum { TRIES = 8 }; /* to judge by figures that did not change meanwhile */

struct wish {
	const struct upload *upload;
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
	    text_figure(w->bytes, need), whose, text_figure(quota, has), text_figure(quota - used, left));
}

/* Sums that other processes write to are only as sane as those are. */
static int64_t plus(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static enum fault check_quotas(const struct wish *w, int64_t total, int64_t owner_total)
{
	const struct upload *u = w->upload;
	const struct catalog_sums *sums = &w->sums;
	int64_t quota = u->keep->config->quota_bytes, owner_quota = u->grant->owner_quota;

	total = plus(total, sums->bytes + sums->promised - u->credit);
	owner_total = plus(owner_total, sums->owner_bytes + sums->owner_promised - u->credit);
	if (quota > 0 && w->bytes > quota - total)
		return over_quota(w, "this server's", quota, total);
	if (owner_quota == 0 || w->bytes <= owner_quota - owner_total)
		return FAULT_NONE;
	if (u->anothers)
		return refuse(w->why, FAULT_QUOTA_EXCEEDED,
		    "This would go over the quota of the upload's owner. Nothing was stored.");
	return over_quota(w, "your", owner_quota, owner_total);
}

/* Under the ledger's lock. */
static enum fault check_space(void *self, const struct ledger_sums *sums)
{
	struct wish *w = self;
	char need[TEXT_FIGURE], left[TEXT_FIGURE];
	int64_t room = w->free_bytes - plus(sums->pending, w->sums.pending);

	w->late = sums->late > 0;
	if (w->bytes > room && !w->upload->grant->spooled)
		return refuse(w->why, FAULT_NO_SPACE,
		    "This needs %s, but only %s are free on the server. Nothing was stored. Try a "
		    "smaller file, or tell whoever runs this server.",
		    text_figure(w->bytes, need), text_figure(room, left));
	return check_quotas(w, sums->total, sums->owner_total);
}

/* All that nobody's name is on counts as one owner's, or leaving the token out would be a way round
 * the quota. */
static struct span payer(const struct upload *u)
{
	return u->grant->owner.at != NULL ? u->grant->owner : span_of("");
}

static enum fault look_around(struct wish *w)
{
	const struct upload *u = w->upload;
	struct keep *keep = u->keep;
	enum fault f = catalog_sums(keep->catalog, payer(u), &w->sums, w->why);

	w->free_bytes = store_free_bytes(keep->store);
	if (f == FAULT_NONE && w->free_bytes < 0)
		f = refuse(w->why, FAULT_INTERNAL, NULL);
	return f;
}

/*
 * An upload is in the ledger until its COMMIT, and in the catalog from then on; a resumable one
 * between two requests is a row of the catalog, too. The catalog is read before the ledger is
 * locked, after a mark: so what leaves the ledger in between counts, twice perhaps for a moment,
 * never not at all.
 */
static enum fault reserve_once(struct upload *u, struct wish *wish)
{
	struct ledger *ledger = store_ledger(u->keep->store);
	struct ledger_mark mark = ledger_now(ledger);
	int64_t bytes = wish->only_asking ? 0 : wish->bytes;
	enum fault f = look_around(wish);
	unsigned slot;

	if (f != FAULT_NONE)
		return f;
	/* The ledger's own fault (BUSY) leaves *why alone. */
	refuse(wish->why, FAULT_BUSY, NULL);
	f = u->reserved ? ledger_grow(ledger, u->slot, bytes, mark, check_space, wish)
			: ledger_reserve(ledger, payer(u), bytes, mark, check_space, wish, &slot);
	if (f == FAULT_BUSY)
		log_line(LOG_ERROR, "ledger busy",
		    "problem=\"full, or locked by a process that does not let go\"");
	if (f != FAULT_NONE)
		return f;
	if (!u->reserved)
		u->slot = slot;
	if (u->grant->spooled)
		ledger_written(ledger, u->slot, bytes);
	u->reserved = true;
	u->promised += bytes;
	return FAULT_NONE;
}

static enum fault reserve(struct upload *u, int64_t bytes, bool only_asking, struct refusal *why)
{
	struct wish wish = {.upload = u, .bytes = bytes, .why = why, .only_asking = only_asking};
	enum fault f = FAULT_NONE;

	if (store_ledger(u->keep->store) == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	for (int i = 0; i < TRIES; i++) {
		wish.late = false;
		f = reserve_once(u, &wish);
		if (f == FAULT_NONE || !wish.late)
			break;
	}
	if (f == FAULT_NONE)
		refusal_clear(why);
	return f;
}

enum fault upload_reserve(struct upload *u, int64_t bytes, struct refusal *why)
{
	return reserve(u, bytes, false, why);
}

enum fault upload_would_fit(struct upload *u, int64_t bytes, struct refusal *why)
{
	return reserve(u, bytes, true, why);
}

/* ---- types ----------------------------------------------------------------------------------- */

static enum fault refuse_type(
    const struct incoming *file, struct refusal *why, const char *reason, const char *advice)
{
	refuse(why, FAULT_TYPE_REFUSED, "\"%s\" is %s%s%s", file->name, file->type, reason, advice);
	if (why != NULL) {
		span_copy(why->file, sizeof why->file, span_of(file->name));
		span_copy(why->detected_type, sizeof why->detected_type, span_of(file->type));
	}
	return FAULT_TYPE_REFUSED;
}

/*
 * By default programs are refused: ELF, PE and Mach-O. But libmagic calls one random file in eighty
 * a DOS program, because its first byte is that of a jump, and nobody should lose encrypted or
 * compressed data to that guess: with the default list that verdict counts only where the file
 * begins like a program that Windows would run.
 */
static bool is_guess(const struct config *config, const struct incoming *file)
{
	char start[2];

	if (strcmp(file->type, "application/x-dosexec") != 0 ||
	    strcmp(config->deny_types, PROGRAM_TYPES) != 0)
		return false;
	return pread(file->blob.fd, start, sizeof start, 0) == sizeof start &&
	       memcmp(start, "MZ", sizeof start) != 0;
}

static void log_mismatch(const struct incoming *file)
{
	char name[512];

	log_line(LOG_INFO, "name promises another type", "name=%s type=%s",
	    log_value(span_of(file->name), name, sizeof name), file->type);
}

static enum fault check_type(
    const struct config *config, const struct incoming *file, struct refusal *why)
{
	char advice[320];

	if (text_glob_list(config->deny_types, file->type) && !is_guess(config, file))
		return refuse_type(file, why, ", a type that is not accepted here",
		    ". Nothing was stored; send a file of another type.");
	if (!text_glob_list(config->allow_types, file->type)) {
		snprintf(advice, sizeof advice, ". Nothing was stored. Accepted are: %.250s",
		    config->allow_types);
		return refuse_type(file, why, ", a type that is not accepted here", advice);
	}
	if (!promise_broken(file->name, file->type))
		return FAULT_NONE;
	if (config->type_mismatch == MISMATCH_REJECT)
		return refuse_type(file, why, ", but its name promises another type",
		    ". Nothing was stored; give the file the extension of what it is.");
	log_mismatch(file);
	return FAULT_NONE;
}

enum fault upload_judge(struct upload *u, struct incoming *file, struct refusal *why)
{
	size_t len = file->blob.size < HEAD_BYTES ? (size_t)file->blob.size : HEAD_BYTES;
	enum fault f = FAULT_NONE;

	if (file->type[0] == '\0' && u->keep->sniffers == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	if (file->type[0] == '\0')
		f = sniff_type(u->keep->sniffers, file->blob.fd, NULL, len, file->type, why);
	if (f == FAULT_NONE)
		f = check_type(u->keep->config, file, why);
	file->judged = f == FAULT_NONE;
	return f;
}
