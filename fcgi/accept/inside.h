/* inside.h: what accept/'s own files know of each other. */
#ifndef WAYBILL_ACCEPT_INSIDE_H
#define WAYBILL_ACCEPT_INSIDE_H

#include <errno.h>
#include <unistd.h>

#include "accept/accept.h"

/* Make an eventfd readable. */
static inline void ring(int fd)
{
	const uint64_t one = 1;

	while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/* The value of a header field by its CGI name; absent when empty or unset. */
struct span request_header(struct exchange *x, const char *name);

/* address.c: base, path, segments and query out of REQUEST_URI and its relatives. */
enum fault request_address(struct request *request, struct exchange *x, const struct config *config,
    struct scratch *scratch, struct refusal *why);

/* client.c: r->client and r->address; absent where REMOTE_ADDR is no address. */
void request_client(
    struct request *r, struct exchange *x, const struct config *config, struct scratch *scratch);

/* negotiate.c: does Accept (RFC 9110 12.5.1) prefer text/html to JSON? */
bool request_prefers_html(struct span accept);

/* bodyfile.c: open the file that a web server has written a body to. FORBIDDEN: it lies outside
 * `dir`, is reached by a link, is no plain file, or not ours alone. Not pure: opens a file. */
enum fault body_file_open(const char *dir, const char *path, int *fd, struct refusal *why);
/* As exchange.read, from such a file. INTERNAL: it cannot be read. */
enum fault body_file_read(int fd, void *buf, size_t room, size_t *got);

#endif
