/*
 * statements.h: every word of SQL this program speaks, besides schema/.
 *
 * Prepared once per connection, when first used. Listing statements share their parameters: ?1
 * after, ?2 owner, ?3 type or its lower bound, ?4 upper bound, ?5 glob, ?6 part of the folded name,
 * ?7 since, ?8 until, ?9 now, ?10 limit, ?11 address; NULL in ?2 to ?6 and ?11: any.
 */
#ifndef WAYBILL_CATALOG_STATEMENTS_H
#define WAYBILL_CATALOG_STATEMENTS_H

#include "catalog/sqlite/check_statements.h"

/* clang-format off */
#define FILE_COLUMNS \
	"seq, id, name, size, type, declared_type, sha256, owner, uploaded_at, expires_at," \
	" ifnull(form, seq), (SELECT fields FROM forms WHERE forms.seq = ifnull(files.form, files.seq))," \
	" address, path"
#define FIELD_BYTES "length(CAST(fields AS BLOB))"

#define UPLOAD_COLUMNS \
	"id, protocol, state, concat, owner, name, declared_type, fields, metadata, parts, length," \
	" offset, allocated, created_at, expires_at, lasts, claim, repr_digest, type, digest, quota," \
	" durable, boot, client, path"

#define LIST_FILTERS \
	" AND (?2 IS NULL OR owner = ?2)" \
	" AND (?3 IS NULL OR type >= ?3) AND (?4 IS NULL OR type < ?4)" \
	" AND (?5 IS NULL OR type GLOB ?5)" \
	" AND (?6 IS NULL OR instr(name_fold, ?6))" \
	" AND uploaded_at >= ?7 AND uploaded_at < ?8" \
	" AND (expires_at IS NULL OR expires_at > ?9)" \
	" AND (?11 IS NULL OR address = ?11)"

#define LIST_BY(index, where, after, order) \
	"SELECT " FILE_COLUMNS " FROM files " index " WHERE " where after LIST_FILTERS \
	" ORDER BY seq " order " LIMIT ?10"
#define NEWEST(index, where) LIST_BY(index, where, "seq < ?1", "DESC")
#define OLDEST(index, where) LIST_BY(index, where, "seq > ?1", "ASC")
#define COUNT_BY(index, where) "SELECT count(*) FROM files " index " WHERE " where "1" LIST_FILTERS

#define VIA_SEQ   "NOT INDEXED", ""
#define VIA_OWNER "INDEXED BY files_by_owner", "owner = ?2 AND "
#define VIA_TYPE  "INDEXED BY files_by_type", "type = ?3 AND "
#define VIA_TYPES "INDEXED BY files_by_type", "type >= ?3 AND type < ?4 AND "
#define SPREAD(macro, ...) macro(__VA_ARGS__) /* so that VIA_... count as two arguments */

#define SUM_OF(what, whose) "ifnull((SELECT " what " FROM uploads_sums WHERE whose = " whose "), 0)"

