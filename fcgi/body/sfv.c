/*
 * sfv.c: the two kinds of RFC 9651 items that resumable uploads use: integers and booleans.
 *
 * Items may carry parameters, which mean nothing here; they are checked all the same, because a
 * field that does not parse as a whole must be ignored as a whole (RFC 9651 section 4.2).
 */
#include <string.h>

#include "body/resume.h"
#include "shared/text.h"

/* Cut off what stands at the front of these bytes; returns how many. */
static size_t pass(struct span *s, const char *set)
{
	size_t n = 0;
	while (n < s->len && s->at[n] != '\0' && strchr(set, s->at[n]))
		n++;
	return span_take(s, n).len;
}

/* The next byte is one of these, and cut off. */
static bool one_of(struct span *s, const char *set)
{
	struct span one = span_take(s, 1);
	return one.len > 0 && span_consists_of(one, set);
}

static bool key(struct span *s)
{
	bool begins = one_of(s, TEXT_LOWER "*");
	pass(s, TEXT_LOWER TEXT_DIGITS "_-.*");
	return begins;
}

static bool string_item(struct span *s)
{
	for (size_t i = 1; i < s->len; i++) {
		char c = s->at[i];
		if (c == '"') {
			span_take(s, i + 1);
			return true;
		}
		if (c == '\\') {
			i++;
			if (i == s->len || (s->at[i] != '"' && s->at[i] != '\\'))
				return false;
		} else if (c < 0x20 || c > 0x7e) {
			return false;
		}
	}
	return false;
}

static bool bytes_item(struct span *s)
{
	span_take(s, 1);
	pass(s, TEXT_LETTERS TEXT_DIGITS "+/=");
	return one_of(s, ":");
}

/* Digits with at most one point among them: integer 15, decimal 12 and 3. */
static bool number_item(struct span *s)
{
	span_skip(s, span_of("-"));
	size_t whole = pass(s, TEXT_DIGITS);
	if (!span_skip(s, span_of(".")))
		return whole >= 1 && whole <= 15;
	size_t part = pass(s, TEXT_DIGITS);
	return whole >= 1 && whole <= 12 && part >= 1 && part <= 3;
}

static bool token_item(struct span *s)
{
	bool begins = one_of(s, TEXT_LETTERS "*");
	pass(s, TEXT_LETTERS TEXT_DIGITS "!#$%&'*+-.^_`|~:/");
	return begins;
}

static bool boolean_item(struct span *s)
{
	return span_skip(s, span_of("?")) && one_of(s, "01");
}

static bool date_item(struct span *s)
{
	span_take(s, 1);
	const struct span before = *s;
	return number_item(s) && !memchr(before.at, '.', before.len - s->len);
}

static bool bare_item(struct span *s)
{
	switch (s->len > 0 ? s->at[0] : '\0') {
	case '"':
		return string_item(s);
	case ':':
		return bytes_item(s);
	case '?':
		return boolean_item(s);
	case '@':
		return date_item(s);
	case '-':
	case '0' ... '9':
		return number_item(s);
	default:
		return token_item(s);
	}
}

/* *( ";" *SP key [ "=" bare-item ] ), then only blanks. */
static bool parameters_to_end(struct span s)
{
	while (span_skip(&s, span_of(";"))) {
		pass(&s, " ");
		if (!key(&s) || (span_skip(&s, span_of("=")) && !bare_item(&s)))
			return false;
	}
	pass(&s, " ");
	return s.len == 0;
}

bool sf_integer(struct span s, int64_t *value)
{
	pass(&s, " ");
	struct span digits = s;
	if (!number_item(&s))
		return false;
	digits.len -= s.len;
	bool negative = span_skip(&digits, span_of("-"));
	if (!text_number(digits, value)) /* a decimal */
		return false;
	if (negative)
		*value = -*value;
	return parameters_to_end(s);
}

bool sf_boolean(struct span s, bool *value)
{
	pass(&s, " ");
	if (!boolean_item(&s))
		return false;
	*value = s.at[-1] == '1';
	return parameters_to_end(s);
}
