/*
 * upload.c: the life of an upload: begin, write, finish or leave.
 */
#include "keep/inside.h"
#include "shared/log.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	UNKNOWN_STEP = 8 << 20, /* bytes reserved at a time where the length is not known */
	ALLOCATE_FROM =
	    64 << 10,	     /* bytes; below, asking the file system costs more than it gives */
	TELL_STEP = 1 << 20 /* bytes written before the ledger is told */
};

/* ---- begin ----------------------------------------------------------------------------------- */

enum fault upload_begin(
    struct keep *keep, const struct grant *grant, struct upload **upload, struct refusal *why)
{
	struct upload *u = calloc(1, sizeof *u);

	*upload = NULL;
	if (u == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	u->keep = keep;
	u->grant = grant;
	/* Without a declared length nothing is promised yet: see make_room(). */
	enum fault f = upload_reserve(u, grant->length >= 0 ? grant->length : 0, why);
	if (f != FAULT_NONE) {
		upload_leave(u);
		return f;
	}
	*upload = u;
	return FAULT_NONE;
}

/* ---- files ----------------------------------------------------------------------------------- */

bool upload_clean_type(struct span raw, char to[TYPE_BYTES + 1])
{
	char clean[3 * 512 + 1];
	size_t len = 0;

	raw.len = raw.len < 512 ? raw.len : 512;
	text_clean_utf8(raw, clean, sizeof clean);
	for (const char *at = clean; *at != '\0'; at++)
		if ((unsigned char)*at >= 0x20 && *at != 0x7f)
			clean[len++] = *at;
	struct span s = span_trim((struct span){clean, len});
	s.len = text_utf8_cut(s, TYPE_BYTES);
	span_copy(to, TYPE_BYTES + 1, s);
	return s.len > 0;
}

static struct incoming *add_file(struct upload *u)
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

/* A body that is one file has a length worth allocating; a form's parts have none. */
static enum fault allocate(
    struct upload *u, struct incoming *file, const struct part *part, struct refusal *why)
{
	int64_t length = u->grant->length;

	if (part->field.at != NULL || u->count > 1 || length < ALLOCATE_FROM)
		return FAULT_NONE;
	enum fault f = blob_allocate(&file->blob, length, why);
	if (f == FAULT_NONE && file->blob.allocated > 0) {
		ledger_written(store_ledger(u->keep->store), u->slot, length);
		u->told = length;
	}
	return f;
}

/* A file that holds nothing yet but what the client claims of it. NULL: no memory, or one is open
 * already. */
static struct incoming *announce(struct upload *u, const struct part *part)
{
	struct incoming *file = u->open ? NULL : add_file(u);

	if (file == NULL)
		return NULL;
	text_clean_name(part->name, file->name);
	file->has_declared_type = part->declared_type.at != NULL &&
				  upload_clean_type(part->declared_type, file->declared_type);
	return file;
}

enum fault upload_file(struct upload *u, const struct part *part, struct refusal *why)
{
	struct incoming *file = announce(u, part);

	if (file == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	enum fault f = blob_create(u->keep->store, &file->blob, why);
	if (f == FAULT_NONE)
		f = allocate(u, file, part, why);
	u->open = f == FAULT_NONE;
	return f;
}

/* The reservation follows what comes where it was not told before. */
static enum fault make_room(struct upload *u, size_t len, struct refusal *why)
{
	int64_t over = u->received + (int64_t)len - u->promised;

	if (over <= 0)
		return FAULT_NONE;
	if (over < UNKNOWN_STEP && upload_reserve(u, UNKNOWN_STEP, why) == FAULT_NONE)
		return FAULT_NONE;
	return upload_reserve(u, over, why); /* the last of the room may be just enough */
}

static void tell_ledger(struct upload *u)
{
	if (u->received - u->told < TELL_STEP)
		return;
	ledger_written(store_ledger(u->keep->store), u->slot, u->received - u->told);
	u->told = u->received;
}

enum fault upload_write(struct upload *u, const void *bytes, size_t len, struct refusal *why)
{
	if (!u->open)
		return refuse(why, FAULT_INTERNAL, NULL);
	struct incoming *file = u->file[u->count - 1];
	enum fault f = make_room(u, len, why);
	if (f == FAULT_NONE)
		f = blob_write(&file->blob, bytes, len, why);
	if (f != FAULT_NONE)
		return f;
	u->received += (int64_t)len;
	tell_ledger(u);
	if (!file->judged && file->blob.size >= HEAD_BYTES)
		f = upload_judge(u, file, why);
	return f;
}

enum fault upload_file_end(struct upload *u, struct refusal *why)
{
	struct known known;

