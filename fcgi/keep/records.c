/*
 * records.c: kept files are found, listed, read and removed.
 *
 * What was written under durability=normal before the machine was started anew may be lost, or be
 * zeros where bytes were. It is read and hashed once, when somebody first asks for it, and what that
 * has shown is recorded: no answer is ever made of bytes that nobody uploaded.
 */
#include "keep/inside.h"
#include "shared/descriptor.h"

#include <string.h>

enum fault keep_find(struct keep *keep, struct span id, struct files *files, struct refusal *why)
{
	return catalog_find(keep->catalog, id, files, why);
}

enum fault keep_find_form(
    struct keep *keep, struct span id, struct files *files, struct refusal *why)
{
	return catalog_find_form(keep->catalog, id, files, why);
}

enum fault keep_list(struct keep *keep, const struct listing *listing, struct files *files,
    int64_t *total, bool *more, struct refusal *why)
{
	return catalog_list(keep->catalog, listing, files, total, more, why);
}

enum fault keep_remove(struct keep *keep, struct span id, struct refusal *why)
{
	return catalog_remove_file(keep->catalog, id, why);
}

enum fault keep_used(struct keep *keep, struct span owner, int64_t *bytes, struct refusal *why)
{
	struct catalog_sums sums;
	enum fault f = catalog_sums(keep->catalog, owner, &sums, why);

	*bytes = sums.owner_bytes + sums.owner_promised;
	return f;
}

/* ---- their bytes ----------------------------------------------------------------------------- */

struct proof {
	struct keep *keep;
	const uint8_t *sha256;
	struct mark mark; /* of the file that was read */
	bool right;
};

/* Under the lock: is what was read still what is there, and nothing better known of it? */
static enum fault run_remember(struct catalog *catalog, void *self, struct refusal *why)
{
	const struct proof *proof = self;
	struct known known;
	struct mark now;
	enum fault f = job_known(catalog, proof->sha256, &known, why);

	if (f || !known.found || store_believes(proof->keep->store, known.durable, known.boot))
		return f;
	object_mark(proof->keep->store, proof->sha256, &now);
	if (!mark_same(&now, &proof->mark) || now.changed != proof->mark.changed)
		return FAULT_NONE;
	return job_judged(catalog, proof->sha256, proof->right ? 0 : now.changed, why);
}

/* Where it cannot be recorded, it is read again the next time. */
static void remember(struct proof *proof, int fd)
{
	struct keep *keep = proof->keep;

	if (!(keep->mode & KEEP_WRITE))
		return;
	if (!proof->right || object_sync(keep->store, fd))
		catalog_commit(keep->catalog, run_remember, proof, NULL);
}

/* Read it all, unless that was done before. */
static enum fault prove(struct keep *keep, const uint8_t *sha256, const struct known *known, int fd,
    struct refusal *why)
{
	struct proof proof = {.keep = keep, .sha256 = sha256};
	uint8_t found[SHA256_LEN];
	struct digest digest;
	enum fault f = mark_of(fd, &proof.mark, why);

	if (f)
		return f;
	if (known->damaged != 0 && known->damaged == proof.mark.changed)
		return object_damaged(sha256, "found so after the machine was started anew", why);
	digest_start(&digest, DIGEST_SHA256);
	f = bytes_digest(fd, 0, proof.mark.size, &digest, why);
	if (f)
		return f;
	digest_end(&digest, found);
	proof.right = memcmp(found, sha256, SHA256_LEN) == 0;
	remember(&proof, fd);
	return proof.right ? f : object_damaged(sha256, "lost when the machine went down", why);
}

_Static_assert((int)CONTENT_PATH >= (int)OBJECT_PATH, "the store's path of an object");

enum fault keep_content(struct keep *keep, const struct file *file, int *fd, char path[CONTENT_PATH],
    struct refusal *why)
{
	struct known known = {.durable = true};

	*fd = -1;
	/* Looked up first: a file that takes the place of a lost one is there before its row. */
	enum fault f =
	    keep->unproved ? catalog_known(keep->catalog, file->sha256, &known, why) : FAULT_NONE;
	if (!f)
		f = object_open(keep->store, file->sha256, file->size, fd, why);
	if (!f && !store_believes(keep->store, known.durable, known.boot))
		f = prove(keep, file->sha256, &known, *fd, why);
	if (!f && path != NULL)
		object_path(file->sha256, path);
	if (f) {
		descriptor_close(*fd);
		*fd = -1;
	}
	return f;
}
