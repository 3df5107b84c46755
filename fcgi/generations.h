/*
 * generations.h: the workers of a parent. At most one is being started and one serves; any number may be
 * finishing what they have begun.
 */
#ifndef WAYBILL_GENERATIONS_H
#define WAYBILL_GENERATIONS_H

#include <sys/types.h>

#include "shared/config.h"

struct generations {
	const char *where;    /* see serve_forever() */
	int listening;	      /* -1: the first worker is to open it */
	int signals;	      /* a descriptor that is none of a worker's */
	struct config config; /* of the one that serves */
	struct config next;   /* of the one that is being started */
	pid_t *workers;	      /* all of them */
	size_t count;
	pid_t serving, starting; /* 0: none */
	int report;		 /* from the one that is being started; else -1 */
	int64_t started;	 /* the last one, by the steady clock */
	bool follows;		 /* whoever is started now: one has served already */
	bool ending;		 /* they have been told to: nobody is replaced any more */
	bool over;		 /* nobody serves, and nobody can: nothing is to be waited for */
	int status; /* of the last one that served, or should have, once ending or over */
};

/* Another worker, with g->next; none may be being started. False: there is none, errno says why. */
bool generations_start(struct generations *g);
/* Hear what it says, if anything: when it serves, the one before retires. */
void generations_listen(struct generations *g);
/* After SIGCHLD. */
void generations_bury(struct generations *g);
void generations_tell(const struct generations *g, int number); /* a signal, to all */
/* ms until a worker is to be started in the place of one that died, with g->config; -1: there is none to be. */
int64_t generations_pause(const struct generations *g);

#endif
