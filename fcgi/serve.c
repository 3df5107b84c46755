/*
 * serve.c: the score. One request walks from the gate to its answer:
 *
 *     parse -> length -> host -> route -> site -> caller -> endpoint -> answer -> log
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "routes/routes.h"
#include "serve.h"
#include "shared/log.h"

#define READ (METHOD_GET | METHOD_HEAD)

/* "{id}" and "{name}" take any one segment; what it must look like, the endpoint says. */
static endpoint openapi_show;

static const struct route {
	struct operation is;
	endpoint *serve;
} routes[] = {
    {{"/upload", READ, "the policy: limits, types, who asks", "", "200 Policy"}, upload_policy},
    {{"/upload", METHOD_POST, "a form, a file as the body, or the creation of a resumable upload",
	 "name path expires_in Idempotency-Key", "201 Files,303"},
	upload_post},
    {{"/upload", METHOD_OPTIONS, "what resumable uploads may do", "", "200,204"}, resume_options},
    {{"/upload/{id}", METHOD_PUT, "a file as the body; the id is its name",
	 "path expires_in Idempotency-Key", "201 Files,303"},
	upload_put},
    {{"/upload/{id}", READ, "how far a resumable upload has come", "", "200,204"}, resume_head},
    {{"/upload/{id}", METHOD_PATCH, "more of a resumable upload", "", "200 Files,201 Files,204"},
	resume_append},
    {{"/upload/{id}", METHOD_DELETE, "end a resumable upload", "", "204"}, resume_delete},
    {{"/upload/{id}", METHOD_OPTIONS, "what resumable uploads may do", "", "200,204"},
	resume_options},
    {{"/files", READ, "the files, page by page", LISTING_PARAMETERS,
	 "200 Listing,304"},
	files_list},
    {{"/files/{id}", READ, "one record", "", "200 File"}, files_show},
    {{"/files/{id}", METHOD_DELETE, "delete a file, with its delete_token or the right to", "",
	 "204"},
	files_delete},
    {{"/files/{id}/content", READ, "the bytes", "inline", "200 binary,206 binary,304"},
	files_content},
    {{"/files/{id}/content/{name}", READ, "the bytes", "inline", "200 binary,206 binary,304"},
	files_content},
    {{"/receipt/{id}", READ, "the files of a form, for a browser without script", "", "200 text"},
	files_receipt},
    {{"/receipt/{id}", METHOD_POST, "take all files of a form back, with the cookie of its receipt",
	 "", "200 text,204"},
	files_withdraw},
    {{"/healthz", READ, "alive; with ready: whether uploads can be kept", "ready",
	 "200 Health,503 Health"},
	health_show},
    {{"/metrics", READ, "figures for Prometheus", "", "200 text"}, metrics_show},
    {{"/openapi.json", READ, "this document", "", "200 binary"}, openapi_show},
    {{"/", READ, "the page", "", "200 text"}, site_page},
    {{"/{asset}", READ, "what the page needs", "", "200 binary,304"}, site_asset},
};
enum { ROUTES = sizeof routes / sizeof *routes };

struct metrics *serve_metrics(const char *data_dir)
{
	const char *patterns[ROUTES + 1];

	for (unsigned i = 0; i < ROUTES; i++)
		patterns[i] = routes[i].is.pattern;
	patterns[ROUTES] = "(none)";
	return metrics_new(patterns, ROUTES + 1, data_dir);
}

