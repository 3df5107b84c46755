/*
 * worker.h: the process that serves: what it opens, its jail, its threads.
 *
 *     main.c      plain CGI: one request, no parent
 *     parent.c    FastCGI: forks workers, one after another
 *     worker.c    FastCGI: a worker, from its settings to its last answer
 */
#ifndef WAYBILL_WORKER_H
#define WAYBILL_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "serve.h"

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

/* Opens what serving takes, with so many sniffers: call it before any thread is there. Whatever it
 * answers: worker_close() when done, which frees server->config too. */
bool worker_open(struct server *server, long sniffers, struct refusal *why);
void worker_close(struct server *server);
/* False: *problem (at least 512 bytes) says what failed; the process must not serve. */
bool worker_shut_jail(struct server *server, char *problem, size_t room);

/* "waybill: PROBLEM" on stderr; returns `status`. */
int worker_fail(const char *problem, int status);

enum { WORKER_RETIRES = SIGUSR2 };

/*
 * Serve until SIGTERM, SIGINT or SIGUSR1: then what is under way is finished. WORKER_RETIRES is gentler:
 * connections that the server in front means to use again are waited for (gate_retire()). SIGHUP:
 * sweep now. All four have to be blocked already.
 *
 * where, listening: see serve_forever(); a socket that is opened here is sent over `report`, a
 * connected socket, and then one byte once requests are served. `report` is closed by then. What keeps it
 * from serving is said in plain words, or in the log where it `follows` another. Takes *config over.
 * Returns the process's exit status.
 */
int worker_run(
    const struct config *config, const char *where, int listening, int report, bool follows);

/* What a worker says next, without waiting for it: REPORT_DOOR, *listening is its socket; that it serves;
 * nothing (yet); nothing any more. */
enum report { REPORT_NOTHING, REPORT_DOOR, REPORT_SERVING, REPORT_END };
enum report worker_report(int report, int *listening);

#endif
