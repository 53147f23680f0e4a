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
