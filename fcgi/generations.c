/*
 * generations.c: the life of workers, from their parent's side.
 */
#include "generations.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "worker.h"
#include "shared/descriptor.h"

enum { PAUSE_MS = 1000 }; /* from one start to the next: a worker that always dies costs little */

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

_Noreturn static void be_worker(struct generations *g, pid_t parent, int report)
{
	bind_life(parent);
	close(g->signals);
	config_free(&g->config);
	free(g->workers);
	exit(worker_run(&g->next, g->where, g->listening, report, g->follows));
}

static bool enter(struct generations *g, pid_t pid)
{
	pid_t *more = realloc(g->workers, (g->count + 1) * sizeof *more);

	if (!more)
		return false;
	g->workers = more;
	more[g->count++] = pid;
	return true;
}

bool generations_start(struct generations *g)
{
	pid_t self = getpid();
	int pair[2];

	g->started = clock_steady();
	if (!enter(g, 0)) /* before there is somebody to be entered */
		return false;
	pid_t pid = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 ? fork() : -2;
	if (pid == 0) {
		close(pair[0]);
		be_worker(g, self, pair[1]);
	}
	int err = errno;
	if (pid != -2)
		close(pair[1]);
	if (pid == -1)
		close(pair[0]);
	errno = err;
	if (pid < 0) {
		g->count--;
		return false;
	}
	g->report = pair[0];
	g->starting = g->workers[g->count - 1] = pid;
	return true;
}

/* ---- what becomes of it ----------------------------------------------------------------------- */

static void hang_up(struct generations *g)
{
	descriptor_close(g->report);
	g->report = -1;
}

/* It serves. */
static void promote(struct generations *g)
{
	pid_t before = g->serving;

	hang_up(g);
	g->follows = true;
	g->serving = g->starting;
	g->starting = 0;
	config_free(&g->config);
	g->config = g->next;
	g->next = (struct config){0};
	log_level(g->config.log);
	if (!before)
		return;
	kill(before, WORKER_RETIRES);
	log_line(LOG_INFO, "reloaded", "pid=%d before=%d", (int)g->serving, (int)before);
}

void generations_listen(struct generations *g)
{
	enum report said = REPORT_NOTHING;

	do {
		said = g->report < 0 ? REPORT_NOTHING : worker_report(g->report, &g->listening);
		if (said == REPORT_SERVING)
			promote(g);
		else if (said == REPORT_END)
			hang_up(g); /* it will not serve: SIGCHLD follows */
	} while (said == REPORT_DOOR);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The one that was to serve will not. Where another does, that goes on; otherwise there is nothing to
 * wait for: whoever watches over us may know better. */
static void give_up_start(struct generations *g, int status)
{
	hang_up(g);
	g->starting = 0;
	config_free(&g->next);
	if (!g->serving) {
		g->status = status;
		g->over = !g->ending;
	} else if (!g->ending) {
		log_line(LOG_ERROR, "the new worker cannot serve, the one before goes on",
		    "pid=%d exit=%d", (int)g->serving, status);
		kill(g->serving, SIGHUP);
	}
}

/* The one that serves has ended, and nobody has told it to: another takes its place, with the same
 * settings. Whoever watches over us could do no better, and would end those that are finishing. */
static void replace(struct generations *g, pid_t pid, int status)
{
	g->serving = 0;
	if (g->ending) {
		g->status = status;
		return;
	}
	log_line(
	    LOG_ERROR, "the worker has ended, another follows", "pid=%d exit=%d", (int)pid, status);
}

static void bury(struct generations *g, pid_t pid, int status)
{
	size_t i = 0;

	while (i < g->count && g->workers[i] != pid)
		i++;
	if (i == g->count)
		return; /* a stranger, as process 1 of a container gets them */
	g->workers[i] = g->workers[--g->count];
	if (pid == g->starting)
		give_up_start(g, status);
	else if (pid == g->serving)
		replace(g, pid, status);
	else if (status)
		log_line(
		    LOG_ERROR, "a retired worker has failed", "pid=%d exit=%d", (int)pid, status);
}

void generations_bury(struct generations *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		generations_listen(g); /* what it has said before */
		bury(g, pid, exit_status(status));
	}
}

void generations_tell(const struct generations *g, int number)
{
	for (size_t i = 0; i < g->count; i++)
		kill(g->workers[i], number);
}

int64_t generations_pause(const struct generations *g)
{
	int64_t left = g->started + PAUSE_MS - clock_steady();

	if (g->serving || g->starting || g->ending)
		return -1;
	return left > 0 ? left : 0;
}
