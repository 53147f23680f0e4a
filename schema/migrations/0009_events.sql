-- What is told to the world: noted in the event log, published in one order, sent as webhooks.

-- The public events that an entry led to, as MessagePack pairs of type and body; mostly none.
ALTER TABLE event_log ADD COLUMN told bytea;

-- The one order of all published events. Who publishes holds this row until the commit, so that no
-- number is ever seen before a lower one.
CREATE TABLE event_publisher (
    number int PRIMARY KEY DEFAULT 1,
    last_sequence bigint NOT NULL DEFAULT 0,
    CONSTRAINT one_publisher CHECK (number = 1)
);
INSERT INTO event_publisher DEFAULT VALUES;

-- Append-only. `data` is the event's body in JSON; channel and node say who may see it.
CREATE TABLE published_event (
    sequence bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL DEFAULT '',
    data text NOT NULL
) PARTITION BY RANGE (recorded_at);
CREATE INDEX published_event_sequence ON published_event (sequence);
CREATE INDEX published_event_order ON published_event (order_id, sequence);
CREATE INDEX published_event_recorded_at ON published_event USING brin (recorded_at);
CREATE TABLE published_event_default PARTITION OF published_event DEFAULT;
COMMENT ON COLUMN published_event.subject IS 'the order as its channel names it: channel:number';
COMMENT ON COLUMN published_event.node IS 'empty where it concerns no single node';

-- Who is sent what. `position` is the last published event that was looked at for it.
CREATE TABLE webhook (
    id uuid CONSTRAINT webhook_pkey PRIMARY KEY,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    position bigint NOT NULL,
    failing_since timestamptz,
    next_try_at timestamptz,
    secret_until timestamptz,
    failures int NOT NULL DEFAULT 0,
    name text NOT NULL,
    url text NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'active',
    reason text NOT NULL DEFAULT '',
    secret text NOT NULL,
    former_secret text,
    created_by text COLLATE "C" NOT NULL,
    types text[] NOT NULL,
    channels text[],
    nodes text[],
    CONSTRAINT webhook_status CHECK (status IN ('active', 'paused', 'disabled')),
    CONSTRAINT webhook_has_types CHECK (cardinality(types) > 0)
) WITH (fillfactor = 60);
COMMENT ON COLUMN webhook.types IS 'event types, or beginnings of them that end in *';
COMMENT ON COLUMN webhook.channels IS 'null: all';
COMMENT ON COLUMN webhook.status IS
    'paused: failed for too long, goes on where it was once resumed; disabled: by its owner, or '
    'because the receiver answered 410 Gone';
COMMENT ON COLUMN webhook.former_secret IS 'signs beside the new one until secret_until';

-- Open deliveries only; a delivered one is gone. At most one per webhook and order is under way.
CREATE TABLE webhook_delivery (
    webhook_id uuid NOT NULL,
    sequence bigint NOT NULL,
    order_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    available_at timestamptz NOT NULL,
    leased_until timestamptz,
    attempt int NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (webhook_id, sequence),
    CONSTRAINT webhook_delivery_webhook FOREIGN KEY (webhook_id)
        REFERENCES webhook (id) ON DELETE CASCADE
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
CREATE INDEX webhook_delivery_order ON webhook_delivery (webhook_id, order_id, sequence);
