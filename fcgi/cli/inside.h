/* inside.h: what the subcommands share. */
#ifndef WAYBILL_CLI_INSIDE_H
#define WAYBILL_CLI_INSIDE_H

#include <time.h>

#include "cli/cli.h"
#include "keep/keep.h"
#include "shared/clock.h"
#include "shared/text.h"

enum { DONE = 0, FAILED = 1, USAGE = 2 };

/* What the options of all subcommands set; NULL or false: not given. */
struct options {
	const char *config_path, *listen, *output;
	bool json, oldest, partial, repair, force, adopt, full, yes;
	const char *type, *name, *owner, *address, *since, *until, *limit;
	const char *can, *expires, *quota;
	char **rest; /* operands */
	int count;
};

typedef int subcommand(struct options *o);
struct command {
	const char *name;
	const char *options; /* letters of the options it takes, see cli.c; -c always */
	int least, most;     /* operands; most -1: any number */
	subcommand *run;
	const char *usage, *meaning;
};

struct option {
	char letter;	  /* as in struct command */
	const char *name; /* long; -c, -l and -o also short */
	char brief;	  /* short form, or 0 */
	bool flag;
	size_t at;		     /* of its member in struct options */
	const char *value, *meaning; /* for the manual; value NULL: a flag */
};

/* version.c: `waybill --version`. */
int cli_version(void);

/* manual.c: waybill(8) in man(7), made of the same tables as the program. */
void cli_manual(FILE *out, const struct command *commands, const struct option *options);

subcommand cli_ls, cli_show;			      /* files.c */
subcommand cli_get;				      /* get.c */
subcommand cli_rm;				      /* remove.c */
subcommand cli_ls_partial;			      /* partial.c: ls --partial */
subcommand cli_token;				      /* tokens.c */
subcommand cli_verify, cli_gc, cli_config, cli_serve; /* house.c */

subcommand cli_backup, cli_restore; /* backup.c */

/* files.c: what the filters of `ls` ask for; *left: at most so many. DONE or USAGE. */
int listing_of(const struct options *o, struct listing *l, int64_t *left);
/* False: there is none, and that has been said. Else files_release(files). */
bool find_file(struct keep *keep, const char *id, struct files *files, struct refusal *why);
void print_file(const struct file *f); /* one line for people */

/* house.c: a line of progress on stderr, where that is a terminal. `self` is the bar. */
struct bar {
	bool shown; /* it stands there */
	bool wanted;
	time_t last;
};
void bar_draw(void *self, int64_t bytes, int64_t expected);
void bar_clear(struct bar *bar);
void bar_say(void *self, const char *line); /* a line on stderr, in its place */

/* common.c: say it on stderr, after "waybill: "; returns FAILED. */
int complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same of how it was called; returns USAGE. */
int complain_of_use(const char *text);

/* config_free(config) after DONE; else the exit code, with the reason said. */
int load_config(struct config *config, const struct options *o);
/* Do `work` in the data_dir of the configuration (mode: KEEP_..., and MAKE where it may be made for
 * this). Its exit code, or another, with the reason said. */
typedef int keep_work(struct keep *keep, void *self, struct refusal *why);
enum { MAKE = 1 << 8 };
int in_keep(const struct options *o, unsigned mode, keep_work *work, void *self);
/* The exit code, once all that was printed is out. */
int finish(int status);

#endif
