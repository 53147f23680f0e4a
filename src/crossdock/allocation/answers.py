"""What becomes of a settled demand: reservations at nodes, and the answer to the process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from crossdock.allocation.allocator import Held, Settled
from crossdock.allocation.demand import Request, kit_of, sent_for
from crossdock.allocation.model import (
    Action,
    AllocateOrder,
    OrderAllocated,
    PlannedFulfillment,
    UnsourcedLine,
)
from crossdock.engine.transaction import Transaction
from crossdock.inventory.reservations.book import (
    BACKORDERED,
    SOFT,
    Reservation,
    ReservationBook,
)
from crossdock.inventory.reservations.rules import queued_of_line, take_units, units_of_line
from crossdock.model.messages import LineQuantity, LineSubstitute
from crossdock.sourcing.model import Outcome, PlannedLine, PlannedNode, SkuFacts

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
        kit = kit_of([h.line for h in held], _ordered(settled, number), products)
        # Soft units first: backordered ones wait for what arrives.
        queued = queued_of_line(book.of(order_id), number)[::-1]
        if kit or any(promised.kit for promised in queued):
            _hold_anew(book, tx, queued, held, kit)
            continue
        for h in held:
            left = [promised for promised in queued if promised.node is None]
            taken, units = take_units(book, tx, left, h.units)
            assert units == h.units, "planned units were queued"
            for promised in taken:
                book.place(promised, h.node, h.line.sku, owner=h.owner, lot=h.lot)


def _ordered(settled: Settled, number: int) -> str:
    """The SKU that a line names."""
    return next(x.sku for x in settled.demand.planned.lines if x.line_number == number)


def _hold_anew(
    book: ReservationBook,
    tx: Transaction,
    queued: Sequence[Reservation],
    held: Sequence[Held],
    kit: str,
) -> None:
    """What is queued ends; what is held begins, of a kit each component at its level."""
    first = held[0].line.sku
    wanted = {(h.node, id(h.line)): h.line.quantity for h in held if h.line.sku == first}
    taken, units = take_units(book, tx, queued, sum(wanted.values()))
    assert units == sum(wanted.values()), "planned units were queued"
    for promised in taken:
        book.remove(promised)
    for h in held:
        per_unit = h.line.taken // h.line.quantity
        made = _queue(book, tx, taken[0], h.line.sku, h.units, per_unit, kit)
        book.place(made, h.node, h.line.sku, owner=h.owner, lot=h.lot)


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
                _backorder(book, tx, order, line, products)
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
    by_number: dict[int, list[PlannedLine]] = {}
    for line in share.lines:
        by_number.setdefault(line.line_number, []).append(line)
    lines: list[LineQuantity] = []
    substitutes: list[LineSubstitute] = []
    for number, planned in by_number.items():
        first, ordered = planned[0].sku, _ordered(settled, number)
        lines.append(LineQuantity(number, sum(x.quantity for x in planned if x.sku == first)))
        sent = sent_for(planned, ordered, products)
        if sent != ordered:
            substitutes.append(LineSubstitute(number, sent))
    return PlannedFulfillment(
        share.node,
        settled.demand.group.number,
        tuple(lines),
        share.cost.total,
        share.ship_by,
        share.ship_on if share.node in limited else None,
        tuple(substitutes),
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


def _backorder(
    book: ReservationBook,
    tx: Transaction,
    order: AllocateOrder,
    line: UnsourcedLine,
    products: Mapping[str, SkuFacts],
) -> None:
    """Units wait for what was ordered, also those of which a substitute was held before."""
    ordered = next(x.sku for x in order.lines if x.line == line.line)
    # Soft units first: those that wait already go on waiting.
    queued = queued_of_line(book.of(order.order_id), line.line)[::-1]
    others = []
    for promised in take_units(book, tx, queued, line.quantity)[0]:
        if (promised.kit or promised.sku) == ordered:
            book.queue(promised, BACKORDERED)
        else:
            others.append(promised)
            book.remove(promised)
    facts = products.get(ordered)
    components = facts.components if facts is not None else ()
    for sku, per_unit in (components or ((ordered, 1),)) if others else ():
        quantity = units_of_line(others) * per_unit
        kit = ordered if components else ""
        _queue(book, tx, others[0], sku, quantity, per_unit, kit, BACKORDERED)


def _queue(
    book: ReservationBook,
    tx: Transaction,
    former: Reservation,
    sku: str,
    quantity: int,
    per_unit: int,
    kit: str,
    state: str = SOFT,
) -> Reservation:
    """Units of another SKU are queued for the line of a former reservation."""
    return book.add(
        tx,
        former.id,
        former.order_id,
        former.line,
        checkout_id=None,
        fulfillment_id=None,
        promised_by=former.promised_by,
        expires_at=None,
        picked_at=None,
        quantity=quantity,
        per_unit=per_unit,
        priority=former.priority,
        state=state,
        sku=sku,
        node=None,
        pickup_node=former.pickup_node,
        kit=kit,
        owner="",
        lot="",
        channel=former.channel,
        method=former.method,
    )


def _by_line(held: Sequence[Held]) -> dict[int, list[Held]]:
    found: dict[int, list[Held]] = {}
    for h in held:
        found.setdefault(h.line.line_number, []).append(h)
    return found
