/* header.c: header fields, as CGI has them. Pure. */
#include "accept/inside.h"

struct span request_header(struct exchange *x, const char *name)
{
	struct span value = span_trim(span_of(x->env(x, name)));

	return value.len > 0 ? value : (struct span){0};
}
