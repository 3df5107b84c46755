/*
 * table.h: what the tables of cases in the tests of shared/ have in common. After <cmocka.h>.
 */
#ifndef WAYBILL_TEST_TABLE_H
#define WAYBILL_TEST_TABLE_H

#include "shared/text.h"

/* A literal with all its bytes, NULs too. */
#define S(literal) ((struct span){literal, sizeof(literal) - 1})
#define EACH(row, table) for (size_t row = 0; row < sizeof(table) / sizeof((table)[0]); row++)

static inline void assert_span(struct span s, const char *text)
{
	char copy[512];
	assert_non_null(s.at);
	assert_string_equal(span_copy(copy, sizeof copy, s), text);
}

#endif
