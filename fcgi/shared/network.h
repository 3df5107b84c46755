/*
 * network.h: IP addresses and networks as text. Pure.
 */
#ifndef WAYBILL_NETWORK_H
#define WAYBILL_NETWORK_H

#include <netinet/in.h>

#include "shared/flow.h"

struct network {
	struct in6_addr address;
	unsigned bits; /* 0 ... 128 of them count */
};

/* IPv4 as IPv6 holds it: ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that there is one kind. */
struct in6_addr address_mapped(struct in_addr v4);
/* "192.0.2.1" or "2001:db8::1", no brackets. False: it is none. */
bool address_read(struct span text, struct in6_addr *to);
/* The second of these only. */
bool address_read_v6(struct span text, struct in6_addr *to);
bool address_is_loopback(const struct in6_addr *address);
/* 1 ... 65535 */
bool port_read(struct span text, int64_t *port);
/* The first `bits` of an address, the others 0. */
struct in6_addr address_prefix(const struct in6_addr *address, unsigned bits);
/* An address, or one with "/bits" behind it, whose bits past those must be 0. False: it is none. */
bool network_read(struct span text, struct network *to);
bool network_has(const struct network *network, const struct in6_addr *address);

#endif
