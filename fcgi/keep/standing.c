/*
 * standing.c: how far a resumable upload has come: the running digest, and whether it is that of the
 * bytes on disk.
 */
#include "keep/inside.h"
#include "shared/log.h"

#include <string.h>

void resumable_store_digest(struct resumable *row, const struct digest *digest)
{
	_Static_assert(sizeof *digest <= sizeof row->digest, "a digest's state fits its row");
	memcpy(row->digest, digest, sizeof *digest);
	row->digest_len = sizeof *digest;
}

bool resumable_stored_digest(const struct resumable *row, struct digest *digest)
{
	if (row->digest_len != sizeof *digest)
		return false;
	memcpy(digest, row->digest, sizeof *digest);
	const struct sha256_ctx *sha = &digest->state.sha256;
	int64_t size = (int64_t)(sha->count * SHA256_BLOCK_SIZE + sha->index);
	return digest->algorithm == DIGEST_SHA256 && size == row->offset;
}

bool digests_agree(struct digest a, struct digest b)
{
	uint8_t x[SHA256_LEN], y[SHA256_LEN];

	digest_end(&a, x);
	digest_end(&b, y);
	return memcmp(x, y, SHA256_LEN) == 0;
}

bool resumable_is_proved(const struct keep *keep, const struct resumable *row)
{
	bool open = row->state == UPLOAD_OPEN || row->state == UPLOAD_USED;

	return !open || row->offset == 0 || store_believes(keep->store, row->durable, row->boot);
}

enum fault resumable_stand(
    struct keep *keep, struct resumable *row, int fd, struct digest *digest, struct refusal *why)
{
	struct digest stored;
	bool loaded = resumable_stored_digest(row, &stored),
	     proved = resumable_is_proved(keep, row);

	if (loaded && proved) {
		*digest = stored;
		return FAULT_NONE;
	}
	digest_start(digest, DIGEST_SHA256);
	enum fault f = bytes_digest(fd, 0, row->offset, digest, why);
	if (f || proved)
		return f;
	if (!loaded || !digests_agree(stored, *digest)) {
		log_line(LOG_ERROR, "bytes of an upload are lost", "id=%s", row->id);
		return refuse(why, FAULT_GONE, "Bytes of this upload are lost. Start it anew.");
	}
	row->boot = store_boot(keep->store);
	return resumable_proved(keep->catalog, row, why);
}

/* ---- the row --------------------------------------------------------------------------------- */

enum fault resumable_judge(struct keep *keep, const struct resumable *row, struct refusal *why)
{
	if (clock_has_passed(row->expires_at))
		return refuse(why, FAULT_EXPIRED, "This upload has expired. Start it anew.");
	if (row->state == UPLOAD_ENDED)
		return refuse(why, FAULT_GONE, NULL);
	if (row->state == UPLOAD_DONE)
		return FAULT_NONE;
	if (!blob_is_there(keep->store, row->id, row->offset))
		return refuse(why, FAULT_GONE, "Bytes of this upload are lost. Start it anew.");
	return FAULT_NONE;
}

/* A file that was linked and unlinked between the look at its row and the one at its bytes is not
 * lost: so both are looked at again. */
enum fault resumable_look(
    struct keep *keep, struct span id, struct resumable *row, struct refusal *why)
{
	for (bool again = false;; again = true) {
		enum fault f = resumable_find(keep->catalog, id, row, why);
		if (f)
			return f;
		f = resumable_judge(keep, row, why);
		if (!f)
			return f;
		bool lost = f == FAULT_GONE && row->state != UPLOAD_ENDED;
		if (lost && again)
			log_line(LOG_ERROR, "bytes of an upload are lost", "id=%s", row->id);
		resumable_release(row);
		if (!lost || again)
			return f;
	}
}
