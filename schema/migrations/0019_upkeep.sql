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
