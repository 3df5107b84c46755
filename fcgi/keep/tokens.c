/*
 * tokens.c: bearer tokens. Their text is told once; the catalog has its SHA-256, and is asked at
 * each request, so that a token that was removed is worth nothing from then on.
 */
#include "keep/inside.h"
#include "shared/clock.h"
#include "shared/text.h"

#include <stdio.h>
#include <string.h>

/* ---- when they were used --------------------------------------------------------------------- */

enum { USED_STEP = 3600 * 1000, TELL_PAUSE = 60 * 1000 /* ms */ };

/* Told later: who asks with a token does not wait for a commit. Of more than 64 in a second some are
 * noted the next time. */
static void note_use(struct token_uses *uses, const uint8_t *hash, int64_t now)
{
	size_t i = 0;

	pthread_mutex_lock(&uses->lock);
	while (i < uses->count && memcmp(uses->use[i].hash, hash, SHA256_LEN) != 0)
		i++;
	if (i == uses->count && i < TOKEN_USES) {
		memcpy(uses->use[i].hash, hash, SHA256_LEN);
		uses->use[i].at = now;
		uses->count++;
	}
	pthread_mutex_unlock(&uses->lock);
}

void tokens_tend(struct keep *keep)
{
	struct token_uses told;
	struct refusal why;

	pthread_mutex_lock(&keep->uses.lock);
	told = keep->uses;
	if (clock_steady() >= told.next)
		keep->uses.count = 0;
	pthread_mutex_unlock(&keep->uses.lock);
	if (told.count == 0 || clock_steady() < told.next)
		return;
	refusal_clear(&why);
	if (tokens_used(keep->catalog, told.use, told.count, &why))
		keep->uses.next = clock_steady() + TELL_PAUSE;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

enum fault keep_token_find(
    struct keep *keep, struct span token, char *owner, unsigned *rights, int64_t *quota)
{
	uint8_t hash[SHA256_LEN];
	int64_t now = clock_calendar();
	struct token found;

	digest_of(DIGEST_SHA256, token.at, token.len, hash);
	enum fault f = token_find(keep->catalog, hash, owner, &found);
	if (f)
		return f;
	*rights = found.rights;
	*quota = found.quota;
	if (now - found.used_at >= USED_STEP || now < found.used_at)
		note_use(&keep->uses, hash, now);
	return f;
}

/* It becomes an owner's name in listings and logs. */
static bool name_fits(const char *name)
{
	struct span s = span_of(name);

	if (s.len == 0 || s.len >= OWNER_ROOM || !text_is_utf8(s))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return false;
	return true;
}

enum fault keep_token_add(
    struct keep *keep, const struct token *token, char *text, struct refusal *why)
{
	uint8_t hash[SHA256_LEN];
	char secret[TOKEN_TEXT], whole[sizeof secret + 3];

	if (!name_fits(token->name))
		return refuse(why, FAULT_BAD_REQUEST,
		    "A token's name has 1 to 255 bytes of UTF-8 without control characters.");
	enum fault f = mint_token(NULL, 0, secret, hash, why);
	if (f)
		return f;
	int len = snprintf(whole, sizeof whole, "wb_%s", secret);
	digest_of(DIGEST_SHA256, whole, (size_t)len, hash);
	f = token_add(keep->catalog, token, hash, why);
	if (!f)
		memcpy(text, whole, (size_t)len + 1);
	explicit_bzero(secret, sizeof secret);
	explicit_bzero(whole, sizeof whole);
	return f;
}

enum fault keep_token_remove(struct keep *keep, const char *name, struct refusal *why)
{
	return token_remove(keep->catalog, name, why);
}

enum fault keep_token_each(struct keep *keep, token_visitor *visit, void *self, struct refusal *why)
{
	return token_each(keep->catalog, visit, self, why);
}

bool keep_delete_token_fits(struct keep *keep, const struct file *file, struct span token)
{
	uint8_t hash[SHA256_LEN];

	if (token.len == 0)
		return false;
	digest_of(DIGEST_SHA256, token.at, token.len, hash);
	return catalog_delete_token_fits(keep->catalog, file->id, hash);
}