#define STATEMENTS(X) \
	CHECK_STATEMENTS(X) \
	X(BEGIN_READ,  "BEGIN") \
	X(BEGIN_WRITE, "BEGIN IMMEDIATE") \
	X(VERSION,     "PRAGMA user_version") \
	X(APPLICATION, "PRAGMA application_id") \
	X(TABLES,      "SELECT count(*) FROM sqlite_schema") \
	X(COMMIT,      "COMMIT") \
	X(ROLLBACK,    "ROLLBACK") \
	X(SAVEPOINT,   "SAVEPOINT job") \
	X(UNDO,        "ROLLBACK TO job") \
	X(RELEASE,     "RELEASE job") \
	\
	X(OBJECT_FIND,    "SELECT size, type, magic, durable, boot, damaged FROM objects" \
	                  " WHERE sha256 = ?1") \
	X(OBJECT_ADD,     "INSERT INTO objects (sha256, size, type, magic, durable, boot)" \
	                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6)") \
	X(OBJECT_REFRESH, "UPDATE objects SET type = ?3, magic = ?4, durable = ?5, boot = ?6," \
	                  " damaged = NULL WHERE sha256 = ?1 AND size = ?2") \
	X(OBJECT_JUDGED,  "UPDATE objects SET durable = iif(?2 IS NULL, 1, durable), damaged = ?2" \
	                  " WHERE sha256 = ?1") \
	X(OBJECTS_UNPROVED, "SELECT EXISTS (SELECT 1 FROM objects WHERE durable = 0 AND boot < ?1)" \
	                    " OR EXISTS (SELECT 1 FROM objects WHERE durable = 0 AND boot > ?1)" \
	                    " OR ?1 = 0") \
	X(OBJECT_FORGET,  "DELETE FROM objects WHERE sha256 = ?1 AND refs = 0 RETURNING size") \
	\
	X(FILE_ADD,     "INSERT INTO files (id, form, name, name_fold, size, type, declared_type," \
	                " sha256, owner, uploaded_at, expires_at, delete_hash, address, path, key_hash)" \
	                " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)") \
	X(KEY_FIND,     "SELECT id, expires_at FROM files WHERE key_hash = ?1") \
	X(KEY_BYTES,    "SELECT ifnull(sum(f.size), 0) FROM files AS f," \
	                " (SELECT seq AS first FROM files WHERE key_hash = ?1)" \
	                " WHERE f.seq = first OR f.form = first") \
	X(FORM_ADD,     "INSERT INTO forms (seq, owner, fields) VALUES (?1, ifnull(?2, ''), ?3)") \
	X(FILE_FIND,    "SELECT " FILE_COLUMNS " FROM files WHERE id = ?1") \
	X(FILE_FORM,    "SELECT ifnull(form, seq) FROM files WHERE id = ?1") \
	X(FORM_FIND,    "SELECT " FILE_COLUMNS " FROM files WHERE (seq = ?1 OR form = ?1)" \
	                " AND (expires_at IS NULL OR expires_at > ?2) ORDER BY seq") \
	X(FILE_HASH,    "SELECT delete_hash FROM files WHERE id = ?1") \
	X(FILE_REMOVE,  "DELETE FROM files WHERE id = ?1 RETURNING sha256") \
	X(FILE_EXPIRED, "SELECT id FROM files WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2") \
	\
	X(STORE,         "SELECT files, bytes FROM store") \
	X(GENERATION,       "SELECT commits, committed_at, line FROM store") \
	X(GENERATION_COUNT, "UPDATE store SET commits = commits + 1, committed_at = ?1" \
	                    " RETURNING commits") \
	X(GENERATION_NEW,   "UPDATE store SET parents = hex(line) || ' ' || parents," \
	                    " line = randomblob(16)," \
	                    " commits = commits + 1") \
	/* One snapshot of all that quotas are judged by: in the order of struct catalog_sums. */ \
	X(SUMS,          "SELECT files, bytes, ifnull((SELECT bytes FROM usage WHERE owner = ?1), 0)," \
	                 " " SUM_OF("promised", "'all'") ", " SUM_OF("promised", "'owner:' || ?1") "," \
	                 " " SUM_OF("pending", "'all'") " FROM store") \
	X(STORE_SWEPT,   "UPDATE store SET swept_at = ?1") \
	X(USAGE,         "SELECT files, bytes FROM usage WHERE owner = ?1") \
	X(EXPIRED_COUNT, "SELECT count(*) FROM files WHERE expires_at <= ?1") \
	X(EXPIRED_OWNED, "SELECT count(*) FROM files INDEXED BY files_by_expiry" \
	                 " WHERE expires_at <= ?1 AND owner = ?2") \
	\
	X(NEWEST_BY_SEQ,   SPREAD(NEWEST, VIA_SEQ)) \
	X(NEWEST_BY_OWNER, SPREAD(NEWEST, VIA_OWNER)) \
	X(NEWEST_BY_TYPE,  SPREAD(NEWEST, VIA_TYPE)) \
	X(NEWEST_BY_TYPES, SPREAD(NEWEST, VIA_TYPES)) \
	X(OLDEST_BY_SEQ,   SPREAD(OLDEST, VIA_SEQ)) \
	X(OLDEST_BY_OWNER, SPREAD(OLDEST, VIA_OWNER)) \
	X(OLDEST_BY_TYPE,  SPREAD(OLDEST, VIA_TYPE)) \
	X(OLDEST_BY_TYPES, SPREAD(OLDEST, VIA_TYPES)) \
	X(COUNT_BY_SEQ,    SPREAD(COUNT_BY, VIA_SEQ)) \
	X(COUNT_BY_OWNER,  SPREAD(COUNT_BY, VIA_OWNER)) \
	X(COUNT_BY_TYPE,   SPREAD(COUNT_BY, VIA_TYPE)) \
	X(COUNT_BY_TYPES,  SPREAD(COUNT_BY, VIA_TYPES)) \
	\
	X(TOKEN_FIND,   "SELECT name, hash, rights, expires_at, quota, used_at FROM tokens WHERE hash = ?1") \
	X(TOKEN_ADD,    "INSERT INTO tokens (name, hash, rights, created_at, expires_at, quota)" \
	                " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (name) DO NOTHING") \
	X(TOKEN_REMOVE, "DELETE FROM tokens WHERE name = ?1") \
	X(TOKEN_USED,   "UPDATE tokens SET used_at = ?2 WHERE hash = ?1") \
	X(TOKEN_EACH,   "SELECT name, rights, created_at, expires_at, quota, used_at FROM tokens ORDER BY name") \
	\
	X(UPLOAD_FIND,     "SELECT " UPLOAD_COLUMNS " FROM uploads WHERE id = ?1") \
	X(UPLOAD_NEXT,     "SELECT " UPLOAD_COLUMNS " FROM uploads" \
	                   " WHERE id > ?1 AND state IN (0, 3) ORDER BY id LIMIT 1") \
	X(UPLOAD_ADD,      "INSERT INTO uploads (id, protocol, state, concat, owner, name," \
	                   " declared_type, fields, metadata, parts, length, offset, allocated," \
	                   " created_at, expires_at, lasts, repr_digest, digest, quota, address," \
	                   " durable, boot, client, path) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9," \
	                   " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23," \
	                   " ?24)") \
	X(UPLOAD_COUNT,    "SELECT uploads FROM uploads_sums WHERE whose = iif(?1 IS NULL," \
	                   " 'address:' || ifnull(?2, ''), 'owner:' || ?1)") \
	X(UPLOAD_QUOTA,    "SELECT ifnull((SELECT quota FROM tokens WHERE name = ?1), ?2)") \
	X(UPLOAD_UPDATE,   "UPDATE uploads SET length = ?3, offset = ?4, digest = ?5, type = ?6," \
	                   " allocated = ?7, expires_at = iif(state = 3, expires_at, ?8)," \
	                   " durable = ?9, boot = ?10" \
	                   " WHERE id = ?1 AND claim = ?2 AND state IN (0, 3)") \
	X(UPLOAD_PROLONG,  "UPDATE uploads SET expires_at = ?3 WHERE id = ?1 AND claim = ?2 AND state = 0") \
	X(UPLOAD_PROVED,   "UPDATE uploads SET boot = ?3 WHERE id = ?1 AND offset = ?2") \
	X(UPLOAD_END,      "UPDATE uploads SET state = 2, digest = x'', fields = '{}', metadata = NULL," \
	                   " address = NULL, client = NULL, path = NULL, claim = claim + 1, expires_at = min(ifnull(expires_at, ?2), ?2)" \
	                   " WHERE id = ?1 AND state IN (0, 3)") \
	X(UPLOAD_SHUT_OUT, "UPDATE uploads SET claim = claim + 1 WHERE id = ?1 AND state IN (0, 3)") \
	X(UPLOAD_DONE,     "UPDATE uploads SET state = 1, digest = x'', fields = '{}', address = NULL," \
	                   " client = NULL, path = NULL, length = ?3, offset = ?3, expires_at = ?4" \
	                   " WHERE id = ?1 AND claim = ?2 AND state = 0") \
	X(UPLOAD_USE,      "UPDATE uploads SET state = 3, expires_at = min(ifnull(expires_at, ?2), ?2)," \
	                   " whole = ?3, address = NULL WHERE id = ?1 AND state = 0") \
	X(UPLOAD_THERE,   "SELECT 1 FROM uploads WHERE id = ?1 AND state IN (0, 3)") \
	X(UPLOAD_REMOVE,  "DELETE FROM uploads WHERE id = ?1 AND state <> 1") \
	X(UPLOAD_EXPIRE,  "DELETE FROM uploads WHERE id = ?1 AND expires_at <= ?2") \
	X(UPLOAD_EXPIRED, "SELECT id FROM uploads WHERE expires_at <= ?1 AND id > ?2 ORDER BY id" \
	                  " LIMIT ?3")
/* clang-format on */

enum statement {
#define X(name, text) SQL_##name,
	STATEMENTS(X)
#undef X
	    SQL_COUNT
};

#endif
