/*
 * time.c: points in time and spans of it, and sizes, as text. The C library's calendar asks for
 * time zones, with a lock and a file; all that is meant here is UTC, so the arithmetic is our own.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/text.h"

enum { DAY = 86400, ERA_DAYS = 146097, ERA_YEARS = 400 }; /* seconds; the calendar's period */

/* A moment as people write it. */
struct civil {
	int64_t year;
	unsigned month, day; /* from 1 */
	unsigned hour, minute, second, ms;
	unsigned weekday; /* 0: Sunday */
};

static const char weekdays[7][10] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to the first of March of a year: leap days then come last in a year. */
static int64_t days_to_march(int64_t year)
{
	int64_t leaps = floor_div(year, 4) - floor_div(year, 100) + floor_div(year, 400);
	return year * 365 + leaps - 719468;
}

/* Days from the first of March to the first of the month that is `m` months later: 31, 30, 31,
 * 30, 31 and again, which 153 days in 5 months hits exactly. */
static unsigned days_of_months(unsigned m)
{
	return (153 * m + 2) / 5;
}

static int64_t days_of(const struct civil *c)
{
	unsigned m = (c->month + 9) % 12; /* 0: March */
	return days_to_march(c->year - (m > 9)) + days_of_months(m) + c->day - 1;
}

