/*
 * utf8.h: characters out of bytes, one at a time. Private to shared/; others use text.h.
 *
 * Ill-formed input (RFC 3629: overlong, surrogates, above U+10FFFF, cut short) is read as one
 * UTF8_ILL for each maximal subpart, as the Unicode Standard recommends (3.9, table 3-8), so
 * that every decoder in the world sees the same number of replacement characters.
 */
#ifndef WAYBILL_UTF8_H
#define WAYBILL_UTF8_H

#include "shared/flow.h"

#define UTF8_ILL UINT32_MAX	 /* no character */
#define UTF8_REPLACEMENT 0xFFFDu /* what stands for it */

/* Eat one character off a span that is not empty. */
uint32_t utf8_next(struct span *rest);
/* Write a character (UTF8_ILL: the replacement); returns its 1 to 4 bytes. */
size_t utf8_put(uint32_t c, char to[4]);
/* C0, DEL or C1. */
bool utf8_is_control(uint32_t c);
/* Bidi_Control of the Unicode Character Database: can make exe.txt look like txt.exe. */
bool utf8_is_bidi_control(uint32_t c);

#endif
