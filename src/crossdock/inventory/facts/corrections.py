"""Corrections: somebody who saw what a bucket holds says what is really there.

A correction counts as of now, and only if the bucket still holds what was seen: decided under the
level's row lock, so that of two who saw the same number one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.engine.transaction import Transaction
from crossdock.inventory import rules
from crossdock.inventory.facts.lots import hold_back
from crossdock.inventory.facts.shortages import break_reservations, serve_backorders
from crossdock.inventory.facts.station import ORDERS
from crossdock.inventory.model import STATION, LevelKey, ShortageFound, StockArrived
from crossdock.inventory.rules import SELLABLE, LedgerRow, Level
from crossdock.inventory.store import StockBook, lock_levels, save_levels

CORRECTION = "correction"
"""Reason in the ledger; the row's source_move_id names the correction."""


class Correction(NamedTuple):
    """`bucket` is one of rules.LEVEL_BUCKETS, `expected` what somebody saw in it."""

    id: str
    sku: str
    node: str
    bucket: str
    expected: int
    quantity: int
    lot: str = ""

    @property
    def key(self) -> LevelKey:
        """The level it is about."""
        return LevelKey(self.sku, self.node, "", self.lot)


class Corrected(NamedTuple):
    """What the bucket held when it was decided, and whether that was what somebody had seen."""

    actual: int
    applied: bool


class Outcome(NamedTuple):
    """What became of each, and what orders have to be told in the same transaction."""

    corrected: list[Corrected]
    told: list[Inbound]


def correct(tx: Transaction, corrections: Sequence[Correction]) -> Outcome:
    """Decide corrections in the order given, each on what the ones before have left."""
    keys = {one.key for one in corrections}
    levels = lock_levels(tx, keys)
    missing = {one.key for one in corrections if one.expected == 0 != one.quantity}.difference(
        levels
    )
    levels |= lock_levels(tx, missing, create=True)
    corrected = [_decide(tx, levels.get(c.key), c) for c in corrections]
    changed = save_levels(tx, levels.values())
    hold_back(tx, {level.key[:2] for level in changed})
    told = _follow_up(tx, changed, corrections[0].id) if changed else []
    tx.flush_books()
    return Outcome(corrected, told)


def _decide(tx: Transaction, level: Level | None, correction: Correction) -> Corrected:
    actual = 0 if level is None else int(getattr(level, correction.bucket))
    if actual != correction.expected:
        return Corrected(actual, applied=False)
    if level is not None:
        # A source whose clock is ahead may have counted later than now.
        last = level.as_of(correction.bucket)
        as_of = tx.now if last is None else max(last, tx.now)
        if correction.bucket == SELLABLE:
            level.count_lacks_our_shipments = False
        rows = rules.take_count(level, correction.bucket, correction.quantity, 0, as_of, tx.now)
        tx.book(StockBook).ledger += [_named(row, correction) for row in rows]
    return Corrected(actual, applied=True)


def _named(row: LedgerRow, correction: Correction) -> LedgerRow:
    return (*row[:12], CORRECTION, "", correction.id)


def _follow_up(tx: Transaction, changed: Sequence[Level], name: str) -> list[Inbound]:
    """Tell orders whose reservations broke and whose backorders can be served."""
    told: list[ShortageFound | StockArrived] = [
        shortage.found for shortage in break_reservations(tx, changed)
    ]
    arrived = {level.key.sku for level in changed if level.available > level.available_before}
    told += [arrival.found for arrival in serve_backorders(tx, arrived)]
    return [
        Inbound(
            source=STATION,
            source_id=f"{name}/{place}",
            message=message,
            to=Address(ORDERS, message.order_id, message.order_id),
            occurred_at=tx.now,
            actor=STATION,
            correlation_id=message.order_id,
        )
        for place, message in enumerate(told)
    ]
