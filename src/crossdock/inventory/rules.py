"""What inventory decides, without a database: booking moves, counts, reserving, breaking, ATS.

Facts are always taken: a bucket that would fall below zero is filled from `unexplained`. Decisions
may be refused: nothing of ours reserves what is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from crossdock.inventory.model import Bucket, LevelKey, Move, Want
from crossdock.model.messages import StockMove
from crossdock.model.stock import LEVEL_BUCKETS

FOUND, LATE, COUNT = "found", "late", "count"
"""Reasons of our own corrections: units nobody knew, a move a count had seen, a count."""
BOOKKEEPING = (FOUND, LATE, COUNT)

SHIPPED = "shipped"
"""Reason of our own shipments."""
REPEATED = "shipment"
"""Reason a source gives to moves that repeat our own shipments."""

MOST_UNITS = 1_000_000_000
"""Of one move or count; larger numbers are taken for a fault of the sender."""

SELLABLE = "sellable"
_COLUMN = {
    "free": SELLABLE,
    "reserved": SELLABLE,
    "picked": SELLABLE,
    "damaged": "damaged",
    "quality_control": "quality_control",
    "in_transit": "in_transit",
}
_HELD = frozenset(("reserved", "picked"))

LedgerRow = tuple[
    datetime, datetime, str | None, str | None, int, int | None, str, str,
    str, str, str, str, str, str, str,
]  # fmt: skip
"""recorded_at, occurred_at, order_id, fulfillment_id, quantity, line, from_bucket, to_bucket,
sku, node, owner, lot, reason, source, source_move_id"""


class Level:
    """A locked stock level, and what it was when it was locked."""

    __slots__ = (
        "as_of_before",
        "before",
        "buffer",
        "count_lacks_our_shipments",
        "damaged",
        "damaged_as_of",
        "in_transit",
        "in_transit_as_of",
        "key",
        "methods",
        "overdrawn",
        "quality_control",
        "quality_control_as_of",
        "quarantined",
        "redrawn",
        "reserved",
        "safety_stock",
        "sellable",
        "sellable_as_of",
        "zone",
    )

    def __init__(
        self,
        sku: str,
        node: str,
        owner: str = "",
        lot: str = "",
        zone: str = "",
        methods: int = 31,
        sellable: int = 0,
        reserved: int = 0,
        damaged: int = 0,
        quality_control: int = 0,
        in_transit: int = 0,
        safety_stock: int = 0,
        buffer: int = 0,
        quarantined: bool = False,
        count_lacks_our_shipments: bool = False,
        sellable_as_of: datetime | None = None,
        damaged_as_of: datetime | None = None,
        quality_control_as_of: datetime | None = None,
        in_transit_as_of: datetime | None = None,
        *overdrawn: int | None,
    ) -> None:
        self.key = LevelKey(sku, node, owner, lot)
        self.zone = zone
        self.methods = methods
        self.sellable = sellable
        self.reserved = reserved
        self.damaged = damaged
        self.quality_control = quality_control
        self.in_transit = in_transit
        self.safety_stock = safety_stock
        self.buffer = buffer
        self.quarantined = quarantined
        self.count_lacks_our_shipments = count_lacks_our_shipments
        self.sellable_as_of = sellable_as_of
        self.damaged_as_of = damaged_as_of
        self.quality_control_as_of = quality_control_as_of
        self.in_transit_as_of = in_transit_as_of
        self.overdrawn = (
            {
                bucket: units
                for bucket, units in zip(LEVEL_BUCKETS, overdrawn, strict=False)
                if units is not None
            }
            if any(overdrawn)
            else {}
        )
        """By bucket, units that left though nobody knew them: what comes in is taken for them."""
        self.redrawn = False
        self.before = (sellable, reserved, damaged, quality_control, in_transit)
        self.as_of_before = self.counted_as_of()

    def counted_as_of(self) -> tuple[object, ...]:
        """When each bucket was counted last, and whether the count lacks our shipments."""
        return (
            self.sellable_as_of,
            self.damaged_as_of,
            self.quality_control_as_of,
            self.in_transit_as_of,
            self.count_lacks_our_shipments,
        )

    def as_of(self, bucket: str) -> datetime | None:
        """When the bucket was counted last."""
        found: datetime | None = getattr(self, bucket + "_as_of")
        return found

    def overdraw(self, bucket: str, units: int) -> None:
        """Set the units that left a bucket though nobody knew them."""
        if units != self.overdrawn.get(bucket, 0):
            self.redrawn = True
            self.overdrawn[bucket] = units

    @property
    def changed(self) -> bool:
        """Whether any unit moved since it was locked."""
        return self.before != (
            self.sellable,
            self.reserved,
            self.damaged,
            self.quality_control,
            self.in_transit,
        )

    @property
    def newly_counted(self) -> bool:
        """Whether a count was taken since it was locked."""
        return self.as_of_before != self.counted_as_of()

    @property
    def available(self) -> int:
        """Node ATS before method and channel switches."""
        if self.quarantined:
            return 0
        return node_ats(self.sellable, self.reserved, self.safety_stock, self.buffer)

    @property
    def available_before(self) -> int:
        """The same when it was locked."""
        if self.quarantined:
            return 0
        return node_ats(self.before[0], self.before[1], self.safety_stock, self.buffer)

    @property
    def shortfall(self) -> int:
        """Units reserved beyond what is there; only a fact can have caused it."""
        return max(0, self.reserved - self.sellable)


def node_ats(sellable: int, reserved: int, safety_stock: int, buffer: int) -> int:
    """What a node offers to newly sold demand. The database's `available` is the same formula."""
    return max(0, sellable - reserved - safety_stock - buffer)


