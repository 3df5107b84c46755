/*
 * lingering.h: connections whose answer is out, but whose body is still coming.
 *
 * Closing one with bytes unread would make the kernel tell the peer of a reset, and the server in
 * front might lose the answer over it. So what comes is thrown away until the peer has closed,
 * falls silent, or has had its time; one thread does it for all, so that a refused client that
 * stalls does not hold a thread that could serve.
 */
#ifndef WAYBILL_ACCEPT_LINGERING_H
#define WAYBILL_ACCEPT_LINGERING_H

struct lingering;

struct lingering *lingering_new(void); /* NULL: errno */
/* Takes `fd` over. When there are too many already it is closed at once. Any thread. */
void lingering_take(struct lingering *l, int fd);
/* Waits until all have gone: a few seconds at most. NULL is fine. */
void lingering_free(struct lingering *l);

#endif
