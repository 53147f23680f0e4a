"""Moving units between the states of a line, and knowing which of them somebody wants back."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.model.messages import LineQuantity
from crossdock.processes.order_to_fulfillment.state import (
    Line,
    SalesOrderState,
    Wish,
    Work,
    WorkLine,
)

TOWARDS_SHIPPED = ("packed", "picked", "released")
"""A node's report implies the steps it left out: the nearest earlier state gives first."""
AWAY_FROM_NODE = ("released", "picked", "packed")
"""What a node gives up is first what it has touched least."""


def move(
    line: Line, at_node: WorkLine, quantity: int, sources: tuple[str, ...], target: str
) -> int:
    """Move up to `quantity` units of a line at one node; returns how many there were."""
    moved = 0
    for source in sources:
        step = min(quantity - moved, getattr(at_node, source))
        if step > 0:
            setattr(at_node, source, getattr(at_node, source) - step)
            setattr(line, source, getattr(line, source) - step)
            moved += step
    setattr(line, target, getattr(line, target) + moved)
    return moved


def freeing(order: SalesOrderState, number: int, *, queued_only: bool = False) -> int:
    """Units of a line in FreeReservations that are not answered."""
    return sum(
        part.quantity
        for command in order.freeing
        for part in command
        if part.line == number and not (queued_only and part.node is not None)
    )


def recalling(order: SalesOrderState, number: int) -> int:
    """Units of a line that nodes were asked for and have not answered."""
    found = 0
    for work in order.works:
        at_node = work.of(number)
        if at_node is not None:
            found += at_node.recalling
    return found


def unpursued(order: SalesOrderState, line: Line) -> int:
    """Units wanted back for which nothing is under way."""
    if not line.wanted_back:
        return 0
    under_way = freeing(order, line.number) + recalling(order, line.number)
    return max(0, line.wanted_back - under_way)


def wishes_for(order: SalesOrderState, number: int, quantity: int) -> Iterator[tuple[Wish, int]]:
    """Take units off the wishes for a line, the oldest first."""
    line = order.line(number)
    for wish in list(order.wishes):
        if quantity <= 0:
            return
        if wish.line != number:
            continue
        taken = min(wish.quantity, quantity)
        wish.quantity -= taken
        line.wanted_back -= taken
        quantity -= taken
        if not wish.quantity:
            order.wishes.remove(wish)
        yield wish, taken


def is_settled(order: SalesOrderState) -> bool:
    """Whether every unit is shipped or canceled."""
    return all(not line.live for line in order.lines)


def is_done(order: SalesOrderState) -> bool:
    """Whether nothing is on its way, wanted back or unpaid."""
    return (
        not order.works
        and not order.wishes
        and not order.in_flight
        and not order.freeing
        and not order.asked
        and is_settled(order)
    )


def pairs(lines: tuple[LineQuantity, ...]) -> Iterator[tuple[int, int]]:
    """(line, quantity) of each."""
    for one in lines:
        yield one.line, one.quantity


def answered(work: Work, number: int, quantity: int) -> int:
    """Units a node was asked for are answered for; returns how many of them still waited."""
    at_node = work.of(number)
    if at_node is None:
        return 0
    waited = min(quantity, at_node.recalling)
    at_node.recalling -= waited
    return waited
