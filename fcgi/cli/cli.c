/* cli.c: the command line: one table of subcommands, one of options. */
#include "cli/inside.h"

#include <stddef.h>
#include <string.h>

static const struct command commands[] = {
    {"serve", "l", 0, 0, cli_serve, "[-l unix:PATH|HOST:PORT]",
	"serve FastCGI on a socket of its own"},
    {"ls", "jtnoasuLOp", 0, 0, cli_ls,
	"[--json] [--type GLOB] [--name PART] [--owner NAME] [--address ADDRESS]\n"
	"                [--since TIME] [--until TIME] [--limit N] [--oldest] [--partial]",
	"list files, newest first; --partial: unfinished uploads"},
    {"show", "", 1, -1, cli_show, "ID...", "print records as JSON"},
    {"get", "fF", 1, 1, cli_get, "ID [--output FILE [--force]]",
	"write a file's bytes to stdout or FILE"},
    {"rm", "tnoasuy", 0, -1, cli_rm,
	"ID... | rm [--owner NAME] [--address ADDRESS] [--since TIME]\n"
	"                [--until TIME] [--type GLOB] [--name PART] [--yes]",
	"remove files or unfinished uploads; without ids: show the files that match, and with "
	"--yes remove them"},
    {"verify", "rFA", 0, 0, cli_verify, "[--repair [--force]] | verify --adopt",
	"hash every object again, compare catalog and objects"},
    {"backup", "H", 1, 1, cli_backup, "[--full] DIR",
	"copy catalog and objects to DIR, beside running servers"},
    {"restore", "", 1, 1, cli_restore, "DIR",
	"put a backup back into data_dir, which must be empty"},
    {"gc", "", 0, 0, cli_gc, "", "drop what has expired, and orphans"},
    {"token", "CEQ", 1, 2, cli_token,
	"add NAME --can upload,read,delete,admin\n"
	"                [--expires 30d] [--quota 10G] | token ls | token rm NAME",
	"bearer tokens; add prints one, this once"},
    {"config", "", 0, 0, cli_config, "", "print every key, its value, where it came from"},
    {.name = NULL},
};

static const struct option options[] = {
    {'c', "config", 'c', false, offsetof(struct options, config_path), "FILE",
	"read the configuration from FILE"},
    {'l', "listen", 'l', false, offsetof(struct options, listen), "unix:PATH|HOST:PORT",
	"listen there; a socket in the file system gets mode 0660, and one that nobody listens on "
	"any more is replaced. Without it: the socket that systemd hands over, else waybill.sock "
	"in data_dir"},
    {'f', "output", 'o', false, offsetof(struct options, output), "FILE",
	"write to FILE instead of standard output"},
    {'j', "json", 0, true, offsetof(struct options, json), NULL,
	"print what GET /files answers with"},
    {'t', "type", 0, false, offsetof(struct options, type), "GLOB",
	"only this media type, or such as image/*"},
    {'n', "name", 0, false, offsetof(struct options, name), "PART",
	"only names that contain PART, in whatever case"},
    {'o', "owner", 0, false, offsetof(struct options, owner), "NAME",
	"only what NAME has uploaded"},
    {'a', "address", 0, false, offsetof(struct options, address), "ADDRESS",
	"only what came from ADDRESS, as it was recorded (see log_address)"},
    {'s', "since", 0, false, offsetof(struct options, since), "TIME",
	"only what came at TIME (2026-11-22T11:33:00Z) or later"},
    {'u', "until", 0, false, offsetof(struct options, until), "TIME",
	"only what came at TIME or earlier"},
    {'L', "limit", 0, false, offsetof(struct options, limit), "N", "at most N files"},
    {'O', "oldest", 0, true, offsetof(struct options, oldest), NULL, "oldest first"},
    {'p', "partial", 0, true, offsetof(struct options, partial), NULL,
	"unfinished resumable uploads instead of files"},
    {'r', "repair", 0, true, offsetof(struct options, repair), NULL,
	"mend what can be mended, and say what was done; nothing is removed for being unreadable"},
    {'F', "force", 0, true, offsetof(struct options, force), NULL,
	"get: replace FILE; verify: repair though more than a tenth of the objects is missing or "
	"unreadable"},
    {'y', "yes", 0, true, offsetof(struct options, yes), NULL,
	"do it: without, what would be removed is only shown"},
    {'A', "adopt", 0, true, offsetof(struct options, adopt), NULL,
	"enter each object that the catalog does not know as a file of nobody, named "
	"recovered-<sha256>, so that a catalog that was lost, or is older than the objects, belongs "
	"to them again and waybill serves"},
    {'H', "full", 0, true, offsetof(struct options, full), NULL,
	"read and hash again what DIR has already, and replace what is damaged there"},
    {'C', "can", 0, false, offsetof(struct options, can), "RIGHTS",
	"what its bearer may do, separated by commas: upload; read (list and download); delete "
	"(any file); admin (all of that, and /metrics)"},
    {'E', "expires", 0, false, offsetof(struct options, expires), "DURATION",
	"the token ends after so long; without it: never"},
    {'Q', "quota", 0, false, offsetof(struct options, quota), "SIZE",
	"bytes that files under its name may fill; the smaller of this and owner_quota_bytes "
	"counts"},
    {.name = NULL},
};