def network_ats(of_nodes: int, without_node: int, threshold: int) -> int:
    """What a channel may sell: node ATS summed, less the queued demand, less its threshold."""
    return max(0, of_nodes - without_node - threshold)


def kits(available: Sequence[int], needed: Sequence[int]) -> int:
    """How many whole kits the components at one node make."""
    assert len(available) == len(needed) > 0, "a kit has components"
    return min(units // per_kit for units, per_kit in zip(available, needed, strict=True))


def widening(silence: timedelta, pick_failure_probability: float) -> int:
    """Units a node's buffer grows by, because its numbers are old or were often wrong.

    One unit per day of silence after the first, one per 10 percentage points of failed picks;
    10 at most, so that a forgotten feed does not close a store's assortment for good.
    """
    days = max(0, silence // timedelta(days=1) - 1)
    return min(10, days + int(pick_failure_probability * 10 + 1e-9))


def column_of(bucket: str) -> str | None:
    """The column of a level that a ledger's bucket is part of; None for the counter-accounts."""
    return _COLUMN.get(bucket)


def changes_level(move: Move) -> bool:
    """Whether a level's numbers change; picking what is reserved changes only the ledger."""
    return not (move.from_bucket in _HELD and move.to_bucket in _HELD)


def book(level: Level, move: Move, now: datetime) -> list[LedgerRow]:
    """Take one move as a fact: change the level, return its ledger row and any corrections."""
    from_bucket, to_bucket, quantity = move.from_bucket, move.to_bucket, move.quantity
    at = move.occurred_at or now
    rows = [ledger_row(move, now)]
    from_column, to_column = column_of(from_bucket), column_of(to_bucket)
    if from_column != to_column:
        if from_column is not None:
            if seen_by_count(level, from_column, move, at):
                back = "free" if from_column == SELLABLE else from_bucket
                rows.append(_correction(move, now, at, quantity, "unexplained", back, LATE))
            else:
                rows += _take(level, from_column, move, now, at)
        if to_column is not None:
            if seen_by_count(level, to_column, move, at):
                away = "free" if to_column == SELLABLE else to_bucket
                rows.append(_correction(move, now, at, quantity, away, "unexplained", LATE))
            else:
                rows += _put(level, to_column, move, now, at)
    level.reserved += quantity * ((to_bucket in _HELD) - (from_bucket in _HELD))
    return rows


def seen_by_count(level: Level, column: str, move: Move, at: datetime) -> bool:
    """A count as of a later time was taken already, and it knows of this move."""
    counted = level.as_of(column)
    if counted is None or at > counted:
        return False
    ours = not move.source and move.reason == SHIPPED
    return not (ours and level.count_lacks_our_shipments)


def _take(level: Level, column: str, move: Move, now: datetime, at: datetime) -> list[LedgerRow]:
    """Take units out of a bucket; what was not in there is found first, in sight of everyone.

    The bucket is overdrawn then: perhaps what had come in is only told later. Picked units are in
    someone's hands, so they need no such explanation.
    """
    left = getattr(level, column) - move.quantity
    setattr(level, column, max(0, left))
    if left >= 0:
        return []
    if move.from_bucket != "picked":
        level.overdraw(column, level.overdrawn.get(column, 0) - left)
    into = "free" if column == SELLABLE else column
    return [_correction(move, now, at, -left, "unexplained", into, FOUND)]


def _put(level: Level, column: str, move: Move, now: datetime, at: datetime) -> list[LedgerRow]:
    """Put units into a bucket; those that were found before they came are not counted twice."""
    explained = min(level.overdrawn.get(column, 0), move.quantity)
    setattr(level, column, getattr(level, column) + move.quantity - explained)
    if not explained:
        return []
    level.overdraw(column, level.overdrawn[column] - explained)
    out_of = "free" if column == SELLABLE else column
    return [_correction(move, now, at, explained, out_of, "unexplained", FOUND)]


def ledger_row(move: Move, now: datetime) -> LedgerRow:
    """The move as it is recorded."""
    return (
        now,
        move.occurred_at or now,
        move.order_id,
        move.fulfillment_id,
        move.quantity,
        move.line,
        move.from_bucket,
        move.to_bucket,
        move.sku,
        move.node,
        move.owner,
        move.lot,
        move.reason,
        move.source,
        move.source_move_id,
    )


def _correction(
    move: Move, now: datetime, at: datetime, quantity: int, source: str, into: str, reason: str
) -> LedgerRow:
    return (
        now, at, move.order_id, move.fulfillment_id, quantity, move.line, source, into,
        move.sku, move.node, move.owner, move.lot, reason, "", move.source_move_id,
    )  # fmt: skip


def take_count(
    level: Level, column: str, counted: int, kept: int, as_of: datetime, now: datetime
) -> list[LedgerRow]:
    """Replace what was known as of `as_of` by `counted`; `kept` is what moved in since then.

    An older count than the last one changes nothing.
    """
    last = level.as_of(column)
    if last is not None and as_of < last:
        return []
    setattr(level, column + "_as_of", as_of)
    level.overdraw(column, max(0, -(counted + kept)))
    difference = max(0, counted + kept) - getattr(level, column)
    if difference == 0:
        return []
    setattr(level, column, getattr(level, column) + difference)
    bucket = "free" if column == SELLABLE else column
    source, into = ("unexplained", bucket) if difference > 0 else (bucket, "unexplained")
    key = level.key
    move = Move(
        key.sku, key.node, abs(difference), source, into, COUNT,
        occurred_at=as_of, owner=key.owner, lot=key.lot,
    )  # fmt: skip
    return [ledger_row(move, now)]


def grant(level: Level | None, want: Want) -> int:
    """Reserve at a locked level as far as it goes; returns the granted units (0 is a refusal)."""
    if level is None or level.quarantined:
        return 0
    free = level.sellable - level.reserved
    if want.protected:
        free -= level.safety_stock + level.buffer
    granted = min(want.quantity, max(0, free))
    if granted < want.quantity and not want.partial:
        return 0
    level.reserved += granted
    return granted


class Breakable(NamedTuple):
    """An unpicked reservation that may have to give way."""

    id: str
    order_id: str
    line: int
    quantity: int
    priority: int
    promised_by: datetime | None
    fulfillment_id: str | None


def choose_broken(reservations: Iterable[Breakable], units: int) -> list[tuple[Breakable, int]]:
    """Which give way for `units`, and how many of each.

    In this order: lowest priority (the highest number), latest promise (none is latest), id.
    """
    chosen: list[tuple[Breakable, int]] = []
    for reservation in sorted(reservations, key=_break_order):
        if units <= 0:
            break
        broken = min(units, reservation.quantity)
        chosen.append((reservation, broken))
        units -= broken
    return chosen


def _break_order(reservation: Breakable) -> tuple[int, int, float, str]:
    promised = reservation.promised_by
    if promised is None:
        return (-reservation.priority, 0, 0.0, reservation.id)
    return (-reservation.priority, 1, -promised.timestamp(), reservation.id)


class Waiting(NamedTuple):
    """A backordered reservation."""

    id: str
    order_id: str
    line: int
    quantity: int
    promised_by: datetime | None


def choose_served(waiting: Iterable[Waiting], units: int) -> list[tuple[Waiting, int]]:
    """Which backordered units `units` that arrived serve: the oldest promise first, then id."""
    served: list[tuple[Waiting, int]] = []
    for reservation in sorted(waiting, key=_serve_order):
        if units <= 0:
            break
        taken = min(units, reservation.quantity)
        served.append((reservation, taken))
        units -= taken
    return served


def _serve_order(reservation: Waiting) -> tuple[int, float, str]:
    promised = reservation.promised_by
    if promised is None:
        return (1, 0.0, reservation.id)
    return (0, promised.timestamp(), reservation.id)


_ALIASES = {SELLABLE: "free"}
_FROM_OUTSIDE = frozenset(bucket.value for bucket in Bucket) - _HELD


def refusal_of(move: StockMove) -> str | None:
    """Why a move cannot be booked at all; these are faults of the sender, not facts.

    In order of precedence: quantity, buckets. Reserving and picking are not a source's to say.
    """
    if not 0 < move.quantity <= MOST_UNITS:
        return f"quantity {move.quantity} is not between 1 and {MOST_UNITS}"
    for name, bucket in (("from_bucket", move.from_bucket), ("to_bucket", move.to_bucket)):
        if bucket_of(bucket) not in _FROM_OUTSIDE:
            return f"{name} {bucket!r} is not a bucket a source can name"
    if bucket_of(move.from_bucket) == bucket_of(move.to_bucket):
        return "from_bucket and to_bucket are the same"
    return None


def bucket_of(name: str) -> str:
    """The ledger's bucket for a name a source uses: its sellable units are our free ones."""
    return _ALIASES.get(name, name)
