/*
 * manual.c: waybill(8). Subcommands, their options and the keys come from the program's own tables, so that
 * the page cannot say anything else than the program does. `make` builds it with `waybill --man`.
 */
#include "shared/manual.h"

#include <ctype.h>
#include <string.h>

#include "cli/inside.h"

/* Of the page; a build's own would make every build another. */
static const char date[] = "2026-11-22";

/* ---- subcommands ----------------------------------------------------------------------------- */

/* 'I', what stands for something else, is in capitals; 'R', roman, are the signs of usage; 'B' is
 * to be typed as it is. */
static char font_of(char c)
{
	if (isupper((unsigned char)c))
		return 'I';
	return strchr("[]|. ", c) ? 'R' : 'B';
}

/* "[--output FILE]" in the fonts of a manual, to the end or to the next " | ". Returns the rest. */
static const char *put_usage(FILE *out, const char *text)
{
	char font = 'R';

	for (; *text && strncmp(text, " | ", 3) != 0; text++) {
		if ((*text == ' ' || *text == '\n') && (text[1] == ' ' || text[1] == '\n'))
			continue;
		char c = *text == '\n' ? ' ' : *text;
		if (font_of(c) != font)
			fprintf(out, "\\f%c", font = font_of(c));
		fputs(c == '-' ? "\\-" : (char[]){c, '\0'}, out);
	}
	if (font != 'R')
		fputs("\\fR", out);
	return *text ? text + 3 : text;
}

/* Each way of usage is preceded by `before`; after the first one it begins with the name already. */
static void put_usages(FILE *out, const struct command *c, const char *before, const char *again)
{
	fprintf(out, "%swaybill %s\\fR%s", before, c->name, c->usage[0] ? " " : "");
	for (const char *rest = put_usage(out, c->usage); *rest;) {
		fprintf(out, "\n%swaybill ", again);
		rest = put_usage(out, rest);
	}
	fputc('\n', out);
}

static void put_option(FILE *out, const struct option *o)
{
	fputs(".TP\n", out);
	if (o->brief)
		fprintf(out, "\\fB\\-%c\\fR, ", o->brief);
	fprintf(out, "\\fB\\-\\-%s\\fR%s", o->name, o->value ? " " : "");
	if (o->value)
		put_usage(out, o->value);
	fputc('\n', out);
	manual_put(out, "", o->meaning);
}

static void put_command(FILE *out, const struct command *c, const struct option *options)
{
	put_usages(out, c, ".TP\n\\fB", ".TQ\n\\fB");
	manual_put(out, "", c->meaning);
	if (!c->options[0])
		return;
	fputs(".RS\n", out);
	for (const struct option *o = options; o->name; o++)
		if (strchr(c->options, o->letter))
			put_option(out, o);
	fputs(".RE\n", out);
}

static void put_synopsis(FILE *out, const struct command *commands)
{
	fputs(".SH SYNOPSIS\n.nh\n.B waybill\n", out);
	for (const struct command *c = commands; c->name; c++)
		put_usages(out, c, ".br\n\\fB", ".br\n\\fB");
	fputs(".br\n.BR \"waybill \\-\\-version\" | \\-\\-help | \\-\\-man | "
	      "\\-\\-sample\\-config\n.hy\n",
	    out);
}

static void put_commands(FILE *out, const struct command *commands, const struct option *options)
{
	fputs(".SH SUBCOMMANDS\n", out);
	manual_put(out, "",
	    "Options and operands may stand in any order. Every subcommand takes -c FILE. The catalog "
	    "may be used while waybill is serving; run by root, what writes to it does so as the "
	    "owner of data_dir. ID is the 26 characters of a file, or of an unfinished upload.");
	for (const struct command *c = commands; c->name; c++)
		put_command(out, c, options);
	put_option(out, &options[0]);
	fputs(".TP\n.B waybill \\-\\-sample\\-config\n", out);
	manual_put(out, "", "print a waybill.conf with every key, commented out");
	fputs(".TP\n.B waybill \\-\\-man\n", out);
	manual_put(out, "", "print this page as roff");
}

/* ---- the rest -------------------------------------------------------------------------------- */

