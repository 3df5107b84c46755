/*
 * parent.c: the process that whoever started waybill knows: it keeps the listening socket, and reads nothing
 * that comes over it.
 *
 *     SIGHUP ── settings ── a new worker ──► it serves ──► the one before retires
 *
 * A worker in its jail could neither read other settings nor start another; so it has a parent, without
 * threads and without anything of the store, which forks one from its own clean state whenever one is wanted.
 * At most one is being started and one serves; any number may be finishing what they have begun, for as long
 * as that takes. As long as the parent lives requests wait in the socket rather than fail.
 */
#include "parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "generations.h"
#include "handover.h"
#include "shared/log.h"
#include "worker.h"

enum { KEYS_BYTES = 1024 };

struct parent {
	const char *config_path;
	bool reload; /* was asked for */
	struct generations g;
};

int parent_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	if (gate_is_listening(STDIN_FILENO))
		return STDIN_FILENO;
	if (pid && count && atoll(pid) == getpid() && atoi(count) > 0 && gate_is_listening(3))
		return 3;
	return -1;
}

/* ---- signals --------------------------------------------------------------------------------- */

/* Blocked from here on: here they come by signalfd, and in a worker no thread sees any. */
static bool catch_signals(struct parent *p)
{
	static const int numbers[] = {SIGTERM, SIGUSR1, SIGINT, SIGHUP, SIGCHLD};
	sigset_t caught;

	sigemptyset(&caught);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&caught, numbers[i]);
	signal(SIGPIPE, SIG_IGN);
	/* Ignored, as it may be inherited, it would leave nothing to wait for. */
	signal(SIGCHLD, SIG_DFL);
	pthread_sigmask(SIG_BLOCK, &caught, NULL);
	p->g.signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->g.signals >= 0;
}

/* ---- when one is wanted ------------------------------------------------------------------------ */

/* p->g.next, as far as it can follow p->g.config. False: no memory. */
static bool follow(struct parent *p)
{
	char kept[KEYS_BYTES], changed[KEYS_BYTES];

	if (!config_follow(&p->g.next, &p->g.config, kept, changed, sizeof kept))
		return false;
	if (kept[0])
		log_line(LOG_WARN, "this takes effect with a restart only", "keys=%s", kept);
	log_line(LOG_INFO, "reloading", "version=%s changed=%s", WAYBILL_VERSION,
	    changed[0] ? changed : "\"\"");
	return true;
}

static bool read_settings(struct parent *p)
{
	char problem[512], quoted[600];
	bool read = config_load(&p->g.next, p->config_path, problem, sizeof problem);

	if (read && follow(p))
		return true;
	config_free(&p->g.next);
	log_line(LOG_ERROR, "not reloaded, the settings before stay in force", "reason=%s",
	    log_value(span_of(read ? "out of memory" : problem), quoted, sizeof quoted));
	return false;
}

/* Where another program was installed, it goes on from here, in our place. */
static void hand_over(const struct parent *p)
{
	struct estate estate = {.listening = p->g.listening,
	    .serving = p->g.serving,
	    .workers = p->g.workers,
	    .count = p->g.count,
	    .data_dir = p->g.config.data_dir};

	if (handover_wanted() && handover_sound(p->config_path))
		handover_go(&estate);
}

/* What SIGHUP means. A worker sweeps when it starts; so it is to sweep where none starts, too. */
static void reload(struct parent *p)
{
	p->reload = false;
	hand_over(p);
	if (read_settings(p)) {
		if (generations_start(&p->g))
			return;
		log_line(LOG_ERROR, "no worker can be started", "errno=%d", errno);
		config_free(&p->g.next);
	}
	if (p->g.serving)
		kill(p->g.serving, SIGHUP);
}

static void start_again(struct parent *p)
{
	p->g.next = p->g.config;
	p->g.config = (struct config){0};
	if (generations_start(&p->g))
		return;
	log_line(LOG_ERROR, "no worker can be started", "errno=%d", errno);
	p->g.config = p->g.next;
	p->g.next = (struct config){0};
}

static void start_if_wanted(struct parent *p)
{
	if (p->reload && !p->g.starting && !p->g.ending)
		reload(p);
	if (generations_pause(&p->g) == 0)
		start_again(p);
}

/* ---- the process ------------------------------------------------------------------------------- */

static void take_signal(struct parent *p, uint32_t number)
{
	if (number == SIGCHLD)
		generations_bury(&p->g);
	else if (number == SIGHUP)
		p->reload = true;
	else {
		p->g.ending = true;
		generations_tell(&p->g, SIGTERM);
	}
}

static void watch_workers(struct parent *p)
{
	struct signalfd_siginfo info;

	/* Who has ended while another program became this process: exec leaves SIGCHLD pending, but
	 * catch_signals() has dropped it. */
	generations_bury(&p->g);
	while (!p->g.over && !(p->g.ending && p->g.count == 0)) {
		struct pollfd fds[] = {
		    {.fd = p->g.signals, .events = POLLIN}, {.fd = p->g.report, .events = POLLIN}};
		poll(fds, 2, (int)generations_pause(&p->g));
		generations_listen(&p->g);
		while (!p->g.over && read(p->g.signals, &info, sizeof info) == sizeof info)
			take_signal(p, info.ssi_signo);
		if (!p->g.over)
			start_if_wanted(p);
	}
}

static int keep_serving(struct parent *p)
{
	log_level(p->g.next.log);
	/* Nothing that we run may gain by a file's mode; a worker says so again for itself. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!catch_signals(p))
		return worker_fail(strerror(errno), 1);
	if (!generations_start(&p->g)) {
		if (!p->g.follows)
			return worker_fail(strerror(errno), 1);
		log_line(LOG_ERROR, "no worker can be started", "errno=%d", errno);
		config_free(&p->g.next);
	}
	watch_workers(p);
	return p->g.status;
}

/* Another program was this process before. What its worker was told is not known but for data_dir: what
 * can be read now has to do, should that worker die before ours serves. */
static bool inherit(struct parent *p, struct estate *estate, char *problem, size_t room)
{
	p->g.follows = true;
	p->g.listening = estate->listening;
	p->g.serving = estate->serving;
	p->g.workers = estate->workers;
	p->g.count = estate->count;
	if (!config_load(&p->g.config, p->config_path, problem, room))
		return false;
	log_level(p->g.config.log);
	free(p->g.config.data_dir);
	p->g.config.data_dir = estate->data_dir;
	return follow(p);
}

int serve_forever(const char *config_path, const char *where, int listening)
{
	struct parent p = {.config_path = config_path, .g = {.where = where, .report = -1}};
	char problem[512] = "out of memory";
	struct estate estate;
	bool heir = handover_take(&estate);

	if (where && gate_misnamed(where))
		return worker_fail(gate_misnamed(where), 2);
	if (!config_load(&p.g.next, config_path, problem, sizeof problem))
		return worker_fail(problem, 2);
	p.g.listening = listening >= 0 || where ? listening : parent_inherited();
	if (heir && !inherit(&p, &estate, problem, sizeof problem))
		return worker_fail(problem, 2);
	int status = keep_serving(&p);
	config_free(&p.g.config);
	config_free(&p.g.next);
	free(p.g.workers);
	return status;
}
