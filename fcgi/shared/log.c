/*
 * log.c: one line, one write.
 */
#include "shared/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/config.h"
#include "shared/text.h"
#include "shared/utf8.h"

static int threshold = LOG_INFO; /* set once, before threads */
static _Thread_local const char *request;

void log_level(int level)
{
	threshold = level;
}

bool log_wants(int level)
{
	return level <= threshold;
}

void log_request(const char *id)
{
	request = id;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool needs_quotes(struct span s)
{
	if (!s.len || span_is(s, "-"))
		return true;
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] == ' ' || s.at[i] == '=' || s.at[i] == '"' || s.at[i] == '\\')
			return true;
	return false;
}

/* One character as it stands between quotes; returns its bytes, 0 for what is dropped: controls, and
 * the line and paragraph separators, at which some readers of logs begin a new line. */
static size_t escape(uint32_t c, char to[5])
{
	if (utf8_is_control(c) || utf8_is_bidi_control(c) || c == 0x2028 || c == 0x2029)
		return 0;
	bool special = c == '"' || c == '\\';
	to[0] = '\\';
	return special + utf8_put(c, to + special);
}

const char *log_value(struct span s, char *to, size_t room)
{
	if (room < sizeof "\"\"")
		return span_copy(to, room, span_of(""));
	if (!s.at)
		return span_copy(to, room, span_of("-"));
	bool quoted = needs_quotes(s);
	size_t end = 0, last = room - 1 - quoted; /* where the closing quote, or NUL, must stand */
	if (quoted)
		to[end++] = '"';
	while (s.len) {
		char bytes[5];
		size_t len = escape(utf8_next(&s), bytes);
		if (len > last - end)
			break;
		memcpy(to + end, bytes, len);
		end += len;
	}
	if (quoted)
		to[end++] = '"';
	to[end] = '\0';
	/* only characters that are not shown: as good as empty, and so it must look */
	return end ? to : span_copy(to, room, span_of("\"\""));
}

/* ---- lines ----------------------------------------------------------------------------------- */

static size_t head(char *line, size_t room, int level, const char *message)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	char at[32], msg[512];
	text_time(clock_calendar(), at);
	const char *name = level >= LOG_ERROR && level <= LOG_DEBUG ? names[level] : "error";
	int len = snprintf(line, room, "time=%s level=%s msg=%s%s%s", at, name,
	    log_value(span_of(message), msg, sizeof msg), request ? " request_id=" : "",
	    request ? request : "");
	return len > 0 ? (size_t)len : 0;
}

/* A log that cannot be written is no reason to stop serving. */
static void put(const char *line, size_t len)
{
	ssize_t unheard = TEMP_FAILURE_RETRY(write(STDERR_FILENO, line, len));
	(void)unheard;
}

void log_line(int level, const char *message, const char *fmt, ...)
{
	if (!log_wants(level))
		return;
	int err = errno;
	char line[LOG_BYTES]; /* the newline comes where vsnprintf() leaves a NUL */
	const size_t room = sizeof line;
	size_t len = head(line, room, level, message);
	if (fmt && *fmt) {
		line[len++] = ' ';
		va_list args;
		va_start(args, fmt);
		int more = vsnprintf(line + len, room - len, fmt, args);
		va_end(args);
		len += more > 0 ? (size_t)more : 0;
	}
	if (len > room - 1)
		len = text_utf8_cut((struct span){line, room - 1}, room - 2);
	/* whatever slipped into it; C1 is two bytes in UTF-8 and log_value()'s business */
	text_blank_controls(line, len);
	line[len++] = '\n';
	put(line, len);
	errno = err;
}
