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
