"""The scheduled check: all invariants, from time to time, beside a worker's batches.

Rules are read on a connection and in a thread of their own; what they found is acted on by the
worker: a stock level whose books are broken offers nothing until a person lifts that, and what is
broken is a Case. With many workers only one checks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog

from crossdock import invariants
from crossdock.db import Connection
from crossdock.engine import store as engine_store
from crossdock.engine.transaction import Transaction
from crossdock.invariants import Checked, Violation
from crossdock.inventory import ats_store, watch_store
from crossdock.inventory.model import LevelKey
from crossdock.inventory.upkeep import quarantine
from crossdock.kernel.errors import Fault
from crossdock.kernel.ids import derive

LEVEL_RULES = ("reserved_is_sum_of_live_reservations", "stock_level_is_fold_of_ledger")
"""A level that breaks one of them cannot be believed."""
SLOW_RULES = ("levels_follow_master_data",)
"""Hold again within the hour by themselves: only what is still broken at the next check counts."""
QUARANTINED = "stock level quarantined"
BROKEN = "invariant broken"
NOT_CHECKED = "invariant not checked"
SHOWN_ROWS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)


class WatchLimits(NamedTuple):
    """How often rules are checked, how long one may read, how many broken rows are looked at."""

    every: timedelta = timedelta(hours=1)
    statement_seconds: int = 10
    rows: int = 1_000


class InvariantWatch:
    """A worker's chore. `connect` opens a connection to read from; the watch closes it."""

    def __init__(
        self, connect: Callable[[], Connection], limits: WatchLimits | None = None
    ) -> None:
        self._connect = connect
        self._limits = limits or WatchLimits()
        self._reading: threading.Thread | None = None
        self._found: list[Checked] = []

    def __call__(self, connection: Connection, now: datetime) -> None:
        """Act on what was found, else begin a check if one is due; the caller commits."""
        if self._reading is not None:
            if not self._reading.is_alive():
                self._reading = None
                found, self._found = self._found, []
                act_on(connection, found, now)
        elif watch_store.take_chore(connection, "invariants", now, now + self._limits.every):
            self._reading = threading.Thread(target=self._read, name="invariants", daemon=True)
            self._reading.start()

    def wait(self) -> None:
        """Until a check under way has read everything."""
        if self._reading is not None:
            self._reading.join()

    def _read(self) -> None:
        """What was read before a fault is still acted on; the rest waits for the next check."""
        limits = self._limits
        try:
            with self._connect() as connection:
                for checked in invariants.check_each(
                    connection,
                    statement_seconds=limits.statement_seconds,
                    rows_per_rule=limits.rows,
                ):
                    self._found.append(checked)
        except Fault as fault:
            log.warning("invariants not read to the end", error=str(fault))


def act_on(connection: Connection, found: Sequence[Checked], now: datetime) -> None:
    """Keep the results, quarantine broken levels, open Cases and close those of rules that hold."""
    before = watch_store.broken_rules(connection)
    broken_levels: dict[LevelKey, list[Violation]] = {}
    opened = []
    closed = []
    for one in found:
        name = one.invariant.name
        if one.violations is None:
            opened.append(_case(NOT_CHECKED, name, _advice(one), 4, now))
            continue
        closed.append(_case_id(NOT_CHECKED, name))
        if name in LEVEL_RULES:
            for violation in one.violations:
                broken_levels.setdefault(_level_of(violation), []).append(violation)
        elif not one.violations:
            closed.append(_case_id(BROKEN, name))
        elif name not in SLOW_RULES or name in before:
            opened.append(_case(BROKEN, name, _shown(one.violations), 2, now))
    opened += [
        _case(QUARANTINED, _spoken(level), _shown(violations), 1, now)
        for level, violations in broken_levels.items()
    ]
    if broken_levels:
        _set_quarantine(connection, broken_levels, now, lift=False)
    engine_store.open_cases(connection, opened)
    watch_store.close_cases(connection, closed, now)
    watch_store.keep_results(connection, [_result(one, now) for one in found])


def _result(one: Checked, now: datetime) -> tuple[str, datetime, datetime, float, int | None, str]:
    name, begun = one.invariant.name, now - timedelta(seconds=one.seconds)
    if one.violations is None:
        return name, begun, now, one.seconds, None, "timed out"
    return name, begun, now, one.seconds, len(one.violations), ""


class StillBroken(NamedTuple):
    """Refuses to lift a quarantine: what is wrong with the level."""

    violations: list[Violation]


def lift(connection: Connection, level: LevelKey, now: datetime) -> StillBroken | None:
    """Let a level offer its stock again, if its books are in order; the caller commits."""
    columns = tuple(zip(LevelKey._fields, level, strict=True))
    broken = [
        violation
        for rule in LEVEL_RULES
        for violation in invariants.breaks_of(connection, rule, columns)
    ]
    if broken:
        return StillBroken(broken)
    _set_quarantine(connection, [level], now, lift=True)
    watch_store.close_cases(connection, [_case_id(QUARANTINED, _spoken(level))], now)
    return None


def quarantined(connection: Connection, now: datetime) -> list[LevelKey]:
    """The levels that offer nothing until they are lifted."""
    return ats_store.quarantined_levels(Transaction(connection, now))


def _set_quarantine(
    connection: Connection, levels: Iterable[LevelKey], now: datetime, *, lift: bool
) -> None:
    tx = Transaction(connection, now)
    quarantine(tx, list(levels), lift=lift)
    tx.flush_books()


def _level_of(violation: Violation) -> LevelKey:
    row = dict(violation.row)
    return LevelKey(*(str(row[column]) for column in LevelKey._fields))


def _spoken(level: LevelKey) -> str:
    more = [part for part in (level.owner, level.lot) if part]
    return " ".join([f"{level.sku} at {level.node}", *more])


def _case(
    kind: str, subject: str, detail: str, priority: int, now: datetime
) -> tuple[str, str, str, str, int, str, str, None, datetime]:
    """The same trouble is the same Case, opened again."""
    return (_case_id(kind, subject), kind, subject, detail, priority, "", "", None, now)


def _case_id(kind: str, subject: str) -> str:
    return derive(_EPOCH, "case", kind, subject)


def _shown(violations: Sequence[Violation]) -> str:
    rows = [
        f"{one.invariant}: " + ", ".join(f"{name}={value}" for name, value in one.row)
        for one in violations[:SHOWN_ROWS]
    ]
    more = len(violations) - SHOWN_ROWS
    return "\n".join([violations[0].rule, *rows, *([f"and {more} more"] if more > 0 else [])])


def _advice(one: Checked) -> str:
    return (
        f"{one.invariant.rule}\nIt was given up after {one.seconds:.0f} s. Run `crossdock check`,"
        " or raise the setting checks.statement_seconds."
    )
