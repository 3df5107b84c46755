/*
 * snapshot.h: a catalog that nobody serves yet: taken, trimmed, asked. For backup/.
 */
#ifndef WAYBILL_CATALOG_SNAPSHOT_H
#define WAYBILL_CATALOG_SNAPSHOT_H

#include "catalog/catalog.h"

struct snapshot; /* a catalog outside of the hands of servers, and our only connection to it */

/* What the catalog knows at one moment, as `name` in the directory `dir`, which is at `path`. What
 * stood there is removed. Not synced. BAD_REQUEST where its pages are damaged. */
enum fault snapshot_take(struct catalog *from, int dir, const char *path, const char *name,
    struct snapshot **snapshot, struct refusal *why);
/* One that is there already. */
enum fault snapshot_open(
    const char *path, const char *name, struct snapshot **snapshot, struct refusal *why);
/* NULL is fine. */
void snapshot_close(struct snapshot *snapshot);

/* May this take the place of the catalog `name`? Only as a later state of the same. */
enum fault snapshot_succeeds(
    struct snapshot *snapshot, const char *path, const char *name, struct refusal *why);
/* Files, and bytes of distinct content. */
enum fault snapshot_sums(
    struct snapshot *snapshot, int64_t *files, int64_t *bytes, struct refusal *why);
/* All content, in the order of digests. A fault from `each` ends it. */
typedef enum fault snapshot_visitor(
    void *self, const uint8_t sha256[SHA256_LEN], int64_t size, struct refusal *why);
enum fault snapshot_objects(
    struct snapshot *snapshot, snapshot_visitor *each, void *self, struct refusal *why);
/* Is it content that this catalog knows? When in doubt, yes. */
bool snapshot_knows(struct snapshot *snapshot, const uint8_t sha256[SHA256_LEN]);
/* This content is gone, with all its files: as of snapshot_settle(). */
enum fault snapshot_forget(
    struct snapshot *snapshot, const uint8_t sha256[SHA256_LEN], struct refusal *why);
/* Take out what was forgotten, and unfinished uploads, whose bytes are nobody's backup. */
enum fault snapshot_settle(struct snapshot *snapshot, struct refusal *why);
/* Fit to be served from: a line of its own, so that nobody takes it for the one that it is a copy
 * of; and a write-ahead log. */
enum fault snapshot_make_live(struct snapshot *snapshot, struct refusal *why);

/* Remove a catalog and what SQLite may have left beside it. */
enum fault catalog_remove(int dir, const char *name, struct refusal *why);
/* Sync `from` and let it stand where `name` stood; sync the directory. */
enum fault catalog_publish(int dir, const char *from, const char *name, struct refusal *why);

#endif
