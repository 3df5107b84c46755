/*
 * request_fuzz.c: the environment of a request, one "NAME=value" a line, through everything that
 * accept/ makes of it. What comes out must keep its promises.
 */
#include <stdlib.h>
#include <string.h>

#include "accept/accept.h"

enum { VARIABLES = 40 };

struct environment {
	struct exchange exchange;
	const char *name[VARIABLES], *value[VARIABLES];
	int count;
};

static const char *environment_get(struct exchange *x, const char *name)
{
	struct environment *e = (struct environment *)x;

	for (int i = 0; i < e->count; i++)
		if (strcmp(e->name[i], name) == 0)
			return e->value[i];
	return NULL;
}

static void environment_read(struct environment *e, char *text)
{
	for (char *line = strtok(text, "\n"); line && e->count < VARIABLES;
	     line = strtok(NULL, "\n")) {
		char *equals = strchr(line, '=');
		if (!equals)
			continue;
		*equals = '\0';
		e->name[e->count] = line;
		e->value[e->count++] = equals + 1;
	}
}

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_request(const struct request *r)
{
	must(r->segments <= PATH_SEGMENTS + 1);
	must(r->length_state != LENGTH_KNOWN || r->length >= 0);
	must(r->base.len == 0 || r->base.at[0] == '/');
	/* a token has no blanks around it, and is only ever what stood in Authorization */
	must(!r->bearer.at || (r->bearer.len == 0 || (r->bearer.at[0] != ' ' && r->bearer.at[r->bearer.len - 1] != ' ')));
}

static void use(struct request *r, struct scratch *scratch)
{
	static const struct config open = {
	    .max_bytes = 1000, .max_files = 3, .allowed_origins = (char *)""};
	struct refusal why;
	struct listing listing;
	struct claim claims[2];
	struct span name;
	struct grant grant;
	struct caller nobody = {0};
	struct span asked;
	int64_t lasts;

	refusal_clear(&why);
	if (rules_needs_length(r) && rules_length(r, &open, &why) == FAULT_NONE)
		must(r->length_state == LENGTH_KNOWN && r->length <= 1000);
	if (request_listing(r, &listing, scratch, &why) == FAULT_NONE)
		must(listing.limit >= 1 && listing.limit <= 1000 && listing.after >= 0);
	if (request_file_name(r, scratch, &name, &why) == FAULT_NONE && name.at) {
		char clean[NAME_BYTES + 1];
		text_clean_name(name, clean);
		must(clean[0] != '\0' && !strchr(clean, '/'));
	}
	request_claims(r, claims, &why);
	if (request_parameter(r, "expires_in", scratch, &asked, &why) == FAULT_NONE && asked.at &&
	    text_duration(asked, &lasts))
		must(lasts >= 0);
	if (r->cross_site)
		must(!r->origin_allowed && rules_site(r, &why) == FAULT_CROSS_SITE);
	rules_site(r, &why);
	rules_may_watch(&nobody, r, &why);
	rules_grant(r, &nobody, &open, 0, &grant);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char room[16 * 1024];
	struct environment e = {.exchange = {.env = environment_get}};
	struct scratch scratch = {room, 0, sizeof room};
	struct config config = {
	    .allowed_origins = (char *)"https://a.example, *.b", .base = (char *)""};
	struct request request;
	struct refusal why;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	environment_read(&e, text);
	config.remote_user = size & 1;
	if (size & 2)
		config.base = (char *)"/drop";
	refusal_clear(&why);
	enum fault fault = request_parse(&request, &e.exchange, &config, &scratch, &why);
	check_request(&request);
	if (!fault)
		use(&request, &scratch);
	free(text);
	return 0;
}
