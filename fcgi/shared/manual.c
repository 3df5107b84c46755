/*
 * manual.c: the settings shown: `waybill config`, a sample file, the man page's list.
 */
#include "shared/manual.h"

#include <string.h>

#include "shared/key.h"

/* Longer values are cut where they are shown; only lists get near it. */
enum { SHOWN_BYTES = 8192 };

static void print_row(
    FILE *out, const struct key *key, const struct config *config, const struct sources *sources)
{
	char value[SHOWN_BYTES], from[512] = "default";
	int line = sources->from[key - config_keys];
	if (line > 0)
		snprintf(from, sizeof from, "%s:%d", sources->file, line);
	if (line == FROM_ENVIRONMENT)
		snprintf(from, sizeof from, "environment");
	key_show(key, config, value, sizeof value);
	fprintf(out, "%-20s  %-17s  %-11s  %s\n", key->name, value[0] ? value : "(none)", from,
	    key->meaning);
}

bool config_print(const char *path, FILE *out, char *problem, size_t room)
{
	struct config config;
	struct sources sources;
	if (!config_trace(&config, &sources, path, problem, room))
		return false;
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++)
		print_row(out, key, &config, &sources);
	config_free(&config);
	return true;
}

void config_print_sample(FILE *out)
{
	fputs(
	    "# waybill.conf: every key with its default, commented out; see waybill(8).\n"
	    "# One `key = value` a line; $WAYBILL_<KEY> in the environment goes before it. "
	    "`waybill\n"
	    "# config` shows what holds. A running worker reads this once, when it starts.\n"
	    "# First thing, where others can reach it: as it stands, anybody may upload, list and\n"
	    "# download. With upload_access, read_access and delete_access set to `token` only those\n"
	    "# may who were given one (waybill token add).\n",
	    out);
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++) {
		char accepts[192];
		fprintf(out, "\n# %s\n# (%s)\n#%s =%s%s\n", key->meaning,
		    key_accepts(key, accepts, sizeof accepts), key->name,
		    key->initial[0] ? " " : "", key->initial);
	}
}

/* ---- roff ------------------------------------------------------------------------------------ */

enum { LINE_BYTES = 72 }; /* escapes make words longer than they are counted */

/* roff takes a '-' for a hyphen, a backslash for an escape, and a line's first '.' or '\'' for a request. */
static void put_word(FILE *out, const char *word, size_t len)
{
	if (*word == '.' || *word == '\'')
		fputs("\\&", out);
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '-' || word[i] == '\\')
			fputs(word[i] == '-' ? "\\-" : "\\e", out);
		else
			fputc(word[i], out);
	}
}

void manual_put(FILE *out, const char *lead, const char *text)
{
	size_t column = strlen(lead);
	const char *between = "";

	fputs(lead, out);
	while (*(text += strspn(text, " \n"))) {
		size_t len = strcspn(text, " \n");
		bool wrap = *between && column + len >= LINE_BYTES;
		fputs(wrap ? "\n" : between, out);
		column = wrap ? len : column + strlen(between) + len;
		put_word(out, text, len);
		between = " ";
		text += len;
	}
	fputc('\n', out);
}

void config_print_man(FILE *out)
{
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++) {
		char accepts[192];
		fprintf(out, ".TP\n.B %s\n", key->name);
		manual_put(out, "", key->meaning);
		fputs(".br\n", out);
		manual_put(out, "Value: ", key_accepts(key, accepts, sizeof accepts));
		fputs(".br\n", out);
		manual_put(out, "Default: ", key->initial[0] ? key->initial : "none");
	}
}
