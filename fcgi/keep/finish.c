/*
 * finish.c: a resumable upload becomes a file; several parts become one.
 */
#include "keep/uploads.h"
#include "shared/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	TOKEN_BYTES = 32,
	COPY_STEP = 8 << 20,  /* bytes copied, then digested while they are in memory, */
	COPY_BUFFER = 65536,  /* so much at a time */
	USED_MS = 3600 * 1000 /* a part that went into a whole stays for another so long */
};

/* ---- the record ------------------------------------------------------------------------------ */

struct delete_token {
	char text[2 * TOKEN_BYTES + 1];
	uint8_t hash[SHA256_LEN];
};

static enum fault make_token(struct delete_token *token, struct refusal *why)
{
	uint8_t secret[TOKEN_BYTES];

	if (getrandom(secret, sizeof secret, 0) != sizeof secret)
		return refuse(why, FAULT_INTERNAL, NULL);
	text_hex(secret, sizeof secret, token->text);
	digest_of(DIGEST_SHA256, token->text, strlen(token->text), token->hash);
	return FAULT_NONE;
}

static enum fault make_record(const struct partial_row *row, const struct incoming *in,
    const struct delete_token *token, struct files *files, struct refusal *why)
{
	enum fault f = files_make(files, 1, why);

	if (f != FAULT_NONE)
		return f;
	struct file *file = &files->at[files->count++];
	int64_t now = clock_calendar();
	file->id = files_text(files, span_of(row->id));
	file->name = files_text(files, span_of(row->name));
	file->size = in->blob.size;
	file->type = files_text(files, span_of(in->type));
	file->declared_type = files_text(files, span_of(row->declared_type));
	memcpy(file->sha256, in->sha256, SHA256_LEN);
	file->owner = files_text(files, span_of(row->owner));
	file->address = files_text(files, span_of(row->client));
	file->path = files_text(files, span_of(row->path));
	file->fields = files_text(files, span_of(row->fields));
	file->uploaded_at = now;
	file->expires_at = keep_deadline(now, row->lasts);
	file->delete_token = token != NULL ? files_text(files, span_of(token->text)) : NULL;
	bool whole = file->id != NULL && file->name != NULL && file->type != NULL &&
		     file->fields != NULL && (file->owner != NULL) == (row->owner != NULL) &&
		     (file->address != NULL) == (row->client != NULL) &&
		     (file->path != NULL) == (row->path != NULL) &&
		     (file->declared_type != NULL) == (row->declared_type != NULL) &&
		     (file->delete_token != NULL) == (token != NULL);
	return whole ? FAULT_NONE : refuse(why, FAULT_INTERNAL, NULL);
}

/* ---- judging the whole ----------------------------------------------------------------------- */

static enum fault check_whole(
    const struct claim *claim, const struct incoming *file, struct refusal *why)
{
	uint8_t value[64];
	struct digest digest;

	if (claim->algorithm == DIGEST_NONE)
		return FAULT_NONE;
	memcpy(value, file->sha256, SHA256_LEN);
	if (claim->algorithm != DIGEST_SHA256) {
		/* By another algorithm than the one that ran along: one more pass. */
		digest_start(&digest, claim->algorithm);
		enum fault f = bytes_digest(file->blob.fd, file->blob.size, &digest, why);
		if (f != FAULT_NONE)
			return f;
		digest_end(&digest, value);
	}
	if (digest_same(value, claim->value, digest_length(claim->algorithm)))
		return FAULT_NONE;
	return refuse(why, FAULT_DIGEST_MISMATCH,
	    "The upload as a whole does not have the digest that Repr-Digest declared; nothing was "
	    "kept. Start it anew.");
}

/* SHA-256, claims, type; then the bytes are made durable. */
static enum fault judge_whole(
    struct upload *room, const struct claim *claim, struct incoming *file, struct refusal *why)
{
	struct keep *keep = room->keep;
	struct known known;
	enum fault f = blob_end(&file->blob, file->sha256, why);

	if (f == FAULT_NONE)
		f = check_whole(claim, file, why);
	if (f == FAULT_NONE)
		f = catalog_known(keep->catalog, file->sha256, &known, why);
	if (f != FAULT_NONE)
		return f;
	if (!file->judged && known.found && known.magic == sniff_version())
		span_copy(file->type, sizeof file->type, span_of(known.type));
	if (!file->judged)
		f = upload_judge(room, file, why);
	bool durable = known.found && known.durable;
	if (f == FAULT_NONE && !durable && store_syncs(keep->store))
		f = blob_sync(&file->blob, why);
	return f;
}

