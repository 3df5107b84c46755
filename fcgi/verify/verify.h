/*
 * verify.h: catalog and store held against each other, beside servers: what has to go, what is
 * wrong, what nobody knows.
 */
#ifndef WAYBILL_VERIFY_VERIFY_H
#define WAYBILL_VERIFY_VERIFY_H

#include "keep/keep.h"

struct swept {
	int64_t files, partials, orphans, bytes;
};
/* Drop what has expired, orphaned objects, abandoned temporary files. */
enum fault sweep_store(struct keep *keep, struct swept *swept, struct refusal *why);
/* From another thread, for good: a sweep under way ends soon, with what it has done so far. */
void sweep_stop(struct keep *keep);
/*
 * Read and hash everything again; hold catalog, objects/ and partial/ against each other in both
 * directions. May run beside servers; needs KEEP_WRITE, because what looks wrong is looked at
 * again under the catalog's lock. With VERIFY_REPAIR: what belongs to nobody is removed, what is
 * damaged is put aside as objects/<sha256>.damaged, records whose content is lost are removed
 * (told by name and owner first), sums are made anew, unfinished uploads that lost bytes are ended.
 * What only cannot be read is told and left alone. INTERNAL before anything is removed: more than a
 * tenth of the objects is missing or unreadable, and VERIFY_FORCE was not said.
 * FAULT_NONE: it came to its end; result->findings says how well all is.
 */
enum { VERIFY_REPAIR = 1, VERIFY_FORCE = 2 };
struct verified {
	int64_t objects, bytes,
	    expected; /* expected: bytes of all objects, as the catalog has it */
	int64_t findings, repaired;
};
enum fault verify_run(struct keep *keep, unsigned wishes, const struct inspector *inspector,
    struct verified *result, struct refusal *why);
/*
 * Enter each object that the catalog does not know, once its bytes have been hashed, as a file of
 * nobody: recovered-<sha256>, with the type that libmagic tells (KEEP_SNIFF) and the time at which
 * its bytes were written. What has another hash than its name is put aside as for verify_run().
 * Then catalog and objects belong together again; with KEEP_ADOPT that is the way to have them so.
 * INTERNAL: some cannot be read, and catalog and objects are left as they are. Among result,
 * objects and bytes are what was entered.
 */
enum fault verify_adopt(struct keep *keep, const struct inspector *inspector,
    struct verified *result, struct refusal *why);

#endif
