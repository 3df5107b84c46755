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

int complain_of_use(const char *text)
{
	complain("%s", text);
	return USAGE;
}

int finish(int status)
{
	return fflush(stdout) == 0 ? status : FAILED;
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

int load_config(struct config *config, const struct options *o)
{
	char problem[512];

	log_level(LOG_WARN);
	return config_load(config, o->config_path, problem, sizeof problem) ? DONE : complain_of_use(problem);
}

int in_keep(const struct options *o, unsigned mode, keep_work *work, void *self)
{
	struct config config;
	struct keep *keep = NULL;
	struct refusal why = NO_REFUSAL;
	int status = load_config(&config, o);

	if (status != DONE)
		return status;
	if (mode & KEEP_WRITE)
		become_owner(config.data_dir);
	if (!is_there(config.data_dir, mode))
		status = FAILED;
	else if (!keep_open(&keep, &config, mode & ~(unsigned)MAKE, 1, &why))
		status = complain("%s", refusal_detail(&why));
	else
		status = finish(work(keep, self, &why));
	keep_close(keep);
	config_free(&config);
	return status;
}
