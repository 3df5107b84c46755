/* peers.c: see peers.h. */
#include "accept/peers.h"

#include <arpa/inet.h>
#include <string.h>

#include "shared/config.h"
#include "shared/log.h"
#include "shared/network.h"
#include "shared/text.h"

bool peers_read(struct peers *p, const char *list, struct refusal *why)
{
	struct span rest = span_of(list);

	*p = (struct peers){.any = list == NULL};
	while (rest.at) {
		struct span one = span_trim(span_cut(&rest, ','));
		if (p->count < PEERS_MOST && address_read(one, &p->at[p->count])) {
			p->count++;
			continue;
		}
		refuse(why, FAULT_INTERNAL,
		    "FCGI_WEB_SERVER_ADDRS: \"%.*s\" is no address; it takes at most %d, separated "
		    "by commas",
		    (int)one.len, one.at, PEERS_MOST);
		return false;
	}
	return true;
}

/* The address of a TCP socket's end. False: it is no such socket. */
static bool address_of(const struct sockaddr_storage *socket, struct in6_addr *address)
{
	if (socket->ss_family == AF_INET)
		*address = address_mapped(((const struct sockaddr_in *)socket)->sin_addr);
	else if (socket->ss_family == AF_INET6)
		*address = ((const struct sockaddr_in6 *)socket)->sin6_addr;
	else
		return false;
	return true;
}

bool peers_allow(const struct peers *p, const struct sockaddr_storage *from)
{
	struct in6_addr address;

	if (p->any || !address_of(from, &address))
		return true;
	for (unsigned i = 0; i < p->count; i++)
		if (memcmp(&p->at[i], &address, sizeof address) == 0)
			return true;
	return false;
}

void peers_warn(const struct peers *p, int listening)
{
	struct sockaddr_storage here = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof here;
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN] = "";

	if (!p->any || getsockname(listening, (struct sockaddr *)&here, &len) != 0 ||
	    !address_of(&here, &address) || address_is_loopback(&address))
		return;
	bool v4 = IN6_IS_ADDR_V4MAPPED(&address);
	inet_ntop(v4 ? AF_INET : AF_INET6, address.s6_addr + (v4 ? 12 : 0), text, sizeof text);
	log_line(LOG_WARN, "whoever reaches this socket is taken for the web server",
	    "listening=%s mend=\"set FCGI_WEB_SERVER_ADDRS, or listen on 127.0.0.1 or unix:\"",
	    text);
}
