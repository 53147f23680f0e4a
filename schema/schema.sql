-- The whole schema, as the migrations make it; a test proves that the two agree.

-- ================================================================================================

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

-- ================================================================================================

-- Master data: who sells and fulfills, where, what, through which channel; and the only tables
-- with personal data. Keys are the retailer's own codes. Money is minor units with its currency.

-- Goes up with every change of its kind of master data, so that workers keep what they read and
-- look at three small rows per batch instead of at 20,000 products.
CREATE TABLE master_data_version (
    kind text COLLATE "C" CONSTRAINT master_data_version_pkey PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    CONSTRAINT master_data_kind CHECK (kind IN ('network', 'products', 'channels'))
);
INSERT INTO master_data_version (kind) VALUES ('channels'), ('network'), ('products');

CREATE FUNCTION count_master_data_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE master_data_version SET version = version + 1 WHERE kind = TG_ARGV[0];
    RETURN NULL;
END $$;

-- Who: brands, companies, regions ------------------------------------------------------------

CREATE TABLE legal_entity (
    code text COLLATE "C" CONSTRAINT legal_entity_pkey PRIMARY KEY,
    name text NOT NULL,
    country text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    gln text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT legal_entity_has_a_code CHECK (code <> '')
);

CREATE TABLE brand (
    code text COLLATE "C" CONSTRAINT brand_pkey PRIMARY KEY,
    name text NOT NULL,
    CONSTRAINT brand_has_a_code CHECK (code <> '')
);

CREATE TABLE region (
    code text COLLATE "C" CONSTRAINT region_pkey PRIMARY KEY,
    name text NOT NULL,
    CONSTRAINT region_has_a_code CHECK (code <> '')
);

-- Where: zones and nodes -----------------------------------------------------------------------

-- The unit of the allocation lock; each has a shard of its own (engine: shard.zone).
CREATE TABLE allocation_zone (
    code text COLLATE "C" CONSTRAINT allocation_zone_pkey PRIMARY KEY,
    name text NOT NULL,
    cell text COLLATE "C" NOT NULL DEFAULT 'main',
    CONSTRAINT allocation_zone_has_a_code CHECK (code <> '')
);

-- A place that can hold stock or fulfill.
CREATE TABLE node (
    code text COLLATE "C" CONSTRAINT node_pkey PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    name text NOT NULL,
    allocation_zone text COLLATE "C" NOT NULL
        CONSTRAINT node_is_in_a_known_zone REFERENCES allocation_zone,
    enabled boolean NOT NULL DEFAULT true,
    brands text[] COLLATE "C" NOT NULL DEFAULT '{}',
    region text COLLATE "C" CONSTRAINT node_has_a_known_region REFERENCES region,
    operating_entity text COLLATE "C"
        CONSTRAINT node_has_a_known_operating_entity REFERENCES legal_entity,
    gln text COLLATE "C" NOT NULL DEFAULT '',
    country text COLLATE "C" NOT NULL,
    postal_code text COLLATE "C" NOT NULL DEFAULT '',
    administrative_area text COLLATE "C" NOT NULL DEFAULT '',
    city text NOT NULL DEFAULT '',
    latitude float8,
    longitude float8,
    time_zone text COLLATE "C" NOT NULL,
    methods text[] COLLATE "C" NOT NULL DEFAULT '{ship}',
    capabilities text[] COLLATE "C" NOT NULL DEFAULT '{}',
    daily_capacity int,
    lead_days int NOT NULL DEFAULT 0,
    pick_failure_probability float8 NOT NULL DEFAULT 0,
    cost_currency text COLLATE "C" NOT NULL DEFAULT '',
    cost_per_order bigint NOT NULL DEFAULT 0,
    cost_per_line bigint NOT NULL DEFAULT 0,
    cost_per_unit bigint NOT NULL DEFAULT 0,
    cost_at_full_load bigint NOT NULL DEFAULT 0,
    safety_stock int NOT NULL DEFAULT 0,
    buffer int NOT NULL DEFAULT 0,
    attributes jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT node_has_a_code CHECK (code <> ''),
    CONSTRAINT node_kind CHECK (kind IN ('store', 'dc', 'dark_store', '3pl', 'vendor')),
    CONSTRAINT node_has_both_coordinates CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT node_latitude CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT node_longitude CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT node_methods CHECK (
        methods <@ '{ship,pickup,ship_to_store,local_delivery,digital}'::text[]),
    CONSTRAINT node_capacity_is_not_negative CHECK (daily_capacity >= 0),
    CONSTRAINT node_lead_days_is_not_negative CHECK (lead_days >= 0),
    CONSTRAINT node_pick_failure_is_a_probability CHECK (pick_failure_probability BETWEEN 0 AND 1),
    CONSTRAINT node_costs_are_not_negative CHECK (
        least(cost_per_order, cost_per_line, cost_per_unit, cost_at_full_load) >= 0),
    CONSTRAINT node_costs_have_a_currency CHECK (
        cost_currency <> ''
        OR greatest(cost_per_order, cost_per_line, cost_per_unit, cost_at_full_load) = 0),
    CONSTRAINT node_safety_stock_is_not_negative CHECK (safety_stock >= 0),
    CONSTRAINT node_buffer_is_not_negative CHECK (buffer >= 0),
    CONSTRAINT node_attributes_are_small CHECK (octet_length(attributes::text) <= 16384)
);
COMMENT ON COLUMN node.brands IS 'brands it serves; empty is every brand';
COMMENT ON COLUMN node.lead_days IS 'open days it needs before it hands over';
COMMENT ON COLUMN node.cost_at_full_load IS
    'what an order costs extra when the day is full; it grows with the square of the load';
COMMENT ON COLUMN node.daily_capacity IS 'FulfillmentOrders per local day; null is unlimited';
COMMENT ON COLUMN node.safety_stock IS
    'units of each SKU never newly sold; product_node overrides it';
COMMENT ON COLUMN node.buffer IS 'units held back because the node''s count may be wrong';

-- When a node works, in its own time zone. A node without rows never closes.
CREATE TABLE node_opening (
    node text COLLATE "C" NOT NULL
        CONSTRAINT node_opening_is_of_a_known_node REFERENCES node ON DELETE CASCADE,
    weekday int NOT NULL,
    opens time NOT NULL,
    closes time NOT NULL,
    CONSTRAINT node_opening_pkey PRIMARY KEY (node, weekday, opens),
    CONSTRAINT node_opening_weekday CHECK (weekday BETWEEN 1 AND 7),
    CONSTRAINT node_opens_before_it_closes CHECK (opens < closes)
);
COMMENT ON COLUMN node_opening.weekday IS 'ISO 8601: 1 is Monday, 7 is Sunday';

-- A day that differs from its weekday; without hours it is closed.
CREATE TABLE node_special_day (
    node text COLLATE "C" NOT NULL
        CONSTRAINT node_special_day_is_of_a_known_node REFERENCES node ON DELETE CASCADE,
    day date NOT NULL,
    opens time,
    closes time,
    CONSTRAINT node_special_day_pkey PRIMARY KEY (node, day),
    CONSTRAINT node_special_day_has_both_hours CHECK ((opens IS NULL) = (closes IS NULL)),
    CONSTRAINT node_special_day_opens_before_it_closes CHECK (opens < closes)
);

-- Until when work must be ready for a carrier's pickup, in the node's time zone.
CREATE TABLE node_cut_off (
    node text COLLATE "C" NOT NULL
        CONSTRAINT node_cut_off_is_of_a_known_node REFERENCES node ON DELETE CASCADE,
    carrier text COLLATE "C" NOT NULL DEFAULT '',
    service text COLLATE "C" NOT NULL,
    weekdays int[] NOT NULL DEFAULT '{1,2,3,4,5}',
    at time NOT NULL,
    CONSTRAINT node_cut_off_pkey PRIMARY KEY (node, carrier, service, at),
    CONSTRAINT node_cut_off_weekdays CHECK (
        weekdays <@ '{1,2,3,4,5,6,7}'::int[] AND weekdays <> '{}')
);

-- A district, a country organization, a franchise: what nodes are grouped by.
CREATE TABLE node_group (
    code text COLLATE "C" CONSTRAINT node_group_pkey PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    name text NOT NULL,
    CONSTRAINT node_group_has_a_code CHECK (code <> '')
);

-- The dated hierarchy: a child is a node or a group. catalog.rules refuses cycles and overlaps.
CREATE TABLE node_hierarchy (
    child_is_group boolean NOT NULL DEFAULT false,
    child text COLLATE "C" NOT NULL,
    parent text COLLATE "C" NOT NULL
        CONSTRAINT node_hierarchy_has_a_known_parent REFERENCES node_group,
    valid_from date NOT NULL,
    valid_to date,
    CONSTRAINT node_hierarchy_pkey PRIMARY KEY (child_is_group, child, parent, valid_from),
    CONSTRAINT node_hierarchy_ends_after_it_begins CHECK (valid_from < valid_to)
);
COMMENT ON COLUMN node_hierarchy.valid_to IS 'exclusive; null is open';

-- A scope switch of a pilot: '' stands for every brand, zone or method; the narrowest row wins.
CREATE TABLE scope_switch (
    brand text COLLATE "C" NOT NULL DEFAULT '',
    allocation_zone text COLLATE "C" NOT NULL DEFAULT '',
    method text COLLATE "C" NOT NULL DEFAULT '',
    mode text COLLATE "C" NOT NULL,
    CONSTRAINT scope_switch_pkey PRIMARY KEY (brand, allocation_zone, method),
    CONSTRAINT scope_switch_mode CHECK (mode IN ('off', 'shadow', 'live'))
);

-- What: products -------------------------------------------------------------------------------

