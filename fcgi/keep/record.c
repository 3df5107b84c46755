/*
 * record.c: files become records.
 */
#include "keep/inside.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>

enum fault record_make(
    const struct incoming *in, const struct about *about, struct files *files, struct refusal *why)
{
	struct file *file = &files->at[files->count++];
	bool first = files->count == 1, out = false; /* the others share its fields */
	int64_t now = clock_calendar();
	struct span declared = span_of(in->declared_type[0] != '\0' ? in->declared_type : NULL);

	memcpy(file->sha256, in->sha256, SHA256_LEN);
	file->size = in->blob.size;
	file->id = files_keep(files, span_of(about->id), &out);
	file->name = files_keep(files, span_of(in->name), &out);
	file->type = files_keep(files, span_of(in->type), &out);
	file->declared_type = files_keep(files, declared, &out);
	file->owner = files_keep(files, about->owner, &out);
	file->address = files_keep(files, about->address, &out);
	file->path = files_keep(files, about->path, &out);
	file->fields = first ? files_keep(files, span_of(about->fields), &out) : files->at[0].fields;
	file->delete_token = files_keep(files, span_of(about->token), &out);
	file->uploaded_at = now;
	file->expires_at = keep_deadline(now, about->lasts);
	return out ? refuse(why, FAULT_INTERNAL, NULL) : FAULT_NONE;
}

/* Each upload's own thread waits for its own data; only the commit is shared. What is stored already
 * needs no second sync: should it vanish before the commit, blob_link() makes up for it. */
static enum fault sync_bytes(struct keep *keep, struct incoming *in, struct refusal *why)
{
	if (in->known_durable || !store_syncs(keep->store))
		return FAULT_NONE;
	return blob_sync(&in->blob, why);
}

struct minted { /* the id is the row's own where there is one; an empty token: none */
	char id[ID_LEN + 1], token[TOKEN_TEXT];
	uint8_t hash[SHA256_LEN];
};

static struct arrival arrival_of(
    const struct file *file, struct incoming *in, const struct minted *m)
{
	return (struct arrival){.file = *file,
	    .blob = &in->blob,
	    .delete_hash = m->token[0] != '\0' ? m->hash : NULL,
	    .magic = sniff_version()};
}

/* ---- a resumable one ------------------------------------------------------------------------- */

static enum fault enter(struct keep *keep, struct incoming *in, const struct minted *m,
    struct finish *finish, struct files *files, struct refusal *why)
{
	struct resumable *row = finish->row;
	const struct about about = {.id = row->id,
	    .token = m->token[0] != '\0' ? m->token : NULL,
	    .owner = span_of(row->owner),
	    .address = span_of(row->client),
	    .path = span_of(row->path),
	    .fields = row->fields,
	    .lasts = row->lasts};
	enum fault f = record_make(in, &about, files, why);

	if (f)
		return f;
	struct arrival arrival = arrival_of(&files->at[0], in, m);
	struct arrivals all = {.at = &arrival, .count = 1};
	row->length = row->offset = in->blob.size;
	row->expires_at = memory_deadline(keep);
	finish->arrivals = &all;
	f = resumable_finish(keep->catalog, finish, why);
	files->at[0].seq = arrival.file.seq;
	return f;
}

enum fault record_enter(struct keep *keep, struct incoming *in, bool with_token,
    struct finish *finish, struct files *files, struct refusal *why)
{
	struct minted m = {.token = ""};
	enum fault f = sync_bytes(keep, in, why);

	if (!f && with_token)
		f = mint_token(NULL, 0, m.token, m.hash, why);
	if (!f)
		f = files_make(files, 1, why);
	return f ? f : enter(keep, in, &m, finish, files, why);
}

/* ---- all of one request ---------------------------------------------------------------------- */

/* The i-th file's record. */
static enum fault prepare(struct upload *u, size_t i, const char *fields, struct minted *m,
    struct files *files, struct refusal *why)
{
	const struct grant *grant = u->grant;
	const struct about about = {.id = m->id,
	    .token = m->token[0] != '\0' ? m->token : NULL,
	    .owner = grant->owner,
	    .address = grant->address,
	    .path = grant->path,
	    .fields = fields,
	    .lasts = grant->lasts};
	enum fault f = record_make(u->file[i], &about, files, why);

	return f ? f : sync_bytes(u->keep, u->file[i], why);
}

static enum fault mint_all(
    struct upload *u, bool with_token, struct minted *minted, struct refusal *why)
{
	const uint8_t *key = u->grant->keyed ? u->grant->key : NULL;
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < u->count && !f; i++) {
		f = mint_id(minted[i].id, why);
		if (!f && with_token)
			f = mint_token(key, i, minted[i].token, minted[i].hash, why);
	}
	return f;
}

/* What came of it the first time: as it is now, with the tokens that are still good. */
static enum fault tell_again(struct upload *u, const struct arrivals *all,
    const struct minted *minted, struct files *files, struct refusal *why)
{
	struct catalog *catalog = u->keep->catalog;

	files_release(files);
	enum fault f = catalog_find_form(catalog, span_of(all->first), files, why);
	if (f == FAULT_NOT_FOUND ||
	    f == FAULT_EXPIRED) /* just now; sent once more it is kept anew */
		f = refuse(why, FAULT_BUSY, NULL);
	for (size_t i = 0; i < u->count && i < files->count && !f; i++)
		if (minted[i].token[0] != '\0' &&
		    catalog_delete_token_fits(catalog, files->at[i].id, minted[i].hash))
			files->at[i].delete_token = files_text(files, span_of(minted[i].token));
	return f;
}

static enum fault enter_all(struct upload *u, const struct minted *minted, struct arrivals *all,
    struct files *files, struct refusal *why)
{
	enum fault f = catalog_commit(u->keep->catalog, records_add, all, why);

	for (size_t i = 0; i < u->count && !f; i++)
		files->at[i] = all->at[i].file;
	return f || !all->again ? f : tell_again(u, all, minted, files, why);
}

enum fault record_enter_all(
    struct upload *u, const char *fields, bool with_token, struct files *files, struct refusal *why)
{
	uint8_t key_hash[SHA256_LEN];
	struct minted *minted = calloc(u->count, sizeof *minted);
	struct arrival *arrival = calloc(u->count, sizeof *arrival);
	struct arrivals all = {.at = arrival, .count = u->count};
	enum fault f = minted == NULL || arrival == NULL ? refuse(why, FAULT_INTERNAL, NULL)
							 : files_make(files, u->count, why);

	if (u->grant->keyed) {
		mint_key_hash(u->grant->key, key_hash);
		all.key_hash = key_hash;
	}
	if (!f)
		f = mint_all(u, with_token, minted, why);
	for (size_t i = 0; i < u->count && !f; i++) {
		f = prepare(u, i, fields, &minted[i], files, why);
		arrival[i] = arrival_of(&files->at[i], u->file[i], &minted[i]);
	}
	if (!f)
		f = enter_all(u, minted, &all, files, why);
	free(minted);
	free(arrival);
	return f;
}
