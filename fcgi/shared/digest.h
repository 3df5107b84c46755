/*
 * digest.h: nettle's only door: digests, base64, comparison in constant time.
 *
 * A running digest is plain memory: it can be copied, stored with an offset, and gone on with in
 * another process (of the same build: the stored form is tagged with its size).
 */
#ifndef WAYBILL_DIGEST_H
#define WAYBILL_DIGEST_H

#include <nettle/md5.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "shared/flow.h"

struct digest {
	enum digest_algorithm algorithm;
	union {
		struct md5_ctx md5;
		struct sha1_ctx sha1;
		struct sha256_ctx sha256;
		struct sha512_ctx sha512;
	} state;
};

void digest_start(struct digest *d, enum digest_algorithm algorithm);
void digest_add(struct digest *d, const void *bytes, size_t len);
/* Writes digest_length() bytes; the digest must be started anew afterwards. */
void digest_end(struct digest *d, uint8_t *value);
size_t digest_length(enum digest_algorithm algorithm); /* 16, 20, 32, 64; 0 for DIGEST_NONE */
void digest_of(enum digest_algorithm algorithm, const void *bytes, size_t len, uint8_t *value);
/* Same bytes? Takes the same time wherever they differ. */
bool digest_same(const uint8_t *a, const uint8_t *b, size_t len);

/* RFC 4648 base64, padding required. Decodes at most `room` bytes; false: not base64, or longer. */
bool base64_decode(struct span s, uint8_t *to, size_t room, size_t *len);
/* NUL-terminated; `to` holds 4 * ((len + 2) / 3) + 1 bytes. */
void base64_encode(const uint8_t *bytes, size_t len, char *to);

#endif
