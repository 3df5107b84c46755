/*
 * log.h: one logfmt line at a time on stderr, in a single write.
 *
 *     log_line(LOG_WARN, "sniffer died", "slot=%d signal=%d", slot, sig);
 *     -> time=2026-11-22T11:33:00.123Z level=warn msg="sniffer died" slot=2 signal=9
 *
 * Values from outside go through log_value() first, which quotes and removes control characters. A
 * line has at most LOG_BYTES, so that on a pipe it never mingles with another process's; what is
 * over is cut off. Safe from any thread. errno is left as it was.
 */
#ifndef WAYBILL_LOG_H
#define WAYBILL_LOG_H

#include "shared/flow.h"

enum { LOG_BYTES = 4096 }; /* PIPE_BUF of Linux; with the newline */

void log_level(int level); /* LOG_ERROR ... LOG_DEBUG of config.h; set once, before threads */
bool log_wants(int level);
/* From here on each line of this thread says request_id=ID, borrowed; NULL: no longer. */
void log_request(const char *id);
/* `fmt` makes the pairs after msg; NULL: none. */
void log_line(int level, const char *message, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A logfmt value of untrusted text: quoted where needed ('"' and '\' then escaped by '\'), without
 * control and bidirectional override characters, valid UTF-8, cut to fit with its quotes. `-`
 * stands for absent text, "" for empty. Returns `to`. */
const char *log_value(struct span s, char *to, size_t room);

#endif
