/* limiter.c: stalled transfers must not take every thread. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "accept/accept.h"

enum { PATIENCE_SECONDS = 5 };

struct limiter {
	pthread_mutex_t lock;
	pthread_cond_t left;
	int64_t places;	 /* of one lane */
	int64_t total;	 /* of both */
	int64_t benches; /* how many more may wait for a place */
	int64_t inside[LANES], waiting;
};

/* The only thread serves whatever comes; of several at least `least` are kept free. */
static int64_t kept_free(int64_t threads, int64_t part, int64_t least)
{
	if (threads == 1)
		return 0;
	return threads / part > least ? threads / part : least;
}

struct limiter *limiter_new(int64_t threads)
{
	struct limiter *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->places = threads - kept_free(threads, 8, threads < 4 ? 1 : 2);
	t->total = threads - kept_free(threads, 16, 1);
	t->benches = threads / 32;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->left, &attr);
	pthread_condattr_destroy(&attr);
	return t;
}

static bool has_place(const struct limiter *t, enum lane lane)
{
	return t->inside[lane] < t->places &&
	       t->inside[LANE_BODY] + t->inside[LANE_CONTENT] < t->total;
}

static void wait_for_place(struct limiter *t, enum lane lane)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_SECONDS;
	t->waiting++;
	while (!has_place(t, lane))
		if (pthread_cond_timedwait(&t->left, &t->lock, &until) == ETIMEDOUT)
			break;
	t->waiting--;
}

enum fault limiter_enter(struct limiter *t, enum lane lane, struct refusal *why)
{
	pthread_mutex_lock(&t->lock);
	if (!has_place(t, lane) && t->waiting < t->benches)
		wait_for_place(t, lane);
	bool entered = has_place(t, lane);
	if (entered)
		t->inside[lane]++;
	long long under_way = (long long)t->inside[lane];
	pthread_mutex_unlock(&t->lock);
	if (entered)
		return FAULT_NONE;
	return refuse(why, FAULT_BUSY,
	    lane == LANE_BODY
		? "The server is reading %lld uploads already and takes no more at "
		  "once; nothing was stored. Try again in a few seconds."
		: "The server is sending %lld long answers already and cannot send more at "
		  "once. Try again in a few seconds.",
	    under_way);
}

/* All who wait are woken: the first of them may wait in the other lane. */
void limiter_leave(struct limiter *t, enum lane lane)
{
	pthread_mutex_lock(&t->lock);
	t->inside[lane]--;
	pthread_cond_broadcast(&t->left);
	pthread_mutex_unlock(&t->lock);
}

void limiter_free(struct limiter *t)
{
	if (!t)
		return;
	pthread_cond_destroy(&t->left);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
