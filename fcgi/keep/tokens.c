/*
 * tokens.c: bearer tokens. Their text is told once; the catalog has its SHA-256, and is asked at
 * each request, so that a token that was removed is worth nothing from then on.
 */
#include "keep/catalog.h"
#include "shared/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { TOKEN_BYTES = 32, OWNER_ROOM = 256 };

/* ---- when they were used --------------------------------------------------------------------- */

enum { USED_STEP = 3600 * 1000, TELL_PAUSE = 60 * 1000 /* ms */ };

/* Told later: who asks with a token does not wait for a commit. Of more than 64 in a second some are
 * noted the next time. */
static void note_use(struct token_uses *uses, const uint8_t *hash, int64_t now)
{
	unsigned i = 0;

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

static enum fault run_used(struct catalog *catalog, void *self, struct refusal *why)
{
	const struct token_uses *uses = self;
	enum fault f = FAULT_NONE;

	for (unsigned i = 0; i < uses->count && f == FAULT_NONE; i++) {
		sqlite3_stmt *s;
		f = sql_prepare(catalog->writer, SQL_TOKEN_USED, &s, why);
		if (f != FAULT_NONE)
			return f;
		bind_bytes(s, 1, uses->use[i].hash, SHA256_LEN);
		bind_number(s, 2, uses->use[i].at);
		f = sql_finish(catalog->writer, s, why);
	}
	return f;
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
	if (catalog_commit(keep->catalog, run_used, &told, &why) != FAULT_NONE)
		keep->uses.next = clock_steady() + TELL_PAUSE;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static enum fault find_on(struct connection *c, const uint8_t *hash, char *owner, unsigned *rights,
    int64_t *quota, int64_t *used_at)
{
	uint8_t stored[SHA256_LEN];
	sqlite3_stmt *s;
	bool row;
	enum fault f = sql_prepare(c, SQL_TOKEN_FIND, &s, NULL);

	if (f != FAULT_NONE)
		return f;
	bind_bytes(s, 1, hash, SHA256_LEN);
	f = sql_step(c, s, &row, NULL);
	if (f != FAULT_NONE || !row)
		return f != FAULT_NONE ? f : FAULT_NOT_FOUND;
	/* The index compared hashes of 256 random bits, which tells a guesser nothing; once more
	 * all the same, in constant time. */
	int64_t expires_at = sqlite3_column_int64(s, 3);
	bool good = column_bytes(s, 1, stored, sizeof stored) &&
		    digest_same(stored, hash, sizeof stored) &&
		    (expires_at == 0 || expires_at > clock_calendar());
	if (good) {
		span_copy(owner, OWNER_ROOM, column_span(s, 0));
		*rights = (unsigned)sqlite3_column_int64(s, 2);
		*quota = sqlite3_column_int64(s, 4);
		*used_at = sqlite3_column_int64(s, 5);
	}
	sql_done(s);
	return good ? FAULT_NONE : FAULT_NOT_FOUND;
}

enum fault keep_token_find(
    struct keep *keep, struct span token, char *owner, unsigned *rights, int64_t *quota)
{
	uint8_t hash[SHA256_LEN];
	int64_t now = clock_calendar(), used_at = 0;

	digest_of(DIGEST_SHA256, token.at, token.len, hash);
	struct connection *c = reader_take(keep->catalog, NULL);
	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = find_on(c, hash, owner, rights, quota, &used_at);
	reader_give(keep->catalog, c);
	if (f == FAULT_NONE && (now - used_at >= USED_STEP || now < used_at))
		note_use(&keep->uses, hash, now);
	return f;
}

struct minting {
	const struct token *token;
	uint8_t hash[SHA256_LEN];
};

static enum fault run_add(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	const struct minting *m = self;
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_TOKEN_ADD, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_text(s, 1, m->token->name);
	bind_bytes(s, 2, m->hash, sizeof m->hash);
	bind_number(s, 3, m->token->rights);
	bind_number(s, 4, m->token->created_at != 0 ? m->token->created_at : clock_calendar());
	bind_time(s, 5, m->token->expires_at);
	bind_number(s, 6, m->token->quota);
	f = sql_finish(c, s, why);
	if (f == FAULT_NONE && sqlite3_changes(c->db) == 0)
		return refuse(why, FAULT_BAD_REQUEST,
		    "There is a token named \"%s\" already. Remove it first, or choose another "
		    "name.",
		    m->token->name);
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
	struct minting m = {.token = token};
	uint8_t random[TOKEN_BYTES];
	char hex[2 * TOKEN_BYTES + 1], whole[sizeof hex + 3];

	if (!name_fits(token->name))
		return refuse(why, FAULT_BAD_REQUEST,
		    "A token's name has 1 to 255 bytes of UTF-8 without control characters.");
	if (getrandom(random, sizeof random, 0) != sizeof random)
		return disk_fault(why, "getrandom");
	text_hex(random, sizeof random, hex);
	int len = snprintf(whole, sizeof whole, "wb_%s", hex);
	digest_of(DIGEST_SHA256, whole, (size_t)len, m.hash);
	enum fault f = catalog_commit(keep->catalog, run_add, &m, why);
	if (f == FAULT_NONE)
		memcpy(text, whole, (size_t)len + 1);
	explicit_bzero(random, sizeof random);
	explicit_bzero(hex, sizeof hex);
	explicit_bzero(whole, sizeof whole);
	return f;
}

static enum fault run_remove(struct catalog *catalog, void *name, struct refusal *why)
{
	struct connection *c = catalog->writer;
	sqlite3_stmt *s;
	enum fault f = sql_prepare(c, SQL_TOKEN_REMOVE, &s, why);

	if (f != FAULT_NONE)
		return f;
	bind_text(s, 1, name);
	f = sql_finish(c, s, why);
	if (f == FAULT_NONE && sqlite3_changes(c->db) == 0)
		return refuse(
		    why, FAULT_NOT_FOUND, "There is no token named \"%s\".", (const char *)name);
	return f;
}

enum fault keep_token_remove(struct keep *keep, const char *name, struct refusal *why)
{
	return catalog_commit(keep->catalog, run_remove, (void *)name, why);
}

/* Tokens on loan, as a list. */
struct listed {
	struct token token;
	struct listed *next;
};

/* Copied before anybody sees one: a visitor may print into a pager, and as long as a statement is
 * open the WAL cannot begin anew. False: no memory. */
static bool list_one(sqlite3_stmt *s, struct files *names, struct listed ***last)
{
	struct listed *new = malloc(sizeof *new);

	if (new == NULL)
		return false;
	*new = (struct listed){.token = {.name = files_text(names, column_span(s, 0)),
				   .rights = (unsigned)sqlite3_column_int64(s, 1),
				   .created_at = sqlite3_column_int64(s, 2),
				   .expires_at = sqlite3_column_int64(s, 3),
				   .quota = sqlite3_column_int64(s, 4),
				   .used_at = sqlite3_column_int64(s, 5)}};
	**last = new;
	*last = &new->next;
	return new->token.name != NULL;
}

static enum fault list_on(
    struct connection *c, struct files *names, struct listed **first, struct refusal *why)
{
	sqlite3_stmt *s;
	bool row = false;
	enum fault f = sql_prepare(c, SQL_TOKEN_EACH, &s, why);

	if (f == FAULT_NONE)
		f = sql_step(c, s, &row, why);
	while (f == FAULT_NONE && row) {
		if (list_one(s, names, &first))
			f = sql_step(c, s, &row, why);
		else
			f = refuse(why, FAULT_INTERNAL, NULL);
	}
	if (row)
		sql_done(s);
	return f;
}

enum fault keep_token_each(struct keep *keep, token_visitor *visit, void *self, struct refusal *why)
{
	struct connection *c = reader_take(keep->catalog, why);
	struct files names = {0};
	struct listed *first = NULL;

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = list_on(c, &names, &first, why);
	reader_give(keep->catalog, c);
	for (struct listed *one = first, *next; one != NULL; one = next) {
		next = one->next;
		if (f == FAULT_NONE)
			visit(self, &one->token);
		free(one);
	}
	keep_release(&names);
	return f;
}

/* ---- delete tokens --------------------------------------------------------------------------- */

static bool fits_on(struct connection *c, const char *id, const uint8_t *hash)
{
	uint8_t stored[SHA256_LEN];
	sqlite3_stmt *s;
	bool row;

	if (sql_prepare(c, SQL_FILE_HASH, &s, NULL) != FAULT_NONE)
		return false;
	bind_text(s, 1, id);
	if (sql_step(c, s, &row, NULL) != FAULT_NONE || !row)
		return false;
	bool fits =
	    column_bytes(s, 0, stored, sizeof stored) && digest_same(stored, hash, sizeof stored);
	sql_done(s);
	return fits;
}

bool keep_delete_token_fits(struct keep *keep, const struct file *file, struct span token)
{
	uint8_t hash[SHA256_LEN];

	if (token.len == 0)
		return false;
	digest_of(DIGEST_SHA256, token.at, token.len, hash);
	struct connection *c = reader_take(keep->catalog, NULL);
	if (c == NULL)
		return false;
	bool fits = fits_on(c, file->id, hash);
	reader_give(keep->catalog, c);
	return fits;
}
