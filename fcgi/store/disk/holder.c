/*
 * holder.c: who holds a resumable upload, and making them let go.
 *
 * Holding is an open file description lock on partial/<id>, so that it ends with the process.
 * Wanting is another one, on a byte of partial/wanted whose place is the id's: a thread of the
 * holder's process looks there a few times a second, and interrupts the request; one of the same
 * process is interrupted at once. Neither leaves anything behind, however a process dies.
 */
#include "store/holder.h"
#include "store/disk/disk.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	STEP = 10,	  /* ms between two tries to get a lock */
	WATCH_STEP = 250, /* ms between two looks at who wants what we hold */
	WATCH_STACK = 128 * 1024
};

struct holders {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct holder *first;
	int wanted;	   /* partial/wanted, only ever asked about locks */
	pthread_t watcher; /* once there was something to watch over */
	bool watching, closing;
};

/* 60 of the id's 130 random bits: two that meet cost an interruption, nothing else. */
static off_t place_of(const char *id)
{
	uint64_t place = 0;

	for (int i = 0; i < 12; i++)
		place = place << 5 | ((unsigned char)id[i] & 31u);
	return (off_t)place;
}

static int open_wanted(const struct store *store)
{
	return openat(store->partial, "wanted", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

bool holders_open(struct store *store)
{
	struct holders *h = calloc(1, sizeof *h);
	pthread_condattr_t steady;

	if (h == NULL)
		return false;
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&h->changed, &steady);
	pthread_condattr_destroy(&steady);
	h->wanted = open_wanted(store);
	store->holders = h;
	return h->wanted >= 0;
}

void holders_close(struct store *store)
{
	struct holders *h = store->holders;

	if (h == NULL)
		return;
	pthread_mutex_lock(&h->lock);
	h->closing = true;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
	if (h->watching)
		pthread_join(h->watcher, NULL);
	descriptor_close(h->wanted);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	free(h);
	store->holders = NULL;
}

/* ---- those of this process ------------------------------------------------------------------- */

void holder_leave(struct store *store, struct holder *holder)
{
	struct holders *h = store->holders;

	pthread_mutex_lock(&h->lock);
	for (struct holder **at = &h->first; *at != NULL; at = &(*at)->next) {
		if (*at == holder) {
			*at = holder->next;
			break;
		}
	}
	pthread_mutex_unlock(&h->lock);
}

/* Under the lock: an exchange is interrupted only while its request holds the upload. */
static void ask(struct holder *holder)
{
	__atomic_store_n(&holder->wanted, true, __ATOMIC_RELAXED);
	if (holder->x != NULL)
		holder->x->interrupt(holder->x);
}

static void ask_here(struct holders *h, const char *id)
{
	pthread_mutex_lock(&h->lock);
	for (struct holder *one = h->first; one != NULL; one = one->next)
		if (strcmp(one->id, id) == 0)
			ask(one);
	pthread_mutex_unlock(&h->lock);
}

bool holder_wanted(const struct store *store, const char *id)
{
	struct flock want = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = place_of(id), .l_len = 1};

	return fcntl(store->holders->wanted, F_OFD_GETLK, &want) == 0 && want.l_type != F_UNLCK;
}

/* Under the lock. */
static void look_around(const struct store *store)
{
	for (struct holder *one = store->holders->first; one != NULL; one = one->next)
		if (!one->wanted && holder_wanted(store, one->id))
			ask(one);
}

static void *watch(void *self)
{
	struct store *store = self;
	struct holders *h = store->holders;
	struct timespec next;

	pthread_mutex_lock(&h->lock);
	while (!h->closing) {
		if (h->first == NULL) {
			pthread_cond_wait(&h->changed, &h->lock);
			continue;
		}
		look_around(store);
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_nsec += WATCH_STEP * 1000000;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&h->changed, &h->lock, &next);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* Without the thread, requests of other processes wait in vain and get LOCKED; nothing worse. */
static bool start_watcher(struct store *store)
{
	pthread_attr_t small;
	sigset_t all, before;

	sigfillset(&all);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, WATCH_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool started = pthread_create(&store->holders->watcher, &small, watch, store) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&small);
	return started;
}

void holder_enter(struct store *store, struct holder *holder)
{
	struct holders *h = store->holders;

	pthread_mutex_lock(&h->lock);
	holder->next = h->first;
	h->first = holder;
	if (!h->watching)
		h->watching = start_watcher(store);
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

/* ---- wanting --------------------------------------------------------------------------------- */

/* Make it known to all processes; close() takes it back. -1: only this one will know. */
static int want(struct store *store, const char *id)
{
	struct flock lock = {
	    .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = place_of(id), .l_len = 1};
	int fd = open_wanted(store);

	if (fd >= 0)
		fcntl(fd, F_OFD_SETLK, &lock);
	if (store->holders != NULL)
		ask_here(store->holders, id);
	return fd;
}

static void rest(void)
{
	nanosleep(&(struct timespec){.tv_nsec = STEP * 1000000}, NULL);
}

enum fault holder_take(
    struct store *store, const char *id, int patience, struct blob *blob, struct refusal *why)
{
	struct digest start;
	int wanted = -1;
	enum fault f;

	digest_start(&start, DIGEST_SHA256);
	for (;;) {
		f = blob_open_named(store, blob, id, 0, &start, why);
		if (!f && !blob_is_called(store, blob->fd, id)) {
			blob_leave(store, blob, true);
			f = FAULT_LOCKED;
		}
		if (f != FAULT_LOCKED || patience <= 0)
			break;
		if (wanted < 0)
			wanted = want(store, id);
		else if (store->holders != NULL)
			ask_here(store->holders, id);
		rest();
		patience -= STEP;
	}
	descriptor_close(wanted);
	return f == FAULT_LOCKED ? refuse(why, f, NULL) : f;
}

/* Does anybody hold the lock? */
static bool is_held(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool holder_settle(struct store *store, const char *id, int patience)
{
	int fd = openat(store->partial, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int wanted = -1;

	if (fd < 0)
		return true;
	bool held = is_held(fd);
	if (held)
		wanted = want(store, id);
	for (; held && patience > 0; patience -= STEP) {
		rest();
		held = is_held(fd);
	}
	descriptor_close(wanted);
	close(fd);
	return !held;
}
