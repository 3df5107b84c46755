/*
 * migrate.c: which schema the file has, and steps forward.
 */
#include "catalog/sqlite/sqlite.h"
#include "shared/log.h"

#include <stdio.h>

enum { APPLICATION_ID = 0x77617962 };

/* The schema's versions, embedded: one text for each step forward. */
extern const char embed_schema_001[], embed_schema_002[];
static const char *const schema[] = {embed_schema_001, embed_schema_002};
enum { SCHEMA_VERSION = sizeof schema / sizeof *schema };

int catalog_version(void)
{
	return SCHEMA_VERSION;
}

enum fault sql_execute(struct connection *c, const char *text, struct refusal *why)
{
	int code = sqlite3_exec(c->db, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? FAULT_NONE : sql_fault(c, code, why);
}

enum fault catalog_schema(struct connection *c, int64_t *version, struct refusal *why)
{
	int64_t application, tables;
	enum fault f = sql_read(c, SQL_VERSION, version, 1, why, NO_VALUES);

	if (!f)
		f = sql_read(c, SQL_APPLICATION, &application, 1, why, NO_VALUES);
	if (!f)
		f = sql_read(c, SQL_TABLES, &tables, 1, why, NO_VALUES);
	if (f)
		return f;
	if (application != APPLICATION_ID && (*version != 0 || tables != 0))
		return refuse(why, FAULT_INTERNAL,
		    "%s is not a catalog of waybill. Choose another data_dir, or move it away.",
		    c->catalog->path);
	if (*version > SCHEMA_VERSION)
		return refuse(why, FAULT_INTERNAL,
		    "%s was made by a newer waybill: its schema has version %d, and this program "
		    "knows them up to %d. Run the newer program.",
		    c->catalog->path, (int)*version, (int)SCHEMA_VERSION);
	return FAULT_NONE;
}

static enum fault steps_forward(struct connection *c, struct refusal *why)
{
	char text[64];
	int64_t version;
	/* Looked at again under the lock: another process may have been first. */
	enum fault f = catalog_schema(c, &version, why);

	for (; !f && version < SCHEMA_VERSION; version++)
		f = sql_execute(c, schema[version], why);
	snprintf(text, sizeof text, "PRAGMA user_version = %d", (int)SCHEMA_VERSION);
	return !f ? sql_execute(c, text, why) : f;
}

/* Nothing is removed for it; but whoever runs this wants to know, before uploads go elsewhere. */
void catalog_warn_of_emptiness(const struct catalog *catalog)
{
	int64_t files;
	bool empty;

	if (!sql_read(catalog->writer, SQL_STORE, &files, 1, NULL, NO_VALUES) && files > 0 &&
	    !disk_is_bare(catalog->store, &empty, NULL) && empty)
		log_line(LOG_WARN, "objects/ is empty, though there are files",
		    "files=%lld advice=\"is its file system mounted?\"", (long long)files);
}

/*
 * An empty catalog beside objects is a catalog that was lost: the next sweep would take all of them
 * for orphans. Ours is made, and synced, before the first object.
 */
static enum fault refuse_strange_objects(const struct store *store, struct refusal *why)
{
	bool empty;
	enum fault f = disk_is_bare(store, &empty, why);

	if (f || empty)
		return f;
	return refuse(why, FAULT_INTERNAL,
	    "There are files in objects/, but waybill.db knows of none: it is new or empty. Put "
	    "waybill.db and waybill.db-wal back, or take a backup (waybill restore), or say `waybill "
	    "verify --adopt`: that enters them as files of nobody. Or move objects/ away.");
}

/* All steps in one transaction under an exclusive lock. */
enum fault catalog_migrate(struct connection *c, bool *fresh, struct refusal *why)
{
	int64_t version;
	enum fault f = catalog_schema(c, &version, why);

	*fresh = !f && version == 0;
	if (*fresh && !(c->catalog->mode & CATALOG_ADOPT))
		f = refuse_strange_objects(c->catalog->store, why);
	/* A backup's, put in place by hand, is of this version, and has none. */
	if (!f)
		f = sql_execute(c, "PRAGMA journal_mode = WAL", why);
	if (f || version == SCHEMA_VERSION)
		return f;
	f = sql_execute(c, "BEGIN EXCLUSIVE", why);
	if (f)
		return f;
	f = steps_forward(c, why);
	if (!f)
		f = sql_execute(c, "COMMIT", why);
	if (f)
		sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
	return f;
}
