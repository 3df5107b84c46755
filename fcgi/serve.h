/*
 * serve.h: what main.c must know of serving.
 */
#ifndef WAYBILL_SERVE_H
#define WAYBILL_SERVE_H

#include "routes/routes.h"

/* Counters with a row for each route; NULL: no memory. metrics_free() when done. */
struct metrics *serve_metrics(const char *data_dir);

/* Names the request that this thread is at, unlike any other, here and in the log. */
void serve_name_request(char id[REQUEST_ID]);

#endif
