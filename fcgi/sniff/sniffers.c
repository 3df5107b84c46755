/* sniffers.c: the worker's side of the sniffers: start and stop them, and share them out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/descriptor.h"
#include "sniff/sniff.h"
#include "sniff/sniffer.h"

enum { RESIDENT = 128 << 10 }; /* bytes of a region that stay in memory between verdicts */

/* ---- start and stop -------------------------------------------------------------------------- */

static void *map_shared(int fd, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* The file's mode is part of what libmagic judges: nothing that is uploaded may be executed. */
static bool make_region(struct slot *slot)
{
	slot->memory = memfd_create("sniffed", MFD_CLOEXEC);
	if (slot->memory < 0 || fchmod(slot->memory, 0600) < 0 ||
	    ftruncate(slot->memory, HEAD_BYTES) < 0)
		return false;
	slot->region = map_shared(slot->memory, HEAD_BYTES);
	return slot->region != NULL;
}

/*
 * The board is mapped for the parent while it may still be written; from then on the seals let it be
 * mapped for reading only, and nothing the worker does makes such a mapping writable again.
 */
static bool make_board(struct sniffer_house *house)
{
	int fd = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	house->board_file = fd;
	if (fd < 0 || ftruncate(fd, sizeof *house->board) < 0)
		return false;
	house->board = map_shared(fd, sizeof *house->board);
	return house->board &&
	       fcntl(fd, F_ADD_SEALS,
		   F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) == 0;
}

static bool read_board(struct sniffers *s, const struct sniffer_house *house)
{
	void *at = mmap(NULL, sizeof *s->board, PROT_READ, MAP_SHARED, house->board_file, 0);

	s->board = at == MAP_FAILED ? NULL : at;
	return s->board != NULL;
}

/* One pair of sockets: ours waits no longer than a hung child is waited for. */
static bool connect_pair(int *ours, int *theirs)
{
	struct timeval patience = {.tv_sec = SNIFF_TIMEOUT_MS / 1000};
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	*ours = pair[0];
	*theirs = pair[1];
	return setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
	       setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0;
}

static bool furnish(struct sniffers *s, struct sniffer_house *house)
{
	house->count = s->count;
	if (!make_board(house) || !connect_pair(&s->control, &house->control))
		return false;
	for (unsigned i = 0; i < s->count; i++) {
		if (!make_region(&s->slots[i]) ||
		    !connect_pair(&s->slots[i].socket, &house->sockets[i]))
			return false;
		house->regions[i] = s->slots[i].region;
		house->memories[i] = s->slots[i].memory;
	}
	return true;
}

static void close_theirs(struct sniffer_house *house)
{
	if (house->board)
		munmap(house->board, sizeof *house->board);
	descriptor_close(house->board_file);
	descriptor_close(house->control);
	for (unsigned i = 0; i < SNIFF_SLOTS; i++)
		descriptor_close(house->sockets[i]);
}

/* Wait until the slot's first child sits in its jail. */
static bool ready(struct slot *slot, struct refusal *why)
{
	struct sniff_answer hello = {0};
	ssize_t got = TEMP_FAILURE_RETRY(recv(slot->socket, &hello, sizeof hello, 0));
	hello.text[TYPE_BYTES] = '\0';
	if (got == sizeof hello && hello.kind == SNIFF_READY)
		return true;
	const char *reason = got < 0 ? strerror(errno) : "it died at once";
	if (got == sizeof hello && hello.kind == SNIFF_FAILED && hello.text[0])
		reason = hello.text;
	return !refuse(why, FAULT_INTERNAL,
	    "The process that inspects files with libmagic cannot work: %s. Is the package "
	    "libmagic-mgc installed?",
	    reason);
}

static bool start(struct sniffers *s, struct refusal *why)
{
	struct sniffer_house house = {.control = -1, .board_file = -1};
	memset(house.sockets, -1, sizeof house.sockets);
	bool furnished = furnish(s, &house);
	if (furnished)
		s->parent = fork();
	if (furnished && s->parent == 0)
		sniffer_parent(&house);
	bool started = furnished && s->parent > 0 && read_board(s, &house);
	int err = errno;
	close_theirs(&house);
	if (!started)
		return !refuse(why, FAULT_INTERNAL,
		    "The inspecting processes cannot be started: %s.", strerror(err));
	for (unsigned i = 0; i < s->count; i++)
		if (!ready(&s->slots[i], why))
			return false;
	return true;
}

struct sniffers *sniff_start(unsigned count, struct refusal *why)
{
	struct sniffers *s = calloc(1, sizeof *s);
	if (!s) {
		refuse(why, FAULT_INTERNAL, "Out of memory.");
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->freed, NULL);
	s->count = count < 1 ? 1 : count > SNIFF_SLOTS ? SNIFF_SLOTS : count;
	s->control = -1;
	s->parent = -1;
	for (unsigned i = 0; i < SNIFF_SLOTS; i++)
		s->slots[i].socket = s->slots[i].memory = -1;
	if (start(s, why))
		return s;
	sniff_stop(s);
	return NULL;
}

void sniff_stop(struct sniffers *s)
{
	if (!s)
		return;
	descriptor_close(s->control); /* the parent takes it as its end, and ends its children */
	if (s->parent > 0)
		TEMP_FAILURE_RETRY(waitpid(s->parent, NULL, 0));
	for (unsigned i = 0; i < s->count; i++) {
		descriptor_close(s->slots[i].socket);
		descriptor_close(s->slots[i].memory);
		if (s->slots[i].region)
			munmap(s->slots[i].region, HEAD_BYTES);
	}
	if (s->board)
		munmap((void *)s->board, sizeof *s->board);
	pthread_cond_destroy(&s->freed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- the pool of slots ----------------------------------------------------------------------- */

bool sniffers_parent_alive(const struct sniffers *s)
{
	struct pollfd control = {.fd = s->control};
	return poll(&control, 1, 0) == 0;
}

/* A free slot, one with a living child if there is any: the lowest, for its warm caches. */
static struct slot *pick(struct sniffers *s)
{
	struct slot *found = NULL;
	for (unsigned i = 0; i < s->count; i++) {
		if (s->slots[i].busy)
			continue;
		if (!found)
			found = &s->slots[i];
		if (!s->slots[i].tainted && atomic_load(&s->board->slot[i].pid))
			return &s->slots[i];
	}
	return found;
}

struct slot *sniffers_take(struct sniffers *s)
{
	struct slot *slot;
	pthread_mutex_lock(&s->lock);
	while (!(slot = pick(s)))
		pthread_cond_wait(&s->freed, &s->lock);
	slot->busy = true;
	pthread_mutex_unlock(&s->lock);
	return slot;
}

void sniffers_give_back(struct sniffers *s, struct slot *slot, size_t len)
{
	if (len > RESIDENT)
		madvise(slot->region + RESIDENT, HEAD_BYTES - RESIDENT, MADV_REMOVE);
	pthread_mutex_lock(&s->lock);
	slot->busy = false;
	pthread_cond_signal(&s->freed);
	pthread_mutex_unlock(&s->lock);
}

/* ---- for health and tests -------------------------------------------------------------------- */

void sniff_count(struct sniffers *s, int64_t *alive, int64_t *deaths)
{
	*alive = 0;
	*deaths = atomic_load(&s->board->deaths);
	if (!sniffers_parent_alive(s))
		return;
	for (unsigned i = 0; i < s->count; i++)
		*alive += atomic_load(&s->board->slot[i].pid) != 0;
}

unsigned sniff_pids(struct sniffers *s, int *pids, unsigned room)
{
	unsigned found = 0;
	for (unsigned i = 0; i < s->count && found < room; i++) {
		int pid = atomic_load(&s->board->slot[i].pid);
		if (pid)
			pids[found++] = pid;
	}
	return found;
}
