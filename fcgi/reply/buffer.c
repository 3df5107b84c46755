/* buffer.c: bytes that grow, and markup that cannot be broken out of. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "reply/inside.h"

bool buffer_reserve(struct buffer *b, size_t len)
{
	if (b->failed)
		return false;
	if (len <= b->size - b->used)
		return true;
	size_t size = b->size ? b->size : 2048;
	while (size - b->used < len && size <= SIZE_MAX / 2)
		size *= 2;
	char *at = size - b->used < len ? NULL : realloc(b->at, size);
	if (!at) {
		b->failed = true;
		b->size = b->used; /* so that buffer_add() comes here again, and is told again */
		return false;
	}
	b->at = at;
	b->size = size;
	return true;
}

void buffer_text(struct buffer *b, const char *text)
{
	buffer_add(b, text, strlen(text));
}

void buffer_number(struct buffer *b, int64_t n)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
	do
		*--at = (char)('0' + rest % 10);
	while (rest /= 10);
	if (n < 0)
		*--at = '-';
	buffer_add(b, at, (size_t)(digits + sizeof digits - at));
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static void add_escaped(struct buffer *b, struct span s)
{
	size_t done = 0;
	for (size_t i = 0; i < s.len; i++) {
		const char *safe = entity(s.at[i]);
		if (!safe)
			continue;
		buffer_add(b, s.at + done, i - done);
		buffer_text(b, safe);
		done = i + 1;
	}
	buffer_add(b, s.at + done, s.len - done);
}

void buffer_html(struct buffer *b, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	for (const char *at = fmt; *at;) {
		size_t len = strcspn(at, "%");
		buffer_add(b, at, len);
		at += len;
		if (strncmp(at, "%s", 2) == 0) {
			const char *text = va_arg(args, const char *);
			add_escaped(b, (struct span){text, strlen(text)});
			at += 2;
		} else if (strncmp(at, "%.*s", 4) == 0) {
			int cut = va_arg(args, int);
			const char *text = va_arg(args, const char *);
			add_escaped(b, (struct span){text, cut < 0 ? 0 : (size_t)cut});
			at += 4;
		} else if (strncmp(at, "%lld", 4) == 0) {
			buffer_number(b, va_arg(args, long long));
			at += 4;
		} else if (*at) {
			b->failed = true; /* a conversion that is not known here */
			break;
		}
	}
	va_end(args);
}

void buffer_free(struct buffer *b)
{
	free(b->at);
	*b = (struct buffer){0};
}
