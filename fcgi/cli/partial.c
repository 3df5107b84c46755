/* partial.c: ls --partial, and rm of what is unfinished. */
#include "cli/inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "keep/upload.h"
#include "reply/reply.h"

struct list {
	bool json, first, short_of_memory;
};

static void print_time(const char *name, int64_t ms)
{
	char time[32];

	text_time(ms, time);
	if (ms == 0)
		printf(",\"%s\":null", name);
	else
		printf(",\"%s\":\"%s\"", name, time);
}

static const char *protocol_name(enum protocol protocol)
{
	return protocol == PROTOCOL_TUS ? "tus" : "ietf";
}

/* Text from outside, as reply/ writes it. */
static bool print_text(const char *name, const char *value)
{
	const struct span pair[] = {span_of(name), span_of(value)};
	char *object = value ? json_fields(pair, 1) : NULL;

	if (object)
		printf(",%.*s", (int)strlen(object) - 2, object + 1); /* without its braces */
	else
		printf(",\"%s\":null", name);
	free(object);
	return object || !value;
}

static void print_json(struct list *list, const struct resumable *row)
{
	printf("%s{\"id\":\"%s\",\"protocol\":\"%s\",\"offset\":%" PRId64, list->first ? "" : ",",
	    row->id, protocol_name(row->protocol), row->offset);
	if (row->length < 0)
		printf(",\"length\":null");
	else
		printf(",\"length\":%" PRId64, row->length);
	printf(",\"part\":%s", row->concat == CONCAT_PARTIAL ? "true" : "false");
	print_time("created_at", row->created_at);
	print_time("expires_at", row->expires_at);
	if (!print_text("name", row->name) || !print_text("declared_type", row->declared_type) ||
	    !print_text("owner", row->owner))
		list->short_of_memory = true;
	printf("}");
}

static void print_row(const struct resumable *row)
{
	char time[32], length[24] = "?";

	text_time(row->created_at, time);
	if (row->length >= 0)
		snprintf(length, sizeof length, "%" PRId64, row->length);
	printf("%s %12" PRId64 " of %12s %s %-4s %s\n", row->id, row->offset, length, time,
	    protocol_name(row->protocol), row->name);
}

static void print_one(void *self, const struct resumable *row)
{
	struct list *list = self;

	if (list->json)
		print_json(list, row);
	else
		print_row(row);
	list->first = false;
}

static int list_uploads(struct keep *keep, void *self, struct refusal *why)
{
	struct list *list = self;
	int status = DONE;

	if (list->json)
		printf("{\"uploads\":[");
	if (keep_each_upload(keep, print_one, list, why))
		status = complain("%s", refusal_detail(why));
	else if (list->short_of_memory)
		status = complain("out of memory");
	if (list->json)
		printf("]}\n");
	return status;
}

int cli_ls_partial(struct options *o)
{
	struct list list = {.json = o->json, .first = true};

	if (o->type || o->name || o->owner || o->since || o->until || o->address || o->limit || o->oldest)
		return complain_of_use("--partial goes with --json, not with the filters of files");
	return in_keep(o, KEEP_READ, list_uploads, &list);
}
