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
