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

-- What master data say of a SKU at a node: its zone, methods and what is held back there.
CREATE FUNCTION level_terms(
    of_sku text, at_node text,
    OUT zone text, OUT methods smallint, OUT safety_stock int, OUT buffer int
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT n.allocation_zone,
           CASE WHEN n.enabled AND coalesce(p.enabled, true) THEN method_bits(ARRAY(
                    SELECT m FROM unnest(n.methods) AS m
                    WHERE m <> ALL (coalesce(p.methods_off, '{}'))))
                ELSE 0::smallint END,
           coalesce(p.safety_stock, n.safety_stock), coalesce(p.buffer, n.buffer)
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
    CONSTRAINT stock_reading_pkey PRIMARY KEY (source, node, sku, bucket)
);
