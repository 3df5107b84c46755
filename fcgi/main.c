/*
 * main.c: the process: arguments, sockets, jail, threads, signals.
 *
 *     settings -> sniffers -> socket -> jail -> threads -> a signal -> leave
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "serve.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/sandbox.h"

enum {
	STACK_BYTES = 256 * 1024, /* only the touched pages cost */
	SWEEP_PAUSE = 180 * 1000 /* ms */
};

struct server {
	struct config config;
	struct service service;
	struct gate *gate;
	char jail[256];
	char where[256]; /* it listens */
	pthread_t *threads;
	int64_t started;
	pthread_t sweeper;
	bool has_sweeper; /* to be joined */
	atomic_bool sweeping;
	int64_t next_sweep; /* by the steady clock */
};

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

/* Worker threads never see a signal: EINTR would break the body being read. */
static void block_signals(sigset_t *waited)
{
	sigemptyset(waited);
	sigaddset(waited, SIGTERM);
	sigaddset(waited, SIGUSR1);
	sigaddset(waited, SIGINT);
	sigaddset(waited, SIGHUP);
	pthread_sigmask(SIG_BLOCK, waited, NULL);
	signal(SIGPIPE, SIG_IGN);
}

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

static bool shut_jail(struct server *server, char *problem, size_t room)
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

static bool open_service(struct server *server, long sniffers, struct refusal *why)
{
	struct service *s = &server->service;

	s->config = &server->config;
	s->jail = server->jail;
	if (!keep_open(&s->keep, s->config, KEEP_READ | KEEP_WRITE | KEEP_SNIFF,
		sniffers > 0 ? (unsigned)sniffers : 1, why))
		return false;
	s->turnstile = turnstile_new(s->config->threads);
	s->metrics = serve_metrics();
	if (!s->turnstile || !s->metrics)
		refuse(why, FAULT_INTERNAL, "out of memory");
	return s->turnstile && s->metrics;
}

static void close_service(struct server *server)
{
	keep_close(server->service.keep);
	turnstile_free(server->service.turnstile);
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
	struct refusal why;

	refusal_clear(&why);
	if (keep_sweep(server->service.keep, &swept, &why) != FAULT_NONE)
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

/* Until a signal: house is kept meanwhile, first of all after a crash; SIGHUP: at once. */
static void wait_for_end(struct server *server, const sigset_t *waited)
{
	struct timespec second = {.tv_sec = 1};

	for (;;) {
		start_sweep(server);
		int signal_number = sigtimedwait(waited, NULL, &second);
		if (signal_number > 0 && signal_number != SIGHUP)
			break;
		if (signal_number == SIGHUP)
			server->next_sweep = 0;
		keep_tend(server->service.keep);
	}
	keep_stop_sweeping(server->service.keep);
	end_sweep(server);
}

static int fail(const char *problem, int status)
{
	fprintf(stderr, "waybill: %s\n", problem);
	return status;
}

/* systemd hands the socket over as descriptor 3, or as standard input. */
static int inherited_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	if (gate_is_listening(STDIN_FILENO))
		return STDIN_FILENO;
	if (pid && count && atoll(pid) == getpid() && atoi(count) > 0 && gate_is_listening(3))
		return 3;
	return -1;
}

/* `where` may be NULL: then it is what was inherited, or a socket beside the data. */
static int open_door(const struct server *server, const char *where, struct refusal *why)
{
	char path[4096];
	int inherited = where ? -1 : inherited_socket();

	if (inherited >= 0)
		return inherited;
	snprintf(path, sizeof path, "unix:%s/waybill.sock", server->config.data_dir);
	return gate_listen(where ? where : path, why);
}

/* Behind a socket in the file system it is the web server that decides who gets here: see serve.c. */
static void warn_of_open_doors(const struct server *server)
{
	const struct config *config = &server->config;

	if (config->upload_access == ACCESS_OPEN && config->read_access == ACCESS_OPEN &&
	    !span_starts_nocase(span_of(server->where), "unix:") &&
	    !span_starts_nocase(span_of(server->where), "127.") &&
	    !span_starts_nocase(span_of(server->where), "[::1]"))
		log_line(LOG_WARN, CONFIG_OPEN_DOORS, NULL);
}

