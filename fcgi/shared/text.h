/*
 * text.h: what every room must know about text from outside. Pure: no I/O, no allocation, no state,
 * but for the character tables of text_fold(), loaded before main(), and today's date, which a
 * two-digit year in text_parse_http_date() leans on.
 *
 * text.c: spans, numbers, escapes, ids. utf8.c: characters. name.c: file names. media.c: media
 * types, globs, parameters. time.c: times, durations, sizes.
 */
#ifndef WAYBILL_TEXT_H
#define WAYBILL_TEXT_H

#include "shared/flow.h"

/* A bump allocator over a caller's fixed buffer; text cut from it lives as long as the buffer. */
struct scratch {
	char *at;
	size_t used, size;
};
/* `len` bytes, or NULL when full. Not aligned: for text. */
char *scratch_take(struct scratch *s, size_t len);

struct span span_of(const char *text);		      /* NULL: absent */
struct span span_trim(struct span s);		      /* without SP and HTAB at both ends */
/* Without the slashes at its end, but for the first `least` bytes. */
struct span span_without_slashes(struct span s, size_t least);
bool span_same(struct span a, struct span b);	      /* same bytes */
bool span_is(struct span s, const char *text);	      /* likewise; an absent one is no text */
bool span_same_nocase(struct span a, struct span b);  /* same but for ASCII case */
bool span_is_nocase(struct span s, const char *text);
bool span_starts_nocase(struct span s, const char *prefix);
/* Is each byte among those of `set`? NUL is in none. */
bool span_consists_of(struct span s, const char *set);
/* The first `most` bytes of *s, or all of it, cut off. */
struct span span_take(struct span *s, size_t most);
/* Cut `prefix` off the front. False: it does not stand there. */
bool span_skip(struct span *s, struct span prefix);
/* Cut off and return what stands before the first `stop`. Where there is none, all of it, and *rest
 * is then absent: `while (rest.at) { item = span_cut(&rest, ','); ... }` sees every item. */
struct span span_cut(struct span *rest, char stop);
/* Copy with a NUL, cut to fit; returns `to`. */
char *span_copy(char *to, size_t room, struct span s);
/* The same in lower case (ASCII); `to` has room for s.len + 1 bytes. */
char *span_lower(char *to, struct span s);

/* The C library's tolower() asks the locale; protocols mean ASCII. */
static inline char text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* C0 or DEL. */
static inline bool text_is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}
/* These become blanks: nothing from outside may end a line, or begin another. */
void text_blank_controls(char *at, size_t len);
/* Characters of ASCII that are seen, and nothing else; true of none. */
bool text_is_visible(struct span s);

/* Sets for span_consists_of(). */
#define TEXT_DIGITS "0123456789"
#define TEXT_LOWER "abcdefghijklmnopqrstuvwxyz"
#define TEXT_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ" TEXT_LOWER

/* 1*DIGIT and nothing else, up to 2^63-1. */
bool text_number(struct span s, int64_t *value);
/* The byte that "%XX" at the front of `s` stands for; -1: no such thing stands there. */
int text_escaped(struct span s);
/* Percent-decode into scratch, which may begin where `s` does; '+' is a blank only with `plus`. False:
 * bad escape or scratch full. */
bool text_percent_decode(struct span s, bool plus, struct scratch *scratch, struct span *out);
/* %XX for all but RFC 3986 unreserved. Returns bytes needed (like snprintf), NUL-terminates. */
size_t text_percent_encode(char *to, size_t room, struct span s);

bool text_is_utf8(struct span s);
/* Length of the longest prefix of at most `max` bytes that ends at a character's end (of text that
 * is well-formed; of other text, some prefix). */
size_t text_utf8_cut(struct span s, size_t max);

/*
 * A file name fit to be shown and stored, out of whatever a client sent: last component after '/'
 * or '\', invalid UTF-8 replaced by U+FFFD, control and bidirectional override characters removed,
 * blanks at the ends trimmed, at most NAME_BYTES bytes (cut at a character, the extension kept);
 * "unnamed" when nothing is left, or "." or "..". Writes at most NAME_BYTES + 1 bytes.
 */
void text_clean_name(struct span raw, char to[NAME_BYTES + 1]);
/*
 * Folders as a browser names them (webkitRelativePath), for people to read; never a path on disk.
 * Each is cleaned as a name is, "/" between them, whatever of '/' and '\\' stood there; empty ones,
 * "." and ".." are left out. Empty: none is left. False: over FOLDER_BYTES.
 */
