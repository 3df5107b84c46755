/*
 * content.c: a file's bytes, for reading.
 *
 * What was written under durability=normal before the machine was started anew may be lost, or be
 * zeros where bytes were. It is read and hashed once, when somebody first asks for it, and what that
 * has shown is recorded: no answer is ever made of bytes that nobody uploaded.
 */
#include "keep/catalog.h"
#include "keep/uploads.h"
#include "shared/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct proof {
	struct keep *keep;
	const uint8_t *sha256;
	struct stat st; /* of the file that was read */
	bool right;
};

/* Any change of a file's bytes, owner or name moves it on, and nobody can set it. */
static int64_t change_time(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

/* Under the lock: is what was read still what is there, and nothing better known of it? */
static enum fault run_remember(struct catalog *catalog, void *self, struct refusal *why)
{
	const struct proof *proof = self;
	char name[OBJECT_NAME];
	struct known known;
	struct stat st;
	enum fault f = object_find(catalog->writer, proof->sha256, &known, why);

	if (f != FAULT_NONE || !known.found ||
	    keep_believes(proof->keep, known.durable, known.boot))
		return f;
	object_name(proof->sha256, name);
	if (fstatat(proof->keep->objects, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    st.st_ino != proof->st.st_ino || change_time(&st) != change_time(&proof->st))
		return FAULT_NONE;
	return object_judged(
	    catalog->writer, proof->sha256, proof->right ? 0 : change_time(&st), why);
}

/* Where it cannot be recorded, it is read again the next time. */
static void remember(struct proof *proof, int fd)
{
	struct keep *keep = proof->keep;

	if (!(keep->mode & KEEP_WRITE))
		return;
	if (proof->right && (fdatasync(fd) != 0 || fsync(keep->objects) != 0))
		disk_fault(NULL, "sync object");
	else
		catalog_commit(keep->catalog, run_remember, proof, NULL);
}

static enum fault damaged(const char *name, const char *reason, struct refusal *why)
{
	log_line(LOG_ERROR, "damaged object", "sha256=%s reason=\"%s\"", name, reason);
	return refuse(why, FAULT_INTERNAL, NULL);
}

/* Read it all, unless that was done before. */
static enum fault prove(
    struct keep *keep, const uint8_t *sha256, const struct known *known, int fd, struct refusal *why)
{
	struct proof proof = {.keep = keep, .sha256 = sha256};
	uint8_t found[SHA256_LEN];
	char name[OBJECT_NAME];
	struct digest digest;

	object_name(sha256, name);
	if (fstat(fd, &proof.st) != 0)
		return disk_fault(why, "fstat");
	if (known->damaged != 0 && known->damaged == change_time(&proof.st))
		return damaged(name, "found so after the machine was started anew", why);
	digest_start(&digest, DIGEST_SHA256);
	enum fault f = partial_digest(fd, proof.st.st_size, &digest, why);
	if (f != FAULT_NONE)
		return f;
	digest_end(&digest, found);
	proof.right = memcmp(found, sha256, SHA256_LEN) == 0;
	remember(&proof, fd);
	return proof.right ? f : damaged(name, "lost when the machine went down", why);
}

static enum fault open_object(
    struct keep *keep, const struct file *file, const char *name, int *fd, struct refusal *why)
{
	struct stat st;

	*fd = openat(keep->objects, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0 && errno == ENOENT) /* removed since the record was read */
		return refuse(why, FAULT_NOT_FOUND, NULL);
	if (*fd < 0)
		return disk_fault(why, "open object");
	if (fstat(*fd, &st) != 0)
		return disk_fault(why, "fstat");
	return st.st_size == file->size ? FAULT_NONE : damaged(name, "another size", why);
}

enum fault keep_content(
    struct keep *keep, const struct file *file, int *fd, char *path, struct refusal *why)
{
	struct known known = {.durable = true};
	char name[OBJECT_NAME];

	object_name(file->sha256, name);
	*fd = -1;
	/* Looked up first: a file that takes the place of a lost one is there before its row. */
	enum fault f = keep->unproved ? records_known(keep->catalog, file->sha256, &known, why)
				      : FAULT_NONE;
	if (f == FAULT_NONE)
		f = open_object(keep, file, name, fd, why);
	if (f == FAULT_NONE && !keep_believes(keep, known.durable, known.boot))
		f = prove(keep, file->sha256, &known, *fd, why);
	if (f == FAULT_NONE && path != NULL)
		snprintf(path, 80, "objects/%s", name);
	if (f != FAULT_NONE && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return f;
}
