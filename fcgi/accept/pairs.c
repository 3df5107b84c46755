/* pairs.c: see pairs.h. Pure. */
#include "accept/pairs.h"

#include "shared/text.h"

/* Bytes that a length takes, by its first. */
static unsigned width(uint8_t first)
{
	return first & 0x80 ? 4 : 1;
}

static uint32_t length(const uint8_t *at)
{
	if (width(at[0]) == 1)
		return at[0];
	return (uint32_t)(at[0] & 0x7f) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

static bool knows_lengths(const struct pairs *p)
{
	unsigned first = width(p->head[0]);

	return p->got > first && p->got == first + width(p->head[first]);
}

static enum pair_event open_pair(struct pairs *p, struct span *in)
{
	while (in->len > 0) {
		p->head[p->got++] = (uint8_t)*span_take(in, 1).at;
		if (!knows_lengths(p))
			continue;
		p->name = length(p->head);
		p->value = length(p->head + width(p->head[0]));
		p->got = 0;
		p->open = p->name > 0 || p->value > 0;
		return PAIR_OPEN;
	}
	return PAIR_MORE;
}

enum pair_event pairs_next(struct pairs *p, struct span *in, struct span *piece)
{
	if (in->len == 0)
		return PAIR_MORE;
	if (!p->open)
		return open_pair(p, in);
	enum pair_event event = p->name > 0 ? PAIR_NAME : PAIR_VALUE;
	uint32_t *left = p->name > 0 ? &p->name : &p->value;
	*piece = span_take(in, *left);
	*left -= (uint32_t)piece->len;
	p->open = p->name > 0 || p->value > 0;
	return event;
}

bool pairs_at_rest(const struct pairs *p)
{
	return !p->open && p->got == 0;
}
