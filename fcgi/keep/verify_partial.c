/*
 * verify_partial.c: unfinished uploads have the bytes that were acknowledged; nothing else is left.
 *
 * Whoever is at a file of partial/ holds its lock, and looks after it himself.
 */
#include "keep/uploads.h"
#include "keep/verify.h"
#include "shared/log.h"
#include "shared/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Open and lock. -1: not there (errno ENOENT), or somebody is at it. */
static int seize(const struct keep *keep, const char *name)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = openat(keep->partial, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return fd;
	close(fd);
	errno = EAGAIN;
	return -1;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* The stored state of the SHA-256 at the offset, against the bytes themselves. Where another build
 * stored it, they are taken as they are. */
static bool same_bytes(struct verifying *v, int fd, const struct partial_row *row)
{
	struct digest stored, found;
	uint8_t a[64], b[64];
	char buffer[16 * 1024];

	if (row->digest_len != sizeof stored)
		return true;
	memcpy(&stored, row->digest, sizeof stored);
	if (stored.algorithm != DIGEST_SHA256)
		return true;
	digest_start(&found, DIGEST_SHA256);
	for (int64_t at = 0; at < row->offset;) {
		int64_t left = row->offset - at;
		ssize_t n = pread(
		    fd, buffer, left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		digest_add(&found, buffer, (size_t)n);
		verify_advance(v, n);
		at += n;
	}
	digest_end(&stored, a);
	digest_end(&found, b);
	return memcmp(a, b, SHA256_LEN) == 0;
}

struct visit {
	struct verifying *v;
	enum fault fault;
	struct refusal *why;
};

static bool still_the_same(struct verifying *v, const struct partial_row *row)
{
	struct partial_row now;

	if (row_find(v->keep->catalog, span_of(row->id), &now, NULL) != FAULT_NONE)
		return false;
	bool same = now.state == row->state && now.offset == row->offset;
	partial_release(&now);
	return same;
}

static enum fault tell_upload(
    struct verifying *v, const struct partial_row *row, const char *what, struct refusal *why)
{
	char name[1024];
	enum fault f = v->repair ? row_end(v->keep->catalog, span_of(row->id), why) : FAULT_NONE;

	if (f != FAULT_NONE)
		return f;
	if (v->repair)
		unlinkat(v->keep->partial, row->id, 0);
	verify_tell(v, v->repair ? "ended" : NULL, "%s upload=%s name=%s offset=%lld", what,
	    row->id, log_value(span_of(row->name), name, sizeof name), (long long)row->offset);
	return FAULT_NONE;
}

static void check_upload(void *self, const struct partial_row *row)
{
	struct visit *visit = self;
	struct verifying *v = visit->v;
	struct stat st;
	const char *what = NULL;

	if (visit->fault != FAULT_NONE)
		return;
	int fd = seize(v->keep, row->id);
	if (fd < 0 && errno != ENOENT)
		return;
	/* With the lock held, the row is as it will stay; it may be another than was read. */
	if (!still_the_same(v, row))
		what = NULL;
	else if (fd < 0)
		what = "missing";
	else if (fstat(fd, &st) != 0 || st.st_size < row->offset)
		what = "too-short";
	else if (!same_bytes(v, fd, row))
		what = "wrong-hash";
	if (what != NULL)
		visit->fault = tell_upload(v, row, what, visit->why);
	if (fd >= 0)
		close(fd);
}

/* ---- files ----------------------------------------------------------------------------------- */

static enum fault check_file(struct verifying *v, const char *name, struct refusal *why)
{
	struct partial_row row;
	bool temporary = strncmp(name, "tmp-", 4) == 0;

	if (!temporary && !text_is_id(span_of(name)))
		return FAULT_NONE;
	int fd = seize(v->keep, name);
	if (fd < 0)
		return FAULT_NONE;
	enum fault f =
	    temporary ? FAULT_NOT_FOUND : row_find(v->keep->catalog, span_of(name), &row, why);
	bool ours = f == FAULT_NONE && (row.state == PARTIAL_OPEN || row.state == PARTIAL_USED);
	if (f == FAULT_NONE)
		partial_release(&row);
	if (!ours && (f == FAULT_NONE || f == FAULT_NOT_FOUND)) {
		f = FAULT_NONE;
		if (v->repair && unlinkat(v->keep->partial, name, 0) != 0 && errno != ENOENT)
			f = disk_fault(why, "unlink partial");
		verify_tell(v, v->repair ? "removed" : NULL, "leftover partial=%s", name);
	}
	close(fd);
	return f;
}

static enum fault check_files(struct verifying *v, struct refusal *why)
{
	DIR *dir;
	struct dirent *entry;
	enum fault f = keep_entries(v->keep->partial, "partial", &dir, why);

	if (f != FAULT_NONE)
		return f;
	while (f == FAULT_NONE && (entry = readdir(dir)) != NULL)
		f = check_file(v, entry->d_name, why);
	closedir(dir);
	return f;
}

enum fault verify_partial(struct verifying *v, struct refusal *why)
{
	struct visit visit = {.v = v, .why = why};
	enum fault f = keep_partial_each(v->keep, check_upload, &visit, why);

	if (f == FAULT_NONE)
		f = visit.fault;
	return f == FAULT_NONE ? check_files(v, why) : f;
}
