/*
 * item.c: what a list in the configuration may have for an item.
 */
#include "shared/item.h"

#include <string.h>

#include "shared/network.h"
#include "shared/text.h"

bool item_glob(struct span item, char *to)
{
	char type[TYPE_BYTES + 1];
	if (!item.len || memchr(item.at, ';', item.len) || !text_media_type(item, type))
		return false;
	memcpy(to, type, item.len + 1);
	return true;
}

/* uri-host, a literal IPv6 address between brackets; cut off *s. */
static bool take_host(struct span *s)
{
	struct in6_addr address;

	if (span_skip(s, span_of("["))) {
		struct span inside = span_cut(s, ']');
		/* span_cut leaves an absent rest when there was no bracket */
		return s->at && address_read_v6(inside, &address);
	}
	struct span behind = *s, host = span_take(s, span_cut(&behind, ':').len);
	return host.len > 0 && span_consists_of(host, TEXT_LOWER TEXT_DIGITS "-._");
}

/* Nothing, or ":" and a number. */
static bool is_port(struct span s, int64_t *port)
{
	*port = 0;
	return !s.len || (s.len <= 6 && span_skip(&s, span_of(":")) && port_read(s, port));
}

/* Without the port that the scheme implies: so do browsers send it. */
bool item_origin(struct span item, char *to)
{
	struct span rest = {span_lower(to, item), item.len}, scheme = span_cut(&rest, ':');
	int64_t port;

	if (span_is(item, "*"))
		return true;
	if (!scheme.len || !span_consists_of(scheme, TEXT_LOWER TEXT_DIGITS "+-.") ||
	    !span_skip(&rest, span_of("//")) || !take_host(&rest) || !is_port(rest, &port))
		return false;
	if ((span_is(scheme, "http") && port == 80) || (span_is(scheme, "https") && port == 443))
		to[rest.at - to] = '\0';
	return true;
}

bool item_host(struct span item, char *to)
{
	struct span rest = {span_lower(to, item), item.len};
	int64_t port;

	return take_host(&rest) && is_port(rest, &port);
}

bool item_network(struct span item, char *to)
{
	struct network network;
	span_lower(to, item);
	return network_read(item, &network);
}
