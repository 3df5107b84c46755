/*
 * front.c: what the server in front has refused itself, and asks us to word. Pure.
 *
 * lighttpd's server.error-handler (Apache's ErrorDocument, nginx's error_page) asks again, as GET
 * of the same address, with the status it decided on in REDIRECT_STATUS. No header can set that
 * variable. The request as it was sent is lost but for its address: nothing may be done, only said.
 */
#include "accept/inside.h"

static enum fault length_missing(struct request *r, struct refusal *why)
{
	r->method = METHOD_POST; /* or PUT, or PATCH: it had, or should have had, a body */
	if (!rules_needs_length(r)) {
		r->method = METHOD_OTHER;
		return FAULT_NONE; /* 405 or 404 by its address */
	}
	return refuse(why, FAULT_LENGTH_REQUIRED,
	    "Content-Length header is required for this endpoint: the request does not say how "
	    "many bytes will follow, and the web server in front takes no body without. Send a "
	    "file of known size (curl -T FILE does; a pipe or chunked encoding does not).");
}

static enum fault too_large(int64_t max_bytes, struct refusal *why)
{
	char most[TEXT_FIGURE];

	why->max_bytes = max_bytes;
	return refuse(why, FAULT_TOO_LARGE,
	    "The body is larger than the web server in front lets pass. This server accepts at "
	    "most %s. Send a smaller file, or ask for the limits to be raised.",
	    text_figure(max_bytes, most));
}

/* What the server in front refused itself; 0: nothing. */
static int64_t refused_with(struct exchange *x)
{
	int64_t status;

	return text_number(request_header(x, "REDIRECT_STATUS"), &status) && status >= 400 ? status : 0;
}

struct span request_method_sent(struct exchange *x)
{
	if (refused_with(x))
		return request_header(x, "REDIRECT_REQUEST_METHOD");
	return span_of(x->env(x, "REQUEST_METHOD"));
}

enum fault request_turned_away(
    struct request *r, struct exchange *x, const struct config *config, struct refusal *why)
{
	static const struct {
		int status;
		enum fault fault;
	} plain[] = {{403, FAULT_FORBIDDEN}, {404, FAULT_NOT_FOUND}, {408, FAULT_BODY_TIMEOUT},
	    {414, FAULT_NAME_TOO_LONG}, {503, FAULT_BUSY}};
	int64_t status = refused_with(x);

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		if (plain[i].status == status)
			return refuse(why, plain[i].fault, NULL);
	switch (status) {
	case 0:
		return FAULT_NONE;
	case 411:
		return length_missing(r, why);
	case 413:
		return too_large(told_max_bytes(r, config), why);
	case 405:
	case 501: /* a method the server in front does not know: 405 or 404 by the address */
		r->method = METHOD_OTHER;
		return FAULT_NONE;
	}
	if (status >= 500)
		return refuse(why, FAULT_INTERNAL, NULL);
	return refuse(why, FAULT_BAD_REQUEST,
	    "The web server in front could not make sense of the request (it says %d). "
	    "Content-Length has to be one whole number, headers have to be well formed and not "
	    "too large, the address validly escaped.",
	    (int)status);
}
