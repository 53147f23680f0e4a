"""Counts as of a time: they replace what was known then and keep what moved since.

Formula, per SKU, node and bucket: level := number + units the number leaves out + net moves that
occurred after `as_of`, but not below zero. What the number leaves out follows from the source's
terms: what was picked, what was reserved, less what we shipped and the source never hears of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from crossdock.engine.capability import Delivery
from crossdock.engine.transaction import Transaction
from crossdock.inventory import rules
from crossdock.inventory.facts import lots_store
from crossdock.inventory.facts import store as facts_store
from crossdock.inventory.facts.cases import Complaint
from crossdock.inventory.facts.lots import Dated, hold_back, note_dates
from crossdock.inventory.facts.lots_store import Lots
from crossdock.inventory.facts.moves import Terms, terms_of
from crossdock.inventory.facts.store import Kept, SourceTerms
from crossdock.inventory.model import LevelKey
from crossdock.inventory.rules import SELLABLE, Level
from crossdock.inventory.store import StockBook, lock_levels, save_levels
from crossdock.model.messages import InventoryCounted, StockCount
from crossdock.model.stock import LEVEL_BUCKETS


class Number(NamedTuple):
    """One number of a source, with the place of its count in the batch."""

    place: int
    key: LevelKey
    bucket: str
    quantity: int
    terms: SourceTerms
    believed: bool
    expires_on: date | None = None


class Outcome(NamedTuple):
    """What counting did: the levels whose units changed, and numbers ignored per count."""

    levels: list[Level]
    ignored: list[int]


def take_counts(
    tx: Transaction, deliveries: Sequence[Delivery], terms: Terms, complaints: list[Complaint]
) -> Outcome:
    """Take the counts in the order given; older ones than the last change nothing."""
    counts = [_count_of(delivery) for delivery in deliveries]
    numbers = _numbers(tx, deliveries, counts, terms, complaints)
    believed = [number for number in numbers if number.believed]
    note_dates(tx, _dates(deliveries, counts, believed), complaints)
    levels = lock_levels(tx, {number.key for number in believed}, create=True)
    stock = tx.book(StockBook)
    stock.write(tx)  # Moves booked earlier in this batch are among those that happened since.
    left_out = _LeftOut.read(tx, counts, believed, levels)
    ignored = [0] * len(counts)
    for number in believed:
        level, as_of = levels[number.key], counts[number.place].as_of
        last = level.as_of(number.bucket)
        if last is not None and as_of < last:
            ignored[number.place] += 1
            continue
        if number.bucket == SELLABLE:
            level.count_lacks_our_shipments = not number.terms.contains_our_shipments
        stock.ledger += rules.take_count(
            level,
            number.bucket,
            number.quantity + left_out.of(number),
            left_out.kept_of(number),
            as_of,
            tx.now,
        )
    _keep_readings(tx, counts, [number for number in numbers if not number.believed])
    changed = save_levels(tx, levels.values())
    hold_back(tx, {key[:2] for key in levels if key.lot})
    return Outcome(changed, ignored)


def _count_of(delivery: Delivery) -> InventoryCounted:
    assert isinstance(delivery.message, InventoryCounted)
    return delivery.message


def _numbers(
    tx: Transaction,
    deliveries: Sequence[Delivery],
    counts: Sequence[InventoryCounted],
    terms: Terms,
    complaints: list[Complaint],
) -> list[Number]:
    """All numbers that can be taken, with zeros for what a full file leaves out."""
    nodes = {count.node for count in counts}
    authorities = facts_store.authorities(tx, nodes)
    full = {count.node for count in counts if count.full}
    stocked = facts_store.stocked(tx, full) if full else {}
    in_lots = _lots_of_sums(tx, counts, terms)
    numbers: list[Number] = []
    for position, count in enumerate(counts):
        said = dict.fromkeys(LEVEL_BUCKETS)
        of_bucket = {b: terms_of(terms, count.source, count.node, b) for b in said}
        believed = {
            b: of_bucket[b].authoritative
            and authorities.get((count.node, b), count.source) == count.source
            for b in said
        }
        for item in (*count.counts, *_zeros(count, of_bucket[SELLABLE], stocked)):
            refusal = _refusal_of(item, count) or _lot_refusal(item, count, terms, in_lots)
            if refusal is not None:
                complaints.append(_refused(deliveries[position], count, item, refusal))
                continue
            key = LevelKey(item.sku, count.node, "", item.lot)
            bucket = item.bucket
            numbers.append(
                Number(
                    position,
                    key,
                    bucket,
                    item.quantity,
                    of_bucket[bucket],
                    believed[bucket],
                    item.expires_on,
                )
            )
    return numbers


def _dates(
    deliveries: Sequence[Delivery], counts: Sequence[InventoryCounted], numbers: Sequence[Number]
) -> Iterable[Dated]:
    for number in numbers:
        if number.expires_on is not None and number.key.lot:
            count, key = counts[number.place], number.key
            told = (key.sku, key.lot, number.expires_on, count.as_of, count.source)
            yield Dated(*told, deliveries[number.place])


def _zeros(
    count: InventoryCounted, terms: SourceTerms, stocked: Mapping[str, Sequence[tuple[str, str]]]
) -> Iterable[StockCount]:
    """A SKU or lot missing from a full file is zero; only a source of full files may say so."""
    if not (count.full and terms.full_files):
        return ()
    named = {(item.sku, item.lot) for item in count.counts if item.bucket == SELLABLE}
    return [
        StockCount(sku, count.node, 0, lot=lot)
        for sku, lot in sorted(stocked.get(count.node, ()))
        if (sku, lot) not in named
    ]


def _refusal_of(item: StockCount, count: InventoryCounted) -> str | None:
    """Faults of the sender, in order of precedence: node, bucket, quantity."""
    if item.node != count.node:
        return f"node {item.node} is not the counted node {count.node}"
    if item.bucket not in LEVEL_BUCKETS:
        return f"bucket {item.bucket!r} is not one that is counted"
    if not 0 <= item.quantity <= rules.MOST_UNITS:
        return f"quantity {item.quantity} is not between 0 and {rules.MOST_UNITS}"
    return None


def _may_be_sum(item: StockCount, count: InventoryCounted, terms: Terms) -> bool:
    """Whether a number could be meant for all lots together: where nothing says that they are
    zero."""
    is_full = item.bucket == SELLABLE and (count.full or count.part_of_full)
    clears = is_full and terms_of(terms, count.source, count.node, SELLABLE).full_files
    return not item.lot and not clears


def _lots_of_sums(tx: Transaction, counts: Iterable[InventoryCounted], terms: Terms) -> Lots:
    places = {
        (item.sku, count.node)
        for count in counts
        for item in count.counts
        if _may_be_sum(item, count, terms)
    }
    return lots_store.lots_at(tx, places, tx.now) if places else {}


def _lot_refusal(
    item: StockCount, count: InventoryCounted, terms: Terms, in_lots: Lots
) -> str | None:
    """A sum of units that are known lot by lot would count them twice."""
    lots = [one.lot for one in in_lots.get((item.sku, count.node), ()) if one.holds_any]
    if not lots or not _may_be_sum(item, count, terms):
        return None
    if any(other.lot and other.sku == item.sku for other in count.counts):
        return None
    return f"it lies there in lots ({', '.join(lots[:10])}): a number is needed for each"


def _refused(delivery: Delivery, count: InventoryCounted, item: StockCount, why: str) -> Complaint:
    return Complaint(
        delivery,
        "inventory count refused",
        f"{count.source} count of {item.sku} at {count.node}",
        why,
    )


class _LeftOut:
    """What happened since each count, and what its numbers leave out by their meaning."""

    def __init__(
        self,
        kept: dict[tuple[int, str, str], Kept],
        held: dict[tuple[int, str, str], int],
        shipped: dict[tuple[int, str, str], int],
        picked: dict[LevelKey, int],
        reserved: dict[LevelKey, int],
    ) -> None:
        self._kept = kept
        self._held = held
        self._shipped = shipped
        self._picked = picked
        self._reserved = reserved

    @classmethod
    def read(
        cls,
        tx: Transaction,
        counts: Sequence[InventoryCounted],
        numbers: Sequence[Number],
        levels: Mapping[LevelKey, Level],
    ) -> _LeftOut:
        """One statement per kind of thing that any of the sources leaves out."""

        def of(which: Iterable[Number]) -> list[tuple[int, str, datetime]]:
            places = sorted({number.place for number in which})
            return [(place, counts[place].node, counts[place].as_of) for place in places]

        less_picked = [n for n in numbers if n.terms.meaning == "physical_less_picked"]
        net = [n for n in numbers if n.terms.meaning == "net_of_reservations"]
        unheard = [n for n in numbers if not n.terms.contains_our_shipments]
        windows: list[tuple[int, str, datetime, datetime]] = []
        for place in sorted({number.place for number in unheard}):
            count = counts[place]
            since = next(n.terms.our_shipments_since for n in unheard if n.place == place)
            assert since is not None, "uncontained_shipments_have_a_beginning"
            windows.append((place, count.node, since, count.as_of))
        return cls(
            facts_store.moved_since(tx, of(numbers)) if numbers else {},
            facts_store.held_since(tx, of(net)) if net else {},
            facts_store.our_shipments(tx, windows) if windows else {},
            facts_store.picked_now(tx, {n.key for n in less_picked}) if less_picked else {},
            {key: level.reserved for key, level in levels.items()},
        )

    def kept_of(self, number: Number) -> int:
        """Net moves of the bucket that occurred after the count."""
        kept = self._kept.get((number.place, number.key.sku, number.key.lot))
        return 0 if kept is None else int(getattr(kept, number.bucket))

    def of(self, number: Number) -> int:
        """Units that were sellable at the time of the count and are not in its number."""
        if number.bucket != SELLABLE:
            return 0
        place = (number.place, number.key.sku, number.key.lot)
        units = -self._shipped.get(place, 0) if not number.terms.contains_our_shipments else 0
        if number.terms.meaning == "physical_less_picked":
            units += self._picked.get(number.key, 0) - self._kept.get(place, Kept()).picked
        elif number.terms.meaning == "net_of_reservations":
            units += self._reserved[number.key] - self._held.get(place, 0)
        return units


def _keep_readings(
    tx: Transaction, counts: Sequence[InventoryCounted], numbers: Sequence[Number]
) -> None:
    """Numbers of sources that are not believed are kept beside ours, for reconciliation."""
    if not numbers:
        return
    levels = lock_levels(tx, {number.key for number in numbers})
    rows: dict[tuple[str, ...], tuple[object, ...]] = {}
    latest: dict[tuple[str, ...], datetime] = {}
    for number in numbers:
        count, level = counts[number.place], levels.get(number.key)
        held = 0 if level is None else int(getattr(level, number.bucket))
        identity = (count.source, count.node, number.key.sku, number.bucket, number.key.lot)
        if identity not in rows or latest[identity] <= count.as_of:
            latest[identity] = count.as_of
            rows[identity] = (*identity, count.as_of, number.quantity, held)
    facts_store.save_readings(tx, list(rows.values()))