/* ---- routing --------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const struct request *r)
{
	struct span rest = span_of(pattern + 1);
	unsigned i = 0;

	for (; rest.len > 0; i++) {
		struct span wanted = span_cut(&rest, '/');
		if (i >= r->segments || i >= PATH_SEGMENTS)
			return false;
		if (wanted.at[0] != '{' && !span_same(wanted, r->segment[i]))
			return false;
	}
	return i == r->segments;
}

static enum fault answer_options(struct call *c, unsigned allowed)
{
	reply_preflight(&c->reply, allowed | METHOD_OPTIONS);
	return reply_empty(&c->reply, 204);
}

#define PUT_WANTS_NAME                                                                                  \
	"PUT takes the file's name behind the address: /upload/NAME. With curl -T FILE a slash at the " \
	"end is enough (/upload/): curl puts the name behind it."

static bool misses_name(const struct request *r)
{
	return r->method == METHOD_PUT && r->segments == 1 && span_is(r->segment[0], "upload");
}

/* The route; NULL with the fault in *fault, or with FAULT_NONE where it has been answered. */
static const struct route *find_route(struct call *c, enum fault *f)
{
	unsigned allowed = 0;

	for (unsigned i = 0; i < ROUTES; i++) {
		if (!matches(routes[i].is.pattern, &c->request))
			continue;
		c->route = routes[i].is.pattern;
		c->route_number = i;
		if (routes[i].is.methods & c->request.method)
			return &routes[i];
		allowed |= routes[i].is.methods;
	}
	if (!allowed)
		*f = refuse(&c->why, FAULT_NOT_FOUND, NULL);
	else if (c->request.method == METHOD_OPTIONS)
		*f = answer_options(c, allowed);
	else {
		c->why.allow = allowed | METHOD_OPTIONS;
		*f = refuse(&c->why, FAULT_METHOD_NOT_ALLOWED,
		    misses_name(&c->request) ? PUT_WANTS_NAME : NULL);
	}
	return NULL;
}

static enum fault openapi_show(struct call *c)
{
	struct operation all[ROUTES];

	for (unsigned i = 0; i < ROUTES; i++)
		all[i] = routes[i].is;
	return reply_openapi(&c->reply, all, ROUTES);
}

/* ---- who is asking --------------------------------------------------------------------------- */

static enum fault find_caller(struct call *c)
{
	struct caller *caller = &c->caller;

	c->sought = true;
	caller->bearer = c->request.bearer;
	if (caller->bearer.at) {
		enum fault f = keep_token_find(
		    c->service->keep, caller->bearer, c->owner, &caller->rights, &caller->quota);
		if (f && f != FAULT_NOT_FOUND)
			return refuse(&c->why, f, NULL);
		caller->has_token = !f;
		caller->bad_token = f == FAULT_NOT_FOUND;
		if (caller->has_token)
			caller->owner = span_of(c->owner);
	}
	if (!caller->has_token && c->request.remote_user.at) {
		caller->owner = c->request.remote_user;
		caller->bad_token = false;
	}
	return FAULT_NONE;
}

/* ---- one request ----------------------------------------------------------------------------- */

static enum fault judge_and_answer(struct call *c)
{
	const struct config *config = c->service->config;
	enum fault f = request_parse(&c->request, c->x, config, &c->scratch, &c->why);

	if (!f)
		f = request_turned_away(&c->request, c->x, config, &c->why);
	if (!f && rules_needs_length(&c->request))
		f = rules_length(&c->request, config, &c->why);
	if (!f)
		f = rules_host(c->x, config, &c->why);
	if (f)
		return f;
	const struct route *route = find_route(c, &f);
	if (!route)
		return f;
	f = rules_site(&c->request, &c->why);
	if (!f)
		f = find_caller(c);
	c->reply.addressed = c->caller.rights & RIGHT_ADMIN;
	return f ? f : route->serve(c);
}

/* Readers that do not read must not take every thread: what may take as long as they like needs a
 * place. Uploads have theirs already. */
static enum fault admit_answer(void *self)
{
	struct call *c = self;

	return c->inside ? FAULT_NONE : call_place(c, LANE_CONTENT);
}

/* Of this process, which no other has, nor had. */
static char process[2 * 6 + 1];

static void name_process(void)
{
	uint8_t random[6];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		memset(random, 0, sizeof random);
	text_hex(random, sizeof random, process);
}

void serve_name_request(char id[REQUEST_ID])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static atomic_uint_fast64_t number;

	pthread_once(&once, name_process);
	snprintf(
	    id, REQUEST_ID, "%s-%llu", process, (unsigned long long)atomic_fetch_add(&number, 1));
	log_request(id);
}

