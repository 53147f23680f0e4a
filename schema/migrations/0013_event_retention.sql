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
