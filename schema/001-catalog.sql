-- The catalog, version 1. Applied in one transaction; PRAGMA user_version is set by the program.
-- Times are milliseconds since the epoch. Foreign keys are not declared: every removal goes
-- through the triggers below, and a constraint on files.sha256 would want an index that nothing
-- else pays for.

PRAGMA application_id = 0x77617962; -- "wayb"

-- Distinct content: objects/<sha256 in hex> on disk.
CREATE TABLE objects (
	sha256  BLOB    PRIMARY KEY CHECK (length(sha256) = 32),
	size    INTEGER NOT NULL,
	type    TEXT    NOT NULL,           -- libmagic's verdict ...
	magic   INTEGER NOT NULL,           -- ... and the version of libmagic that gave it
	durable INTEGER NOT NULL,           -- 1: data and directory entry were synced before COMMIT
	refs    INTEGER NOT NULL DEFAULT 0  -- files with this content (triggers)
) STRICT, WITHOUT ROWID;

-- What was kept, in the order of commits. AUTOINCREMENT: a seq is never used again, so that a
-- page's cursor stays right whatever is removed.
CREATE TABLE files (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	id            TEXT    NOT NULL UNIQUE,
	form          INTEGER,              -- seq of the first file of the same form; NULL: it is the first
	name          TEXT    NOT NULL,
	name_fold     TEXT    NOT NULL,     -- name as a search that ignores case sees it
	size          INTEGER NOT NULL,
	type          TEXT    NOT NULL,
	declared_type TEXT,
	sha256        BLOB    NOT NULL,
	owner         TEXT,                 -- NULL: anonymous
	fields        TEXT    NOT NULL,     -- JSON object
	uploaded_at   INTEGER NOT NULL,
	expires_at    INTEGER,              -- NULL: never
	delete_hash   BLOB                  -- SHA-256 of the delete token
) STRICT;

-- Each index ends in seq, the rowid: a page of one owner or type is a range of it.
CREATE INDEX files_by_owner  ON files (owner) WHERE owner IS NOT NULL;
CREATE INDEX files_by_type   ON files (type);
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;

-- Sums that quotas and totals are read from, so that neither ever scans.
CREATE TABLE usage (
	owner TEXT    PRIMARY KEY,          -- '': anonymous
	files INTEGER NOT NULL,
	bytes INTEGER NOT NULL              -- sizes of the owner's files, shared content or not
) STRICT, WITHOUT ROWID;

CREATE TABLE store (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	files    INTEGER NOT NULL,
	bytes    INTEGER NOT NULL,          -- of distinct content
	swept_at INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, 0, 0, 0);

CREATE TRIGGER files_added AFTER INSERT ON files BEGIN
	UPDATE store SET files = files + 1;
	UPDATE objects SET refs = refs + 1 WHERE sha256 = new.sha256;
	INSERT INTO usage VALUES (ifnull(new.owner, ''), 1, new.size)
		ON CONFLICT (owner) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER files_removed AFTER DELETE ON files BEGIN
	UPDATE store SET files = files - 1;
	UPDATE objects SET refs = refs - 1 WHERE sha256 = old.sha256;
	UPDATE usage SET files = files - 1, bytes = bytes - old.size
		WHERE owner = ifnull(old.owner, '');
	DELETE FROM usage WHERE owner = ifnull(old.owner, '') AND files = 0;
END;
CREATE TRIGGER objects_added AFTER INSERT ON objects BEGIN
	UPDATE store SET bytes = bytes + new.size;
END;
CREATE TRIGGER objects_removed AFTER DELETE ON objects BEGIN
	UPDATE store SET bytes = bytes - old.size;
END;

-- Bearer tokens: only the hash of the text is kept.
CREATE TABLE tokens (
	name       TEXT    PRIMARY KEY,
	hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
	rights     INTEGER NOT NULL,        -- set of enum right
	created_at INTEGER NOT NULL,
	expires_at INTEGER,                 -- NULL: never
	quota      INTEGER NOT NULL         -- bytes; 0: none
) STRICT;

-- Resumable uploads under way; their bytes are partial/<id>. Offset and digest state change in
-- one UPDATE: after a crash the file is cut to the offset, so that the three never disagree.
CREATE TABLE uploads (
	id            TEXT    PRIMARY KEY,  -- becomes the file's
	protocol      INTEGER NOT NULL,     -- enum protocol
	state         INTEGER NOT NULL,     -- enum partial_state of keep/partial.h
	owner         TEXT,
	name          TEXT    NOT NULL,
	declared_type TEXT,
	fields        TEXT    NOT NULL,     -- JSON object
	metadata      TEXT,                 -- Upload-Metadata as given
	length        INTEGER,              -- NULL: not known yet
	offset        INTEGER NOT NULL,     -- bytes that count
	allocated     INTEGER NOT NULL,     -- bytes that the file system has set aside
	digest        BLOB    NOT NULL,     -- running SHA-256 at offset
	type          TEXT,                 -- the verdict, once HEAD_BYTES were there
	repr_digest   BLOB,                 -- digest claimed for the whole: algorithm, value
	concat        INTEGER NOT NULL,     -- 0 no, 1 a part, 2 made of parts
	parts         TEXT,                 -- Upload-Concat as given
	created_at    INTEGER NOT NULL,
	expires_at    INTEGER,              -- NULL: never
	lasts         INTEGER,              -- ms the finished file is to be kept; NULL: for ever
	claim         INTEGER NOT NULL DEFAULT 0 -- grows when a holder is shut out
) STRICT;
CREATE INDEX uploads_by_expiry ON uploads (expires_at) WHERE expires_at IS NOT NULL;
-- What quotas count: the few that are open, whatever else is remembered.
CREATE INDEX uploads_open ON uploads (state) WHERE state = 0;

-- A file that goes takes along what is remembered of its upload.
CREATE TRIGGER files_forgotten AFTER DELETE ON files BEGIN
	DELETE FROM uploads WHERE id = old.id;
END;
