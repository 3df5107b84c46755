/*
 * body.c: the pump. Reads, counts, hashes what has to be hashed, and hands on.
 *
 * A read brings all that is there. It goes on at once: a refusal must not wait for a client that has paused.
 */
#include "body/inside.h"

#include <stdio.h>
#include <string.h>

#include "shared/digest.h"

enum { CLAIMS = 2, DIGEST_MAX = 64, BASE64_MAX = 4 * ((DIGEST_MAX + 2) / 3) + 1 };

typedef enum fault taker(void *self, const void *bytes, size_t len, struct refusal *why);

struct pour {
	struct exchange *x;
	const struct grant *grant;
	char *buffer;
	taker *take;
	void *self;
	int64_t came; /* bytes of the body so far, of those that were allowed */
	bool ended;
	struct digest digest[CLAIMS];
};

/* ---- digests --------------------------------------------------------------------------------- */

/* Both claims by one algorithm are compared with the first digest. */
static bool hashes(const struct grant *grant, int i)
{
	enum digest_algorithm a = grant->claims[i].algorithm;
	return a != DIGEST_NONE && (i == 0 || a != grant->claims[0].algorithm);
}

static void digests_start(struct pour *p)
{
	for (int i = 0; i < CLAIMS; i++)
		if (hashes(p->grant, i))
			digest_start(&p->digest[i], p->grant->claims[i].algorithm);
}

static void digests_add(struct pour *p, const void *bytes, size_t len)
{
	for (int i = 0; i < CLAIMS; i++)
		if (hashes(p->grant, i))
			digest_add(&p->digest[i], bytes, len);
}

static const char *algorithm_name(enum digest_algorithm a)
{
	static const char *const names[] = {
	    [DIGEST_MD5] = "md5",
	    [DIGEST_SHA1] = "sha-1",
	    [DIGEST_SHA256] = "sha-256",
	    [DIGEST_SHA512] = "sha-512",
	};
	return names[a];
}

static enum fault mismatch(
    const struct claim *claim, const uint8_t *true_value, struct refusal *why)
{
	size_t len = digest_length(claim->algorithm);
	char declared[BASE64_MAX], found[BASE64_MAX];
	base64_encode(claim->value, len, declared);
	base64_encode(true_value, len, found);
	return refuse(why, FAULT_DIGEST_MISMATCH,
	    "The %s of the body is %s, but %s was declared; nothing was kept. Send it again.",
	    algorithm_name(claim->algorithm), found, declared);
}

static enum fault digests_compare(struct pour *p, struct refusal *why)
{
	uint8_t value[CLAIMS][DIGEST_MAX] = {{0}};
	for (int i = 0; i < CLAIMS; i++) {
		const struct claim *claim = &p->grant->claims[i];
		if (claim->algorithm == DIGEST_NONE)
			continue;
		if (hashes(p->grant, i))
			digest_end(&p->digest[i], value[i]);
		else
			memcpy(value[i], value[0], DIGEST_MAX);
		if (!digest_same(value[i], claim->value, digest_length(claim->algorithm)))
			return mismatch(claim, value[i], why);
	}
	return FAULT_NONE;
}

/* ---- lengths --------------------------------------------------------------------------------- */

static enum fault broken(const struct pour *p, enum fault f, int64_t came, struct refusal *why)
{
	char of[48] = "";
	if (p->grant->length >= 0)
		snprintf(of, sizeof of, " of the declared %lld", (long long)p->grant->length);
	if (f == FAULT_INCOMPLETE_BODY)
		return refuse(why, f, "The body broke off after %lld%s bytes. Send it again.",
		    (long long)came, of);
	if (f == FAULT_BODY_TIMEOUT)
		return refuse(why, f,
		    "The body stalled after %lld%s bytes. Check the connection and send it again.",
		    (long long)came, of);
	return refuse(why, f, NULL);
}

