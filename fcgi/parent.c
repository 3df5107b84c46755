/*
 * parent.c: the process that whoever started waybill knows: it keeps the listening socket, and reads
 * nothing that comes over it.
 *
 *     SIGHUP ── settings ── a new worker ──► it serves ──► the one before retires
 *
 * A worker in its jail could neither read other settings nor start another; so it has a parent, without
 * threads and without anything of the store, which forks one from its own clean state whenever one is
 * wanted. At most one is being started and one serves; any number may be finishing what they have
 * begun, for as long as that takes. As long as the parent lives requests wait in the socket rather
 * than fail.
 */
#include "parent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "worker.h"

enum {
	PAUSE_MS = 1000, /* from one start to the next: a worker that always dies costs little */
	KEYS_BYTES = 1024
};

struct parent {
	const char *config_path, *where;
	struct config config; /* of the worker that serves */
	struct config next;   /* of the one that is being started */
	int listening;	      /* -1: the first worker is to open it */
	int signals;	      /* signalfd */
	int report;	      /* from the worker that is being started; else -1 */
	pid_t *workers;	      /* all of them */
	size_t count;
	pid_t serving, starting; /* 0: none */
	int64_t started;	 /* the last one, by the steady clock */
	bool follows;		 /* whoever is started now: one has served already */
	bool reload;		 /* was asked for */
	bool ending;		 /* no worker any more is replaced; and when none is left: */
	bool over;
	int status; /* to exit with */
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
	signal(SIGCHLD,
	    SIG_DFL); /* ignored, as it may be inherited, it would leave nothing to wait for */
	pthread_sigmask(SIG_BLOCK, &caught, NULL);
	p->signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals >= 0;
}

static void tell_all(const struct parent *p, int number)
{
	for (size_t i = 0; i < p->count; i++)
		kill(p->workers[i], number);
}

/* ---- starting a worker ------------------------------------------------------------------------ */

/* It ends with us, but not before what is under way is finished. */
static void bind_life(pid_t parent)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, WORKER_RETIRES);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	prctl(PR_SET_NAME, "waybill-worker");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		raise(SIGTERM);
}

_Noreturn static void be_worker(struct parent *p, pid_t parent, int report)
{
	bind_life(parent);
	close(p->signals);
	config_free(&p->config);
	free(p->workers);
	exit(worker_run(&p->next, p->where, p->listening, report, p->follows));
}

static bool enter(struct parent *p, pid_t pid)
{
	pid_t *more = realloc(p->workers, (p->count + 1) * sizeof *more);

	if (!more)
		return false;
	p->workers = more;
	more[p->count++] = pid;
	return true;
}

/* With p->next. False: none could be made, errno says why. */
static bool start(struct parent *p)
{
	pid_t self = getpid();
	int pair[2];

	p->started = clock_steady();
	if (!enter(p, 0)) /* before there is somebody to be entered */
		return false;
	pid_t pid = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 ? fork() : -2;
	if (pid == 0) {
		close(pair[0]);
		be_worker(p, self, pair[1]);
	}
	int err = errno;
	if (pid != -2)
		close(pair[1]);
	if (pid == -1)
		close(pair[0]);
	errno = err;
	if (pid < 0) {
		p->count--;
		return false;
	}
	p->report = pair[0];
	p->starting = p->workers[p->count - 1] = pid;
	return true;
}

/* ---- what becomes of it ----------------------------------------------------------------------- */

static void hang_up(struct parent *p)
{
	if (p->report >= 0)
		close(p->report);
	p->report = -1;
}

/* It serves. */
static void promote(struct parent *p)
{
	pid_t before = p->serving;

	hang_up(p);
	p->follows = true;
	p->serving = p->starting;
	p->starting = 0;
	config_free(&p->config);
	p->config = p->next;
	p->next = (struct config){0};
	log_level(p->config.log);
	if (!before)
		return;
	kill(before, WORKER_RETIRES);
	log_line(LOG_INFO, "reloaded", "pid=%d before=%d", (int)p->serving, (int)before);
}