	if (!u->open)
		return refuse(why, FAULT_INTERNAL, NULL);
	struct incoming *file = u->file[u->count - 1];
	u->open = false;
	enum fault f = blob_end(&file->blob, file->sha256, why);
	if (f == FAULT_NONE)
		f = catalog_known(u->keep->catalog, file->sha256, &known, why);
	if (f != FAULT_NONE)
		return f;
	file->known_durable = known.found && known.durable;
	/* Known content has a known verdict, as long as libmagic is the same. */
	if (!file->judged && known.found && known.magic == sniff_version())
		span_copy(file->type, sizeof file->type, span_of(known.type));
	return file->judged ? FAULT_NONE : upload_judge(u, file, why);
}

/* ---- a file that is there already ------------------------------------------------------------ */

/* Read once for digest and verdict, as if it were written. */
static enum fault absorb(
    struct upload *u, struct incoming *file, char *buffer, size_t room, struct refusal *why)
{
	enum fault f = FAULT_NONE;
	size_t got = 1;

	while (f == FAULT_NONE && got > 0) {
		f = blob_absorb(&file->blob, buffer, room, &got, why);
		if (f == FAULT_NONE && !file->judged && file->blob.size >= HEAD_BYTES)
			f = upload_judge(u, file, why);
	}
	u->received += file->blob.size;
	return f;
}

bool upload_can_adopt(struct keep *keep, const struct grant *grant, int fd)
{
	return grant->length >= 0 && blob_can_adopt(keep->store, fd);
}

enum fault upload_adopt(struct upload *u, const struct part *part, int fd, char *buffer,
    size_t room, bool *adopted, struct refusal *why)
{
	*adopted = upload_can_adopt(u->keep, u->grant, fd);
	if (!*adopted)
		return FAULT_NONE;
	struct incoming *file = announce(u, part);
	if (file == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	enum fault f = blob_adopt(u->keep->store, &file->blob, fd, why);
	u->open = f == FAULT_NONE;
	if (f == FAULT_NONE)
		f = absorb(u, file, buffer, room, why);
	if (f == FAULT_NONE && file->blob.size != u->grant->length)
		return refuse(why, FAULT_INCOMPLETE_BODY,
		    "The file handed over has %lld bytes, not the declared %lld. Send it again.",
		    (long long)file->blob.size, (long long)u->grant->length);
	return f == FAULT_NONE ? upload_file_end(u, why) : f;
}

/* ---- finish ---------------------------------------------------------------------------------- */

/* What belongs to one file's record besides what the upload knows. */
struct minted {
	uint8_t hash[SHA256_LEN];
	char id[ID_LEN + 1];
	char token[2 * SHA256_LEN + 1];
};

/* With a key not by chance: what is sent again gets what it had, and so finds it. */
static bool draw(const struct grant *grant, const char *what, size_t i, uint8_t to[SHA256_LEN])
{
	struct digest d;

	if (!grant->keyed)
		return getrandom(to, SHA256_LEN, 0) == SHA256_LEN;
	digest_start(&d, DIGEST_SHA256);
	digest_add(&d, grant->key, sizeof grant->key);
	digest_add(&d, what, strlen(what));
	digest_add(&d, &i, sizeof i);
	digest_end(&d, to);
	return true;
}

static enum fault mint(const struct grant *grant, size_t i, bool with_token, struct minted *m,
    struct refusal *why)
{
	uint8_t bytes[SHA256_LEN];

	if (!draw(grant, "id", i, bytes))
		return refuse(why, FAULT_INTERNAL, NULL);
	text_id(bytes, m->id);
	if (!with_token)
		return FAULT_NONE;
	if (!draw(grant, "delete token", i, bytes))
		return refuse(why, FAULT_INTERNAL, NULL);
	text_hex(bytes, sizeof bytes, m->token);
	digest_of(DIGEST_SHA256, m->token, strlen(m->token), m->hash);
	return FAULT_NONE;
}

/* The record, its strings on loan in *files. False: no memory. */
static bool fill_record(const struct upload *u, const struct incoming *in, const struct minted *m,
    const char *fields, int64_t now, struct files *files)
{
	struct file *file = &files->at[files->count++];
	bool first = files->count == 1; /* the others share its fields */

	file->id = files_text(files, span_of(m->id));
	file->name = files_text(files, span_of(in->name));
	file->size = in->blob.size;
	file->type = files_text(files, span_of(in->type));
	file->declared_type =
	    in->has_declared_type ? files_text(files, span_of(in->declared_type)) : NULL;
	memcpy(file->sha256, in->sha256, SHA256_LEN);
	file->owner = files_text(files, u->grant->owner);
	file->address = files_text(files, u->grant->address);
	file->path = files_text(files, u->grant->path);
	file->fields = first ? files_text(files, span_of(fields)) : files->at[0].fields;
	file->uploaded_at = now;
	file->expires_at = keep_deadline(now, u->grant->lasts);
	file->delete_token = m->token[0] != '\0' ? files_text(files, span_of(m->token)) : NULL;
	return file->id != NULL && file->name != NULL && file->type != NULL &&
	       file->fields != NULL && (file->owner != NULL || u->grant->owner.at == NULL) &&
	       (file->address != NULL || u->grant->address.at == NULL) &&
	       (file->path != NULL || u->grant->path.at == NULL) &&
	       (file->declared_type != NULL || !in->has_declared_type) &&
	       (file->delete_token != NULL || m->token[0] == '\0');
}

static enum fault prepare(struct upload *u, const char *fields, bool with_token,
    struct minted *minted, struct arrival *arrival, struct files *files, struct refusal *why)
{
	int64_t now = clock_calendar();
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < u->count && f == FAULT_NONE; i++) {
		f = mint(u->grant, i, with_token, &minted[i], why);
		if (f == FAULT_NONE && !fill_record(u, u->file[i], &minted[i], fields, now, files))
			f = refuse(why, FAULT_INTERNAL, NULL);
		if (f == FAULT_NONE)
			arrival[i] = (struct arrival){.file = files->at[i],
			    .blob = &u->file[i]->blob,
			    .delete_hash = with_token ? minted[i].hash : NULL,
			    .magic = sniff_version()};
	}
	return f;
}

/* Each upload's own thread waits for its own data; only the commit is shared. What is stored
 * already needs no second sync: should it vanish before the commit, blob_link() makes up for it. */
static enum fault sync_all(struct upload *u, struct refusal *why)
{
	enum fault f = FAULT_NONE;

