/* record.c: see record.h. Pure. */
#include <fastcgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept/pairs.h"
#include "shared/text.h"

enum { PARAMS_KEPT = 1 << 16 }; /* bytes of memory, from one request to the next */
enum state { AWAITED, PARAMS, BODY, ENDED, ABORTED, BROKEN };
enum kind {
	SKIPPED,
	BEGIN,
	SOME_PARAMS,
	LAST_PARAMS,
	SOME_BODY,
	LAST_BODY,
	ABORT,
	VALUES,
	UNKNOWN
};

/* ---- what goes back -------------------------------------------------------------------------- */

void record_head(uint8_t to[8], uint8_t type, unsigned request_id, size_t content)
{
	const uint8_t head[8] = {FCGI_VERSION_1, type, (uint8_t)(request_id >> 8),
	    (uint8_t)request_id, (uint8_t)(content >> 8), (uint8_t)content};

	memcpy(to, head, sizeof head);
}

void record_end_request(uint8_t to[16], unsigned request_id, uint8_t protocol_status)
{
	record_head(to, FCGI_END_REQUEST, request_id, 8);
	memset(to + 8, 0, 8);
	to[12] = protocol_status;
}

static enum record_event answer(struct records *r, size_t len)
{
	r->answer_len = len;
	return ++r->managed > MANAGED_MOST ? RECORD_BROKEN : RECORD_ANSWER;
}

static enum record_event refuse_request(struct records *r, unsigned id, uint8_t protocol_status)
{
	record_end_request(r->answer, id, protocol_status);
	return answer(r, 16);
}

static enum record_event answer_unknown(struct records *r)
{
	record_head(r->answer, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, 8);
	memset(r->answer + 8, 0, 8);
	r->answer[8] = r->head[1];
	return answer(r, 16);
}

static const char *const values[] = {FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS};
enum { VALUES_KNOWN = sizeof values / sizeof *values };

/* Each of ours once, however often it was asked for; others have no answer. */
static enum record_event answer_values(struct records *r)
{
	size_t len = FCGI_HEADER_LEN;
	char value[12];

	for (unsigned i = 0; i < VALUES_KNOWN; i++) {
		if (!(r->asked & 1u << i))
			continue;
		snprintf(value, sizeof value, "%u",
		    strcmp(values[i], FCGI_MPXS_CONNS) == 0 ? 0 : r->capacity);
		r->answer[len++] = (uint8_t)strlen(values[i]);
		r->answer[len++] = (uint8_t)strlen(value);
		len += (size_t)snprintf(
		    (char *)r->answer + len, sizeof r->answer - len, "%s%s", values[i], value);
	}
	record_head(r->answer, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, len - FCGI_HEADER_LEN);
	return answer(r, len);
}

/* ---- the values asked for -------------------------------------------------------------------- */

static void note_name(struct records *r)
{
	for (unsigned i = 0; i < VALUES_KNOWN; i++)
		if (strlen(values[i]) == r->name_len &&
		    memcmp(values[i], r->name, r->name_len) == 0)
			r->asked |= 1u << i;
}

static void take_values(struct records *r, struct span content)
{
	struct span piece;
	enum pair_event event;

	while ((event = pairs_next(&r->wanted, &content, &piece)) != PAIR_MORE) {
		if (event == PAIR_OPEN)
			r->name_len = 0;
		if (event != PAIR_NAME)
			continue;
		/* What is longer than all of ours is cut, and still longer. */
		struct span kept = span_take(&piece, sizeof r->name - r->name_len);
		memcpy(r->name + r->name_len, kept.at, kept.len);
		r->name_len += (unsigned)kept.len;
		if (r->wanted.name == 0)
			note_name(r);
	}
}

/* ---- the parameters -------------------------------------------------------------------------- */

/* A pair as it is kept: both lengths, then name and value, each with a NUL. What they hold, NULs
 * too, cannot be taken for another pair. */
struct pair {
	uint32_t name, value;
};

