/*
 * digest.c: nettle's only door.
 */
#include "shared/digest.h"

#include <nettle/base64.h>
#include <nettle/memops.h>

void digest_start(struct digest *d, enum digest_algorithm algorithm)
{
	d->algorithm = algorithm;
	switch (algorithm) {
	case DIGEST_NONE:
		break;
	case DIGEST_MD5:
		md5_init(&d->state.md5);
		break;
	case DIGEST_SHA1:
		sha1_init(&d->state.sha1);
		break;
	case DIGEST_SHA256:
		sha256_init(&d->state.sha256);
		break;
	case DIGEST_SHA512:
		sha512_init(&d->state.sha512);
		break;
	}
}

void digest_add(struct digest *d, const void *bytes, size_t len)
{
	if (!len) /* bytes may be NULL then, which memcpy() must not see */
		return;
	switch (d->algorithm) {
	case DIGEST_NONE:
		break;
	case DIGEST_MD5:
		md5_update(&d->state.md5, len, bytes);
		break;
	case DIGEST_SHA1:
		sha1_update(&d->state.sha1, len, bytes);
		break;
	case DIGEST_SHA256:
		sha256_update(&d->state.sha256, len, bytes);
		break;
	case DIGEST_SHA512:
		sha512_update(&d->state.sha512, len, bytes);
		break;
	}
}

void digest_end(struct digest *d, uint8_t *value)
{
	switch (d->algorithm) {
	case DIGEST_NONE:
		break;
	case DIGEST_MD5:
		md5_digest(&d->state.md5, MD5_DIGEST_SIZE, value);
		break;
	case DIGEST_SHA1:
		sha1_digest(&d->state.sha1, SHA1_DIGEST_SIZE, value);
		break;
	case DIGEST_SHA256:
		sha256_digest(&d->state.sha256, SHA256_DIGEST_SIZE, value);
		break;
	case DIGEST_SHA512:
		sha512_digest(&d->state.sha512, SHA512_DIGEST_SIZE, value);
		break;
	}
}

size_t digest_length(enum digest_algorithm algorithm)
{
	static const size_t lengths[] = {[DIGEST_NONE] = 0,
	    [DIGEST_MD5] = MD5_DIGEST_SIZE,
	    [DIGEST_SHA1] = SHA1_DIGEST_SIZE,
	    [DIGEST_SHA256] = SHA256_DIGEST_SIZE,
	    [DIGEST_SHA512] = SHA512_DIGEST_SIZE};
	size_t known = sizeof lengths / sizeof lengths[0];
	return (size_t)algorithm < known ? lengths[algorithm] : 0;
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
