/* lingering.c: see lingering.h. The thread starts with the first connection and sleeps without any. */
#include "accept/lingering.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "accept/inside.h"
#include "shared/clock.h"

enum {
	MOST = 1024,	    /* connections at once */
	SILENCE_MS = 2000,  /* without a byte: the peer waits for us */
	PATIENCE_MS = 30000 /* in all, however much comes */
};

struct leaving {
	int64_t heard, since; /* ms, CLOCK_MONOTONIC */
};

struct lingering {
	pthread_mutex_t lock;
	pthread_t thread;
	bool started, ending;
	int wake;	 /* eventfd: something was put into fresh[], or it is time to end */
	int fresh[MOST]; /* under the lock */
	int fresh_count;
	/* The thread's own: door[0] is wake, door[i] and leaving[i] are of one connection. */
	struct pollfd door[MOST + 1];
	struct leaving leaving[MOST + 1];
	int count; /* of doors; 1: nobody lingers */
	int all;   /* fresh and lingering; under the lock */
};

struct lingering *lingering_new(void)
{
	struct lingering *l = calloc(1, sizeof *l);

	if (!l)
		return NULL;
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake < 0 || pthread_mutex_init(&l->lock, NULL) != 0) {
		free(l);
		return NULL;
	}
	l->door[0] = (struct pollfd){.fd = l->wake, .events = POLLIN};
	l->count = 1;
	return l;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* True: the thread goes on. */
static bool welcome(struct lingering *l)
{
	uint64_t calls;
	int64_t now = clock_steady();

	if (read(l->wake, &calls, sizeof calls) < 0 && errno != EAGAIN)
		return false;
	pthread_mutex_lock(&l->lock);
	for (int i = 0; i < l->fresh_count; i++) {
		l->door[l->count] = (struct pollfd){.fd = l->fresh[i], .events = POLLIN};
		l->leaving[l->count++] = (struct leaving){.heard = now, .since = now};
	}
	l->fresh_count = 0;
	bool go_on = !l->ending || l->count > 1;
	pthread_mutex_unlock(&l->lock);
	return go_on;
}

/* Throw away what has come. False: the peer has closed, or its time is over. */
static bool stays(struct lingering *l, int i, int64_t now)
{
	char trash[16384];

	if (l->door[i].revents) {
		ssize_t n = recv(l->door[i].fd, trash, sizeof trash, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (n > 0)
			l->leaving[i].heard = now;
	}
	return now - l->leaving[i].heard < SILENCE_MS && now - l->leaving[i].since < PATIENCE_MS;
}

static void part(struct lingering *l)
{
	int64_t now = clock_steady();
	int gone = 0;

	for (int i = l->count - 1; i > 0; i--) {
		if (stays(l, i, now))
			continue;
		close(l->door[i].fd);
		l->count--;
		gone++;
		l->door[i] = l->door[l->count];
		l->leaving[i] = l->leaving[l->count];
	}
	pthread_mutex_lock(&l->lock);
	l->all -= gone;
	pthread_mutex_unlock(&l->lock);
}

static void *see_off(void *argument)
{
	struct lingering *l = argument;

	while (welcome(l)) {
		poll(l->door, (nfds_t)l->count, l->count > 1 ? SILENCE_MS / 8 : -1);
		part(l);
	}
	return NULL;
}

/* ---- for the gate ---------------------------------------------------------------------------- */

void lingering_take(struct lingering *l, int fd)
{
	pthread_mutex_lock(&l->lock);
	if (!l->started)
		l->started = pthread_create(&l->thread, NULL, see_off, l) == 0;
	bool taken = l->started && l->all < MOST;
	if (taken) {
		l->fresh[l->fresh_count++] = fd;
		l->all++;
	}
	pthread_mutex_unlock(&l->lock);
	if (taken)
		ring(l->wake);
	else
		close(fd);
}

void lingering_free(struct lingering *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_mutex_unlock(&l->lock);
	ring(l->wake);
	if (l->started)
		pthread_join(l->thread, NULL);
	close(l->wake);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
