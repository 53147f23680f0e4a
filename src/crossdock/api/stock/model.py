"""Levels, moves, counts and corrections as they are sent and shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.api.problems import ProblemError
from crossdock.api.work.model import Key, Moment, Word
from crossdock.inventory.rules import MOST_UNITS
from crossdock.model.validation import MAX_MOVES

MOST_CORRECTIONS = 1_000

Bucket = Literal["sellable", "damaged", "quality_control", "in_transit"]
Units = Annotated[int, Meta(ge=0, le=MOST_UNITS)]


class StockLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One SKU at one node; `sellable` includes what is reserved or picked.

    As of a past time, what is null was not kept: promises, and what was held back.
    """

    sku: str
    node: str
    owner: str
    lot: str
    expires_on: date | None
    """The lot's last day of life, as told last."""
    sellable: int
    reserved: int | None = None
    available: int | None = None
    """What the node offers to new demand."""
    damaged: int
    quality_control: int
    in_transit: int
    safety_stock: int | None = None
    buffer: int | None = None
    quarantined: bool | None = None
    counted_at: datetime | None = None
    """As of when its sellable units were counted last."""


class Move(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units that went from one bucket to another at a node."""

    move_id: Key
    """Of its source; the same move told twice is booked once."""
    sku: Key
    node: Key
    quantity: int
    from_bucket: Key
    """sellable, damaged, quality_control, in_transit, or where units come from: supplier,
    customer, production, transfer, lost, unexplained."""
    to_bucket: Key
    reason: Annotated[str, Meta(max_length=200)] = ""
    occurred_at: Moment
    lot: Word = ""
    """Its number (GS1 application identifier 10). Units that leave without one are taken from the
    shortest-lived lots there."""
    expires_on: date | None = None
    """The lot's last day of life (GS1 application identifier 17), wherever it lies."""


class Moves(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Moves of one source. With a `sequence` they are one chunk: all are taken or none."""

    source: Key
    sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    moves: Annotated[tuple[Move, ...], Meta(min_length=1, max_length=MAX_MOVES)]


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """One item that was not taken."""

    index: int
    errors: Sequence[ProblemError]


class MovesTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Every item is taken but those in `refused`; taken is durable, and booked soon."""

    taken: int
    refused: Sequence[Refused] = ()


class Count(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a bucket of one SKU holds."""

    sku: Key
    quantity: Units
    bucket: Bucket = "sellable"
    lot: Word = ""
    """Its number (GS1 application identifier 10); without one, units of which no lot is known."""
    expires_on: date | None = None
    """The lot's last day of life (GS1 application identifier 17), wherever it lies."""


class Counts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A snapshot of one node as of a time; what moved since then is kept."""

    source: Key
    node: Key
    as_of: Moment
    full: bool = False
    """A SKU or lot that is not named is zero."""
    counts: Annotated[tuple[Count, ...], Meta(max_length=MAX_MOVES)]


class CountsTaken(msgspec.Struct, frozen=True):
    """How many counts are durable; they are taken into the levels soon."""

    taken: int


class CorrectionAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Set a bucket to `quantity`, if it still holds what you saw."""

    sku: Key
    node: Key
    lot: Word = ""
    bucket: Bucket = "sellable"
    expected_quantity: Units
    quantity: Units
    reason: Key
    """damaged, found, stolen, recount, or a word of your own."""


class CorrectionMade(msgspec.Struct, frozen=True, kw_only=True):
    """The bucket holds `quantity` now; it held `previous_quantity`."""

    id: str
    sku: str
    node: str
    lot: str
    bucket: str
    previous_quantity: int
    quantity: int
    decided_at: datetime


class CorrectionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one of many corrections."""

    index: int
    status: str
    """applied, repeated, or refused."""
    code: str = ""
    id: str | None = None
    actual_quantity: int | None = None
    """Of a stale one: what the bucket holds."""
    errors: Sequence[ProblemError] = ()


class CorrectionResults(msgspec.Struct, frozen=True):
    """One result for each correction, in their order."""

    applied: int
    refused: int
    results: Sequence[CorrectionResult]
