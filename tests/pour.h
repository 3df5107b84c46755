/*
 * pour.h: one pour of a body through body/, from an exchange in memory to written-down events.
 */
#ifndef WAYBILL_TESTS_POUR_H
#define WAYBILL_TESTS_POUR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fuzz/events.h"
#include "memory.h"
#include "shared/digest.h"

#define TYPE "multipart/form-data; boundary=b"
#define CD "--b\r\nContent-Disposition: form-data; "
#define FILE_PART(name, data) CD "name=\"f\"; filename=\"" name "\"\r\n\r\n" data "\r\n"
#define FIELD_PART(name, value) CD "name=\"" name "\"\r\n\r\n" value "\r\n"
#define CLOSE "--b--\r\n"

static inline struct span span_text(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* One pour: what went in, what came out. */
struct run {
	struct memory m;
	struct grant grant;
	struct events events;
	struct fields fields;
	struct refusal why;
	char buffer[BODY_BUFFER];
};

static inline void start(struct run *r, const char *body, size_t len)
{
	memset(r, 0, sizeof *r);
	memory_start(&r->m);
	memory_body(&r->m, body, len);
	r->grant.length = (int64_t)len;
	r->grant.max_bytes = INT64_MAX;
	r->grant.max_files = 3;
	events_add(&r->events, "", 0);
	refusal_clear(&r->why);
}

static inline void stop(struct run *r)
{
	events_free(&r->events);
	body_fields_free(&r->fields);
	memory_free(&r->m);
}

static inline enum fault pour_form(struct run *r)
{
	struct hands hands = events_hands(&r->events);
	return body_pour_form(
	    &r->m.x, &r->grant, span_text(TYPE), r->buffer, &hands, &r->fields, &r->why);
}

static inline enum fault pour_raw(struct run *r)
{
	struct hands hands = events_hands(&r->events);
	struct part part = {.is_file = true, .name = span_text("raw")};
	return body_pour_raw(&r->m.x, &r->grant, &part, r->buffer, &hands, &r->why);
}

static inline void assert_field(
    const struct run *r, unsigned i, const char *name, const char *value)
{
	const struct field *f = &r->fields.at[i];
	assert_true(i < r->fields.count);
	assert_int_equal(f->name.len, strlen(name));
	assert_memory_equal(f->name.at, name, f->name.len);
	assert_int_equal(f->value.len, strlen(value));
	assert_memory_equal(f->value.at, value, f->value.len);
}

static inline void assert_says(const struct run *r, enum fault fault, const char *words)
{
	assert_int_equal(r->why.fault, fault);
	if (strstr(refusal_detail(&r->why), words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", refusal_detail(&r->why), words);
}

static inline void claim(struct run *r, int i, enum digest_algorithm a, const char *of)
{
	r->grant.claims[i].algorithm = a;
	digest_of(a, of, strlen(of), r->grant.claims[i].value);
}

/* A body under construction. */
static char *text;
static size_t text_len;

static inline void append(const void *bytes, size_t len)
{
	text = realloc(text, text_len + len + 1);
	assert_non_null(text);
	memcpy(text + text_len, bytes, len);
	text_len += len;
	text[text_len] = '\0';
}

static inline void append_text(const char *s)
{
	append(s, strlen(s));
}

static inline void append_run(char c, size_t len)
{
	char *bytes = malloc(len + 1);
	assert_non_null(bytes);
	memset(bytes, c, len);
	append(bytes, len);
	free(bytes);
}

static inline void clear_text(void)
{
	free(text);
	text = NULL;
	text_len = 0;
}

#endif