CREATE TABLE product (
    sku text COLLATE "C" CONSTRAINT product_pkey PRIMARY KEY,
    name text NOT NULL,
    kind text COLLATE "C" NOT NULL DEFAULT 'goods',
    enabled boolean NOT NULL DEFAULT true,
    gtin text COLLATE "C" NOT NULL DEFAULT '',
    brand text COLLATE "C" NOT NULL DEFAULT '',
    category text COLLATE "C" NOT NULL DEFAULT '',
    base_unit text COLLATE "C" NOT NULL DEFAULT 'each',
    weight_grams int NOT NULL DEFAULT 0,
    length_mm int NOT NULL DEFAULT 0,
    width_mm int NOT NULL DEFAULT 0,
    height_mm int NOT NULL DEFAULT 0,
    currency text COLLATE "C" NOT NULL DEFAULT '',
    price bigint NOT NULL DEFAULT 0,
    cost bigint NOT NULL DEFAULT 0,
    season_end date,
    first_received_on date,
    markdown_percent int,
    dangerous_goods text COLLATE "C" NOT NULL DEFAULT '',
    shelf_life_days int,
    minimum_remaining_days int,
    tracks_lots boolean NOT NULL DEFAULT false,
    tracks_serials boolean NOT NULL DEFAULT false,
    max_transit_days int,
    ships_alone boolean NOT NULL DEFAULT false,
    ship_together text COLLATE "C" NOT NULL DEFAULT '',
    requires text[] COLLATE "C" NOT NULL DEFAULT '{}',
    node_groups text[] COLLATE "C" NOT NULL DEFAULT '{}',
    owner text COLLATE "C" CONSTRAINT product_has_a_known_owner REFERENCES legal_entity,
    methods text[] COLLATE "C",
    substitutes text[] COLLATE "C" NOT NULL DEFAULT '{}',
    country_of_origin text COLLATE "C" NOT NULL DEFAULT '',
    customs_code text COLLATE "C" NOT NULL DEFAULT '',
    attributes jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT product_has_a_sku CHECK (sku <> ''),
    CONSTRAINT product_kind CHECK (kind IN ('goods', 'kit', 'digital', 'service', 'gift_card')),
    CONSTRAINT product_base_unit CHECK (base_unit IN ('each', 'gram', 'millimetre')),
    CONSTRAINT product_measures_are_not_negative CHECK (
        least(weight_grams, length_mm, width_mm, height_mm) >= 0),
    CONSTRAINT product_money_is_not_negative CHECK (least(price, cost) >= 0),
    CONSTRAINT product_money_has_a_currency CHECK (currency <> '' OR greatest(price, cost) = 0),
    CONSTRAINT product_markdown_is_a_share CHECK (markdown_percent BETWEEN 0 AND 100),
    CONSTRAINT product_shelf_life_is_positive CHECK (shelf_life_days > 0),
    CONSTRAINT product_transit_is_not_negative CHECK (max_transit_days >= 0),
    CONSTRAINT product_remaining_life_fits CHECK (
        minimum_remaining_days BETWEEN 0 AND shelf_life_days),
    CONSTRAINT product_methods CHECK (
        methods <@ '{ship,pickup,ship_to_store,local_delivery,digital}'::text[]),
    CONSTRAINT product_attributes_are_small CHECK (octet_length(attributes::text) <= 16384)
);
COMMENT ON COLUMN product.dangerous_goods IS 'UN class such as 3 or 9, empty for harmless goods';
COMMENT ON COLUMN product.methods IS 'null allows every method';
COMMENT ON COLUMN product.markdown_percent IS
    'share of the price lost when the season ends; null leaves it to the policy';
COMMENT ON COLUMN product.minimum_remaining_days IS 'days of life the customer is owed on arrival';
COMMENT ON COLUMN product.requires IS 'capabilities a node must have to send it';
COMMENT ON COLUMN product.node_groups IS 'only nodes in one of these groups send it; empty is all';
COMMENT ON COLUMN product.ship_together IS
    'lines of an order with the same word here leave from one node';
CREATE UNIQUE INDEX product_gtin ON product (gtin) WHERE gtin <> '';

-- A kit is available as often as its scarcest component; it has no stock of its own.
CREATE TABLE kit_component (
    kit text COLLATE "C" NOT NULL
        CONSTRAINT kit_component_is_of_a_known_kit REFERENCES product ON DELETE CASCADE,
    component text COLLATE "C" NOT NULL
        CONSTRAINT kit_component_is_a_known_product REFERENCES product,
    quantity int NOT NULL,
    CONSTRAINT kit_component_pkey PRIMARY KEY (kit, component),
    CONSTRAINT kit_component_quantity_is_positive CHECK (quantity > 0),
    CONSTRAINT kit_component_is_another_product CHECK (kit <> component)
);

-- Packs convert to the base unit by whole ratios.
CREATE TABLE product_pack (
    sku text COLLATE "C" NOT NULL
        CONSTRAINT product_pack_is_of_a_known_product REFERENCES product ON DELETE CASCADE,
    unit text COLLATE "C" NOT NULL,
    base_quantity int NOT NULL,
    gtin text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT product_pack_pkey PRIMARY KEY (sku, unit),
    CONSTRAINT product_pack_quantity_is_positive CHECK (base_quantity > 0)
);

-- Where a product differs at a node: only these have a row. Null leaves the node's own value.
CREATE TABLE product_node (
    sku text COLLATE "C" NOT NULL
        CONSTRAINT product_node_is_of_a_known_product REFERENCES product ON DELETE CASCADE,
    node text COLLATE "C" NOT NULL
        CONSTRAINT product_node_is_of_a_known_node REFERENCES node ON DELETE CASCADE,
    enabled boolean NOT NULL DEFAULT true,
    methods_off text[] COLLATE "C" NOT NULL DEFAULT '{}',
    safety_stock int,
    buffer int,
    cost bigint,
    CONSTRAINT product_node_pkey PRIMARY KEY (sku, node),
    CONSTRAINT product_node_methods_off CHECK (
        methods_off <@ '{ship,pickup,ship_to_store,local_delivery,digital}'::text[]),
    CONSTRAINT product_node_amounts_are_not_negative CHECK (least(safety_stock, buffer, cost) >= 0)
);
CREATE INDEX product_node_node ON product_node (node);

-- Through what: channels and listings ----------------------------------------------------------

CREATE TABLE channel (
    code text COLLATE "C" CONSTRAINT channel_pkey PRIMARY KEY,
    name text NOT NULL,
    kind text COLLATE "C" NOT NULL DEFAULT 'web',
    enabled boolean NOT NULL DEFAULT true,
    brand text COLLATE "C" CONSTRAINT channel_has_a_known_brand REFERENCES brand,
    selling_entity text COLLATE "C"
        CONSTRAINT channel_has_a_known_selling_entity REFERENCES legal_entity,
    currency text COLLATE "C" NOT NULL DEFAULT '',
    country text COLLATE "C" NOT NULL DEFAULT '',
    methods text[] COLLATE "C" NOT NULL DEFAULT '{ship}',
    zones text[] COLLATE "C" NOT NULL DEFAULT '{}',
    threshold int NOT NULL DEFAULT 0,
    priority int NOT NULL DEFAULT 3,
    paid boolean NOT NULL DEFAULT false,
    on_invalid text COLLATE "C" NOT NULL DEFAULT 'hold',
    on_shortage text COLLATE "C" NOT NULL DEFAULT 'backorder',
    checkout_minutes int NOT NULL DEFAULT 30,
    attributes jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT channel_has_a_code CHECK (code <> ''),
    CONSTRAINT channel_kind CHECK (
        kind IN ('web', 'app', 'marketplace', 'pos', 'call_center', 'social', 'wholesale')),
    CONSTRAINT channel_methods CHECK (
        methods <@ '{ship,pickup,ship_to_store,local_delivery,digital}'::text[]),
    CONSTRAINT channel_threshold_is_not_negative CHECK (threshold >= 0),
    CONSTRAINT channel_priority CHECK (priority BETWEEN 1 AND 5),
    CONSTRAINT channel_on_invalid CHECK (on_invalid IN ('refuse', 'hold')),
    CONSTRAINT channel_on_shortage CHECK (on_shortage IN ('backorder', 'refuse')),
    CONSTRAINT channel_checkout_minutes_is_positive CHECK (checkout_minutes > 0),
    CONSTRAINT channel_attributes_are_small CHECK (octet_length(attributes::text) <= 16384)
);
COMMENT ON COLUMN channel.zones IS 'allocation zones asked in this order; empty is every zone';
COMMENT ON COLUMN channel.threshold IS
    'units of each SKU this channel never sells; a listing overrides it';
COMMENT ON COLUMN channel.paid IS 'the channel has the money already (marketplace, POS)';
COMMENT ON COLUMN channel.checkout_minutes IS 'how long a checkout''s soft reservation lives';

-- The channel's SKU is ours times a pack quantity, for a time.
CREATE TABLE listing (
    channel text COLLATE "C" NOT NULL
        CONSTRAINT listing_is_of_a_known_channel REFERENCES channel ON DELETE CASCADE,
    channel_sku text COLLATE "C" NOT NULL,
    valid_from date NOT NULL DEFAULT '0001-01-01',
    valid_to date,
    sku text COLLATE "C" NOT NULL
        CONSTRAINT listing_is_of_a_known_product REFERENCES product ON DELETE CASCADE,
    pack_quantity int NOT NULL DEFAULT 1,
    threshold int,
    enabled boolean NOT NULL DEFAULT true,
    CONSTRAINT listing_pkey PRIMARY KEY (channel, channel_sku, valid_from),
    CONSTRAINT listing_names_a_channel_sku CHECK (channel_sku <> ''),
    CONSTRAINT listing_pack_quantity_is_positive CHECK (pack_quantity > 0),
    CONSTRAINT listing_threshold_is_not_negative CHECK (threshold >= 0),
    CONSTRAINT listing_ends_after_it_begins CHECK (valid_from < valid_to)
);
CREATE INDEX listing_sku ON listing (sku, channel);
COMMENT ON COLUMN listing.valid_to IS 'exclusive; null is open';

-- Which outside system owns a field of master data: what others send for it is ignored.
CREATE TABLE field_owner (
    object text COLLATE "C" NOT NULL,
    field text COLLATE "C" NOT NULL,
    system text COLLATE "C" NOT NULL,
    CONSTRAINT field_owner_pkey PRIMARY KEY (object, field)
);

-- Whose and how else named ---------------------------------------------------------------------

