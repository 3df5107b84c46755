/*
 * remove.c: files go, by their ids, or all of an owner, an address, a time: these are shown first.
 */
#include "cli/inside.h"

#include <inttypes.h>

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

static int remove_ids(struct keep *keep, void *self, struct refusal *why)
{
	const struct options *o = self;
	int status = DONE;

	for (int i = 0; i < o->count; i++) {
		refusal_clear(why);
		if (!text_is_id(span_of(o->rest[i])))
			status = complain("\"%s\" is not an id", o->rest[i]);
		else if (remove_any(keep, span_of(o->rest[i]), why))
			status = complain("%s: %s", o->rest[i], refusal_detail(why));
	}
	return status;
}

/* ---- by what they are ------------------------------------------------------------------------ */

struct removal {
	struct listing listing;
	bool yes;
	int64_t files, bytes; /* so far */
};

/* False: it could not be removed, and that has been said. Who removes beside us is right, too. */
static bool take(struct keep *keep, const struct file *file, struct removal *r)
{
	struct refusal why = NO_REFUSAL;

	if (!r->yes)
		print_file(file);
	enum fault f = r->yes ? keep_remove(keep, span_of(file->id), &why) : FAULT_NONE;
	if (f == FAULT_NOT_FOUND)
		return true;
	r->files += !f;
	r->bytes += !f ? file->size : 0;
	if (f)
		complain("%s: %s", file->id, refusal_detail(&why));
	return !f;
}

static int take_all(struct keep *keep, struct removal *r, struct refusal *why)
{
	struct listing *l = &r->listing;
	int64_t total;
	bool more = true, done = true;

	l->limit = PAGE;
	while (more && done) {
		struct files files = {0};
		if (keep_list(keep, l, &files, &total, &more, why))
			return complain("%s", refusal_detail(why));
		for (size_t i = 0; i < files.count && done; i++)
			done = take(keep, &files.at[i], r);
		if (files.count > 0)
			l->after = files.at[files.count - 1].seq;
		more = more && files.count > 0;
		files_release(&files);
	}
	return done ? DONE : FAILED;
}

static int remove_matching(struct keep *keep, void *self, struct refusal *why)
{
	struct removal *r = self;
	char size[TEXT_FIGURE];
	int status = take_all(keep, r, why);

	text_bytes(r->bytes, size);
	if (r->yes)
		printf("%" PRId64 " files, %s: removed\n", r->files, size);
	else if (status == DONE && r->files == 0)
		printf("no file matches\n");
	else if (status == DONE)
		printf("%" PRId64 " file%s, %s, would be removed; --yes removes them. Unfinished "
		       "uploads stay: see waybill ls --partial.\n",
		    r->files, r->files == 1 ? "" : "s", size);
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
	struct removal removal = {.yes = o->yes};
	int64_t left;

	if (filters == (o->count > 0) || (o->yes && !filters))
		return complain_of_use(o->count > 0
			? "rm takes ids, or what to remove (--owner, --since ...), not both"
			: "rm wants ids, or what to remove: --owner, --since ...");
	if (has_empty(o))
		return complain_of_use("an option of rm has an empty value, which says nothing of what to remove");
	int status = listing_of(o, &removal.listing, &left);
	if (status != DONE)
		return status;
	if (!filters)
		return in_keep(o, KEEP_READ | KEEP_WRITE, remove_ids, o);
	return in_keep(o, KEEP_READ | (o->yes ? KEEP_WRITE : 0), remove_matching, &removal);
}
