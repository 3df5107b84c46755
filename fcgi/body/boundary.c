/*
 * boundary.c: what Content-Type says of a form.
 */
#include "body/inside.h"

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
	while ((found = text_parameter_next(&rest, false, &p)) == PARAMETER_FOUND) {
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