-- Personal data lives here and in `address`, nowhere else. Everything else carries the id, so
-- that a person is erased by emptying these rows. No foreign key points here: history outlives it.
CREATE TABLE party (
    id uuid CONSTRAINT party_pkey PRIMARY KEY,
    kind text COLLATE "C" NOT NULL DEFAULT 'person',
    name text NOT NULL DEFAULT '',
    company text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    phone text NOT NULL DEFAULT '',
    language text COLLATE "C" NOT NULL DEFAULT '',
    recorded_at timestamptz NOT NULL,
    erased_at timestamptz,
    CONSTRAINT party_kind CHECK (kind IN ('person', 'organization')),
    CONSTRAINT erased_party_is_empty CHECK (
        erased_at IS NULL OR (name = '' AND company = '' AND email = '' AND phone = ''))
);

-- What decisions need of a place (country, postal code, coordinates) is copied to the delivery
-- group; the street is only here.
CREATE TABLE address (
    id uuid CONSTRAINT address_pkey PRIMARY KEY,
    party_id uuid,
    lines text[] NOT NULL DEFAULT '{}',
    city text NOT NULL DEFAULT '',
    administrative_area text NOT NULL DEFAULT '',
    postal_code text NOT NULL DEFAULT '',
    country text COLLATE "C" NOT NULL,
    instructions text NOT NULL DEFAULT '',
    recorded_at timestamptz NOT NULL,
    erased_at timestamptz,
    CONSTRAINT erased_address_is_empty CHECK (
        erased_at IS NULL OR (lines = '{}' AND instructions = ''))
);

-- What another system calls a thing of ours. Unique both ways; every look-up accepts one.
CREATE TABLE external_ref (
    system text COLLATE "C" NOT NULL,
    company text COLLATE "C" NOT NULL DEFAULT '',
    kind text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    our_id text COLLATE "C" NOT NULL,
    CONSTRAINT external_ref_pkey PRIMARY KEY (system, company, kind, external_id),
    CONSTRAINT one_external_ref_per_system UNIQUE (our_id, kind, system, company),
    CONSTRAINT external_ref_is_whole CHECK (
        system <> '' AND kind <> '' AND external_id <> '' AND our_id <> '')
);

-- Every change counts, also one made by hand -----------------------------------------------------

DO $$
DECLARE
    changed record;
BEGIN
    FOR changed IN
        SELECT * FROM (VALUES
            ('legal_entity', 'network'), ('brand', 'network'), ('region', 'network'),
            ('allocation_zone', 'network'), ('node', 'network'), ('node_opening', 'network'),
            ('node_special_day', 'network'), ('node_cut_off', 'network'),
            ('node_group', 'network'), ('node_hierarchy', 'network'), ('scope_switch', 'network'),
            ('product', 'products'), ('kit_component', 'products'), ('product_pack', 'products'),
            ('product_node', 'products'), ('channel', 'channels'), ('listing', 'channels')
        ) AS counted (table_name, kind)
    LOOP
        EXECUTE format(
            'CREATE TRIGGER count_master_data_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE '
            'ON %I FOR EACH STATEMENT EXECUTE FUNCTION count_master_data_change(%L)',
            changed.table_name, changed.kind);
    END LOOP;
END $$;

-- ================================================================================================

-- Inventory: levels and their ledger, totals, reservations, expected supply, and what feeds said.
-- SKUs, nodes, zones and channels are the retailer's own codes; quantities are base units.
--
-- Rows are locked in this order: shards by number, demand_gate by SKU, stock_level by (sku, node,
-- owner, lot), stock_total by (sku, zone, methods). Nothing has a foreign key to a changing row.

-- Where a unit is. free, reserved and picked are together the level's sellable units; damaged,
-- quality_control and in_transit are its other buckets; the rest are counter-accounts that have
-- no level: what comes from or goes to them enters or leaves the node.
CREATE TYPE stock_bucket AS ENUM (
    'free', 'reserved', 'picked', 'damaged', 'quality_control', 'in_transit',
    'customer', 'supplier', 'production', 'transfer', 'lost', 'unexplained'
);

-- The methods of a node or level as bits: ship 1, pickup 2, ship_to_store 4, local_delivery 8,
-- digital 16. Sets of methods are few, so totals are kept per set.
CREATE FUNCTION method_bits(methods text[]) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ((CASE WHEN 'ship' = ANY (methods) THEN 1 ELSE 0 END)
          + (CASE WHEN 'pickup' = ANY (methods) THEN 2 ELSE 0 END)
          + (CASE WHEN 'ship_to_store' = ANY (methods) THEN 4 ELSE 0 END)
          + (CASE WHEN 'local_delivery' = ANY (methods) THEN 8 ELSE 0 END)
          + (CASE WHEN 'digital' = ANY (methods) THEN 16 ELSE 0 END))::smallint
$$;