static const struct {
	const char *title; /* NULL: one more entry of the same section */
	const char *tag, *text;
} entries[] = {
    {"EXIT STATUS", "0", "what was asked for is done"},
    {NULL, "1", "it failed, or verify found something; the reason is on standard error"},
    {NULL, "2", "usage or configuration error: file, line, key and reason are on standard error"},
    {"BACKUPS", "what is in one",
	"every file that was acknowledged before it began, less what was deleted for good before "
	"it ended; tokens, as hashes. Unfinished uploads are not. It may be used beside servers, "
	"and stalls none of them"},
    {NULL, "DIR",
	"is made, 0750, or empty, or a backup of an earlier state of the same catalog; not inside "
	"data_dir, nor writable by everybody. A backup that is killed or fails leaves the one "
	"before as it was; the next one goes on. Objects are cloned or hard linked where DIR is on "
	"the same file system, and hashed in any case"},
    {NULL, "damage",
	"in data_dir is told on standard error, with exit status 1, and does not keep the rest "
	"from being copied. A damaged catalog is not"},
    {NULL, "restoring",
	"makes a store of its own: nothing of it is linked to the backup. Run by root, it belongs "
	"to the owner of data_dir. As long as it is not finished, nobody serves from there; said "
	"again, it goes on"},
    {"SIGNALS", "SIGTERM, SIGINT, SIGUSR1",
	"no new requests; those under way are finished, then exit 0"},
    {NULL, "SIGHUP",
	"read the configuration again and have another worker take its place, at the same socket: no "
	"request is refused or waits, and the worker before finishes what it has begun, for as long as "
	"that takes. A mistake in the configuration is told in the log, and the worker before goes on. "
	"data_dir takes effect with a restart only. A program that was installed anew is taken, too, if "
	"its `waybill config' succeeds; one with another version of the catalog needs a restart. What has "
	"expired is dropped now, rather than within minutes"},
    {"PROCESSES", "waybill",
	"the parent: it keeps the socket and reads nothing that comes over it. Signals are for it. A "
	"worker that dies is replaced; where another cannot start, it exits with that one's status. Its "
	"workers end, without cutting anything off, when it is killed"},
    {NULL, "waybill-worker",
	"serves, in its jail; several, while those that were followed by another finish. One request of "
	"plain CGI has no parent"},
    {NULL, "waybill-guard", "and below it the processes in which libmagic inspects files"},
    {"ENVIRONMENT", "WAYBILL_CONFIG", "the configuration file, where -c is not given"},
    {NULL, "WAYBILL_<KEY>", "a key of the configuration in capitals; goes before the file"},
    {NULL, "LISTEN_FDS, LISTEN_PID", "systemd's way to hand over a listening socket"},
    {NULL, "GATEWAY_INTERFACE",
	"one request is to be served as plain CGI; arguments are not looked at then"},
    {"FASTCGI PARAMETERS", "WAYBILL_BASE",
	"the mount point of this request; goes before the key base"},
    {NULL, "WAYBILL_SENDFILE",
	"none, x-sendfile or x-accel-redirect: how this server sends files itself. Where it and the "
	"key sendfile disagree, that is logged and waybill sends"},
    {NULL, "WAYBILL_OBJECTS", "where this server looks for them: objects in data_dir"},
    {NULL, "WAYBILL_BODY_LIMIT",
	"bytes of the largest body this server lets pass; 0: no limit. GET /upload tells the "
	"smaller of it and max_bytes"},
    {NULL, "WAYBILL_STREAMED", "yes or no: whether this server hands bodies over as they arrive"},
    {NULL, "REQUEST_BODY_FILE", "a body that nginx has written to a file below body_file_dir"},
    {"FILES", "/etc/waybill.conf", "the configuration, if it is there"},
    {NULL, "/run/waybill/waybill.sock",
	"the socket that waybill.socket holds open, for the group www-data"},
    {NULL, "/var/lib/waybill", "data_dir, unless configured otherwise. In it:"},
    {NULL, "waybill.db", "the catalog: an SQLite database, with its -wal and -shm"},
    {NULL, "generation",
	"the last commit that the objects have seen: an older waybill.db beside them is told by it, and "
	"is not served; see verify --adopt"},
    {NULL, "restoring", "the mark of a restore that has not come to its end"},
    {NULL, "objects/", "content, each file named by its SHA-256"},
    {NULL, "partial/", "resumable uploads that are not finished; the ledger of promised bytes"},
    {NULL, "metrics",
	"what each process has counted; GET /metrics adds it up, whichever process answers, and goes on "
	"from it after a restart. It may be deleted while nobody serves"},
    {NULL, "spool/", "where web servers collect bodies that are on their way"},
    {NULL, "waybill.sock", "the socket of `waybill serve' without -l, where none is handed over"},
};

