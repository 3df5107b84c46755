/*
 * sniffer_guard.c: the process between the worker and the sniffer parent.
 *
 * The worker is in its jail by the time the parent may die, by an out-of-memory killer's hand or
 * another's, and can fork nothing that may read the magic database. So this one waits outside: it
 * reads nothing from anybody, forks the parent, and forks it again should a signal end it.
 */
#include "sniff/sniffer.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/config.h"
#include "shared/log.h"
#include "sniff/sniff.h"

enum { PAUSE_MS = 50 }; /* so that a parent that always dies costs little */

static bool stand_by(void)
{
	sniffer_ignore_signals();
	prctl(PR_SET_NAME, "waybill-guard");
	/* The parent's children are ours when it is gone: we see them end. */
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

/* The children die with their parent. Once they have, nobody reads what the worker asks, until the
 * next ones do; but who waits for an answer of the dead is told. */
static void clear_nests(struct sniffer_house *house)
{
	for (unsigned i = 0; i < house->count; i++) {
		pid_t pid = atomic_exchange(&house->board->slot[i].pid, 0);
		if (pid == 0)
			continue;
		kill(pid, SIGKILL);
		atomic_fetch_add(&house->board->deaths, 1);
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
	for (unsigned i = 0; i < house->count; i++) {
		struct sniff_answer died = {
		    .kind = SNIFF_DIED, .seq = atomic_load(&house->board->slot[i].birth)};
		/* One just born may have signed in after we looked: now it is dead as well, and
		 * nobody would be born where the board names somebody. */
		atomic_store(&house->board->slot[i].pid, 0);
		send(house->sockets[i], &died, sizeof died, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

void sniffer_parent(struct sniffer_house *house)
{
	struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

	sniffer_close_strangers(house);
	if (!stand_by())
		_exit(1);
	for (;;) {
		pid_t pid = fork();
		if (pid == 0)
			sniffer_tend(house);
		int status = 0;
		if (pid > 0)
			TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
		/* By itself it ends when the worker does, or when it cannot work. */
		if (pid > 0 && !WIFSIGNALED(status))
			_exit(WEXITSTATUS(status));
		log_line(LOG_ERROR, "sniffer parent died, another follows", "pid=%d signal=%d",
		    (int)pid, pid > 0 ? WTERMSIG(status) : 0);
		clear_nests(house);
		nanosleep(&pause, NULL);
	}
}
