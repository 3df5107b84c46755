/*
 * mint.c: ids and tokens.
 */
#include "shared/mint.h"
#include "shared/config.h"
#include "shared/digest.h"
#include "shared/log.h"
#include "shared/text.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static enum fault draw(uint8_t to[SHA256_LEN], struct refusal *why)
{
	if (getrandom(to, SHA256_LEN, 0) == SHA256_LEN)
		return FAULT_NONE;
	log_line(LOG_ERROR, "no random bytes", "errno=%d", errno);
	return refuse(why, FAULT_INTERNAL, NULL);
}

static void follow(
    const uint8_t key[SHA256_LEN], const char *what, size_t i, uint8_t to[SHA256_LEN])
{
	struct digest d;

	digest_start(&d, DIGEST_SHA256);
	digest_add(&d, key, SHA256_LEN);
	digest_add(&d, what, strlen(what));
	digest_add(&d, &i, sizeof i);
	digest_end(&d, to);
}

enum fault mint_id(char id[ID_LEN + 1], struct refusal *why)
{
	uint8_t bytes[SHA256_LEN];
	enum fault f = draw(bytes, why);

	if (!f)
		text_id(bytes, id);
	return f;
}

enum fault mint_token(const uint8_t *key, size_t i, char text[TOKEN_TEXT], uint8_t hash[SHA256_LEN],
    struct refusal *why)
{
	uint8_t bytes[SHA256_LEN];
	enum fault f = key == NULL ? draw(bytes, why) : FAULT_NONE;

	if (f)
		return f;
	if (key != NULL)
		follow(key, "delete token", i, bytes);
	text_hex(bytes, sizeof bytes, text);
	digest_of(DIGEST_SHA256, text, TOKEN_TEXT - 1, hash);
	explicit_bzero(bytes, sizeof bytes);
	return FAULT_NONE;
}

void mint_key_hash(const uint8_t key[SHA256_LEN], uint8_t hash[SHA256_LEN])
{
	follow(key, "key", 0, hash);
}
