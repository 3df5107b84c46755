/*
 * worker.c: the process that serves.
 *
 *     store and sniffers -> socket -> jail -> threads -> a signal -> leave
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/sandbox.h"
#include "verify/verify.h"
#include "worker.h"

enum {
	STACK_BYTES = 256 * 1024, /* only the touched pages cost */
	SWEEP_PAUSE = 180 * 1000, /* ms */
	RETIRED_MOST = 90 * 1000  /* ms: nginx, for one, keeps an idle connection for 60 s */
};

int worker_fail(const char *problem, int status)
{
	fprintf(stderr, "waybill: %s\n", problem);
	return status;
}

/* ---- one worker thread ----------------------------------------------------------------------- */

static void *work(void *argument)
{
	struct server *server = argument;
	struct visitor *visitor = visitor_new(server->gate);
	struct call *call = malloc(sizeof *call);
	struct exchange *x;

	if (!visitor || !call)
		log_line(LOG_ERROR, "cannot serve", "reason=\"out of memory\"");
	while (visitor && call && (x = gate_accept(visitor)) != NULL) {
		serve(&server->service, x, call);
		gate_finish(visitor);
	}
	visitor_free(visitor);
	free(call);
	return NULL;
}

static bool start_threads(struct server *server)
{
	pthread_attr_t attr;

	server->threads = calloc((size_t)server->config.threads, sizeof *server->threads);
	if (!server->threads || pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (server->started < server->config.threads &&
	       pthread_create(&server->threads[server->started], &attr, work, server) == 0)
		server->started++;
	pthread_attr_destroy(&attr);
	if (server->started < server->config.threads)
		log_line(LOG_WARN, "fewer threads than configured", "threads=%lld",
		    (long long)server->started);
	return server->started > 0;
}

/* ---- the process ----------------------------------------------------------------------------- */

/* A form of many files holds a descriptor for each of them until it is kept. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max > 65536 ? 65536 : files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	mallopt(M_ARENA_MAX, 4); /* 256 threads with an arena each would hoard memory */
}

bool worker_shut_jail(struct server *server, char *problem, size_t room)
{
	const struct config *config = &server->config;
	struct sandbox_state state;

	if (config->sandbox == SWITCH_OFF) {
		snprintf(server->jail, sizeof server->jail, "off");
		log_line(LOG_WARN, "the worker runs without its sandbox", "sandbox=off");
		return true;
	}
	const char *writable[] = {
	    config->data_dir, config->body_file_dir[0] ? config->body_file_dir : NULL, NULL};
	const char *readable[] = {"/etc/localtime", NULL};
	problem[0] = '\0';
	if (!sandbox_worker(writable, readable, false, &state, problem, room))
		return false;
	snprintf(server->jail, sizeof server->jail, "%s%s%s", state.text, problem[0] ? "; " : "",
	    problem);
	log_line(problem[0] ? LOG_WARN : LOG_INFO, "sandbox", "state=\"%s\"", server->jail);
	return true;
}

bool worker_open(struct server *server, long sniffers, struct refusal *why)
{
	struct service *s = &server->service;

	s->config = &server->config;
	s->jail = server->jail;
	if (!keep_open(&s->keep, s->config, KEEP_READ | KEEP_WRITE | KEEP_SNIFF,
		sniffers > 0 ? (unsigned)sniffers : 1, why))
		return false;
	s->limiter = limiter_new(s->config->threads);
	s->metrics = serve_metrics(s->config->data_dir);
	if (!s->limiter || !s->metrics)
		refuse(why, FAULT_INTERNAL, "out of memory");
	return s->limiter && s->metrics;
}

void worker_close(struct server *server)
{
	if (server->service.metrics)
		metrics_save(server->service.metrics, server->service.keep);
	keep_close(server->service.keep);
	limiter_free(server->service.limiter);
	metrics_free(server->service.metrics);
	free(server->threads);
	config_free(&server->config);
}

/* ---- keeping house --------------------------------------------------------------------------- */

