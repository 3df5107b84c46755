/* metrics.c: what has happened, in the Prometheus text format, of all processes on one data_dir. Counters
 * are relaxed atomics; every second they are copied to this process's row in data_dir/metrics. */
#include "routes/routes.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/digest.h"
#include "shared/log.h"
#include "shared/tally.h"

/* Statuses that are counted one by one; the last row takes any other. */
static const int statuses[] = {200, 201, 204, 206, 303, 304, 308, 400, 401, 403, 404, 405, 408, 409,
    410, 411, 412, 413, 414, 415, 416, 421, 422, 423, 460, 500, 503, 507, 0};
enum { STATUSES = sizeof statuses / sizeof *statuses };

/* Upper bounds of the histogram's buckets, in seconds. */
static const double bounds[] = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600};
enum { BUCKETS = sizeof bounds / sizeof *bounds };

/* The cells of a row. */
enum {
	IN_FLIGHT,
	INSIDE, /* one for each lane */
	SNIFFERS = INSIDE + LANES,
	GAUGES, /* the rest are counters */
	BYTES_IN = GAUGES,
	BYTES_OUT,
	ABORTED,
	MICROSECONDS,
	SNIFFER_DEATHS, /* these four are counted elsewhere */
	COMMITS,
	BATCHES,
	BUSY,
	BUCKET,
	REFUSAL = BUCKET + BUCKETS + 1,
	REQUEST = REFUSAL + FAULT_COUNT /* by route and status */
};

struct metrics {
	unsigned routes;
	const char **patterns;
	size_t cells;
	int64_t *inherited;  /* what the row held before */
	int64_t *row;	     /* as the file should have it; `saving` */
	bool saved;	     /* it has */
	struct tally *tally; /* NULL: this process counts for itself alone */
	pthread_mutex_t saving;
	atomic_int_fast64_t cell[];
};

/* Rows can be added where each cell means the same. */
static uint64_t layout_of(const struct metrics *m)
{
	struct digest digest;
	uint8_t value[64];
	uint64_t layout;

	digest_start(&digest, DIGEST_SHA256);
	digest_add(&digest, statuses, sizeof statuses);
	digest_add(&digest, bounds, sizeof bounds);
	for (unsigned r = 0; r < m->routes; r++)
		digest_add(&digest, m->patterns[r], strlen(m->patterns[r]) + 1);
	for (int f = 1; f < FAULT_COUNT; f++)
		digest_add(
		    &digest, fault_slug((enum fault)f), strlen(fault_slug((enum fault)f)) + 1);
	digest_end(&digest, value);
	memcpy(&layout, value, sizeof layout);
	return layout;
}

static void join_others(struct metrics *m, const char *data_dir)
{
	char path[4096];

	pthread_mutex_init(&m->saving, NULL);
	if (snprintf(path, sizeof path, "%s/metrics", data_dir) < (int)sizeof path)
		m->tally = tally_open(path, m->cells, GAUGES, layout_of(m), m->inherited);
	if (!m->tally)
		log_line(LOG_WARN, "metrics are of this process alone", "errno=%d", errno);
	for (size_t i = 0; i < m->cells; i++)
		m->cell[i] = m->inherited[i];
}

struct metrics *metrics_new(const char *const patterns[], unsigned count, const char *data_dir)
{
	size_t cells = REQUEST + (size_t)count * STATUSES;
	struct metrics *m = calloc(1, sizeof *m + cells * sizeof *m->cell);

	if (!m)
		return NULL;
	m->routes = count;
	m->cells = cells;
	m->patterns = calloc(count, sizeof *m->patterns);
	m->inherited = calloc(cells, sizeof *m->inherited);
	m->row = calloc(cells, sizeof *m->row);
	if (!m->patterns || !m->inherited || !m->row) {
		metrics_free(m);
		return NULL;
	}
	memcpy(m->patterns, patterns, count * sizeof *patterns);
	join_others(m, data_dir);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	tally_close(m->tally);
	free(m->patterns);
	free(m->inherited);
	free(m->row);
	free(m);
}

static void add(struct metrics *m, size_t cell, int64_t amount)
{
	atomic_fetch_add_explicit(&m->cell[cell], amount, memory_order_relaxed);
}

