/*
 * manual.c: waybill(8). Subcommands and keys come from the program's own tables, so that the page
 * cannot say anything else than the program does. `make` builds it with `waybill --man`.
 */
#include "cli/inside.h"

#include <string.h>

static void put(FILE *out, const char *text)
{
	fputs(text, out);
	fputc('\n', out);
}

/* A usage line of the table, its line breaks and blanks folded; roff's backslash escaped. */
static void put_folded(FILE *out, const char *text)
{
	bool blank = false;

	for (; *text; text++) {
		if (*text == ' ' || *text == '\n') {
			blank = true;
			continue;
		}
		if (blank)
			fputc(' ', out);
		blank = false;
		fputs(*text == '\\' ? "\\e" : *text == '-' ? "\\-" : (char[]){*text, '\0'}, out);
	}
	fputc('\n', out);
}

static void put_commands(FILE *out)
{
	for (const struct command *c = cli_commands; c->name; c++) {
		fprintf(out, ".TP\n.B waybill %s\n", c->name);
		if (c->usage[0]) {
			fputs(".RS\n.nh\n", out);
			put_folded(out, c->usage);
			fputs(".hy\n.RE\n.IP\n", out);
		}
		put_folded(out, c->meaning);
	}
}

static const char head[] =
    ".SH NAME\n"
    "waybill \\- upload backend for CGI and FastCGI\n"
    ".SH SYNOPSIS\n"
    ".B waybill\n"
    ".br\n"
    ".B waybill\n"
    ".I subcommand\n"
    ".RI [ options ]\n"
    ".RB [ \\-c\n"
    ".IR file ]\n"
    ".SH DESCRIPTION\n"
    "waybill receives uploads behind a web server (Apache, lighttpd, nginx). A request must "
    "declare\n"
    "its length, or it is refused with 411 and an explanation; what is declared is judged before "
    "a\n"
    "byte of it is read, then streamed to disk, hashed, its media type determined by libmagic in "
    "a\n"
    "jailed process, recorded in a catalog and answered in JSON or HTML.\n"
    ".PP\n"
    "Without arguments it serves: FastCGI where standard input is a listening socket (lighttpd,\n"
    "spawn\\-fcgi, mod_fcgid, systemd socket activation), one request where the environment holds\n"
    "GATEWAY_INTERFACE (plain CGI). Otherwise it prints its usage and exits 2.\n"
    ".SH SUBCOMMANDS\n"
    "Every subcommand takes\n"
    ".BI \\-c \" FILE\" ,\n"
    "the configuration to read. The catalog may be used while waybill is serving.";

static const char tail[] =
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\ndone\n"
    ".TP\n.B 1\nthe thing asked for failed; the reason is on standard error\n"
    ".TP\n.B 2\nusage or configuration error: file, line, key and reason are on standard error\n"
    ".SH SIGNALS\n"
    ".TP\n.BR SIGTERM \", \" SIGINT \", \" SIGUSR1\n"
    "no new requests; those under way are finished; exit 0\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B WAYBILL_CONFIG\nthe configuration file, where\n.B \\-c\nis not given\n"
    ".TP\n.BI WAYBILL_ KEY\noverrides a key of the configuration, in upper case\n"
    ".PP\nFastCGI parameters that a web server may set:\n"
    ".TP\n.B WAYBILL_BASE\nthe mount point of this request; goes before the key\n.B base\n"
    ".TP\n.B WAYBILL_STREAMED\n"
    ".B yes\nor\n.BR no :\nwhether this server hands bodies over while they arrive\n"
    ".TP\n.B REQUEST_BODY_FILE\na body that nginx has written to a file below\n.B body_file_dir\n"
    ".SH FILES\n"
    ".TP\n.I /etc/waybill.conf\nthe configuration, if it is there\n"
    ".TP\n.I data_dir/waybill.db\nthe catalog, an SQLite database\n"
    ".TP\n.I data_dir/objects/\ncontent, each file named by its SHA\\-256\n"
    ".TP\n.I data_dir/partial/\nresumable uploads that are not finished, and the ledger of "
    "promised "
    "bytes\n"
    ".SH SEE ALSO\n"
    ".BR lighttpd (8),\n.BR nginx (8),\n.BR apache2 (8),\n.BR file (1)";

void cli_manual(FILE *out)
{
	fprintf(
	    out, ".TH WAYBILL 8 \"\" \"waybill %s\" \"System administration\"\n", WAYBILL_VERSION);
	put(out, head);
	put_commands(out);
	put(out, ".SH CONFIGURATION");
	put(out, "Lines of the form\n.IR key \" = \" value ;\nsizes take K M G T (powers of 1024), "
		 "durations s m h d.");
	config_print_man(out);
	put(out, tail);
}
