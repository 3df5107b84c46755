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

static bool all_of(struct span s, const char *set)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.at[i] || !strchr(set, s.at[i]))
			return false;
	return s.len > 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static bool is_ipv6(struct span text)
{
	struct in6_addr address;

	return memchr(text.at, ':', text.len) && address_read(text, &address);
}

/* uri-host, a literal IPv6 address between brackets; cut off *s. */
static bool take_host(struct span *s)
{
	if (s->len && s->at[0] == '[') {
		struct span address = span_cut(s, ']');
		address.at++;
		address.len--;
		/* span_cut leaves an absent rest when there was no bracket */
		return s->at && is_ipv6(address);
	}
	size_t len = 0;
	while (len < s->len && s->at[len] != ':')
		len++;
	struct span host = {s->at, len};
	s->at += len;
	s->len -= len;
	return all_of(host, LETTERS DIGITS "-._");
}

static void lower(struct span item, char *to)
{
	for (size_t i = 0; i < item.len; i++)
		to[i] = item.at[i] >= 'A' && item.at[i] <= 'Z' ? item.at[i] + 32 : item.at[i];
	to[item.len] = '\0';
}

/* Nothing, or ":" and a number. */
static bool is_port(struct span s, int64_t *port)
{
	*port = 0;
	if (!s.len)
		return true;
	return s.at[0] == ':' && s.len <= 6 &&
	       text_number((struct span){s.at + 1, s.len - 1}, port) && *port && *port <= 65535;
}

/* scheme "://" host [":" port] (RFC 6454 6.2), without the port that the scheme implies: so do
 * browsers send it. */
bool item_origin(struct span item, char *to)
{
	lower(item, to);
	if (span_is(item, "*"))
		return true;
	struct span rest = {to, item.len}, scheme = span_cut(&rest, ':');
	int64_t port;
	if (!all_of(scheme, LETTERS DIGITS "+-.") || !span_starts_nocase(rest, "//"))
		return false;
	rest.at += 2;
	rest.len -= 2;
	if (!take_host(&rest))
		return false;
	if (!is_port(rest, &port))
		return false;
	if ((span_is(scheme, "http") && port == 80) || (span_is(scheme, "https") && port == 443))
		to[rest.at - to] = '\0';
	return true;
}

/* host [":" port] (RFC 9110 7.2). */
bool item_host(struct span item, char *to)
{
	struct span rest = {to, item.len};
	int64_t port;
	lower(item, to);
	return take_host(&rest) && is_port(rest, &port);
}

bool item_network(struct span item, char *to)
{
	struct network network;
	lower(item, to);
	return network_read(item, &network);
}
