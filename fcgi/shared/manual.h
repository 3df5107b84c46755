/*
 * manual.h: prose for a page of man(7). Shared by the two halves of waybill(8): the keys of the
 * configuration (shared/manual.c) and the rest (cli/manual.c).
 */
#ifndef WAYBILL_MANUAL_H
#define WAYBILL_MANUAL_H

#include <stdio.h>

/*
 * `text` as filled lines of at most 80 bytes where its words allow, ended by a newline: runs of
 * blanks and line breaks are one, and no character of it is taken for a request, an escape or a
 * soft hyphen. First comes `lead` as it is ("Value: "), for roff of the caller's own.
 */
void manual_put(FILE *out, const char *lead, const char *text);

#endif
