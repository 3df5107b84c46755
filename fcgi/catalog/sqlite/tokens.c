/*
 * tokens.c: bearer tokens and delete tokens as rows, by the SHA-256 of their text.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

#include <stdlib.h>

/* ---- finding --------------------------------------------------------------------------------- */

static enum fault find_on(
    struct connection *c, const uint8_t *hash, char *owner, struct token *token)
{
	uint8_t stored[SHA256_LEN];
	sqlite3_stmt *s;
	bool row;
	enum fault f = sql_row(c, SQL_TOKEN_FIND, &s, &row, NULL, BIND(BYTES(hash, SHA256_LEN)));

	if (f || !row)
		return f ? f : FAULT_NOT_FOUND;
	/* The index compared hashes of 256 random bits, which tells a guesser nothing; once more
	 * all the same, in constant time. */
	int64_t expires_at = sqlite3_column_int64(s, 3);
	bool good = column_bytes(s, 1, stored, sizeof stored) &&
		    digest_same(stored, hash, sizeof stored) &&
		    (expires_at == 0 || expires_at > clock_calendar());
	if (good) {
		span_copy(owner, OWNER_ROOM, column_span(s, 0));
		*token = (struct token){.name = owner,
		    .rights = (unsigned)sqlite3_column_int64(s, 2),
		    .expires_at = expires_at,
		    .quota = sqlite3_column_int64(s, 4),
		    .used_at = sqlite3_column_int64(s, 5)};
	}
	sql_done(s);
	return good ? FAULT_NONE : FAULT_NOT_FOUND;
}

enum fault token_find(
    struct catalog *catalog, const uint8_t hash[SHA256_LEN], char *owner, struct token *token)
{
	struct connection *c = reader_take(catalog, NULL);

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = find_on(c, hash, owner, token);
	reader_give(catalog, c);
	return f;
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
	enum fault f = sql_row(c, SQL_TOKEN_EACH, &s, &row, why, NO_VALUES);

	while (!f && row) {
		if (list_one(s, names, &first))
			f = sql_step(c, s, &row, why);
		else
			f = refuse(why, FAULT_INTERNAL, NULL);
	}
	if (row)
		sql_done(s);
	return f;
}

enum fault token_each(
    struct catalog *catalog, token_visitor *visit, void *self, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);
	struct files names = {0};
	struct listed *first = NULL;

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = list_on(c, &names, &first, why);
	reader_give(catalog, c);
	for (struct listed *one = first, *next; one != NULL; one = next) {
		next = one->next;
		if (!f)
			visit(self, &one->token);
		free(one);
	}
	files_release(&names);
	return f;
}

/* ---- changing -------------------------------------------------------------------------------- */

struct uses {
	const struct token_use *at;
	size_t count;
};

static enum fault run_used(struct catalog *catalog, void *self, struct refusal *why)
{
	const struct uses *uses = self;
	enum fault f = FAULT_NONE;

	for (size_t i = 0; i < uses->count && !f; i++) {
		f = sql_run(catalog->writer, SQL_TOKEN_USED, why,
		    BIND(BYTES(uses->at[i].hash, SHA256_LEN), NUMBER(uses->at[i].at)));
	}
	return f;
}

enum fault tokens_used(
    struct catalog *catalog, const struct token_use *use, size_t count, struct refusal *why)
{
	struct uses uses = {use, count};

	return catalog_commit(catalog, run_used, &uses, why);
}

struct minting {
	const struct token *token;
	const uint8_t *hash;
};

static enum fault run_add(struct catalog *catalog, void *self, struct refusal *why)
{
	struct connection *c = catalog->writer;
	const struct minting *m = self;
	enum fault f = sql_run(c, SQL_TOKEN_ADD, why,
	    BIND(TEXT(m->token->name), BYTES(m->hash, SHA256_LEN), NUMBER(m->token->rights),
		NUMBER(m->token->created_at != 0 ? m->token->created_at : clock_calendar()),
		MOMENT(m->token->expires_at), NUMBER(m->token->quota)));

	if (!f && sqlite3_changes(c->db) == 0)
		return refuse(why, FAULT_BAD_REQUEST,
		    "There is a token named \"%s\" already. Remove it first, or choose another "
		    "name.",
		    m->token->name);
	return f;
}

enum fault token_add(struct catalog *catalog, const struct token *token,
    const uint8_t hash[SHA256_LEN], struct refusal *why)
{
	struct minting m = {token, hash};

	return catalog_commit(catalog, run_add, &m, why);
}

static enum fault run_remove(struct catalog *catalog, void *name, struct refusal *why)
{
	struct connection *c = catalog->writer;
	enum fault f = sql_run(c, SQL_TOKEN_REMOVE, why, BIND(TEXT(name)));

	if (!f && sqlite3_changes(c->db) == 0)
		return refuse(
		    why, FAULT_NOT_FOUND, "There is no token named \"%s\".", (const char *)name);
	return f;
}

enum fault token_remove(struct catalog *catalog, const char *name, struct refusal *why)
{
	return catalog_commit(catalog, run_remove, (void *)(uintptr_t)name, why);
}

/* ---- delete tokens --------------------------------------------------------------------------- */

static bool fits_on(struct connection *c, const char *id, const uint8_t *hash)
{
	uint8_t stored[SHA256_LEN];
	sqlite3_stmt *s;
	bool row;

	if (sql_row(c, SQL_FILE_HASH, &s, &row, NULL, BIND(TEXT(id))) || !row)
		return false;
	bool fits =
	    column_bytes(s, 0, stored, sizeof stored) && digest_same(stored, hash, sizeof stored);
	sql_done(s);
	return fits;
}

bool catalog_delete_token_fits(
    struct catalog *catalog, const char *id, const uint8_t hash[SHA256_LEN])
{
	struct connection *c = reader_take(catalog, NULL);

	if (c == NULL)
		return false;
	bool fits = fits_on(c, id, hash);
	reader_give(catalog, c);
	return fits;
}
