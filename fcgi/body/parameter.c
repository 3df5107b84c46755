/*
 * parameter.c: the parameters of header fields.
 *
 * Content-Type and a part's Content-Disposition look alike, but the second is written by rules of
 * its own (WHATWG: only %0A, %0D and %22 are escaped), so values are found here and unescaped by
 * whoever knows what they mean.
 */
#include "body/inside.h"

#include <string.h>

#include "shared/text.h"

/* An absent span stays one: NULL + 0 is undefined. */
static struct span skip(struct span s, size_t len)
{
	return len == 0 ? s : (struct span){s.at + len, s.len - len};
}

static size_t run(struct span s, const char *of)
{
	size_t n = 0;
	while (n < s.len && s.at[n] != '\0' && strchr(of, s.at[n]) != NULL)
		n++;
	return n;
}

/* Offset of the quote that closes a value which begins at s, or s.len. */
static size_t closing_quote(struct span s)
{
	bool escaped = false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '"' && !escaped)
			return i;
		escaped = s.at[i] == '\\' && !escaped;
	}
	return s.len;
}

static bool cut_quoted(struct span *rest, struct span *value)
{
	*rest = skip(*rest, 1);
	value->at = rest->at;
	value->len = closing_quote(*rest);
	if (value->len == rest->len)
		return false;
	*rest = skip(*rest, value->len + 1);
	return true;
}

/* Wider than a token: boundaries with '/' or ':' and raw UTF-8 names are sent without quotes. */
static bool cut_bare(struct span *rest, struct span *value)
{
	size_t n = 0;
	while (n < rest->len && strchr("; \t\"", rest->at[n]) == NULL)
		n++;
	*value = (struct span){rest->at, n};
	*rest = skip(*rest, n);
	return n > 0;
}

enum parameter_found parameter_next(struct span *rest, struct parameter *found)
{
	*rest = skip(*rest, run(*rest, "; \t"));
	if (rest->len == 0)
		return PARAMETER_END;
	const char *equals = memchr(rest->at, '=', rest->len);
	if (equals == NULL)
		return PARAMETER_BAD;
	found->name = (struct span){rest->at, (size_t)(equals - rest->at)};
	*rest = skip(*rest, found->name.len + 1);
	found->quoted = rest->len > 0 && rest->at[0] == '"';
	bool good = found->quoted ? cut_quoted(rest, &found->value) : cut_bare(rest, &found->value);
	*rest = skip(*rest, run(*rest, " \t"));
	bool ends = rest->len == 0 || rest->at[0] == ';';
	return good && ends && text_is_token(found->name) ? PARAMETER_FOUND : PARAMETER_BAD;
}

bool body_is_form(struct span content_type)
{
	struct span type = span_cut(&content_type, ';');
	return span_is_nocase(span_trim(type), "multipart/form-data");
}

/* More than RFC 2046's bchars: hand-written clients send "*****". What would break the machine is
 * what it relies on: no CR, no LF. */
static bool is_boundary(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < ' ' || s.at[i] > '~' || s.at[i] == '"' || s.at[i] == '\\')
			return false;
	return s.len > 0 && s.len <= BOUNDARY_MAX && s.at[s.len - 1] != ' ';
}

static enum fault no_boundary(struct refusal *why)
{
	return refuse(why, FAULT_BAD_MULTIPART,
	    "Content-Type: multipart/form-data needs a boundary parameter. Do not set the header "
	    "by hand: let the client that builds the form write it.");
}

enum fault boundary_of(struct span content_type, struct span *boundary, struct refusal *why)
{
	struct span rest = content_type, seen = {0};
	struct parameter p;
	enum parameter_found found;
	if (!body_is_form(content_type))
		return refuse(why, FAULT_BAD_MULTIPART, "Content-Type is not multipart/form-data.");
	span_cut(&rest, ';');
	while ((found = parameter_next(&rest, &p)) == PARAMETER_FOUND) {
		if (!span_is_nocase(p.name, "boundary"))
			continue;
		if (seen.at != NULL)
			return refuse(why, FAULT_BAD_MULTIPART,
			    "Content-Type has more than one boundary parameter.");
		seen = p.value;
	}
	if (found == PARAMETER_BAD)
		return refuse(why, FAULT_BAD_MULTIPART,
		    "The parameters of Content-Type cannot be read: name=value or name=\"value\", "
		    "separated by semicolons, is expected.");
	if (seen.at == NULL)
		return no_boundary(why);
	if (!is_boundary(seen))
		return refuse(why, FAULT_BAD_MULTIPART,
		    "The boundary in Content-Type is not usable: 1 to %d visible characters are "
		    "expected, it has %zu.",
		    BOUNDARY_MAX, seen.len);
	*boundary = seen;
	return FAULT_NONE;
}
