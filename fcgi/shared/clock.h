/*
 * clock.h: what time it is, in milliseconds: by the calendar, and for measuring.
 */
#ifndef WAYBILL_CLOCK_H
#define WAYBILL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Since the epoch; may jump. */
static inline int64_t clock_calendar(void)
{
	return clock_ms(CLOCK_REALTIME);
}

/* 0: never does. */
static inline bool clock_has_passed(int64_t moment)
{
	return moment != 0 && moment <= clock_calendar();
}

/* Since some moment; only goes on. */
static inline int64_t clock_steady(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

#endif
