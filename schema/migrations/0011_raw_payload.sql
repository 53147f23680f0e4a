-- What came in, as it came, for a while; what workers do in turn; levels out of sale.

-- Raw inbound payloads, encrypted with a key that is not in the database. A row that nobody can
-- read any more (the key is gone) is as good as deleted.
CREATE TABLE raw_payload (
    received_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    source text COLLATE "C" NOT NULL,
    source_id text COLLATE "C" NOT NULL,
    content_type text COLLATE "C" NOT NULL DEFAULT '',
    digest bytea NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT raw_payload_pkey PRIMARY KEY (source, source_id, digest)
);
CREATE INDEX raw_payload_expires ON raw_payload (expires_at);
ALTER TABLE raw_payload ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON COLUMN raw_payload.digest IS
    'keyed hash of the payload: the same one sent again is kept once';

-- Work that one worker at a time does for all: who moves the due time has it.
CREATE TABLE chore (
    name text COLLATE "C" CONSTRAINT chore_pkey PRIMARY KEY,
    due_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO chore (name) VALUES ('invariants');

-- The levels a person has to look at: a handful.
CREATE INDEX stock_level_quarantined ON stock_level (sku, node) WHERE quarantined;
