/*
 * check_statements.h: the words of SQL that ask whether the catalog is right, mend it, and trim a copy.
 */
#ifndef WAYBILL_CATALOG_CHECK_STATEMENTS_H
#define WAYBILL_CATALOG_CHECK_STATEMENTS_H

/* clang-format off */
/* What `usage` and `store` should say: who, files, bytes; and bytes. */
#define ADDED_UP_USAGE \
	"SELECT who, sum(one) AS n, sum(bytes) AS b FROM (" \
	"SELECT ifnull(owner, '') AS who, 1 AS one, size AS bytes FROM files UNION ALL" \
	" SELECT owner, 0, " FIELD_BYTES " FROM forms) GROUP BY who"
#define ADDED_UP_BYTES \
	"((SELECT ifnull(sum(size), 0) FROM objects) +" \
	" (SELECT ifnull(sum(" FIELD_BYTES "), 0) FROM forms))"

#define CHECK_STATEMENTS(X) \
	/* What verify asks: a row for each finding, of what is wrong and with whom. */ \
	X(VERIFY_INTEGRITY, "PRAGMA integrity_check(100)") \
	X(VERIFY_REINDEX,   "REINDEX") \
	X(VERIFY_OBJECTS,   "SELECT sha256, size FROM objects WHERE sha256 > ?1 AND refs >= ?3" \
	                    " ORDER BY sha256 LIMIT ?2") \
	X(VERIFY_FILES,     "SELECT " FILE_COLUMNS " FROM files WHERE seq > ?1 ORDER BY seq LIMIT ?2") \
	X(VERIFY_POINTERS,  "SELECT 'record without content in the catalog:', id FROM files" \
	                    " WHERE sha256 NOT IN (SELECT sha256 FROM objects)") \
	X(VERIFY_UNUSED,    "SELECT 'content without a record:', lower(hex(sha256)) FROM objects" \
	                    " WHERE sha256 NOT IN (SELECT sha256 FROM files)") \
	X(VERIFY_SIZES,     "SELECT 'record of another size than its content:', id FROM files AS f" \
	                    " JOIN objects AS o ON o.sha256 = f.sha256 WHERE o.size <> f.size") \
	X(VERIFY_REFS,      "SELECT 'wrong count: records of content is ' || refs || ', not ' || n || ':'," \
	                    " lower(hex(sha256)) FROM objects JOIN (SELECT sha256 AS s, count(*) AS n" \
	                    " FROM files GROUP BY 1) ON s = sha256 WHERE refs <> n") \
	X(VERIFY_FORMS,     "SELECT 'fields of no file:', seq FROM forms WHERE seq NOT IN" \
	                    " (SELECT ifnull(form, seq) FROM files)") \
	X(VERIFY_USAGE,     "SELECT 'wrong sum: usage is ' || ifnull(u.files, 0) || ' files, ' ||" \
	                    " ifnull(u.bytes, 0) || ' bytes, not ' || ifnull(t.n, 0) || ', ' ||" \
	                    " ifnull(t.b, 0) || ':', ifnull(owner, who) FROM usage AS u FULL JOIN" \
	                    " (" ADDED_UP_USAGE ") AS t ON who = owner" \
	                    " WHERE u.files IS NOT t.n OR u.bytes IS NOT t.b") \
	X(VERIFY_STORE,     "SELECT 'wrong sum: store is ' || files || ' files, ' || bytes ||" \
	                    " ' bytes, not ' || n || ', ' || b || ':', 'store' FROM store," \
	                    " (SELECT count(*) AS n FROM files), (SELECT " ADDED_UP_BYTES " AS b)" \
	                    " WHERE files <> n OR bytes <> b") \
	X(VERIFY_UPLOADS,   "SELECT 'wrong sum: unfinished uploads are ' || ifnull(s.uploads, 0) || ' of ' ||" \
	                    " ifnull(s.promised, 0) || ' bytes, ' || ifnull(s.pending, 0) || ' pending, not ' ||" \
	                    " ifnull(t.uploads, 0) || ' of ' || ifnull(t.promised, 0) || ', ' ||" \
	                    " ifnull(t.pending, 0) || ':', ifnull(s.whose, t.whose) FROM uploads_sums AS s" \
	                    " FULL JOIN uploads_added_up AS t ON s.whose = t.whose" \
	                    " WHERE s.uploads IS NOT t.uploads OR s.promised IS NOT t.promised" \
	                    " OR s.pending IS NOT t.pending") \
	X(MEND_POINTERS,    "INSERT INTO objects (sha256, size, type, magic, durable)" \
	                    " SELECT sha256, max(size), type, 0, 0 FROM files" \
	                    " WHERE sha256 NOT IN (SELECT sha256 FROM objects) GROUP BY sha256") \
	X(MEND_UNUSED,      "DELETE FROM objects WHERE sha256 NOT IN (SELECT sha256 FROM files)") \
	X(MEND_SIZES,       "UPDATE files SET size = o.size FROM objects AS o" \
	                    " WHERE o.sha256 = files.sha256 AND files.size <> o.size") \
	X(MEND_REFS,        "UPDATE objects SET refs = n FROM (SELECT sha256 AS s, count(*) AS n" \
	                    " FROM files GROUP BY 1) WHERE s = sha256 AND refs <> n") \
	X(MEND_FORMS,       "DELETE FROM forms WHERE seq NOT IN (SELECT ifnull(form, seq) FROM files)") \
	X(MEND_NO_USAGE,    "DELETE FROM usage") \
	X(MEND_USAGE,       "INSERT INTO usage " ADDED_UP_USAGE) \
	X(MEND_STORE,       "UPDATE store SET files = (SELECT count(*) FROM files)," \
	                    " bytes = " ADDED_UP_BYTES) \
	X(MEND_NO_UPLOADS,  "DELETE FROM uploads_sums") \
	X(MEND_UPLOADS,     "INSERT INTO uploads_sums SELECT * FROM uploads_added_up") \
	X(MEND_OBJECT,      "UPDATE objects SET size = ?2 WHERE sha256 = ?1") \
	\
	/* To a copy of the catalog alone: what a backup must not hold. */ \
	X(COPY_OBJECTS,    "SELECT sha256, size FROM objects ORDER BY sha256") \
	X(COPY_GONE,       "CREATE TEMP TABLE gone (sha256 BLOB PRIMARY KEY) WITHOUT ROWID") \
	X(COPY_FORGET,     "INSERT OR IGNORE INTO temp.gone VALUES (?1)") \
	X(COPY_NO_UPLOADS, "DELETE FROM uploads WHERE state IN (0, 3)") \
	X(COPY_NO_FILES,   "DELETE FROM files WHERE sha256 IN (SELECT sha256 FROM temp.gone)") \
	X(COPY_NO_OBJECTS, "DELETE FROM objects WHERE sha256 IN (SELECT sha256 FROM temp.gone)") \
	X(COPY_LIVE,       "PRAGMA journal_mode = WAL") \
	X(COPY_LINE,       "SELECT line, commits FROM store") \
	X(COPY_DESCENDS,   "SELECT line = ?1 OR instr(parents, hex(?1)) > 0 FROM store")
/* clang-format on */

#endif
