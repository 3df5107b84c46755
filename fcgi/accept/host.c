/*
 * host.c: which machine asks, and by what name. Pure.
 *
 * A name that resolves to this machine need not be one of ours: a page of evil.example may have its
 * own name point here once it is loaded (DNS rebinding), and is then, to the browser, of the same
 * origin as all that is served here. Only Host tells. An address cannot be rebound, and browsers
 * resolve localhost, and what ends in it, to themselves.
 */
#include <string.h>

#include "accept/inside.h"
#include "shared/network.h"

/* ---- this machine ---------------------------------------------------------------------------- */

/* In any of its lines. */
static bool is_said(struct exchange *x, const char *name)
{
	const char *value = x->env(x, name);

	while (value && span_trim(span_of(value)).len == 0)
		value = x->env_after ? x->env_after(x, name, value) : NULL;
	return value != NULL;
}

bool request_is_local(struct exchange *x)
{
	/* Where a proxy stands before the web server, everybody seems to come from this machine. */
	static const char *const forwarded[] = {
	    "HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP"};
	struct in6_addr address;

	for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
		if (is_said(x, forwarded[i]))
			return false;
	return address_read(request_header(x, "REMOTE_ADDR"), &address) && address_is_loopback(&address);
}

/* ---- names ----------------------------------------------------------------------------------- */

struct authority {
	struct span host; /* without brackets, and without the dot at its end */
	struct span port; /* absent: none */
	bool bracketed;
};

/* uri-host [":" port] (RFC 9110 7.2). False: it is none, two joined by a comma, for one. */
static bool split(struct span given, struct authority *a)
{
	a->bracketed = span_skip(&given, span_of("["));
	if (a->bracketed)
		a->host = span_cut(&given, ']');
	a->port = given;
	struct span before = span_cut(&a->port, ':');
	if (a->bracketed ? !given.at || before.len > 0
			 : !span_consists_of(before, TEXT_LETTERS TEXT_DIGITS "-._"))
		return false;
	if (!a->bracketed)
		a->host = before;
	if (a->host.len > 1 && a->host.at[a->host.len - 1] == '.')
		a->host.len--;
	if (a->port.len == 0)
		a->port.at = NULL;
	return a->host.len > 0 && span_consists_of(a->port, TEXT_DIGITS);
}

static bool ends_nocase(struct span s, const char *ending)
{
	size_t len = strlen(ending);

	return s.len > len && span_is_nocase((struct span){s.at + s.len - len, len}, ending);
}

static bool is_local_name(struct span given)
{
	struct authority a;
	struct in6_addr address;

	if (!split(given, &a))
		return false;
	if (a.bracketed)
		return address_read_v6(a.host, &address);
	return span_is_nocase(a.host, "localhost") || ends_nocase(a.host, ".localhost") ||
	       address_read(a.host, &address);
}

static bool same_host(const struct authority *a, const struct authority *b)
{
	struct in6_addr one, other;

	if (a->bracketed != b->bracketed)
		return false;
	if (!a->bracketed)
		return span_same_nocase(a->host, b->host);
	return address_read_v6(a->host, &one) && address_read_v6(b->host, &other) &&
	       memcmp(&one, &other, sizeof one) == 0;
}

/* An entry without a port stands for any; browsers leave out the port that the scheme implies. */
static bool same_port(struct span entry, struct span port)
{
	if (!entry.at)
		return true;
	if (!port.at)
		return span_is(entry, "80") || span_is(entry, "443");
	return span_same(entry, port);
}

static bool is_allowed(struct span given, const char *allowed)
{
	struct span rest = span_of(allowed);
	struct authority asked, entry;

	if (!split(given, &asked))
		return false;
	while (rest.len > 0)
		if (split(span_trim(span_cut(&rest, ',')), &entry) && same_host(&entry, &asked) &&
		    same_port(entry.port, asked.port))
			return true;
	return false;
}

enum fault rules_host(struct exchange *x, const struct config *config, struct refusal *why)
{
	struct span host = request_header(x, "HTTP_HOST");

	if (!host.at) /* no browser's: each sends one */
		return FAULT_NONE;
	if (config->allowed_hosts[0]) {
		if (is_allowed(host, config->allowed_hosts))
			return FAULT_NONE;
		return refuse(why, FAULT_WRONG_HOST,
		    "This server does not answer to the name %.*s. Use one of its own, or have "
		    "this one added to allowed_hosts.",
		    (int)(host.len < 255 ? host.len : 255), host.at);
	}
	if (!request_is_local(x) || is_local_name(host))
		return FAULT_NONE;
	return refuse(why, FAULT_WRONG_HOST,
	    "A request from this machine itself has to name localhost or an address, not %.*s: a "
	    "page of that name could otherwise reach what only this machine may. Where the name "
	    "is this server's, add it to allowed_hosts.",
	    (int)(host.len < 255 ? host.len : 255), host.at);
}
