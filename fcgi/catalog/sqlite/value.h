/*
 * value.h: values for the parameters of a statement, as plain data.
 *
 *     sql_run(c, SQL_UPLOAD_PROLONG, why, BIND(TEXT(row->id), NUMBER(row->epoch), MOMENT(at)))
 */
#ifndef WAYBILL_CATALOG_VALUE_H
#define WAYBILL_CATALOG_VALUE_H

#include "shared/text.h"

enum value_kind { VALUE_NULL, VALUE_NUMBER, VALUE_TEXT, VALUE_BYTES };

struct value { /* what it points to must outlive the step */
	enum value_kind kind;
	int64_t number; /* or how many bytes */
	const void *at;
};

static inline struct value value_of(enum value_kind kind, bool there, int64_t n, const void *at)
{
	return (struct value){there ? kind : VALUE_NULL, n, at};
}

static inline struct value SPAN(struct span s)
{
	return value_of(VALUE_TEXT, s.at != NULL, (int64_t)s.len, s.at);
}

/* clang-format off */
#define NUMBER(n)       value_of(VALUE_NUMBER, true, (n), NULL)
#define MOMENT(t)       value_of(VALUE_NUMBER, (t) != 0, (t), NULL)    /* 0: NULL */
#define LENGTH(n)       value_of(VALUE_NUMBER, (n) >= 0, (n), NULL)    /* below 0: NULL */
#define TEXT(s)         SPAN(span_of(s))                               /* NULL: NULL */
#define BYTES(b, len)   value_of(VALUE_BYTES, (b) != NULL, (int64_t)(len), (b))

struct values {
	const struct value *at;
	int count;
};
#define BIND(...) (struct values){(const struct value[]){__VA_ARGS__}, \
	sizeof((const struct value[]){__VA_ARGS__}) / sizeof(struct value)}
#define NO_VALUES (struct values){NULL, 0}
/* clang-format on */

#endif
