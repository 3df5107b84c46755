/*
 * pace.h: is a transfer quick enough? Trickling one byte a minute would otherwise hold a thread
 * for as long as the trickler likes; the first minute is free, after it an average is asked for.
 */
#ifndef WAYBILL_ACCEPT_PACE_H
#define WAYBILL_ACCEPT_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { PACE_FREE_SECONDS = 60 };

struct pace {
	time_t start; /* CLOCK_MONOTONIC, seconds */
	int64_t bytes;
};

static inline time_t pace_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static inline void pace_start(struct pace *p)
{
	*p = (struct pace){.start = pace_now()};
}

/* `bytes` more have passed. False: too slow. min_rate in bytes per second, 0: any. */
static inline bool pace_add(struct pace *p, size_t bytes, int64_t min_rate)
{
	p->bytes += (int64_t)bytes;
	int64_t elapsed = pace_now() - p->start;
	return elapsed < PACE_FREE_SECONDS || p->bytes / elapsed >= min_rate;
}

#endif