static enum fault too_long(const struct pour *p, int64_t came, struct refusal *why)
{
	const struct grant *grant = p->grant;
	if (grant->length >= 0)
		return refuse(why, FAULT_INCOMPLETE_BODY,
		    "The body goes on after the declared %lld bytes: at least %lld came. Send it "
		    "again with its true length.",
		    (long long)grant->length, (long long)came);
	return refuse_too_large(why, -1, grant->max_bytes);
}

/* `have` bytes were read. Count them; keep of them what is allowed. */
static enum fault count(struct pour *p, size_t *have, struct refusal *why)
{
	int64_t length = p->grant->length;
	int64_t left = (length >= 0 ? length : p->grant->max_bytes) - p->came;
	if ((int64_t)*have > left) {
		int64_t came = p->came + (int64_t)*have;
		*have = (size_t)left;
		p->came += left;
		return too_long(p, came, why);
	}
	p->came += (int64_t)*have;
	if (p->ended && p->came < length)
		return refuse(why, FAULT_INCOMPLETE_BODY,
		    "The body ended after %lld of the declared %lld bytes. Send it again.",
		    (long long)p->came, (long long)length);
	return FAULT_NONE;
}

/* ---- the pump -------------------------------------------------------------------------------- */

/* What was read before a fault counts. */
static enum fault read_some(struct pour *p, size_t *have, struct refusal *why)
{
	enum fault f = p->x->read(p->x, p->buffer, BODY_BUFFER, have);
	p->ended = !f && *have == 0;
	enum fault counted = count(p, have, why);
	if (!f || counted)
		return counted;
	return broken(p, f, p->came, why);
}

static enum fault hand_on(struct pour *p, size_t len, struct refusal *why)
{
	if (len == 0)
		return FAULT_NONE;
	digests_add(p, p->buffer, len);
	return p->take(p->self, p->buffer, len, why);
}

/* Until the body ends as it should. A body that breaks off is handed on as far as it came: a
 * resumable upload keeps that. Nothing is read after a fault: the answer must not wait. */
static enum fault pour(struct pour *p, struct refusal *why)
{
	digests_start(p);
	while (!p->ended) {
		size_t have;
		struct refusal unheard;
		enum fault wrong = read_some(p, &have, why);
		enum fault refused = hand_on(p, have, wrong ? &unheard : why);
		if (wrong || refused)
			return wrong ? wrong : refused;
	}
	return FAULT_NONE;
}

enum fault body_pour_raw(struct exchange *x, const struct grant *grant, const struct part *part,
    char *buffer, const struct hands *hands, struct refusal *why)
{
	struct pour p = {
	    .x = x, .grant = grant, .buffer = buffer, .take = hands->write, .self = hands->self};
	enum fault f = hands->begin(hands->self, part, why);
	if (!f)
		f = pour(&p, why);
	if (!f)
		f = digests_compare(&p, why);
	return f ? f : hands->end(hands->self, why);
}

static enum fault feed(void *self, const void *bytes, size_t len, struct refusal *why)
{
	return multipart_feed(self, bytes, len, why);
}

static enum fault pour_form(struct pour *p, const struct form *form, struct refusal *why)
{
	enum fault f = pour(p, why);
	if (!f)
		f = multipart_end(p->self, why);
	if (!f)
		f = digests_compare(p, why);
	if (!f && form->files == 0)
		f = refuse(why, FAULT_NO_FILE, NULL);
	return f;
}

enum fault body_pour_form(struct exchange *x, const struct grant *grant, struct span content_type,
    char *buffer, const struct hands *hands, struct fields *fields, struct refusal *why)
{
	struct form form;
	struct refusal unheard;
	why = why != NULL ? why : &unheard;
	form_start(&form, grant, hands, fields);
	struct hands inner = form_hands(&form);
	struct multipart *m = multipart_new(content_type, &inner, why);
	if (m == NULL)
		return why->fault;
	struct pour p = {.x = x, .grant = grant, .buffer = buffer, .take = feed, .self = m};
	enum fault f = pour_form(&p, &form, why);
	multipart_free(m);
	form_free(&form);
	return f;
}