bool text_clean_path(struct span raw, char to[FOLDER_BYTES + 1]);
/* Bytes of the last path component of `raw`, uncut: what name_too_long judges. */
size_t text_name_length(struct span raw);
/* Valid UTF-8 out of anything (U+FFFD for what is not). Returns bytes needed, NUL-terminates. */
size_t text_clean_utf8(struct span raw, char *to, size_t room);
/* Bytes of the JSON string, quotes included, that UTF-8 becomes. */
size_t text_json_length(struct span s);
/* Control characters (C0) other than tab, line feed and carriage return. */
bool text_has_controls(struct span s);
/* The same text for a search that ignores case: simple Unicode case folding. `to` needs
 * 2 * s.len + 1 bytes for UTF-8, 3 * s.len + 1 where ill-formed bytes become U+FFFD; what does not
 * fit is cut off at a character. Returns the length of what `to` holds. The C.UTF-8 locale
 * (libc-bin) is opened before main(), so jails do not matter; without it only ASCII is folded. */
size_t text_fold(struct span s, char *to, size_t room);

/* RFC 9110 5.6.2: one or more tchar. */
bool text_is_token(struct span s);
/* The path of http(s)://host/path, empty where nothing stands behind the host; anything else as it is. */
struct span text_url_path(struct span url);
/* type "/" subtype of RFC 9110 tokens, parameters cut off, lower-cased. False: not one, or longer
 * than TYPE_BYTES. */
bool text_media_type(struct span raw, char to[TYPE_BYTES + 1]);
/* Does lower-case `type` match the glob ("image/" "*", or a whole one)? '*' matches any run. */
bool text_glob(struct span glob, struct span type);
/* Does it match any of a comma-separated list of globs? */
bool text_glob_list(const char *globs, const char *type);

/*
 * Cut the next parameter off *rest, which begins behind a header value's first ';': name=value or
 * name="value" (RFC 9110 5.6.6), as it is really sent. The value is what stands between the quotes,
 * quoted-pairs left in: a quote behind an odd number of backslashes closes nothing, which is right for RFC
 * 9110, for the \" of older browsers, and for Windows paths that end in one. Without quotes it may be more
 * than a token: boundaries with '/' or ':' and names in raw UTF-8 come like that. BAD: neither.
 *
 * `lenient` puts up with blanks around '=', blanks in a bare value and an empty one, items without '=', names
 * that are no tokens, and with what browsers send for a name that ends in a backslash, filename="a\".
 */
struct parameter {
	struct span name, value;
};
enum parameter_found { PARAMETER_FOUND, PARAMETER_END, PARAMETER_BAD };
enum parameter_found text_parameter_next(
    struct span *rest, bool lenient, struct parameter *found);
/* The first of that name in a header value (`form-data; name="x"`), read leniently. False: not there, or
 * malformed before it. */
bool text_parameter(struct span header, const char *name, struct span *value);
/* An ext-value (RFC 8187), UTF-8'language'percent-encoded, decoded into scratch, which may begin where it
 * does. False: another charset, or a bad escape, or scratch is full. */
bool text_extended(struct span value, struct scratch *scratch, struct span *text);

/* 26 characters of lower-case Crockford base32: 130 bits of 17 random bytes. */
void text_id(const uint8_t random[17], char to[ID_LEN + 1]);
bool text_is_id(struct span s);
void text_hex(const uint8_t *bytes, size_t len, char *to); /* 2 * len + 1 bytes */
bool text_unhex(struct span s, uint8_t *to, size_t len);

/* For people: "441.6 KiB"; where figures are compared: "441.6 KiB (452230 bytes)". Return `to`. */
enum { TEXT_FIGURE = 48 };
const char *text_bytes(int64_t bytes, char to[TEXT_FIGURE]);
const char *text_figure(int64_t bytes, char to[TEXT_FIGURE]);

/* "2026-11-22T11:33:00.123Z" (25 bytes with NUL) and RFC 3339 back: any offset, any fraction (cut
 * to ms), and :60 as the second after :59. ms since epoch. */
void text_time(int64_t ms, char to[32]);
bool text_parse_time(struct span s, int64_t *ms);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7 IMF-fixdate) and back, also from the two obsolete
 * forms. The weekday must be one, but not that day's. */
void text_http_date(int64_t ms, char to[32]);
bool text_parse_http_date(struct span s, int64_t *ms);
/* "10G", "64m", "5GB", "5GiB", "0": bytes, all units powers of 1024, in any case; "60s", "5m", "24h", "30d",
 * "0": milliseconds, whose unit may be missing where there are none. False: not one, or over 2^63-1. */
bool text_size(struct span s, int64_t *bytes);
bool text_duration(struct span s, int64_t *ms);

#endif