static void read_report(struct parent *p)
{
	int listening;
	bool serving;

	while (p->report >= 0 && worker_report(p->report, &listening, &serving)) {
		if (listening >= 0)
			p->listening = listening;
		if (serving)
			promote(p);
	}
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The one that was to serve will not. Where another does, that goes on; otherwise there is nothing to
 * wait for: whoever watches over us may know better. */
static void give_up_start(struct parent *p, int status)
{
	hang_up(p);
	p->starting = 0;
	config_free(&p->next);
	if (!p->serving) {
		p->status = status;
		p->over = !p->ending;
	} else if (!p->ending) {
		log_line(LOG_ERROR, "the new worker cannot serve, the one before goes on",
		    "pid=%d exit=%d", (int)p->serving, status);
		kill(p->serving, SIGHUP);
	}
}

/* The one that serves has ended, and nobody has told it to: another takes its place, with the same
 * settings. Whoever watches over us could do no better, and would end those that are finishing. */
static void replace(struct parent *p, pid_t pid, int status)
{
	p->serving = 0;
	if (p->ending) {
		p->status = status;
		return;
	}
	log_line(
	    LOG_ERROR, "the worker has ended, another follows", "pid=%d exit=%d", (int)pid, status);
}

static void bury(struct parent *p, pid_t pid, int status)
{
	size_t i = 0;

	while (i < p->count && p->workers[i] != pid)
		i++;
	if (i == p->count)
		return; /* a stranger, as process 1 of a container gets them */
	p->workers[i] = p->workers[--p->count];
	if (pid == p->starting)
		give_up_start(p, status);
	else if (pid == p->serving)
		replace(p, pid, status);
	else if (status)
		log_line(
		    LOG_ERROR, "a retired worker has failed", "pid=%d exit=%d", (int)pid, status);
}

static void bury_dead(struct parent *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		read_report(p); /* what it has said before */
		bury(p, pid, exit_status(status));
	}
}

/* ---- when one is wanted ------------------------------------------------------------------------ */

static bool read_settings(struct parent *p)
{
	char problem[512], quoted[600], kept[KEYS_BYTES], changed[KEYS_BYTES];
	bool read = config_load(&p->next, p->config_path, problem, sizeof problem);

	if (read && config_follow(&p->next, &p->config, kept, changed, sizeof kept)) {
		if (kept[0])
			log_line(
			    LOG_WARN, "this takes effect with a restart only", "keys=%s", kept);
		log_line(LOG_INFO, "reloading", "changed=%s", changed[0] ? changed : "\"\"");
		return true;
	}
	config_free(&p->next);
	log_line(LOG_ERROR, "not reloaded, the settings before stay in force", "reason=%s",
	    log_value(span_of(read ? "out of memory" : problem), quoted, sizeof quoted));
	return false;
}

/* What SIGHUP means. A worker sweeps when it starts; so it is to sweep where none starts, too. */
static void reload(struct parent *p)
{
	p->reload = false;
	if (read_settings(p)) {
		if (start(p))
			return;
		log_line(LOG_ERROR, "no worker can be started", "errno=%d", errno);
		config_free(&p->next);
	}
	if (p->serving)
		kill(p->serving, SIGHUP);
}

static void start_again(struct parent *p)
{
	p->next = p->config;
	p->config = (struct config){0};
	if (start(p))
		return;
	log_line(LOG_ERROR, "no worker can be started", "errno=%d", errno);
	p->config = p->next;
	p->next = (struct config){0};
}

/* ms until a worker is to be started in the place of one that died; -1: there is none to be. */
static int64_t pause_left(const struct parent *p)
{
	int64_t left = p->started + PAUSE_MS - clock_steady();

	if (p->serving || p->starting || p->ending)
		return -1;
	return left > 0 ? left : 0;
}

static void start_if_wanted(struct parent *p)
{
	if (p->reload && !p->starting && !p->ending)
		reload(p);
	if (pause_left(p) == 0)
		start_again(p);
}

/* ---- the process ------------------------------------------------------------------------------- */

static void take_signal(struct parent *p, uint32_t number)
{
	if (number == SIGCHLD)
		bury_dead(p);
	else if (number == SIGHUP)
		p->reload = true;
	else {
		p->ending = true;
		tell_all(p, SIGTERM);
	}
}

static void watch_workers(struct parent *p)
{
	struct signalfd_siginfo info;

	while (!p->over && !(p->ending && p->count == 0)) {
		struct pollfd fds[] = {
		    {.fd = p->signals, .events = POLLIN}, {.fd = p->report, .events = POLLIN}};
		poll(fds, 2, (int)pause_left(p));
		read_report(p);
		if (fds[1].revents &
		    POLLHUP) /* it has said all, or it is dead: SIGCHLD will tell */
			hang_up(p);
		while (!p->over && read(p->signals, &info, sizeof info) == sizeof info)
			take_signal(p, info.ssi_signo);
		if (!p->over)
			start_if_wanted(p);
	}
}

static int keep_serving(struct parent *p)
{
	log_level(p->next.log);
	/* Nothing that we run may gain by a file's mode; a worker says so again for itself. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!catch_signals(p) || !start(p)) {
		config_free(&p->next);
		return worker_fail(strerror(errno), 1);
	}
	watch_workers(p);
	return p->status;
}

int serve_forever(const char *config_path, const char *where, int listening)
{
	struct parent p = {.config_path = config_path, .where = where, .report = -1};
	char problem[512];

	if (where && gate_misnamed(where))
		return worker_fail(gate_misnamed(where), 2);
	if (!config_load(&p.next, config_path, problem, sizeof problem))
		return worker_fail(problem, 2);
	p.listening = listening >= 0 || where ? listening : parent_inherited();
	int status = keep_serving(&p);
	config_free(&p.config);
	config_free(&p.next);
	free(p.workers);
	return status;
}
