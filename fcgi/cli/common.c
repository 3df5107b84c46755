/* common.c: what the subcommands share: complaints, an open data_dir. */
#include "cli/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log.h"

int complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("waybill: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return FAILED;
}

/* Root becomes the owner of the data for what it writes there: files of root's would stand in the
 * worker's way. Not where that user cannot reach the data; then it is root's house after all. */
static void become_owner(const char *data_dir)
{
	struct stat st;

	if (geteuid() != 0 || stat(data_dir, &st) != 0 || st.st_uid == 0)
		return;
	bool became = setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0;
	if ((!became || faccessat(AT_FDCWD, data_dir, W_OK | X_OK, AT_EACCESS) != 0) &&
	    (seteuid(0) != 0 || setegid(0) != 0))
		complain("%s: %s", data_dir, strerror(errno));
}

/* A house that is made by looking into it would look well, though the right one is not mounted. What
 * is there in part (no catalog, half a restore) is left to keep_open(), which knows what to say. */
static bool is_there(const char *data_dir, unsigned mode)
{
	if (!(mode & KEEP_WRITE) || mode & MAKE ||
	    faccessat(AT_FDCWD, data_dir, F_OK, AT_EACCESS) == 0 || errno != ENOENT)
		return true;
	complain("There is no %s. Check data_dir, or start the server once.", data_dir);
	return false;
}

int open_keep(struct store *store, const struct options *o, unsigned mode)
{
	struct refusal why;
	char problem[512];

	*store = (struct store){0};
	refusal_clear(&why);
	log_level(LOG_WARN);
	if (!config_load(&store->config, o->config_path, problem, sizeof problem)) {
		complain("%s", problem);
		return USAGE;
	}
	if (mode & KEEP_WRITE)
		become_owner(store->config.data_dir);
	bool there = is_there(store->config.data_dir, mode);
	if (there && keep_open(&store->keep, &store->config, mode & ~(unsigned)MAKE, 1, &why))
		return DONE;
	config_free(&store->config);
	return there ? complain("%s", refusal_detail(&why)) : FAILED;
}

int close_keep(struct store *store, int status)
{
	keep_close(store->keep);
	config_free(&store->config);
	return fflush(stdout) == 0 ? status : FAILED;
}
