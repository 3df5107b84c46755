/*
 * client.c: whose request it is. Pure.
 *
 * REMOTE_ADDR is whoever is connected to the web server. Where that is a proxy of ours (trusted_proxies), it
 * has put the address that it was asked from at the end of X-Forwarded-For, and so on to the left, up to the
 * first that is no proxy of ours: what stands further left was written by who knows whom.
 */
#include <arpa/inet.h>
#include <string.h>

#include "accept/inside.h"
#include "shared/network.h"

enum {
	HOPS_MOST = 32, /* proxies of ours, one behind the other */
	PREFIX_V4 = 96 + 24,
	PREFIX_V6 = 48,
	TEXT_BYTES = INET6_ADDRSTRLEN + 4 /* with "/48" */
};

static bool is_trusted(const char *proxies, const struct in6_addr *address)
{
	struct span rest = span_of(proxies);
	struct network network;

	while (rest.len > 0)
		if (network_read(span_trim(span_cut(&rest, ',')), &network) &&
		    network_has(&network, address))
			return true;
	return false;
}

/* The last element of a list, cut off it. */
static struct span last_of(struct span *list)
{
	size_t at = list->len;

	while (at > 0 && list->at[at - 1] != ',')
		at--;
	struct span last = {list->at + at, list->len - at};
	list->len = at > 0 ? at - 1 : 0;
	return span_trim(last);
}

/* An element may carry a port: "192.0.2.1:4711", "[2001:db8::1]:4711" or "[2001:db8::1]". */
static bool read_element(struct span text, struct in6_addr *to)
{
	const char *colon = text.at ? memchr(text.at, ':', text.len) : NULL;

	if (text.len > 0 && text.at[0] == '[') {
		struct span rest = {text.at + 1, text.len - 1};
		return address_read(span_cut(&rest, ']'), to);
	}
	if (colon && !memchr(colon + 1, ':', (size_t)(text.at + text.len - colon - 1)))
		text.len = (size_t)(colon - text.at);
	return address_read(text, to);
}

/* A proxy may add a line of its own below what the client has sent, and nginx before 1.23 hands lines
 * on one by one: together they are the list (RFC 9110 5.3). Without memory: empty. */
static struct span whole_list(struct exchange *x, const char *name, struct scratch *scratch)
{
	const char *first = x->env(x, name), *more = first;
	size_t room = 0;

	if (!first || !x->env_after || !x->env_after(x, name, first))
		return span_of(first);
	for (; more; more = x->env_after(x, name, more))
		room += strlen(more) + 1;
	char *text = scratch_take(scratch, room), *end = text;
	for (more = first; text && more; more = x->env_after(x, name, more)) {
		end = stpcpy(end, more);
		*end++ = ',';
	}
	return text ? (struct span){text, room - 1} : (struct span){0};
}

static struct span write_address(
    const struct in6_addr *address, const char *behind, struct scratch *scratch)
{
	char *text = scratch_take(scratch, TEXT_BYTES);
	bool v4 = IN6_IS_ADDR_V4MAPPED(address);

	if (!text || !inet_ntop(v4 ? AF_INET : AF_INET6, address->s6_addr + (v4 ? 12 : 0), text,
			 INET6_ADDRSTRLEN))
		return (struct span){0};
	return span_of(strcat(text, behind));
}

static struct span shown_address(
    const struct in6_addr *address, int log_address, struct scratch *scratch)
{
	bool v4 = IN6_IS_ADDR_V4MAPPED(address);

	if (log_address == LOG_ADDRESS_NONE)
		return (struct span){0};
	if (log_address == LOG_ADDRESS_FULL)
		return write_address(address, "", scratch);
	struct in6_addr prefix = address_prefix(address, v4 ? PREFIX_V4 : PREFIX_V6);
	return write_address(&prefix, v4 ? "/24" : "/48", scratch);
}

void request_client(
    struct request *r, struct exchange *x, const struct config *config, struct scratch *scratch)
{
	struct in6_addr client, before;
	struct span list = whole_list(x, "HTTP_X_FORWARDED_FOR", scratch);

	if (!read_element(request_header(x, "REMOTE_ADDR"), &client))
		return;
	for (int hops = 0; hops < HOPS_MOST && list.len > 0; hops++) {
		if (!is_trusted(config->trusted_proxies, &client) ||
		    !read_element(last_of(&list), &before))
			break;
		client = before;
	}
	r->client = write_address(&client, "", scratch);
	r->address = shown_address(&client, config->log_address, scratch);
}
