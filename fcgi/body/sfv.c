/*
 * sfv.c: the two kinds of RFC 9651 items that resumable uploads use: integers and booleans.
 *
 * Items may carry parameters, which mean nothing here; they are checked all the same, because a
 * field that does not parse as a whole must be ignored as a whole (RFC 9651 section 4.2).
 */
#include <string.h>

#include "body/resume.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_alpha(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* One of the set; NUL is in none. */
static bool among(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static void advance(struct span *s, size_t n)
{
	s->at += n;
	s->len -= n;
}

static void skip_sp(struct span *s)
{
	while (s->len > 0 && s->at[0] == ' ')
		advance(s, 1);
}

static bool key(struct span *s)
{
	size_t n = 0;

	if (s->len == 0 || (!is_lower(s->at[0]) && s->at[0] != '*'))
		return false;
	while (n < s->len && (is_lower(s->at[n]) || is_digit(s->at[n]) || among(s->at[n], "_-.*")))
		n++;
	advance(s, n);
	return true;
}

static bool string_item(struct span *s)
{
	for (size_t i = 1; i < s->len; i++) {
		char c = s->at[i];
		if (c == '"') {
			advance(s, i + 1);
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
	size_t n = 1;

	while (n < s->len && (is_alpha(s->at[n]) || is_digit(s->at[n]) || among(s->at[n], "+/=")))
		n++;
	if (n == s->len || s->at[n] != ':')
		return false;
	advance(s, n + 1);
	return true;
}

/* Digits with at most one point among them: integer 15, decimal 12 and 3. */
static bool number_item(struct span *s)
{
	size_t n = s->at[0] == '-' ? 1 : 0, whole = 0, part = 0;

	for (; n < s->len && is_digit(s->at[n]); n++)
		whole++;
	bool decimal = n < s->len && s->at[n] == '.';
	if (decimal)
		for (n++; n < s->len && is_digit(s->at[n]); n++)
			part++;
	advance(s, n);
	if (decimal)
		return whole >= 1 && whole <= 12 && part >= 1 && part <= 3;
	return whole >= 1 && whole <= 15;
}

static bool token_item(struct span *s)
{
	size_t n = 0;

	while (n < s->len &&
	       (is_alpha(s->at[n]) || is_digit(s->at[n]) || among(s->at[n], "!#$%&'*+-.^_`|~:/")))
		n++;
	advance(s, n);
	return true;
}

static bool boolean_item(struct span *s)
{
	if (s->len < 2 || (s->at[1] != '0' && s->at[1] != '1'))
		return false;
	advance(s, 2);
	return true;
}

static bool date_item(struct span *s)
{
	advance(s, 1);
	if (s->len == 0)
		return false;
	size_t before = s->len;
	struct span digits = *s;
	if (!number_item(s))
		return false;
	return memchr(digits.at, '.', before - s->len) == NULL;
}

static bool bare_item(struct span *s)
{
	if (s->len == 0)
		return false;
	char c = s->at[0];
	if (c == '"')
		return string_item(s);
	if (c == ':')
		return bytes_item(s);
	if (c == '?')
		return boolean_item(s);
	if (c == '@')
		return date_item(s);
	if (c == '-' || is_digit(c))
		return number_item(s);
	return (is_alpha(c) || c == '*') && token_item(s);
}

/* *( ";" *SP key [ "=" bare-item ] ), then only blanks. */
static bool parameters_to_end(struct span s)
{
	while (s.len > 0 && s.at[0] == ';') {
		advance(&s, 1);
		skip_sp(&s);
		if (!key(&s))
			return false;
		if (s.len > 0 && s.at[0] == '=') {
			advance(&s, 1);
			if (!bare_item(&s))
				return false;
		}
	}
	skip_sp(&s);
	return s.len == 0;
}

bool sf_integer(struct span s, int64_t *value)
{
	if (s.at == NULL)
		return false;
	skip_sp(&s);
	struct span digits = s;
	if (s.len == 0 || (s.at[0] != '-' && !is_digit(s.at[0])) || !number_item(&s))
		return false;
	digits.len -= s.len;
	bool negative = digits.at[0] == '-';
	int64_t sum = 0;
	for (size_t i = negative; i < digits.len; i++) {
		if (digits.at[i] == '.')
			return false;
		sum = sum * 10 + (digits.at[i] - '0');
	}
	*value = negative ? -sum : sum;
	return parameters_to_end(s);
}

bool sf_boolean(struct span s, bool *value)
{
	if (s.at == NULL)
		return false;
	skip_sp(&s);
	if (s.len < 2 || s.at[0] != '?' || !boolean_item(&s))
		return false;
	*value = s.at[-1] == '1';
	return parameters_to_end(s);
}
