/*
 * manual.c: the settings shown: `waybill config`, a sample file, the man page's list.
 */
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
	fputs("# waybill.conf: every key with its default, commented out.\n"
	      "# One `key = value` a line; $WAYBILL_<KEY> in the environment goes before it.\n",
	    out);
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++) {
		char accepts[192];
		fprintf(out, "\n# %s\n# (%s)\n#%s =%s%s\n", key->meaning,
		    key_accepts(key, accepts, sizeof accepts), key->name,
		    key->initial[0] ? " " : "", key->initial);
	}
}

/* roff takes a '-' for a hyphen and a backslash for an escape. */
static void put_roff(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			fputs(*text == '-' ? "\\-" : "\\e", out);
		else
			fputc(*text, out);
	}
}

void config_print_man(FILE *out)
{
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++) {
		char accepts[192];
		fputs(".TP\n.B ", out);
		put_roff(out, key->name);
		fputs("\n\\&", out); /* so that no first character is taken for a request */
		put_roff(out, key->meaning);
		fputs(".\nValue: ", out);
		put_roff(out, key_accepts(key, accepts, sizeof accepts));
		fputs(".\nDefault: ", out);
		put_roff(out, key->initial[0] ? key->initial : "none");
		fputs(".\n", out);
	}
}
