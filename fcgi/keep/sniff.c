/* sniff.c: the worker's side of the sniffers: ask for a verdict, and trust nobody's answer. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keep/inside.h"
#include "keep/sniffer.h"
#include "shared/text.h"

enum {
	RESIDENT = 128 << 10, /* bytes of a region that stay in memory between verdicts */
	STALE = 16,	      /* packets of earlier queries that are passed over */
	FLOOD = 4096	      /* packets of a dead child that are passed over */
};

struct slot {
	int socket;
	uint8_t *region;
	uint32_t seq;
	bool busy;
	bool tainted;	  /* the child lies or hangs: nothing counts until its death is announced */
	uint32_t suspect; /* its number */
};

struct sniffers {
	pthread_mutex_t lock; /* over every slot's busy */
	pthread_cond_t freed;
	int control;
	pid_t parent;
	struct sniff_board *board;
	unsigned count;
	struct slot slots[SNIFF_SLOTS];
};

/* ---- start and stop ------------------------------------------------------------------------- */

static void *map_shared(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return at == MAP_FAILED ? NULL : at;
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
	house->board = s->board = map_shared(sizeof *s->board);
	if (!s->board || !connect_pair(&s->control, &house->control))
		return false;
	for (unsigned i = 0; i < s->count; i++) {
		house->regions[i] = s->slots[i].region = map_shared(HEAD_BYTES);
		if (!s->slots[i].region || !connect_pair(&s->slots[i].socket, &house->sockets[i]))
			return false;
	}
	return true;
}

static void close_theirs(struct sniffer_house *house)
{
	if (house->control >= 0)
		close(house->control);
	for (unsigned i = 0; i < SNIFF_SLOTS; i++)
		if (house->sockets[i] >= 0)
			close(house->sockets[i]);
}

/* Wait until the slot's first child sits in its jail. */
static bool ready(struct slot *slot, struct refusal *why)
{
	struct sniff_answer hello = {0};
	ssize_t got;
	do
		got = recv(slot->socket, &hello, sizeof hello, 0);
	while (got < 0 && errno == EINTR);
	hello.text[TYPE_BYTES] = '\0';
	if (got == sizeof hello && hello.kind == SNIFF_READY)
		return true;
	const char *reason = got < 0 ? strerror(errno) : "it died at once";
	if (got == sizeof hello && hello.kind == SNIFF_FAILED && hello.text[0])
		reason = hello.text;
	refuse(why, FAULT_INTERNAL,
	    "The process that inspects files with libmagic cannot work: %s. Is the package "
	    "libmagic-mgc installed?",
	    reason);
	return false;
}

static bool start(struct sniffers *s, struct refusal *why)
{
	struct sniffer_house house = {.control = -1};
	memset(house.sockets, -1, sizeof house.sockets);
	bool furnished = furnish(s, &house);
	if (furnished)
		s->parent = fork();
	if (furnished && s->parent == 0)
		sniffer_parent(&house);
	int err = errno;
	close_theirs(&house);
	if (!furnished || s->parent < 0) {
		refuse(why, FAULT_INTERNAL, "The inspecting processes cannot be started: %s.",
		    strerror(err));
		return false;
	}
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
		s->slots[i].socket = -1;
	if (start(s, why))
		return s;
	sniff_stop(s);
	return NULL;
}

