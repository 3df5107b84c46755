/*
 * multipart.c: RFC 7578 forms, taken apart as they stream by.
 *
 * A delimiter is CRLF "--" boundary and then CRLF, "--", or blanks and CRLF; anything else is data.
 * The CRLF in front may be one that counts for something else too: the start of the body stands in
 * for it, and so does the empty line after a part's header (RFC 2046 lets a part have no body at
 * all). The machine calls these two bytes the phantom: matched, but never data.
 *
 * Where a chunk ends inside what may be a delimiter, nothing needs to be copied: what has matched
 * is a beginning of the needle, and is handed out from there should it turn out to be data. Only
 * the few bytes behind a whole needle are kept. The needle has one CR, its first byte; so a match
 * that breaks off never hides the beginning of another.
 */
#include "body/inside.h"

#include <stdlib.h>
#include <string.h>

/* Blanks allowed behind a boundary (RFC 2046 transport-padding). More of them make it data. */
enum { PADDING_MAX = 256 };

static const char lead[] = "\r\n--";
enum { LEAD = sizeof lead - 1, PHANTOM = 2 };

enum state { MATCHING, SCANNING, JUDGING, READING_HEADS, EPILOGUE };

struct multipart {
	struct hands hands;
	enum fault fault; /* the first one stays */
	enum state state;
	char needle[LEAD + BOUNDARY_MAX];
	size_t needle_len;
	size_t matched;		    /* MATCHING: bytes of the needle that ended the last chunk */
	size_t phantom;		    /* of these, bytes that are not data: 0 or PHANTOM */
	char tail[PADDING_MAX + 2]; /* JUDGING: what came behind the needle */
	size_t tail_len;
	bool in_part;
	bool unbegun; /* a nameless file: begins with its first byte, or never */
	struct heads heads;
	size_t line, block_len; /* READING_HEADS: start of the line under way, bytes so far */
	char block[PART_HEADERS_MAX];
};

/* ---- events ---------------------------------------------------------------------------------- */

static enum fault give(struct multipart *m, const char *at, size_t len, struct refusal *why)
{
	enum fault f = FAULT_NONE;
	if (!m->in_part || len == 0)
		return FAULT_NONE;
	if (m->unbegun)
		f = m->hands.begin(m->hands.self, &m->heads.part, why);
	m->unbegun = false;
	return f ? f : m->hands.write(m->hands.self, at, len, why);
}

/* The needle was none after all. */
static enum fault give_matched(struct multipart *m, struct refusal *why)
{
	enum fault f = give(m, m->needle + m->phantom, m->matched - m->phantom, why);
	m->matched = m->phantom = 0;
	m->state = SCANNING;
	return f;
}

static void await_delimiter(struct multipart *m)
{
	m->matched = m->phantom = PHANTOM;
	m->state = MATCHING;
}

static enum fault begin_part(struct multipart *m, struct refusal *why)
{
	enum fault f = heads_end(&m->heads, why);
	if (f)
		return f;
	const struct part *part = &m->heads.part;
	m->in_part = true;
	m->unbegun = part->is_file && part->name.len == 0;
	await_delimiter(m);
	return m->unbegun ? FAULT_NONE : m->hands.begin(m->hands.self, part, why);
}

static enum fault end_part(struct multipart *m, struct refusal *why)
{
	bool begun = m->in_part && !m->unbegun;
	m->in_part = m->unbegun = false;
	return begun ? m->hands.end(m->hands.self, why) : FAULT_NONE;
}

/* ---- what stands behind a needle ------------------------------------------------------------- */

enum verdict { OPEN, DATA, NEXT, CLOSE }; /* OPEN: more bytes must tell */

static enum verdict judge(const char *at, size_t len, size_t *eaten)
{
	size_t n = 0;
	if (len > 0 && at[0] == '-') {
		*eaten = 2;
		return len < 2 ? OPEN : at[1] == '-' ? CLOSE : DATA;
	}
	while (n < len && n <= PADDING_MAX && (at[n] == ' ' || at[n] == '\t'))
		n++;
	if (n > PADDING_MAX || (n < len && at[n] != '\r'))
		return DATA;
	if (len < n + 2)
		return OPEN;
	*eaten = n + 2;
	return at[n + 1] == '\n' ? NEXT : DATA;
}

static enum fault delimiter(struct multipart *m, enum verdict v, struct refusal *why)
{
	m->state = v == CLOSE ? EPILOGUE : READING_HEADS;
	m->heads = (struct heads){0};
	m->line = m->block_len = 0;
	return end_part(m, why);
}

/* ---- the states: each takes what it can off `rest` ------------------------------------------- */

static enum fault match(struct multipart *m, struct span *rest, struct refusal *why)
{
	size_t want = m->needle_len - m->matched;
	size_t n = want < rest->len ? want : rest->len;
	if (memcmp(rest->at, m->needle + m->matched, n) != 0)
		return give_matched(m, why);
	m->matched += n;
	span_take(rest, n);
	if (n == want) {
		m->state = JUDGING;
		m->tail_len = 0;
	}
	return FAULT_NONE;
}

/* Length of the needle's beginning that ends s. It can only start at the last CR. */
static size_t match_at_end(const struct multipart *m, struct span s)
{
	size_t window = s.len < m->needle_len - 1 ? s.len : m->needle_len - 1;
	const char *end = s.at + s.len;
	const char *cr = memrchr(end - window, '\r', window);
	return cr != NULL && memcmp(cr, m->needle, (size_t)(end - cr)) == 0 ? (size_t)(end - cr)
									    : 0;
}

