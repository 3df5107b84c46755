/* house.c: serve, gc, verify, config: the house and its keeping. */
#include "cli/inside.h"
#include "verify/verify.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

int cli_gc(struct options *o)
{
	struct store store;
	struct swept swept = {0};
	struct refusal why;
	int status = open_keep(&store, o, KEEP_READ | KEEP_WRITE);

	if (status != DONE)
		return status;
	refusal_clear(&why);
	if (sweep_store(store.keep, &swept, &why))
		status = complain("%s", refusal_detail(&why));
	else
		printf("dropped %" PRId64 " expired files, %" PRId64 " unfinished uploads, %" PRId64
		       " orphans: %" PRId64 " bytes\n",
		    swept.files, swept.partials, swept.orphans, swept.bytes);
	return close_keep(&store, status);
}

int cli_config(struct options *o)
{
	char problem[512];
	struct config config;

	if (!config_print(o->config_path, stdout, problem, sizeof problem) ||
	    !config_load(&config, o->config_path, problem, sizeof problem)) {
		complain("%s", problem);
		return USAGE;
	}
	if (config_is_open(&config))
		complain("warning: " CONFIG_OPEN_DOORS);
	config_free(&config);
	return DONE;
}

int cli_serve(struct options *o)
{
	return serve_forever(o->config_path, o->listen, -1);
}

/* ---- verify ---------------------------------------------------------------------------------- */

void bar_clear(struct bar *bar)
{
	if (bar->shown)
		fputs("\r\033[K", stderr);
	bar->shown = false;
}

void bar_draw(void *self, int64_t bytes, int64_t expected)
{
	struct bar *bar = self;
	time_t now = time(NULL);

	if (!bar->wanted || now == bar->last)
		return;
	bar->last = now;
	bar->shown = true;
	fprintf(stderr, "\r\033[K%" PRId64 " of %" PRId64 " MiB read (%" PRId64 " %%)", bytes >> 20,
	    expected >> 20, expected > 0 ? (int64_t)((double)bytes * 100 / (double)expected) : 100);
	fflush(stderr);
}

void bar_say(void *self, const char *line)
{
	bar_clear(self);
	fprintf(stderr, "%s\n", line);
}

static void print_finding(void *self, const char *line)
{
	bar_clear(self);
	puts(line);
	fflush(stdout);
}

static void print_verified(const struct verified *v)
{
	printf("verified %" PRId64 " objects, %" PRId64 " bytes: ", v->objects, v->bytes);
	if (v->findings == 0)
		puts("all is well");
	else
		printf("%" PRId64 " findings, %" PRId64 " repaired\n", v->findings, v->repaired);
}

static unsigned wishes(const struct options *o)
{
	return (o->repair ? VERIFY_REPAIR : 0) | (o->force ? VERIFY_FORCE : 0);
}

static int check(struct options *o)
{
	struct store store;
	struct verified result;
	struct refusal why;
	struct bar bar = {.wanted = isatty(STDERR_FILENO)};
	struct inspector inspector = {&bar, print_finding, bar_draw};
	int status = open_keep(&store, o, KEEP_READ | KEEP_WRITE);

	if (status != DONE)
		return status;
	refusal_clear(&why);
	enum fault f = verify_run(store.keep, wishes(o), &inspector, &result, &why);
	bar_clear(&bar);
	if (f)
		status = complain("verify: %s", refusal_detail(&why));
	else
		print_verified(&result);
	return close_keep(&store, !f && result.findings > 0 ? FAILED : status);
}

static int adopt(struct options *o)
{
	struct store store;
	struct verified result;
	struct refusal why;
	struct bar bar = {0};
	struct inspector inspector = {&bar, print_finding, NULL};
	int status = open_keep(&store, o, KEEP_READ | KEEP_WRITE | KEEP_SNIFF | KEEP_ADOPT);

	if (status != DONE)
		return status;
	refusal_clear(&why);
	enum fault f = verify_adopt(store.keep, &inspector, &result, &why);
	if (f)
		status = complain("verify: %s", refusal_detail(&why));
	else
		printf("adopted %" PRId64 " objects, %" PRId64 " bytes: catalog and objects belong "
		       "together\n",
		    result.objects, result.bytes);
	return close_keep(&store, !f && result.findings > 0 ? FAILED : status);
}

int cli_verify(struct options *o)
{
	if (o->adopt && o->repair) {
		complain("verify: first --adopt, then --repair");
		return USAGE;
	}
	if (o->force && !o->repair) {
		complain("verify: --force goes with --repair");
		return USAGE;
	}
	return o->adopt ? adopt(o) : check(o);
}
