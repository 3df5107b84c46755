/*
 * name.c: a file name out of what a client sent. It is data to be shown and offered for
 * download, never a path; still it should not surprise whoever saves under it.
 */
#include <string.h>

#include "shared/text.h"
#include "shared/utf8.h"

/* What counts as an extension when a name must be cut: a dot and at most so many bytes with it. */
enum { EXTENSION_MAX = 32 };

/* Browsers of old sent whole paths, with the separators of their system. */
static struct span last_component(struct span raw)
{
	for (size_t i = raw.len; i > 0; i--)
		if (raw.at[i - 1] == '/' || raw.at[i - 1] == '\\')
			return (struct span){raw.at + i, raw.len - i};
	return raw;
}

size_t text_name_length(struct span raw)
{
	return last_component(raw).len;
}

static bool is_kept(uint32_t c)
{
	return !utf8_is_control(c) && !utf8_is_bidi_control(c);
}

/* Where a name lies in the raw bytes once what is dropped or blank is off both ends. */
struct outline {
	struct span whole;     /* raw bytes from the first to the last visible character */
	struct span extension; /* raw bytes from the last dot in it on, or absent */
	size_t len;	       /* bytes of the whole when cleaned */
	size_t extension_len;
};

static struct outline outline_of(struct span raw)
{
	struct outline o = {.whole = {raw.at, 0}};
	size_t len = 0, dot_len = 0; /* cleaned bytes so far, and before the last dot */
	while (raw.len) {
		const char *here = raw.at;
		char bytes[4];
		uint32_t c = utf8_next(&raw);
		if (!is_kept(c) || (c == ' ' && len == 0))
			continue;
		if (len == 0)
			o.whole.at = here;
		if (c == '.' && len > 0) {
			o.extension.at = here;
			dot_len = len;
		}
		len += utf8_put(c, bytes);
		if (c == ' ')
			continue;
		o.whole.len = raw.at - o.whole.at;
		o.len = len;
	}
	if (o.extension.at) {
		o.extension.len = o.whole.at + o.whole.len - o.extension.at;
		o.extension_len = o.len - dot_len;
	}
	return o;
}

/* Clean `raw` into at most `room` bytes of `to`, whole characters; returns how many. */
static size_t emit(struct span raw, char *to, size_t room)
{
	size_t end = 0;
	while (raw.len) {
		char bytes[4];
		uint32_t c = utf8_next(&raw);
		if (!is_kept(c))
			continue;
		size_t len = utf8_put(c, bytes);
		if (len > room - end)
			break;
		memcpy(to + end, bytes, len);
		end += len;
	}
	return end;
}

void text_clean_name(struct span raw, char to[NAME_BYTES + 1])
{
	struct outline o = outline_of(last_component(raw));
	size_t end;
	if (o.len <= NAME_BYTES) {
		end = emit(o.whole, to, NAME_BYTES);
	} else if (o.extension.at && o.extension_len <= EXTENSION_MAX) {
		end = emit(o.whole, to, NAME_BYTES - o.extension_len);
		end += emit(o.extension, to + end, o.extension_len);
	} else {
		end = emit(o.whole, to, NAME_BYTES);
		while (end && to[end - 1] == ' ')
			end--;
	}
	to[end] = '\0';
	if (!end || strcmp(to, ".") == 0 || strcmp(to, "..") == 0)
		memcpy(to, "unnamed", sizeof "unnamed");
}

/* The next folder of `raw`, cut off it. */
static struct span first_component(struct span *raw)
{
	size_t len = 0;

	while (len < raw->len && raw->at[len] != '/' && raw->at[len] != '\\')
		len++;
	struct span first = span_take(raw, len);
	span_take(raw, 1);
	return first;
}

bool text_clean_path(struct span raw, char to[FOLDER_BYTES + 1])
{
	char name[NAME_BYTES + 1];
	size_t end = 0;

	while (raw.len > 0) {
		struct span one = first_component(&raw);
		if (one.len == 0 || span_is(one, ".") || span_is(one, ".."))
			continue;
		text_clean_name(one, name);
		size_t len = strlen(name), slash = end > 0;
		if (len + slash > FOLDER_BYTES - end)
			return false;
		to[end] = '/';
		memcpy(to + end + slash, name, len);
		end += slash + len;
	}
	to[end] = '\0';
	return true;
}
