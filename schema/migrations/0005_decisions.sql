-- Which rules were in force, what each planning batch saw, what was decided for each order.

-- A policy's text never changes: another text is another version, named by its hash.
CREATE TABLE sourcing_policy (
    version text COLLATE "C" CONSTRAINT sourcing_policy_pkey PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    toml text NOT NULL,
    loaded_at timestamptz NOT NULL
);
CREATE FUNCTION refuse_change_of_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a % is immutable: load the new text as another version', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER sourcing_policy_is_immutable BEFORE UPDATE OR DELETE ON sourcing_policy
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_version();

-- The version in force. '' stands for every brand or every channel; the narrowest row wins,
-- a channel's before a brand's.
CREATE TABLE active_sourcing_policy (
    brand text COLLATE "C" NOT NULL DEFAULT '',
    channel text COLLATE "C" NOT NULL DEFAULT '',
    version text COLLATE "C" NOT NULL
        CONSTRAINT active_policy_is_a_known_version REFERENCES sourcing_policy,
    activated_at timestamptz NOT NULL,
    CONSTRAINT active_sourcing_policy_pkey PRIMARY KEY (brand, channel)
);

-- FulfillmentOrders given to a node for one of its local days, in the transaction that reserves.
CREATE TABLE node_capacity (
    node text COLLATE "C" NOT NULL,
    day date NOT NULL,
    used int NOT NULL,
    CONSTRAINT node_capacity_pkey PRIMARY KEY (day, node),
    CONSTRAINT capacity_used_is_not_negative CHECK (used >= 0)
) WITH (fillfactor = 40);

-- Facts of nodes and products as a planning batch saw them, kept once per distinct content.
CREATE TABLE planning_facts (
    hash bytea CONSTRAINT planning_facts_pkey PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    first_used_at timestamptz NOT NULL,
    CONSTRAINT planning_facts_kind CHECK (kind IN ('network', 'products')),
    CONSTRAINT planning_facts_hash_has_16_bytes CHECK (octet_length(hash) = 16)
);

-- The inputs of one planning run, once for all its orders.
CREATE TABLE planning_batch (
    id uuid NOT NULL,
    zone text COLLATE "C" NOT NULL,
    decided_at timestamptz NOT NULL,
    policy_version text COLLATE "C" NOT NULL,
    network bytea NOT NULL,
    orders int NOT NULL,
    inputs bytea NOT NULL
) PARTITION BY RANGE (decided_at);
CREATE INDEX planning_batch_id ON planning_batch (id);
CREATE TABLE planning_batch_default PARTITION OF planning_batch DEFAULT;
ALTER TABLE planning_batch ALTER COLUMN inputs SET STORAGE EXTERNAL;

-- One automatic choice: what an AllocateOrder got. `body` holds the decision of each group.
CREATE TABLE decision (
    id uuid NOT NULL,
    batch_id uuid NOT NULL,
    order_id uuid NOT NULL,
    attempt int NOT NULL,
    zone text COLLATE "C" NOT NULL,
    decided_at timestamptz NOT NULL,
    body bytea NOT NULL
) PARTITION BY RANGE (decided_at);
CREATE INDEX decision_order ON decision (order_id);
CREATE TABLE decision_default PARTITION OF decision DEFAULT;

-- Monthly partitions of both, ahead of time. A month that the default partition has rows of stays
-- there: nothing is lost by it.
CREATE FUNCTION make_decision_partitions(first timestamptz, last timestamptz) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    month timestamp;
    lower timestamptz;
    upper timestamptz;
    partition text;
    is_taken boolean;
BEGIN
    FOR parent, month IN
        SELECT p, m FROM unnest('{decision,planning_batch}'::text[]) AS p,
                         generate_series(date_trunc('month', first AT TIME ZONE 'UTC'),
                                         last AT TIME ZONE 'UTC', interval '1 month') AS m
    LOOP
        lower := month AT TIME ZONE 'UTC';
        upper := (month + interval '1 month') AT TIME ZONE 'UTC';
        partition := parent || '_' || to_char(month, 'YYYY_MM');
        EXECUTE format(
            'SELECT EXISTS (SELECT 1 FROM %I WHERE decided_at >= %L AND decided_at < %L)',
            parent || '_default', lower, upper) INTO is_taken;
        IF to_regclass(partition) IS NULL AND NOT is_taken THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           partition, parent, lower, upper);
            RETURN NEXT partition;
        END IF;
    END LOOP;
END $$;
