/*
 * media.c: media types, globs over them, paths of URLs, parameters of header values.
 */
#include <string.h>

#include "shared/text.h"

bool text_is_token(struct span s)
{
	return s.len > 0 && span_consists_of(s, TEXT_LETTERS TEXT_DIGITS "!#$%&'*+-.^_`|~");
}

struct span text_url_path(struct span url)
{
	if (!span_starts_nocase(url, "http://") && !span_starts_nocase(url, "https://"))
		return url;
	span_cut(&url, '/');
	span_cut(&url, '/');
	const char *path = memchr(url.at, '/', url.len);
	return path ? (struct span){path, (size_t)(url.at + url.len - path)} : (struct span){0};
}

bool text_media_type(struct span raw, char to[TYPE_BYTES + 1])
{
	struct span whole = span_trim(span_cut(&raw, ';'));
	struct span subtype = whole, type = span_cut(&subtype, '/');
	if (whole.len > TYPE_BYTES || !text_is_token(type) || !text_is_token(subtype))
		return false;
	span_lower(to, whole);
	return true;
}

/* Only the last '*' is ever gone back to: an earlier one could not match more than it has, so
 * the time is at most glob * type, never exponential. */
bool text_glob(struct span glob, struct span type)
{
	size_t g = 0, t = 0, star = SIZE_MAX, resume = 0;
	while (t < type.len) {
		if (g < glob.len && glob.at[g] == '*') {
			star = g++;
			resume = t;
		} else if (g < glob.len && glob.at[g] == type.at[t]) {
			g++;
			t++;
		} else if (star != SIZE_MAX) {
			g = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.at[g] == '*')
		g++;
	return g == glob.len;
}

bool text_glob_list(const char *globs, const char *type)
{
	struct span rest = span_of(globs);
	while (rest.at) {
		struct span glob = span_trim(span_cut(&rest, ','));
		if (glob.len && text_glob(glob, span_of(type)))
			return true;
	}
	return false;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* Offset of the quote that closes the one at s.at[0]; 0: there is none. */
static size_t closing_quote(struct span s, bool pairs)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.at[i] == '"')
			return i;
		if (s.at[i] == '\\' && pairs)
			i++;
	}
	return 0;
}

/* Cut the value off *rest, and the ';' behind it. */
static bool take_value(struct span *rest, bool lenient, struct span *value)
{
	static const char odd[] = "\" \t"; /* the quote in any bare value; in a strict one the rest, and NUL */

	if (!rest->len || rest->at[0] != '"') {
		struct span bare = span_cut(rest, ';');
		*value = span_trim(bare);
		for (size_t i = 0; i < value->len; i++)
			if (memchr(odd, value->at[i], lenient ? 1 : sizeof odd))
				return false;
		return lenient || (value->len > 0 && value->at == bare.at);
	}
	size_t end = closing_quote(*rest, true);
	if (!end && lenient)
		end = closing_quote(*rest, false);
	if (!end)
		return false;
	*value = (struct span){rest->at + 1, end - 1};
	span_take(rest, end + 1);
	return span_trim(span_cut(rest, ';')).len == 0;
}

static enum parameter_found take_parameter(struct span *rest, bool lenient, struct parameter *found)
{
	*rest = span_trim(*rest);
	found->name = span_cut(rest, '=');
	if (lenient) {
		found->name = span_trim(found->name);
		*rest = span_trim(*rest);
	}
	bool good = take_value(rest, lenient, &found->value);
	return good && (lenient || text_is_token(found->name)) ? PARAMETER_FOUND : PARAMETER_BAD;
}

enum parameter_found text_parameter_next(struct span *rest, bool lenient, struct parameter *found)
{
	while (rest->len > 0) {
		struct span behind = *rest, item = span_trim(span_cut(&behind, ';'));
		if (item.len > 0 && memchr(item.at, '=', item.len))
			return take_parameter(rest, lenient, found);
		if (item.len > 0 && !lenient)
			return PARAMETER_BAD;
		*rest = behind;
	}
	return PARAMETER_END;
}

bool text_parameter(struct span header, const char *name, struct span *value)
{
	struct parameter found;
	span_cut(&header, ';');
	while (text_parameter_next(&header, true, &found) == PARAMETER_FOUND)
		if (span_is_nocase(found.name, name)) {
			*value = found.value;
			return true;
		}
	return false;
}

bool text_extended(struct span value, struct scratch *scratch, struct span *text)
{
	if (!span_starts_nocase(value, "UTF-8'"))
		return false;
	span_cut(&value, '\'');
	span_cut(&value, '\'');
	return text_percent_decode(value, false, scratch, text);
}
