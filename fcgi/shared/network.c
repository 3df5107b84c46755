/* network.c: see network.h. */
#include "shared/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "shared/text.h"

enum { V4_BEGINS = 96 }; /* bits of ::ffff:0:0 before an IPv4 address */

struct in6_addr address_mapped(struct in_addr v4)
{
	struct in6_addr v6 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	memcpy(v6.s6_addr + 12, &v4, sizeof v4);
	return v6;
}

bool address_read(struct span text, struct in6_addr *to)
{
	char copy[INET6_ADDRSTRLEN];
	struct in_addr v4;

	if (!text.at || text.len >= sizeof copy || memchr(text.at, '\0', text.len))
		return false;
	span_copy(copy, sizeof copy, text);
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		*to = address_mapped(v4);
		return true;
	}
	return inet_pton(AF_INET6, copy, to) == 1;
}

bool address_read_v6(struct span text, struct in6_addr *to)
{
	return text.len > 0 && memchr(text.at, ':', text.len) && address_read(text, to);
}

bool address_is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == IN_LOOPBACKNET);
}

bool port_read(struct span text, int64_t *port)
{
	return text_number(text, port) && *port > 0 && *port <= 65535;
}

struct in6_addr address_prefix(const struct in6_addr *address, unsigned bits)
{
	struct in6_addr prefix = {0};

	memcpy(prefix.s6_addr, address->s6_addr, bits / 8);
	if (bits % 8)
		prefix.s6_addr[bits / 8] =
		    (uint8_t)(address->s6_addr[bits / 8] & 0xff << (8 - bits % 8));
	return prefix;
}

bool network_read(struct span text, struct network *to)
{
	int64_t bits;
	struct span rest = text, address = span_cut(&rest, '/');

	to->bits = 128;
	if (!address.at || !address_read(address, &to->address))
		return false;
	if (!rest.at)
		return true;
	bool v4 = !memchr(address.at, ':', address.len);
	if (!text_number(rest, &bits) || bits > (v4 ? 32 : 128))
		return false;
	to->bits = (unsigned)bits + (v4 ? V4_BEGINS : 0);
	struct in6_addr prefix = address_prefix(&to->address, to->bits);
	return memcmp(&prefix, &to->address, sizeof prefix) == 0;
}

bool network_has(const struct network *network, const struct in6_addr *address)
{
	struct in6_addr prefix = address_prefix(address, network->bits);

	return memcmp(&prefix, &network->address, sizeof prefix) == 0;
}
