/* range.c: Range and entity tags as RFC 9110 has them. Pure. */
#include <string.h>

#include "reply/inside.h"
#include "shared/text.h"

/* 1*DIGIT at the front; what is too large counts as the largest there is: such a position is good
 * syntax, it only lies behind every end. */
static bool cut_position(struct span *s, int64_t *value)
{
	size_t i = 0;
	int64_t n = 0;
	for (; i < s->len && s->at[i] >= '0' && s->at[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, s->at[i] - '0', &n))
			n = INT64_MAX;
	span_take(s, i);
	*value = n;
	return i > 0;
}

enum spec { SPEC_BAD, SPEC_OUTSIDE, SPEC_INSIDE };

/* "0-499", "500-" or "-500" */
static enum spec parse_spec(struct span s, int64_t size, struct range *range)
{
	int64_t first, last = INT64_MAX;
	bool prefixed = cut_position(&s, &first);
	if (!span_skip(&s, span_of("-")))
		return SPEC_BAD;
	bool bounded = s.len > 0;
	if ((bounded && (!cut_position(&s, &last) || s.len)) || (!prefixed && !bounded))
		return SPEC_BAD;
	if (!prefixed && last > 0 && size == 0)
		return SPEC_BAD; /* satisfiable by RFC 9110 14.1.2, but no Content-Range can say so */
	if (!prefixed) { /* the last `last` bytes */
		first = last > size ? 0 : size - last;
		last = INT64_MAX;
	} else if (last < first) {
		return SPEC_BAD;
	}
	*range = (struct range){first, last < size ? last : size - 1};
	return first < size ? SPEC_INSIDE : SPEC_OUTSIDE;
}

/* Overlapping ranges become one, so that nobody can make us send a file a hundred times (RFC 9110
 * 17.15). Others keep the order that was asked for. */
static void add_range(struct range *at, unsigned *count, struct range new)
{
	unsigned i = 0;
	while (i < *count) {
		if (new.first > at[i].last || at[i].first > new.last) {
			i++;
			continue;
		}
		new.first = new.first < at[i].first ? new.first : at[i].first;
		new.last = new.last > at[i].last ? new.last : at[i].last;
		memmove(at + i, at + i + 1, (--*count - i) * sizeof *at);
		i = 0; /* grown, it may touch one that it did not touch before */
	}
	at[(*count)++] = new;
}

enum ranges ranges_parse(
    struct span header, int64_t size, struct range at[RANGES_MAX], unsigned *count)
{
	struct span unit = span_cut(&header, '=');
	bool outside = false;
	unsigned specs = 0;
	*count = 0;
	if (!span_is_nocase(unit, "bytes"))
		return RANGES_IGNORE;
	while (header.len) {
		struct span text = span_trim(span_cut(&header, ','));
		struct range range;
		if (text.len == 0)
			continue; /* RFC 9110 5.6.1: empty list elements */
		enum spec spec = parse_spec(text, size, &range);
		if (spec == SPEC_BAD || ++specs > RANGES_MAX) {
			*count = 0;
			return RANGES_IGNORE;
		}
		if (spec == SPEC_INSIDE)
			add_range(at, count, range);
		else
			outside = true;
	}
	if (*count)
		return RANGES_SOME;
	return outside ? RANGES_UNSATISFIABLE : RANGES_IGNORE;
}

bool etag_listed(struct span header, const char *etag)
{
	header = span_trim(header);
	if (span_is(header, "*"))
		return true;
	while (header.len) {
		span_skip(&header, span_of("W/"));
		if (span_skip(&header, span_of(etag)))
			return true;
		if (span_skip(&header, span_of("\"")))
			span_cut(&header, '"'); /* a comma may stand inside the quotes */
		span_cut(&header, ',');
		header = span_trim(header);
	}
	return false;
}
