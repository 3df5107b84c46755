/*
 * log.h: one logfmt line at a time on stderr, in a single write.
 *
 *     log_line(LOG_WARN, "sniffer died", "slot=%d signal=%d", slot, sig);
 *     -> time=2026-11-22T11:33:00.123Z level=warn msg="sniffer died" slot=2 signal=9
 *
 * Values from outside go through log_value() first, which quotes and removes control characters.
 */
#ifndef WAYBILL_LOG_H
#define WAYBILL_LOG_H

#include "shared/flow.h"

void log_level(int level); /* LOG_ERROR ... LOG_DEBUG of config.h; set once, before threads */
bool log_wants(int level);
void log_line(int level, const char *message, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A logfmt value of untrusted text, quoted where needed, cut to fit; returns `to`. */
const char *log_value(struct span s, char *to, size_t room);

#endif
