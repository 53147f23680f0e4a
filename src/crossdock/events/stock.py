"""Publishing stock levels that changed: read from the ledger after the fact, told as they are now.

Whoever moves or reserves units writes nothing for it. A batch names its rows of the ledger by the
time at which it began and shows them when it ends, so a look stops short of the oldest transaction
that still writes, and of what clocks may differ by. A level that changed often in between is told
once; one whose promises came and went is not told.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from crossdock import db
from crossdock.events import stock_store, store
from crossdock.events.stock_store import ChangedLevel, Moved
from crossdock.kernel.clock import Clock
from crossdock.kernel.ids import derive
from crossdock.model.events import StockLevelChanged, StockMoved
from crossdock.model.outside import EPOCH

CLOCK_SKEW = timedelta(seconds=10)
"""Clocks of machines may differ by so much."""
LAG = CLOCK_SKEW + timedelta(seconds=2)
LONGEST_LOOK = timedelta(minutes=1)
MOST_ROWS = 100_000
"""Rows of the ledger in one look, but for a batch that wrote more by itself: few enough for orders
to be published in between, enough for a busy level to be told once instead of ten times."""
MOST_MOVES = 20
"""Shown in one event."""

_PROMISES = ("free", "reserved", "picked")
_json = msgspec.json.Encoder().encode


class StockTeller:
    """Publishes what changed every so many seconds; 0 is never. Commits by itself."""

    def __init__(self, clock: Clock, seconds: int) -> None:
        self.clock = clock
        self.seconds = seconds
        self._next = 0.0

    def __call__(self, connection: db.Connection) -> None:
        if not self.seconds or time.monotonic() < self._next:
            return
        caught_up = publish_stock(connection, self.clock.now())
        self._next = time.monotonic() + self.seconds if caught_up else 0.0


def publish_stock(connection: db.Connection, now: datetime, most_rows: int = MOST_ROWS) -> bool:
    """Publish the levels that changed since the last look and commit; whether none are left.

    The first look of all begins with what happens next.
    """
    last = store.lock_publisher(connection)
    if last is None:  # Another publishes, and this too.
        connection.rollback()
        return True
    horizon = now - LAG
    writer = stock_store.oldest_writer(connection)
    if writer is not None:
        horizon = min(horizon, writer - CLOCK_SKEW)
    after = stock_store.looked_until(connection) or horizon
    until = min(horizon, after + LONGEST_LOOK)
    if until < after:
        connection.rollback()
        return True
    until = _within(stock_store.rows_by_time(connection, after, until), until, most_rows)
    levels = stock_store.changed_levels(connection, after, until)
    if levels:
        moves = stock_store.latest_moves(connection, after, until, MOST_MOVES)
        store.append(connection, _rows(levels, moves, last, now))
    stock_store.save_looked_until(connection, until)
    connection.commit()
    return until >= horizon


def _within(batches: Sequence[tuple[datetime, int]], until: datetime, most: int) -> datetime:
    """Up to where there are not too many rows, and at least those of one batch."""
    rows = 0
    for place, (_, count) in enumerate(batches):
        rows += count
        if rows > most and place:
            return batches[place - 1][0]
    return until


def _rows(
    levels: Sequence[ChangedLevel],
    moves: dict[tuple[str, str, str, str], Sequence[Moved]],
    last: int,
    now: datetime,
) -> list[tuple[Any, ...]]:
    rows = []
    for sequence, level in enumerate(levels, start=last + 1):
        key = derive(EPOCH, "level", *level[:4])
        event = _event(level, moves.get(level[:4], ()))
        rows.append(
            (
                sequence,
                now,
                level.occurred_at,
                derive(now, "stock", str(sequence)),
                key,
                key,
                key,
                event.message_type,
                f"{level.node}:{level.sku}",
                "",
                level.node,
                _json(event).decode(),
            )
        )
    return rows


def _event(level: ChangedLevel, moves: Sequence[Moved]) -> StockLevelChanged:
    return StockLevelChanged(
        sku=level.sku,
        node=level.node,
        owner=level.owner,
        lot=level.lot,
        sellable=level.sellable,
        reserved=level.reserved,
        available=level.available,
        damaged=level.damaged,
        quality_control=level.quality_control,
        in_transit=level.in_transit,
        moves=tuple(_move(*move) for move in moves),
        moves_left_out=level.moved - len(moves),
    )


def _move(
    quantity: int,
    from_bucket: str,
    to_bucket: str,
    reason: str,
    occurred_at: datetime,
    source: str,
    move_id: str,
    order_id: str | None,
) -> StockMoved:
    return StockMoved(
        quantity=quantity,
        from_bucket="sellable" if from_bucket in _PROMISES else from_bucket,
        to_bucket="sellable" if to_bucket in _PROMISES else to_bucket,
        reason=reason,
        occurred_at=occurred_at,
        source=source,
        move_id=move_id,
        order_id=order_id,
    )