void cli_usage(FILE *out)
{
	fputs("usage: waybill                  serve: FastCGI where standard input is a listening "
	      "socket,\n"
	      "                                one request where the environment is plain CGI's\n",
	    out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "       waybill %s%s%s\n                                %s\n", c->name,
		    c->usage[0] ? " " : "", c->usage, c->meaning);
	fputs("       waybill --version | --help | --man | --sample-config\n"
	      "Every subcommand takes -c FILE (else $WAYBILL_CONFIG, else /etc/waybill.conf).\n"
	      "Exit codes: 0 done, 1 the thing asked for failed, 2 usage or configuration error.\n",
	    out);
}

static int misused(const struct command *command, const char *what, const char *which)
{
	complain("%s: %s%s", command->name, what, which);
	fprintf(stderr, "usage: waybill %s %s\n", command->name, command->usage);
	return USAGE;
}

static int help(const struct command *command)
{
	printf("usage: waybill %s%s%s\n%s.\n", command->name, command->usage[0] ? " " : "",
	    command->usage, command->meaning);
	for (const struct option *o = options; o->name; o++)
		if (strchr(command->options, o->letter))
			printf("  --%s%s%s\n      %s\n", o->name, o->flag ? "" : " ",
			    o->flag ? "" : o->value, o->meaning);
	puts("  -c, --config FILE\n      read the configuration from FILE");
	return DONE;
}

/* ---- options --------------------------------------------------------------------------------- */

/* "--name", "--name=value" or "-c"; NULL: no option of ours. */
static const struct option *find_option(const char *word, const char **value)
{
	size_t len = strcspn(word, "=");

	*value = word[len] == '=' ? word + len + 1 : NULL;
	for (const struct option *o = options; o->name; o++) {
		bool is_long = word[1] == '-' && strlen(o->name) == len - 2 &&
			       memcmp(word + 2, o->name, len - 2) == 0;
		bool is_short = o->brief && word[1] == o->brief && word[2] == '\0';
		if (is_long || is_short)
			return o;
	}
	return NULL;
}

/* Take argv[*i] as an option. DONE or USAGE. */
static int take_option(const struct command *command, struct options *set, char **argv, int *i)
{
	const char *word = argv[*i], *value;
	const struct option *o = find_option(word, &value);

	if (!o || (o->letter != 'c' && !strchr(command->options, o->letter)))
		return misused(command, "there is no option ", word);
	if (o->flag) {
		if (value)
			return misused(command, "takes no value: ", word);
		*(bool *)((char *)set + o->at) = true;
		return DONE;
	}
	if (!value)
		value = argv[++*i];
	if (!value)
		return misused(command, "needs a value: ", word);
	*(const char **)((char *)set + o->at) = value;
	return DONE;
}

/* Options and operands may stand in any order; "--" ends the options. Operands move to the front of argv. */
static int parse(const struct command *command, struct options *set, char **argv)
{
	bool ended = false;

	set->rest = argv;
	for (int i = 0; argv[i]; i++) {
		if (!ended && strcmp(argv[i], "--") == 0)
			ended = true;
		else if (!ended && argv[i][0] == '-' && argv[i][1]) {
			if (take_option(command, set, argv, &i) != DONE)
				return USAGE;
			if (!argv[i])
				break;
		} else
			set->rest[set->count++] = argv[i];
	}
	if (set->count < command->least)
		return misused(command, "something is missing: ", command->usage);
	if (command->most >= 0 && set->count > command->most)
		return misused(command, "does not know what to do with ", set->rest[command->most]);
	return DONE;
}

int cli_run(int argc, char **argv)
{
	struct options set = {0};

	if (strcmp(argv[1], "--version") == 0)
		return cli_version();
	if (strcmp(argv[1], "--man") == 0) {
		cli_manual(stdout, commands, options);
		return DONE;
	}
	if (strcmp(argv[1], "--sample-config") == 0) {
		config_print_sample(stdout);
		return DONE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		cli_usage(stdout);
		return DONE;
	}
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(argv[1], c->name) != 0)
			continue;
		if (argv[2] && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0))
			return help(c);
		int status = parse(c, &set, argv + 2);
		return status != DONE ? status : c->run(&set);
	}
	complain("there is no subcommand \"%s\"", argv[1]);
	cli_usage(stderr);
	return USAGE;
}