static bool make_room(struct records *r, size_t more)
{
	size_t size = r->size ? r->size : 4096;

	while (size < r->used + more)
		size *= 2;
	if (size == r->size)
		return true;
	char *grown = realloc(r->params, size);
	if (!grown)
		return false;
	r->params = grown;
	r->size = size;
	return true;
}

static bool open_param(struct records *r)
{
	struct pair pair = {r->pairs.name, r->pairs.value};
	size_t len = sizeof pair + (size_t)pair.name + 1 + (size_t)pair.value + 1;

	if (pair.name > PARAMS_MOST || pair.value > PARAMS_MOST || r->used + len > PARAMS_MOST ||
	    !make_room(r, len))
		return false;
	char *at = r->params + r->used;
	memcpy(at, &pair, sizeof pair);
	at[sizeof pair + pair.name] = '\0';
	at[len - 1] = '\0';
	r->fill = r->used + sizeof pair + (pair.name == 0);
	r->used += len;
	return true;
}

static enum record_event take_params(struct records *r, struct span content)
{
	struct span piece;
	enum pair_event event;

	while ((event = pairs_next(&r->pairs, &content, &piece)) != PAIR_MORE) {
		if (event == PAIR_OPEN) {
			if (!open_param(r))
				return RECORD_BROKEN;
			continue;
		}
		memcpy(r->params + r->fill, piece.at, piece.len);
		r->fill += piece.len + (event == PAIR_NAME && r->pairs.name == 0);
	}
	return RECORD_MORE;
}

static const char *find_param(const struct records *r, const char *name, size_t from)
{
	size_t len = strlen(name);
	struct pair pair;

	for (size_t at = from; at < r->used; at += sizeof pair + pair.name + pair.value + 2) {
		const char *text = r->params + at + sizeof pair;
		memcpy(&pair, r->params + at, sizeof pair);
		if (pair.name == len && memcmp(text, name, len) == 0)
			return text + len + 1;
	}
	return NULL;
}

const char *records_param(const struct records *r, const char *name)
{
	return find_param(r, name, 0);
}

const char *records_param_after(const struct records *r, const char *name, const char *before)
{
	struct pair pair;
	size_t head = strlen(name) + 1 + sizeof pair;

	memcpy(&pair, before - head, sizeof pair);
	return find_param(r, name, (size_t)(before - r->params) + pair.value + 1);
}

/* ---- records --------------------------------------------------------------------------------- */

static enum record_event begin(struct records *r)
{
	unsigned id = (unsigned)r->head[2] << 8 | r->head[3];

	if (r->state != AWAITED)
		return id == r->request_id ? RECORD_BROKEN
					   : refuse_request(r, id, FCGI_CANT_MPX_CONN);
	if (((unsigned)r->begin[0] << 8 | r->begin[1]) != FCGI_RESPONDER) {
		r->state = BROKEN; /* once that is said */
		return refuse_request(r, id, FCGI_UNKNOWN_ROLE);
	}
	r->request_id = id;
	r->keep = r->begin[2] & FCGI_KEEP_CONN;
	r->state = PARAMS;
	return RECORD_MORE;
}

/* -1: not at this time, or never. */
static int kind_of_ours(const struct records *r, uint8_t type)
{
	if (type == FCGI_PARAMS && r->state == PARAMS)
		return r->content > 0 ? SOME_PARAMS : LAST_PARAMS;
	if (type == FCGI_STDIN && r->state == BODY)
		return r->content > 0 ? SOME_BODY : LAST_BODY;
	return type == FCGI_ABORT_REQUEST ? ABORT : -1;
}

static int kind_of(const struct records *r)
{
	unsigned id = (unsigned)r->head[2] << 8 | r->head[3];
	uint8_t type = r->head[1];

	if (r->head[0] != FCGI_VERSION_1)
		return -1;
	if (type == FCGI_BEGIN_REQUEST)
		return id != FCGI_NULL_REQUEST_ID && r->content == sizeof r->begin ? BEGIN : -1;
	if (id == FCGI_NULL_REQUEST_ID)
		return type == FCGI_GET_VALUES ? VALUES : UNKNOWN;
	if (r->state == AWAITED || r->state == ENDED || id != r->request_id)
		return SKIPPED; /* of a request that was refused, or is over */
	return kind_of_ours(r, type);
}

