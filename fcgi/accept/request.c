/* request.c: CGI variables -> struct request. Pure. */
#include "accept/inside.h"

#include <string.h>

enum { RETURN_BYTES = 2048 };

/* ---- method and protocol --------------------------------------------------------------------- */

/* Methods are case-sensitive (RFC 9110 9.1). */
static enum method request_method(struct span name)
{
	static const struct {
		const char *name;
		enum method method;
	} methods[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD}, {"POST", METHOD_POST},
	    {"PUT", METHOD_PUT}, {"PATCH", METHOD_PATCH}, {"DELETE", METHOD_DELETE},
	    {"OPTIONS", METHOD_OPTIONS}};

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (span_is(name, methods[i].name))
			return methods[i].method;
	return METHOD_OTHER;
}

/* On /upload/{id}, GET, HEAD, PATCH and DELETE are about a resumable upload, whatever the headers. */
static bool is_upload_resource(const struct request *r)
{
	return r->segments == 2 && span_is(r->segment[0], "upload") &&
	       (r->method & (METHOD_GET | METHOD_HEAD | METHOD_PATCH | METHOD_DELETE));
}

static void find_protocol(struct request *r, struct exchange *x)
{
	if (x->env(x, "HTTP_TUS_RESUMABLE")) {
		struct span override = request_header(x, "HTTP_X_HTTP_METHOD_OVERRIDE");
		r->protocol = PROTOCOL_TUS;
		if (override.at)
			r->method = request_method(override);
		return;
	}
	bool ietf = x->env(x, "HTTP_UPLOAD_COMPLETE") || x->env(x, "HTTP_UPLOAD_INCOMPLETE");
	r->protocol = ietf || is_upload_resource(r) ? PROTOCOL_IETF : PROTOCOL_PLAIN;
}

/* ---- length ---------------------------------------------------------------------------------- */

/* lighttpd turns an absent length into "0"; a real one it also passes as HTTP_CONTENT_LENGTH. */
static bool is_made_up(struct exchange *x, struct span length)
{
	struct span server = span_of(x->env(x, "SERVER_SOFTWARE"));

	return span_is(length, "0") && span_starts_nocase(server, "lighttpd") &&
	       !request_header(x, "HTTP_CONTENT_LENGTH").at;
}

static void find_length(struct request *r, struct exchange *x)
{
	struct span length = request_header(x, "CONTENT_LENGTH");

	r->length = 0;
	if (!length.at || is_made_up(x, length))
		r->length_state = LENGTH_ABSENT;
	else
		r->length_state = text_number(length, &r->length) ? LENGTH_KNOWN : LENGTH_BAD;
}

/* ---- who and from where ---------------------------------------------------------------------- */

static struct span find_bearer(struct exchange *x)
{
	struct span credentials = request_header(x, "HTTP_AUTHORIZATION");

	if (!span_starts_nocase(credentials, "Bearer "))
		return (struct span){0};
	span_cut(&credentials, ' ');
	return span_trim(credentials);
}

/* "https://example.org:443" -> "example.org"; absent where it is no origin ("null"). */
static struct span authority_of_origin(struct span origin, const char **default_port)
{
	struct span rest = origin;

	*default_port = ":443";
	if (span_starts_nocase(origin, "http://"))
		*default_port = ":80";
	else if (!span_starts_nocase(origin, "https://"))
		return (struct span){0};
	span_cut(&rest, '/');
	span_cut(&rest, '/');
	return rest;
}

static struct span without_port(struct span authority, const char *port)
{
	size_t len = strlen(port);

	if (authority.len > len && memcmp(authority.at + authority.len - len, port, len) == 0)
		authority.len -= len;
	return authority;
}

/* Is the page that sends this one of ours? The scheme is left out: a proxy may end the TLS. */
static bool is_own_origin(struct span origin, struct span host)
{
	const char *port;
	struct span authority = authority_of_origin(origin, &port);

	if (!authority.at || !host.at)
		return false;
	authority = without_port(authority, port);
	return span_same_nocase(without_port(host, port), authority);
}

static bool is_allowed_origin(struct span origin, const char *allowed)
{
	struct span rest = span_of(allowed);

	while (rest.len > 0) {
		struct span one = span_trim(span_cut(&rest, ','));
		if (span_is(one, "*") || (one.len > 0 && span_same_nocase(origin, one)))
			return true;
	}
	return false;
}

