"""Canceling: at once what no node has, by asking the node for the rest, visibly refused when gone.

A wish is kept per request and line until each of its units was canceled, stopped or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from crossdock.engine.process import Address, Output, Send
from crossdock.inventory.model import FreeLine, FreeReservations
from crossdock.model.events import CancellationRefused, SalesOrderCanceled
from crossdock.model.messages import LineQuantity
from crossdock.ordering.model import FULFILLMENT_PROCESS, ClaimReturn, RecallRequested
from crossdock.processes.order_to_fulfillment import money, telling
from crossdock.processes.order_to_fulfillment.declaration import OPEN
from crossdock.processes.order_to_fulfillment.state import (
    Freeing,
    Line,
    SalesOrderState,
    Wish,
)
from crossdock.processes.order_to_fulfillment.units import (
    freeing,
    unpursued,
    wishes_for,
)

Gone = list[tuple[int, int, int]]
"""(line, quantity, amount) of units that are canceled or refused."""


def wish(
    order: SalesOrderState,
    request_id: str,
    reason: str,
    now: datetime,
    lines: Sequence[LineQuantity] = (),
    *,
    ours: bool = False,
) -> Iterator[Output]:
    """Want units back, all that is left when no lines are named, and begin to get them.

    A wish of `ours` leaves alone what has left, and nobody is told what of it came too late.
    """
    refused: Gone = []
    asked = [(one.line, one.quantity) for one in lines] or [
        (line.number, _reachable(order, line, ours)) for line in order.lines
    ]
    known = {line.number for line in order.lines}
    empty = [number for number, quantity in asked if number not in known or quantity <= 0]
    for number, quantity in asked:
        if number in empty:
            continue
        line = order.line(number)
        wanted = min(quantity, _reachable(order, line, ours))
        row = _row(order, request_id, number, reason, now)
        row[0] += quantity
        if wanted:
            line.wanted_back += wanted
            order.wishes.append(Wish(request_id, number, wanted, reason, ours))
        if wanted < quantity:
            row[3] += quantity - wanted
            refused.append((number, quantity - wanted, _paid_for(line, quantity - wanted)))
    yield from pursue(order, now)
    in_vain = bool(empty) if lines else len(empty) == len(asked)
    if not ours:
        yield from refuse(order, request_id, refused, reason, now, in_vain)


def _reachable(order: SalesOrderState, line: Line, ours: bool) -> int:
    """Units that could still be kept from arriving, or from leaving for a wish of `ours`, and that
    nobody wants back yet."""
    on_way = sum(w.on_way for work in order.works if (w := work.of(line.number)) is not None)
    reachable = line.live + on_way - line.wanted_back
    if not ours:
        return reachable
    given_up = sum(w.quantity for w in order.wishes if w.ours and w.line == line.number)
    return min(line.live - given_up, reachable)


def pursue(order: SalesOrderState, now: datetime) -> Iterator[Output]:
    """Do for every wish what can be done now; the rest waits for an answer that is under way."""
    if not order.wishes:
        return
    gone: Gone = []
    to_free: list[Freeing] = []
    recalls: dict[str, dict[int, int]] = {}
    for number in sorted({wish.line for wish in order.wishes}):
        line = order.line(number)
        rest = unpursued(order, line)
        if order.stage != OPEN:  # Nothing was promised yet: the units are ours to cancel.
            here = min(rest, line.open)
            line.open -= here
            gone.append(cancel_units(order, line, here, now))
            rest -= here
        else:
            rest -= min(rest, line.open)  # Its reservation is being made: it is freed after that.
        queued = line.soft + line.backordered - freeing(order, number, queued_only=True)
        if min(rest, queued) > 0:
            to_free.append(Freeing(number, min(rest, queued), None))
            rest -= min(rest, queued)
        _ask_nodes(order, number, rest, recalls)
    if to_free:
        yield free(order, to_free)
    yield from _recall(order, recalls)
    yield from settle(order, gone, now)


def _ask_nodes(
    order: SalesOrderState, number: int, rest: int, recalls: dict[str, dict[int, int]]
) -> None:
    """What nodes hold they are to give back; then what has left is to be stopped on its way, as
    far as somebody asked for it."""
    asked_for = sum(wish.quantity for wish in order.wishes if wish.line == number and not wish.ours)
    for with_gone in (False, True):
        for work in order.works:
            at_node = work.of(number)
            if at_node is None:
                continue
            there = at_node.held - at_node.recalling
            if with_gone:
                there = min(there + at_node.on_way, asked_for)
            quantity = min(rest, there)
            if quantity > 0:
                at_node.recalling += quantity
                rest -= quantity
                lines = recalls.setdefault(work.id, {})
                lines[number] = lines.get(number, 0) + quantity


def _recall(order: SalesOrderState, recalls: dict[str, dict[int, int]]) -> Iterator[Output]:
    """One request per node, so that a package all of whose units are unwanted can be stopped."""
    for work_id, lines in recalls.items():
        order.entries += 1
        latest = order.wishes[-1]
        yield Send(
            Address(FULFILLMENT_PROCESS, work_id, order.id),
            RecallRequested(
                request_id=f"{latest.request_id}#{order.entries}",
                lines=tuple(LineQuantity(*one) for one in lines.items()),
                reason=latest.reason,
                intercept=order.policy.intercept,
            ),
        )


def free(order: SalesOrderState, parts: list[Freeing]) -> FreeReservations:
    """Give up reservations; the answer says which of them were still there."""
    order.freeing.append(parts)
    return FreeReservations(
        order_id=order.id,
        lines=tuple(FreeLine(part.line, part.quantity, part.node) for part in parts),
        reason="canceled",
    )


def cancel_units(
    order: SalesOrderState, line: Line, quantity: int, now: datetime, reason: str = "unwanted"
) -> tuple[int, int, int]:
    """Count units as canceled that have left their former state; returns (line, units, amount).

    They answer the oldest wishes; `reason` is for those nobody wished for.
    """
    if quantity <= 0:
        return line.number, 0, 0
    order.news.lines.add(line.number)
    line.canceled += quantity
    uncharged, charged = line.settle_canceled(quantity)
    line.canceled_amount += uncharged
    order.unneeded += uncharged
    order.charged_back += charged
    line.credited_amount += charged
    unwished = quantity
    for wish, taken in wishes_for(order, line.number, quantity):
        _row(order, wish.request_id, line.number, wish.reason, now)[1] += taken
        unwished -= taken
    if unwished:
        row = _row(order, f"{order.id}/{reason}", line.number, reason, now)
        row[0] += unwished
        row[1] += unwished
    return line.number, quantity, uncharged + charged


def settle(order: SalesOrderState, gone: Gone, now: datetime) -> Iterator[Output]:
    """Release the money of canceled units; tell the ERP and the customer."""
    gone = [part for part in gone if part[1]]
    if not gone:
        return
    amount = sum(part[2] for part in gone)
    lines = tuple(LineQuantity(number, quantity) for number, quantity, _ in gone)
    order.news.told.append(SalesOrderCanceled(order_id=order.id, lines=lines, amount=amount))
    yield from money.release(order, now, "canceled")
    if order.charged_back:
        charged, order.charged_back = order.charged_back, 0
        yield from money.refund(order, charged, now, "canceled")
    order.entries += 1
    key = str(order.entries)
    if order.posted:
        yield telling.post(order, "cancellation", gone, amount, key)
    yield from telling.tell(order, "canceled", key, amount=amount)


def refuse(
    order: SalesOrderState,
    request_id: str,
    refused: Gone,
    reason: str,
    now: datetime,
    in_vain: bool = False,
) -> Iterator[Output]:
    """Tell the customer that units are gone, and keep the claim for when they come back."""
    if not refused and not in_vain:
        return
    order.entries += 1
    order.news.told.append(
        CancellationRefused(
            order_id=order.id,
            request_id=request_id,
            lines=tuple(LineQuantity(number, quantity) for number, quantity, _ in refused),
        )
    )
    if refused:
        yield ClaimReturn(
            order_id=order.id,
            claim=f"{request_id}/{order.entries}",
            lines=tuple(refused),
            reason=reason,
            claimed_at=now,
        )
    yield from telling.tell(order, "cancel_refused", str(order.entries))


def refuse_units(
    order: SalesOrderState, lines: Iterable[LineQuantity], now: datetime
) -> Iterator[Output]:
    """Units that a node or carrier could not give back; one answer per request."""
    gone: dict[tuple[str, str], Gone] = {}
    for one in lines:
        line = order.line(one.line)
        for wish, taken in wishes_for(order, one.line, one.quantity):
            _row(order, wish.request_id, one.line, wish.reason, now)[3] += taken
            if wish.ours:
                continue
            refused = (one.line, taken, _paid_for(line, taken))
            gone.setdefault((wish.request_id, wish.reason), []).append(refused)
    for (request_id, reason), units in gone.items():
        yield from refuse(order, request_id, units, reason, now)


def stop_units(order: SalesOrderState, number: int, quantity: int, now: datetime) -> None:
    """Units that do not arrive as the customer wished: stopped on their way, or lost."""
    for wish, taken in wishes_for(order, number, quantity):
        _row(order, wish.request_id, number, wish.reason, now)[2] += taken


def queued_first(order: SalesOrderState, line: Line, quantity: int) -> int:
    """Take units off the queue, backordered ones first; returns how many there were."""
    backordered = min(quantity, line.backordered)
    line.backordered -= backordered
    soft = min(quantity - backordered, line.soft)
    line.soft -= soft
    return backordered + soft


def _row(
    order: SalesOrderState, request_id: str, number: int, reason: str, now: datetime
) -> list[Any]:
    row = order.news.cancellations.get((request_id, number))
    if row is None:
        row = order.news.cancellations[request_id, number] = [0, 0, 0, 0, reason, now]
    return row


def _paid_for(line: Line, quantity: int) -> int:
    """What the customer paid for that many units, about: returns will look at the very ones."""
    return line.payable * quantity // line.quantity
