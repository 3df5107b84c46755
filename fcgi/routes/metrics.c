/* metrics.c: what has happened, in the Prometheus text format. Counters are relaxed atomics. */
#include "routes/routes.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Statuses that are counted one by one; the last row takes any other. */
static const int statuses[] = {200, 201, 204, 206, 303, 304, 308, 400, 401, 403, 404, 405, 408, 409,
    410, 411, 412, 413, 414, 415, 416, 421, 422, 423, 460, 500, 503, 507, 0};
enum { STATUSES = sizeof statuses / sizeof *statuses };

/* Upper bounds of the histogram's buckets, in seconds. */
static const double bounds[] = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600};
enum { BUCKETS = sizeof bounds / sizeof *bounds };

typedef atomic_int_fast64_t counter;

struct metrics {
	unsigned routes;
	const char **patterns;
	counter (*requests)[STATUSES]; /* by route */
	counter refusals[FAULT_COUNT];
	counter bytes_in, bytes_out, in_flight, aborted;
	counter buckets[BUCKETS + 1];
	counter microseconds;
};

struct metrics *metrics_new(const char *const patterns[], unsigned count)
{
	struct metrics *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->routes = count;
	m->patterns = calloc(count, sizeof *m->patterns);
	m->requests = calloc(count, sizeof *m->requests);
	if (!m->patterns || !m->requests) {
		metrics_free(m);
		return NULL;
	}
	memcpy(m->patterns, patterns, count * sizeof *patterns);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	free(m->patterns);
	free(m->requests);
	free(m);
}

static void add(counter *to, int64_t amount)
{
	atomic_fetch_add_explicit(to, amount, memory_order_relaxed);
}

static long long get(counter *from)
{
	return (long long)atomic_load_explicit(from, memory_order_relaxed);
}

/* Two faults may share a slug, and a slug is counted in one place. */
static int first_of_slug(enum fault fault)
{
	int f = 1;

	while (strcmp(fault_slug((enum fault)f), fault_slug(fault)) != 0)
		f++;
	return f;
}

void metrics_begin(struct metrics *m)
{
	add(&m->in_flight, 1);
}

void metrics_end(struct metrics *m, const struct call *c, double seconds)
{
	unsigned status = 0, bucket = 0;

	while (status < STATUSES - 1 && statuses[status] != c->reply.status)
		status++;
	while (bucket < BUCKETS && seconds > bounds[bucket])
		bucket++;
	add(&m->requests[c->route_number][status], 1);
	add(&m->buckets[bucket], 1);
	add(&m->microseconds, (int64_t)(seconds * 1e6));
	add(&m->bytes_in, c->bytes_in);
	add(&m->bytes_out, c->reply.sent);
	add(&m->aborted, c->aborted);
	if (c->why.fault && !c->aborted)
		add(&m->refusals[first_of_slug(c->why.fault)], 1);
	add(&m->in_flight, -1);
}

/* ---- GET /metrics ---------------------------------------------------------------------------- */

static void print(FILE *out, const char *type, const char *name, const char *help, long long value)
{
	fprintf(out, "# HELP waybill_%s %s\n# TYPE waybill_%s %s\nwaybill_%s %lld\n", name, help,
	    name, type, name, value);
}

static void print_requests(FILE *out, struct metrics *m)
{
	fputs("# HELP waybill_requests_total Requests answered.\n"
	      "# TYPE waybill_requests_total counter\n",
	    out);
	for (unsigned r = 0; r < m->routes; r++)
		for (unsigned s = 0; s < STATUSES; s++)
			if (get(&m->requests[r][s]) > 0)
				fprintf(out,
				    "waybill_requests_total{route=\"%s\",status=\"%d\"} %lld\n",
				    m->patterns[r], statuses[s], get(&m->requests[r][s]));
	fputs("# HELP waybill_refusals_total Refusals by their slug.\n"
	      "# TYPE waybill_refusals_total counter\n",
	    out);
	for (int f = 1; f < FAULT_COUNT; f++)
		if (first_of_slug((enum fault)f) == f)
			fprintf(out, "waybill_refusals_total{error=\"%s\"} %lld\n",
		    fault_slug((enum fault)f), get(&m->refusals[f]));
}

static void print_histogram(FILE *out, struct metrics *m)
{
	long long below = 0;

	fputs("# HELP waybill_request_seconds How long requests took.\n"
	      "# TYPE waybill_request_seconds histogram\n",
	    out);
	for (unsigned b = 0; b < BUCKETS; b++) {
		below += get(&m->buckets[b]);
		fprintf(out, "waybill_request_seconds_bucket{le=\"%g\"} %lld\n", bounds[b], below);
	}
	below += get(&m->buckets[BUCKETS]);
	fprintf(out,
	    "waybill_request_seconds_bucket{le=\"+Inf\"} %lld\n"
	    "waybill_request_seconds_sum %.6f\nwaybill_request_seconds_count %lld\n",
	    below, (double)get(&m->microseconds) / 1e6, below);
}

static void print_store(FILE *out, struct keep *keep)
{
	struct health h;

	keep_health(keep, &h);
	print(out, "gauge", "up", "1 where uploads can be kept.", h.ok);
	print(out, "gauge", "stored_files", "Files in the catalog.", h.files);
	print(out, "gauge", "stored_bytes", "Bytes of distinct content and of fields.", h.bytes);
	print(out, "gauge", "reserved_bytes", "Bytes promised to uploads under way.", h.reserved);
	print(
	    out, "gauge", "free_bytes", "Bytes free for uploads on the file system.", h.free_bytes);
	print(out, "gauge", "sniffers", "Jailed libmagic processes alive.", h.sniffers);
	print(out, "counter", "sniffer_deaths_total", "Jailed libmagic processes that died.",
	    h.sniffer_deaths);
	print(out, "counter", "commits_total", "Changes committed to the catalog.", h.commits);
	print(out, "counter", "commit_batches_total", "Transactions they went into.",
	    h.commit_batches);
	print(out, "counter", "catalog_busy_total",
	    "Times the catalog was locked by another process.", h.catalog_busy);
}

enum fault metrics_show(struct call *c)
{
	struct metrics *m = c->service->metrics;
	char *text = NULL;
	size_t len = 0;
	enum fault fault = rules_may_watch(&c->caller, c->x, &c->why);

	if (fault)
		return fault;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return refuse(&c->why, FAULT_INTERNAL, "The server is out of memory.");
	print_requests(out, m);
	print_histogram(out, m);
	print(
	    out, "counter", "received_bytes_total", "Bytes of files received.", get(&m->bytes_in));
	print(out, "counter", "sent_bytes_total", "Bytes of bodies sent.", get(&m->bytes_out));
	print(out, "counter", "aborted_total", "Answers that broke off: client gone, or too slow.",
	    get(&m->aborted));
	print(out, "gauge", "requests_in_flight", "Requests under way.", get(&m->in_flight));
	print(out, "gauge", "bodies_in_flight", "Uploads whose body is being read.",
	    turnstile_inside(c->service->turnstile, LANE_BODY));
	print(out, "gauge", "downloads_in_flight", "Files being sent, other than short ones.",
	    turnstile_inside(c->service->turnstile, LANE_CONTENT));
	print_store(out, c->service->keep);
	bool printed = fclose(out) == 0 && text;
	fault = printed ? reply_send(
			      &c->reply, 200, "text/plain; version=0.0.4; charset=utf-8", text, len)
			: refuse(&c->why, FAULT_INTERNAL, "The server is out of memory.");
	free(text);
	return fault;
}