/* A thread of its own: looking through a large store takes its time, and signals, checkpoints and
 * whoever waits for an upload do not wait for it. */
static void *sweep(void *argument)
{
	struct server *server = argument;
	struct swept swept;
	struct refusal why = NO_REFUSAL;

	if (sweep_store(server->service.keep, &swept, &why))
		log_line(LOG_WARN, "sweeping failed", "reason=\"%s\"", refusal_detail(&why));
	else if (swept.files + swept.partials + swept.orphans > 0)
		log_line(LOG_INFO, "swept", "files=%lld uploads=%lld orphans=%lld bytes=%lld",
		    (long long)swept.files, (long long)swept.partials, (long long)swept.orphans,
		    (long long)swept.bytes);
	atomic_store(&server->sweeping, false);
	return NULL;
}

static void end_sweep(struct server *server)
{
	if (server->has_sweeper)
		pthread_join(server->sweeper, NULL);
	server->has_sweeper = false;
}

/* When it is time, and the one before is over. */
static void start_sweep(struct server *server)
{
	if (clock_steady() < server->next_sweep || atomic_load(&server->sweeping))
		return;
	end_sweep(server);
	atomic_store(&server->sweeping, true);
	server->has_sweeper = pthread_create(&server->sweeper, NULL, sweep, server) == 0;
	if (!server->has_sweeper)
		atomic_store(&server->sweeping, false);
	server->next_sweep = clock_steady() + SWEEP_PAUSE;
}

/* Another worker is there. */
static void retire(struct server *server, int64_t *until)
{
	gate_retire(server->gate);
	log_line(LOG_INFO, "retiring", "pid=%d", (int)getpid());
	sweep_stop(server->service.keep);
	*until = clock_steady() + RETIRED_MOST;
}

/* Until a signal: house is kept meanwhile, first of all after a crash; SIGHUP: at once. */
static void wait_for_end(struct server *server, const sigset_t *waited)
{
	struct timespec second = {.tv_sec = 1};
	int64_t until = 0; /* the gate is retired, by the steady clock */

	while (!until || (!gate_is_shut(server->gate) && clock_steady() < until)) {
		if (!until)
			start_sweep(server);
		int signal_number = sigtimedwait(waited, NULL, &second);
		if (signal_number == WORKER_RETIRES && !until)
			retire(server, &until);
		else if (signal_number == SIGHUP)
			server->next_sweep = 0;
		else if (signal_number > 0 && signal_number != WORKER_RETIRES)
			break;
		keep_tend(server->service.keep);
		metrics_save(server->service.metrics, server->service.keep);
	}
	sweep_stop(server->service.keep);
	end_sweep(server);
}

/* ---- what the parent is told ----------------------------------------------------------------- */

/* One byte, and room for a descriptor. Not to be copied. */
struct letter {
	char byte;
	struct iovec bytes;
	struct msghdr message;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
};

static void lay_out(struct letter *l)
{
	*l = (struct letter){.bytes = {&l->byte, 1}};
	l->message = (struct msghdr){.msg_iov = &l->bytes,
	    .msg_iovlen = 1,
	    .msg_control = l->control.room,
	    .msg_controllen = sizeof l->control.room};
}

/* Before the jail is shut: no descriptor is sent from in there. */
static bool send_door(int report, int listening)
{
	struct letter letter;

	lay_out(&letter);
	struct cmsghdr *head = CMSG_FIRSTHDR(&letter.message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof listening);
	memcpy(CMSG_DATA(head), &listening, sizeof listening);
	return sendmsg(report, &letter.message, MSG_NOSIGNAL) == 1;
}

enum report worker_report(int report, int *listening)
{
	struct letter letter;

	lay_out(&letter);
	ssize_t got = recvmsg(report, &letter.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&letter.message) : NULL;
	if (got <= 0)
		return got < 0 && errno == EAGAIN ? REPORT_NOTHING : REPORT_END;
	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return REPORT_SERVING;
	memcpy(listening, CMSG_DATA(head), sizeof *listening);
	return REPORT_DOOR;
}

