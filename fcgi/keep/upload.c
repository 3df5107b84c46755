/*
 * upload.c: the life of an upload: begin, write, finish, leave.
 */
#include "keep/inside.h"
#include "shared/text.h"

#include <stdlib.h>

enum {
	ALLOCATE_FROM = 64 << 10, /* bytes; below, asking the store costs more than it gives */
	TELL_STEP = 1 << 20	  /* bytes written before the ledger is told */
};

/* ---- begin ----------------------------------------------------------------------------------- */

struct upload *upload_new(struct keep *keep, const struct grant *grant)
{
	struct upload *u = calloc(1, sizeof *u);

	if (u == NULL)
		return NULL;
	u->keep = keep;
	u->grant = grant;
	u->room = (struct room){.keep = keep, .grant = grant};
	return u;
}

enum fault upload_begin(
    struct keep *keep, const struct grant *grant, struct upload **upload, struct refusal *why)
{
	struct upload *u = *upload = upload_new(keep, grant);
	uint8_t key_hash[SHA256_LEN];

	if (u == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	/* A request whose answer was lost is not refused for the room that it took itself. */
	if (grant->keyed) {
		mint_key_hash(grant->key, key_hash);
		u->kept = catalog_key_bytes(keep->catalog, key_hash);
	}
	/* Without a declared length nothing is promised yet: see upload_make_room(). */
	int64_t more = grant->length - u->kept;
	enum fault f = room_reserve(&u->room, more > 0 ? more : 0, why);
	if (!f)
		return f;
	upload_leave(u);
	*upload = NULL;
	return f;
}

/* ---- files ----------------------------------------------------------------------------------- */

struct incoming *upload_add_file(struct upload *u)
{
	struct incoming **more = realloc(u->file, (u->count + 1) * sizeof *more);

	if (more == NULL)
		return NULL;
	u->file = more;
	struct incoming *file = calloc(1, sizeof *file);
	if (file == NULL)
		return NULL;
	file->blob.fd = -1;
	u->file[u->count++] = file;
	return file;
}

/* A file that holds nothing yet but what the client claims of it. NULL: no memory, or one is open
 * already. */
static struct incoming *announce(struct upload *u, const struct part *part)
{
	struct incoming *file = u->open ? NULL : upload_add_file(u);

	if (file == NULL)
		return NULL;
	text_clean_name(part->name, file->name);
	incoming_clean_type(part->declared_type, file->declared_type);
	return file;
}

enum fault upload_file(struct upload *u, const struct part *part, struct refusal *why)
{
	struct incoming *file = announce(u, part);

	if (file == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	enum fault f = blob_create(u->keep->store, &file->blob, why);
	/* A body that is one file has a length worth allocating; a form's parts have none. */
	if (!f && part->field.at == NULL && u->count == 1 && u->grant->length >= ALLOCATE_FROM)
		f = upload_set_aside(u, u->grant->length, why);
	u->open = !f;
	return f;
}

enum fault upload_file_end(struct upload *u, struct refusal *why)
{
	const struct claim none = {.algorithm = DIGEST_NONE};

	if (!u->open)
		return refuse(why, FAULT_INTERNAL, NULL);
	u->open = false;
	return incoming_end(u->keep, upload_last(u), &none, why);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum fault write_some(struct upload *u, const void *bytes, size_t len, struct refusal *why)
{
	enum fault f = upload_make_room(u, len, why);

	if (!f)
		f = incoming_write(u->keep, upload_last(u), bytes, len, why);
	if (f == FAULT_TYPE_REFUSED && u->resumable)
		upload_end(u);
	if (f)
		return f;
	u->received += (int64_t)len;
	if (u->resumable)
		return upload_progress(u, why);
	if (u->received - u->room.told >= TELL_STEP)
		room_written(&u->room, u->received - u->room.told);
	return FAULT_NONE;
}

/* What is left of a resumable upload's length, where it takes bytes at all. */
static enum fault check_open(const struct upload *u, int64_t *left, struct refusal *why)
{
	*left = INT64_MAX;
	if (!u->resumable)
		return u->open ? FAULT_NONE : refuse(why, FAULT_INTERNAL, NULL);
	if (u->over)
		return refuse(why, FAULT_GONE, NULL);
	if (__atomic_load_n(&u->holder.wanted, __ATOMIC_RELAXED))
		return refuse(why, FAULT_LOCKED, "Another request has taken this upload over.");
	if (u->row.length >= 0)
		*left = u->row.length - upload_offset(u);
	return FAULT_NONE;
}

enum fault upload_write(struct upload *u, const void *bytes, size_t len, struct refusal *why)
{
	int64_t left;
	enum fault f = check_open(u, &left, why);

