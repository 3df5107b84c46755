/*
 * partial.c: unfinished uploads have the bytes that were acknowledged; nothing else is left.
 *
 * Whoever is at a file of partial/ holds its lock, and looks after it himself.
 */
#include "shared/descriptor.h"
#include "shared/log.h"
#include "shared/text.h"
#include "verify/inside.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- rows ------------------------------------------------------------------------------------ */

enum bytes {
	BYTES_GOOD,
	BYTES_LEFT, /* to somebody who is at them, or waits for them, and looks after them */
	BYTES_MISSING,
	BYTES_SHORT,
	BYTES_WRONG,
	BYTES_BROKEN,
	BYTES_UNREADABLE
};

static ssize_t read_at(int fd, char *buffer, size_t len, int64_t at)
{
	ssize_t n = pread(fd, buffer, len, at);

	/* Asked twice, before it is called lost. */
	return n < 0 && (errno == EINTR || errno == EIO) ? pread(fd, buffer, len, at) : n;
}

/* The stored state of the SHA-256 at the offset, against the bytes themselves. Where another build
 * stored it, they are taken as they are. Whoever asks for them meanwhile gets them. */
static enum bytes compare_bytes(struct verifying *v, int fd, const struct resumable *row)
{
	struct digest stored, found;
	char buffer[64 * 1024];
	ssize_t n;

	if (!resumable_stored_digest(row, &stored))
		return BYTES_GOOD;
	digest_start(&found, DIGEST_SHA256);
	for (int64_t at = 0; at < row->offset; at += n) {
		int64_t left = row->offset - at;
		size_t len = left < (int64_t)sizeof buffer ? (size_t)left : sizeof buffer;
		if (holder_wanted(v->keep->store, row->id))
			return BYTES_LEFT;
		n = read_at(fd, buffer, len, at);
		if (n < 0)
			return errno == EIO ? BYTES_BROKEN : BYTES_UNREADABLE;
		if (n == 0)
			return BYTES_SHORT;
		digest_add(&found, buffer, (size_t)n);
		verify_advance(v, n);
	}
	return digests_agree(stored, found) ? BYTES_GOOD : BYTES_WRONG;
}

static bool still_the_same(struct verifying *v, const struct resumable *row)
{
	struct resumable now;

	if (resumable_find(v->keep->catalog, span_of(row->id), &now, NULL))
		return false;
	bool same = now.state == row->state && now.offset == row->offset;
	resumable_release(&now);
	return same;
}

/* Loss ends an upload; what only cannot be read now may be whole. */
static enum fault tell_upload(
    struct verifying *v, const struct resumable *row, enum bytes bytes, struct refusal *why)
{
	static const char *const words[] = {[BYTES_MISSING] = "missing",
	    [BYTES_SHORT] = "too-short",
	    [BYTES_WRONG] = "wrong-hash",
	    [BYTES_BROKEN] = "read-error",
	    [BYTES_UNREADABLE] = "unreadable"};
	char name[1024];
	bool end = v->repair && bytes != BYTES_UNREADABLE;
	enum fault f =
	    end ? resumable_end(v->keep->catalog, span_of(row->id), memory_deadline(v->keep), why)
		: FAULT_NONE;

	if (f)
		return f;
	if (end)
		blob_discard(v->keep->store, row->id);
	verify_tell(v, end ? "ended" : NULL, "%s upload=%s name=%s offset=%lld", words[bytes],
	    row->id, log_value(span_of(row->name), name, sizeof name), (long long)row->offset);
	return FAULT_NONE;
}

static enum bytes examine_upload(struct verifying *v, int fd, int err, const struct resumable *row)
{
	struct stat st;

	if (fd < 0 && err == EAGAIN)
		return BYTES_LEFT;
	/* With the lock held, the row is as it will stay; it may be another than was read. */
	if (!still_the_same(v, row))
		return BYTES_LEFT;
	if (fd < 0)
		return err == ENOENT ? BYTES_MISSING : BYTES_UNREADABLE;
	if (fstat(fd, &st) != 0)
		return BYTES_UNREADABLE;
	return st.st_size < row->offset ? BYTES_SHORT : compare_bytes(v, fd, row);
}

static void check_upload(void *self, const struct resumable *row)
{
	struct visit *visit = self;

	if (visit->fault)
		return;
	int fd = blob_seize(visit->v->keep->store, row->id);
	enum bytes bytes = examine_upload(visit->v, fd, errno, row);
	if (bytes != BYTES_GOOD && bytes != BYTES_LEFT)
		visit->fault = tell_upload(visit->v, row, bytes, visit->why);
	descriptor_close(fd);
}

/* ---- files ----------------------------------------------------------------------------------- */

static enum fault check_seized(
    struct verifying *v, const char *name, bool temporary, bool *nobodys, struct refusal *why)
{
	struct resumable row;
	enum fault f = temporary ? FAULT_NOT_FOUND
				 : resumable_find(v->keep->catalog, span_of(name), &row, why);
	bool ours = !f && (row.state == UPLOAD_OPEN || row.state == UPLOAD_USED);

	if (!f)
		resumable_release(&row);
	*nobodys = !ours && (!f || f == FAULT_NOT_FOUND);
	if (*nobodys)
		verify_tell(v, v->repair ? "removed" : NULL, "leftover partial=%s", name);
	return f == FAULT_NOT_FOUND ? FAULT_NONE : f;
}

static bool check_file(void *self, const char *name, bool temporary)
{
	struct visit *visit = self;
	const struct store *store = visit->v->keep->store;
	int fd = blob_seize(store, name);
	bool nobodys = false;
	int64_t freed = 0;

	if (fd >= 0)
		visit->fault = check_seized(visit->v, name, temporary, &nobodys, visit->why);
	blob_unseize(store, fd, name, nobodys && visit->v->repair, &freed);
	return !visit->fault;
}

enum fault verify_partial(struct verifying *v, struct refusal *why)
{
	struct visit visit = {.v = v, .why = why};
	enum fault f = resumable_each(v->keep->catalog, check_upload, &visit, why);

	if (!f)
		f = visit.fault;
	if (!f)
		f = blob_each(v->keep->store, check_file, &visit, why);
	return !f ? visit.fault : f;
}
