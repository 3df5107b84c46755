/* vfs_test.c: a journal beside the catalog, whoever wrote it, makes SQLite touch nothing else. */
#include "datadir.h"

enum { SECTOR = 512, PAGE = 4096, LOCK_PAGE = 0x40000000 / PAGE + 1 };

static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

static void write_number(FILE *to, uint32_t number)
{
	const uint8_t bytes[4] = {number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255};

	assert_int_equal(fwrite(bytes, 1, sizeof bytes, to), sizeof bytes);
}

/* No page to put back, but the name of a super-journal (https://sqlite.org/fileformat.html, 3). */
static void write_journal(const char *path, uint32_t pages, const char *super)
{
	const uint32_t head[] = {0, 1, pages, SECTOR, PAGE};
	FILE *to = fopen(path, "wb");
	uint32_t sum = 0;

	assert_non_null(to);
	assert_int_equal(fwrite(magic, 1, sizeof magic, to), sizeof magic);
	for (size_t i = 0; i < sizeof head / sizeof *head; i++)
		write_number(to, head[i]);
	assert_int_equal(fseek(to, SECTOR, SEEK_SET), 0);
	write_number(to, LOCK_PAGE);
	assert_true(fputs(super, to) >= 0);
	for (const char *at = super; *at; at++)
		sum += (uint32_t)*at;
	write_number(to, (uint32_t)strlen(super));
	write_number(to, sum);
	assert_int_equal(fwrite(magic, 1, sizeof magic, to), sizeof magic);
	assert_int_equal(fclose(to), 0);
}

/* The worker in its jail may write one; who looks next is perhaps root, and in no jail. */
static void it_deletes_nothing(void **state)
{
	char victim[96], journal[96], database[96];
	struct refusal no;
	struct stat st;

	snprintf(victim, sizeof victim, "%s/objects/victim", data_dir);
	snprintf(journal, sizeof journal, "%s/waybill.db-journal", data_dir);
	snprintf(database, sizeof database, "%s/waybill.db", data_dir);
	write_journal(victim, 0, ""); /* any bytes will do */
	keep_close(keep);
	keep = NULL;
	assert_int_equal(stat(database, &st), 0);
	write_journal(journal, (uint32_t)(st.st_size / PAGE), victim);
	refusal_clear(&no);
	assert_false(keep_open(&keep, &config, KEEP_READ, 1, &no)); /* it is said, once */
	assert_string_not_equal(no.detail, "");
	assert_int_equal(access(victim, F_OK), 0);
	assert_int_equal(access(journal, F_OK), -1);
	keep = open_keep(KEEP_READ | KEEP_WRITE | KEEP_SNIFF);
	check_sums();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_deletes_nothing, make_keep, drop_keep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