	if (f)
		return f;
	if ((int64_t)len <= left)
		return write_some(u, bytes, len, why);
	f = write_some(u, bytes, (size_t)left, why);
	return f ? f
		 : refuse(why, FAULT_BAD_LENGTH_CLAIM,
		       "More bytes came than the %lld of this upload.", (long long)u->row.length);
}

/* ---- a file that is there already ------------------------------------------------------------ */

/* Read once for digest and verdict, as if it were written. */
static enum fault absorb(
    struct upload *u, struct incoming *file, char *buffer, size_t room, struct refusal *why)
{
	enum fault f = FAULT_NONE;
	size_t got = 1;

	while (!f && got > 0) {
		f = blob_absorb(&file->blob, buffer, room, &got, why);
		if (!f)
			f = incoming_look(u->keep, file, why);
	}
	u->received += file->blob.size;
	return f;
}

bool upload_can_adopt(struct keep *keep, const struct grant *grant, int fd)
{
	return grant->length >= 0 && blob_can_adopt(keep->store, fd);
}

enum fault upload_adopt(struct upload *u, const struct part *part, int fd, char *buffer,
    size_t room, struct refusal *why)
{
	struct incoming *file = announce(u, part);

	if (file == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	enum fault f = blob_adopt(u->keep->store, &file->blob, fd, why);
	u->open = !f;
	if (!f)
		f = absorb(u, file, buffer, room, why);
	if (!f && file->blob.size != u->grant->length)
		return refuse(why, FAULT_INCOMPLETE_BODY,
		    "The file handed over has %lld bytes, not the declared %lld. Send it again.",
		    (long long)file->blob.size, (long long)u->grant->length);
	return f ? f : upload_file_end(u, why);
}

/* ---- finish ---------------------------------------------------------------------------------- */

static enum fault finish_files(
    struct upload *u, const char *fields, bool with_token, struct files *files, struct refusal *why)
{
	if (u->count == 0)
		return refuse(why, FAULT_NO_FILE, NULL);
	if (u->open || u->over)
		return refuse(why, FAULT_INTERNAL, NULL);
	/* Quotes and the like may make them longer than they came. */
	enum fault f = upload_make_room(u, (size_t)fields_bytes(fields), why);
	return f ? f : record_enter_all(u, fields, with_token, files, why);
}

static enum fault finish_resumable(
    struct upload *u, bool with_token, struct files *files, struct refusal *why)
{
	struct resumable row = u->row;
	struct finish finish = {.row = &row};

	if (u->over)
		return refuse(why, FAULT_GONE, NULL);
	enum fault f = incoming_end(u->keep, upload_last(u), &row.whole, why);
	if (f == FAULT_TYPE_REFUSED || f == FAULT_DIGEST_MISMATCH)
		upload_end(u);
	int64_t fields = fields_bytes(row.fields);
	if (!f && fields > 0) /* what metadata became came outside of the length */
		f = room_reserve(&u->room, fields, why);
	if (!f)
		f = record_enter(u->keep, upload_last(u), with_token, &finish, files, why);
	if (f)
		return f;
	u->row = row;
	u->row.state = UPLOAD_DONE;
	return f;
}

enum fault upload_finish(struct upload *u, const char *fields, bool with_delete_token,
    struct files *files, struct refusal *why)
{
	*files = (struct files){0};
	enum fault f = u->resumable ? finish_resumable(u, with_delete_token, files, why)
				    : finish_files(u, fields, with_delete_token, files, why);

	if (f) {
		files_release(files);
		return f;
	}
	u->over = true;
	/* Before the answer goes out, so that the client's next upload is not judged by both the
	 * record and the reservation. */
	if (u->resumable)
		upload_let_go(u, false);
	room_release(&u->room);
	return FAULT_NONE;
}

void upload_leave(struct upload *u)
{
	if (u == NULL)
		return;
	if (u->resumable)
		upload_let_go(u, true);
	room_release(&u->room);
	for (size_t i = 0; i < u->count; i++) {
		blob_leave(u->keep->store, &u->file[i]->blob, false);
		free(u->file[i]);
	}
	resumable_release(&u->row);
	free(u->file);
	free(u);
}
