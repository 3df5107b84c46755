/*
 * tokens.c: bearer tokens and delete tokens as rows, by the SHA-256 of their text.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

#include <stdlib.h>

/* ---- finding --------------------------------------------------------------------------------- */

struct asked {
	const uint8_t *hash;
	char *owner;
	struct token *token;
	bool good;
};

static bool hash_fits(sqlite3_stmt *s, int at, const uint8_t *hash)
{
	uint8_t stored[SHA256_LEN];

	return column_bytes(s, at, stored, sizeof stored) &&
	       digest_same(stored, hash, sizeof stored);
}

/* The index compared hashes of 256 random bits, which tells a guesser nothing; once more all the
 * same, in constant time. */
static bool asked_row(void *self, sqlite3_stmt *s)
{
	struct asked *asked = self;
	int64_t expires_at = sqlite3_column_int64(s, 3);

	asked->good = hash_fits(s, 1, asked->hash) && !clock_has_passed(expires_at);
	if (!asked->good)
		return false;
	span_copy(asked->owner, OWNER_ROOM, column_span(s, 0));
	*asked->token = (struct token){.name = asked->owner,
	    .rights = (unsigned)sqlite3_column_int64(s, 2),
	    .expires_at = expires_at,
	    .quota = sqlite3_column_int64(s, 4),
	    .used_at = sqlite3_column_int64(s, 5)};
	return false;
}

enum fault token_find(
    struct catalog *catalog, const uint8_t hash[SHA256_LEN], char *owner, struct token *token)
{
	struct asked asked = {hash, owner, token, false};
	enum fault f = reader_rows(
	    catalog, SQL_TOKEN_FIND, asked_row, &asked, NULL, BIND(BYTES(hash, SHA256_LEN)));

	return f || asked.good ? f : FAULT_NOT_FOUND;
}

struct listed {
	struct token token;
	struct listed *next;
};

/* Copied before anybody sees one: a visitor may print into a pager, and as long as a statement is
 * open the WAL cannot begin anew. */
struct list {
	struct files names;
	struct listed *first, **last;
	bool short_of_memory;
};

static bool listed_row(void *self, sqlite3_stmt *s)
{
	struct list *list = self;
	struct listed *new = malloc(sizeof *new);

	list->short_of_memory = new == NULL;
	if (new == NULL)
		return false;
	*new = (struct listed){.token = {.name = files_text(&list->names, column_span(s, 0)),
				   .rights = (unsigned)sqlite3_column_int64(s, 1),
				   .created_at = sqlite3_column_int64(s, 2),
				   .expires_at = sqlite3_column_int64(s, 3),
				   .quota = sqlite3_column_int64(s, 4),
				   .used_at = sqlite3_column_int64(s, 5)}};
	*list->last = new;
	list->last = &new->next;
	list->short_of_memory = new->token.name == NULL;
	return !list->short_of_memory;
}

enum fault token_each(
    struct catalog *catalog, token_visitor *visit, void *self, struct refusal *why)
{
	struct list list = {.last = &list.first};
	enum fault f = reader_rows(catalog, SQL_TOKEN_EACH, listed_row, &list, why, NO_VALUES);

	if (!f && list.short_of_memory)
		f = refuse(why, FAULT_INTERNAL, NULL);
	for (struct listed *one = list.first, *next; one != NULL; one = next) {
		next = one->next;
		if (!f)
			visit(self, &one->token);
		free(one);
	}
	files_release(&list.names);
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

	for (size_t i = 0; i < uses->count && !f; i++)
		f = sql_run(catalog->writer, SQL_TOKEN_USED, why,
		    BIND(BYTES(uses->at[i].hash, SHA256_LEN), NUMBER(uses->at[i].at)));
	return f;
}

enum fault tokens_used(
    struct catalog *catalog, const struct token_use *use, size_t count, struct refusal *why)
{
	struct uses uses = {use, count};

	return catalog_commit(catalog, run_used, &uses, why);
}

enum fault token_add(struct catalog *catalog, const struct token *token,
    const uint8_t hash[SHA256_LEN], struct refusal *why)
{
	int64_t created_at = token->created_at != 0 ? token->created_at : clock_calendar();
	enum fault f = commit_one(catalog, SQL_TOKEN_ADD, FAULT_BAD_REQUEST, why,
	    BIND(TEXT(token->name), BYTES(hash, SHA256_LEN), NUMBER(token->rights),
		NUMBER(created_at), MOMENT(token->expires_at), NUMBER(token->quota)));

	if (f == FAULT_BAD_REQUEST)
		refuse(why, f,
		    "There is a token named \"%s\" already. Remove it first, or choose another "
		    "name.",
		    token->name);
	return f;
}

enum fault token_remove(struct catalog *catalog, const char *name, struct refusal *why)
{
	enum fault f =
	    commit_one(catalog, SQL_TOKEN_REMOVE, FAULT_NOT_FOUND, why, BIND(TEXT(name)));

	if (f == FAULT_NOT_FOUND)
		refuse(why, f, "There is no token named \"%s\".", name);
	return f;
}

/* ---- delete tokens --------------------------------------------------------------------------- */

struct fitting {
	const uint8_t *hash;
	bool fits;
};

static bool fitting_row(void *self, sqlite3_stmt *s)
{
	struct fitting *fitting = self;

	fitting->fits = hash_fits(s, 0, fitting->hash);
	return false;
}

bool catalog_delete_token_fits(
    struct catalog *catalog, const char *id, const uint8_t hash[SHA256_LEN])
{
	struct fitting fitting = {.hash = hash};

	reader_rows(catalog, SQL_FILE_HASH, fitting_row, &fitting, NULL, BIND(TEXT(id)));
	return fitting.fits;
}
