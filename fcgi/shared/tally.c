#include "shared/tally.h"
#include "shared/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 256, TRIES = 100, TURN = 1000 /* microseconds */ };

/* The file begins with this. Byte LOCKS is locked while it is looked at or written; byte
 * LOCKS + 1 + i by whoever has row i. */
struct head {
	uint64_t magic, layout, cells;
};
#define MAGIC UINT64_C(0x77617962696c6c01)
#define LOCKS ((off_t)1 << 40)

struct tally {
	int fd;
	unsigned row;
	size_t cells, gauges;
	int64_t other[]; /* room for a row */
};

static bool lock_byte(const struct tally *t, short type, unsigned byte)
{
	struct flock lock = {
	    .l_type = type, .l_whence = SEEK_SET, .l_start = LOCKS + byte, .l_len = 1};

	return fcntl(t->fd, F_OFD_SETLK, &lock) == 0;
}

static bool lives(const struct tally *t, unsigned row)
{
	struct flock lock = {
	    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCKS + 1 + row, .l_len = 1};

	return fcntl(t->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static off_t place(const struct tally *t, unsigned row)
{
	return (off_t)(sizeof(struct head) + row * t->cells * sizeof *t->other);
}

static bool read_row(const struct tally *t, unsigned row, int64_t *to)
{
	size_t bytes = t->cells * sizeof *to;

	return pread(t->fd, to, bytes, place(t, row)) == (ssize_t)bytes;
}

/* ---- the file ---------------------------------------------------------------------------------- */

enum state { WRONG, READY, FAILED };

/* Under the lock: is this the file at `path`, and laid out as ours? An empty one becomes so. */
static enum state look(const struct tally *t, const char *path, uint64_t layout)
{
	struct head want = {MAGIC, layout, t->cells}, found;
	struct stat st;

	if (fstat(t->fd, &st) < 0)
		return FAILED;
	if (st.st_nlink == 0)
		return WRONG;
	if (st.st_size == 0)
		return pwrite(t->fd, &want, sizeof want, 0) == sizeof want ? READY : FAILED;
	if (pread(t->fd, &found, sizeof found, 0) == sizeof found &&
	    memcmp(&found, &want, sizeof want) == 0)
		return READY;
	return unlink(path) == 0 || errno == ENOENT ? WRONG : FAILED;
}

/* Whoever is stopped holds its lock for ever; nobody waits for that. */
static bool lock_file(const struct tally *t)
{
	for (int i = 0; i < TRIES; i++) {
		if (lock_byte(t, F_WRLCK, 0))
			return true;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return false;
		usleep(TURN);
	}
	return false;
}

static bool open_file(struct tally *t, const char *path, uint64_t layout)
{
	for (int i = 0; i < TRIES; i++) {
		t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		enum state state = t->fd >= 0 && lock_file(t) ? look(t, path, layout) : FAILED;
		if (state == READY)
			return lock_byte(t, F_UNLCK, 0);
		if (state == FAILED)
			return false;
		close(t->fd);
	}
	t->fd = -1;
	errno = EAGAIN;
	return false;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static bool take_row(struct tally *t, int64_t *row)
{
	while (t->row < ROWS && !lock_byte(t, F_WRLCK, 1 + t->row))
		t->row++;
	if (t->row == ROWS) {
		errno = EUSERS;
		return false;
	}
	if (read_row(t, t->row, t->other))
		memcpy(row + t->gauges, t->other + t->gauges, (t->cells - t->gauges) * sizeof *row);
	return true;
}

struct tally *tally_open(
    const char *path, size_t cells, size_t gauges, uint64_t layout, int64_t *row)
{
	struct tally *t = calloc(1, sizeof *t + cells * sizeof *t->other);

	if (!t)
		return NULL;
	*t = (struct tally){.fd = -1, .cells = cells, .gauges = gauges};
	if (open_file(t, path, layout) && take_row(t, row))
		return t;
	int err = errno;
	tally_close(t);
	errno = err;
	return NULL;
}

void tally_close(struct tally *t)
{
	if (t)
		descriptor_close(t->fd);
	free(t);
}

bool tally_write(struct tally *t, const int64_t *row)
{
	size_t bytes = t->cells * sizeof *row;

	return pwrite(t->fd, row, bytes, place(t, t->row)) == (ssize_t)bytes;
}

/* A figure in a file may be anything: a sum that overflows stops growing. */
static void add(int64_t *sum, int64_t figure)
{
	if (figure > 0 && __builtin_add_overflow(*sum, figure, sum))
		*sum = INT64_MAX;
}

unsigned tally_add_others(struct tally *t, int64_t *sums)
{
	unsigned living = 0;

	for (unsigned row = 0; row < ROWS; row++) {
		if (row == t->row || !read_row(t, row, t->other))
			continue;
		bool alive = lives(t, row);
		living += alive;
		for (size_t i = alive ? 0 : t->gauges; i < t->cells; i++)
			add(&sums[i], t->other[i]);
	}
	return living;
}
