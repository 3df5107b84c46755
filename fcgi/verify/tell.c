/*
 * tell.c: findings, and how far it is.
 */
#include "verify/inside.h"

#include <stdarg.h>
#include <stdio.h>

void verify_tell(struct verifying *v, const char *repaired, const char *fmt, ...)
{
	char line[2048];
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	if (repaired != NULL && len >= 0 && (size_t)len < sizeof line)
		snprintf(line + len, sizeof line - (size_t)len, " repaired=%s", repaired);
	v->result->findings++;
	v->result->repaired += repaired != NULL;
	if (v->held != NULL)
		fprintf(v->held, "%s\n", line);
	else
		inspector_tell(v->inspector, line);
}

void verify_advance(struct verifying *v, int64_t bytes)
{
	v->result->bytes += bytes;
	inspector_advance(v->inspector, v->result->bytes, v->result->expected);
}
