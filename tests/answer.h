/*
 * answer.h: a request, two records and a reply over an in-memory exchange, and what came of it.
 */
#ifndef WAYBILL_TESTS_ANSWER_H
#define WAYBILL_TESTS_ANSWER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"
#include "reply/reply.h"
#include "shared/text.h"

#define ID "0123456789abcdefghjkmnpqrs"
#define OTHER "zzzzzzzzzzzzzzzzzzzzzzzzzz"
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define RECORD                                                                                     \
	"{\"id\":\"" ID "\",\"name\":\"Übersicht \\\"2026\\\".pdf\",\"path\":null,\"size\":452198,"             \
	"\"type\":\"application/pdf\",\"declared_type\":\"application/octet-stream\","             \
	"\"sha256\":\"" HEX "\",\"owner\":\"alice\",\"fields\":{\"note\":\"ü\",\"tag\":[\"a\","   \
	"\"b\"]},\"uploaded_at\":\"2026-11-22T11:33:00.123Z\",\"expires_at\":null,"                \
	"\"url\":\"/drop/files/" ID "/content\"}"
#define SPARSE                                                                                     \
	"{\"id\":\"" OTHER "\",\"name\":\"x\",\"path\":null,\"size\":0,\"type\":\"application/x-empty\","        \
	"\"declared_type\":null,\"sha256\":\"" HEX "\",\"owner\":null,\"fields\":{},"              \
	"\"uploaded_at\":\"1970-01-01T00:00:00.000Z\",\"expires_at\":\"2026-11-22T11:33:00."       \
	"123Z\","                                                                                  \
	"\"url\":\"/drop/files/" OTHER "/content\",\"delete_token\":\"secret\"}"

struct scene {
	struct memory m;
	struct request request;
	struct reply r;
	struct file file[2];
	struct files files;
};

static inline void set(struct scene *s)
{
	memory_start(&s->m);
	s->request = (struct request){.method = METHOD_GET, .base = span_of("/drop")};
	s->file[0] = (struct file){.id = ID,
	    .name = "Übersicht \"2026\".pdf",
	    .size = 452198,
	    .type = "application/pdf",
	    .declared_type = "application/octet-stream",
	    .owner = "alice",
	    .fields = "{\"note\":\"ü\",\"tag\":[\"a\",\"b\"]}",
	    .uploaded_at = 1795347180123};
	s->file[1] = (struct file){.id = OTHER,
	    .name = "x",
	    .type = "application/x-empty",
	    .fields = "{}",
	    .expires_at = 1795347180123,
	    .delete_token = "secret"};
	for (unsigned i = 0; i < SHA256_LEN; i++)
		s->file[0].sha256[i] = s->file[1].sha256[i] = (uint8_t)i;
	s->files = (struct files){.at = s->file, .count = 2};
	reply_open(&s->r, &s->m.x, &s->request);
}

static inline void strike(struct scene *s)
{
	memory_free(&s->m);
}

static inline const char *body_of(const struct scene *s)
{
	const char *end = strstr(memory_answer(&s->m), "\r\n\r\n");
	assert_non_null(end);
	return end + 4;
}

/* The value of a header, in a buffer that the next call reuses; NULL: not there. Twice fails. */
static inline const char *value_of(const struct scene *s, const char *name)
{
	static char value[2048];
	const char *found = NULL, *at = memory_answer(&s->m), *end = strstr(at, "\r\n\r\n") + 2;
	size_t len = strlen(name);
	for (; at < end; at = strstr(at, "\r\n") + 2) {
		if (strncmp(at, name, len) != 0 || strncmp(at + len, ": ", 2) != 0)
			continue;
		assert_null(found);
		found = at + len + 2;
	}
	if (found)
		span_copy(value, sizeof value,
		    (struct span){found, (size_t)(strstr(found, "\r\n") - found)});
	return found ? value : NULL;
}

#define assert_header(s, name, expected)                                                           \
	do {                                                                                       \
		const char *there = value_of((s), (name));                                         \
		assert_non_null(there);                                                            \
		assert_string_equal(there, (expected));                                            \
	} while (0)
#define assert_no_header(s, name) assert_null(value_of((s), (name)))

#endif
