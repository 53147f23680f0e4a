"""A small retailer with the real engine: three shops, four outside systems, a clock one moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from crossdock import db
from crossdock.app import registry
from crossdock.catalog import store as catalog
from crossdock.catalog.model import (
    Channel,
    Component,
    Node,
    NodeKind,
    Product,
    ProductKind,
    Zone,
)
from crossdock.connectors.fakes import CarrierFake, ErpFake, Mood, NotificationFake, PaymentFake
from crossdock.engine import store as engine_store
from crossdock.engine.batch import Recorder
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.inbox import Inbound, Received, receive
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.engine.runner import Runner
from crossdock.invariants import check
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.messages import Message
from crossdock.model.messages import (
    CancelRequested,
    FulfillmentAccepted,
    FulfillmentDeclined,
    FulfillmentShipped,
    HoldLifted,
    InventoryCounted,
    InventoryMoved,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    RecallAnswered,
    ShipmentDelivered,
    ShipmentLost,
    ShippedPackage,
    ShortLine,
    StockCount,
    StockMove,
)
from crossdock.model.orders import Tender
from crossdock.model.outside import (
    OutsideAddress,
    OutsideGroup,
    OutsideLine,
    OutsideOrder,
    OutsideParty,
    take_apart,
)
from crossdock.ordering.intake import OrderReceipt, take_orders

MONDAY = datetime(2026, 11, 2, 15, tzinfo=UTC)
BOSTON, PROVIDENCE, DENVER = "boston", "providence", "denver"
PLACES = {
    BOSTON: ("east", 42.36, -71.06),
    PROVIDENCE: ("east", 41.82, -71.41),
    DENVER: ("west", 39.74, -104.99),
}
PRICES = {"mug": Decimal("12.50"), "jug": Decimal("30.00"), "tray": Decimal("9.99")}

UNITS = (
    "open", "soft", "backordered", "allocated", "released", "picked", "packed", "shipped",
    "canceled", "delivered", "lost", "returned",
)  # fmt: skip
MONEY = ("status", "authorized", "captured", "voided", "refunded", "debt")


class Work(msgspec.Struct, frozen=True):
    """A FulfillmentOrder as its node sees it: units left per line."""

    id: str
    order_id: str
    node: str
    work: str
    acknowledgement: str
    left: dict[int, int]


class Shop:
    """Every call that tells something also lets the engine and the dispatcher finish."""

    def __init__(self, connection: db.Connection, recorder: Recorder | None = None) -> None:
        self.connection = connection
        self.clock = VirtualClock(MONDAY)
        self.payment = PaymentFake(self.clock)
        self.carrier = CarrierFake(self.clock)
        self.erp = ErpFake(self.clock)
        self.notification = NotificationFake(self.clock)
        fakes = (self.payment, self.carrier, self.erp, self.notification)
        self.dispatcher = Dispatcher({fake.name: fake for fake in fakes}, self.clock)
        self._told = 0
        self._open()
        self.runner = Runner(registry(), connection, self.clock, recorder=recorder)
        self.runner.start()

    def _open(self) -> None:
        connection = self.connection
        zones = ("east", "west")
        catalog.save_zones(connection, [Zone(code=z, name=z) for z in zones])
        nodes = [
            Node(
                code=code,
                kind=NodeKind.STORE,
                name=code,
                allocation_zone=zone,
                country="US",
                latitude=latitude,
                longitude=longitude,
                time_zone="UTC",
            )
            for code, (zone, latitude, longitude) in PLACES.items()
        ]
        catalog.save_nodes(connection, nodes)
        goods = [
            Product(sku=sku, name=sku, weight_grams=400, currency="USD", price=2000, cost=800)
            for sku in PRICES
        ]
        catalog.save_products(connection, goods)
        catalog.save_channels(connection, [Channel(code="web", name="web")])
        engine_store.ensure_zone_shards(connection, zones)
        connection.commit()

    def sell(self, sku: str, *substitutes: str, **parts: int) -> None:
        """A product with its substitutes; with parts it is a kit."""
        kind = ProductKind.KIT if parts else ProductKind.GOODS
        components = tuple(Component(part, units) for part, units in parts.items())
        product = Product(
            sku=sku, name=sku, kind=kind, weight_grams=400, currency="USD", price=2000, cost=800,
            substitutes=substitutes, components=components,
        )  # fmt: skip
        catalog.save_products(self.connection, [product])
        self.connection.commit()

    # What the outside tells ----------------------------------------------------------------------

    def stock(self, node: str, **units: int) -> None:
        """Goods arrive from a supplier."""
        self._told += 1
        moves = tuple(
            StockMove(
                f"m{self._told}-{sku}",
                sku,
                node,
                count,
                "supplier",
                "sellable",
                "receipt",
                self.clock.now(),
            )
            for sku, count in units.items()
        )
        message = InventoryMoved(source="wms", sequence=self._told, moves=moves)
        self.tell(message, Address("inventory", node, route_of_text(node)))

    def count(self, node: str, **units: int) -> None:
        """Somebody counts the shelf."""
        counts = tuple(StockCount(sku, node, found) for sku, found in units.items())
        message = InventoryCounted(source="wms", as_of=self.clock.now(), node=node, counts=counts)
        self.tell(message, Address("inventory", node, route_of_text(node)))

    def place(self, number: str, *lines: tuple[str, int], **more: Any) -> str:
        """An order of (sku, units) for an address in Boston; paid unless told otherwise."""
        order = outside_order(number, *lines, **{"placed_at": self.clock.now(), **more})
        [receipt] = self.take([order])
        self.settle()
        return receipt.order_id

    def take(self, orders: Sequence[OutsideOrder]) -> list[OrderReceipt]:
        """Orders at the door, not yet worked on."""
        receipts = take_orders(
            self.connection, [take_apart(order) for order in orders], self.clock.now()
        )
        self.connection.commit()
        return receipts

    def cancel(self, order_id: str, *lines: tuple[int, int]) -> None:
        self._told += 1
        asked = tuple(LineQuantity(*line) for line in lines)
        self.tell_order(
            CancelRequested(order_id=order_id, request_id=f"r{self._told}", lines=asked)
        )

    def lift(self, order_id: str, hold: str, *, approved: bool = True) -> None:
        self.tell_order(HoldLifted(order_id=order_id, hold=hold, approved=approved, actor="desk"))

    def accept(self, work: Work) -> None:
        self.tell_work(work, FulfillmentAccepted(order_id=work.order_id, fulfillment_id=work.id))

    def decline(self, work: Work, reason: str = "too_busy") -> None:
        self.tell_work(
            work,
            FulfillmentDeclined(order_id=work.order_id, fulfillment_id=work.id, reason=reason),
        )

    def pick(self, work: Work, short: dict[int, int] | None = None) -> None:
        """Pick what is left, but for the units that cannot be found."""
        missing = short or {}
        found = {line: n - missing.get(line, 0) for line, n in work.left.items()}
        self._told += 1
        self.tell_work(
            work,
            ItemsPicked(
                order_id=work.order_id,
                fulfillment_id=work.id,
                pick_id=f"p{self._told}",
                picked=tuple(LineQuantity(line, n) for line, n in found.items() if n),
                short=tuple(ShortLine(line, n, "not_in_stock") for line, n in missing.items()),
            ),
        )

    def pack(self, work: Work) -> None:
        self._told += 1
        lines = tuple(LineQuantity(line, n) for line, n in work.left.items())
        self.tell_work(
            work,
            ItemsPacked(
                order_id=work.order_id,
                fulfillment_id=work.id,
                pack_id=f"k{self._told}",
                lines=lines,
            ),
        )

    def ship(self, work: Work, *parcels: dict[int, int], prefix: str = "") -> list[str]:
        """Ship what is left in one package, or the packages given; returns tracking numbers."""
        self._told += 1
        packages = tuple(
            ShippedPackage(
                lines=tuple(LineQuantity(line, n) for line, n in parcel.items()),
                carrier="ups",
                tracking=f"{prefix or f'1Z{self._told}'}-{number}",
            )
            for number, parcel in enumerate(parcels or (work.left,), start=1)
        )
        self.tell_work(
            work,
            FulfillmentShipped(
                order_id=work.order_id,
                fulfillment_id=work.id,
                shipment_id=f"s{self._told}",
                packages=packages,
                shipped_at=self.clock.now(),
            ),
        )
        return [package.tracking for package in packages]

    def deliver(self, work: Work, tracking: str) -> None:
        self.tell_work(
            work,
            ShipmentDelivered(
                order_id=work.order_id,
                fulfillment_id=work.id,
                shipment_id="",
                tracking=tracking,
                delivered_at=self.clock.now(),
            ),
        )

    def lose(self, work: Work, tracking: str) -> None:
        self.tell_work(
            work,
            ShipmentLost(
                order_id=work.order_id, fulfillment_id=work.id, shipment_id="", tracking=tracking
            ),
        )

    def answer_recalls(self, work: Work, *, give: bool = True) -> None:
        """The node answers every open recall, with all or with nothing."""
        rows = self.rows(
            "SELECT request_id, line_number, quantity FROM recall"
            " WHERE fulfillment_id = %s::uuid AND answered_at IS NULL ORDER BY 1, 2",
            work.id,
        )
        for request in sorted({row[0] for row in rows}):
            given = tuple(LineQuantity(r[1], r[2]) for r in rows if r[0] == request and give)
            self.tell_work(
                work,
                RecallAnswered(
                    order_id=work.order_id,
                    fulfillment_id=work.id,
                    request_id=request,
                    given_back=given,
                ),
            )

    def finish(self, order_id: str) -> None:
        """Everything open is picked, packed, shipped and delivered, until nothing is left."""
        for _ in range(20):
            works = self.works(order_id)
            if not works:
                return
            for work in works:
                if work.left:
                    tracking = self.ship(work)
                    for one in tracking:
                        self.deliver(work, one)
        raise AssertionError("the work does not end")

    # The engine ----------------------------------------------------------------------------------

    def tell_order(self, message: Message) -> None:
        order_id: str = message.order_id  # type: ignore[attr-defined]
        self.tell(message, Address("order-to-fulfillment", order_id, order_id))

    def tell_work(self, work: Work, message: Message) -> None:
        self.tell(message, Address("fulfillment", work.id, work.order_id))

    def tell(self, message: Message, to: Address) -> None:
        """Take a message in, and let everything that follows happen."""
        self._told += 1
        inbound = Inbound("outside", f"t{self._told}", message, to, self.clock.now())
        [receipt] = receive(self.connection, [inbound], self.clock.now())
        assert receipt.result is Received.ACCEPTED
        self.connection.commit()
        self.settle()

    def settle(self) -> None:
        """Engine and dispatcher, until neither finds anything to do now."""
        for _ in range(200):
            outcome = self.runner.run_until_idle()
            assert not outcome.dead, self.rows("SELECT type, error, trace FROM dead_letter")
            if not self.dispatcher.drain(self.connection) and not outcome.taken:
                return
        raise AssertionError("engine and dispatcher keep each other busy")

    def wait(self, **span: float) -> None:
        """Let time pass, then let everything that fell due happen."""
        self.clock.move_to(self.clock.now() + timedelta(**span))
        self.settle()

    # What readers see ----------------------------------------------------------------------------

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        found = self.connection.execute(statement.encode(), parameters).fetchall()
        self.connection.commit()
        return found

    def units(self, order_id: str, number: int = 1) -> dict[str, int]:
        """Units of a line by state, without the empty ones."""
        [row] = self.rows(
            f"SELECT {', '.join(UNITS)} FROM order_line WHERE order_id = %s::uuid AND number = %s",
            order_id,
            number,
        )
        return {name: count for name, count in zip(UNITS, row, strict=True) if count}

    def stage(self, order_id: str) -> str:
        [[found]] = self.rows("SELECT stage FROM sales_order WHERE id = %s::uuid", order_id)
        return str(found)

    def works(self, order_id: str, *, closed: bool = False) -> list[Work]:
        """The open work of an order, by node."""
        rows = self.rows(
            """
            SELECT f.id, f.order_id, f.node, f.work, f.acknowledgement,
                   array_agg(ARRAY[l.line_number,
                                   l.quantity - l.short - l.given_back - l.shipped])
            FROM fulfillment_order f
            JOIN fulfillment_line l ON l.order_id = f.order_id AND l.fulfillment_id = f.id
            WHERE f.order_id = %s::uuid AND (f.closed_at IS NULL OR %s)
            GROUP BY f.order_id, f.id ORDER BY f.node, f.opened_at
            """,
            order_id,
            closed,
        )
        return [
            Work(row[0], row[1], row[2], row[3], row[4], {line: n for line, n in row[5] if n})
            for row in rows
        ]

    def work(self, order_id: str, node: str | None = None) -> Work:
        """The only open work of an order (at a node)."""
        [found] = [w for w in self.works(order_id) if node in (None, w.node)]
        return found

    def tender(self, order_id: str, number: int = 1) -> dict[str, Any]:
        [row] = self.rows(
            f"SELECT {', '.join(MONEY)} FROM tender WHERE order_id = %s::uuid AND number = %s",
            order_id,
            number,
        )
        return dict(zip(MONEY, row, strict=True))

    def cancellations(self, order_id: str) -> list[tuple[int, str, int, int, int, int]]:
        """(line, reason, requested, canceled, stopped, refused)."""
        return self.rows(
            "SELECT line_number, reason, requested, canceled, stopped, refused FROM cancellation"
            " WHERE order_id = %s::uuid ORDER BY requested_at, request_id, 1",
            order_id,
        )

    def cases(self) -> list[str]:
        return [kind for (kind,) in self.rows("SELECT kind FROM case_file ORDER BY opened_at, 1")]

    def holds(self, order_id: str) -> list[str]:
        """Standing holds."""
        return [
            name
            for (name,) in self.rows(
                "SELECT name FROM hold WHERE order_id = %s::uuid AND lifted_at IS NULL ORDER BY 1",
                order_id,
            )
        ]

    def told(self, order_id: str) -> list[str]:
        """What the customer heard of."""
        return self.notification.told.get(order_id, [])

    def documents(self, order_id: str) -> list[str]:
        """What the ERP has, in its order."""
        return self.erp.documents.get(order_id, [])

    def level(self, sku: str, node: str) -> tuple[int, int]:
        """(sellable, reserved)."""
        rows = self.rows(
            "SELECT sum(sellable)::int, sum(reserved)::int FROM stock_level"
            " WHERE sku = %s AND node = %s",
            sku,
            node,
        )
        return (rows[0][0] or 0, rows[0][1] or 0)

    def assert_whole(self) -> None:
        """Every invariant holds, and no effect was done twice."""
        violations = check(self.connection)
        self.connection.rollback()
        assert not violations, "\n".join(map(str, violations))
        for fake in (self.payment, self.carrier, self.erp, self.notification):
            assert all(times == 1 for times in fake.times_done.values()), fake.name

    def change_mood(self, **mood: Any) -> None:
        """All outside systems at once; see Mood."""
        for fake in (self.payment, self.carrier, self.erp, self.notification):
            fake.mood = Mood(**mood)


CARD = Tender(number=1, kind="card", amount=0, reference="tok_visa")
"""An amount of 0 stands for the order's total."""
PAID = Tender(number=1, kind="marketplace", amount=0, paid=True)


def outside_order(
    number: str,
    *lines: tuple[str, int],
    placed_at: datetime = MONDAY,
    tenders: Sequence[Tender] = (PAID,),
    address: OutsideAddress | None = None,
    **more: Any,
) -> OutsideOrder:
    """An order of (sku, units) for an address in Boston."""
    order = OutsideOrder(
        channel="web",
        number=number,
        placed_at=placed_at,
        currency="USD",
        lines=tuple(
            OutsideLine(number=n, sku=sku, quantity=units, unit_price=PRICES.get(sku, Decimal(5)))
            for n, (sku, units) in enumerate(lines, start=1)
        ),
        groups=(OutsideGroup(address=address or AT_BOSTON),),
        customer=OutsideParty(name="Ada", number="C-1", email="ada@example.org"),
        **more,
    )
    total = take_apart(order).order.total
    paid = tuple(
        msgspec.structs.replace(t, amount=t.amount or total, number=n)
        for n, t in enumerate(tenders, start=1)
    )
    return msgspec.structs.replace(order, tenders=paid)


AT_BOSTON = OutsideAddress(
    country="US", postal_code="02110", lines=("1 Main St",), latitude=42.35, longitude=-71.05
)
