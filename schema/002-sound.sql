-- The catalog, version 2: from 0.1.0 to 0.2.

-- Which catalog this is, and how many commits it has seen: an older copy of it, put beside newer
-- objects, is told from the right one by data_dir/generation, which remembers both.
ALTER TABLE store ADD COLUMN line BLOB CHECK (length(line) = 16);
ALTER TABLE store ADD COLUMN parents TEXT NOT NULL DEFAULT ''; -- lines that it parted from, in hex
ALTER TABLE store ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN committed_at INTEGER NOT NULL DEFAULT 0;
UPDATE store SET line = randomblob(16);

-- ---- resumable uploads: sums of what is under way, and who pays for it ---------------------------

-- Who made it, where nobody's name is on it: to count how many such an address has, and only as long
-- as it is one of them.
ALTER TABLE uploads ADD COLUMN address TEXT;
-- Quota of the owner's token at the creation, for when that token is no more; 0: none.
ALTER TABLE uploads ADD COLUMN quota INTEGER NOT NULL DEFAULT 0;
-- The upload that this part went into: the part stays no longer than it.
ALTER TABLE uploads ADD COLUMN whole TEXT;
CREATE INDEX uploads_by_whole ON uploads (whole) WHERE whole IS NOT NULL;

-- What a row counts for. Before its first byte an upload reserves nothing.
ALTER TABLE uploads ADD COLUMN is_open INTEGER AS (state = 0);
ALTER TABLE uploads ADD COLUMN promised INTEGER AS
	(iif(state = 0 AND offset > 0, ifnull(length, offset), 0));
ALTER TABLE uploads ADD COLUMN pending INTEGER AS -- promised, and not on disk yet
	(iif(state = 0 AND offset > 0, max(ifnull(length, offset) - max(allocated, offset), 0), 0));
DROP INDEX uploads_open;

