/*
 * house.h: what lies in a data_dir, written and asked behind the back of keep/.
 */
#ifndef WAYBILL_TESTS_HOUSE_H
#define WAYBILL_TESTS_HOUSE_H

#include "datadir.h"
#include "catalog/sqlite/sqlite.h"

static inline void path_of(char path[256], const char *below)
{
	snprintf(path, 256, "%s/%s", data_dir, below);
}

static inline void make_file(const char *below, const char *bytes)
{
	char path[256];

	path_of(path, below);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(bytes, f);
	assert_int_equal(fclose(f), 0);
}

static inline void execute_sql(const char *sql)
{
	char path[256];
	sqlite3 *db;

	path_of(path, "waybill.db");
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

#define ORPHAN "objects/b5cecb85f8ae000a0000000000000000000000000000000000000000000000ff"

#endif