static void put_entries(FILE *out)
{
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
		if (entries[i].title)
			fprintf(out, ".SH %s\n", entries[i].title);
		fputs(".TP\n", out);
		manual_put(out, "\\fB", entries[i].tag);
		manual_put(out, "", entries[i].text);
	}
}

static void put_description(FILE *out)
{
	fputs(".SH DESCRIPTION\n", out);
	manual_put(out, "",
	    "waybill receives uploads behind a web server (Apache, lighttpd, nginx). A request "
	    "must declare its length, or it is refused with 411 and an explanation; what is "
	    "declared is judged before a byte is read, then streamed to disk, hashed, its media "
	    "type determined by libmagic in a jailed process, recorded in a catalog, and answered "
	    "in JSON or HTML once file and record are synced.");
	fputs(".PP\n", out);
	manual_put(out, "",
	    "Without arguments it serves: FastCGI where standard input is a listening socket "
	    "(lighttpd, spawn-fcgi, mod_fcgid) or systemd hands one over, one request where the "
	    "environment holds GATEWAY_INTERFACE (plain CGI). Otherwise it prints its usage and "
	    "exits 2. What it says goes to standard error, one logfmt line a request.");
}

static void put_configuration(FILE *out)
{
	fputs(".SH CONFIGURATION\n", out);
	manual_put(out, "",
	    "Lines of the form `key = value'; # or ; begins a line of comment. Sizes take K M G T "
	    "(powers of 1024), durations s m h d. An unknown key or a bad value is an error. A "
	    "running waybill reads its configuration when it starts, and on SIGHUP.");
	config_print_man(out);
	fputs(".PP\n", out);
	manual_put(out, "",
	    "Who may: open: anybody; user: a token, or REMOTE_USER where remote_user = trust; "
	    "owner: what one has uploaded oneself; token: a token with that right; off: nobody. A token "
	    "with admin may all.");
}

static void put_examples(FILE *out)
{
	static const char *const examples[][2] = {
	    {"A token for a backup that may only upload, for a month:",
		"waybill token add backup --can upload --expires 30d"},
	    {"All PDF files of alice, as JSON:",
		"waybill ls --json --owner alice --type application/pdf"},
	    {"A backup, the same line each night:", "waybill backup /mnt/backup/waybill"},
	    {"Is everything that was promised still there?", "waybill verify"},
	    {"The catalog is lost, the objects are not:", "waybill verify --adopt"}};

	fputs(".SH EXAMPLES\n", out);
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		fputs(i ? ".PP\n" : "", out);
		manual_put(out, "", examples[i][0]);
		fputs(".PP\n.RS\n.nf\n", out);
		manual_put(out, "", examples[i][1]);
		fputs(".fi\n.RE\n", out);
	}
}

void cli_manual(FILE *out, const struct command *commands, const struct option *options)
{
	fprintf(out, ".TH WAYBILL 8 %s \"waybill %s\" \"System administration\"\n", date,
	    WAYBILL_VERSION);
	fputs(".SH NAME\nwaybill \\- upload backend for CGI and FastCGI\n", out);
	put_synopsis(out, commands);
	put_description(out);
	put_commands(out, commands, options);
	put_configuration(out);
	put_entries(out);
	put_examples(out);
	fputs(".SH SEE ALSO\n.BR file (1),\n.BR systemd.socket (5),\n.BR apache2 (8),\n.BR lighttpd (8),\n"
	      ".BR nginx (8)\n",
	    out);
}
