/*
 * pairs.h: FastCGI's name-value pairs (3.4), out of any pieces. A length is one byte, or four with
 * the highest bit set.
 */
#ifndef WAYBILL_ACCEPT_PAIRS_H
#define WAYBILL_ACCEPT_PAIRS_H

#include "accept/record.h"

enum pair_event {
	PAIR_MORE,  /* all was taken */
	PAIR_OPEN,  /* both lengths are known: p->name, p->value */
	PAIR_NAME,  /* *piece of the name; p->name bytes follow */
	PAIR_VALUE, /* *piece of the value; p->value bytes follow */
};

enum pair_event pairs_next(struct pairs *p, struct span *in, struct span *piece);
/* Did they end with a whole pair? */
bool pairs_at_rest(const struct pairs *p);

#endif
