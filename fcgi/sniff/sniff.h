/*
 * sniff.h: what is it? libmagic's verdict on the beginning of a file, from jailed processes.
 *
 *     sniff_start -> sniff_type* -> sniff_stop
 *
 * libmagic reads what strangers send, so it never runs in this process: sniffer.h says how it is asked.
 * All but start and stop may be called from any thread.
 */
#ifndef WAYBILL_SNIFF_SNIFF_H
#define WAYBILL_SNIFF_SNIFF_H

#include "shared/flow.h"

struct sniffers;

/*
 * Start `count` jailed children behind a sniffer parent process. Before any thread exists.
 * NULL: *why->detail says why (no magic database, fork failed, the jail could not be shut).
 */
struct sniffers *sniff_start(unsigned count, struct refusal *why);
/* Ends the parent and its children, and waits for them. NULL is fine. */
void sniff_stop(struct sniffers *sniffers);

/*
 * libmagic's verdict on the first `len` (at most HEAD_BYTES) bytes of `fd` from offset 0, or, when
 * `bytes` is not NULL, on those bytes. type gets a checked, lower-case media type. INTERNAL: the
 * child died, hung or talked rubbish; it is being replaced. Blocks while all children are busy.
 */
enum fault sniff_type(struct sniffers *sniffers, int fd, const void *bytes, size_t len,
    char type[TYPE_BYTES + 1], struct refusal *why);

/* "544": what a stored verdict depends on. */
int sniff_version(void);
/* promise.c: does what `name`'s extension promises disagree with `type`? Only where it is sure. */
bool promise_broken(const char *name, const char *type);
/* Children alive, and deaths since the start. */
void sniff_count(struct sniffers *sniffers, int64_t *alive, int64_t *deaths);
/* Pids of the children, for tests; returns how many. */
unsigned sniff_pids(struct sniffers *sniffers, int *pids, unsigned room);

#endif
