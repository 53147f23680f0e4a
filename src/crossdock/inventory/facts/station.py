"""The station that takes facts: what sources say moved or was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from crossdock.engine.capability import Delivery, Outgoing
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.engine.transaction import Transaction
from crossdock.inventory.facts import store as facts_store
from crossdock.inventory.facts.cases import Complaint, open_cases
from crossdock.inventory.facts.counts import take_counts
from crossdock.inventory.facts.moves import take_moves
from crossdock.inventory.facts.shortages import break_reservations, serve_backorders
from crossdock.inventory.model import STATION, BackordersReviewRequested
from crossdock.inventory.rules import Level
from crossdock.kernel.messages import Message
from crossdock.model.messages import InventoryCounted, InventoryMoved

ORDERS = "order-to-fulfillment"
"""The process that is told of shortages and arrivals, under the order's id."""


def inventory_address(node: str) -> Address:
    """Where facts about a node's stock are sent."""
    return Address(STATION, node, route_of_text(node))


class InventoryFacts:
    """Takes moves and counts in bulk: levels, ledger, totals, shortages and arrivals at once."""

    name = STATION
    messages: tuple[type[Message], ...] = (
        InventoryMoved,
        InventoryCounted,
        BackordersReviewRequested,
    )

    def prepare(self, deliveries: Sequence[Delivery], tx: Transaction) -> None:
        """Facts are taken as they come."""

    def receive(self, deliveries: Sequence[Delivery], tx: Transaction) -> Iterator[Outgoing]:
        """Moves first, then counts: the result is the same in any order, this one reads least."""
        moved = [d for d in deliveries if isinstance(d.message, InventoryMoved)]
        counted = [d for d in deliveries if isinstance(d.message, InventoryCounted)]
        terms = facts_store.source_terms(tx, _sources(deliveries))
        complaints: list[Complaint] = []
        levels: list[Level] = take_moves(tx, moved, terms, complaints) if moved else []
        ignored: list[int] = []
        if counted:
            outcome = take_counts(tx, counted, terms, complaints)
            levels, ignored = levels + outcome.levels, outcome.ignored
        open_cases(tx, [*complaints, *_strangers(deliveries, levels)])
        if moved or counted:
            facts_store.note_feeds(tx, _feeds(moved, counted, ignored))
        yield from self._answer(tx, deliveries, levels)

    def _answer(
        self, tx: Transaction, deliveries: Sequence[Delivery], levels: Sequence[Level]
    ) -> Iterator[Outgoing]:
        """Tell orders whose reservations broke and whose backorders can be served."""
        for shortage in break_reservations(tx, _latest(levels)):
            order_id = shortage.found.order_id
            cause = _cause(deliveries, shortage.level.sku, shortage.level.node)
            yield Outgoing(Address(ORDERS, order_id, order_id), shortage.found, cause)
        arrived = {level.key.sku for level in levels if level.available > level.available_before}
        for delivery in deliveries:
            if isinstance(delivery.message, BackordersReviewRequested):
                arrived.update(delivery.message.skus or facts_store.backordered_skus(tx))
        for arrival in serve_backorders(tx, arrived):
            order_id = arrival.found.order_id
            cause = _cause(deliveries, arrival.sku, None)
            yield Outgoing(Address(ORDERS, order_id, order_id), arrival.found, cause)


def _strangers(deliveries: Sequence[Delivery], levels: Sequence[Level]) -> list[Complaint]:
    """Stock that begins at a node nobody knows: booked, offered nowhere, and somebody is told."""
    nodes = {level.key.node for level in levels if not level.zone and not any(level.before)}
    return [
        Complaint(
            deliveries[-1],
            "stock at an unknown node",
            node,
            f"nothing of it is offered until {node} is known",
        )
        for node in sorted(nodes)
    ]


def _latest(levels: Sequence[Level]) -> list[Level]:
    """A level that both moves and counts changed is judged as it is now."""
    return list({level.key: level for level in levels}.values())


def _sources(deliveries: Sequence[Delivery]) -> set[str]:
    return {
        d.message.source
        for d in deliveries
        if isinstance(d.message, InventoryMoved | InventoryCounted)
    }


def _feeds(
    moved: Sequence[Delivery], counted: Sequence[Delivery], ignored: Sequence[int]
) -> list[tuple[str, str, int, datetime | None, int, int]]:
    """(source, node, sequence, counted as of, moves, ignored counts) of what was heard."""
    feeds: dict[tuple[str, str], tuple[int, datetime | None, int, int]] = {}
    for delivery in moved:
        message = delivery.message
        assert isinstance(message, InventoryMoved)
        for node, told in Counter(move.node for move in message.moves).items():
            feed = (message.source, node)
            last, as_of, moves, missed = feeds.get(feed, (0, None, 0, 0))
            feeds[feed] = (max(last, message.sequence), as_of, moves + told, missed)
    for delivery, unused in zip(counted, ignored, strict=True):
        count = delivery.message
        assert isinstance(count, InventoryCounted)
        last, as_of, moves, missed = feeds.get((count.source, count.node), (0, None, 0, 0))
        as_of = count.as_of if as_of is None else max(as_of, count.as_of)
        feeds[count.source, count.node] = (last, as_of, moves, missed + unused)
    return [(*key, *values) for key, values in feeds.items()]


def _cause(deliveries: Sequence[Delivery], sku: str, node: str | None) -> Delivery:
    """The last delivery that told of that SKU (and node); what follows belongs to its story."""
    for delivery in reversed(deliveries):
        message = delivery.message
        items: Sequence[object] = getattr(message, "moves", ()) or getattr(message, "counts", ())
        for item in items:
            if getattr(item, "sku", None) == sku and node in (None, getattr(item, "node", None)):
                return delivery
    return deliveries[-1]
