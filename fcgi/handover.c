#include "handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accept/accept.h"
#include "shared/log.h"

/* "PID LISTENING SERVING COUNT PID... DATA_DIR": PID is ours, or it is not meant for us. */
static const char variable[] = "WAYBILL_HANDOVER";

enum { PATIENCE = 10 /* s */, DIGITS = 12 };

static char program[PATH_MAX];
static char **called;

void handover_remember(char **argv)
{
	size_t count = 0;
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);

	program[len > 0 ? len : 0] = '\0';
	while (argv[count])
		count++;
	called = calloc(count + 1, sizeof *called);
	for (size_t i = 0; called && i < count; i++)
		called[i] = argv[i]; /* the words stay; their order may change, when they are read */
}

bool handover_wanted(void)
{
	struct stat now, then;

	return program[0] && called && stat(program, &now) == 0 &&
	       stat("/proc/self/exe", &then) == 0 && S_ISREG(now.st_mode) &&
	       (now.st_ino != then.st_ino || now.st_dev != then.st_dev);
}

/* ---- is it any good? ------------------------------------------------------------------------- */

_Noreturn static void ask(const char *config_path)
{
	char *words[] = {"waybill", "config", config_path ? "-c" : NULL, (char *)config_path, NULL};
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	alarm(PATIENCE);
	close(STDOUT_FILENO); /* what it would say is only of interest when it is wrong */
	int nowhere = open("/dev/null", O_WRONLY);
	if (nowhere == STDOUT_FILENO ||
	    (nowhere >= 0 && fcntl(nowhere, F_DUPFD, STDOUT_FILENO) == STDOUT_FILENO))
		execv(program, words);
	_exit(127);
}

bool handover_sound(const char *config_path)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		ask(config_path);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	log_line(LOG_ERROR, "the new program is not taken", "exit=%d",
	    pid < 0		? errno
	    : WIFEXITED(status) ? WEXITSTATUS(status)
				: 128 + WTERMSIG(status));
	return false;
}

/* ---- handing over ----------------------------------------------------------------------------- */

static bool leave(const struct estate *e)
{
	size_t room = (e->count + 4) * (DIGITS + 1) + strlen(e->data_dir) + 1;
	char *text = malloc(room);

	if (!text)
		return false;
	int len = snprintf(
	    text, room, "%d %d %d %zu ", (int)getpid(), e->listening, (int)e->serving, e->count);
	for (size_t i = 0; i < e->count; i++)
		len += snprintf(text + len, room - (size_t)len, "%d ", (int)e->workers[i]);
	snprintf(text + len, room - (size_t)len, "%s", e->data_dir);
	bool left = setenv(variable, text, 1) == 0;
	free(text);
	return left;
}

void handover_go(const struct estate *estate)
{
	int flags = fcntl(estate->listening, F_GETFD);

	if (leave(estate) && fcntl(estate->listening, F_SETFD, 0) == 0)
		execv(program, called);
	log_line(LOG_ERROR, "the new program is not taken", "errno=%d", errno);
	fcntl(estate->listening, F_SETFD, flags);
	unsetenv(variable);
}

/* ---- taking over ------------------------------------------------------------------------------ */

static long next_number(char **text)
{
	long number = strtol(*text, text, 10);

	if (**text == ' ')
		++*text;
	return number;
}

static bool read_estate(struct estate *e, char *text)
{
	if (next_number(&text) != getpid())
		return false;
	e->listening = (int)next_number(&text);
	e->serving = (pid_t)next_number(&text);
	e->count = (size_t)next_number(&text);
	e->workers = e->count <= strlen(text) ? calloc(e->count + 1, sizeof *e->workers) : NULL;
	for (size_t i = 0; e->workers && i < e->count; i++)
		e->workers[i] = (pid_t)next_number(&text);
	e->data_dir = strdup(text);
	return e->workers && e->data_dir && e->data_dir[0] == '/' &&
	       gate_is_listening(e->listening);
}

bool handover_take(struct estate *estate)
{
	const char *given = getenv(variable);
	char *text = given ? strdup(given) : NULL;

	*estate = (struct estate){.listening = -1};
	unsetenv(variable);
	bool taken = text && read_estate(estate, text);
	free(text);
	if (taken) {
		fcntl(estate->listening, F_SETFD, FD_CLOEXEC);
		return true;
	}
	free(estate->workers);
	free(estate->data_dir);
	*estate = (struct estate){.listening = -1};
	return false;
}
