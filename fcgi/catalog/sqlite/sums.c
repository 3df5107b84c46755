/*
 * sums.c: what quotas are judged by, read out of the tables that triggers keep.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

enum fault catalog_sums(
    struct catalog *catalog, struct span owner, struct catalog_sums *sums, struct refusal *why)
{
	struct connection *c = reader_take(catalog, why);
	int64_t sum[6] = {0};
	sqlite3_stmt *s;

	if (c == NULL)
		return FAULT_INTERNAL;
	enum fault f = sql_prepare(c, SQL_SUMS, &s, why);
	if (!f) {
		bind_span(s, 1, owner.at != NULL ? owner : span_of(""));
		f = sql_numbers(c, s, sum, 6, why);
	}
	reader_give(catalog, c);
	*sums = (struct catalog_sums){.files = sum[0],
	    .bytes = sum[1],
	    .owner_bytes = sum[2],
	    .promised = sum[3],
	    .owner_promised = sum[4],
	    .pending = sum[5]};
	return f;
}
