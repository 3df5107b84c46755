/*
 * main.c: where it begins: a subcommand, FastCGI on an inherited socket, or one request of plain CGI.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "handover.h"
#include "parent.h"
#include "shared/log.h"
#include "worker.h"

/* ---- plain CGI ------------------------------------------------------------------------------- */

/* What keeps this process from serving is for the log; the client gets its 500 all the same. */
static int answer_failure(struct exchange *x, const char *problem)
{
	char id[REQUEST_ID], reason[600];
	struct reply reply;
	struct refusal why = NO_REFUSAL;

	why.fault = FAULT_INTERNAL;
	serve_name_request(id);
	reply_open(&reply, x, NULL);
	reply.id = id;
	reply_refuse(&reply, &why);
	log_line(LOG_ERROR, "cannot serve", "reason=%s",
	    log_value(span_of(problem), reason, sizeof reason));
	return 1;
}

static int answer_one(struct server *server, struct exchange *x, struct call *call)
{
	struct refusal why = NO_REFUSAL;
	char problem[512];

	if (!call || !worker_open(server, 1, &why))
		return answer_failure(x, call ? refusal_detail(&why) : "out of memory");
	if (!worker_shut_jail(server, problem, sizeof problem))
		return answer_failure(x, problem);
	/* Under way is under way. Apache's mod_cgid says SIGTERM where a client has hung up: what came
	 * of a resumable upload is still to be entered. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	serve(&server->service, x, call);
	return 0;
}

static int serve_once(void)
{
	struct server server = {0};
	char problem[512];

	signal(SIGPIPE, SIG_IGN);
	if (!config_load(&server.config, NULL, problem, sizeof problem))
		return worker_fail(problem, 2);
	log_level(server.config.log);
	server.config.threads = 1;
	struct exchange *x = cgi_open(&server.config);
	if (!x)
		return worker_fail("out of memory", 1);
	struct call *call = malloc(sizeof *call);
	int status = answer_one(&server, x, call);
	cgi_finish(x);
	if (status == 0)
		keep_tend(server.service.keep);
	free(call);
	worker_close(&server);
	return status;
}

int main(int argc, char **argv)
{
	/* The web server of a CGI request may make arguments of its query (RFC 3875, section 4.4), and
	 * "?gc" would be a command that anybody can give. */
	bool request = getenv("GATEWAY_INTERFACE") != NULL;

	reply_start();
	handover_remember(argv);
	if (argc > 1 && !request)
		return cli_run(argc, argv);
	int listening = parent_inherited();
	if (listening >= 0)
		return serve_forever(NULL, NULL, listening);
	if (request)
		return serve_once();
	cli_usage(stderr);
	return 2;
}