/* Two faults may share a slug, and a slug is counted in one place. */
static int first_of_slug(enum fault f)
{
	int first = 1;

	while (strcmp(fault_slug((enum fault)first), fault_slug(f)) != 0)
		first++;
	return first;
}

void metrics_begin(struct metrics *m)
{
	add(m, IN_FLIGHT, 1);
}

void metrics_enter(struct metrics *m, enum lane lane)
{
	add(m, INSIDE + lane, 1);
}

void metrics_leave(struct metrics *m, enum lane lane)
{
	add(m, INSIDE + lane, -1);
}

void metrics_end(struct metrics *m, const struct call *c, double seconds)
{
	unsigned status = 0, bucket = 0;

	while (status < STATUSES - 1 && statuses[status] != c->reply.status)
		status++;
	while (bucket < BUCKETS && seconds > bounds[bucket])
		bucket++;
	add(m, REQUEST + c->route_number * STATUSES + status, 1);
	add(m, BUCKET + bucket, 1);
	add(m, MICROSECONDS, (int64_t)(seconds * 1e6));
	add(m, BYTES_IN, c->bytes_in);
	add(m, BYTES_OUT, c->reply.sent);
	add(m, ABORTED, c->aborted);
	if (c->why.fault && !c->aborted)
		add(m, REFUSAL + (size_t)first_of_slug(c->why.fault), 1);
	add(m, IN_FLIGHT, -1);
}

/* ---- the row ----------------------------------------------------------------------------------- */

static void set(struct metrics *m, size_t cell, int64_t figure)
{
	atomic_store_explicit(&m->cell[cell], figure, memory_order_relaxed);
}

static void count_elsewhere(struct metrics *m, const struct health *h)
{
	set(m, SNIFFERS, h->sniffers);
	set(m, SNIFFER_DEATHS, m->inherited[SNIFFER_DEATHS] + h->sniffer_deaths);
	set(m, COMMITS, m->inherited[COMMITS] + h->commits);
	set(m, BATCHES, m->inherited[BATCHES] + h->commit_batches);
	set(m, BUSY, m->inherited[BUSY] + h->catalog_busy);
}

/* Whoever has nothing to do writes nothing. */
static void save(struct metrics *m, const struct health *h)
{
	count_elsewhere(m, h);
	for (size_t i = 0; i < m->cells; i++) {
		int64_t now = atomic_load_explicit(&m->cell[i], memory_order_relaxed);
		m->saved = m->saved && m->row[i] == now;
		m->row[i] = now;
	}
	if (m->tally && !m->saved)
		m->saved = tally_write(m->tally, m->row);
}

void metrics_save(struct metrics *m, struct keep *keep)
{
	struct health h;

	keep_count(keep, &h);
	pthread_mutex_lock(&m->saving);
	save(m, &h);
	pthread_mutex_unlock(&m->saving);
}

/* sums: m->cells; returns how many processes they are of. */
static unsigned add_up(struct metrics *m, const struct health *h, int64_t *sums)
{
	pthread_mutex_lock(&m->saving);
	save(m, h);
	memcpy(sums, m->row, m->cells * sizeof *sums);
	unsigned others = m->tally ? tally_add_others(m->tally, sums) : 0;
	pthread_mutex_unlock(&m->saving);
	return 1 + others;
}

/* ---- GET /metrics ---------------------------------------------------------------------------- */

static void print_requests(FILE *out, const struct metrics *m, const int64_t *sums)
{
	fputs("# HELP waybill_requests_total Requests answered.\n"
	      "# TYPE waybill_requests_total counter\n",
	    out);
	for (unsigned r = 0; r < m->routes; r++)
		for (unsigned s = 0; s < STATUSES; s++)
			if (sums[REQUEST + r * STATUSES + s] > 0)
				fprintf(out,
				    "waybill_requests_total{route=\"%s\",status=\"%d\"} %lld\n",
				    m->patterns[r], statuses[s],
				    (long long)sums[REQUEST + r * STATUSES + s]);
	fputs("# HELP waybill_refusals_total Refusals by their slug.\n"
	      "# TYPE waybill_refusals_total counter\n",
	    out);
	for (int f = 1; f < FAULT_COUNT; f++)
		if (first_of_slug((enum fault)f) == f)
			fprintf(out, "waybill_refusals_total{error=\"%s\"} %lld\n",
			    fault_slug((enum fault)f), (long long)sums[REFUSAL + f]);
}

