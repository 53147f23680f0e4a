"""What becomes of a settled demand: reservations at nodes, and the answer to the process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from crossdock.allocation.allocator import Held, Settled
from crossdock.allocation.demand import Request
from crossdock.allocation.model import (
    Action,
    AllocateOrder,
    OrderAllocated,
    PlannedFulfillment,
    UnsourcedLine,
)
from crossdock.engine.transaction import Transaction
from crossdock.inventory.reservations.book import (
    ALLOCATED,
    BACKORDERED,
    ReservationBook,
)
from crossdock.inventory.reservations.rules import queued_of_line, take_units
from crossdock.model.messages import LineQuantity
from crossdock.sourcing.model import Outcome, PlannedNode, SkuFacts

NOT_OPEN = "not_open"
"""Units that have no queued reservation any more: the order gave them up meanwhile."""
CONTENDED = "contended"
"""Units that nodes refused as often as they were planned: facts took them each time."""

ACTIONS = {
    Outcome.BACKORDER: Action.BACKORDER,
    Outcome.HOLD: Action.HOLD,
    Outcome.CANCEL: Action.CANCEL,
}


class ZoneTerms(NamedTuple):
    """What is known of the zone: what decides about units no node took, and whose work counts."""

    zone: str
    other_zones: Sequence[str]
    limited: Collection[str]
    """Nodes of the zone with a daily capacity."""

    def may_go_on(self, order: AllocateOrder) -> bool:
        """Whether the order may ask a zone it has not asked yet."""
        return not order.final and any(z not in order.zones_tried for z in self.other_zones)


def hold_units(
    book: ReservationBook, tx: Transaction, settled: Settled, products: Mapping[str, SkuFacts]
) -> None:
    """Turn queued reservations into allocated ones at the levels that are held."""
    order_id = settled.demand.planned.order_id
    for number, held in _by_line(settled.held).items():
        ordered = next(x.sku for x in settled.demand.planned.lines if x.line_number == number)
        kit = _kit_of(held[0], ordered, products)
        if kit is not None:
            _hold_kit(book, tx, order_id, number, held, kit)
            continue
        for h in held:
            # Soft units first: backordered ones wait for what arrives.
            queued = queued_of_line(book.of(order_id), number)[::-1]
            taken, units = take_units(book, tx, queued, h.units)
            assert units == h.units, "planned units were queued"
            for promised in taken:
                book.place(promised, h.node, h.line.sku, owner=h.owner, lot=h.lot)


def _kit_of(held: Held, ordered: str, products: Mapping[str, SkuFacts]) -> str | None:
    """The kit the held units are components of, be it the ordered one or its substitute."""
    for name in (held.line.instead_of, ordered):
        facts = products.get(name)
        if facts is not None and any(sku == held.line.sku for sku, _ in facts.components):
            return name
    return None


def _hold_kit(
    book: ReservationBook,
    tx: Transaction,
    order_id: str,
    number: int,
    held: Sequence[Held],
    kit: str,
) -> None:
    """The queued kits end; their components begin, each at its level."""
    first = held[0].line.sku
    wanted = {(h.node, id(h.line)): h.line.quantity for h in held if h.line.sku == first}
    queued = queued_of_line(book.of(order_id), number)[::-1]
    taken, units = take_units(book, tx, queued, sum(wanted.values()))
    assert units == sum(wanted.values()), "planned kits were queued"
    pattern = taken[0]
    for promised in taken:
        book.remove(promised)
    for h in held:
        book.add(
            tx,
            pattern.id,
            order_id,
            number,
            checkout_id=None,
            fulfillment_id=None,
            promised_by=pattern.promised_by,
            expires_at=None,
            picked_at=None,
            quantity=h.units,
            per_unit=h.line.taken // h.line.quantity,
            priority=pattern.priority,
            state=ALLOCATED,
            sku=h.line.sku,
            node=h.node,
            pickup_node=pattern.pickup_node,
            kit=kit,
            owner=h.owner,
            lot=h.lot,
            channel=pattern.channel,
            method=pattern.method,
        )


def answer_of(
    request: Request,
    settled: Sequence[Settled],
    decision_id: str,
    book: ReservationBook,
    tx: Transaction,
    products: Mapping[str, SkuFacts],
    terms: ZoneTerms,
) -> OrderAllocated:
    """The answer; units to be backordered become so here."""
    order = request.order
    fulfillments: list[PlannedFulfillment] = []
    unsourced = [
        UnsourcedLine(line, units, NOT_OPEN, Action.CANCEL) for line, units in request.not_open
    ]
    for each in settled:
        open_lines = _unfilled(each)
        if not each.was_refused:
            fulfillments += [
                _fulfillment(each, share, products, terms.limited)
                for share in each.decision.chosen.nodes
            ]
        for line in open_lines:
            if terms.may_go_on(order):
                line = UnsourcedLine(line.line, line.quantity, line.reason, Action.NEXT_ZONE)
            elif line.action == Action.BACKORDER:
                _backorder(book, tx, order.order_id, line)
            unsourced.append(line)
    return OrderAllocated(
        order_id=order.order_id,
        attempt=order.attempt,
        zone=terms.zone,
        decision_id=decision_id,
        fulfillments=tuple(fulfillments),
        unsourced=tuple(unsourced),
    )


def _fulfillment(
    settled: Settled,
    share: PlannedNode,
    products: Mapping[str, SkuFacts],
    limited: Collection[str],
) -> PlannedFulfillment:
    """One node's part; a kit's units are those of its line, not of its components."""
    units: dict[int, dict[str, int]] = {}
    for line in share.lines:
        of_line = units.setdefault(line.line_number, {})
        of_line[line.sku] = of_line.get(line.sku, 0) + line.quantity
    ordered = {line.line_number: line.sku for line in settled.demand.planned.lines}
    lines = []
    for number, of_line in units.items():
        facts = products.get(ordered[number])
        is_kit = facts is not None and bool(facts.components)
        quantity = min(of_line.values()) if is_kit else sum(of_line.values())
        lines.append(LineQuantity(number, quantity))
    return PlannedFulfillment(
        share.node,
        settled.demand.group.number,
        tuple(lines),
        share.cost.total,
        share.ship_by,
        share.ship_on if share.node in limited else None,
    )


def _unfilled(settled: Settled) -> list[UnsourcedLine]:
    chosen = settled.decision.chosen
    if not settled.was_refused:
        return [
            UnsourcedLine(u.line_number, u.quantity, u.reason, ACTIONS[u.outcome], u.until)
            for u in chosen.unfilled
        ]
    return [
        UnsourcedLine(line.line_number, line.quantity, CONTENDED, Action.BACKORDER)
        for line in settled.demand.planned.lines
    ]


def _backorder(book: ReservationBook, tx: Transaction, order_id: str, line: UnsourcedLine) -> None:
    queued = queued_of_line(book.of(order_id), line.line)
    for promised in take_units(book, tx, queued, line.quantity)[0]:
        book.queue(promised, BACKORDERED)


def _by_line(held: Sequence[Held]) -> dict[int, list[Held]]:
    found: dict[int, list[Held]] = {}
    for h in held:
        found.setdefault(h.line.line_number, []).append(h)
    return found
