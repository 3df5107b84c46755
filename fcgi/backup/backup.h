/*
 * backup.h: a copy of all that is kept, and the way back.
 */
#ifndef WAYBILL_BACKUP_BACKUP_H
#define WAYBILL_BACKUP_BACKUP_H

#include "keep/keep.h"

/*
 * A copy of all that is kept in the directory `dir`, which is made or gone on with; in it is nothing
 * else. Beside servers, with KEEP_READ. `full`: what is there already is read and hashed, too. What
 * cannot be read is told by `found` and left out, its record is not. FAULT_NONE: it came to its end.
 */
struct backed_up {
	int64_t files, objects, bytes;		   /* of the copy */
	int64_t fresh, fresh_bytes, kept, removed; /* objects */
	int64_t lost;				   /* objects that it should have and does not */
	int64_t done, expected;			   /* bytes, for whoever watches */
};
enum fault backup_take(struct keep *keep, const char *dir, bool full,
    const struct inspector *inspector, struct backed_up *result, struct refusal *why);
/* Such a copy becomes config->data_dir, which has to be empty, or to be left by a restore that was
 * killed. Every object is hashed; what is not as it should be is told and left out. */
struct restored {
	int64_t files, objects, bytes, lost, done, expected;
	bool of_root; /* all is root's, and should be somebody else's */
};
enum fault backup_restore(const struct config *config, const char *dir,
    const struct inspector *inspector, struct restored *result, struct refusal *why);

#endif