static enum fault enter(struct keep *keep, struct partial_row *row, struct incoming *file,
    bool with_token, struct finish *finish, struct files *files, struct refusal *why)
{
	struct delete_token token;
	enum fault f = with_token ? make_token(&token, why) : FAULT_NONE;

	if (f == FAULT_NONE)
		f = make_record(row, file, with_token ? &token : NULL, files, why);
	if (f != FAULT_NONE)
		return f;
	struct arrival arrival = {.file = files->at[0],
	    .blob = &file->blob,
	    .delete_hash = with_token ? token.hash : NULL,
	    .magic = sniff_version()};
	struct arrivals all = {.at = &arrival, .count = 1};
	row->length = row->offset = file->blob.size;
	row->expires_at = memory_deadline(keep);
	finish->row = row;
	finish->arrivals = &all;
	f = row_finish(keep->catalog, finish, why);
	files->at[0].seq = arrival.file.seq;
	return f;
}

/* ---- one ------------------------------------------------------------------------------------- */

enum fault partial_finish(
    struct partial *p, bool with_delete_token, struct files *files, struct refusal *why)
{
	struct partial_row row = p->row;
	struct finish finish = {0};

	*files = (struct files){0};
	if (p->ended)
		return refuse(why, FAULT_GONE, NULL);
	enum fault f = judge_whole(&p->room, &row.whole, &p->file, why);
	if (f == FAULT_TYPE_REFUSED || f == FAULT_DIGEST_MISMATCH)
		partial_end(p);
	int64_t fields = fields_bytes(row.fields);
	if (f == FAULT_NONE && fields > 0) /* what metadata became came outside of the length */
		f = upload_reserve(&p->room, fields, why);
	if (f == FAULT_NONE)
		f = enter(p->keep, &row, &p->file, with_delete_token, &finish, files, why);
	if (f != FAULT_NONE) {
		files_release(files);
		return f;
	}
	p->row = row;
	p->row.state = PARTIAL_DONE;
	p->ended = true;
	partial_let_go(p, false);
	return FAULT_NONE;
}

/* ---- several --------------------------------------------------------------------------------- */

struct join {
	struct keep *keep;
	struct upload room;
	struct partial_row row;
	struct incoming whole;
	const struct span *ids;
	size_t count;
	struct span *own; /* those among them that count for the same owner, once each */
	size_t owned;
};

static enum fault not_a_part(struct span id, const char *reason, struct refusal *why)
{
	return refuse(why, FAULT_BAD_REQUEST,
	    "The part %.*s %s. Upload-Concat: final takes finished uploads that were created with "
	    "Upload-Concat: partial.",
	    (int)id.len, id.at, reason);
}

static enum fault look_at_part(
    struct join *j, struct span id, struct partial_row *row, struct refusal *why)
{
	enum fault f = partial_find(j->keep, id, false, row, why);

	if (f == FAULT_NOT_FOUND || f == FAULT_EXPIRED || f == FAULT_GONE)
		return not_a_part(id, "is not there", why);
	if (f != FAULT_NONE)
		return f;
	if (row->concat != PARTIAL_PART)
		f = not_a_part(id, "is no part", why);
	else if (row->length < 0 || row->offset < row->length)
		f = not_a_part(id, "is not finished", why);
	if (f != FAULT_NONE)
		partial_release(row);
	return f;
}

/*
 * A part counts for its owner until it is in a whole of that owner's, which then counts instead. In
 * somebody else's it goes on counting: the whole is new to who pays for it.
 */
static void credit(struct join *j, struct span id, const struct partial_row *part)
{
	struct span owner = j->room.grant->owner;
	bool ours = part->owner == NULL ? owner.at == NULL
					: owner.at != NULL && span_is(owner, part->owner);

	if (part->state != PARTIAL_OPEN || !ours)
		return;
	for (size_t i = 0; i < j->owned; i++)
		if (memcmp(j->own[i].at, id.at, ID_LEN) == 0)
			return;
	j->own[j->owned++] = id;
	j->room.credit += part->length;
}

