/*
 * digest.c: nettle's only door.
 */
#include "shared/digest.h"

#include <nettle/base64.h>
#include <nettle/memops.h>
#include <nettle/nettle-meta.h>

/* NULL: there is nothing to be done. */
static const struct nettle_hash *hash_of(enum digest_algorithm algorithm)
{
	static const struct nettle_hash *const hashes[] = {
	    [DIGEST_NONE] = NULL,
	    [DIGEST_MD5] = &nettle_md5,
	    [DIGEST_SHA1] = &nettle_sha1,
	    [DIGEST_SHA256] = &nettle_sha256,
	    [DIGEST_SHA512] = &nettle_sha512,
	};
	return (size_t)algorithm < sizeof hashes / sizeof *hashes ? hashes[algorithm] : NULL;
}

void digest_start(struct digest *d, enum digest_algorithm algorithm)
{
	const struct nettle_hash *hash = hash_of(algorithm);
	d->algorithm = algorithm;
	if (hash)
		hash->init(&d->state);
}

void digest_add(struct digest *d, const void *bytes, size_t len)
{
	const struct nettle_hash *hash = hash_of(d->algorithm);
	if (hash && len > 0) /* bytes may be NULL otherwise, which memcpy() must not see */
		hash->update(&d->state, len, bytes);
}

void digest_end(struct digest *d, uint8_t *value)
{
	const struct nettle_hash *hash = hash_of(d->algorithm);
	if (hash)
		hash->digest(&d->state, hash->digest_size, value);
}

size_t digest_length(enum digest_algorithm algorithm)
{
	const struct nettle_hash *hash = hash_of(algorithm);
	return hash ? hash->digest_size : 0;
}

void digest_of(enum digest_algorithm algorithm, const void *bytes, size_t len, uint8_t *value)
{
	struct digest d;
	digest_start(&d, algorithm);
	digest_add(&d, bytes, len);
	digest_end(&d, value);
}

bool digest_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	return !len || memeql_sec(a, b, len);
}

/* nettle passes over white space and asks for room that it does not use: so byte by byte, and with
 * a count that only comes out right if every character was one of base64. */
bool base64_decode(struct span s, uint8_t *to, size_t room, size_t *len)
{
	struct base64_decode_ctx ctx;
	size_t end = 0;
	base64_decode_init(&ctx);
	for (size_t i = 0; i < s.len; i++) {
		uint8_t byte;
		int got = base64_decode_single(&ctx, &byte, s.at[i]);
		if (got < 0 || (got == 1 && end == room))
			return false;
		if (got == 1)
			to[end++] = byte;
	}
	size_t padding = 0;
	while (padding < 2 && padding < s.len && s.at[s.len - 1 - padding] == '=')
		padding++;
	*len = end;
	return base64_decode_final(&ctx) && s.len % 4 == 0 && end == s.len / 4 * 3 - padding;
}

void base64_encode(const uint8_t *bytes, size_t len, char *to)
{
	base64_encode_raw(to, len, bytes);
	to[BASE64_ENCODE_RAW_LENGTH(len)] = '\0';
}
