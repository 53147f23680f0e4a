"""A small market to test allocation in: shops in two zones, mugs and jugs, batches one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from crossdock import db
from crossdock.allocation.model import (
    AllocateOrder,
    GroupToSource,
    LineToSource,
    OrderAllocated,
    allocate_order_address,
)
from crossdock.allocation.station import Allocation
from crossdock.catalog import store as catalog
from crossdock.catalog.model import Component, Node, NodeKind, Product, ProductKind, Zone
from crossdock.engine.capability import Delivery, Issued, Outgoing
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.engine.store import ensure_zone_shards
from crossdock.engine.transaction import Transaction
from crossdock.invariants import Violation, check
from crossdock.inventory.facts.station import InventoryFacts
from crossdock.inventory.model import AcceptDemand, DemandedLine
from crossdock.inventory.reservations.capability import Reservations
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Command, Message
from crossdock.model.messages import InventoryMoved, StockMove

MONDAY = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
BOSTON, PROVIDENCE, HARTFORD, DENVER = "boston", "providence", "hartford", "denver"
PLACES = {
    BOSTON: ("east", 42.36, -71.06),
    PROVIDENCE: ("east", 41.82, -71.41),
    HARTFORD: ("east", 41.76, -72.68),
    DENVER: ("west", 39.74, -104.99),
}
AT_BOSTON = (42.35, -71.05)

# Rules that speak of orders as a whole: these tests have reservations and no orders.
_OF_ORDERS = {
    "nodes_have_taken_on_what_was_given_to_them",
    "reservations_are_of_open_lines",
}


def order(number: int) -> str:
    """The id of a numbered order."""
    return derive(MONDAY, "order", str(number))


class Market:
    """Runs each call as a batch of its own, at `now`."""

    def __init__(self, connection: db.Connection) -> None:
        self.connection = connection
        self.now = MONDAY
        self.station = Allocation()
        self._facts = InventoryFacts()
        self._reservations = Reservations()
        self._told = 0

    def open(self, *, capacity: int | None = None) -> None:
        """Save the shops and products."""
        connection = self.connection
        catalog.save_zones(connection, [Zone(code=z, name=z) for z in ("east", "west")])
        ensure_zone_shards(connection, ["east", "west"])
        catalog.save_nodes(
            connection,
            [
                Node(
                    code=code,
                    kind=NodeKind.STORE,
                    name=code,
                    allocation_zone=zone,
                    country="US",
                    latitude=latitude,
                    longitude=longitude,
                    time_zone="UTC",
                    daily_capacity=capacity,
                )
                for code, (zone, latitude, longitude) in PLACES.items()
            ],
        )
        goods = [
            Product(
                sku=sku, name=sku, weight_grams=400, currency="USD", price=2000, cost=800,
                substitutes=("jug",) if sku == "tray" else (),
            )
            for sku in ("mug", "jug", "tray")
        ]  # fmt: skip
        goods.append(
            Product(
                sku="tea", name="tea", weight_grams=200, currency="USD", price=900, cost=300,
                tracks_lots=True, shelf_life_days=365, minimum_remaining_days=10,
            )
        )  # fmt: skip
        kit = Product(
            sku="tea-set", name="tea set", kind=ProductKind.KIT, currency="USD", price=7000,
            components=(Component("jug", 1), Component("mug", 4)),
        )  # fmt: skip
        catalog.save_products(connection, [*goods, kit])
        connection.commit()

    def receive(self, sku: str, units: int, node: str) -> list[Message]:
        """Goods from a supplier arrive."""
        self._told += 1
        return self.tell(sku, node, units, "supplier", "sellable")

    def receive_lot(
        self, lot: str, sku: str, units: int, node: str, expires_on: date | None = None
    ) -> list[Message]:
        """The same, of one lot."""
        return self._move([(sku, node, units, "supplier", "sellable")], lot, expires_on)

    def lose(self, sku: str, units: int, node: str) -> list[Message]:
        """Units are sold at the till."""
        return self.tell(sku, node, units, "sellable", "customer")

    def lose_together(self, node: str, **units: int) -> list[Message]:
        """Units of several SKUs are sold at once."""
        return self._move([(sku, node, n, "sellable", "customer") for sku, n in units.items()])

    def tell(self, sku: str, node: str, units: int, source: str, into: str) -> list[Message]:
        """One move of a feed; returns what orders are told."""
        return self._move([(sku, node, units, source, into)])

    def _move(
        self,
        told: Sequence[tuple[str, str, int, str, str]],
        lot: str = "",
        expires_on: date | None = None,
    ) -> list[Message]:
        self._told += 1
        moves = tuple(
            StockMove(f"move-{self._told}-{i}", *move, "fact", self.now, lot, expires_on)
            for i, move in enumerate(told)
        )
        message = InventoryMoved(source="pos", sequence=self._told, moves=moves)
        node = told[0][1]
        tx = self.transaction()
        to = Address("inventory", node, route_of_text(node))
        answers = list(self._facts.receive([self.delivery(message, to)], tx))
        self.commit(tx)
        return [answer.message for answer in answers]

    def ask(self, *commands: Command) -> list[Message]:
        """Commands to the reservations capability; returns its answers."""
        tx = self.transaction()
        answers = list(self._reservations.handle([self.issued(c) for c in commands], tx))
        self.commit(tx)
        return [answer.message for answer in answers]

    def accept(self, *requests: AllocateOrder) -> list[Message]:
        """Accept the demand of these requests as paid orders."""
        return self.ask(*(accepted(request) for request in requests))

    def allocate(self, zone: str, *requests: AllocateOrder) -> list[OrderAllocated]:
        """The zone's answers, in the order of the requests."""
        tx = self.transaction()
        found = self.receive_requests(tx, zone, requests)
        self.commit(tx)
        return found

    def allocate_ahead(
        self, zone: str, *requests: AllocateOrder, meanwhile: Callable[[], object]
    ) -> list[OrderAllocated]:
        """The same, planned before the zone is entered; `meanwhile` another batch is in it."""
        tx = self.transaction()
        to = allocate_order_address(zone)
        deliveries = [self.delivery(request, to) for request in requests]
        self.station.prepare(deliveries, tx)
        meanwhile()
        found = self._answers(self.station.receive(deliveries, tx))
        self.commit(tx)
        return found

    def receive_requests(
        self, tx: Transaction, zone: str, requests: Sequence[AllocateOrder]
    ) -> list[OrderAllocated]:
        """The same inside a transaction of the caller's."""
        to = allocate_order_address(zone)
        deliveries = [self.delivery(request, to) for request in requests]
        return self._answers(self.station.receive(deliveries, tx))

    def _answers(self, answers: Iterable[Outgoing]) -> list[OrderAllocated]:
        found = []
        for answer in answers:
            assert isinstance(answer.message, OrderAllocated)
            order_id = answer.message.order_id
            assert answer.to == Address("order-to-fulfillment", order_id, order_id)
            found.append(answer.message)
        return found

    def transaction(self) -> Transaction:
        return Transaction(self.connection, self.now)

    def commit(self, tx: Transaction) -> None:
        tx.flush_books()
        tx.connection.commit()

    def issued(self, command: Command) -> Issued:
        to = Address("order-to-fulfillment", order(0), order(0))
        cause = self.delivery(InventoryMoved(source="", sequence=0, moves=()), to)
        return Issued(command, to, cause)

    def delivery(self, message: Message, to: Address) -> Delivery:
        self._told += 1
        name = derive(self.now, "told", str(self._told), str(id(self)))
        return Delivery(name, to, message, self.now, name, name, "")

    def level(self, sku: str, node: str) -> tuple[int, int]:
        """(sellable, reserved)."""
        row = self.connection.execute(
            "SELECT sum(sellable)::int, sum(reserved)::int FROM stock_level"
            " WHERE sku = %s AND node = %s",
            [sku, node],
        ).fetchone()
        self.connection.commit()
        assert row is not None
        return (row[0] or 0, row[1] or 0)

    def reservations(self, number: int) -> list[tuple[str, str, int, str | None]]:
        """(state, SKU, quantity, node) of an order, sorted."""
        rows = self.connection.execute(
            "SELECT state, sku, quantity, node FROM reservation WHERE order_id = %s::uuid"
            " ORDER BY 1, 2, 4, 3",
            [order(number)],
        ).fetchall()
        self.connection.commit()
        return [(str(a), str(b), int(c), d) for a, b, c, d in rows]

    def lots(self, number: int) -> dict[tuple[str, str], int]:
        """Units an order holds by node and lot."""
        rows = self.connection.execute(
            "SELECT node, lot, sum(quantity)::int FROM reservation"
            " WHERE order_id = %s::uuid AND node IS NOT NULL GROUP BY node, lot ORDER BY 1, 2",
            [order(number)],
        ).fetchall()
        self.connection.commit()
        return {(node, lot): units for node, lot, units in rows}

    def count(self, table: str) -> int:
        row = self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        self.connection.commit()
        assert row is not None
        return int(row[0])

    def broken_rules(self) -> list[Violation]:
        """What breaks an invariant of inventory."""
        found = [v for v in check(self.connection) if v.invariant not in _OF_ORDERS]
        self.connection.rollback()
        return found