/* All that can be refused is, before a byte is copied. */
static enum fault measure(
    struct join *j, const struct grant *grant, int64_t *sum, struct refusal *why)
{
	*sum = 0;
	for (size_t i = 0; i < j->count; i++) {
		struct partial_row part;
		enum fault f = look_at_part(j, j->ids[i], &part, why);
		if (f != FAULT_NONE)
			return f;
		int64_t length = part.length;
		credit(j, j->ids[i], &part);
		partial_release(&part);
		if (__builtin_add_overflow(*sum, length, sum) || *sum > grant->max_bytes)
			return refuse_too_large(why, *sum, grant->max_bytes);
	}
	return FAULT_NONE;
}

static enum fault append_part(struct join *j, struct span id, char *buffer, struct refusal *why)
{
	struct partial_row part;
	struct blob blob;
	int64_t at = 0;
	enum fault f = look_at_part(j, id, &part, why);

	if (f != FAULT_NONE)
		return f;
	f = holder_take(j->keep->store, part.id, HOLDER_PATIENCE, &blob, why);
	int64_t length = part.length;
	partial_release(&part);
	if (f != FAULT_NONE)
		return f;
	while (f == FAULT_NONE && at < length) {
		int64_t left = length - at;
		f = blob_append(&j->whole.blob, &blob, &at, left < COPY_STEP ? left : COPY_STEP, buffer,
		    COPY_BUFFER, why);
		if (f == FAULT_NONE && !j->whole.judged && j->whole.blob.size >= HEAD_BYTES)
			f = upload_judge(&j->room, &j->whole, why);
	}
	blob_leave(j->keep->store, &blob, true);
	return f;
}

static enum fault join_parts(struct join *j, int64_t sum, struct refusal *why)
{
	char *buffer = malloc(COPY_BUFFER);
	enum fault f = buffer == NULL ? refuse(why, FAULT_INTERNAL, NULL)
				      : blob_create(j->keep->store, &j->whole.blob, why);

	if (f == FAULT_NONE && sum > 0)
		f = blob_allocate(&j->whole.blob, sum, why);
	for (size_t i = 0; i < j->count && f == FAULT_NONE; i++)
		f = append_part(j, j->ids[i], buffer, why);
	free(buffer);
	return f;
}

static enum fault concat(struct join *j, const struct grant *grant, const struct partial_plan *plan,
    struct files *files, struct refusal *why)
{
	struct finish finish = {.parts = j->own};
	int64_t sum;
	enum fault f = measure(j, grant, &sum, why);

	if (f == FAULT_NONE)
		f = row_from_plan(j->keep, grant, plan, &j->row, why);
	if (f == FAULT_NONE)
		f = upload_reserve(&j->room, sum + fields_bytes(j->row.fields), why);
	if (f != FAULT_NONE)
		return f;
	span_copy(j->whole.name, sizeof j->whole.name, span_of(j->row.name));
	f = join_parts(j, sum, why);
	if (f == FAULT_NONE)
		f = judge_whole(&j->room, &plan->whole, &j->whole, why);
	j->row.state = PARTIAL_DONE;
	finish.parts_count = j->owned;
	finish.parts_expire_at = clock_calendar() + USED_MS;
	return f != FAULT_NONE ? f : enter(j->keep, &j->row, &j->whole, plan->wants_token, &finish, files, why);
}

enum fault partial_concat(struct keep *keep, const struct grant *grant,
    const struct partial_plan *plan, const struct span *ids, size_t count, struct files *files,
    struct refusal *why)
{
	struct join *j = calloc(1, sizeof *j);

	*files = (struct files){0};
	if (j == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	*j = (struct join){.keep = keep, .ids = ids, .count = count};
	j->own = calloc(count + 1, sizeof *j->own);
	j->room = (struct upload){.keep = keep, .grant = grant};
	j->whole.blob.fd = -1;
	enum fault f =
	    j->own != NULL ? concat(j, grant, plan, files, why) : refuse(why, FAULT_INTERNAL, NULL);
	if (f != FAULT_NONE)
		files_release(files);
	if (j->room.reserved)
		ledger_release(store_ledger(keep->store), j->room.slot);
	blob_leave(keep->store, &j->whole.blob, false);
	partial_release(&j->row);
	free(j->own);
	free(j);
	return f;
}
