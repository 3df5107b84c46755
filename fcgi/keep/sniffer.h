/*
 * sniffer.h: what sniff.c, in the worker, and sniffer.c, in the jailed processes, say to each
 * other.
 *
 *     worker -- control --> sniffer parent: loads the magic database, forks and replaces
 *        |                        |
 *        |                        +-- child 0, child 1, ...: jailed, libmagic runs here
 *        +-- socket i, region i ------ child i
 *
 * Each child has a slot: a shared region of HEAD_BYTES the worker fills, and a pair of SEQPACKET
 * sockets, so that no child can leave half a message behind for its successor. Both are made once
 * and inherited by all children of the slot. The worker believes the board and, on the sockets,
 * nothing: a child that was taken over can forge any packet, and gains a wrong type for the file
 * it was given, or its own end.
 */
#ifndef WAYBILL_KEEP_SNIFFER_H
#define WAYBILL_KEEP_SNIFFER_H

#include <stdatomic.h>

#include "shared/flow.h"

enum {
	SNIFF_SLOTS = 64,	 /* children at most */
	SNIFF_RETIRE = 20000,	 /* verdicts, then a child makes room for a fresh one */
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
	SNIFF_DIED	/* from the parent: child number `seq` of this slot is dead */
};

struct sniff_answer {
	uint32_t kind;
	uint32_t seq;
	char text[TYPE_BYTES + 1];
};

/* To the parent: this child is hung or lies. */
struct sniff_kill {
	uint32_t slot;
	uint32_t birth; /* not its successor */
};

/* What the parent lets the worker see: written by the parent alone, unmapped in the children. */
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
	int control;		  /* end of file: the worker is gone */
	int sockets[SNIFF_SLOTS]; /* the children's ends */
	uint8_t *regions[SNIFF_SLOTS];
	struct sniff_board *board;
};

/* The sniffer parent's life, in a freshly forked process. */
_Noreturn void sniffer_parent(struct sniffer_house *house);

#endif
