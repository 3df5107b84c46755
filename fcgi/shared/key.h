/*
 * key.h: the rows of CONFIG_KEYS as values. Private to config.c, key.c and manual.c.
 */
#ifndef WAYBILL_KEY_H
#define WAYBILL_KEY_H

#include "shared/config.h"

enum kind {
	KIND_PATH,
	KIND_TEXT,
	KIND_TYPES,
	KIND_ORIGINS,
	KIND_HOSTS,
	KIND_NETWORKS,
	KIND_LAST_TEXT = KIND_NETWORKS,
	KIND_COUNT,
	KIND_SIZE,
	KIND_DURATION,
	KIND_RATE,
	KIND_CHOICE,
	KIND_ACCESS
};

struct key {
	enum kind kind;
	const char *name, *initial, *bounds, *meaning;
	size_t at; /* offset in struct config */
};

#define X(kind, key, initial, bounds, meaning) KEY_##key,
enum { CONFIG_KEYS(X) KEY_COUNT };
#undef X

extern const struct key config_keys[KEY_COUNT];

/* Where a value came from: a line of the file, or one of these. */
enum { FROM_DEFAULT = 0, FROM_ENVIRONMENT = -1 };

struct sources {
	const char *file;    /* the one that was read, or NULL; borrowed from the caller or environment */
	int from[KEY_COUNT]; /* line in it, or FROM_... */
};

/* config_load(), and where everything came from. */
bool config_trace(
    struct config *config, struct sources *sources, const char *path, char *problem, size_t room);

/* Where its value is: a char *, an int64_t or an int, see CONFIG_TYPE_... */
void *key_value(const struct key *key, const struct config *config);
/* True for the kinds that are a char * of their own. */
bool key_is_text(const struct key *key);
/* Check `value` and put it into *config, freeing what was there. False: *reason says what is accepted. */
bool key_set(
    const struct key *key, struct config *config, struct span value, char *reason, size_t room);
/* The value in a form that may be written into the file; "" is "". Returns `to`. */
const char *key_show(const struct key *key, const struct config *config, char *to, size_t room);
/* What may be written: "a whole number from 1 to 4096". Returns `to`. */
const char *key_accepts(const struct key *key, char *to, size_t room);

#endif