static void log_serving(const struct server *server)
{
	char listen[512], data_dir[1024], base[512];
	struct span mount = span_of(server->config.base);

	log_line(LOG_INFO, "serving", "version=%s threads=%lld listen=%s data_dir=%s base=%s",
	    WAYBILL_VERSION, (long long)server->started,
	    log_value(span_of(server->where), listen, sizeof listen),
	    log_value(span_of(server->config.data_dir), data_dir, sizeof data_dir),
	    mount.len ? log_value(mount, base, sizeof base) : "\"(from the server)\"");
}

/* `listening` < 0: see open_door(). */
static int serve_sockets(struct server *server, const char *where, int listening)
{
	struct refusal why;
	char problem[512];
	sigset_t waited;

	refusal_clear(&why);
	log_level(server->config.log);
	block_signals(&waited);
	raise_limits();
	if (!open_service(server, sysconf(_SC_NPROCESSORS_ONLN), &why))
		return fail(refusal_detail(&why), 1);
	if (listening < 0)
		listening = open_door(server, where, &why);
	if (listening >= 0)
		server->gate = gate_open(listening, &server->config, &why);
	if (!server->gate)
		return fail(refusal_detail(&why), 1);
	gate_where(listening, server->where, sizeof server->where);
	if (!shut_jail(server, problem, sizeof problem))
		return fail(problem, 1);
	if (!start_threads(server))
		return fail("no thread could be started", 1);
	warn_of_open_doors(server);
	log_serving(server);
	wait_for_end(server, &waited);
	gate_shut(server->gate);
	for (int64_t i = 0; i < server->started; i++)
		pthread_join(server->threads[i], NULL);
	log_line(LOG_INFO, "stopped", "threads=%lld", (long long)server->started);
	gate_close(server->gate);
	return 0;
}

int serve_forever(const char *config_path, const char *where, int listening)
{
	struct server server = {0};
	char problem[512];

	if (where && gate_misnamed(where))
		return fail(gate_misnamed(where), 2);
	if (!config_load(&server.config, config_path, problem, sizeof problem))
		return fail(problem, 2);
	int status = serve_sockets(&server, where, listening);
	close_service(&server);
	return status;
}

/* ---- plain CGI ------------------------------------------------------------------------------- */

/* What keeps this process from serving is for the log; the client gets its 500 all the same. */
static int answer_failure(struct exchange *x, const char *problem)
{
	struct reply reply;
	struct refusal why;

	refusal_clear(&why);
	why.fault = FAULT_INTERNAL;
	reply_open(&reply, x, NULL);
	reply_refuse(&reply, &why);
	return fail(problem, 1);
}

static int answer_one(struct server *server, struct exchange *x, struct call *call)
{
	struct refusal why;
	char problem[512];

	refusal_clear(&why);
	if (!call || !open_service(server, 1, &why))
		return answer_failure(x, call ? refusal_detail(&why) : "out of memory");
	if (!shut_jail(server, problem, sizeof problem))
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
		return fail(problem, 2);
	log_level(server.config.log);
	server.config.threads = 1;
	struct exchange *x = cgi_open(&server.config);
	if (!x)
		return fail("out of memory", 1);
	struct call *call = malloc(sizeof *call);
	int status = answer_one(&server, x, call);
	cgi_finish(x);
	if (status == 0)
		keep_tend(server.service.keep);
	free(call);
	close_service(&server);
	return status;
}

int main(int argc, char **argv)
{
	/* The web server of a CGI request may make arguments of its query (RFC 3875, section 4.4), and
	 * "?gc" would be a command that anybody can give. */
	bool request = getenv("GATEWAY_INTERFACE") != NULL;

	reply_start();
	if (argc > 1 && !request)
		return cli_run(argc, argv);
	int listening = inherited_socket();
	if (listening >= 0)
		return serve_forever(NULL, NULL, listening);
	if (request)
		return serve_once();
	cli_usage(stderr);
	return 2;
}
