/*
 * chance.h: what a test leaves to chance comes from one seed, which it prints; SEED=..., in the
 * environment, gives the same again. tests/http/chance.py is the same for Python.
 */
#ifndef WAYBILL_TESTS_CHANCE_H
#define WAYBILL_TESTS_CHANCE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct chance {
	uint64_t state;
};

static inline const char *chance_seed(void)
{
	static char seed[80];
	const char *given = getenv("SEED");
	if (seed[0] == '\0') {
		if (given && given[0])
			snprintf(seed, sizeof seed, "%s", given);
		else
			snprintf(seed, sizeof seed, "%lld", (long long)time(NULL));
		printf("SEED=%s\n", seed);
		fflush(stdout); /* a child that forks off would say it again */
	}
	return seed;
}

/* A generator of its own for each name and number, the same whenever it is asked for. */
static inline struct chance chance(const char *name, int number)
{
	char named[160];
	struct chance c = {14695981039346656037ULL};
	snprintf(named, sizeof named, "%s-%s-%d", chance_seed(), name, number);
	for (const char *p = named; *p; p++)
		c.state = (c.state ^ (unsigned char)*p) * 1099511628211ULL;
	return c;
}

/* 0 to sides - 1. */
static inline unsigned chance_below(struct chance *c, unsigned sides)
{
	c->state = c->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(c->state >> 33) % sides;
}

#endif
