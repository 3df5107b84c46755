/* turnstile.c: stalled bodies must not take every thread. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "accept/accept.h"

enum { PATIENCE_SECONDS = 5 };

struct turnstile {
	pthread_mutex_t lock;
	pthread_cond_t left;
	int64_t places;	 /* bodies that may be read at once */
	int64_t benches; /* how many more may wait for a place */
	int64_t inside, waiting;
};

struct turnstile *turnstile_new(int64_t threads)
{
	struct turnstile *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	int64_t kept_free = threads / 8;
	t->places = threads - kept_free;
	t->benches = kept_free / 2;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->left, &attr);
	pthread_condattr_destroy(&attr);
	return t;
}

static void wait_for_place(struct turnstile *t)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_SECONDS;
	t->waiting++;
	while (t->inside >= t->places)
		if (pthread_cond_timedwait(&t->left, &t->lock, &until) == ETIMEDOUT)
			break;
	t->waiting--;
}

enum fault turnstile_enter(struct turnstile *t, struct refusal *why)
{
	pthread_mutex_lock(&t->lock);
	if (t->inside >= t->places && t->waiting < t->benches)
		wait_for_place(t);
	bool entered = t->inside < t->places;
	if (entered)
		t->inside++;
	pthread_mutex_unlock(&t->lock);
	if (entered)
		return FAULT_NONE;
	return refuse(why, FAULT_BUSY,
	    "The server is reading %lld uploads already and takes no more at once; nothing was "
	    "stored. Try again in a few seconds.",
	    (long long)t->places);
}

void turnstile_leave(struct turnstile *t)
{
	pthread_mutex_lock(&t->lock);
	t->inside--;
	pthread_cond_signal(&t->left);
	pthread_mutex_unlock(&t->lock);
}

int64_t turnstile_inside(struct turnstile *t)
{
	pthread_mutex_lock(&t->lock);
	int64_t inside = t->inside;
	pthread_mutex_unlock(&t->lock);
	return inside;
}

void turnstile_free(struct turnstile *t)
{
	if (!t)
		return;
	pthread_cond_destroy(&t->left);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