/* "https://example.org/page" -> "https://example.org"; absent where it is no such address. */
static struct span origin_of(struct span url)
{
	const char *port;
	struct span authority = authority_of_origin(url, &port);
	size_t len = 0;

	while (len < authority.len && !memchr("/?#", authority.at[len], 3))
		len++;
	if (len == 0 || memchr(authority.at, '@', len))
		return (struct span){0};
	return (struct span){url.at, (size_t)(authority.at + len - url.at)};
}

/* Only what no browser reads as anything else: they take "\\" for "/", and leave out tabs and line
 * feeds (WHATWG URL, 4.4). RETURN_ID may be in it, once. */
static bool is_plain_url(struct span url)
{
	const size_t mark = sizeof RETURN_ID - 1;
	bool marked = false;

	for (size_t i = 0; i < url.len; i++) {
		if (!marked && url.len - i >= mark && memcmp(url.at + i, RETURN_ID, mark) == 0) {
			marked = true;
			i += mark - 1;
		} else if (url.at[i] <= ' ' || url.at[i] >= 0x7f ||
			   strchr("\\\"<>^`{|}", url.at[i]))
			return false;
	}
	return url.len <= RETURN_BYTES;
}

enum fault request_may_return(
    const struct request *r, const struct config *config, struct span url, struct refusal *why)
{
	struct span origin = origin_of(url);
	bool path = url.len > 0 && url.at[0] == '/' && (url.len == 1 || url.at[1] != '/');

	if (is_plain_url(url) &&
	    (path || is_own_origin(origin, r->header[HEADER_HOST]) ||
		(origin.at && is_allowed_origin(origin, config->allowed_origins))))
		return FAULT_NONE;
	return refuse(why, FAULT_BAD_REQUEST,
	    "return_to must be an address on this site or on one of allowed_origins, of at most %d "
	    "bytes, percent-encoded where it needs to be. Nothing was stored.",
	    RETURN_BYTES);
}

/* Fetch metadata first, then Origin; neither is there when the client is no browser. */
static void find_site(struct request *r, struct exchange *x, const struct config *config)
{
	const unsigned safe = METHOD_GET | METHOD_HEAD | METHOD_OPTIONS;

	r->origin = request_header(x, "HTTP_ORIGIN");
	r->origin_allowed = r->origin.at && is_allowed_origin(r->origin, config->allowed_origins);
	struct span referer = origin_of(request_header(x, "HTTP_REFERER"));
	r->site_allowed = r->origin_allowed ||
			  (referer.at && is_allowed_origin(referer, config->allowed_origins));
	if ((r->method & safe) || r->origin_allowed)
		return;
	struct span site = request_header(x, "HTTP_SEC_FETCH_SITE");
	r->cross_site = span_is_nocase(site, "cross-site") ||
			(r->origin.at && !is_own_origin(r->origin, r->header[HEADER_HOST]));
}

/* RFC 6265, section 4.2.1. */
static struct span cookie(struct span cookies, const char *name)
{
	while (cookies.len > 0) {
		struct span value = span_trim(span_cut(&cookies, ';'));
		if (span_is(span_cut(&value, '='), name))
			return value;
	}
	return (struct span){0};
}

/* ---- all of it ------------------------------------------------------------------------------- */

enum fault request_parse(struct request *r, struct exchange *x, const struct config *config,
    struct scratch *scratch, struct refusal *why)
{
	*r = (struct request){.method = request_method(span_of(x->env(x, "REQUEST_METHOD")))};
	request_headers(r, x);
	r->content_type = request_header(x, "CONTENT_TYPE");
	r->local = request_is_local(x);
	r->wants_html = request_prefers_html(request_header(x, "HTTP_ACCEPT"));
	find_length(r, x);
	enum fault f = request_address(r, x, config, scratch, why);
	find_protocol(r, x);
	find_site(r, x, config);
	r->bearer = find_bearer(x);
	r->key = request_header(x, "HTTP_IDEMPOTENCY_KEY");
	r->withdraw = cookie(request_header(x, "HTTP_COOKIE"), RECEIPT_COOKIE);
	r->secure = span_is_nocase(request_header(x, "HTTPS"), "on");
	request_client(r, x, config, scratch);
	if (config->remote_user == REMOTE_USER_TRUST)
		r->remote_user = request_header(x, "REMOTE_USER");
	return f;
}
