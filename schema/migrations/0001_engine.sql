-- The engine: doors, shards, process states, timers, the event log and what went wrong.
-- It knows time and messages, and nothing of retail.

-- The unit of the single writer. 0..63 hold process instances; 64 and up are allocation zones.
-- A worker locks rows FOR NO KEY UPDATE SKIP LOCKED for exactly one batch.
CREATE TABLE shard (
    number int PRIMARY KEY,
    zone text COLLATE "C" UNIQUE,
    last_entry bigint NOT NULL DEFAULT 0,
    CONSTRAINT zones_lie_above_order_shards CHECK ((number < 64) = (zone IS NULL))
) WITH (fillfactor = 30);
INSERT INTO shard (number) SELECT generate_series(0, 63);

-- The door in: open messages only; rows are deleted when they are consumed.
CREATE TABLE inbox (
    number bigint GENERATED ALWAYS AS IDENTITY,
    shard int NOT NULL,
    id uuid NOT NULL,
    process text COLLATE "C" NOT NULL,
    instance text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    actor text NOT NULL,
    CONSTRAINT inbox_pkey PRIMARY KEY (shard, number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0,
        autovacuum_analyze_threshold = 200000);

-- What was received from whom: a 16-byte hash of (source, source id) and of the content.
CREATE TABLE dedupe (
    hash bytea PRIMARY KEY,
    fingerprint bytea NOT NULL,
    type text COLLATE "C" NOT NULL,
    body bytea,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT hash_has_16_bytes CHECK (octet_length(hash) = 16)
);
CREATE INDEX dedupe_recorded_at ON dedupe USING brin (recorded_at);

CREATE TABLE process (
    id uuid PRIMARY KEY,
    process text COLLATE "C" NOT NULL,
    shard int NOT NULL,
    version int NOT NULL,
    stage text COLLATE "C" NOT NULL,
    parked boolean NOT NULL DEFAULT false,
    holding boolean NOT NULL DEFAULT false,
    opened_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 60);

CREATE TABLE timer (
    instance uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    process text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    shard int NOT NULL,
    due timestamptz NOT NULL,
    type text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    CONSTRAINT timer_pkey PRIMARY KEY (instance, name)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
CREATE INDEX timer_due ON timer (shard, due);

-- The door out: open effects only; the dispatcher removes an effect with its result.
CREATE TABLE outbox (
    number bigint GENERATED ALWAYS AS IDENTITY,
    id uuid NOT NULL,
    connector text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,
    order_key text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    process text COLLATE "C" NOT NULL,
    instance text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    available_at timestamptz NOT NULL,
    leased_until timestamptz,
    attempt int NOT NULL DEFAULT 0,
    last_error text,
    CONSTRAINT outbox_pkey PRIMARY KEY (connector, number)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0);
-- Finds the oldest effect of a key: at most one per (connector, order_key) is in flight.
CREATE INDEX outbox_order ON outbox (connector, order_key, number);

-- Per shard gapless and in commit order: a number is taken under the shard's lock.
CREATE TABLE event_log (
    shard int NOT NULL,
    number bigint NOT NULL,
    process text COLLATE "C" NOT NULL,
    instance uuid NOT NULL,
    activity text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    message_id uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    objects text[] NOT NULL
) PARTITION BY RANGE (recorded_at);
CREATE INDEX event_log_order ON event_log (shard, number);
CREATE INDEX event_log_instance ON event_log (instance);
CREATE TABLE event_log_default PARTITION OF event_log DEFAULT;

-- Messages that wait: early for their process's stage, or behind a parked process.
CREATE TABLE held_message (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text COLLATE "C" NOT NULL,
    shard int NOT NULL,
    id uuid NOT NULL,
    process text COLLATE "C" NOT NULL,
    instance text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    actor text NOT NULL,
    held_at timestamptz NOT NULL,
    overdue boolean NOT NULL DEFAULT false,
    CONSTRAINT held_for_a_reason CHECK (reason IN ('early', 'parked'))
);
CREATE INDEX held_message_instance ON held_message (instance);

-- A message that could not be handled. Its process is parked until it is retried or skipped.
CREATE TABLE dead_letter (
    id uuid PRIMARY KEY,
    shard int NOT NULL,
    process text COLLATE "C" NOT NULL,
    instance text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    actor text NOT NULL,
    failed_at timestamptz NOT NULL,
    error text NOT NULL,
    trace text NOT NULL
);

-- Something that went wrong and needs an owner.
CREATE TABLE case_file (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    detail text NOT NULL,
    priority int NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'open',
    process text COLLATE "C" NOT NULL DEFAULT '',
    instance text COLLATE "C" NOT NULL DEFAULT '',
    correlation_id uuid,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    CONSTRAINT case_status CHECK (status IN ('open', 'closed'))
);

-- What each worker is about to try; a row that outlives its worker marks suspect shards.
CREATE TABLE worker_attempt (
    worker text PRIMARY KEY,
    shards int[] NOT NULL,
    started_at timestamptz NOT NULL
);

-- A shard whose last attempt ended with no result: one message per batch until `until_number`, all
-- that the attempt can have taken. `message_id` was tried alone `tries` times; nobody came back.
CREATE TABLE suspect_shard (
    shard int PRIMARY KEY,
    until_number bigint NOT NULL,
    message_id uuid,
    tries int NOT NULL DEFAULT 0
);

-- The lowest versions a worker must know; one that knows less takes no shard.
CREATE TABLE required_version (
    name text COLLATE "C" PRIMARY KEY,
    version int NOT NULL
);

-- One place per shard for each reader of the event log.
CREATE TABLE log_reader (
    reader text COLLATE "C" NOT NULL,
    shard int NOT NULL,
    last_entry bigint NOT NULL,
    CONSTRAINT log_reader_pkey PRIMARY KEY (reader, shard)
);
