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