static enum record_event open_record(struct records *r)
{
	r->head_len = r->begin_len = 0;
	r->content = (size_t)r->head[4] << 8 | r->head[5];
	r->padding = r->head[6];
	r->kind = kind_of(r);
	if (r->kind == VALUES) {
		r->wanted = (struct pairs){0};
		r->asked = 0;
	}
	return r->kind < 0 ? RECORD_BROKEN : RECORD_MORE;
}

static enum record_event close_record(struct records *r)
{
	switch (r->kind) {
	case BEGIN:
		return begin(r);
	case LAST_PARAMS:
		r->state = BODY;
		return pairs_at_rest(&r->pairs) ? RECORD_REQUEST : RECORD_BROKEN;
	case LAST_BODY:
		r->state = ENDED;
		return RECORD_END;
	case ABORT:
		r->state = ABORTED;
		return RECORD_ABORT;
	case VALUES:
		return answer_values(r);
	case UNKNOWN:
		return answer_unknown(r);
	default:
		return RECORD_MORE;
	}
}

static enum record_event take_content(struct records *r, struct span *in, struct span *body)
{
	struct span content = span_take(in, r->content);
	enum record_event event = RECORD_MORE;

	r->content -= content.len;
	if (r->kind == BEGIN)
		memcpy(r->begin + r->begin_len, content.at, content.len);
	if (r->kind == BEGIN)
		r->begin_len += (unsigned)content.len;
	if (r->kind == SOME_PARAMS)
		event = take_params(r, content);
	if (r->kind == VALUES)
		take_values(r, content);
	if (r->kind == SOME_BODY) {
		*body = content;
		event = RECORD_BODY;
	}
	return event == RECORD_MORE && r->content == 0 ? close_record(r) : event;
}

static enum record_event take_head(struct records *r, struct span *in)
{
	struct span head = span_take(in, sizeof r->head - r->head_len);

	memcpy(r->head + r->head_len, head.at, head.len);
	r->head_len += (unsigned)head.len;
	if (r->head_len < sizeof r->head)
		return RECORD_MORE;
	enum record_event event = open_record(r);
	return event == RECORD_MORE && r->content == 0 ? close_record(r) : event;
}

enum record_event records_next(struct records *r, struct span *in, struct span *body)
{
	enum record_event event = RECORD_MORE;

	if (r->state == BROKEN || r->state == ABORTED)
		return r->state == BROKEN ? RECORD_BROKEN : RECORD_ABORT;
	while (event == RECORD_MORE && in->len > 0) {
		if (r->content > 0)
			event = take_content(r, in, body);
		else if (r->padding > 0)
			r->padding -= span_take(in, r->padding).len;
		else
			event = take_head(r, in);
	}
	if (event == RECORD_BROKEN)
		r->state = BROKEN;
	return event;
}

/* ---- requests -------------------------------------------------------------------------------- */

void records_start(struct records *r, unsigned capacity)
{
	*r = (struct records){.capacity = capacity};
}

bool records_ended(const struct records *r)
{
	return r->state == ENDED;
}

bool records_at_rest(const struct records *r)
{
	return r->head_len == 0 && r->content == 0 && r->padding == 0;
}

void records_again(struct records *r)
{
	r->state = AWAITED;
	r->head_len = r->request_id = r->managed = 0;
	r->content = r->padding = 0;
	r->pairs = (struct pairs){0};
	r->used = 0;
	if (r->size <= PARAMS_KEPT)
		return;
	free(r->params);
	r->params = NULL;
	r->size = 0;
}

void records_free(struct records *r)
{
	free(r->params);
	*r = (struct records){0};
}
