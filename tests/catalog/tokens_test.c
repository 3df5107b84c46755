/* tokens_test.c: tokens, and what is stored of them. */
#include "datadir.h"

/* ---- tokens ---------------------------------------------------------------------------------- */

static int visited;

static void visit(void *self, const struct token *token)
{
	visited++;
	assert_string_equal(token->name, self);
	assert_int_equal(token->rights, RIGHT_UPLOAD | RIGHT_READ);
	assert_int_equal(token->quota, 1000);
	assert_int_equal(token->expires_at, 0);
	assert_in_range(token->created_at, clock_calendar() - 60000, clock_calendar());
}

static void test_tokens(void **state)
{
	struct token token = {
	    .name = "J\xc3\xbcrgen", .rights = RIGHT_UPLOAD | RIGHT_READ, .quota = 1000};
	char text[64 + 8], again[64 + 8], owner[256] = "";
	unsigned rights = 0;
	int64_t quota = 0;

	assert_int_equal(keep_token_add(keep, &token, text, &why), FAULT_NONE);
	assert_true(strlen(text) >= 46 && memcmp(text, "wb_", 3) == 0);
	assert_int_equal(keep_token_add(keep, &token, again, &why), FAULT_BAD_REQUEST);
	assert_int_equal(keep_token_find(keep, span_of(text), owner, &rights, &quota), FAULT_NONE);
	assert_string_equal(owner, token.name);
	assert_int_equal(rights, token.rights);
	assert_int_equal(quota, 1000);
	visited = 0;
	assert_int_equal(keep_token_each(keep, visit, (void *)token.name, &why), FAULT_NONE);
	assert_int_equal(visited, 1);
	text[10] ^= 1;
	assert_int_equal(
	    keep_token_find(keep, span_of(text), owner, &rights, &quota), FAULT_NOT_FOUND);
	text[10] ^= 1;
	assert_int_equal(keep_token_remove(keep, "nobody", &why), FAULT_NOT_FOUND);
	assert_int_equal(keep_token_remove(keep, token.name, &why), FAULT_NONE);
	assert_int_equal(
	    keep_token_find(keep, span_of(text), owner, &rights, &quota), FAULT_NOT_FOUND);
	assert_int_equal(
	    keep_token_find(keep, (struct span){NULL, 0}, owner, &rights, &quota), FAULT_NOT_FOUND);
}

static void test_tokens_expire(void **state)
{
	struct token token = {.name = "old", .rights = RIGHT_READ, .expires_at = clock_calendar() - 1};
	char text[64 + 8], owner[256];
	unsigned rights;
	int64_t quota;

	assert_int_equal(keep_token_add(keep, &token, text, &why), FAULT_NONE);
	assert_int_equal(
	    keep_token_find(keep, span_of(text), owner, &rights, &quota), FAULT_NOT_FOUND);
	token =
	    (struct token){.name = "new", .rights = RIGHT_READ, .expires_at = clock_calendar() + 100000};
	assert_int_equal(keep_token_add(keep, &token, text, &why), FAULT_NONE);
	assert_int_equal(keep_token_find(keep, span_of(text), owner, &rights, &quota), FAULT_NONE);
	token = (struct token){.name = ""};
	assert_int_equal(keep_token_add(keep, &token, text, &why), FAULT_BAD_REQUEST);
	token.name = "line\nbreak";
	assert_int_equal(keep_token_add(keep, &token, text, &why), FAULT_BAD_REQUEST);
}

/* Nothing that opens a door is in the catalog as it is. */
static void test_secrets_are_hashed(void **state)
{
	struct grant grant = grant_of(10, NULL);
	struct sent s = {"a", "a", 0};
	struct files files;
	char other[ID_LEN + 1], sql[256];

	assert_int_equal(send_all(keep, &grant, &s, 1, true, &files, &why), FAULT_NONE);
	const char *token = files.at[0].delete_token;
	assert_true(keep_delete_token_fits(keep, &files.at[0], span_of(token)));
	assert_false(keep_delete_token_fits(keep, &files.at[0], span_of("")));
	assert_false(keep_delete_token_fits(keep, &files.at[0], (struct span){token, 63}));
	snprintf(sql, sizeof sql,
	    "SELECT count(*) FROM files WHERE instr(lower(hex(delete_hash)), '%s')", token);
	assert_int_equal(ask(sql), 0);
	struct file stranger = files.at[0];
	stranger.id = put("b", "b", NULL, other);
	assert_false(keep_delete_token_fits(keep, &stranger, span_of(token)));
	files_release(&files);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, make_keep, drop_keep)
	const struct CMUnitTest tests[] = {
	    TEST(tokens), TEST(tokens_expire), TEST(secrets_are_hashed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
