/* files.c: ls and show: what the JSON API does, from a shell. */
#include "cli/inside.h"

#include <inttypes.h>
#include <stdlib.h>

#include "reply/reply.h"
#include "shared/log.h"

enum { PAGE = 1000 };

/* ---- ls -------------------------------------------------------------------------------------- */

int listing_of(const struct options *o, struct listing *l, int64_t *left)
{
	*l = (struct listing){.oldest_first = o->oldest,
	    .type = span_of(o->type),
	    .name = span_of(o->name),
	    .owner = span_of(o->owner),
	    .address = span_of(o->address)};
	*left = INT64_MAX;
	if (o->since && !text_parse_time(span_of(o->since), &l->since))
		return complain_of_use("--since takes a time such as 2026-11-22T11:33:00Z");
	if (o->until && !text_parse_time(span_of(o->until), &l->until))
		return complain_of_use("--until takes a time such as 2026-11-22T11:33:00Z");
	l->until += o->until != NULL; /* its own millisecond belongs to it */
	if (o->limit && (!text_number(span_of(o->limit), left) || *left < 1))
		return complain_of_use("--limit takes a whole number from 1");
	return DONE;
}

void print_file(const struct file *f)
{
	char time[32], size[TEXT_FIGURE], owner[512]; /* which the web server names: any bytes */

	text_time(f->uploaded_at, time);
	time[sizeof "2026-11-22T11:33:00" - 1] = '\0';
	printf("%s  %sZ  %10s  %-24s  %-12s  %s%s%s\n", f->id, time, text_bytes(f->size, size),
	    f->type, log_value(span_of(f->owner), owner, sizeof owner), f->path ? f->path : "",
	    f->path ? "/" : "", f->name);
}

static bool print_files(const struct files *files, bool json, bool *first)
{
	for (size_t i = 0; i < files->count; i++) {
		size_t len;
		char *text = json ? json_record(&files->at[i], (struct span){"", 0}, &len) : NULL;
		if (json && !text)
			return false;
		if (json)
			printf("%s%s", *first ? "" : ",", text);
		else
			print_file(&files->at[i]);
		*first = false;
		free(text);
	}
	return true;
}

struct pages {
	struct listing listing;
	int64_t left;
	bool json;
};

static int list_pages(struct keep *keep, void *self, struct refusal *why)
{
	struct pages *p = self;
	struct listing *l = &p->listing;
	int64_t total = 0;
	bool more = true, first = true, printed = true;

	if (p->json)
		fputs("{\"files\":[", stdout);
	while (more && p->left > 0 && printed) {
		struct files files = {0};
		l->limit = p->left < PAGE ? p->left : PAGE;
		if (keep_list(keep, l, &files, &total, &more, why))
			return complain("%s", refusal_detail(why));
		printed = print_files(&files, p->json, &first);
		p->left -= (int64_t)files.count;
		if (files.count > 0)
			l->after = files.at[files.count - 1].seq;
		more = more && files.count > 0;
		files_release(&files);
	}
	if (p->json && more)
		printf("],\"next\":\"/files?cursor=%" PRId64 "\",\"total\":%" PRId64 "}\n",
		    l->after, total);
	else if (p->json)
		printf("],\"next\":null,\"total\":%" PRId64 "}\n", total);
	return printed ? DONE : complain("out of memory");
}

int cli_ls(struct options *o)
{
	struct pages pages = {.json = o->json};

	if (o->partial)
		return cli_ls_partial(o);
	int status = listing_of(o, &pages.listing, &pages.left);
	return status == DONE ? in_keep(o, KEEP_READ, list_pages, &pages) : status;
}

/* ---- show ------------------------------------------------------------------------------------ */

bool find_file(struct keep *keep, const char *id, struct files *files, struct refusal *why)
{
	*files = (struct files){0};
	refusal_clear(why);
	if (!text_is_id(span_of(id)))
		refuse(why, FAULT_BAD_REQUEST, "\"%s\" is not an id", id);
	else if (!keep_find(keep, span_of(id), files, why))
		return true;
	files_release(files);
	complain("%s: %s", id, refusal_detail(why));
	return false;
}

static int show(struct keep *keep, void *self, struct refusal *why)
{
	const struct options *o = self;
	int status = DONE;

	for (int i = 0; i < o->count; i++) {
		struct files files;
		size_t len;
		if (!find_file(keep, o->rest[i], &files, why)) {
			status = FAILED;
			continue;
		}
		char *text = json_record(&files.at[0], (struct span){"", 0}, &len);
		puts(text ? text : "{}");
		free(text);
		files_release(&files);
	}
	return status;
}

int cli_show(struct options *o)
{
	return in_keep(o, KEEP_READ, show, o);
}
