/*
 * record_fuzz.c: what a stranger may send to the socket. The first byte chooses how the rest is cut;
 * the same must come of it as of one piece, within bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "accept/record.h"

struct outcome {
	uint64_t events, bytes; /* hashes of what happened, and of the body */
	size_t answered, body;
	bool ended, rest;
};

static void must(bool held)
{
	if (!held)
		abort();
}

static uint64_t hash(uint64_t h, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * 1099511628211ULL;
	return h;
}

static bool note(struct outcome *o, const struct records *r, enum record_event event,
    struct span body, struct span piece)
{
	if (event == RECORD_BODY) {
		must(body.len > 0 && body.at >= piece.at &&
		     body.at + body.len <= piece.at + piece.len);
		o->bytes = hash(o->bytes, body.at, body.len);
		o->body += body.len;
		return true;
	}
	o->events = hash(o->events, &event, sizeof event);
	if (event == RECORD_ANSWER) {
		must(r->answer_len >= 8 && r->answer_len <= RECORD_ANSWER_MOST);
		must(r->answer_len ==
		     8u + ((size_t)r->answer[4] << 8 | r->answer[5]) + r->answer[6]);
		o->events = hash(o->events, r->answer, r->answer_len);
		o->answered++;
	}
	if (event == RECORD_REQUEST) {
		const char *value = records_param(r, "A");
		o->events = hash(o->events, value ? value : "", value ? strlen(value) : 0);
	}
	return event != RECORD_BROKEN && event != RECORD_ABORT;
}

static void run(struct outcome *o, const uint8_t *data, size_t size, size_t most)
{
	struct records r;
	bool goes_on = true;

	memset(o, 0, sizeof *o); /* the padding, too: it is compared */
	records_start(&r, 8);
	for (size_t at = 0; at < size && goes_on;) {
		size_t len = most < size - at ? most : size - at;
		char *copy = malloc(len);
		must(copy != NULL);
		memcpy(copy, data + at, len);
		struct span piece = {copy, len}, in = piece, body = {NULL, 0};
		enum record_event event = RECORD_ANSWER;
		while (goes_on && event != RECORD_MORE) {
			event = records_next(&r, &in, &body);
			goes_on = event == RECORD_MORE || note(o, &r, event, body, piece);
		}
		must(!goes_on || in.len == 0);
		free(copy);
		at += len;
	}
	must(r.used <= PARAMS_MOST && r.size <= 2 * PARAMS_MOST && o->answered <= MANAGED_MOST);
	o->ended = records_ended(&r);
	o->rest = goes_on && records_at_rest(&r);
	records_again(&r);
	must(records_at_rest(&r) && !records_ended(&r));
	records_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;

	if (size < 2)
		return 0;
	run(&whole, data + 1, size - 1, size);
	run(&cut, data + 1, size - 1, 1u + data[0] % 40u);
	must(memcmp(&whole, &cut, sizeof whole) == 0);
	return 0;
}
