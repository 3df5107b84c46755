/*
 * cli.h: the command line, between main.c and cli.c.
 */
#ifndef WAYBILL_CLI_H
#define WAYBILL_CLI_H

#include <stdio.h>

/* A subcommand or an option, argc > 1. Returns the exit code: 0 done, 1 failed, 2 usage. */
int cli_run(int argc, char **argv);
void cli_usage(FILE *out);

/* parent.c: serve until a signal. where: for gate_listen(); or NULL: on `listening`, and where that
 * is -1 too, on an inherited socket, else on data_dir/waybill.sock. */
int serve_forever(const char *config_path, const char *where, int listening);

#endif