static void print_histogram(FILE *out, const int64_t *sums)
{
	long long below = 0;

	fputs("# HELP waybill_request_seconds How long requests took.\n"
	      "# TYPE waybill_request_seconds histogram\n",
	    out);
	for (unsigned b = 0; b < BUCKETS; b++) {
		below += sums[BUCKET + b];
		fprintf(out, "waybill_request_seconds_bucket{le=\"%g\"} %lld\n", bounds[b], below);
	}
	below += sums[BUCKET + BUCKETS];
	fprintf(out,
	    "waybill_request_seconds_bucket{le=\"+Inf\"} %lld\n"
	    "waybill_request_seconds_sum %.6f\nwaybill_request_seconds_count %lld\n",
	    below, (double)sums[MICROSECONDS] / 1e6, below);
}

/* `processes`: what all sums are of. */
static void print_figures(
    FILE *out, const struct health *h, const int64_t *sums, unsigned processes)
{
	const struct {
		const char *type, *name, *help;
		int64_t value;
	} figures[] = {
	    {"counter", "received_bytes_total", "Bytes of files received.", sums[BYTES_IN]},
	    {"counter", "sent_bytes_total", "Bytes of bodies sent.", sums[BYTES_OUT]},
	    {"counter", "aborted_total", "Answers that broke off: client gone, or too slow.", sums[ABORTED]},
	    {"gauge", "requests_in_flight", "Requests under way.", sums[IN_FLIGHT]},
	    {"gauge", "bodies_in_flight", "Uploads whose body is being read.", sums[INSIDE + LANE_BODY]},
	    {"gauge", "downloads_in_flight", "Files being sent, other than short ones.", sums[INSIDE + LANE_CONTENT]},
	    {"gauge", "processes", "Processes on this data_dir, which all figures are of.", processes},
	    {"gauge", "up", "1 where uploads can be kept.", h->ok},
	    {"gauge", "stored_files", "Files in the catalog.", h->files},
	    {"gauge", "stored_bytes", "Bytes of distinct content and of fields.", h->bytes},
	    {"gauge", "reserved_bytes", "Bytes promised to uploads under way.", h->reserved},
	    {"gauge", "free_bytes", "Bytes free for uploads on the file system.", h->free_bytes},
	    {"gauge", "sniffers", "Jailed libmagic processes alive.", sums[SNIFFERS]},
	    {"counter", "sniffer_deaths_total", "Jailed libmagic processes that died.", sums[SNIFFER_DEATHS]},
	    {"counter", "commits_total", "Changes committed to the catalog.", sums[COMMITS]},
	    {"counter", "commit_batches_total", "Transactions they went into.", sums[BATCHES]},
	    {"counter", "catalog_busy_total", "Times the catalog was locked by another process.", sums[BUSY]},
	};

	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
		fprintf(out, "# HELP waybill_%s %s\n# TYPE waybill_%s %s\nwaybill_%s %lld\n",
		    figures[i].name, figures[i].help, figures[i].name, figures[i].type,
		    figures[i].name, (long long)figures[i].value);
}

static void print_all(FILE *out, struct metrics *m, struct keep *keep, int64_t *sums)
{
	struct health h;

	keep_health(keep, &h);
	unsigned processes = add_up(m, &h, sums);
	print_requests(out, m, sums);
	print_histogram(out, sums);
	print_figures(out, &h, sums, processes);
}

enum fault metrics_show(struct call *c)
{
	struct metrics *m = c->service->metrics;
	char *text = NULL;
	size_t len = 0;
	enum fault f = rules_may_watch(&c->caller, &c->request, &c->why);

	if (f)
		return f;
	int64_t *sums = calloc(m->cells, sizeof *sums);
	FILE *out = sums ? open_memstream(&text, &len) : NULL;
	if (out)
		print_all(out, m, c->service->keep, sums);
	free(sums);
	bool printed = out && fclose(out) == 0 && text;
	f = printed
		? reply_send(&c->reply, 200, "text/plain; version=0.0.4; charset=utf-8", text, len)
		: refuse(&c->why, FAULT_INTERNAL, "The server is out of memory.");
	free(text);
	return f;
}
