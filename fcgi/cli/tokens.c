/* tokens.c: bearer tokens are made, listed, taken back. */
#include "cli/inside.h"

#include <string.h>
#include <time.h>

static const struct {
	const char *name;
	enum right right;
} rights[] = {{"upload", RIGHT_UPLOAD}, {"read", RIGHT_READ}, {"delete", RIGHT_DELETE},
    {"admin", RIGHT_ADMIN}};
enum { RIGHTS = sizeof rights / sizeof *rights };

/* "upload,read"; 0: a word that is no right, or none at all. */
static unsigned rights_of(const char *text)
{
	struct span rest = span_of(text);
	unsigned set = 0;

	while (rest.len > 0) {
		struct span word = span_trim(span_cut(&rest, ','));
		int i = 0;
		while (i < RIGHTS && !span_is(word, rights[i].name))
			i++;
		if (i == RIGHTS)
			return 0;
		set |= rights[i].right;
	}
	return set;
}

/* A name becomes an owner: it must be fit to be shown. */
static bool is_name(const char *name)
{
	char clean[NAME_BYTES + 1];

	text_clean_name(span_of(name), clean);
	return strcmp(clean, name) == 0 && strlen(name) <= 200;
}

static int read_token(const struct options *o, struct token *token)
{
	int64_t lifetime = 0;

	*token = (struct token){.name = o->rest[1], .created_at = clock_calendar()};
	if (!is_name(token->name))
		return complain_of_use(
		    "token add: a name has at most 200 bytes of UTF-8, no slash, no control characters");
	token->rights = o->can ? rights_of(o->can) : 0;
	if (token->rights == 0)
		return complain_of_use("token add: --can takes a list of upload, read, delete, admin");
	if (o->expires && (!text_duration(span_of(o->expires), &lifetime) || lifetime == 0))
		return complain_of_use("token add: --expires takes a time with its unit, such as 90m, 24h or 30d");
	if (lifetime > INT64_MAX - token->created_at)
		return complain_of_use("token add: --expires is too far away");
	token->expires_at = lifetime ? token->created_at + lifetime : 0;
	if (o->quota && !text_size(span_of(o->quota), &token->quota))
		return complain_of_use("token add: --quota takes a size such as 512M or 10GB");
	return DONE;
}

static int add(struct keep *keep, void *self, struct refusal *why)
{
	const struct token *token = self;
	char text[128];

	if (keep_token_add(keep, token, text, why))
		return complain("%s: %s", token->name, refusal_detail(why));
	puts(text);
	return DONE;
}

static void print_token(void *self, const struct token *token)
{
	char until[32] = "never", quota[TEXT_FIGURE] = "none", since[32], used[32] = "never";
	char can[64] = "";

	for (int i = 0; i < RIGHTS; i++)
		if (token->rights & rights[i].right) {
			strncat(can, can[0] ? "," : "", sizeof can - strlen(can) - 1);
			strncat(can, rights[i].name, sizeof can - strlen(can) - 1);
		}
	if (token->expires_at)
		text_time(token->expires_at, until);
	text_time(token->created_at, since);
	if (token->quota > 0)
		text_figure(token->quota, quota);
	if (token->used_at)
		text_time(token->used_at, used);
	printf("%-24s %-26s created %s  used %-24s  expires %-24s  quota %s\n", token->name, can,
	    since, used, until, quota);
}

static int list(struct keep *keep, void *self, struct refusal *why)
{
	if (keep_token_each(keep, print_token, NULL, why))
		return complain("%s", refusal_detail(why));
	return DONE;
}

static int take_back(struct keep *keep, void *self, struct refusal *why)
{
	const char *name = self;

	if (keep_token_remove(keep, name, why))
		return complain("%s: %s", name, refusal_detail(why));
	return DONE;
}

int cli_token(struct options *o)
{
	const char *action = o->rest[0];
	struct token token;

	if (strcmp(action, "add") == 0 && o->count == 2) {
		int status = read_token(o, &token);
		return status == DONE ? in_keep(o, KEEP_READ | KEEP_WRITE | MAKE, add, &token) : status;
	}
	if (strcmp(action, "ls") == 0 && o->count == 1)
		return in_keep(o, KEEP_READ, list, NULL);
	if (strcmp(action, "rm") == 0 && o->count == 2)
		return in_keep(o, KEEP_READ | KEEP_WRITE | MAKE, take_back, o->rest[1]);
	return complain_of_use("token: add NAME --can ..., ls, or rm NAME");
}