CREATE TABLE uploads_sums (
	whose    TEXT    PRIMARY KEY, -- 'all'; 'owner:NAME', no name: the anonymous, and of them 'address:...'
	uploads  INTEGER NOT NULL,
	promised INTEGER NOT NULL,
	pending  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The same, added up from the rows: where the sums begin, and what verify holds them against.
CREATE VIEW uploads_added_up (whose, uploads, promised, pending) AS
	SELECT whose, count(*), sum(promised), sum(pending) FROM (
		SELECT 'all' AS whose, promised, pending FROM uploads WHERE is_open
		UNION ALL
		SELECT 'owner:' || ifnull(owner, ''), promised, pending FROM uploads WHERE is_open
		UNION ALL
		SELECT 'address:' || ifnull(address, ''), promised, pending FROM uploads
			WHERE is_open AND owner IS NULL)
	GROUP BY whose;
INSERT INTO uploads_sums SELECT * FROM uploads_added_up;

CREATE TRIGGER uploads_added AFTER INSERT ON uploads WHEN new.is_open BEGIN
	INSERT INTO uploads_sums
		SELECT whose, 1, new.promised, new.pending FROM (
			SELECT 'all' AS whose
			UNION ALL SELECT 'owner:' || ifnull(new.owner, '')
			UNION ALL SELECT 'address:' || ifnull(new.address, '') WHERE new.owner IS NULL)
		WHERE true
		ON CONFLICT (whose) DO UPDATE SET uploads = uploads + 1,
			promised = promised + excluded.promised, pending = pending + excluded.pending;
END;
-- An upload never opens again.
CREATE TRIGGER uploads_changed AFTER UPDATE OF state, length, offset, allocated ON uploads
	WHEN old.is_open BEGIN
	UPDATE uploads_sums SET uploads = uploads - old.is_open + new.is_open,
		promised = promised - old.promised + new.promised,
		pending = pending - old.pending + new.pending
		WHERE whose IN ('all', 'owner:' || ifnull(old.owner, ''),
			iif(old.owner IS NULL, 'address:' || ifnull(old.address, ''), NULL));
	DELETE FROM uploads_sums WHERE uploads = 0 AND NOT new.is_open
		AND whose IN ('all', 'owner:' || ifnull(old.owner, ''),
			iif(old.owner IS NULL, 'address:' || ifnull(old.address, ''), NULL));
END;
CREATE TRIGGER uploads_removed AFTER DELETE ON uploads WHEN old.is_open BEGIN
	UPDATE uploads_sums SET uploads = uploads - 1,
		promised = promised - old.promised, pending = pending - old.pending
		WHERE whose IN ('all', 'owner:' || ifnull(old.owner, ''),
			iif(old.owner IS NULL, 'address:' || ifnull(old.address, ''), NULL));
	DELETE FROM uploads_sums WHERE uploads = 0
		AND whose IN ('all', 'owner:' || ifnull(old.owner, ''),
			iif(old.owner IS NULL, 'address:' || ifnull(old.address, ''), NULL));
END;

-- Parts of a file that is gone would be bytes that nobody pays for: the next sweep takes them, row
-- and bytes.
CREATE TRIGGER files_forgot_parts AFTER DELETE ON files BEGIN
	UPDATE uploads SET expires_at = 1 WHERE whole = old.id;
END;

-- ---- fields: once for all files of a form, and paid for ------------------------------------------

CREATE TABLE forms (
	seq    INTEGER PRIMARY KEY,         -- of the form's first file, whether it is still there or not
	owner  TEXT    NOT NULL,            -- who pays; '': anonymous
	fields TEXT    NOT NULL             -- JSON object; a form without fields has no row
) STRICT;
INSERT OR IGNORE INTO forms
	SELECT ifnull(form, seq), ifnull(owner, ''), fields FROM files WHERE fields <> '{}';
UPDATE uploads SET fields = '{}' WHERE state = 1; -- they are files, and their fields with them
-- A program of version 1 that still runs can enter nothing from here on.
ALTER TABLE files DROP COLUMN fields;
-- Whether a form has files left: only those that are not the first of theirs cost anything.
CREATE INDEX files_by_form ON files (form) WHERE form IS NOT NULL;

-- From now on the bytes of `usage` and `store` include those of fields, as JSON.
UPDATE store SET bytes = bytes + (SELECT ifnull(sum(length(CAST(fields AS BLOB))), 0) FROM forms);
UPDATE usage SET bytes = bytes + more FROM
	(SELECT owner AS payer, sum(length(CAST(fields AS BLOB))) AS more FROM forms GROUP BY 1)
	WHERE payer = owner;

-- After the form's first file, whose owner has a row in `usage` by then.
CREATE TRIGGER forms_added AFTER INSERT ON forms BEGIN
	UPDATE store SET bytes = bytes + length(CAST(new.fields AS BLOB));
	UPDATE usage SET bytes = bytes + length(CAST(new.fields AS BLOB)) WHERE owner = new.owner;
END;
CREATE TRIGGER forms_removed AFTER DELETE ON forms BEGIN
	UPDATE store SET bytes = bytes - length(CAST(old.fields AS BLOB));
	UPDATE usage SET bytes = bytes - length(CAST(old.fields AS BLOB)) WHERE owner = old.owner;
END;

DROP TRIGGER files_removed;
CREATE TRIGGER files_removed AFTER DELETE ON files BEGIN
	UPDATE store SET files = files - 1;
	UPDATE objects SET refs = refs - 1 WHERE sha256 = old.sha256;
	DELETE FROM forms WHERE seq = ifnull(old.form, old.seq)
		AND NOT EXISTS (SELECT 1 FROM files WHERE seq = ifnull(old.form, old.seq))
		AND NOT EXISTS (SELECT 1 FROM files WHERE form = ifnull(old.form, old.seq));
	UPDATE usage SET files = files - 1, bytes = bytes - old.size
		WHERE owner = ifnull(old.owner, '');
	DELETE FROM usage WHERE owner = ifnull(old.owner, '') AND files = 0;
END;

-- ---- what a power cut may have taken -------------------------------------------------------------

-- What was not synced is as it was written only as long as the machine runs that wrote it. After a
-- power cut it is read again before it is believed.
ALTER TABLE objects ADD COLUMN boot INTEGER NOT NULL DEFAULT 0; -- start of the machine that wrote it; 0: some earlier one
ALTER TABLE objects ADD COLUMN damaged INTEGER; -- change time (ns) of the file that was read and is not this content
CREATE INDEX objects_unsynced ON objects (boot) WHERE durable = 0;
ALTER TABLE uploads ADD COLUMN durable INTEGER NOT NULL DEFAULT 0; -- 1: bytes up to offset were synced before COMMIT
ALTER TABLE uploads ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;    -- start of the machine that wrote or read them

-- ---- tokens: which are still in use ---------------------------------------------------------------

ALTER TABLE tokens ADD COLUMN used_at INTEGER; -- the last time, to the hour

-- ---- who and where from --------------------------------------------------------------------------

-- The client's address, as far as log_address lets it be kept; the folders above the name, '/' between.
ALTER TABLE files ADD COLUMN address TEXT;
ALTER TABLE files ADD COLUMN path TEXT;
-- The same of what becomes a file: `address` above is kept to count by, and not as long.
ALTER TABLE uploads ADD COLUMN client TEXT;
ALTER TABLE uploads ADD COLUMN path TEXT;

-- ---- requests that are sent again -------------------------------------------------------------------

-- Of the first file of a form (or the only one): a digest that follows from the idempotency key of whoever
-- sent it. The same key again finds what came of it.
ALTER TABLE files ADD COLUMN key_hash BLOB CHECK (length(key_hash) = 32);
CREATE UNIQUE INDEX files_by_key ON files (key_hash) WHERE key_hash IS NOT NULL;
