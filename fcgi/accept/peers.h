/*
 * peers.h: from where a web server may connect by TCP. Whoever reaches the socket can say anything:
 * that they are any user, on any address.
 */
#ifndef WAYBILL_ACCEPT_PEERS_H
#define WAYBILL_ACCEPT_PEERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "shared/fault.h"

enum { PEERS_MOST = 64 };

struct peers {
	struct in6_addr at[PEERS_MOST]; /* IPv4 mapped into IPv6 */
	unsigned count;
	bool any;
};

/* FCGI_WEB_SERVER_ADDRS: addresses separated by commas; NULL: any. False: *why. */
bool peers_read(struct peers *p, const char *list, struct refusal *why);
/* Whatever is no TCP passes. */
bool peers_allow(const struct peers *p, const struct sockaddr_storage *from);
/* Says in the log where a socket is open to more than this machine, and to anybody. */
void peers_warn(const struct peers *p, int listening);

#endif
