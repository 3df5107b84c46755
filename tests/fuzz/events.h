/*
 * events.h: what a multipart machine said, written down so that two runs can be compared.
 *
 * Shared by the room's test and the fuzz target. Writes are joined: they may be cut anywhere, their
 * bytes may not differ.
 */
#ifndef WAYBILL_TESTS_EVENTS_H
#define WAYBILL_TESTS_EVENTS_H

#include <stdlib.h>
#include <string.h>

#include "body/body.h"

struct events {
	char *text; /* begin(...) data end(...) ... */
	size_t len, room;
	bool open; /* between begin and end */
	unsigned begins, ends, writes;
	enum fault fault; /* of the machine */
	struct refusal why;
};

static inline void events_add(struct events *e, const void *bytes, size_t len)
{
	if (e->len + len + 1 > e->room) {
		e->room = 2 * (e->len + len) + 256;
		e->text = realloc(e->text, e->room);
		if (e->text == NULL)
			abort();
	}
	if (len > 0)
		memcpy(e->text + e->len, bytes, len);
	e->len += len;
	e->text[e->len] = '\0';
}

static inline void events_span(struct events *e, const char *label, struct span s)
{
	events_add(e, label, strlen(label));
	events_add(e, s.at == NULL ? "-" : "\"", 1);
	events_add(e, s.at, s.len);
	events_add(e, "\"", s.at == NULL ? 0 : 1);
}

static inline enum fault events_begin(void *self, const struct part *part, struct refusal *why)
{
	struct events *e = self;
	if (e->open)
		abort();
	e->open = true;
	e->begins++;
	events_add(e, part->is_file ? "{file" : "{field", part->is_file ? 5 : 6);
	events_span(e, " ", part->field);
	events_span(e, " ", part->name);
	events_span(e, " ", part->declared_type);
	events_add(e, ":", 1);
	return FAULT_NONE;
}

static inline enum fault events_write(
    void *self, const void *bytes, size_t len, struct refusal *why)
{
	struct events *e = self;
	if (!e->open || len == 0)
		abort();
	e->writes++;
	events_add(e, bytes, len);
	return FAULT_NONE;
}

static inline enum fault events_end(void *self, struct refusal *why)
{
	struct events *e = self;
	if (!e->open)
		abort();
	e->open = false;
	e->ends++;
	events_add(e, "}", 1);
	return FAULT_NONE;
}

static inline struct hands events_hands(struct events *e)
{
	return (struct hands){e, events_begin, events_write, events_end};
}

/* Pieces are fed from memory of their own, so that a sanitizer sees a read past their end. */
static inline enum fault events_feed_piece(
    struct multipart *m, const char *at, size_t len, struct refusal *why)
{
	char *piece = malloc(len > 0 ? len : 1);
	if (piece == NULL)
		abort();
	if (len > 0)
		memcpy(piece, at, len);
	enum fault f = multipart_feed(m, piece, len, why);
	free(piece);
	return f;
}

/* Feed a body in pieces of 1 to `most` bytes (0: whole), chosen by `seed` (0: all of them `most`).
 */
static inline void events_of(
    struct events *e, struct span type, struct span body, size_t most, unsigned long long seed)
{
	*e = (struct events){0};
	events_add(e, "", 0);
	struct hands hands = events_hands(e);
	struct multipart *m = multipart_new(type, &hands, &e->why);
	e->fault = m == NULL ? e->why.fault : FAULT_NONE;
	for (size_t at = 0; m != NULL && at < body.len && e->fault == FAULT_NONE;) {
		size_t len = most == 0 ? body.len : most;
		if (seed != 0 && most > 1) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			len = 1 + (size_t)(seed >> 33) % most;
		}
		len = len < body.len - at ? len : body.len - at;
		e->fault = events_feed_piece(m, body.at + at, len, &e->why);
		at += len;
	}
	if (m != NULL && e->fault == FAULT_NONE)
		e->fault = multipart_end(m, &e->why);
	multipart_free(m);
}

static inline bool events_same(const struct events *a, const struct events *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0 && a->fault == b->fault &&
	       a->begins == b->begins && a->ends == b->ends &&
	       strcmp(a->why.detail, b->why.detail) == 0;
}

static inline void events_free(struct events *e)
{
	free(e->text);
	*e = (struct events){0};
}

#endif
