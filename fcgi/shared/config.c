/*
 * config.c: inih's only door: the settings are gathered from defaults, file and environment.
 */
#include "shared/config.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/key.h"
#include "shared/log.h"
#include "shared/text.h"

static const char standard_file[] = "/etc/waybill.conf";

/* A list of media types can be long; inih's own 200 bytes would cut it silently. */
enum { LINE_BYTES = 16384, REASON_BYTES = 320 };

/* One reading of the settings. */
struct loading {
	struct config *config;
	struct sources *sources;
	FILE *in;
	int line;
	char *problem;
	size_t room;
	bool failed; /* *problem is set: the first one counts */
};

static bool fail(struct loading *l, const char *key, const char *reason)
{
	if (!l->failed)
		snprintf(l->problem, l->room, "%s:%d: %s%s%s", l->sources->file, l->line,
		    key ? key : "", key ? ": " : "", reason);
	l->failed = true;
	return false;
}

/* ---- the file -------------------------------------------------------------------------------- */

static const struct key *find_key(const char *name)
{
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++)
		if (strcmp(key->name, name) == 0)
			return key;
	return NULL;
}

/* Levenshtein's distance between two names of at most NAMES_MAX bytes; longer ones are far off. */
enum { NAMES_MAX = 32, FAR = 99 };

static unsigned distance(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned row[NAMES_MAX + 1];
	if (a_len > NAMES_MAX || b_len > NAMES_MAX)
		return FAR;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

/* A key that the writer may have meant, fewer than `least` letters away, or NULL. */
static const struct key *nearest_key(const char *name, unsigned least)
{
	const struct key *nearest = NULL;
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++) {
		unsigned far = distance(name, key->name);
		if (far < least) {
			least = far;
			nearest = key;
		}
	}
	return nearest;
}

static bool unknown_key(struct loading *l, const char *name)
{
	char shown[NAMES_MAX * 2], reason[REASON_BYTES];
	size_t half = strlen(name) / 2;
	const struct key *near = nearest_key(name, half < 4 ? half + 1 : 5); /* beyond, a guess */
	if (near)
		snprintf(reason, sizeof reason, "no such key; did you mean %s?", near->name);
	else
		snprintf(reason, sizeof reason, "no such key; `waybill config` lists them");
	log_value(span_of(name), shown, sizeof shown);
	return fail(l, shown, reason);
}

/* inih's handler: 0 stops it. */
static int take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct loading *l = user;
	const struct key *key = find_key(name);
	char reason[REASON_BYTES];
	if (!key)
		return unknown_key(l, name);
	if (l->sources->from[key - config_keys] > 0) {
		snprintf(reason, sizeof reason,
		    "given twice, here and in line %d; keep one of them",
		    l->sources->from[key - config_keys]);
		return fail(l, key->name, reason);
	}
	if (!key_set(key, l->config, span_of(value), reason, sizeof reason))
		return fail(l, key->name, reason);
	l->sources->from[key - config_keys] = l->line;
	return 1;
}

/* inih would take a section, and `key: value`; here they are more likely mistakes. */
static bool is_line_of_ours(struct loading *l, const char *line)
{
	if (l->line == 1 && strncmp(line, "\xEF\xBB\xBF", 3) == 0)
		line += 3;
	line += strspn(line, " \t\r\n\v\f");
	if (*line == '[')
		return fail(l, NULL, "there are no [sections] here; only lines of `key = value`");
	if (*line == '\0' || *line == '#' || *line == ';')
		return true;
	if (line[strcspn(line, "=:")] != '=' || *line == '=')
		return fail(l, NULL, "not a line of `key = value`");
	return true;
}

/* inih's fgets(), but for long lines and NULs: they are told, not cut. NULL ends the reading. */
static char *read_line(char *to, int room, void *stream)
{
	struct loading *l = stream;
	int len = 0, c = 0;
	l->line++;
	while (c != '\n' && (c = getc(l->in)) != EOF) {
		if (c == '\0' || len + 1 >= room) {
			fail(l, NULL,
			    c ? "the line is too long" : "there is a NUL byte in the line");
			return NULL;
		}
		to[len++] = c;
	}
	to[len] = '\0';
	if (ferror(l->in)) {
		snprintf(l->problem, l->room, "%s: cannot be read: %s", l->sources->file,
		    strerror(errno));
		l->failed = true;
		return NULL;
	}
	return len && is_line_of_ours(l, to) ? to : NULL;
}

static bool parse(struct loading *l)
{
	ini_allow_inline_comments = false; /* ';' may stand in a value */
	ini_allow_multiline = false;	   /* an indented line is no continuation */
	ini_allow_bom = true;
	ini_stop_on_first_error = true;
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_initial_alloc = ini_max_line = LINE_BYTES;
	int line = ini_parse_stream(read_line, l, take_pair, l);
	if (line == 0 || l->failed)
		return !l->failed;
	return fail(l, NULL, line < 0 ? "no memory to read it" : "not a line of `key = value`");
}

static bool load_file(struct loading *l, const char *path)
{
	const char *named = getenv("WAYBILL_CONFIG");
	if (!path && named && *named)
		path = named;
	l->sources->file = path ? path : standard_file;
	l->in = fopen(l->sources->file, "re");
	if (l->in) {
		bool done = parse(l);
		fclose(l->in);
		return done;
	}
	if (!path && (errno == ENOENT || errno == ENOTDIR)) {
		l->sources->file = NULL;
		return true;
	}
	snprintf(
	    l->problem, l->room, "%s: cannot be opened: %s", l->sources->file, strerror(errno));
	return false;
}

