/*
 * get.c: a file's bytes, to a shell.
 *
 * Into a file they go under another name, which becomes the right one when all of them are there, on
 * disk, and have the digest that they were stored with: whoever sees the name sees the file.
 */
#include "cli/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/digest.h"
#include "shared/descriptor.h"

enum { COPY_BYTES = 64 * 1024 };

/* What went wrong, for complain(): errno's text, or that the bytes are others. NULL: nothing. */
static const char *copy(int from, int to, const uint8_t *sha256)
{
	char buffer[COPY_BYTES];
	uint8_t value[SHA256_LEN];
	struct digest digest;
	ssize_t n;

	digest_start(&digest, DIGEST_SHA256);
	while ((n = read(from, buffer, sizeof buffer)) > 0) {
		digest_add(&digest, buffer, (size_t)n);
		for (ssize_t done = 0, out; done < n; done += out)
			if ((out = write(to, buffer + done, (size_t)(n - done))) < 0)
				return strerror(errno);
	}
	if (n < 0)
		return strerror(errno);
	digest_end(&digest, value);
	return memcmp(value, sha256, SHA256_LEN) == 0
		   ? NULL
		   : "the bytes are not those that were stored: see waybill verify";
}

/* Beside the file to be, mode and all as if it were made by its name. */
static int make_beside(const char *output, char *temporary)
{
	mode_t mask = umask(0);
	int fd = -1;

	umask(mask);
	if (snprintf(temporary, PATH_MAX, "%s.XXXXXX", output) >= PATH_MAX)
		errno = ENAMETOOLONG;
	else
		fd = mkstemp(temporary);
	if (fd >= 0)
		fchmod(fd, 0666 & ~mask);
	return fd;
}

/* A link, unlike a rename, replaces nothing that has come meanwhile; not all file systems have them. */
static bool name_it(const char *temporary, const char *output, bool force)
{
	if (force)
		return renameat(AT_FDCWD, temporary, AT_FDCWD, output) == 0;
	if (linkat(AT_FDCWD, temporary, AT_FDCWD, output, 0) == 0)
		return true;
	return errno == EPERM && renameat(AT_FDCWD, temporary, AT_FDCWD, output) == 0;
}

static const char *copy_beside(int from, const char *output, bool force, const uint8_t *sha256)
{
	char temporary[PATH_MAX];
	int to = make_beside(output, temporary);

	if (to < 0)
		return strerror(errno);
	const char *wrong = copy(from, to, sha256);
	if (!wrong && fsync(to) != 0)
		wrong = strerror(errno);
	if (close(to) != 0 && !wrong)
		wrong = strerror(errno);
	if (!wrong && !name_it(temporary, output, force))
		wrong = errno == EEXIST ? "there is such a file already; --force replaces it"
					: strerror(errno);
	unlinkat(AT_FDCWD, temporary, 0);
	return wrong;
}

static const char *copy_to(int from, const struct options *o, const uint8_t *sha256)
{
	struct stat st;

	if (!o->output)
		return copy(from, STDOUT_FILENO, sha256);
	bool there = stat(o->output, &st) == 0;
	if (there && S_ISREG(st.st_mode) && !o->force)
		return "there is such a file already; --force replaces it";
	if (!there || S_ISREG(st.st_mode))
		return copy_beside(from, o->output, o->force, sha256);
	int to = open(o->output, O_WRONLY | O_CLOEXEC); /* a pipe, a device */
	const char *wrong = to < 0 ? strerror(errno) : copy(from, to, sha256);
	if (to >= 0 && close(to) != 0 && !wrong)
		wrong = strerror(errno);
	return wrong;
}

static int get(struct keep *keep, void *self, struct refusal *why)
{
	const struct options *o = self;
	const char *id = o->rest[0];
	struct files files;
	int fd = -1;

	if (!find_file(keep, id, &files, why))
		return FAILED;
	enum fault f = keep_content(keep, &files.at[0], &fd, NULL, why);
	const char *wrong = f ? refusal_detail(why) : copy_to(fd, o, files.at[0].sha256);
	files_release(&files);
	descriptor_close(fd);
	if (!wrong)
		return DONE;
	return complain("%s: %s", f ? id : o->output ? o->output : "standard output", wrong);
}

int cli_get(struct options *o)
{
	return in_keep(o, KEEP_READ, get, o);
}
