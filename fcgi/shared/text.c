/*
 * text.c: spans, numbers, percent-encoding, ids and hex: text as bytes. What needs to know of
 * characters is in utf8.c and name.c, of header values in media.c, of the calendar in time.c.
 */
#include "shared/text.h"

#include <stdio.h>
#include <string.h>

char *scratch_take(struct scratch *s, size_t len)
{
	if (len > s->size - s->used)
		return NULL;
	char *at = s->at + s->used;
	s->used += len;
	return at;
}

/* ---- spans ----------------------------------------------------------------------------------- */

struct span span_of(const char *text)
{
	return (struct span){text, text ? strlen(text) : 0};
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span s)
{
	while (s.len && is_blank(s.at[0]))
		span_take(&s, 1);
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

struct span span_without_slashes(struct span s, size_t least)
{
	while (s.len > least && s.at[s.len - 1] == '/')
		s.len--;
	return s;
}

bool span_same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool span_is(struct span s, const char *text)
{
	return s.at && span_same(s, span_of(text));
}

bool span_same_nocase(struct span a, struct span b)
{
	bool same = a.len == b.len;
	for (size_t i = 0; i < a.len && same; i++)
		same = text_lower(a.at[i]) == text_lower(b.at[i]);
	return same;
}

bool span_is_nocase(struct span s, const char *text)
{
	return s.at && span_same_nocase(s, span_of(text));
}

bool span_starts_nocase(struct span s, const char *prefix)
{
	return span_is_nocase(span_take(&s, strlen(prefix)), prefix);
}

bool span_consists_of(struct span s, const char *set)
{
	for (size_t i = 0; i < s.len; i++)
		if (!s.at[i] || !strchr(set, s.at[i]))
			return false;
	return true;
}

struct span span_take(struct span *s, size_t most)
{
	struct span taken = {s->at, s->len < most ? s->len : most};
	s->at += taken.len;
	s->len -= taken.len;
	return taken;
}

bool span_skip(struct span *s, struct span prefix)
{
	struct span rest = *s;
	if (!span_same(span_take(&rest, prefix.len), prefix))
		return false;
	*s = rest;
	return true;
}

struct span span_cut(struct span *rest, char stop)
{
	struct span head = *rest;
	const char *found = rest->len ? memchr(rest->at, stop, rest->len) : NULL;
	if (!found) {
		*rest = (struct span){NULL, 0};
		return head;
	}
	head.len = found - head.at;
	span_take(rest, head.len + 1);
	return head;
}

char *span_copy(char *to, size_t room, struct span s)
{
	if (!room)
		return to;
	size_t len = s.len < room ? s.len : room - 1;
	if (len)
		memcpy(to, s.at, len);
	to[len] = '\0';
	return to;
}

char *span_lower(char *to, struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		to[i] = text_lower(s.at[i]);
	to[s.len] = '\0';
	return to;
}

void text_blank_controls(char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text_is_control(at[i]))
			at[i] = ' ';
}

bool text_is_visible(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] > '~')
			return false;
	return true;
}

/* ---- numbers and escapes --------------------------------------------------------------------- */

bool text_number(struct span s, int64_t *value)
{
	int64_t n = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, s.at[i] - '0', &n))
			return false;
	}
	if (!s.len)
		return false;
	*value = n;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = text_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that two hex digits spell, or -1. */
static int hex_byte(const char *at)
{
	int high = hex_value(at[0]), low = high < 0 ? -1 : hex_value(at[1]);
	return low < 0 ? -1 : high * 16 + low;
}

int text_escaped(struct span s)
{
	return s.len > 2 && s.at[0] == '%' ? hex_byte(s.at + 1) : -1;
}

bool text_percent_decode(struct span s, bool plus, struct scratch *scratch, struct span *out)
{
	size_t mark = scratch->used, len = 0;
	char *to = scratch_take(scratch, s.len);
	if (!to)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int c = s.at[i] == '+' && plus ? ' ' : (unsigned char)s.at[i];
		if (s.at[i] == '%') {
			c = text_escaped((struct span){s.at + i, s.len - i});
			i += 2;
		}
		if (c < 0) {
			scratch->used = mark;
			return false;
		}
		to[len++] = c;
	}
	scratch->used = mark + len;
	*out = (struct span){to, len};
	return true;
}

static bool is_unreserved(char c)
{
	char l = text_lower(c);
	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

size_t text_percent_encode(char *to, size_t room, struct span s)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t need = 0, end = 0;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.at[i];
		char code[3] = {'%', digits[c >> 4], digits[c & 15]};
		size_t len = is_unreserved(c) ? 1 : sizeof code;
		/* end < need once something did not fit: an escape is never cut in two */
		if (end == need && need + len < room) {
			memcpy(to + need, len == 1 ? s.at + i : code, len);
			end += len;
		}
		need += len;
	}
	if (room)
		to[end] = '\0';
	return need;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

size_t text_json_length(struct span s)
{
	size_t len = s.len + 2;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.at[i];
		if (c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v'))
			len += 1; /* \n */
		else if (c < 0x20)
			len += 5; /* \u000b */
	}
	return len;
}

bool text_has_controls(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.at[i];
		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return true;
	}
	return false;
}

/* ---- ids and hex ----------------------------------------------------------------------------- */

static const char crockford[] = "0123456789abcdefghjkmnpqrstvwxyz";

void text_id(const uint8_t random[17], char to[ID_LEN + 1])
{
	unsigned word = 0, bits = 0, next = 0;
	for (int i = 0; i < ID_LEN; i++) {
		if (bits < 5) {
			word = word << 8 | random[next++];
			bits += 8;
		}
		bits -= 5;
		to[i] = crockford[word >> bits & 31];
	}
	to[ID_LEN] = '\0';
}

bool text_is_id(struct span s)
{
	return s.len == ID_LEN && span_consists_of(s, crockford);
}

void text_hex(const uint8_t *bytes, size_t len, char *to)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

bool text_unhex(struct span s, uint8_t *to, size_t len)
{
	if (s.len % 2 || s.len / 2 != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int c = hex_byte(s.at + 2 * i);
		if (c < 0)
			return false;
		to[i] = c;
	}
	return true;
}

const char *text_bytes(int64_t bytes, char to[TEXT_FIGURE])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double size = (double)bytes / 1024;
	unsigned unit = 0;

	if (bytes < 1024) {
		snprintf(
		    to, TEXT_FIGURE, "%lld %s", (long long)bytes, bytes == 1 ? "byte" : "bytes");
		return to;
	}
	for (; size >= 1023.95 && unit < 5; unit++)
		size /= 1024;
	snprintf(to, TEXT_FIGURE, "%.1f %s", size, units[unit]);
	return to;
}

const char *text_figure(int64_t bytes, char to[TEXT_FIGURE])
{
	if (bytes < 1024)
		return text_bytes(bytes > 0 ? bytes : 0, to);
	size_t len = strlen(text_bytes(bytes, to));
	snprintf(to + len, TEXT_FIGURE - len, " (%lld bytes)", (long long)bytes);
	return to;
}