/* ---- from the settings to the last answer ------------------------------------------------------ */

/* `where` may be NULL: then it is a socket beside the data. */
static int open_door(
    const struct server *server, const char *where, int report, struct refusal *why)
{
	char path[4096];

	snprintf(path, sizeof path, "unix:%s/waybill.sock", server->config.data_dir);
	int listening = gate_listen(where ? where : path, why);
	if (listening < 0 || send_door(report, listening))
		return listening;
	refuse(why, FAULT_INTERNAL, "the parent is gone: %s", strerror(errno));
	close(listening);
	return -1;
}

/* Behind a socket in the file system it is the web server that decides who gets here: see serve.c. */
static void warn_of_open_doors(const struct server *server)
{
	const struct config *config = &server->config;

	if (config_is_open(config) && !span_starts_nocase(span_of(server->where), "unix:") &&
	    !span_starts_nocase(span_of(server->where), "127.") &&
	    !span_starts_nocase(span_of(server->where), "[::1]"))
		log_line(LOG_WARN, CONFIG_OPEN_DOORS, NULL);
}

static void log_serving(const struct server *server)
{
	char listen[512], data_dir[1024], base[512];
	struct span mount = span_of(server->config.base);

	log_line(LOG_INFO, "serving",
	    "version=%s pid=%d threads=%lld listen=%s data_dir=%s base=%s", WAYBILL_VERSION,
	    (int)getpid(), (long long)server->started,
	    log_value(span_of(server->where), listen, sizeof listen),
	    log_value(span_of(server->config.data_dir), data_dir, sizeof data_dir),
	    mount.len ? log_value(mount, base, sizeof base) : "\"(from the server)\"");
}

static bool open_gate(
    struct server *server, const char *where, int listening, int report, struct refusal *why)
{
	if (!worker_open(server, sysconf(_SC_NPROCESSORS_ONLN), why))
		return false;
	if (listening < 0)
		listening = open_door(server, where, report, why);
	if (listening >= 0)
		server->gate = gate_open(listening, &server->config, why);
	if (server->gate)
		gate_where(listening, server->where, sizeof server->where);
	return server->gate != NULL;
}

static bool get_ready(
    struct server *server, const char *where, int listening, int report, char *problem, size_t room)
{
	struct refusal why = NO_REFUSAL;

	if (!open_gate(server, where, listening, report, &why)) {
		snprintf(problem, room, "%s", refusal_detail(&why));
		return false;
	}
	if (!worker_shut_jail(server, problem, room))
		return false;
	snprintf(problem, room, "no thread could be started");
	return start_threads(server);
}

static void serve_until_signal(struct server *server, int report)
{
	sigset_t waited;

	sigemptyset(&waited);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGUSR1);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGHUP);
	sigaddset(&waited, WORKER_RETIRES);
	warn_of_open_doors(server);
	log_serving(server);
	if (write(report, "", 1) != 1)
		log_line(LOG_WARN, "the parent is not told", "errno=%d", errno);
	close(report);
	wait_for_end(server, &waited);
	gate_shut(server->gate);
	for (int64_t i = 0; i < server->started; i++)
		pthread_join(server->threads[i], NULL);
	log_line(
	    LOG_INFO, "stopped", "pid=%d threads=%lld", (int)getpid(), (long long)server->started);
}

static void say_problem(const char *problem, bool follows)
{
	char reason[600];

	if (follows)
		log_line(LOG_ERROR, "cannot serve", "pid=%d reason=%s", (int)getpid(),
		    log_value(span_of(problem), reason, sizeof reason));
	else
		worker_fail(problem, 1);
}

int worker_run(
    const struct config *config, const char *where, int listening, int report, bool follows)
{
	struct server server = {.config = *config};
	char problem[512];

	log_level(config->log);
	raise_limits();
	bool ready = get_ready(&server, where, listening, report, problem, sizeof problem);
	if (ready)
		serve_until_signal(&server, report);
	else
		say_problem(problem, follows);
	gate_close(server.gate);
	worker_close(&server);
	return ready ? 0 : 1;
}
