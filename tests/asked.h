/*
 * asked.h: a request out of an environment, parsed.
 */
#ifndef WAYBILL_TESTS_ASKED_H
#define WAYBILL_TESTS_ASKED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "accept/accept.h"
#include "accept/pace.h"
#include "memory.h"

struct bench {
	struct memory m;
	struct config config;
	struct request request;
	struct refusal why;
	struct scratch scratch;
	char room[32 * 1024];
};

static inline void setup(struct bench *b, const char *method, const char *uri)
{
	memset(b, 0, sizeof *b);
	memory_start(&b->m);
	b->config.max_bytes = 1000;
	b->config.max_files = 3;
	b->config.allowed_origins = (char *)"";
	b->config.base = (char *)"";
	b->scratch = (struct scratch){b->room, 0, sizeof b->room};
	memory_env(&b->m, "REQUEST_METHOD", method);
	memory_env(&b->m, "REQUEST_URI", uri);
	memory_env(&b->m, "HTTP_HOST", "files.example");
}

static inline enum fault parse(struct bench *b)
{
	refusal_clear(&b->why);
	b->scratch.used = 0;
	return request_parse(&b->request, &b->m.x, &b->config, &b->scratch, &b->why);
}

static inline void assert_span(struct span s, const char *text)
{
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.at, text, s.len);
}

#endif
