/*
 * mint.h: ids and tokens that nobody can guess. INTERNAL: the kernel gives no random bytes.
 */
#ifndef WAYBILL_MINT_H
#define WAYBILL_MINT_H

#include "shared/flow.h"

enum { TOKEN_TEXT = 2 * SHA256_LEN + 1 }; /* bytes of a token's text, with the NUL */

enum fault mint_id(char id[ID_LEN + 1], struct refusal *why);
/*
 * Its text is told once; what is stored is its SHA-256. By chance; or, where `key` (SHA256_LEN bytes)
 * is not NULL, the i-th that follows from it, so that it can be told again to whoever sends the same
 * again. Without the key nobody can tell one from chance.
 */
enum fault mint_token(const uint8_t *key, size_t i, char text[TOKEN_TEXT],
    uint8_t hash[SHA256_LEN], struct refusal *why);
/* By which a key is known, and from which nothing that follows from it does. */
void mint_key_hash(const uint8_t key[SHA256_LEN], uint8_t hash[SHA256_LEN]);

#endif
