/*
 * metadata.c: tus Upload-Metadata -> name, type, fields.
 *
 * "key base64, key base64, key": keys unique, printable ASCII without blanks; values base64, and may be
 * missing. Values are arbitrary bytes, so they are made valid UTF-8 before anybody sees them.
 */
#include <stdlib.h>
#include <string.h>

#include "body/inside.h"
#include "body/resume.h"
#include "shared/digest.h"
#include "shared/text.h"

enum { METADATA_KEYS = FIELDS_MAX + 5 };

static const char *const own_keys[] = {
    "filename", "name", "filetype", "type", "relativePath", "relativePath"};

struct pair {
	struct span key, value; /* value still base64 */
};

static enum fault read_pair(struct span text, struct pair *pair, struct refusal *why)
{
	struct span rest = span_trim(text);

	pair->key = span_cut(&rest, ' ');
	pair->value = span_trim(rest);
	if (pair->key.len == 0)
		return refuse(why, FAULT_BAD_REQUEST, "Upload-Metadata has an empty key.");
	if (!text_is_visible(pair->key))
		return refuse(why, FAULT_BAD_REQUEST,
		    "A key in Upload-Metadata must be printable ASCII without blanks.");
	return FAULT_NONE;
}

static bool key_is_taken(const struct pair *pairs, size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++)
		if (span_same(pairs[i].key, name))
			return true;
	return false;
}

static enum fault read_pairs(
    struct span raw, struct pair *pairs, size_t *count, struct refusal *why)
{
	bool more = true;

	*count = 0;
	while (more) {
		const char *comma = memchr(raw.at, ',', raw.len);
		more = comma != NULL;
		if (*count == METADATA_KEYS)
			return refuse(why, FAULT_FIELDS_TOO_LARGE,
			    "Upload-Metadata may have at most %d keys beside name and type.",
			    FIELDS_MAX);
		enum fault f = read_pair(span_cut(&raw, ','), &pairs[*count], why);
		if (f)
			return f;
		if (key_is_taken(pairs, *count, pairs[*count].key))
			return refuse(why, FAULT_BAD_REQUEST,
			    "Upload-Metadata has the key `%.*s` twice.",
			    (int)(pairs[*count].key.len > 64 ? 64 : pairs[*count].key.len),
			    pairs[*count].key.at);
		(*count)++;
	}
	return FAULT_NONE;
}

/* Key and decoded value, valid UTF-8, one behind the other in memory that the caller frees. */
static enum fault decode_pair(
    const struct pair *pair, char **text, struct span *key, struct span *value, struct refusal *why)
{
	size_t raw_room = pair->value.len / 4 * 3 + 3, raw_len = 0;
	uint8_t *raw = malloc(raw_room);

	if (raw == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	if (pair->value.len > 0 && !base64_decode(pair->value, raw, raw_room, &raw_len)) {
		free(raw);
		return refuse(why, FAULT_BAD_REQUEST,
		    "The value of `%.*s` in Upload-Metadata is not base64.",
		    (int)(pair->key.len > 64 ? 64 : pair->key.len), pair->key.at);
	}
	struct span bytes = {(const char *)raw, raw_len};
	size_t len = text_clean_utf8(bytes, NULL, 0), key_len = pair->key.len;
	*text = malloc(key_len + len + 1);
	if (*text != NULL) {
		memcpy(*text, pair->key.at, key_len);
		text_clean_utf8(bytes, *text + key_len, len + 1);
		*key = (struct span){*text, key_len};
		*value = (struct span){*text + key_len, len};
	}
	free(raw);
	return *text != NULL ? FAULT_NONE : refuse(why, FAULT_INTERNAL, NULL);
}

static enum fault add_field(
    struct metadata *m, char *text, struct span key, struct span value, struct refusal *why)
{
	if (!text_has_controls(value))
		return fields_add(&m->fields, text, key, value, why);
	refuse(why, FAULT_BAD_REQUEST,
	    "The value of `%.*s` in Upload-Metadata has a control character (U+0000 to U+001F, other "
	    "than tab, line feed and carriage return). Send such data as a file.",
	    (int)(key.len > 64 ? 64 : key.len), key.at);
	free(text);
	return FAULT_BAD_REQUEST;
}

static bool is_own(struct span key)
{
	for (size_t i = 0; i < sizeof own_keys / sizeof own_keys[0]; i++)
		if (span_is(key, own_keys[i]))
			return true;
	return false;
}

static enum fault add_fields(
    struct metadata *m, const struct pair *pairs, size_t count, struct refusal *why)
{
	for (size_t i = 0; i < count; i++) {
		struct span key, value;
		char *text = NULL;
		enum fault f = decode_pair(&pairs[i], &text, &key, &value, why);
		if (f)
			return f;
		if (is_own(pairs[i].key)) {
			free(text); /* judged here, taken by take_own() */
			continue;
		}
		if ((f = add_field(m, text, key, value, why)))
			return f;
	}
	return FAULT_NONE;
}

/* The value of the first of two keys that is there and not empty. */
static enum fault take_own(const struct pair *pairs, size_t count, const char *const keys[2],
    char **text, struct span *value, struct refusal *why)
{
	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; i < count; i++) {
			struct span key;
			if (!span_is(pairs[i].key, keys[k]) || pairs[i].value.len == 0)
				continue;
			return decode_pair(&pairs[i], text, &key, value, why);
		}
	}
	return FAULT_NONE;
}

enum fault metadata_parse(struct span raw, struct metadata *metadata, struct refusal *why)
{
	struct pair pairs[METADATA_KEYS];
	size_t count = 0;
	enum fault f;

	memset(metadata, 0, sizeof *metadata);
	raw = span_trim(raw);
	if (raw.len == 0)
		return FAULT_NONE;
	if ((f = read_pairs(raw, pairs, &count, why)) ||
	    (f = add_fields(metadata, pairs, count, why)) ||
	    (f = take_own(pairs, count, own_keys, &metadata->text[0], &metadata->name, why)) ||
	    (f = take_own(pairs, count, own_keys + 2, &metadata->text[1], &metadata->type, why)) ||
	    (f = take_own(pairs, count, own_keys + 4, &metadata->text[2], &metadata->path, why)))
		return f;
	return FAULT_NONE;
}

void metadata_free(struct metadata *metadata)
{
	body_fields_free(&metadata->fields);
	free(metadata->text[0]);
	free(metadata->text[1]);
	free(metadata->text[2]);
	memset(metadata, 0, sizeof *metadata);
}
