/*
 * incoming.c: one file of an upload: its bytes, its digest, its verdict.
 */
#include "keep/inside.h"
#include "shared/log.h"
#include "shared/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void incoming_clean_type(struct span raw, char to[TYPE_BYTES + 1])
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
}

void incoming_describe(struct incoming *file, const struct resumable *row)
{
	span_copy(file->name, sizeof file->name, span_of(row->name));
	span_copy(file->declared_type, sizeof file->declared_type, span_of(row->declared_type));
	span_copy(file->type, sizeof file->type, span_of(row->type));
	file->judged = row->type[0] != '\0';
}

/* ---- the verdict ----------------------------------------------------------------------------- */

static enum fault refuse_type(
    const struct incoming *file, struct refusal *why, const char *reason, const char *advice)
{
	refuse(why, FAULT_TYPE_REFUSED, "\"%s\" is %s%s%s", file->name, file->type, reason, advice);
	if (why != NULL) {
		span_copy(why->file, sizeof why->file, span_of(file->name));
		span_copy(why->detected_type, sizeof why->detected_type, span_of(file->type));
	}
	return FAULT_TYPE_REFUSED;
}

/*
 * By default programs are refused: ELF, PE and Mach-O. But libmagic calls one random file in eighty
 * a DOS program, because its first byte is that of a jump, and nobody should lose encrypted or
 * compressed data to that guess: with the default list that verdict counts only where the file
 * begins like a program that Windows would run.
 */
static bool is_guess(const struct config *config, const struct incoming *file)
{
	char start[2];

	if (strcmp(file->type, "application/x-dosexec") != 0 ||
	    strcmp(config->deny_types, PROGRAM_TYPES) != 0)
		return false;
	return pread(file->blob.fd, start, sizeof start, 0) == sizeof start &&
	       memcmp(start, "MZ", sizeof start) != 0;
}

static enum fault check_type(
    const struct config *config, const struct incoming *file, struct refusal *why)
{
	char advice[320], name[512];

	if (text_glob_list(config->deny_types, file->type) && !is_guess(config, file))
		return refuse_type(file, why, ", a type that is not accepted here",
		    ". Nothing was stored; send a file of another type.");
	if (!text_glob_list(config->allow_types, file->type)) {
		snprintf(advice, sizeof advice, ". Nothing was stored. Accepted are: %.250s",
		    config->allow_types);
		return refuse_type(file, why, ", a type that is not accepted here", advice);
	}
	if (!promise_broken(file->name, file->type))
		return FAULT_NONE;
	if (config->type_mismatch == MISMATCH_REJECT)
		return refuse_type(file, why, ", but its name promises another type",
		    ". Nothing was stored; give the file the extension of what it is.");
	log_line(LOG_INFO, "name promises another type", "name=%s type=%s",
	    log_value(span_of(file->name), name, sizeof name), file->type);
	return FAULT_NONE;
}

static enum fault judge(struct keep *keep, struct incoming *file, struct refusal *why)
{
	size_t len = file->blob.size < HEAD_BYTES ? (size_t)file->blob.size : HEAD_BYTES;
	enum fault f = FAULT_NONE;

	if (file->type[0] == '\0' && keep->sniffers == NULL)
		return refuse(why, FAULT_INTERNAL, NULL);
	if (file->type[0] == '\0')
		f = sniff_type(keep->sniffers, file->blob.fd, NULL, len, file->type, why);
	if (!f)
		f = check_type(keep->config, file, why);
	file->judged = !f;
	return f;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

enum fault incoming_look(struct keep *keep, struct incoming *file, struct refusal *why)
{
	return file->judged || file->blob.size < HEAD_BYTES ? FAULT_NONE : judge(keep, file, why);
}

enum fault incoming_write(
    struct keep *keep, struct incoming *file, const void *bytes, size_t len, struct refusal *why)
{
	enum fault f = blob_write(&file->blob, bytes, len, why);

	return f ? f : incoming_look(keep, file, why);
}

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
		enum fault f = bytes_digest(file->blob.fd, 0, file->blob.size, &digest, why);
		if (f)
			return f;
		digest_end(&digest, value);
	}
	if (digest_same(value, claim->value, digest_length(claim->algorithm)))
		return FAULT_NONE;
	return refuse(why, FAULT_DIGEST_MISMATCH,
	    "The upload as a whole does not have the digest that Repr-Digest declared; nothing was "
	    "kept. Start it anew.");
}

enum fault incoming_end(
    struct keep *keep, struct incoming *file, const struct claim *whole, struct refusal *why)
{
	struct known known;
	enum fault f = blob_end(&file->blob, file->sha256, why);

	if (!f)
		f = check_whole(whole, file, why);
	if (!f)
		f = catalog_known(keep->catalog, file->sha256, &known, why);
	if (f)
		return f;
	file->known_durable = known.found && known.durable;
	/* Known content has a known verdict, as long as libmagic is the same. */
	if (!file->judged && known.found && known.magic == sniff_version())
		span_copy(file->type, sizeof file->type, span_of(known.type));
	return file->judged ? FAULT_NONE : judge(keep, file, why);
}
