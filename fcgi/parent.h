/*
 * parent.h: what main.c must know of the process that keeps the listening socket; cli/cli.h has the rest.
 */
#ifndef WAYBILL_PARENT_H
#define WAYBILL_PARENT_H

/* The listening socket that whoever started us has handed over: standard input, or systemd's
 * descriptor 3. -1: none. */
int parent_inherited(void);

#endif
