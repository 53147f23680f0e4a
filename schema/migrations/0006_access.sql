-- Who may call the API: keys, the secrets that open them, and what each client used of its quota.

-- What a client may do. Its id is the caller's and outlives its secrets. In `grants` stand names of
-- roles and permissions; a scope that is null is open, '*' in it says that this is meant.
CREATE TABLE api_key (
    id uuid CONSTRAINT api_key_pkey PRIMARY KEY,
    name text NOT NULL,
    mode text COLLATE "C" NOT NULL,
    grants text[] COLLATE "C" NOT NULL,
    nodes text[] COLLATE "C",
    brands text[] COLLATE "C",
    regions text[] COLLATE "C",
    channels text[] COLLATE "C",
    requests int,
    lifetime_days int NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    CONSTRAINT api_key_has_a_name CHECK (name <> ''),
    CONSTRAINT api_key_mode CHECK (mode IN ('live', 'test')),
    CONSTRAINT api_key_may_do_something CHECK (grants <> '{}'),
    CONSTRAINT api_key_scopes_name_something CHECK (
        nodes <> '{}' AND brands <> '{}' AND regions <> '{}' AND channels <> '{}'),
    CONSTRAINT api_key_quota_is_not_negative CHECK (requests >= 0),
    CONSTRAINT api_key_lifetime_is_positive CHECK (lifetime_days > 0),
    CONSTRAINT api_key_is_revoked_by_someone CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE UNIQUE INDEX api_key_in_use_has_its_own_name ON api_key (name) WHERE revoked_at IS NULL;
COMMENT ON COLUMN api_key.requests IS
    'in each window of the setting; null is the setting''s number, 0 is without limit';

-- The SHA-256 of what a client sends; the secret itself is shown once and kept nowhere. A rotated
-- key has two for a while.
CREATE TABLE api_key_secret (
    hash bytea CONSTRAINT api_key_secret_pkey PRIMARY KEY,
    key_id uuid NOT NULL CONSTRAINT api_key_secret_opens_a_known_key REFERENCES api_key,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT api_key_secret_hash_has_32_bytes CHECK (octet_length(hash) = 32)
);
CREATE INDEX api_key_secret_key ON api_key_secret (key_id);

-- Goes up with every change of keys, so that API processes keep what they read and look at one row.
CREATE TABLE api_key_version (
    version bigint NOT NULL
);
INSERT INTO api_key_version VALUES (1);

CREATE FUNCTION count_api_key_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_key_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER count_api_key_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_key
    FOR EACH STATEMENT EXECUTE FUNCTION count_api_key_change();
CREATE TRIGGER count_api_key_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_key_secret
    FOR EACH STATEMENT EXECUTE FUNCTION count_api_key_change();

-- Requests that API processes have taken of a client's quota in a window, a block at a time. What a
-- crash forgets here is allowed again, so no write of it waits for the disk.
CREATE UNLOGGED TABLE request_quota (
    client text COLLATE "C" CONSTRAINT request_quota_pkey PRIMARY KEY,
    window_start timestamptz NOT NULL,
    taken int NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
