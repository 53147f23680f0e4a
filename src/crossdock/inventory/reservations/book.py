"""The batch's memory of reservations: each row is written once, in its final state.

A reservation made, allocated and freed in one batch costs no row at all. The book also knows what
it has not written yet (`newly_queued`), so that demand accepted earlier in the batch counts against
later demand.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from crossdock.engine.transaction import Transaction
from crossdock.inventory.reservations import store
from crossdock.kernel.ids import derive

SOFT, BACKORDERED, ALLOCATED, PICKED = "soft", "backordered", "allocated", "picked"
QUEUED = (SOFT, BACKORDERED)

_NEW, _CLEAN, _CHANGED = 0, 1, 2


class Reservation:
    """One live promise of units of an order line. `quantity` counts `sku`, not the line."""

    __slots__ = (
        "channel",
        "checkout_id",
        "created_at",
        "expires_at",
        "fulfillment_id",
        "id",
        "kit",
        "line",
        "lot",
        "method",
        "node",
        "order_id",
        "owner",
        "per_unit",
        "picked_at",
        "pickup_node",
        "priority",
        "promised_by",
        "quantity",
        "sku",
        "state",
        "status",
        "was",
    )

    def __init__(
        self,
        id: str,
        order_id: str,
        checkout_id: str | None,
        fulfillment_id: str | None,
        created_at: datetime,
        promised_by: datetime | None,
        expires_at: datetime | None,
        picked_at: datetime | None,
        line: int,
        quantity: int,
        per_unit: int,
        priority: int,
        state: str,
        sku: str,
        node: str | None,
        pickup_node: str | None,
        kit: str,
        owner: str,
        lot: str,
        channel: str,
        method: str,
    ) -> None:
        self.id = id
        self.order_id = order_id
        self.checkout_id = checkout_id
        self.fulfillment_id = fulfillment_id
        self.created_at = created_at
        self.promised_by = promised_by
        self.expires_at = expires_at
        self.picked_at = picked_at
        self.line = line
        self.quantity = quantity
        self.per_unit = per_unit
        self.priority = priority
        self.state = state
        self.sku = sku
        self.node = node
        self.pickup_node = pickup_node
        self.kit = kit
        self.owner = owner
        self.lot = lot
        self.channel = channel
        self.method = method
        self.status = _NEW
        self.was = (state, quantity)

    def as_row(self) -> tuple[Any, ...]:
        """In the order of store.COLUMNS."""
        return (
            self.id,
            self.order_id,
            self.checkout_id,
            self.fulfillment_id,
            self.created_at,
            self.promised_by,
            self.expires_at,
            self.picked_at,
            self.line,
            self.quantity,
            self.per_unit,
            self.priority,
            self.state,
            self.sku,
            self.node,
            self.pickup_node,
            self.kit,
            self.owner,
            self.lot,
            self.channel,
            self.method,
        )

    def changes(self) -> tuple[Any, ...]:
        """In the order of store.update_rows."""
        return (
            self.order_id,
            self.id,
            self.quantity,
            self.state,
            self.sku,
            self.node,
            self.kit,
            self.owner,
            self.lot,
            self.per_unit,
            self.fulfillment_id,
            self.picked_at,
            self.expires_at,
            *self.was,
        )


class ReservationBook:
    """Live reservations of the orders this batch touches."""

    def __init__(self) -> None:
        self._of_order: dict[str, list[Reservation]] = {}
        self._loaded: set[str] = set()
        self._removed: list[tuple[Any, ...]] = []
        self._made = 0
        self.newly_queued: dict[str, int] = {}
        """By SKU: units without node in the book, less what the table still shows."""

    def load(self, tx: Transaction, order_ids: Iterable[str]) -> None:
        """Lock and read the rows of orders not read before, in a fixed number of statements."""
        missing = sorted(set(order_ids) - self._loaded)
        if not missing:
            return
        self._loaded.update(missing)
        read = [Reservation(*row) for row in store.live_rows(tx, missing)]
        if any(found.node is None for found in read):
            # Queued rows are locked, and read again as whoever held them before has left them.
            store.lock_queued(tx, missing)
            read = [Reservation(*row) for row in store.live_rows(tx, missing)]
        for found in read:
            found.status = _CLEAN
            self._of_order.setdefault(found.order_id, []).append(found)

    def of(self, order_id: str) -> list[Reservation]:
        """The order's live reservations, as a list of its own; loaded, or made in this batch."""
        return list(self._of_order.get(order_id, ()))

    def add(
        self, tx: Transaction, cause: str, order_id: str, line: int, **columns: Any
    ) -> Reservation:
        """Make a reservation because of the message `cause`, which makes its id its own."""
        self._made += 1
        made = Reservation(
            id=derive(tx.now, cause, "reservation", str(line), str(self._made)),
            order_id=order_id,
            created_at=tx.now,
            line=line,
            **columns,
        )
        self._of_order.setdefault(order_id, []).append(made)
        if made.node is None:
            self._count(made, made.quantity)
        return made

    def take(self, found: Reservation, quantity: int, tx: Transaction) -> Reservation:
        """The reservation of exactly `quantity` of its units: itself, or a part split off."""
        assert 0 < quantity <= found.quantity, f"{quantity} of {found.quantity} reserved units"
        if quantity == found.quantity:
            return found
        row = list(found.as_row())
        # What is left of a reservation only ever falls, so that no two parts share an id.
        row[0] = derive(tx.now, found.id, "part", str(found.quantity))
        part = Reservation(*row)
        part.quantity = quantity
        found.quantity -= quantity
        self._touch(found)
        self._of_order[found.order_id].append(part)
        return part

    def place(
        self, promised: Reservation, node: str, sku: str, *, owner: str = "", lot: str = ""
    ) -> None:
        """Queued units got a node: allocated."""
        assert promised.node is None, "only queued units are placed"
        self._count(promised, -promised.quantity)
        promised.state, promised.node, promised.sku = ALLOCATED, node, sku
        promised.owner, promised.lot, promised.expires_at = owner, lot, None
        self._touch(promised)

    def queue(self, promised: Reservation, state: str = SOFT) -> None:
        """Units lose their node, or change their place in the queue: soft or backordered."""
        if promised.node is not None:
            promised.node = promised.fulfillment_id = promised.picked_at = None
            promised.owner = promised.lot = ""
            self._count(promised, promised.quantity)
        promised.state = state
        self._touch(promised)

    def expire_at(self, promised: Reservation, at: datetime | None) -> None:
        """Queued units are given up by themselves at another time, or (None) not at all."""
        promised.expires_at = at
        self._touch(promised)

    def pick(self, promised: Reservation, fulfillment_id: str, tx: Transaction) -> None:
        """Allocated units are in the picker's hands."""
        assert promised.state == ALLOCATED, "only allocated units are picked"
        promised.state, promised.picked_at = PICKED, tx.now
        promised.fulfillment_id = fulfillment_id
        self._touch(promised)

    def remove(self, gone: Reservation) -> None:
        """The promise ends: consumed, freed, expired or taken over."""
        self._of_order[gone.order_id].remove(gone)
        if gone.node is None:
            self._count(gone, -gone.quantity)
        if gone.status != _NEW:
            self._removed.append((gone.order_id, gone.id, *gone.was))

    def settle(self, tx: Transaction) -> None:
        """Write all and forget it: for those who are about to change the rows by themselves."""
        self.flush(tx)
        self._of_order.clear()
        self._loaded.clear()

    def flush(self, tx: Transaction) -> None:
        """Write new, changed and removed rows: a statement for each kind there is."""
        new: list[tuple[Any, ...]] = []
        changed: list[tuple[Any, ...]] = []
        for rows in self._of_order.values():
            for row in rows:
                if row.status == _NEW:
                    new.append(row.as_row())
                elif row.status == _CHANGED:
                    changed.append(row.changes())
                row.status = _CLEAN
                row.was = (row.state, row.quantity)
        if self._removed:
            store.delete_rows(tx, self._removed)
            self._removed = []
        if changed:
            store.update_rows(tx, changed)
        if new:
            store.add_rows(tx, new)
        # Orders known only by what was added to them have other rows perhaps, and now these too.
        for order_id in self._of_order.keys() - self._loaded:
            del self._of_order[order_id]
        self.newly_queued.clear()

    def _touch(self, changed: Reservation) -> None:
        if changed.status == _CLEAN:
            changed.status = _CHANGED

    def _count(self, promised: Reservation, units: int) -> None:
        """Queued demand is counted in the SKU ordered, which for a kit's component is its own."""
        self.newly_queued[promised.sku] = self.newly_queued.get(promised.sku, 0) + units
