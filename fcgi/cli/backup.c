/* backup.c: backup and restore. */
#include "backup/backup.h"
#include "cli/inside.h"

#include <inttypes.h>
#include <unistd.h>

/* One line where all is well, so that a cron job says what it did and nothing else. */
static void print_backed_up(const char *dir, const struct backed_up *r, int64_t since)
{
	printf("backed up %" PRId64 " files to %s: %" PRId64 " objects new, %" PRId64
	       " kept, %" PRId64 " removed; %" PRId64 " bytes new of %" PRId64 "; %.1f s\n",
	    r->files, dir, r->fresh, r->kept, r->removed, r->fresh_bytes, r->bytes,
	    (double)(clock_steady() - since) / 1000);
}

static int back_up(struct keep *keep, void *self, struct refusal *why)
{
	const struct options *o = self;
	struct backed_up result;
	struct bar bar = {.wanted = isatty(STDERR_FILENO)};
	struct inspector inspector = {&bar, bar_say, bar_draw};
	int64_t since = clock_steady();
	enum fault f = backup_take(keep, o->rest[0], o->full, &inspector, &result, why);

	bar_clear(&bar);
	if (f)
		return complain("backup: %s", refusal_detail(why));
	print_backed_up(o->rest[0], &result, since);
	if (result.lost > 0)
		return complain("backup: %" PRId64 " objects could not be copied.", result.lost);
	return DONE;
}

int cli_backup(struct options *o)
{
	return in_keep(o, KEEP_READ, back_up, o);
}

static void print_restored(
    const struct config *config, const char *dir, const struct restored *r, int64_t since)
{
	printf("restored %" PRId64 " files from %s to %s: %" PRId64 " objects, %" PRId64
	       " bytes; %.1f s\n",
	    r->files, dir, config->data_dir, r->objects, r->bytes,
	    (double)(clock_steady() - since) / 1000);
	if (r->of_root)
		printf("All of it is root's. Give it to the user that waybill runs as: chown -R "
		       "waybill:www-data %s\n",
		    config->data_dir);
}

static int restore(const struct config *config, const char *dir)
{
	struct restored result;
	struct refusal why = NO_REFUSAL;
	struct bar bar = {.wanted = isatty(STDERR_FILENO)};
	struct inspector inspector = {&bar, bar_say, bar_draw};
	int64_t since = clock_steady();
	enum fault f = backup_restore(config, dir, &inspector, &result, &why);

	bar_clear(&bar);
	if (f)
		return complain("restore: %s", refusal_detail(&why));
	print_restored(config, dir, &result, since);
	if (result.lost > 0)
		return complain("restore: %" PRId64 " objects are not in the backup; `waybill "
				"verify` says whose they are.",
		    result.lost);
	return DONE;
}

int cli_restore(struct options *o)
{
	struct config config;
	int status = load_config(&config, o);

	if (status != DONE)
		return status;
	status = restore(&config, o->rest[0]);
	config_free(&config);
	return finish(status);
}