static struct civil civil_of(int64_t ms)
{
	int64_t seconds = floor_div(ms, 1000), days = floor_div(seconds, DAY);
	unsigned rest = seconds - days * DAY;
	struct civil c = {.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60};
	c.ms = ms - seconds * 1000;
	c.weekday = ((days + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
	/* A guess from the mean length of a year is at most one off. */
	int64_t year = floor_div((days + 719468) * ERA_YEARS, ERA_DAYS);
	while (days_to_march(year) > days)
		year--;
	while (days_to_march(year + 1) <= days)
		year++;
	unsigned day = days - days_to_march(year), m = (5 * day + 2) / 153;
	c.day = day - days_of_months(m) + 1;
	c.month = m < 10 ? m + 3 : m - 9;
	c.year = year + (m > 9);
	return c;
}

/* Milliseconds since the epoch; false: no such moment. The year has at most four digits. */
static bool ms_of(const struct civil *c, int64_t offset_minutes, int64_t *ms)
{
	static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
	if (c->month < 1 || c->month > 12 || c->day < 1 ||
	    c->day > lengths[c->month - 1] + (c->month == 2 && leap) || c->hour > 23 ||
	    c->minute > 59 || c->second > 60)
		return false;
	int64_t minutes = days_of(c) * 1440 + c->hour * 60 + c->minute - offset_minutes;
	*ms = (minutes * 60 + c->second) * 1000 + c->ms;
	return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Exactly `digits` of them, and what follows. */
static char *put_digits(char *to, unsigned value, unsigned digits, char then)
{
	for (unsigned i = digits; i > 0; i--, value /= 10)
		to[i - 1] = (char)('0' + value % 10);
	to[digits] = then;
	return to + digits + 1;
}

/* By hand: every record of a listing has one or two, and printf() would take half of its time. */
void text_time(int64_t ms, char to[32])
{
	struct civil c = civil_of(ms);
	if (c.year < 0 || c.year > 9999) {
		snprintf(to, 32, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", (long long)c.year,
		    c.month, c.day, c.hour, c.minute, c.second, c.ms);
		return;
	}
	to = put_digits(to, (unsigned)c.year, 4, '-');
	to = put_digits(to, c.month, 2, '-');
	to = put_digits(to, c.day, 2, 'T');
	to = put_digits(to, c.hour, 2, ':');
	to = put_digits(to, c.minute, 2, ':');
	to = put_digits(to, c.second, 2, '.');
	put_digits(to, c.ms, 3, 'Z')[0] = '\0';
}

void text_http_date(int64_t ms, char to[32])
{
	struct civil c = civil_of(ms);
	snprintf(to, 32, "%.3s, %02u %s %04lld %02u:%02u:%02u GMT", weekdays[c.weekday], c.day,
	    months[c.month - 1], (long long)c.year, c.hour, c.minute, c.second);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Cut exactly `digits` digits off. */
static bool take_digits(struct span *s, size_t digits, unsigned *value)
{
	int64_t n;
	if (s->len < digits || !text_number(span_take(s, digits), &n))
		return false;
	*value = n;
	return true;
}

/* Cut off one of `count` words, `stride` bytes apart, in their first `len` bytes (0: in all). */
static bool take_word(
    struct span *s, const char *words, size_t stride, unsigned count, size_t len, unsigned *index)
{
	for (unsigned i = 0; i < count; i++) {
		const char *word = words + i * stride;
		if (!span_skip(s, (struct span){word, len ? len : strlen(word)}))
			continue;
		*index = i;
		return true;
	}
	return false;
}

/* Two digits are a year at most 50 years ahead, else in the century before (RFC 9110 5.6.7). */
static int64_t whole_year(unsigned two_digits)
{
	int64_t now = civil_of((int64_t)time(NULL) * 1000).year;
	int64_t year = now - now % 100 + two_digits;
	return year > now + 50 ? year - 100 : year;
}

/* One letter of a pattern. */
static bool take_item(struct span *s, char letter, struct civil *c)
{
	unsigned n;
	switch (letter) {
	case 'Y':
		return take_digits(s, 4, &n) && (c->year = n, true);
	case 'y':
		return take_digits(s, 2, &n) && (c->year = whole_year(n), true);
	case 'n':
		return take_digits(s, 2, &c->month);
	case 'b':
		return take_word(s, months[0], sizeof months[0], 12, 3, &c->month) && ++c->month;
	case 'd':
		return take_digits(s, 2, &c->day);
	case 'e': /* asctime() pads with a blank */
		return take_digits(s, span_skip(s, span_of(" ")) ? 1 : 2, &c->day);
	case 'h':
		return take_digits(s, 2, &c->hour);
	case 'm':
		return take_digits(s, 2, &c->minute);
	case 's':
		return take_digits(s, 2, &c->second);
	case 'w':
		return take_word(s, weekdays[0], sizeof weekdays[0], 7, 3, &c->weekday);
	case 'W':
		return take_word(s, weekdays[0], sizeof weekdays[0], 7, 0, &c->weekday);
	default: /* what is no item stands for itself */
		return span_skip(s, (struct span){&letter, 1});
	}
}

static bool take(struct span *s, const char *pattern, struct civil *c)
{
	for (; *pattern; pattern++)
		if (!take_item(s, *pattern, c))
			return false;
	return true;
}

/* time-secfrac: a dot and any number of digits; what is finer than ms is cut off. */
static bool take_fraction(struct span *s, unsigned *ms)
{
	if (!s->len || s->at[0] != '.')
		return true;
	unsigned weight = 100;
	size_t i = 1;
	for (; i < s->len && s->at[i] >= '0' && s->at[i] <= '9'; i++, weight /= 10)
		*ms += (s->at[i] - '0') * weight;
	span_take(s, i);
	return i > 1;
}

/* time-offset, to the end. */
static bool take_offset(struct span s, int64_t *minutes)
{
	struct civil c = {0};
	if (s.len == 1 && (s.at[0] == 'Z' || s.at[0] == 'z')) {
		*minutes = 0;
		return true;
	}
	if (s.len != 6 || (s.at[0] != '+' && s.at[0] != '-'))
		return false;
	int64_t sign = s.at[0] == '-' ? -1 : 1;
	span_take(&s, 1);
	if (!take(&s, "h:m", &c) || c.hour > 23 || c.minute > 59)
		return false;
	*minutes = sign * (int64_t)(c.hour * 60 + c.minute);
	return true;
}

bool text_parse_time(struct span s, int64_t *ms)
{
	struct civil c = {0};
	int64_t offset;
	if (!take(&s, "Y-n-d", &c) || !s.len || (s.at[0] != 'T' && s.at[0] != 't'))
		return false;
	span_take(&s, 1);
	return take(&s, "h:m:s", &c) && take_fraction(&s, &c.ms) && take_offset(s, &offset) &&
	       ms_of(&c, offset, ms);
}

bool text_parse_http_date(struct span s, int64_t *ms)
{
	/* G, M and T are no items: "GMT" is literal. */
	static const char *const forms[] = {
	    "w, d b Y h:m:s GMT", "W, d-b-y h:m:s GMT", "w b e h:m:s Y"};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct civil c = {0};
		struct span rest = s;
		if (take(&rest, forms[i], &c) && !rest.len)
			return ms_of(&c, 0, ms);
	}
	return false;
}

/* ---- amounts --------------------------------------------------------------------------------- */

/* "B" or "iB" after the letter: the same unit, as people write it. */
static struct span without_bytes(struct span s)
{
	if (s.len > 1 && (s.at[s.len - 1] | 0x20) == 'b') {
		s.len--;
		if (s.len > 1 && (s.at[s.len - 1] | 0x20) == 'i')
			s.len--;
		return s;
	}
	return (struct span){NULL, 0};
}

bool text_size(struct span s, int64_t *bytes)
{
	static const char units[] = "kmgt";
	struct span shorter = without_bytes(s);
	int64_t n, factor = 1;

	if (shorter.at)
		s = shorter;
	char last = s.len ? (char)(s.at[s.len - 1] | 0x20) : '\0';
	const char *unit = last ? strchr(units, last) : NULL;
	if (unit) {
		factor <<= 10 * (unit - units + 1);
		s.len--;
	}
	if ((shorter.at && !unit) || !text_number(s, &n) || __builtin_mul_overflow(n, factor, &n))
		return false;
	*bytes = n;
	return true;
}

bool text_duration(struct span s, int64_t *ms)
{
	static const char units[] = "smhd";
	static const int64_t seconds[] = {1, 60, 3600, DAY};
	int64_t n, factor = 0; /* without a unit only nothing is clear */
	char last = s.len ? s.at[s.len - 1] : '\0';
	const char *unit = last ? strchr(units, last) : NULL;

	if (unit) {
		factor = seconds[unit - units];
		s.len--;
	}
	if (!text_number(s, &n) || (n > 0 && !unit) || __builtin_mul_overflow(n, factor * 1000, &n))
		return false;
	*ms = n;
	return true;
}
