/* house.c: serve, gc, verify, config: the house and its keeping. */
#include "cli/inside.h"
#include "verify/verify.h"

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

static int gc(struct keep *keep, void *self, struct refusal *why)
{
	struct swept swept = {0};

	if (sweep_store(keep, &swept, why))
		return complain("%s", refusal_detail(why));
	printf("dropped %" PRId64 " expired files, %" PRId64 " unfinished uploads, %" PRId64
	       " orphans: %" PRId64 " bytes\n",
	    swept.files, swept.partials, swept.orphans, swept.bytes);
	return DONE;
}

int cli_gc(struct options *o)
{
	return in_keep(o, KEEP_READ | KEEP_WRITE, gc, NULL);
}

int cli_config(struct options *o)
{
	char problem[512];
	struct config config;

	if (!config_print(o->config_path, stdout, problem, sizeof problem))
		return complain_of_use(problem);
	int status = load_config(&config, o);
	if (status != DONE)
		return status;
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

static int check(struct keep *keep, void *self, struct refusal *why)
{
	const struct options *o = self;
	struct verified result;
	struct bar bar = {.wanted = isatty(STDERR_FILENO)};
	struct inspector inspector = {&bar, print_finding, bar_draw};
	unsigned wishes = (o->repair ? VERIFY_REPAIR : 0) | (o->force ? VERIFY_FORCE : 0);
	enum fault f = verify_run(keep, wishes, &inspector, &result, why);

	bar_clear(&bar);
	if (f)
		return complain("verify: %s", refusal_detail(why));
	print_verified(&result);
	return result.findings > 0 ? FAILED : DONE;
}

static int adopt(struct keep *keep, void *self, struct refusal *why)
{
	struct verified result;
	struct bar bar = {0};
	struct inspector inspector = {&bar, print_finding, NULL};

	if (verify_adopt(keep, &inspector, &result, why))
		return complain("verify: %s", refusal_detail(why));
	printf("adopted %" PRId64 " objects, %" PRId64 " bytes: catalog and objects belong together\n",
	    result.objects, result.bytes);
	return result.findings > 0 ? FAILED : DONE;
}

int cli_verify(struct options *o)
{
	if (o->adopt && o->repair)
		return complain_of_use("verify: first --adopt, then --repair");
	if (o->force && !o->repair)
		return complain_of_use("verify: --force goes with --repair");
	if (o->adopt)
		return in_keep(o, KEEP_READ | KEEP_WRITE | KEEP_SNIFF | KEEP_ADOPT, adopt, NULL);
	return in_keep(o, KEEP_READ | KEEP_WRITE, check, o);
}
