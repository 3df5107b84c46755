/*
 * media.c: media types, globs over them, and parameters of header values.
 */
#include <string.h>

#include "shared/text.h"

/* tchar of RFC 9110 5.6.2. */
static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool text_is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.at[i]))
			return false;
	return s.len > 0;
}

bool text_media_type(struct span raw, char to[TYPE_BYTES + 1])
{
	struct span whole = span_trim(span_cut(&raw, ';'));
	struct span subtype = whole, type = span_cut(&subtype, '/');
	if (whole.len > TYPE_BYTES || !text_is_token(type) || !text_is_token(subtype))
		return false;
	for (size_t i = 0; i < whole.len; i++)
		to[i] = whole.at[i] >= 'A' && whole.at[i] <= 'Z' ? whole.at[i] - 'A' + 'a'
								 : whole.at[i];
	to[whole.len] = '\0';
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

/* Cut the value off *rest, and the ';' behind it. Blanks before it are gone already. */
static bool take_value(struct span *rest, struct span *value)
{
	if (!rest->len || rest->at[0] != '"') {
		*value = span_trim(span_cut(rest, ';'));
		return value->len == 0 || !memchr(value->at, '"', value->len);
	}
	size_t end = closing_quote(*rest, true);
	/* Browsers send a backslash as it is (HTML, multipart/form-data encoding algorithm), so a
	 * file called `a\` closes with what looks like a quoted quote. */
	if (!end)
		end = closing_quote(*rest, false);
	if (!end)
		return false;
	*value = (struct span){rest->at + 1, end - 1};
	rest->at += end + 1;
	rest->len -= end + 1;
	return span_trim(span_cut(rest, ';')).len == 0;
}

/* Cut the name off *rest, with its '='. False: nothing up to the next ';', which is cut off too. */
static bool take_name(struct span *rest, struct span *name)
{
	*rest = span_trim(*rest);
	size_t len = 0;
	while (len < rest->len && rest->at[len] != '=' && rest->at[len] != ';')
		len++;
	if (len == rest->len || rest->at[len] == ';') {
		span_cut(rest, ';');
		return false;
	}
	*name = span_trim(span_cut(rest, '='));
	*rest = span_trim(*rest);
	return true;
}

bool text_parameter(struct span header, const char *name, struct span *value)
{
	struct span rest = header, found, text;
	span_cut(&rest, ';');
	while (rest.at) {
		if (!take_name(&rest, &found))
			continue;
		if (!take_value(&rest, &text))
			return false;
		if (span_is_nocase(found, name)) {
			*value = text;
			return true;
		}
	}
	return false;
}
