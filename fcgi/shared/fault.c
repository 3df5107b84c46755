/*
 * fault.c: the table of FAULTS, read out.
 */
#include "shared/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/text.h"

struct row {
	int status;
	const char *slug, *title, *sentence;
};

static const struct row rows[FAULT_COUNT] = {[FAULT_NONE] = {200, "", "OK", ""},
#define X(name, code, tag, head, text)                                                             \
	[FAULT_##name] = {.status = code, .slug = tag, .title = head, .sentence = text},
    FAULTS(X)
#undef X
};

/* A number that is no fault is a bug of ours: say so rather than read past the table. */
static const struct row *row_of(enum fault f)
{
	return &rows[(unsigned)f < FAULT_COUNT ? f : FAULT_INTERNAL];
}

int fault_status(enum fault f)
{
	return row_of(f)->status;
}

const char *fault_slug(enum fault f)
{
	return row_of(f)->slug;
}

const char *fault_title(enum fault f)
{
	return row_of(f)->title;
}

const char *fault_sentence(enum fault f)
{
	return row_of(f)->sentence;
}

enum fault fault_of_errno(int err)
{
	return err == ENOSPC || err == EDQUOT ? FAULT_NO_SPACE : FAULT_INTERNAL;
}

void refusal_clear(struct refusal *why)
{
	*why = (struct refusal)NO_REFUSAL;
}

enum fault refuse(struct refusal *why, enum fault f, const char *fmt, ...)
{
	if (!why)
		return f;
	why->fault = f;
	why->detail[0] = '\0';
	if (!fmt)
		return f;
	/* Longer than detail, so that a character vsnprintf() splits never gets that far. */
	char text[sizeof why->detail + 8];
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (len > 0)
		text_clean_utf8(span_of(text), why->detail, sizeof why->detail);
	return f;
}

enum fault refuse_too_large(struct refusal *why, int64_t bytes, int64_t max_bytes)
{
	char is[TEXT_FIGURE], most[TEXT_FIGURE];

	if (why)
		why->max_bytes = max_bytes;
	if (bytes < 0)
		return refuse(why, FAULT_TOO_LARGE,
		    "This is larger than %s, the most that this server accepts. Send a smaller "
		    "file, or ask for max_bytes to be raised.",
		    text_figure(max_bytes, most));
	return refuse(why, FAULT_TOO_LARGE,
	    "This is %s; this server accepts at most %s. Send a smaller file, or ask for "
	    "max_bytes to be raised.",
	    text_figure(bytes, is), text_figure(max_bytes, most));
}

const char *refusal_detail(const struct refusal *why)
{
	return why->detail[0] ? why->detail : fault_sentence(why->fault);
}
