/*
 * standing.c: how far a resumable upload has come: the running digest, and whether it is that of the
 * bytes on disk.
 */
#include "keep/uploads.h"
#include "shared/log.h"
#include "shared/text.h"

#include <string.h>

void partial_store_digest(struct partial_row *row, const struct digest *digest)
{
	_Static_assert(sizeof *digest <= sizeof row->digest, "a digest's state fits its row");
	memcpy(row->digest, digest, sizeof *digest);
	row->digest_len = sizeof *digest;
}

bool partial_stored_digest(const struct partial_row *row, struct digest *digest)
{
	if (row->digest_len != sizeof *digest)
		return false;
	memcpy(digest, row->digest, sizeof *digest);
	const struct sha256_ctx *sha = &digest->state.sha256;
	int64_t size = (int64_t)(sha->count * SHA256_BLOCK_SIZE + sha->index);
	return digest->algorithm == DIGEST_SHA256 && size == row->offset;
}

static bool same(struct digest a, struct digest b)
{
	uint8_t x[SHA256_LEN], y[SHA256_LEN];

	digest_end(&a, x);
	digest_end(&b, y);
	return memcmp(x, y, SHA256_LEN) == 0;
}

bool partial_proved(const struct keep *keep, const struct partial_row *row)
{
	bool open = row->state == PARTIAL_OPEN || row->state == PARTIAL_USED;

	return !open || row->offset == 0 || store_believes(keep->store, row->durable, row->boot);
}

enum fault partial_stand(struct keep *keep, struct partial_row *row, int fd,
    struct digest *digest, struct refusal *why)
{
	struct digest stored;
	bool loaded = partial_stored_digest(row, &stored), proved = partial_proved(keep, row);

	*digest = stored;
	if (loaded && proved)
		return FAULT_NONE;
	digest_start(digest, DIGEST_SHA256);
	enum fault f = bytes_digest(fd, row->offset, digest, why);
	if (f != FAULT_NONE || proved)
		return f;
	if (!loaded || !same(stored, *digest)) {
		log_line(LOG_ERROR, "bytes of an upload are lost", "id=%s", row->id);
		return refuse(why, FAULT_GONE, "Bytes of this upload are lost. Start it anew.");
	}
	row->boot = store_boot(keep->store);
	return row_proved(keep->catalog, row, why);
}

/* With the lock held, so that the row is as it will stay. */
static enum fault prove_held(
    struct keep *keep, struct span id, const struct blob *blob, struct refusal *why)
{
	struct partial_row row;
	struct digest digest;
	enum fault f = row_find(keep->catalog, id, &row, why);

	if (f != FAULT_NONE)
		return f;
	if (!partial_proved(keep, &row))
		f = partial_stand(keep, &row, blob->fd, &digest, why);
	if (f == FAULT_GONE && row_end(keep->catalog, id, memory_deadline(keep), NULL) != FAULT_NONE)
		f = FAULT_INTERNAL;
	partial_release(&row);
	return f;
}

enum fault partial_prove(struct keep *keep, struct span id, struct refusal *why)
{
	struct blob blob = {.fd = -1};
	char name[ID_LEN + 1];

	span_copy(name, sizeof name, id);
	enum fault f = holder_take(keep->store, name, HOLDER_PATIENCE, &blob, why);
	if (f == FAULT_NOT_FOUND) /* finished or ended meanwhile */
		return FAULT_NONE;
	if (f == FAULT_NONE)
		f = prove_held(keep, id, &blob, why);
	blob_leave(keep->store, &blob, f != FAULT_GONE);
	return f;
}
