/*
 * farewell.h: connections whose answer is out, but whose body is still coming.
 *
 * Closing one with bytes unread would make the kernel tell the peer of a reset, and the server in
 * front might lose the answer over it. So what comes is thrown away until the peer has closed,
 * falls silent, or has had its time; one thread does it for all, so that a refused client that
 * stalls does not hold a thread that could serve.
 */
#ifndef WAYBILL_ACCEPT_FAREWELL_H
#define WAYBILL_ACCEPT_FAREWELL_H

struct farewell;

struct farewell *farewell_new(void); /* NULL: errno */
/* Takes `fd` over. When there are too many already it is closed at once. Any thread. */
void farewell_take(struct farewell *l, int fd);
/* Waits until all have gone: a few seconds at most. NULL is fine. */
void farewell_free(struct farewell *l);

#endif
