/*
 * content.h: a file that goes out through an exchange in memory.
 */
#ifndef WAYBILL_TESTS_CONTENT_H
#define WAYBILL_TESTS_CONTENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "memory.h"
#include "reply/inside.h"
#include "shared/text.h"

#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define ETAG "\"" HEX "\""
#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define BOUNDARY "waybill-000102030405060708090a0b0c0d0e0f"

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";

struct scene {
	struct memory m;
	struct request request;
	struct reply r;
	struct file file;
	struct content content;
	char buffer[7]; /* small, so that every copy takes several rounds */
};

static inline void set(struct scene *s, size_t size)
{
	memory_start(&s->m);
	s->request = (struct request){.method = METHOD_GET, .base = {"", 0}};
	s->file = (struct file){.id = "0123456789abcdefghjkmnpqrs",
	    .name = "a.txt",
	    .size = (int64_t)size,
	    .type = "text/plain",
	    .fields = "{}",
	    .uploaded_at = 784111777123};
	for (unsigned i = 0; i < SHA256_LEN; i++)
		s->file.sha256[i] = (uint8_t)i;
	int fd = memfd_create("object", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, alphabet, size), size);
	s->content = (struct content){.file = &s->file,
	    .fd = fd,
	    .sendfile = SENDFILE_NONE,
	    .object_path = "/srv/objects/" HEX,
	    .buffer = s->buffer,
	    .room = sizeof s->buffer};
	reply_open(&s->r, &s->m.x, &s->request);
}

static const char *answer(struct scene *s)
{
	reply_content(&s->r, &s->content);
	return memory_answer(&s->m);
}

static inline void strike(struct scene *s)
{
	close(s->content.fd);
	memory_free(&s->m);
}

static const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	assert_non_null(end);
	return end + 4;
}

/* The whole line must be there, not only its beginning. */
static inline bool has(const char *answer, const char *line)
{
	size_t len = strlen(line);
	const char *end = strstr(answer, "\r\n\r\n") + 2;
	for (const char *at = answer; at < end; at = strstr(at, "\r\n") + 2)
		if (strncmp(at, line, len) == 0 && strncmp(at + len, "\r\n", 2) == 0)
			return true;
	return false;
}

static inline bool names(const char *answer, const char *header)
{
	char *prefix = NULL;
	assert_true(asprintf(&prefix, "\r\n%s:", header) > 0);
	const char *at = strstr(answer, prefix);
	bool there = at && at < strstr(answer, "\r\n\r\n");
	free(prefix);
	return there;
}

#endif