static void begin(struct call *c, const struct service *service, struct exchange *x)
{
	memset(c, 0, offsetof(struct call, text));
	refusal_clear(&c->why);
	c->service = service;
	c->x = x;
	c->scratch = (struct scratch){c->text, 0, sizeof c->text};
	c->route = "(none)";
	c->route_number = ROUTES;
	serve_name_request(c->id);
	reply_open(&c->reply, x, &c->request);
	c->reply.id = c->id;
	c->reply.admit = admit_answer;
	c->reply.self = c;
}

/* The place at the limiter goes when no reader can hold us up any more, and before the answer's
 * end: who has that may come again at once. */
static void give_back(struct call *c)
{
	upload_leave(c->upload);
	files_release(&c->files);
	body_fields_free(&c->fields);
	free(c->buffer);
	if (!c->inside)
		return;
	if (c->x->settle && c->reply.sent > REPLY_AT_ONCE)
		c->x->settle(c->x);
	metrics_leave(c->service->metrics, c->lane);
	limiter_leave(c->service->limiter, c->lane);
}

/* ---- the log --------------------------------------------------------------------------------- */

static void log_failure(const struct call *c, enum fault f)
{
	char detail[512];

	log_line(fault_status(f) == 500 ? LOG_ERROR : LOG_WARN, "request failed",
	    "fault=%s detail=%s", fault_slug(f),
	    log_value(span_of(refusal_detail(&c->why)), detail, sizeof detail));
}

static const char *declared_length(const struct request *r, char to[24])
{
	if (r->length_state != LENGTH_KNOWN)
		return r->length_state == LENGTH_BAD ? "bad" : "-";
	snprintf(to, 24, "%lld", (long long)r->length);
	return to;
}

/* Whose request it was that was refused before anybody asked. */
static void seek_caller(struct call *c)
{
	struct refusal why = c->why;

	if (!c->sought && (c->request.bearer.at || c->request.remote_user.at))
		find_caller(c);
	c->why = why;
}

static void log_call(struct call *c, enum fault f, double ms)
{
	char path[512], owner[256], method[24], address[64], length[24];
	const char *ended = c->aborted ? "aborted" : f ? fault_slug(f) : "-";

	if (fault_status(f) >= 500 && !c->aborted)
		log_failure(c, f);
	if (!log_wants(LOG_INFO))
		return;
	if (f)
		seek_caller(c);
	log_line(LOG_INFO, "request",
	    "address=%s method=%s path=%s route=%s status=%d length=%s bytes_in=%lld bytes_out=%lld "
	    "ms=%.1f owner=%s fault=%s",
	    log_value(c->request.address, address, sizeof address),
	    log_value(request_method_sent(c->x), method, sizeof method),
	    log_value(c->request.path, path, sizeof path), c->route, c->reply.status,
	    declared_length(&c->request, length), (long long)c->bytes_in, (long long)c->reply.sent,
	    ms, log_value(c->caller.owner, owner, sizeof owner), ended);
}

/* Once, when the first comes who is not of this machine. */
static void warn_of_open_doors(const struct call *c)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	const struct config *config = c->service->config;

	if (config_is_open(config) && c->request.client.at && !c->request.local &&
	    !atomic_flag_test_and_set(&said))
		log_line(LOG_WARN, CONFIG_OPEN_DOORS, NULL);
}

void serve(const struct service *service, struct exchange *x, struct call *c)
{
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	metrics_begin(service->metrics);
	begin(c, service, x);
	enum fault f = judge_and_answer(c);
	c->aborted = f && c->reply.status; /* what has begun can only break off */
	if (f && !c->aborted) {
		c->why.fault = f;
		reply_refuse(&c->reply, &c->why);
	}
	give_back(c);
	clock_gettime(CLOCK_MONOTONIC, &end);
	double seconds =
	    (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
	metrics_end(service->metrics, c, seconds);
	log_call(c, f, seconds * 1e3);
	warn_of_open_doors(c);
	log_request(NULL);
}
