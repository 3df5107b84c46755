/*
 * handover.h: a program that was installed anew takes the place of the parent that runs, in the same
 * process: its workers stay its children, and the socket stays open.
 */
#ifndef WAYBILL_HANDOVER_H
#define WAYBILL_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What the parent leaves. */
struct estate {
	int listening;
	pid_t serving;	/* 0: none, as it has just died */
	pid_t *workers; /* all of them; free() */
	size_t count;
	char *data_dir; /* where they serve from; free() */
};

/* First of all: which program we are, and how we were called. argv is copied. */
void handover_remember(char **argv);
/* Is another program where ours was? */
bool handover_wanted(void);
/* Does it run, and take the configuration (config_path as for config_load())? Waits for its word, 10 s
 * at most; the log says why not. */
bool handover_sound(const char *config_path);
/* It takes our place. Returns only where that failed, as the log says then. */
void handover_go(const struct estate *estate);
/* In the new program: are we to take another's place? Call it before config_load(). */
bool handover_take(struct estate *estate);

#endif
