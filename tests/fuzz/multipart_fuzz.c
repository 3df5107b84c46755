/*
 * multipart_fuzz.c: any cut of a body gives the same events.
 *
 * The first line of the input is the Content-Type, what follows is the body. Fed whole, cut at
 * random twice (in small and in large pieces) and byte by byte, the machine must say the same.
 */
#include <stdint.h>

#include "events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long long seed_of(const uint8_t *data, size_t size)
{
	unsigned long long h = 14695981039346656037ULL; /* FNV-1a */
	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * 1099511628211ULL;
	return h | 1;
}

static void check_invariants(const struct events *e)
{
	if (e->fault != FAULT_NONE && e->fault != FAULT_BAD_MULTIPART)
		abort();
	if (e->fault == FAULT_NONE && e->open)
		abort();
	if (e->begins != e->ends + (e->open ? 1 : 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span type = {(const char *)data, size}, body = {0};
	const char *line_end = size > 0 ? memchr(data, '\n', size) : NULL;
	if (line_end == NULL)
		return 0;
	type.len = (size_t)(line_end - type.at);
	body = (struct span){line_end + 1, size - type.len - 1};
	static const size_t most[] = {1, 9, 300};
	struct events whole, cut;
	events_of(&whole, type, body, 0, 0);
	check_invariants(&whole);
	for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
		events_of(&cut, type, body, most[i], seed_of(data, size) + i);
		if (!events_same(&whole, &cut))
			abort();
		events_free(&cut);
	}
	events_free(&whole);
	return 0;
}
