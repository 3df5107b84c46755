/*
 * bodyfile.c: nginx may write a body to a file and hand over its name (client_body_in_file_only).
 * The name is the web server's word, not the client's; still only a file that lies below the
 * configured directory, that no link leads to, and that belongs to us alone is taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accept/inside.h"

static enum fault not_taken(const char *reason, struct refusal *why)
{
	return refuse(why, FAULT_FORBIDDEN,
	    "The body was handed over as a file that may not be taken: %s. See body_file_dir in "
	    "the documentation of the web server's configuration.",
	    reason);
}

/* The kernel sees to it that nothing leaves `dir`: neither "..", nor a link, nor a mount. */
static int open_beneath(const char *dir, const char *name)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int base = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (base < 0)
		return -1;
	int fd = (int)syscall(SYS_openat2, base, name, &how, sizeof how);
	int error = errno;
	close(base);
	errno = error;
	return fd;
}

enum fault body_file_open(const char *dir, const char *path, int *fd, struct refusal *why)
{
	size_t len = span_without_slashes(span_of(dir), 1).len;
	struct stat st;

	*fd = -1;
	if (strncmp(path, dir, len) != 0 || path[len] != '/')
		return not_taken("it does not lie in body_file_dir", why);
	int opened = open_beneath(dir, path + len + strspn(path + len, "/"));
	if (opened < 0)
		return not_taken(strerror(errno), why);
	if (fstat(opened, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 ||
	    st.st_uid != geteuid()) {
		close(opened);
		return not_taken("it is no plain file of the worker's own user with one name", why);
	}
	*fd = opened;
	return FAULT_NONE;
}

enum fault body_file_read(int fd, void *buf, size_t room, size_t *got)
{
	ssize_t n = TEMP_FAILURE_RETRY(read(fd, buf, room));

	*got = n < 0 ? 0 : (size_t)n;
	return n < 0 ? FAULT_INTERNAL : FAULT_NONE;
}
