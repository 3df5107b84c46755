/*
 * utf8.c: text as characters: well-formed or made so, cut between characters, folded.
 */
#include "shared/utf8.h"

#include <locale.h>
#include <string.h>
#include <wctype.h>

#include "shared/text.h"

/* What a lead byte promises: how many bytes follow, and which the first of them may be. */
struct lead {
	unsigned follow;
	unsigned char low, high;
};

static struct lead lead_of(unsigned char c)
{
	if (c >= 0xC2 && c <= 0xDF)
		return (struct lead){1, 0x80, 0xBF};
	if (c >= 0xE0 && c <= 0xEF) /* E0: overlong below A0; ED: surrogates from A0 */
		return (struct lead){2, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF};
	if (c >= 0xF0 && c <= 0xF4) /* F0: overlong below 90; F4: above U+10FFFF from 90 */
		return (struct lead){3, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF};
	return (struct lead){0, 0, 0};
}

uint32_t utf8_next(struct span *rest)
{
	unsigned char first = *rest->at++;
	rest->len--;
	if (first < 0x80)
		return first;
	struct lead lead = lead_of(first);
	uint32_t c = first & (0x3F >> lead.follow);
	for (unsigned i = 0; i < lead.follow; i++) {
		unsigned char next = rest->len ? *rest->at : 0;
		if (next < lead.low || next > lead.high)
			return UTF8_ILL;
		c = c << 6 | (next & 0x3F);
		rest->at++;
		rest->len--;
		lead.low = 0x80;
		lead.high = 0xBF;
	}
	return lead.follow ? c : UTF8_ILL;
}

size_t utf8_put(uint32_t c, char to[4])
{
	if (c == UTF8_ILL)
		c = UTF8_REPLACEMENT;
	if (c < 0x80) {
		to[0] = c;
		return 1;
	}
	size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		to[i] = 0x80 | (c & 0x3F);
	to[0] = (0xF00 >> len & 0xFF) | c;
	return len;
}

bool utf8_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

bool utf8_is_bidi_control(uint32_t c)
{
	return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
	       (c >= 0x2066 && c <= 0x2069);
}

bool text_is_utf8(struct span s)
{
	while (s.len)
		if (utf8_next(&s) == UTF8_ILL)
			return false;
	return true;
}

size_t text_utf8_cut(struct span s, size_t max)
{
	if (s.len <= max)
		return s.len;
	size_t end = max;
	while (end && max - end < 4 && ((unsigned char)s.at[end] & 0xC0) == 0x80)
		end--;
	/* four continuation bytes in a row belong to no character: any cut is as good */
	return max - end < 4 ? end : max;
}

/* Copy character by character, each through `map`; returns the bytes needed. */
static size_t convert(struct span s, char *to, size_t room, uint32_t (*map)(uint32_t))
{
	size_t need = 0, end = 0;
	while (s.len) {
		char bytes[4];
		size_t len = utf8_put(map(utf8_next(&s)), bytes);
		if (end == need && need + len < room) {
			memcpy(to + need, bytes, len);
			end += len;
		}
		need += len;
	}
	if (room)
		to[end] = '\0';
	return need;
}

static uint32_t as_it_is(uint32_t c)
{
	return c;
}

size_t text_clean_utf8(struct span raw, char *to, size_t room)
{
	return convert(raw, to, room, as_it_is);
}

/* ---- case folding ---------------------------------------------------------------------------- */

/* Made before main(), because a jailed worker can open no locale; read-only ever after. The
 * process's own locale stays "C": formats and parsers depend on it. */
static locale_t unicode;

__attribute__((constructor)) static void make_unicode(void)
{
	unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

/* Up and down again, so that the three Greek sigmas and the long s meet their kin. */
static uint32_t fold(uint32_t c)
{
	if (c < 0x80)
		return text_lower((char)c);
	if (c == UTF8_ILL || !unicode)
		return c;
	return towlower_l(towupper_l(c, unicode), unicode);
}

size_t text_fold(struct span s, char *to, size_t room)
{
	size_t need = convert(s, to, room, fold);
	return need < room ? need : room ? strlen(to) : 0;
}
