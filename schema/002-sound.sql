-- The catalog, version 2: from 0.1.0 to 0.2.

-- Which catalog this is, and how many commits it has seen: an older copy of it, put beside newer
-- objects, is told from the right one by data_dir/generation, which remembers both.
ALTER TABLE store ADD COLUMN line BLOB CHECK (length(line) = 16);
ALTER TABLE store ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN committed_at INTEGER NOT NULL DEFAULT 0;
UPDATE store SET line = randomblob(16);
