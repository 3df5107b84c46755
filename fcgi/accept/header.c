/* header.c: header fields, as CGI has them. Pure. */
#include "accept/inside.h"

struct span request_header(struct exchange *x, const char *name)
{
	struct span value = span_trim(span_of(x->env(x, name)));

	return value.len > 0 ? value : (struct span){0};
}

void request_headers(struct request *request, struct exchange *x)
{
	static const char *const names[HEADER_COUNT] = {
#define X(name, variable) [HEADER_##name] = variable,
	    HEADERS(X)
#undef X
	};

	for (size_t i = 0; i < HEADER_COUNT; i++)
		request->header[i] = span_trim(span_of(x->env(x, names[i])));
}