	if (!store_syncs(u->keep->store))
		return FAULT_NONE;
	for (size_t i = 0; i < u->count && f == FAULT_NONE; i++)
		if (!u->file[i]->known_durable)
			f = blob_sync(&u->file[i]->blob, why);
	return f;
}

static enum fault keep_all(
    struct upload *u, struct arrival *arrival, struct files *files, struct refusal *why)
{
	struct arrivals all = {.at = arrival, .count = u->count, .keyed = u->grant->keyed};
	enum fault f = sync_all(u, why);

	if (f == FAULT_NONE)
		f = catalog_commit(u->keep->catalog, records_add, &all, why);
	for (size_t i = 0; i < u->count && f == FAULT_NONE; i++)
		files->at[i] = arrival[i].file;
	return f;
}

static void release(struct upload *u)
{
	if (u->reserved)
		ledger_release(store_ledger(u->keep->store), u->slot);
	u->reserved = false;
}

enum fault upload_finish(struct upload *u, const char *fields, bool with_delete_token,
    struct files *files, struct refusal *why)
{
	*files = (struct files){0};
	if (u->count == 0)
		return refuse(why, FAULT_NO_FILE, NULL);
	if (u->open || u->finished)
		return refuse(why, FAULT_INTERNAL, NULL);
	struct minted *minted = calloc(u->count, sizeof *minted);
	struct arrival *arrival = calloc(u->count, sizeof *arrival);
	enum fault f = files_make(files, u->count, why);
	if (f == FAULT_NONE && (minted == NULL || arrival == NULL))
		f = refuse(why, FAULT_INTERNAL, NULL);
	if (f == FAULT_NONE) /* quotes and the like may make them longer than they came */
		f = make_room(u, (size_t)fields_bytes(fields), why);
	if (f == FAULT_NONE)
		f = prepare(u, fields, with_delete_token, minted, arrival, files, why);
	if (f == FAULT_NONE)
		f = keep_all(u, arrival, files, why);
	free(minted);
	free(arrival);
	if (f != FAULT_NONE) {
		files_release(files);
		return f;
	}
	u->finished = true;
	/* Before the answer goes out, so that the client's next upload is not judged by both the
	 * record and the reservation. */
	release(u);
	return FAULT_NONE;
}

void upload_leave(struct upload *u)
{
	if (u == NULL)
		return;
	release(u);
	for (size_t i = 0; i < u->count; i++) {
		blob_leave(u->keep->store, &u->file[i]->blob, false);
		free(u->file[i]);
	}
	free(u->file);
	free(u);
}