-- One SKU at one node, of one owner and lot ('' where not kept): the running fold of the ledger.
-- Every column that changes is outside of every index, so that updates stay in their page (HOT).
CREATE TABLE stock_level (
    sellable int NOT NULL DEFAULT 0,
    reserved int NOT NULL DEFAULT 0,
    damaged int NOT NULL DEFAULT 0,
    quality_control int NOT NULL DEFAULT 0,
    in_transit int NOT NULL DEFAULT 0,
    safety_stock int NOT NULL DEFAULT 0,
    buffer int NOT NULL DEFAULT 0,
    shortfall int NOT NULL DEFAULT 0,
    available int NOT NULL GENERATED ALWAYS AS (
        CASE WHEN quarantined THEN 0
             ELSE greatest(0, sellable - reserved - safety_stock - buffer) END) STORED,
    methods smallint NOT NULL DEFAULT 31,
    quarantined boolean NOT NULL DEFAULT false,
    count_lacks_our_shipments boolean NOT NULL DEFAULT false,
    sku text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    lot text COLLATE "C" NOT NULL DEFAULT '',
    zone text COLLATE "C" NOT NULL,
    sellable_as_of timestamptz,
    damaged_as_of timestamptz,
    quality_control_as_of timestamptz,
    in_transit_as_of timestamptz,
    sellable_overdrawn int,
    damaged_overdrawn int,
    quality_control_overdrawn int,
    in_transit_overdrawn int,
    CONSTRAINT stock_level_pkey PRIMARY KEY (sku, node, owner, lot),
    CONSTRAINT sellable_is_not_negative CHECK (sellable >= 0),
    CONSTRAINT reserved_is_not_negative CHECK (reserved >= 0),
    CONSTRAINT other_buckets_are_not_negative CHECK (
        least(damaged, quality_control, in_transit) >= 0),
    CONSTRAINT held_back_is_not_negative CHECK (least(safety_stock, buffer) >= 0),
    CONSTRAINT shortfall_is_not_negative CHECK (shortfall >= 0),
    CONSTRAINT overdrawn_buckets_are_empty CHECK (
        (sellable_overdrawn IS NULL OR (sellable_overdrawn > 0 AND sellable = 0))
        AND (damaged_overdrawn IS NULL OR (damaged_overdrawn > 0 AND damaged = 0))
        AND (quality_control_overdrawn IS NULL
             OR (quality_control_overdrawn > 0 AND quality_control = 0))
        AND (in_transit_overdrawn IS NULL OR (in_transit_overdrawn > 0 AND in_transit = 0))),
    CONSTRAINT never_over_reserved CHECK (reserved <= sellable + shortfall)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX stock_level_node ON stock_level (node);
-- Where a SKU lies in lots: units that a source tells without their lot are looked for there.
CREATE INDEX stock_level_lot ON stock_level (sku, node) WHERE lot <> '';
COMMENT ON COLUMN stock_level.sellable IS
    'units that may be sold, those reserved or picked included';
COMMENT ON COLUMN stock_level.reserved IS 'sum of its live reservations, allocated and picked';
COMMENT ON COLUMN stock_level.available IS
    'node ATS before method and channel switches: the one definition';
COMMENT ON COLUMN stock_level.methods IS
    'method_bits() of what node and product allow here; 0 is off';
COMMENT ON COLUMN stock_level.shortfall IS
    'reserved beyond sellable: only facts raise it, so our own decisions break never_over_reserved';
COMMENT ON COLUMN stock_level.sellable_as_of IS
    'time of the last count that was taken for the bucket';
COMMENT ON COLUMN stock_level.sellable_overdrawn IS
    'units that left since the last count though nobody knew them: what comes in is taken for them';
COMMENT ON COLUMN stock_level.count_lacks_our_shipments IS
    'the last count came from a source that does not know what we shipped';
COMMENT ON COLUMN stock_level.quarantined IS
    'an invariant was broken here: nothing is offered until it is cleared';

-- What is known of a lot wherever it lies (GS1 application identifiers 10 and 17).
CREATE TABLE lot (
    as_of timestamptz NOT NULL,
    expires_on date NOT NULL,
    is_over boolean NOT NULL,
    sku text COLLATE "C" NOT NULL,
    lot text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    CONSTRAINT lot_pkey PRIMARY KEY (sku, lot)
);
COMMENT ON COLUMN lot.expires_on IS 'its last day of life, as told of the latest time';
COMMENT ON COLUMN lot.is_over IS
    'nobody can get it with the life that is owed: it is offered nowhere';
COMMENT ON COLUMN lot.source IS 'who told the date';

-- What master data say of a level: its zone, methods and what is held back there. A lot that is
-- over has no methods; stock is held back once per SKU and node: at the level without owner and
-- lot.
CREATE FUNCTION level_terms(
    of_sku text, at_node text, of_owner text, of_lot text,
    OUT zone text, OUT methods smallint, OUT safety_stock int, OUT buffer int
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT n.allocation_zone,
           CASE WHEN n.enabled AND coalesce(p.enabled, true)
                     AND (of_lot = '' OR NOT EXISTS (
                         SELECT 1 FROM lot t WHERE t.sku = of_sku AND t.lot = of_lot AND t.is_over))
                THEN method_bits(ARRAY(
                    SELECT m FROM unnest(n.methods) AS m
                    WHERE m <> ALL (coalesce(p.methods_off, '{}'))))
                ELSE 0::smallint END,
           CASE WHEN of_owner = '' AND of_lot = ''
                THEN coalesce(p.safety_stock, n.safety_stock) ELSE 0 END,
           CASE WHEN of_owner = '' AND of_lot = '' THEN coalesce(p.buffer, n.buffer) ELSE 0 END
    FROM node n LEFT JOIN product_node p ON p.sku = of_sku AND p.node = n.code
    WHERE n.code = at_node
$$;

-- Running sums over levels, changed once per row and batch, last of all locks.
CREATE TABLE stock_total (
    sellable bigint NOT NULL,
    reserved bigint NOT NULL,
    available bigint NOT NULL,
    methods smallint NOT NULL,
    sku text COLLATE "C" NOT NULL,
    zone text COLLATE "C" NOT NULL,
    CONSTRAINT stock_total_pkey PRIMARY KEY (sku, zone, methods)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Append-only, double entry: `quantity` units went from one bucket to the other. What changes only
-- promises (free, reserved, picked) is a move too, so the ledger tells the life of a reservation.
CREATE TABLE stock_ledger (
    recorded_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    order_id uuid,
    fulfillment_id uuid,
    quantity int NOT NULL,
    line int,
    from_bucket stock_bucket NOT NULL,
    to_bucket stock_bucket NOT NULL,
    sku text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    lot text COLLATE "C" NOT NULL DEFAULT '',
    reason text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL DEFAULT '',
    source_move_id text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT move_has_units CHECK (quantity > 0),
    CONSTRAINT move_changes_bucket CHECK (from_bucket <> to_bucket)
) PARTITION BY RANGE (recorded_at);
-- What a count as of T must keep: moves that occurred after T. Reserving is not among them, so that
-- taking an order pays for no index.
CREATE INDEX stock_ledger_node ON stock_ledger (node, occurred_at)
    WHERE NOT (from_bucket IN ('free', 'reserved') AND to_bucket IN ('free', 'reserved'));
CREATE INDEX stock_ledger_occurred ON stock_ledger USING brin (occurred_at);
CREATE TABLE stock_ledger_default PARTITION OF stock_ledger DEFAULT;

-- Makes the months' partitions ahead of time. A month that has rows in the default one stays there.
CREATE FUNCTION make_ledger_partitions(first timestamptz, last timestamptz) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    month timestamptz;
    next_month timestamptz;
    partition text;
BEGIN
    FOR month IN
        SELECT m AT TIME ZONE 'UTC'
        FROM generate_series(date_trunc('month', first AT TIME ZONE 'UTC'),
                             last AT TIME ZONE 'UTC', interval '1 month') AS m
    LOOP
        next_month := (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC';
        partition := 'stock_ledger_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass(partition) IS NULL AND NOT EXISTS (
            SELECT 1 FROM stock_ledger_default
            WHERE recorded_at >= month AND recorded_at < next_month)
        THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF stock_ledger FOR VALUES FROM (%L) TO (%L)',
                           partition, month, next_month);
            RETURN NEXT partition;
        END IF;
    END LOOP;
END $$;
COMMENT ON COLUMN stock_ledger.source IS 'who said so; empty is Crossdock itself';

-- The ledger before `until` (recorded time) is closed: its sum is in stock_balance.
CREATE TABLE stock_ledger_closing (
    is_only boolean NOT NULL DEFAULT true
        CONSTRAINT stock_ledger_closing_pkey PRIMARY KEY
        CONSTRAINT stock_ledger_closing_is_one_row CHECK (is_only),
    until timestamptz NOT NULL
);

-- What a level held when the ledger was last closed, or when it was first loaded.
CREATE TABLE stock_balance (
    sellable int NOT NULL,
    reserved int NOT NULL,
    picked int NOT NULL,
    damaged int NOT NULL,
    quality_control int NOT NULL,
    in_transit int NOT NULL,
    sku text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    lot text COLLATE "C" NOT NULL DEFAULT ''
);
COMMENT ON COLUMN stock_balance.reserved IS 'the picked ones included';

-- Expected receipts: lines of purchase orders, transfers and production.
CREATE TABLE supply (
    id uuid CONSTRAINT supply_pkey PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    document text COLLATE "C" NOT NULL,
    line int NOT NULL,
    sku text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    quantity int NOT NULL,
    received int NOT NULL DEFAULT 0,
    expected_at timestamptz NOT NULL,
    confidence float8 NOT NULL DEFAULT 1,
    status text COLLATE "C" NOT NULL DEFAULT 'open',
    source text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT supply_kind CHECK (kind IN ('purchase', 'transfer', 'production')),
    CONSTRAINT supply_status CHECK (status IN ('open', 'closed', 'canceled')),
    CONSTRAINT supply_quantity_is_positive CHECK (quantity > 0),
    CONSTRAINT supply_received_is_not_negative CHECK (received >= 0),
    CONSTRAINT supply_confidence_is_a_probability CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT one_supply_per_document_line UNIQUE (document, line, kind)
);
CREATE INDEX supply_expected ON supply (sku, expected_at) WHERE status = 'open';

-- Live promises only: what is consumed, freed or expired is deleted; the ledger is the history.
-- A row without node is the queued demand (soft, or backordered until stock arrives).
CREATE TABLE reservation (
    id uuid NOT NULL,
    order_id uuid NOT NULL,
    checkout_id uuid,
    fulfillment_id uuid,
    supply_id uuid,
    created_at timestamptz NOT NULL,
    promised_by timestamptz,
    expires_at timestamptz,
    picked_at timestamptz,
    line_number int NOT NULL,
    quantity int NOT NULL,
    per_unit int NOT NULL DEFAULT 1,
    priority smallint NOT NULL,
    state text COLLATE "C" NOT NULL,
    sku text COLLATE "C" NOT NULL,
    node text COLLATE "C",
    pickup_node text COLLATE "C",
    kit text COLLATE "C" NOT NULL DEFAULT '',
    owner text COLLATE "C" NOT NULL DEFAULT '',
    lot text COLLATE "C" NOT NULL DEFAULT '',
    channel text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    CONSTRAINT reservation_pkey PRIMARY KEY (order_id, id),
    CONSTRAINT reservation_has_units CHECK (quantity > 0 AND per_unit > 0),
    CONSTRAINT reservation_state CHECK (state IN ('soft', 'backordered', 'allocated', 'picked')),
    CONSTRAINT allocated_at_a_node CHECK ((node IS NOT NULL) = (state IN ('allocated', 'picked'))),
    CONSTRAINT picked_has_a_time CHECK ((picked_at IS NOT NULL) = (state = 'picked')),
    CONSTRAINT reservation_priority CHECK (priority BETWEEN 1 AND 5)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX reservation_queued ON reservation (sku) WHERE node IS NULL;
CREATE INDEX reservation_held ON reservation (node, sku) WHERE node IS NOT NULL;
CREATE INDEX reservation_expiring ON reservation (expires_at) WHERE expires_at IS NOT NULL;
COMMENT ON COLUMN reservation.per_unit IS
    'units of sku in one unit of the order line: above 1 for a kit''s components';
COMMENT ON COLUMN reservation.kit IS
    'the ordered kit whose component this is; a unit of the line needs all of its components';
COMMENT ON COLUMN reservation.quantity IS
    'units of the SKU; of a kit''s component, per_unit for each kit';
COMMENT ON COLUMN reservation.pickup_node IS
    'the store the customer chose; while queued, it counts against that store''s pickup ATS';
COMMENT ON COLUMN reservation.order_id IS
    'the order; before there is one, the checkout (then checkout_id is the same id)';

-- Taken, in SKU order, while demand that may be refused is counted against ATS: two batches never
-- accept the last unit twice. Demand that is paid already takes no gate.
CREATE TABLE demand_gate (
    sku text COLLATE "C" CONSTRAINT demand_gate_pkey PRIMARY KEY
) WITH (fillfactor = 50);

-- A gate is there before anybody stands in it: two batches that both made it would wait for each
-- other, those that only stand in it together do not.
CREATE FUNCTION open_demand_gates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO demand_gate SELECT sku FROM opened ORDER BY sku ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER product_opens_its_gate AFTER INSERT ON product
    REFERENCING NEW TABLE AS opened
    FOR EACH STATEMENT EXECUTE FUNCTION open_demand_gates();

-- Stand in the gates of these SKUs until the commit, in SKU order: alone where `alone` says so,
-- elsewhere together with all who do not.
CREATE FUNCTION pass_demand_gates(skus text[], alone boolean[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN SELECT * FROM unnest(skus, alone) AS w (sku, alone) ORDER BY sku COLLATE "C" LOOP
        INSERT INTO demand_gate SELECT wanted.sku
        WHERE NOT EXISTS (SELECT 1 FROM demand_gate WHERE sku = wanted.sku)
        ON CONFLICT DO NOTHING;
        IF wanted.alone THEN
            PERFORM 1 FROM demand_gate WHERE sku = wanted.sku FOR UPDATE;
        ELSE
            PERFORM 1 FROM demand_gate WHERE sku = wanted.sku FOR KEY SHARE;
        END IF;
    END LOOP;
END $$;

-- What a source's numbers mean, per node ('' is every node) and bucket. Without a row, a number is
-- physical, the source is believed, and it knows what we picked and shipped.
CREATE TABLE inventory_source (
    source text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL DEFAULT '',
    bucket text COLLATE "C" NOT NULL DEFAULT 'sellable',
    meaning text COLLATE "C" NOT NULL DEFAULT 'physical',
    authoritative boolean NOT NULL DEFAULT true,
    full_files boolean NOT NULL DEFAULT false,
    contains_our_shipments boolean NOT NULL DEFAULT true,
    repeats_our_shipments boolean NOT NULL DEFAULT false,
    our_shipments_since timestamptz,
    CONSTRAINT inventory_source_pkey PRIMARY KEY (source, node, bucket),
    CONSTRAINT inventory_source_bucket CHECK (
        bucket IN ('sellable', 'damaged', 'quality_control', 'in_transit')),
    CONSTRAINT inventory_source_meaning CHECK (
        meaning IN ('physical', 'physical_less_picked', 'net_of_reservations')),
    CONSTRAINT uncontained_shipments_have_a_beginning CHECK (
        contains_our_shipments OR our_shipments_since IS NOT NULL)
);
CREATE UNIQUE INDEX one_authority_per_node_and_bucket ON inventory_source (node, bucket)
    WHERE authoritative AND node <> '';
COMMENT ON COLUMN inventory_source.full_files IS
    'only then a SKU missing from a full count is zero';
COMMENT ON COLUMN inventory_source.repeats_our_shipments IS
    'its moves with reason shipment tell what our nodes told us already: seen, not booked';
COMMENT ON COLUMN inventory_source.our_shipments_since IS
    'its counts contain all that we shipped until then, and nothing that we shipped since';

-- How far each source's feed has come at a node; buffers widen with its age.
CREATE TABLE stock_feed (
    source text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    last_sequence bigint NOT NULL DEFAULT 0,
    counted_as_of timestamptz,
    heard_at timestamptz NOT NULL,
    moves bigint NOT NULL DEFAULT 0,
    ignored_counts bigint NOT NULL DEFAULT 0,
    CONSTRAINT stock_feed_pkey PRIMARY KEY (source, node)
) WITH (fillfactor = 50);

-- Move ids (and chunks) already booked, per source, forever: 16 bytes of hash, 8 of fingerprint.
CREATE TABLE stock_move_seen (
    hash uuid CONSTRAINT one_booking_per_source_move PRIMARY KEY,
    fingerprint bigint NOT NULL
);

-- What sources that are not believed said beside what we held: for reconciliation.
CREATE TABLE stock_reading (
    source text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    sku text COLLATE "C" NOT NULL,
    bucket text COLLATE "C" NOT NULL,
    as_of timestamptz NOT NULL,
    quantity int NOT NULL,
    held int NOT NULL,
    recorded_at timestamptz NOT NULL,
    lot text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT stock_reading_pkey PRIMARY KEY (source, node, sku, bucket, lot)
);

-- ================================================================================================

-- Orders as people and other systems read them: what was bought, who is to have it, how it is paid,
-- what was given to which node, what left. All rows mirror process states (written once per batch
-- by the processes' projectors), except holds, tasks and claims, which the ordering capability
-- keeps. Money is minor units of the order's currency. Personal data is in party and address only.
-- Every table of an order leads its key with order_id: ids are dense in time, so indexes stay
-- dense.

-- What was bought ------------------------------------------------------------------------------

CREATE TABLE sales_order (
    id uuid CONSTRAINT sales_order_pkey PRIMARY KEY,
    placed_at timestamptz NOT NULL,
    closed_at timestamptz,
    customer_id uuid,
    total bigint NOT NULL,
    revision int NOT NULL DEFAULT 1,
    priority smallint NOT NULL DEFAULT 3,
    test boolean NOT NULL DEFAULT false,
    currency text COLLATE "C" NOT NULL,
    presentment_currency text COLLATE "C" NOT NULL DEFAULT '',
    channel text COLLATE "C" NOT NULL,
    number text COLLATE "C" NOT NULL,
    brand text COLLATE "C" NOT NULL DEFAULT '',
    selling_entity text COLLATE "C" NOT NULL DEFAULT '',
    stage text COLLATE "C" NOT NULL,
    policy_version text COLLATE "C" NOT NULL DEFAULT '',
    attributes jsonb,
    CONSTRAINT one_order_per_channel_and_number UNIQUE (channel, number),
    CONSTRAINT sales_order_has_a_number CHECK (channel <> '' AND number <> ''),
    CONSTRAINT sales_order_priority CHECK (priority BETWEEN 1 AND 5),
    CONSTRAINT sales_order_stage CHECK (stage IN ('checking', 'held', 'open', 'closed')),
    CONSTRAINT closed_order_has_a_time CHECK ((stage = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT sales_order_attributes_are_small CHECK (octet_length(attributes::text) <= 16384)
) WITH (fillfactor = 80);
-- Screening asks what a customer ordered lately.
CREATE INDEX sales_order_customer ON sales_order (customer_id, placed_at)
    WHERE customer_id IS NOT NULL;
COMMENT ON COLUMN sales_order.stage IS
    'of its process; what became of the units is told by the lines';
COMMENT ON COLUMN sales_order.revision IS
    'goes up with every edit; lines are added or canceled, never deleted';

-- Each unit of a line is in exactly one of nine states. Delivered, lost and returned are told of
-- units that are shipped.
CREATE TABLE order_line (
    order_id uuid NOT NULL,
    number int NOT NULL,
    quantity int NOT NULL,
    open int NOT NULL,
    soft int NOT NULL DEFAULT 0,
    backordered int NOT NULL DEFAULT 0,
    allocated int NOT NULL DEFAULT 0,
    released int NOT NULL DEFAULT 0,
    picked int NOT NULL DEFAULT 0,
    packed int NOT NULL DEFAULT 0,
    shipped int NOT NULL DEFAULT 0,
    canceled int NOT NULL DEFAULT 0,
    delivered int NOT NULL DEFAULT 0,
    lost int NOT NULL DEFAULT 0,
    returned int NOT NULL DEFAULT 0,
    group_number int NOT NULL DEFAULT 1,
    total bigint NOT NULL,
    charge_share bigint NOT NULL DEFAULT 0,
    adjustment_share bigint NOT NULL DEFAULT 0,
    tax_share bigint NOT NULL DEFAULT 0,
    payable bigint NOT NULL,
    shipped_amount bigint NOT NULL DEFAULT 0,
    canceled_amount bigint NOT NULL DEFAULT 0,
    credited_amount bigint NOT NULL DEFAULT 0,
    unit_price numeric NOT NULL,
    sku text COLLATE "C" NOT NULL,
    attributes jsonb,
    CONSTRAINT order_line_pkey PRIMARY KEY (order_id, number),
    CONSTRAINT every_unit_is_in_one_state CHECK (
        quantity = open + soft + backordered + allocated + released
                 + picked + packed + shipped + canceled),
    CONSTRAINT units_are_not_negative CHECK (
        least(open, soft, backordered, allocated, released, picked, packed, shipped, canceled,
              delivered, lost, returned) >= 0),
    CONSTRAINT only_shipped_units_arrive_or_get_lost CHECK (delivered + lost <= shipped),
    CONSTRAINT only_shipped_units_are_returned CHECK (returned <= shipped),
    CONSTRAINT order_line_has_units CHECK (quantity > 0),
    CONSTRAINT shares_make_the_payable CHECK (
        payable = total + charge_share + adjustment_share + tax_share),
    CONSTRAINT order_line_attributes_are_small CHECK (octet_length(attributes::text) <= 16384)
) WITH (fillfactor = 60);
COMMENT ON COLUMN order_line.total IS
    'the channel''s authoritative line total, before adjustments and taxes';
COMMENT ON COLUMN order_line.payable IS
    'what the customer pays for the line, with its share of everything: the lines'' sum '
    'is the order''s total';
COMMENT ON COLUMN order_line.shipped_amount IS
    'of the payable, what went to shipments; the n-th settled unit''s share is fixed from '
    'the start';

-- Lines with one method, one recipient and place, one service, one promise.
CREATE TABLE delivery_group (
    order_id uuid NOT NULL,
    recipient_id uuid,
    address_id uuid,
    latitude float8,
    longitude float8,
    requested_leave_by timestamptz,
    requested_arrive_by timestamptz,
    first_leave_by timestamptz,
    first_arrive_by timestamptz,
    current_leave_by timestamptz,
    current_arrive_by timestamptz,
    actual_left_at timestamptz,
    actual_arrived_at timestamptz,
    number int NOT NULL,
    method text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    country text COLLATE "C" NOT NULL,
    postal_code text COLLATE "C" NOT NULL DEFAULT '',
    pickup_node text COLLATE "C",
    CONSTRAINT delivery_group_pkey PRIMARY KEY (order_id, number),
    CONSTRAINT delivery_group_method CHECK (
        method IN ('ship', 'pickup', 'ship_to_store', 'local_delivery', 'digital'))
) WITH (fillfactor = 80);
COMMENT ON COLUMN delivery_group.first_arrive_by IS 'the first promise; never overwritten';
COMMENT ON COLUMN delivery_group.actual_left_at IS 'when its last unit left';

-- Why a current promise became another one.
CREATE TABLE promise_change (
    order_id uuid NOT NULL,
    group_number int NOT NULL,
    changed_at timestamptz NOT NULL,
    leave_by timestamptz,
    arrive_by timestamptz,
    reason text COLLATE "C" NOT NULL
);
CREATE INDEX promise_change_order ON promise_change (order_id);

-- Charges, adjustments and taxes as the channel stated them; the lines hold their shares.
CREATE TABLE order_money (
    order_id uuid NOT NULL,
    number int NOT NULL,
    amount bigint NOT NULL,
    line_number int,
    group_number int,
    charge_number int,
    included boolean NOT NULL DEFAULT false,
    part text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    funded_by text COLLATE "C" NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    rate numeric,
    CONSTRAINT order_money_pkey PRIMARY KEY (order_id, part, number),
    CONSTRAINT order_money_part CHECK (part IN ('charge', 'adjustment', 'tax')),
    CONSTRAINT only_tax_is_included CHECK (NOT included OR part = 'tax')
);
COMMENT ON COLUMN order_money.kind IS
    'kind of charge, source of adjustment, or jurisdiction of tax';
COMMENT ON COLUMN order_money.included IS 'the tax is within the line totals already';

-- How it is paid -------------------------------------------------------------------------------

-- A way of paying, used in `order_of_use`. `paid`: the channel has the money already.
CREATE TABLE tender (
    order_id uuid NOT NULL,
    number int NOT NULL,
    order_of_use int NOT NULL DEFAULT 1,
    amount bigint NOT NULL,
    authorized bigint NOT NULL DEFAULT 0,
    captured bigint NOT NULL DEFAULT 0,
    voided bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    debt bigint NOT NULL DEFAULT 0,
    authorized_until timestamptz,
    paid boolean NOT NULL DEFAULT false,
    kind text COLLATE "C" NOT NULL,
    reference text NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL,
    CONSTRAINT tender_pkey PRIMARY KEY (order_id, number),
    CONSTRAINT tender_status CHECK (
        status IN ('unused', 'asked', 'authorized', 'refused', 'paid', 'account', 'expired')),
    CONSTRAINT tender_amounts_are_not_negative CHECK (
        least(amount, authorized, captured, voided, refunded, debt) >= 0),
    CONSTRAINT refunds_come_from_captures CHECK (refunded <= captured),
    CONSTRAINT captures_stay_within_the_tender CHECK (captured <= amount)
) WITH (fillfactor = 70);
COMMENT ON COLUMN tender.status IS
    'paid: the channel has the money; account: the customer is billed; expired: not '
    'renewed in time';
COMMENT ON COLUMN tender.authorized IS
    'what the provider holds for us now: captures and voids take from it';
COMMENT ON COLUMN tender.debt IS 'shipped, asked for, and refused so far: money the customer owes';

-- Each thing asked of a payment provider; the key is its idempotency key.
CREATE TABLE payment_entry (
    order_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    settled_at timestamptz,
    shipment_id uuid,
    tender_number int NOT NULL,
    amount bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    reference text NOT NULL DEFAULT '',
    reason text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT payment_entry_pkey PRIMARY KEY (order_id, key),
    CONSTRAINT payment_entry_kind CHECK (kind IN ('authorize', 'capture', 'void', 'refund')),
    CONSTRAINT payment_entry_status CHECK (status IN ('asked', 'done', 'refused')),
    CONSTRAINT payment_entry_amount_is_positive CHECK (amount > 0)
) WITH (fillfactor = 70);

-- A document the ERP has taken; its number is in external_ref as well.
CREATE TABLE posting (
    order_id uuid NOT NULL,
    posted_at timestamptz NOT NULL,
    shipment_id uuid,
    amount bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    document text NOT NULL,
    CONSTRAINT posting_pkey PRIMARY KEY (order_id, key),
    CONSTRAINT posting_kind CHECK (
        kind IN ('order', 'delivery', 'invoice', 'payment', 'credit_memo', 'cancellation'))
);

-- What was given to which node, and what left -----------------------------------------------------

-- One node's work for part of one delivery group. Re-sourcing closes it; the next one `replaces`
-- it.
CREATE TABLE fulfillment_order (
    order_id uuid NOT NULL,
    id uuid NOT NULL,
    decision_id uuid,
    replaces uuid,
    opened_at timestamptz NOT NULL,
    ship_by timestamptz,
    closed_at timestamptz,
    estimated_cost bigint NOT NULL DEFAULT 0,
    group_number int NOT NULL,
    node text COLLATE "C" NOT NULL,
    work text COLLATE "C" NOT NULL,
    acknowledgement text COLLATE "C" NOT NULL,
    CONSTRAINT fulfillment_order_pkey PRIMARY KEY (order_id, id),
    CONSTRAINT fulfillment_order_work CHECK (
        work IN ('open', 'picking', 'picked', 'packed', 'shipped', 'delivered', 'canceled')),
    CONSTRAINT fulfillment_order_acknowledgement CHECK (
        acknowledgement IN ('submitted', 'accepted', 'declined', 'recall_requested', 'recalled'))
) WITH (fillfactor = 60);
-- A node's list of work: open rows only.
CREATE INDEX fulfillment_order_work_list ON fulfillment_order (node, opened_at)
    WHERE closed_at IS NULL;

CREATE TABLE fulfillment_line (
    order_id uuid NOT NULL,
    fulfillment_id uuid NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    picked int NOT NULL DEFAULT 0,
    short int NOT NULL DEFAULT 0,
    packed int NOT NULL DEFAULT 0,
    shipped int NOT NULL DEFAULT 0,
    given_back int NOT NULL DEFAULT 0,
    CONSTRAINT fulfillment_line_pkey PRIMARY KEY (order_id, fulfillment_id, line_number),
    CONSTRAINT fulfillment_line_has_units CHECK (quantity > 0),
    CONSTRAINT fulfillment_units_are_not_negative CHECK (
        least(picked, short, packed, shipped, given_back) >= 0),
    CONSTRAINT no_unit_is_worked_on_twice CHECK (
        greatest(picked, packed, shipped) + short + given_back <= quantity)
) WITH (fillfactor = 60);
COMMENT ON COLUMN fulfillment_line.picked IS
    'units picked so far, those packed and shipped included';
COMMENT ON COLUMN fulfillment_line.short IS 'units the node could not pick: sourced elsewhere';
COMMENT ON COLUMN fulfillment_line.given_back IS
    'units it gave back: declined, recalled or lost to a count';

-- What a node is asked to give back; it answers once per request.
CREATE TABLE recall (
    order_id uuid NOT NULL,
    fulfillment_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    answered_at timestamptz,
    line_number int NOT NULL,
    quantity int NOT NULL,
    given_back int NOT NULL DEFAULT 0,
    request_id text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    CONSTRAINT recall_pkey PRIMARY KEY (order_id, fulfillment_id, request_id, line_number),
    CONSTRAINT recall_has_units CHECK (quantity > 0),
    CONSTRAINT given_back_at_most_what_was_asked_for CHECK (given_back BETWEEN 0 AND quantity)
) WITH (fillfactor = 70);
CREATE INDEX recall_unanswered ON recall (requested_at) WHERE answered_at IS NULL;

-- What physically left, once: a parcel hand-over, a pickup, a download.
CREATE TABLE shipment (
    order_id uuid NOT NULL,
    id uuid NOT NULL,
    fulfillment_id uuid NOT NULL,
    shipped_at timestamptz NOT NULL,
    amount bigint NOT NULL,
    node text COLLATE "C" NOT NULL,
    reference text COLLATE "C" NOT NULL,
    CONSTRAINT shipment_pkey PRIMARY KEY (order_id, id)
);
COMMENT ON COLUMN shipment.reference IS 'what the node calls it';
COMMENT ON COLUMN shipment.amount IS
    'the sum of its lines'' money: what is captured and invoiced for it';

CREATE TABLE package (
    order_id uuid NOT NULL,
    shipment_id uuid NOT NULL,
    delivered_at timestamptz,
    lost_at timestamptz,
    stopped_at timestamptz,
    number int NOT NULL,
    weight_grams int NOT NULL DEFAULT 0,
    carrier text COLLATE "C" NOT NULL DEFAULT '',
    service text COLLATE "C" NOT NULL DEFAULT '',
    tracking text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT package_pkey PRIMARY KEY (order_id, shipment_id, number)
) WITH (fillfactor = 80);
CREATE INDEX package_tracking ON package (tracking) WHERE tracking <> '';
COMMENT ON COLUMN package.stopped_at IS 'the carrier stopped it on its way and brings it back';

CREATE TABLE shipment_line (
    order_id uuid NOT NULL,
    shipment_id uuid NOT NULL,
    package_number int NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    amount bigint NOT NULL,
    serials text[],
    CONSTRAINT shipment_line_pkey PRIMARY KEY (order_id, shipment_id, package_number, line_number),
    CONSTRAINT shipment_line_has_units CHECK (quantity > 0)
);
COMMENT ON COLUMN shipment_line.amount IS
    'its share of the line''s payable; 0 for units sent again in place of lost ones';

-- Lots that left with a shipment: whom a recalled lot was sent to.
CREATE TABLE shipped_lot (
    order_id uuid NOT NULL,
    shipment_id uuid NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    sku text COLLATE "C" NOT NULL,
    lot text COLLATE "C" NOT NULL,
    CONSTRAINT shipped_lot_pkey PRIMARY KEY (order_id, shipment_id, line_number, sku, lot),
    CONSTRAINT shipped_lot_has_units CHECK (quantity > 0)
);
CREATE INDEX shipped_lot_lot ON shipped_lot (sku, lot);
COMMENT ON COLUMN shipped_lot.quantity IS 'base units of the SKU';

-- Why something may not go on, who decides it, and what customers asked for too late ----------

CREATE TABLE hold (
    order_id uuid NOT NULL,
    placed_at timestamptz NOT NULL,
    lifted_at timestamptz,
    approved boolean,
    group_number int,
    name text COLLATE "C" NOT NULL,
    detail text NOT NULL DEFAULT '',
    lifted_by text NOT NULL DEFAULT '',
    CONSTRAINT hold_pkey PRIMARY KEY (order_id, name, placed_at),
    CONSTRAINT lifted_hold_was_decided CHECK ((lifted_at IS NULL) = (approved IS NULL))
);
CREATE INDEX hold_standing ON hold (placed_at) WHERE lifted_at IS NULL;

-- Work for a person: a team's, or a node's.
CREATE TABLE task (
    id uuid CONSTRAINT task_pkey PRIMARY KEY,
    order_id uuid,
    fulfillment_id uuid,
    opened_at timestamptz NOT NULL,
    due_at timestamptz,
    closed_at timestamptz,
    kind text COLLATE "C" NOT NULL,
    team text COLLATE "C" NOT NULL,
    node text COLLATE "C",
    subject text NOT NULL,
    detail text NOT NULL DEFAULT '',
    status text COLLATE "C" NOT NULL DEFAULT 'open',
    closed_by text NOT NULL DEFAULT '',
    CONSTRAINT task_status CHECK (status IN ('open', 'done', 'rejected', 'withdrawn')),
    CONSTRAINT closed_task_has_a_time CHECK ((status = 'open') = (closed_at IS NULL))
);
CREATE INDEX task_open ON task (team, opened_at) WHERE closed_at IS NULL;
CREATE INDEX task_order ON task (order_id) WHERE order_id IS NOT NULL;

-- What a customer wanted back and what became of it, per line: never silent.
CREATE TABLE cancellation (
    order_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    line_number int NOT NULL,
    requested int NOT NULL,
    canceled int NOT NULL DEFAULT 0,
    stopped int NOT NULL DEFAULT 0,
    refused int NOT NULL DEFAULT 0,
    request_id text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    CONSTRAINT cancellation_pkey PRIMARY KEY (order_id, request_id, line_number),
    CONSTRAINT canceled_at_most_what_was_requested CHECK (
        canceled + stopped + refused <= requested)
) WITH (fillfactor = 70);
COMMENT ON COLUMN cancellation.stopped IS 'units the carrier stopped on their way';
COMMENT ON COLUMN cancellation.refused IS
    'units that were gone: the customer is told, a return claim is kept';

-- Units a customer sends or wants to send back; returns turn claims into refunds.
CREATE TABLE return_claim (
    id uuid CONSTRAINT return_claim_pkey PRIMARY KEY,
    order_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL,
    line_number int NOT NULL,
    quantity int NOT NULL,
    amount bigint NOT NULL,
    reason text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'open',
    CONSTRAINT return_claim_has_units CHECK (quantity > 0),
    CONSTRAINT return_claim_status CHECK (status IN ('open', 'closed'))
);
CREATE INDEX return_claim_order ON return_claim (order_id);

-- ================================================================================================

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

-- ================================================================================================

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

-- ================================================================================================

-- What channels do besides placing orders: reserve while a customer checks out, and edit.

-- Units kept for a customer who is checking out; its reservations carry its id as checkout_id.
CREATE TABLE checkout (
    id uuid CONSTRAINT checkout_pkey PRIMARY KEY,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    closed_at timestamptz,
    order_id uuid,
    channel text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    last_request text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT checkout_status CHECK (
        status IN ('asked', 'reserved', 'placed', 'confirmed', 'expired', 'dropped')),
    CONSTRAINT closed_checkout_has_a_time CHECK (
        (status IN ('confirmed', 'expired', 'dropped')) = (closed_at IS NOT NULL)),
    CONSTRAINT placed_checkout_names_its_order CHECK (
        status NOT IN ('placed', 'confirmed') OR order_id IS NOT NULL)
) WITH (fillfactor = 80);
-- Finds closed ones that are old enough to be removed.
CREATE INDEX checkout_closed ON checkout (closed_at) WHERE closed_at IS NOT NULL;
COMMENT ON COLUMN checkout.status IS
    'asked: not answered yet; reserved; placed: its order is being checked and nothing expires; '
    'confirmed: the order has taken the units over; expired and dropped: they are free again';
COMMENT ON COLUMN checkout.last_request IS 'the last extension that was answered';

CREATE TABLE checkout_line (
    checkout_id uuid NOT NULL,
    number int NOT NULL,
    quantity int NOT NULL,
    reserved int NOT NULL DEFAULT 0,
    sku text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    pickup_node text COLLATE "C",
    CONSTRAINT checkout_line_pkey PRIMARY KEY (checkout_id, number),
    CONSTRAINT checkout_line_has_units CHECK (quantity > 0),
    CONSTRAINT reserved_at_most_what_was_asked CHECK (reserved BETWEEN 0 AND quantity)
) WITH (fillfactor = 80);
COMMENT ON COLUMN checkout_line.reserved IS
    'units that were there; the others are not kept: the customer has to be told';

-- What somebody wanted changed in an order, and whether it was; one row per request.
CREATE TABLE order_edit (
    order_id uuid NOT NULL,
    decided_at timestamptz NOT NULL,
    expected_revision int NOT NULL,
    revision int NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    result text COLLATE "C" NOT NULL,
    CONSTRAINT order_edit_pkey PRIMARY KEY (order_id, request_id),
    CONSTRAINT order_edit_result CHECK (result IN ('applied', 'stale', 'too_late', 'closed'))
);
COMMENT ON COLUMN order_edit.revision IS 'of the order after this';

-- ================================================================================================

-- What nodes and systems follow, correct and load: feeds of changed work and shipments, when master
-- data changed, corrections of stock, and files that are loaded as one job.

-- Feeds ------------------------------------------------------------------------------------------

-- A reader of a feed keeps one place: (changed_in, id). Transactions commit in another order than
-- they number themselves, so a feed shows only what lies below the oldest one still running
-- (pg_snapshot_xmin): nothing ever appears behind a place that was shown already.
ALTER TABLE fulfillment_order
    ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE fulfillment_order ALTER COLUMN changed_at DROP DEFAULT;
COMMENT ON COLUMN fulfillment_order.changed_in IS
    'the transaction that changed it, its lines or its recalls last: its place in the node''s feed';
DROP INDEX fulfillment_order_work_list;
-- A row is in one of the two: a node that begins to read wants its open work, not its history.
CREATE INDEX fulfillment_order_open ON fulfillment_order (node, changed_in, id)
    WHERE closed_at IS NULL;
CREATE INDEX fulfillment_order_ended ON fulfillment_order (node, changed_in, id)
    WHERE closed_at IS NOT NULL;
-- Nodes name their work by its own id alone.
CREATE INDEX fulfillment_order_id ON fulfillment_order (id);

ALTER TABLE shipment
    ADD COLUMN changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX shipment_id ON shipment (id);
CREATE INDEX shipment_feed ON shipment (node, changed_in, id);

-- A package that arrives or gets lost changes its shipment.
CREATE FUNCTION touch_shipments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE shipment s SET changed_in = pg_current_xact_id(), changed_at = now()
    FROM (SELECT DISTINCT order_id, shipment_id FROM changed) AS c
    WHERE s.order_id = c.order_id AND s.id = c.shipment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER package_changes_its_shipment AFTER UPDATE ON package
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION touch_shipments();

-- After a dump was loaded into another cluster, whose transactions number themselves anew: rows
-- from its future become rows of now. Returns how many.
CREATE FUNCTION adopt_restored_feeds() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    work bigint;
    shipments bigint;
BEGIN
    UPDATE fulfillment_order SET changed_in = pg_current_xact_id()
    WHERE changed_in >= pg_snapshot_xmax(pg_current_snapshot());
    GET DIAGNOSTICS work = ROW_COUNT;
    UPDATE shipment SET changed_in = pg_current_xact_id()
    WHERE changed_in >= pg_snapshot_xmax(pg_current_snapshot());
    GET DIAGNOSTICS shipments = ROW_COUNT;
    RETURN work + shipments;
END $$;

-- What changed since a time, at next to no cost for who writes: rows come in the order of time.
CREATE INDEX stock_ledger_recorded ON stock_ledger USING brin (recorded_at);
CREATE INDEX payment_entry_requested ON payment_entry USING brin (requested_at);
CREATE INDEX payment_entry_settled ON payment_entry USING brin (settled_at);

-- When each record of master data changed last -------------------------------------------------

CREATE TABLE master_data_change (
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT master_data_change_pkey PRIMARY KEY (kind, key),
    CONSTRAINT master_data_change_kind CHECK (kind IN ('node', 'product'))
) WITH (fillfactor = 70);
CREATE INDEX master_data_change_order ON master_data_change (kind, changed_at, key);
INSERT INTO master_data_change SELECT 'node', code, now() FROM node;
INSERT INTO master_data_change SELECT 'product', sku, now() FROM product;

-- Arguments: the kind, and the column that names the record.
CREATE FUNCTION note_master_data_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO master_data_change AS c (kind, key, changed_at)'
        ' SELECT %L, key, clock_timestamp() FROM (SELECT DISTINCT %I AS key FROM changed) AS k'
        ' ORDER BY key'
        ' ON CONFLICT (kind, key) DO UPDATE SET changed_at = excluded.changed_at',
        TG_ARGV[0], TG_ARGV[1]);
    RETURN NULL;
END $$;

-- Every change counts, also one made by hand.
DO $$
DECLARE
    noted record;
    event record;
BEGIN
    FOR noted IN
        SELECT * FROM (VALUES
            ('node', 'node', 'code'), ('node_opening', 'node', 'node'),
            ('node_special_day', 'node', 'node'), ('node_cut_off', 'node', 'node'),
            ('product', 'product', 'sku'), ('kit_component', 'product', 'kit'),
            ('product_pack', 'product', 'sku')
        ) AS noted (table_name, kind, key_column)
    LOOP
        FOR event IN
            SELECT * FROM (VALUES ('insert', 'NEW'), ('update', 'NEW'), ('delete', 'OLD'))
                AS event (name, rows)
        LOOP
            EXECUTE format(
                'CREATE TRIGGER %I AFTER %s ON %I REFERENCING %s TABLE AS changed '
                'FOR EACH STATEMENT EXECUTE FUNCTION note_master_data_change(%L, %L)',
                'note_' || event.name, event.name, noted.table_name, event.rows,
                noted.kind, noted.key_column);
        END LOOP;
    END LOOP;
END $$;

ALTER TABLE external_ref ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
-- References of orders come by the million and are asked for by name only.
CREATE INDEX external_ref_list ON external_ref (kind, changed_at, system, company, external_id)
    WHERE kind <> 'order';

-- Corrections ------------------------------------------------------------------------------------

-- What somebody set a bucket to, who had seen `expected` there. A stale one changed nothing.
CREATE TABLE stock_correction (
    id uuid CONSTRAINT stock_correction_pkey PRIMARY KEY,
    decided_at timestamptz NOT NULL,
    expected int NOT NULL,
    quantity int NOT NULL,
    actual int NOT NULL,
    applied boolean NOT NULL,
    sku text COLLATE "C" NOT NULL,
    node text COLLATE "C" NOT NULL,
    bucket text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    lot text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT stock_correction_bucket CHECK (
        bucket IN ('sellable', 'damaged', 'quality_control', 'in_transit')),
    CONSTRAINT stock_correction_quantities_are_not_negative CHECK (
        least(expected, quantity, actual) >= 0),
    CONSTRAINT applied_correction_was_expected CHECK (applied = (expected = actual))
);
CREATE INDEX stock_correction_decided ON stock_correction USING brin (decided_at);
COMMENT ON COLUMN stock_correction.id IS 'derived from who sent it and its Idempotency-Key';
COMMENT ON COLUMN stock_correction.actual IS 'what the bucket held when it was decided';

-- Files ------------------------------------------------------------------------------------------

-- A whole file of stock, products or prices, loaded as one job that may be interrupted anywhere.
CREATE TABLE file_job (
    id uuid CONSTRAINT file_job_pkey PRIMARY KEY,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    finished_at timestamptz,
    as_of timestamptz,
    received_bytes bigint NOT NULL DEFAULT 0,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_taken bigint NOT NULL DEFAULT 0,
    rows_refused bigint NOT NULL DEFAULT 0,
    rows_cleared bigint NOT NULL DEFAULT 0,
    is_full boolean NOT NULL DEFAULT false,
    kind text COLLATE "C" NOT NULL,
    format text COLLATE "C" NOT NULL,
    compression text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'receiving',
    name text NOT NULL DEFAULT '',
    source text COLLATE "C" NOT NULL DEFAULT '',
    node text COLLATE "C" NOT NULL DEFAULT '',
    created_by text COLLATE "C" NOT NULL,
    failure text NOT NULL DEFAULT '',
    sha256 text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT file_job_kind CHECK (kind IN ('stock', 'products', 'prices')),
    CONSTRAINT file_job_format CHECK (format IN ('ndjson', 'csv')),
    CONSTRAINT file_job_compression CHECK (compression IN ('none', 'gzip')),
    CONSTRAINT file_job_status CHECK (
        status IN ('receiving', 'waiting', 'running', 'done', 'failed', 'canceled')),
    CONSTRAINT finished_job_has_a_time CHECK (
        (finished_at IS NOT NULL) = (status IN ('done', 'failed', 'canceled'))),
    CONSTRAINT stock_is_of_a_time_and_source CHECK (
        kind <> 'stock' OR (as_of IS NOT NULL AND source <> '')),
    CONSTRAINT every_row_has_a_result CHECK (rows_read = rows_taken + rows_refused)
) WITH (fillfactor = 50);
CREATE INDEX file_job_list ON file_job (changed_at, id);
CREATE INDEX file_job_open ON file_job (created_at) WHERE status IN ('waiting', 'running');
COMMENT ON COLUMN file_job.rows_cleared IS
    'of a full file: what it no longer names, set to zero or switched off';

-- The file as it came, in pieces; they go when the job is finished.
CREATE TABLE file_part (
    job_id uuid NOT NULL,
    first_byte bigint NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT file_part_pkey PRIMARY KEY (job_id, first_byte)
);
ALTER TABLE file_part ALTER COLUMN body SET STORAGE EXTERNAL;

-- Rows that were not taken, with everything wrong with them; every other row was.
CREATE TABLE file_refusal (
    job_id uuid NOT NULL,
    row_number bigint NOT NULL,
    key text NOT NULL,
    problems text NOT NULL,
    CONSTRAINT file_refusal_pkey PRIMARY KEY (job_id, row_number)
);
COMMENT ON COLUMN file_refusal.row_number IS 'from 1; a CSV header is no row';

-- What a full file named, until its job is finished: the rest is cleared.
CREATE TABLE file_named (
    job_id uuid NOT NULL,
    node text COLLATE "C" NOT NULL,
    skus text[] COLLATE "C" NOT NULL
);
CREATE INDEX file_named_job ON file_named (job_id, node);
COMMENT ON COLUMN file_named.node IS 'empty for products';

-- ================================================================================================

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

-- ================================================================================================

-- What orders and their work carry besides, and where readers find it.

ALTER TABLE sales_order
    ADD COLUMN presentment_total bigint,
    ADD COLUMN exchange_rate numeric,
    ADD COLUMN exchanged_at timestamptz,
    ADD CONSTRAINT what_the_customer_saw_has_a_currency CHECK (
        presentment_currency <> ''
        OR num_nonnulls(presentment_total, exchange_rate, exchanged_at) = 0),
    ADD CONSTRAINT exchange_rate_is_positive CHECK (exchange_rate > 0);
COMMENT ON COLUMN sales_order.presentment_total IS 'minor units of presentment_currency';
COMMENT ON COLUMN sales_order.exchange_rate IS
    'units of currency for one of presentment_currency, as the channel used it';

ALTER TABLE order_line
    ADD COLUMN channel_sku text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN owner text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN order_line.channel_sku IS 'what the channel calls it, where that is not the sku';
COMMENT ON COLUMN order_line.owner IS
    'the legal entity whose stock it must come from; empty leaves it open';

-- The local day of its node on which a FulfillmentOrder takes a place, until it ends without
-- having sent anything. What was counted so far cannot be given back: counting begins anew.
ALTER TABLE fulfillment_order ADD COLUMN counted_on date;
COMMENT ON COLUMN fulfillment_order.counted_on IS 'null: its node has no daily capacity';
DELETE FROM node_capacity;

-- ================================================================================================

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

-- ================================================================================================

-- What running processes count of themselves, and how the last checks of the rules ended.

-- Each worker, dispatcher and API process replaces its row every few seconds; a row that is no
-- longer replaced is of a process that has ended. After a crash everybody counts anew: no WAL.
CREATE UNLOGGED TABLE process_figures (
    process text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    reported_at timestamptz NOT NULL,
    figures bytea NOT NULL,
    CONSTRAINT process_figures_kind CHECK (kind IN ('worker', 'dispatcher', 'api'))
) WITH (fillfactor = 50);

-- The last check of each invariant in production. begun_at is the claim: one process checks a rule.
CREATE TABLE invariant_check (
    invariant text COLLATE "C" PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    ended_at timestamptz,
    seconds double precision,
    violations int,
    error text
) WITH (fillfactor = 50);
COMMENT ON COLUMN invariant_check.violations IS
    'rows that break the rule, counted up to a limit; null where the check did not end in time';

-- ================================================================================================

-- How long published events are kept, and what was removed of them.

-- Events up to `removed_until` are gone, but for those that an active webhook still has to send.
-- Who removes holds this row; who sets a webhook's position back, or goes on with one, shares it.
CREATE TABLE event_retention (
    number int PRIMARY KEY DEFAULT 1,
    removed_until bigint NOT NULL DEFAULT 0,
    recorded_until timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT one_retention CHECK (number = 1)
);
INSERT INTO event_retention DEFAULT VALUES;
COMMENT ON COLUMN event_retention.recorded_until IS 'when the last event removed was recorded';

ALTER TABLE webhook ADD COLUMN missed_until bigint;
COMMENT ON COLUMN webhook.missed_until IS
    'events up to this one were removed unsent while it was paused or disabled; null: none';

-- ================================================================================================

-- The first answers to writes that are no messages, for those who send the same write again; and
-- what becomes of the secrets of webhooks.

-- Beside the content that it answered, and forgotten with it.
ALTER TABLE dedupe ADD COLUMN answer bytea;
COMMENT ON COLUMN dedupe.answer IS
    'what a write under an Idempotency-Key was answered, as MessagePack; a secret in it is sealed '
    'with the credential and key that were sent, which are not kept';

COMMENT ON COLUMN webhook.secret IS
    'whsec_ and the secret, or encrypted with payloads.keys where those are set';
COMMENT ON COLUMN webhook.former_secret IS
    'signs beside the new one until secret_until; kept as secret is';

-- ================================================================================================

-- Money that came in without being asked for, as providers, banks and channels report it.

CREATE TABLE received_payment (
    id uuid CONSTRAINT received_payment_pkey PRIMARY KEY,
    order_id uuid,
    received_at timestamptz NOT NULL,
    reported_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    amount bigint NOT NULL,
    currency text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'unapplied',
    reason text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL DEFAULT '',
    order_name text NOT NULL DEFAULT '',
    provider text COLLATE "C" NOT NULL,
    reference text COLLATE "C" NOT NULL,
    reported_by text COLLATE "C" NOT NULL,
    CONSTRAINT received_payment_status CHECK (status IN ('unapplied', 'applied')),
    CONSTRAINT received_payment_reason CHECK (reason IN (
        '', 'being_looked_at', 'order_unknown', 'nothing_outstanding', 'currency_differs',
        'amount_differs')),
    CONSTRAINT unapplied_payment_has_a_reason CHECK ((status = 'unapplied') = (reason <> '')),
    CONSTRAINT applied_payment_has_an_order CHECK (status = 'unapplied' OR order_id IS NOT NULL),
    CONSTRAINT received_payment_amount_is_positive CHECK (amount > 0)
) WITH (fillfactor = 80);
CREATE INDEX received_payment_list ON received_payment (changed_at, id);
COMMENT ON COLUMN received_payment.id IS 'derived from provider and reference, which name it';
COMMENT ON COLUMN received_payment.order_name IS 'the order as it was reported; maybe unknown';
COMMENT ON COLUMN received_payment.channel IS 'empty where nobody knows the order';

-- ================================================================================================

-- Stock levels that changed are published too, from the ledger and after the fact.

ALTER TABLE event_publisher ADD COLUMN stock_until timestamptz;
COMMENT ON COLUMN event_publisher.stock_until IS
    'up to which recorded time the stock ledger was looked at; null: not yet';
COMMENT ON COLUMN published_event.order_id IS
    'the order, checkout or stock level whose events come in order';
COMMENT ON COLUMN published_event.subject IS
    'the order as its channel names it, channel:number; channel:id of a checkout; node:sku of a '
    'level';

-- ================================================================================================

-- Who stands in gates of demand together with others has one of these seats until the commit: there
-- are never more claims that one of them cannot see than there are other seats.
CREATE TABLE demand_seat (
    number int CONSTRAINT demand_seat_pkey PRIMARY KEY
);
INSERT INTO demand_seat SELECT generate_series(1, 8);

-- Take a free seat; returns how many others there are. NULL when none is free, or when this
-- transaction has claimed from one already: then its gates are for it alone.
CREATE FUNCTION take_demand_seat() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    seat int;
BEGIN
    IF current_setting('crossdock.demand_seat', true) <> '' THEN
        RETURN NULL;
    END IF;
    SELECT number INTO seat FROM demand_seat ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF seat IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('crossdock.demand_seat', seat::text, true);
    RETURN (SELECT count(*) - 1 FROM demand_seat);
END $$;

-- ================================================================================================

-- Led by the key: the dispatcher asks for it in a way that no other index can answer.
DROP INDEX outbox_order;
CREATE INDEX outbox_order ON outbox (order_key, connector, number);

-- ================================================================================================

-- What is old is found by its time, oldest first. (Ranges of pages remember the oldest row they
-- ever had: once pages are filled anew, a BRIN index finds the whole table old.)
DROP INDEX dedupe_recorded_at;
CREATE INDEX dedupe_recorded_at ON dedupe (recorded_at);

-- Who does a step of one of these holds its row until the commit; the others leave it alone.
ALTER TABLE chore ADD COLUMN done_until timestamptz NOT NULL DEFAULT '-infinity';
COMMENT ON COLUMN chore.done_until IS
    'of engine: bodies and answers of what was received until then are forgotten';
INSERT INTO chore (name)
VALUES ('engine'), ('inventory'), ('reservations'), ('allocation'), ('checkouts'), ('events');

-- ================================================================================================

-- Orders that allow substitutes, and what was sent in place of what a line names.

ALTER TABLE sales_order ADD COLUMN substitutes_allowed boolean NOT NULL DEFAULT false;

ALTER TABLE fulfillment_line ADD COLUMN substitute text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN fulfillment_line.substitute IS
    'the SKU to pick in place of the order line''s; empty: the line''s own';

ALTER TABLE shipment_line ADD COLUMN substitute text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN shipment_line.substitute IS
    'the SKU that left in place of the order line''s; empty: the line''s own';

-- Whose substitute a SKU is: asked for what arrives, and few products have any.
CREATE INDEX product_substitutes ON product USING gin (substitutes) WHERE substitutes <> '{}';
