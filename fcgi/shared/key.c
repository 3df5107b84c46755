/*
 * key.c: one setting: its text checked and turned into a value, and back.
 */
#include "shared/key.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/item.h"
#include "shared/log.h"
#include "shared/text.h"

const struct key config_keys[KEY_COUNT] = {
#define X(kind, key, initial, bounds, meaning)                                                     \
	{KIND_##kind, #key, initial, bounds, meaning, offsetof(struct config, key)},
    CONFIG_KEYS(X)
#undef X
};

/* Room that data_dir and its like leave for what stands below them. */
enum { PATH_BYTES = PATH_MAX - 256 };

void *key_value(const struct key *key, const struct config *config)
{
	return (char *)config + key->at;
}

bool key_is_text(const struct key *key)
{
	return key->kind <= KIND_LAST_TEXT;
}

static bool is_choice(const struct key *key)
{
	return key->kind == KIND_CHOICE || key->kind == KIND_ACCESS;
}

/* ---- numbers and choices --------------------------------------------------------------------- */

static bool parse_number(const struct key *key, struct span s, int64_t *n)
{
	if (key->kind == KIND_DURATION)
		return text_duration(s, n);
	return key->kind == KIND_COUNT ? text_number(s, n) : text_size(s, n);
}

static bool set_number(const struct key *key, struct config *config, struct span value)
{
	struct span high = span_of(key->bounds), low = span_cut(&high, '-');
	int64_t n, bound;
	if (!parse_number(key, value, &n))
		return false;
	if ((parse_number(key, low, &bound) && n < bound) ||
	    (parse_number(key, high, &bound) && n > bound))
		return false;
	*(int64_t *)key_value(key, config) = n;
	return true;
}

/* Index of `value` among "a|b|c", or -1. */
static int choice_index(const char *choices, struct span value)
{
	struct span rest = span_of(choices);
	for (int i = 0; rest.at; i++) {
		if (span_same(span_cut(&rest, '|'), value))
			return i;
	}
	return -1;
}

static bool set_choice(const struct key *key, struct config *config, struct span value)
{
	int index = choice_index(key->bounds, value);
	/* not every key with an access offers all of them, but all mean the same by one */
	if (index >= 0 && key->kind == KIND_ACCESS)
		index = choice_index(ACCESS_CHOICES, value);
	if (index >= 0)
		*(int *)key_value(key, config) = index;
	return index >= 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* `text` is taken over, also when it is NULL: no memory. */
static bool keep_text(const struct key *key, struct config *config, char *text)
{
	char **slot = key_value(key, config);
	if (text) {
		free(*slot);
		*slot = text;
	}
	return text != NULL;
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (text_is_control(s.at[i]))
			return true;
	return false;
}

static bool set_path(const struct key *key, struct config *config, struct span value)
{
	if (has_control(value) || value.len > PATH_BYTES)
		return false;
	if (!value.len || value.at[0] == '/') {
		value = span_without_slashes(value, 1);
		return keep_text(key, config, strndup(value.at, value.len));
	}
	char here[PATH_MAX], *text = NULL;
	value = span_without_slashes(value, 1);
	if (!getcwd(here, sizeof here) || strlen(here) + 1 + value.len > PATH_BYTES ||
	    asprintf(&text, "%s/%.*s", strcmp(here, "/") ? here : "", (int)value.len, value.at) < 0)
		return false;
	return keep_text(key, config, text);
}

/* It goes before every path in an answer: nothing that needs escaping, and no "//", which a
 * browser would read as another host. */
static bool set_mount(const struct key *key, struct config *config, struct span value)
{
	struct span base = span_without_slashes(value, 0);
	for (size_t i = 0; i < base.len; i++) {
		unsigned char c = base.at[i];
		if (c <= ' ' || c >= 0x7F || strchr("?#\"<>\\^`{|}", c) ||
		    (i > 0 && c == '/' && base.at[i - 1] == '/'))
			return false;
	}
	if (value.len && value.at[0] != '/')
		return false;
	return keep_text(key, config, strndup(base.at, base.len));
}

static bool set_list(
    const struct key *key, struct config *config, struct span value, item_reader *item)
{
	char *text = calloc(2, value.len + 1), *to = text; /* each ',' may become ", " */
	struct span rest = value;
	while (text && rest.len) {
		struct span one = span_trim(span_cut(&rest, ','));
		if (to > text)
			to = stpcpy(to, ", ");
		if (!item(one, to)) {
			free(text);
			return false;
		}
		to += strlen(to);
	}
	return keep_text(key, config, text);
}

static bool set_text(const struct key *key, struct config *config, struct span value)
{
	static item_reader *const items[] = {[KIND_TYPES] = item_glob, [KIND_ORIGINS] = item_origin,
	    [KIND_HOSTS] = item_host, [KIND_NETWORKS] = item_network};

	if (!value.len && key->bounds[0])
		return false;
	if (key->kind == KIND_PATH)
		return set_path(key, config, value);
	if (key->kind == KIND_TEXT)
		return set_mount(key, config, value);
	return set_list(key, config, value, items[key->kind]);
}

/* ---- in and out ------------------------------------------------------------------------------ */

bool key_set(
    const struct key *key, struct config *config, struct span value, char *reason, size_t room)
{
	char shown[96], accepts[192];

	if (key_is_text(key)	? set_text(key, config, value)
	    : is_choice(key)	? set_choice(key, config, value)
				: set_number(key, config, value))
		return true;
	snprintf(reason, room, "%s is not accepted; give %s", log_value(value, shown, sizeof shown),
	    key_accepts(key, accepts, sizeof accepts));
	return false;
}

static const char *show_size(int64_t n, char *to, size_t room)
{
	static const char units[][2] = {"", "K", "M", "G", "T"};
	unsigned unit = 0;
	for (; n && n % 1024 == 0 && unit < 4; unit++)
		n /= 1024;
	snprintf(to, room, "%lld%s", (long long)n, units[unit]);
	return to;
}

/* The largest unit there are two of: 60s and 24h are easier to read than 1m and 1d. */
static const char *show_duration(int64_t ms, char *to, size_t room)
{
	static const char units[] = "smhd";
	static const int64_t next[] = {60, 60, 24, INT64_MAX};
	int64_t n = ms / 1000;
	unsigned unit = 0;
	for (; n % next[unit] == 0 && n / next[unit] >= 2; unit++)
		n /= next[unit];
	if (n)
		snprintf(to, room, "%lld%c", (long long)n, units[unit]);
	else
		span_copy(to, room, span_of("0"));
	return to;
}

static const char *show_choice(const struct key *key, int index, char *to, size_t room)
{
	struct span rest = span_of(key->kind == KIND_ACCESS ? ACCESS_CHOICES : key->bounds);
	while (index-- > 0)
		span_cut(&rest, '|');
	return span_copy(to, room, span_cut(&rest, '|'));
}

const char *key_show(const struct key *key, const struct config *config, char *to, size_t room)
{
	if (key_is_text(key))
		return span_copy(to, room, span_of(*(char **)key_value(key, config)));
	if (is_choice(key))
		return show_choice(key, *(int *)key_value(key, config), to, room);
	int64_t n = *(int64_t *)key_value(key, config);
	if (key->kind == KIND_DURATION)
		return show_duration(n, to, room);
	if (key->kind != KIND_COUNT)
		return show_size(n, to, room);
	snprintf(to, room, "%lld", (long long)n);
	return to;
}

static const char *accepts_choice(const char *choices, char *to, size_t room)
{
	struct span rest = span_of(choices);
	size_t end = 0;
	for (bool first = true; rest.at; first = false) {
		struct span one = span_cut(&rest, '|');
		if (end < room)
			end += snprintf(to + end, room - end, "%s%.*s", first ? "" : rest.at ? ", " : " or ",
			    (int)one.len, one.at);
	}
	return to;
}

const char *key_accepts(const struct key *key, char *to, size_t room)
{
	static const char *const forms[] = {[KIND_PATH] = "the path of a directory",
	    [KIND_TEXT] = "a path such as /drop, or nothing",
	    [KIND_TYPES] = "media types or globs such as image/*, separated by commas",
	    [KIND_ORIGINS] = "origins such as https://example.org, separated by commas, or *",
	    [KIND_HOSTS] =
		"names or addresses such as example.org or [::1]:8080, separated by commas",
	    [KIND_NETWORKS] =
		"addresses or networks such as 10.0.0.0/8 or ::1, separated by commas",
	    [KIND_COUNT] = "a whole number",
	    [KIND_SIZE] = "a size such as 512K, 64M or 10GB",
	    [KIND_DURATION] = "a time with its unit, such as 90s, 5m, 24h or 30d",
	    [KIND_RATE] = "bytes per second, such as 64K"};
	if (is_choice(key))
		return accepts_choice(key->bounds, to, room);
	struct span high = span_of(key->bounds), low = span_cut(&high, '-');
	if (key_is_text(key) || !low.len || (span_is(low, "0") && !high.len))
		return span_copy(to, room, span_of(forms[key->kind]));
	snprintf(to, room, high.len ? "%s from %.*s to %.*s" : "%s, at least %.*s",
	    forms[key->kind], (int)low.len, low.at, (int)high.len, high.at);
	return to;
}
