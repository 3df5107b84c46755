/*
 * sniffer.h: what sniffers.c and sniff.c, in the worker, and sniffer.c, in the jailed processes,
 * say to each other.
 *
 *     worker -- control --> (guard: replaces the parent, and does nothing else)
 *                           sniffer parent: loads the magic database, forks and replaces
 *        |                        |
 *        |                        +-- child 0, child 1, ...: jailed, libmagic runs here
 *        +-- socket i, region i ------ child i
 *
 * Each child has a slot: a shared region of HEAD_BYTES the worker fills (a memfd, mapped: some
 * formats libmagic tells apart only with a descriptor in hand), and a pair of SEQPACKET sockets, so
 * that no child can leave half a message behind for its successor. Both are made once and inherited
 * by all children of the slot. The worker believes the board and, on the sockets, nothing: a child
 * that was taken over can forge any packet, and gains a wrong type for the file it was given.
 *
 * It gains no more than that for long: a child makes room for a fresh one after SNIFF_RETIRE
 * verdicts, and at once after a head that goes through libmagic's own parsers, where its holes have
 * been. The worker counts, not the child. A fresh child for each verdict would cost some 700 us
 * (a bare fork of a process with the database loaded 200, the rest the first touch of its pages),
 * where a verdict on a picture costs 40.
 *
 * Nor does a worker that was taken over get beyond its jail by way of the parent, which is in none:
 * it can only read the board, and name slots, and the parent kills by a table of its own.
 */
#ifndef WAYBILL_SNIFF_SNIFFER_H
#define WAYBILL_SNIFF_SNIFFER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "shared/flow.h"

enum {
	SNIFF_SLOTS = 64,	 /* children at most */
	SNIFF_RETIRE = 256,	 /* verdicts, then a child makes room for a fresh one */
	SNIFF_TIMEOUT_MS = 10000 /* a child that says nothing for so long is hung */
};

/* To a child: how much of the region to look at. */
struct sniff_query {
	uint32_t seq; /* comes back with the verdict; never 0 */
	uint32_t len; /* bytes, 1 ... HEAD_BYTES */
};

enum sniff_kind {
	SNIFF_TYPE = 1, /* from a child: the verdict on query `seq` */
	SNIFF_READY,	/* from a child, number `seq` of its slot: the jail is shut */
	SNIFF_FAILED,	/* from a child or the parent: it cannot work, `text` says why */
	SNIFF_DIED	/* from the parent: child number `seq` is dead, as the board says, too */
};

struct sniff_answer {
	uint32_t kind;
	uint32_t seq;
	char text[TYPE_BYTES + 1];
};

/* To the parent: end this child. */
struct sniff_kill {
	uint32_t slot;
	uint32_t birth;	  /* not its successor */
	uint32_t retired; /* 1: it has done its work; 0: it is hung or lies */
};

/* What the parent lets the worker see, who cannot write to it; unmapped in the children. */
struct sniff_board {
	_Atomic int64_t deaths;
	struct {
		_Atomic int32_t pid;	/* 0: none at the moment */
		_Atomic uint32_t birth; /* 1, 2, ...: which child of the slot this is, or was */
	} slot[SNIFF_SLOTS];
};

/* All that the sniffer parent inherits. */
struct sniffer_house {
	unsigned count;
	int control;		   /* end of file: the worker is gone */
	int sockets[SNIFF_SLOTS];  /* the children's ends */
	int memories[SNIFF_SLOTS]; /* the regions as files */
	uint8_t *regions[SNIFF_SLOTS];
	struct sniff_board *board;
	int board_file; /* the board again, for the worker to map; read-only for whoever does */
};

/* In a freshly forked process: a guard that has a sniffer parent, whatever kills that one. */
_Noreturn void sniffer_parent(struct sniffer_house *house);
/* The sniffer parent's life. Exit 0: the worker is gone; 1: it cannot work. */
_Noreturn void sniffer_tend(struct sniffer_house *house);
/* Signals for the worker's process group are not for us: requests under way still want verdicts. */
void sniffer_ignore_signals(void);
/* Close all descriptors that are not the house's. */
void sniffer_close_strangers(const struct sniffer_house *house);

/* Does libmagic want a descriptor for it? The region's file must have its size then. */
bool sniff_wants_file(const void *bytes, size_t len);
/* Does libmagic read it by a parser of its own rather than by its database? */
bool sniff_is_parsed(const void *bytes, size_t len);

/* ---- the worker's own: sniffers.c and sniff.c ------------------------------------------------ */

struct slot {
	int socket;
	int memory; /* the region as a file, HEAD_BYTES long between verdicts */
	uint8_t *region;
	uint32_t seq;
	uint32_t asked;	   /* the child that was alive, or the last one, when `seq` was asked */
	unsigned verdicts; /* of that child */
	bool busy;
	bool tainted; /* the child was to be ended: nothing counts until its death is announced */
	uint32_t suspect; /* its number */
};

struct sniffers {
	pthread_mutex_t lock; /* over every slot's busy; the rest of it is whose it is */
	pthread_cond_t freed;
	int control;
	pid_t parent;
	const struct sniff_board *board;
	unsigned count;
	struct slot slots[SNIFF_SLOTS];
};

bool sniffers_parent_alive(const struct sniffers *sniffers);
/* A free slot, of a living child if there is any; blocks while all are busy. */
struct slot *sniffers_take(struct sniffers *sniffers);
/* `len`: how much of the region was used. */
void sniffers_give_back(struct sniffers *sniffers, struct slot *slot, size_t len);

#endif