void sniff_stop(struct sniffers *s)
{
	if (!s)
		return;
	if (s->control >= 0)
		close(s->control); /* the parent takes it as its end, and ends its children */
	while (s->parent > 0 && waitpid(s->parent, NULL, 0) < 0 && errno == EINTR)
		;
	for (unsigned i = 0; i < s->count; i++) {
		if (s->slots[i].socket >= 0)
			close(s->slots[i].socket);
		if (s->slots[i].region)
			munmap(s->slots[i].region, HEAD_BYTES);
	}
	if (s->board)
		munmap(s->board, sizeof *s->board);
	pthread_cond_destroy(&s->freed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- the pool of slots ---------------------------------------------------------------------- */

static bool parent_alive(const struct sniffers *s)
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

static struct slot *take(struct sniffers *s)
{
	struct slot *slot;
	pthread_mutex_lock(&s->lock);
	while (!(slot = pick(s)))
		pthread_cond_wait(&s->freed, &s->lock);
	slot->busy = true;
	pthread_mutex_unlock(&s->lock);
	return slot;
}

static void give_back(struct sniffers *s, struct slot *slot, size_t len)
{
	if (len > RESIDENT)
		madvise(slot->region + RESIDENT, HEAD_BYTES - RESIDENT, MADV_REMOVE);
	pthread_mutex_lock(&s->lock);
	slot->busy = false;
	pthread_cond_signal(&s->freed);
	pthread_mutex_unlock(&s->lock);
}

/* ---- one verdict ---------------------------------------------------------------------------- */

enum heard { HEARD_TYPE, HEARD_DEATH, HEARD_NOTHING, HEARD_RUBBISH, HEARD_PARENT_GONE };

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* An honest child sends nothing but clean types: judge() in sniffer.c sees to it. */
static bool is_type(const struct sniff_answer *answer, char type[TYPE_BYTES + 1])
{
	size_t len = strnlen(answer->text, sizeof answer->text);
	return len <= TYPE_BYTES && text_media_type((struct span){answer->text, len}, type) &&
	       strcmp(type, answer->text) == 0;
}

/* One packet, of the right size or *heard says what is wrong. */
static bool next_packet(
    struct sniffers *s, struct slot *slot, struct sniff_answer *answer, enum heard *heard)
{
	ssize_t got;
	do
		got = recv(slot->socket, answer, sizeof *answer, MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got == sizeof *answer)
		return true;
	*heard = HEARD_RUBBISH;
	if (got <= 0 && !parent_alive(s)) /* a child can send an empty packet, too */
		*heard = HEARD_PARENT_GONE;
	else if (got < 0)
		*heard = HEARD_NOTHING;
	return false;
}

static enum heard hear(struct sniffers *s, struct slot *slot, char type[TYPE_BYTES + 1])
{
	int64_t deadline = now_ms() + SNIFF_TIMEOUT_MS;
	for (int packets = 0; packets < STALE; packets++) {
		struct sniff_answer answer;
		enum heard heard;
		if (!next_packet(s, slot, &answer, &heard))
			return heard;
		if (answer.kind == SNIFF_DIED)
			return HEARD_DEATH;
		if (answer.kind == SNIFF_TYPE && answer.seq == slot->seq)
			return is_type(&answer, type) ? HEARD_TYPE : HEARD_RUBBISH;
		if (now_ms() > deadline)
			return HEARD_NOTHING;
	}
	return HEARD_RUBBISH;
}

/* Have the child killed; what it said or still says is passed over by settle(). */
static void taint(struct sniffers *s, struct slot *slot)
{
	uint32_t index = slot - s->slots;
	struct sniff_kill order = {index, atomic_load(&s->board->slot[index].birth)};
	slot->tainted = true;
	slot->suspect = order.birth;
	while (send(s->control, &order, sizeof order, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

/* Has the suspect's death been announced, or its successor's birth? */
static bool settle(struct sniffers *s, struct slot *slot)
{
	for (int packets = 0; slot->tainted && packets < FLOOD; packets++) {
		struct sniff_answer answer;
		enum heard heard;
		if (!next_packet(s, slot, &answer, &heard)) {
			if (heard != HEARD_RUBBISH)
				break;
			continue;
		}
		if (answer.kind == SNIFF_DIED && answer.seq >= slot->suspect)
			slot->tainted = false;
		if (answer.kind == SNIFF_READY && answer.seq > slot->suspect)
			slot->tainted = false;
	}
	if (slot->tainted)
		taint(s, slot);
	return !slot->tainted;
}

static enum fault give_up(struct refusal *why, const char *what)
{
	return refuse(why, FAULT_INTERNAL,
	    "The process that inspects files %s; nothing was stored. Send it again.", what);
}

/*
 * One query, one answer. A death in between may be an old one, of a child that was killed while
 * idle or retired with our query unread, so the query is put once more; the same file has to kill
 * two children to be turned away. A second answer to the same query is stale by then.
 */
static enum fault ask(struct sniffers *s, struct slot *slot, size_t len, char type[TYPE_BYTES + 1],
    struct refusal *why)
{
	if (!settle(s, slot))
		return give_up(why, "is not there");
	if (++slot->seq == 0)
		slot->seq = 1;
	struct sniff_query query = {slot->seq, (uint32_t)len};
	for (int attempt = 0; attempt < 2; attempt++) {
		if (send(slot->socket, &query, sizeof query, MSG_NOSIGNAL) != sizeof query)
			return give_up(why, "is not there");
		switch (hear(s, slot, type)) {
		case HEARD_TYPE:
			return FAULT_NONE;
		case HEARD_DEATH:
			continue;
		case HEARD_NOTHING:
			taint(s, slot);
			return give_up(why, "did not answer in time");
		case HEARD_RUBBISH:
			taint(s, slot);
			return give_up(why, "gave no sensible answer");
		case HEARD_PARENT_GONE:
			return give_up(why, "is not there");
		}
	}
	return give_up(why, "died of this file");
}

/* The head of the file into the slot's region; *len may turn out smaller. */
static enum fault fill(
    struct slot *slot, int fd, const void *bytes, size_t *len, struct refusal *why)
{
	if (bytes) {
		memcpy(slot->region, bytes, *len);
		return FAULT_NONE;
	}
	size_t have = 0;
	while (have < *len) {
		ssize_t got = pread(fd, slot->region + have, *len - have, (off_t)have);
		if (got < 0 && errno != EINTR)
			return refuse(why, fault_of_errno(errno), NULL);
		if (got == 0)
			break;
		have += got > 0 ? (size_t)got : 0;
	}
	*len = have;
	return FAULT_NONE;
}

enum fault sniff_type(struct sniffers *s, int fd, const void *bytes, size_t len,
    char type[TYPE_BYTES + 1], struct refusal *why)
{
	if (len > HEAD_BYTES)
		len = HEAD_BYTES;
	struct slot *slot = take(s);
	enum fault f = fill(slot, fd, bytes, &len, why);
	if (!f && len)
		f = ask(s, slot, len, type, why);
	else if (!f)
		span_copy(type, TYPE_BYTES + 1, span_of("inode/x-empty")); /* file(1)'s word */
	give_back(s, slot, len);
	return f;
}

/* ---- for health and tests ------------------------------------------------------------------- */

void sniff_count(struct sniffers *s, int64_t *alive, int64_t *deaths)
{
	*alive = 0;
	*deaths = atomic_load(&s->board->deaths);
	if (!parent_alive(s))
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