/* ---- defaults and the environment ------------------------------------------------------------ */

static bool load_defaults(struct loading *l)
{
	char reason[REASON_BYTES];
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++)
		if (!key_set(key, l->config, span_of(key->initial), reason, sizeof reason)) {
			snprintf(l->problem, l->room, "default of %s: %s", key->name, reason);
			return false;
		}
	return true;
}

/* "WAYBILL_MAX_BYTES" for max_bytes. */
static void variable_of(const struct key *key, char *to, size_t room)
{
	snprintf(to, room, "WAYBILL_%s", key->name);
	for (; *to; to++)
		if (*to >= 'a' && *to <= 'z')
			*to += 'A' - 'a';
}

/* What is no setting, and yet begins as one: where the file is, what web servers tell. */
static bool is_parameter(const char *name)
{
	static const char *const parameters[] = {
	    "CONFIG", "STREAMED", "RELAYS_104", "OBJECTS", "BODY_LIMIT"};

	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if (strcmp(name, parameters[i]) == 0)
			return true;
	return false;
}

/* Lower case of the name after "WAYBILL_", where that is neither a setting nor a parameter. */
static bool is_stranger(const char *variable, char name[NAMES_MAX + 1])
{
	size_t len = strcspn(variable, "="), lead = strlen("WAYBILL_"), i = 0;

	if (len <= lead || strncmp(variable, "WAYBILL_", lead) != 0 || len - lead > NAMES_MAX)
		return false;
	memcpy(name, variable + lead, len - lead);
	name[len - lead] = '\0';
	if (is_parameter(name))
		return false;
	for (; name[i]; i++)
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] += 'a' - 'A';
	return !find_key(name);
}

/*
 * A variable that is nearly a setting is a slip, and would be one silently. Others are left alone:
 * Kubernetes, for one, gives every container WAYBILL_PORT and WAYBILL_SERVICE_HOST where a service is
 * called waybill.
 */
static bool refuse_slips(struct loading *l)
{
	enum { SLIP = 3 };
	char name[NAMES_MAX + 1], meant[64];

	for (char **variable = environ; *variable; variable++) {
		const struct key *near = NULL;
		if (is_stranger(*variable, name) && strlen(name) > 3)
			near = nearest_key(name, SLIP);
		if (!near)
			continue;
		variable_of(near, meant, sizeof meant);
		snprintf(l->problem, l->room,
		    "%.*s (environment): no such setting; did you mean %s?",
		    (int)strcspn(*variable, "="), *variable, meant);
		return false;
	}
	return true;
}

static bool load_environment(struct loading *l)
{
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++) {
		char name[64], reason[REASON_BYTES];
		variable_of(key, name, sizeof name);
		const char *value = getenv(name);
		if (!value)
			continue;
		struct span s = span_trim(span_of(value));
		if (!key_set(key, l->config, s, reason, sizeof reason)) {
			snprintf(l->problem, l->room, "%s (environment): %s", name, reason);
			return false;
		}
		l->sources->from[key - config_keys] = FROM_ENVIRONMENT;
	}
	return refuse_slips(l);
}

/* ---- all together ---------------------------------------------------------------------------- */

bool config_trace(
    struct config *config, struct sources *sources, const char *path, char *problem, size_t room)
{
	struct loading l = {.config = config, .sources = sources, .problem = problem, .room = room};
	memset(config, 0, sizeof *config);
	memset(sources, 0, sizeof *sources);
	if (load_defaults(&l) && load_file(&l, path) && load_environment(&l))
		return true;
	config_free(config);
	return false;
}

bool config_load(struct config *config, const char *path, char *problem, size_t room)
{
	struct sources sources;
	return config_trace(config, &sources, path, problem, room);
}

void config_free(struct config *config)
{
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++)
		if (key_is_text(key))
			free(*(char **)key_value(key, config));
	memset(config, 0, sizeof *config);
}

/* ---- a second reading ------------------------------------------------------------------------ */

/* The store is one as long as somebody serves from it: uploads go on in it, and links point there. */
static const int lasting[] = {KEY_data_dir};

/* A list's items may stand closer in the file than here. */
enum { SHOWN_BYTES = 2 * LINE_BYTES };

static bool differs(const struct key *key, const struct config *a, const struct config *b)
{
	char one[SHOWN_BYTES], other[SHOWN_BYTES];

	return strcmp(key_show(key, a, one, sizeof one), key_show(key, b, other, sizeof other)) !=
	       0;
}

static void name_key(const struct key *key, char *list, size_t room)
{
	size_t len = strlen(list);

	snprintf(list + len, room - len, "%s%s", len ? "," : "", key->name);
}

bool config_follow(
    struct config *next, const struct config *now, char *kept, char *changed, size_t room)
{
	char value[SHOWN_BYTES], reason[REASON_BYTES];

	*kept = *changed = '\0';
	for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++) {
		const struct key *key = &config_keys[lasting[i]];
		if (!differs(key, next, now))
			continue;
		name_key(key, kept, room);
		key_show(key, now, value, sizeof value);
		if (!key_set(key, next, span_of(value), reason, sizeof reason))
			return false;
	}
	for (const struct key *key = config_keys; key < config_keys + KEY_COUNT; key++)
		if (differs(key, next, now))
			name_key(key, changed, room);
	return true;
}