def request(
    number: int,
    *lines: tuple[str, int],
    attempt: int = 1,
    place: tuple[float, float] = AT_BOSTON,
    excluded: tuple[str, ...] = (),
    tried: tuple[str, ...] = (),
    final: bool = False,
    priority: int = 3,
    channel: str = "web",
) -> AllocateOrder:
    """A request of an order of one group near Boston."""
    return AllocateOrder(
        order_id=order(number),
        attempt=attempt,
        channel=channel,
        placed_at=MONDAY,
        currency="USD",
        value=2000 * sum(units for _, units in lines),
        lines=tuple(
            LineToSource(i, sku, units, 1, 2000, excluded)
            for i, (sku, units) in enumerate(lines, 1)
        ),
        groups=(
            GroupToSource(
                country="US",
                latitude=place[0],
                longitude=place[1],
                promised_by=MONDAY + timedelta(days=7),
            ),
        ),
        zones_tried=tried,
        final=final,
        priority=priority,
    )


def accepted(wanted: AllocateOrder) -> AcceptDemand:
    """The demand of a request, as a paid order."""
    return AcceptDemand(
        order_id=wanted.order_id,
        channel=wanted.channel,
        paid=True,
        placed_at=wanted.placed_at,
        priority=wanted.priority,
        lines=tuple(
            DemandedLine(
                line=line.line,
                sku=line.sku,
                quantity=line.quantity,
                promised_by=wanted.groups[0].promised_by,
            )
            for line in wanted.lines
        ),
    )