/* No delimiter in `rest`: all of it is data, but for what may be the beginning of one. */
static enum fault give_all(struct multipart *m, struct span *rest, struct refusal *why)
{
	size_t held = match_at_end(m, *rest);
	const char *at = rest->at;
	size_t len = rest->len - held;
	span_take(rest, rest->len);
	m->matched = held;
	m->state = held > 0 ? MATCHING : SCANNING;
	return give(m, at, len, why);
}

static enum fault scan(struct multipart *m, struct span *rest, struct refusal *why)
{
	const char *from = rest->at, *end = rest->at + rest->len, *hit, *behind;
	enum verdict v = DATA;
	size_t eaten = 0;
	while (v == DATA) {
		hit = body_search(from, (size_t)(end - from), m->needle, m->needle_len);
		if (hit == NULL)
			return give_all(m, rest, why);
		from = behind = hit + m->needle_len;
		v = judge(behind, (size_t)(end - behind), &eaten);
	}
	enum fault f = give(m, rest->at, (size_t)(hit - rest->at), why);
	*rest = (struct span){behind, (size_t)(end - behind)};
	if (f)
		return f;
	if (v == OPEN) {
		m->matched = m->needle_len;
		m->tail_len = 0;
		m->state = JUDGING;
		return FAULT_NONE;
	}
	span_take(rest, eaten);
	return delimiter(m, v, why);
}

static enum fault weigh(struct multipart *m, struct span *rest, struct refusal *why)
{
	size_t room = sizeof m->tail - m->tail_len, eaten = 0;
	size_t n = room < rest->len ? room : rest->len;
	memcpy(m->tail + m->tail_len, rest->at, n);
	enum verdict v = judge(m->tail, m->tail_len + n, &eaten);
	if (v == OPEN) {
		m->tail_len += n;
		span_take(rest, n);
		return FAULT_NONE;
	}
	if (v == DATA) { /* this chunk's bytes stay in it: the next needle may begin there */
		enum fault f = give_matched(m, why);
		return f ? f : give(m, m->tail, m->tail_len, why);
	}
	span_take(rest, eaten - m->tail_len);
	return delimiter(m, v, why);
}

static enum fault take_line(struct multipart *m, struct refusal *why)
{
	char *line = m->block + m->line;
	size_t len = m->block_len - m->line;
	if (len < 2 || line[len - 2] != '\r')
		return refuse(why, FAULT_BAD_MULTIPART,
		    "A header line of a part ends with LF alone; CRLF is expected.");
	if (len == 2)
		return begin_part(m, why);
	m->line = m->block_len;
	return heads_line(&m->heads, line, len - 2, why);
}

static enum fault read_heads(struct multipart *m, struct span *rest, struct refusal *why)
{
	size_t room = sizeof m->block - m->block_len;
	size_t look = room < rest->len ? room : rest->len;
	const char *lf = memchr(rest->at, '\n', look);
	size_t n = lf == NULL ? look : (size_t)(lf - rest->at) + 1;
	memcpy(m->block + m->block_len, rest->at, n);
	m->block_len += n;
	span_take(rest, n);
	enum fault f = lf == NULL ? FAULT_NONE : take_line(m, why);
	if (!f && m->state == READING_HEADS && m->block_len == sizeof m->block)
		return refuse(why, FAULT_BAD_MULTIPART,
		    "The header of a part is longer than %d bytes.", PART_HEADERS_MAX);
	return f;
}

static enum fault ignore(struct multipart *m, struct span *rest, struct refusal *why)
{
	span_take(rest, rest->len);
	return FAULT_NONE;
}

static enum fault (*const states[])(struct multipart *, struct span *, struct refusal *) = {
    [MATCHING] = match,
    [SCANNING] = scan,
    [JUDGING] = weigh,
    [READING_HEADS] = read_heads,
    [EPILOGUE] = ignore,
};

/* ---- the interface --------------------------------------------------------------------------- */

struct multipart *multipart_new(
    struct span content_type, const struct hands *hands, struct refusal *why)
{
	struct span boundary;
	if (boundary_of(content_type, &boundary, why))
		return NULL;
	/* Not calloc: the block's pages are touched only where a header reaches them. */
	struct multipart *m = malloc(sizeof *m);
	if (m == NULL) {
		refuse(why, FAULT_INTERNAL, NULL);
		return NULL;
	}
	memset(m, 0, offsetof(struct multipart, block));
	m->hands = *hands;
	memcpy(m->needle, lead, LEAD);
	memcpy(m->needle + LEAD, boundary.at, boundary.len);
	m->needle_len = LEAD + boundary.len;
	await_delimiter(m);
	return m;
}

enum fault multipart_feed(struct multipart *m, const void *bytes, size_t len, struct refusal *why)
{
	struct span rest = {bytes, len};
	if (m->fault)
		return refuse(why, m->fault, NULL);
	while (rest.len > 0 && !m->fault)
		m->fault = states[m->state](m, &rest, why);
	return m->fault;
}

enum fault multipart_end(struct multipart *m, struct refusal *why)
{
	if (m->fault)
		return refuse(why, m->fault, NULL);
	if (m->state == EPILOGUE)
		return FAULT_NONE;
	return refuse(why, FAULT_BAD_MULTIPART, "The form ends before its closing boundary%s.",
	    m->in_part ? ", inside a part"
	    : m->state == READING_HEADS
		? ", inside the header of a part"
		: "; no part was found. Does the body use the boundary that "
		  "Content-Type declares?");
}

void multipart_free(struct multipart *m)
{
	free(m);
}
