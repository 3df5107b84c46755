/*
 * sums.c: what quotas are judged by, read out of the tables that triggers keep.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/text.h"

enum fault catalog_sums(
    struct catalog *catalog, struct span owner, struct catalog_sums *sums, struct refusal *why)
{
	int64_t sum[6] = {0};
	enum fault f = reader_read(
	    catalog, SQL_SUMS, sum, 6, why, BIND(SPAN(owner.at != NULL ? owner : span_of(""))));

	*sums = (struct catalog_sums){.files = sum[0],
	    .bytes = sum[1],
	    .owner_bytes = sum[2],
	    .promised = sum[3],
	    .owner_promised = sum[4],
	    .pending = sum[5]};
	return f;
}
