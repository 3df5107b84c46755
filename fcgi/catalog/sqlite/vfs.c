/*
 * vfs.c: what SQLite may open.
 *
 * All but a super-journal, which goes with several databases in one transaction: we have one. But a
 * rollback journal beside the catalog may name one, at any path, and whoever rolls it back deletes
 * what is there. The jailed worker can write such a journal, and root may be the next to look.
 */
#include "catalog/sqlite/sqlite.h"

#include <pthread.h>

static sqlite3_vfs ours;
static int (*open_any)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
	if (!(flags & SQLITE_OPEN_SUPER_JOURNAL))
		return open_any(vfs, name, file, flags, given);
	file->pMethods = NULL; /* nothing to close */
	return SQLITE_CANTOPEN;
}

/* SQLite's own in all else. */
static void make(void)
{
	const sqlite3_vfs *usual = sqlite3_vfs_find(NULL);

	if (usual == NULL)
		return;
	ours = *usual;
	ours.zName = "waybill";
	open_any = ours.xOpen;
	ours.xOpen = open_file;
	sqlite3_vfs_register(&ours, 0);
}

const char *catalog_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make);
	return "waybill"; /* that there is none, opening says */
}
