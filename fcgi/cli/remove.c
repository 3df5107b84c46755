/*
 * remove.c: files go, by their ids, or all of an owner, an address, a time: these are shown first.
 */
#include "cli/inside.h"

#include <inttypes.h>
#include <string.h>

#include "keep/upload.h"

enum { PAGE = 1000 };

/* ---- by id ----------------------------------------------------------------------------------- */

/* A file, or an upload that is not one yet, or has just become one. */
static enum fault remove_any(struct keep *keep, struct span id, struct refusal *why)
{
	enum fault f = keep_remove(keep, id, why);

	if (f == FAULT_NOT_FOUND)
		f = keep_remove_upload(keep, id, why);
	return f == FAULT_FINISHED ? keep_remove(keep, id, why) : f;
}

static int remove_ids(struct keep *keep, const struct options *o)
{
	int status = DONE;

	for (int i = 0; i < o->count; i++) {
		struct refusal why;
		refusal_clear(&why);
		if (!text_is_id(span_of(o->rest[i])))
			status = complain("\"%s\" is not an id", o->rest[i]);
		else if (remove_any(keep, span_of(o->rest[i]), &why))
			status = complain("%s: %s", o->rest[i], refusal_detail(&why));
	}
	return status;
}

/* ---- by what they are ------------------------------------------------------------------------ */

struct tally {
	int64_t files, bytes;
};

/* False: it could not be removed, and that has been said. Who removes beside us is right, too. */
static bool take(struct keep *keep, const struct file *file, bool yes, struct tally *tally)
{
	struct refusal why;

	refusal_clear(&why);
	if (!yes)
		print_file(file);
	enum fault f = yes ? keep_remove(keep, span_of(file->id), &why) : FAULT_NONE;
	if (f == FAULT_NOT_FOUND)
		return true;
	tally->files += !f;
	tally->bytes += !f ? file->size : 0;
	if (f)
		complain("%s: %s", file->id, refusal_detail(&why));
	return !f;
}

static int take_all(struct keep *keep, struct listing *l, bool yes, struct tally *tally)
{
	struct refusal why;
	int64_t total;
	bool more = true, done = true;

	refusal_clear(&why);
	l->limit = PAGE;
	while (more && done) {
		struct files files = {0};
		if (keep_list(keep, l, &files, &total, &more, &why))
			return complain("%s", refusal_detail(&why));
		for (size_t i = 0; i < files.count && done; i++)
			done = take(keep, &files.at[i], yes, tally);
		if (files.count > 0)
			l->after = files.at[files.count - 1].seq;
		more = more && files.count > 0;
		files_release(&files);
	}
	return done ? DONE : FAILED;
}

static int remove_matching(struct keep *keep, struct listing *l, bool yes)
{
	struct tally tally = {0};
	char size[TEXT_FIGURE];
	int status = take_all(keep, l, yes, &tally);

	text_bytes(tally.bytes, size);
	if (yes)
		printf("%" PRId64 " files, %s: removed\n", tally.files, size);
	else if (status == DONE && tally.files == 0)
		printf("no file matches\n");
	else if (status == DONE)
		printf("%" PRId64 " file%s, %s, would be removed; --yes removes them. Unfinished "
		       "uploads stay: see waybill ls --partial.\n",
		    tally.files, tally.files == 1 ? "" : "s", size);
	return status;
}

/* As an unset variable of a shell makes it: it must not stand for all there is. */
static bool is_empty(const char *value)
{
	return value && !value[0];
}

static bool has_empty(const struct options *o)
{
	return is_empty(o->owner) || is_empty(o->address) || is_empty(o->since) ||
	       is_empty(o->until) || is_empty(o->name) || is_empty(o->type);
}

int cli_rm(struct options *o)
{
	bool filters = o->owner || o->address || o->since || o->until || o->name || o->type;
	struct store store;
	struct listing listing;
	int64_t left;

	if (filters == (o->count > 0) || (o->yes && !filters)) {
		complain(o->count > 0
			     ? "rm takes ids, or what to remove (--owner, --since ...), not both"
			     : "rm wants ids, or what to remove: --owner, --since ...");
		return USAGE;
	}
	if (has_empty(o)) {
		complain(
		    "an option of rm has an empty value, which says nothing of what to remove");
		return USAGE;
	}
	int status = listing_of(o, &listing, &left);
	if (status == DONE)
		status = open_keep(&store, o, KEEP_READ | (filters && !o->yes ? 0 : KEEP_WRITE));
	if (status != DONE)
		return status;
	status =
	    filters ? remove_matching(store.keep, &listing, o->yes) : remove_ids(store.keep, o);
	return close_keep(&store, status);
}
