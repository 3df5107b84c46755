/*
 * part.c: what the header lines of one part say.
 *
 * Content-Disposition follows WHATWG HTML rather than RFC 2183: that is what is sent. Everything
 * that could make two parsers see two different files (a second name, a second disposition, a
 * folded line, control bytes) is refused rather than guessed at.
 */
#include "body/inside.h"

#include <string.h>

/* WHATWG: only %0A, %0D and %22 are escapes; older browsers wrote \" for a quote. Any other '%' or
 * '\' is itself. In place: the result is never longer. */
static struct span unescape(struct span raw)
{
	char *to = (char *)raw.at; /* a line of the machine's own block */
	size_t n = 0;
	for (size_t i = 0; i < raw.len; i++) {
		int c = text_escaped((struct span){raw.at + i, raw.len - i});
		if (c == '\n' || c == '\r' || c == '"') {
			to[n++] = (char)c;
			i += 2;
		} else if (raw.at[i] == '\\' && i + 1 < raw.len && raw.at[i + 1] == '"') {
			to[n++] = raw.at[++i];
		} else {
			to[n++] = raw.at[i];
		}
	}
	return (struct span){to, n};
}

/* In place, too. Absent: it cannot be understood. */
static struct span unescape_extended(struct span raw)
{
	struct scratch place = {(char *)raw.at, 0, raw.len};
	struct span name;
	return text_extended(raw, &place, &name) ? name : (struct span){0};
}

static enum fault twice(const char *what, struct refusal *why)
{
	return refuse(why, FAULT_BAD_MULTIPART, "A part of the form has more than one %s.", what);
}

static enum fault take_parameter(struct heads *h, const struct parameter *p, struct refusal *why)
{
	if (span_is_nocase(p->name, "name")) {
		if (h->part.field.at != NULL)
			return twice("name parameter in its Content-Disposition", why);
		h->part.field = unescape(p->value);
	} else if (span_is_nocase(p->name, "filename")) {
		if (h->named)
			return twice("filename parameter in its Content-Disposition", why);
		h->named = true;
		h->part.name = unescape(p->value);
	} else if (span_is_nocase(p->name, "filename*")) {
		if (h->other_named)
			return twice("filename* parameter in its Content-Disposition", why);
		h->other_named = true;
		h->other_name = unescape_extended(p->value);
	}
	return FAULT_NONE;
}

static enum fault take_disposition(struct heads *h, struct span value, struct refusal *why)
{
	if (h->disposed)
		return twice("Content-Disposition", why);
	h->disposed = true;
	struct span kind = span_cut(&value, ';');
	if (!span_is_nocase(span_trim(kind), "form-data"))
		return refuse(
		    why, FAULT_BAD_MULTIPART, "A part's Content-Disposition is not form-data.");
	struct parameter p;
	enum parameter_found found;
	enum fault f = FAULT_NONE;
	while (!f && (found = text_parameter_next(&value, false, &p)) != PARAMETER_END)
		f = found == PARAMETER_FOUND
			? take_parameter(h, &p, why)
			: refuse(why, FAULT_BAD_MULTIPART,
			      "The parameters of a part's Content-Disposition cannot be read: "
			      "name=\"value\", separated by semicolons, is expected.");
	return f;
}

static enum fault take_type(struct heads *h, struct span value, struct refusal *why)
{
	if (h->typed)
		return twice("Content-Type", why);
	h->typed = true;
	if (value.len > 0)
		h->part.declared_type = value;
	return FAULT_NONE;
}

/* RFC 7578 4.7: deprecated, and only these leave the bytes as they are. */
static enum fault take_encoding(struct heads *h, struct span value, struct refusal *why)
{
	if (span_is_nocase(value, "7bit") || span_is_nocase(value, "8bit") ||
	    span_is_nocase(value, "binary"))
		return FAULT_NONE;
	return refuse(why, FAULT_BAD_MULTIPART,
	    "A part's Content-Transfer-Encoding is not 7bit, 8bit or binary: send its bytes as they are.");
}

static const struct {
	const char *name;
	enum fault (*take)(struct heads *h, struct span value, struct refusal *why);
} headers[] = {
    {"content-disposition", take_disposition},
    {"content-type", take_type},
    {"content-transfer-encoding", take_encoding},
};

static bool has_control(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text_is_control(line[i]) && line[i] != '\t')
			return true;
	return false;
}

enum fault heads_line(struct heads *h, char *line, size_t len, struct refusal *why)
{
	struct span name = {line, len}, value;
	const char *colon = memchr(line, ':', len);
	if (has_control(line, len))
		return refuse(
		    why, FAULT_BAD_MULTIPART, "The header of a part has control characters in it.");
	if (line[0] == ' ' || line[0] == '\t')
		return refuse(why, FAULT_BAD_MULTIPART,
		    "A header line of a part is folded over several lines; write it as one.");
	name.len = colon == NULL ? 0 : (size_t)(colon - line);
	if (!text_is_token(name))
		return refuse(why, FAULT_BAD_MULTIPART,
		    "A part does not begin with header lines (Name: value) and an empty line.");
	value = span_trim((struct span){colon + 1, len - name.len - 1});
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (span_is_nocase(name, headers[i].name))
			return headers[i].take(h, value, why);
	return FAULT_NONE;
}

enum fault heads_end(struct heads *h, struct refusal *why)
{
	if (!h->disposed)
		return refuse(why, FAULT_BAD_MULTIPART,
		    "A part has no Content-Disposition: form-data; name=\"...\".");
	if (h->part.field.at == NULL)
		return refuse(why, FAULT_BAD_MULTIPART,
		    "A part's Content-Disposition has no name parameter.");
	h->part.is_file = h->named || h->other_named;
	if (!h->named)
		h->part.name = h->other_name;
	return FAULT_NONE;
}
