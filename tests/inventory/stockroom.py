"""A stockroom to test inventory in: told facts and asked for reservations, one batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from crossdock import db
from crossdock.engine import store as engine_store
from crossdock.engine.capability import Delivery, Issued, Outgoing
from crossdock.engine.process import Address
from crossdock.engine.routing import route_of_text
from crossdock.engine.transaction import Transaction
from crossdock.invariants import Violation, check
from crossdock.inventory.facts.station import InventoryFacts
from crossdock.inventory.model import AcceptDemand, DemandedLine, Want
from crossdock.inventory.reservations.book import ReservationBook
from crossdock.inventory.reservations.capability import Reservations
from crossdock.inventory.store import reserve
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Command, Message
from crossdock.model.messages import (
    InventoryCounted,
    InventoryMoved,
    StockCount,
    StockMove,
)

MONDAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
OAK, ELM, DEPOT = "oak-street", "elm-street", "depot"
NODES = {OAK: "east", ELM: "east", DEPOT: "west"}

# Rules that speak of orders as a whole: these tests have reservations and no orders.
_OF_ORDERS = {"reservations_are_of_open_lines"}


def at(minutes: float) -> datetime:
    """Minutes after Monday nine o'clock."""
    return MONDAY + timedelta(minutes=minutes)


def order(number: int) -> str:
    """The id of a numbered order; ids sort as their numbers."""
    return derive(MONDAY + timedelta(milliseconds=number), "order", str(number))


class Stockroom:
    """Runs each call as a batch of its own, at `now`."""

    def __init__(self, connection: db.Connection) -> None:
        self.connection = connection
        self.now = at(60)
        self._told = 0
        self._station = InventoryFacts()
        self._reservations = Reservations()
        for zone in sorted(set(NODES.values())):
            connection.execute(
                "INSERT INTO allocation_zone (code, name) VALUES (%s, %s)", [zone] * 2
            )
        engine_store.ensure_zone_shards(connection, NODES.values())
        for node, zone in NODES.items():
            connection.execute(
                "INSERT INTO node (code, kind, name, allocation_zone, country, time_zone, methods)"
                " VALUES (%s, 'store', %s, %s, 'US', 'UTC', '{ship,pickup}')",
                [node, node, zone],
            )
        connection.commit()

    def transaction(self) -> Transaction:
        return Transaction(self.connection, self.now)

    def commit(self, tx: Transaction) -> None:
        tx.flush_books()
        self.connection.commit()

    def tell(self, *messages: Message) -> list[Message]:
        """Give facts to the station in one batch; returns what orders are told."""
        tx = self.transaction()
        answers = list(self._station.receive([self._delivery(m) for m in messages], tx))
        self.commit(tx)
        for answer in answers:
            assert answer.to.instance == getattr(answer.message, "order_id", None)
        return [answer.message for answer in answers]

    def ask(self, *commands: Command) -> list[Message]:
        """Give commands to the reservations capability in one batch; returns its answers."""
        tx = self.transaction()
        sender = Address("order-to-fulfillment", order(0), order(0))
        cause = self._delivery(InventoryMoved(source="test", sequence=0, moves=()))
        issued = [Issued(command, sender, cause) for command in commands]
        answers: Iterable[Outgoing] = list(self._reservations.handle(issued, tx))
        self.commit(tx)
        return [answer.message for answer in answers]

    def _delivery(self, message: Message) -> Delivery:
        self._told += 1
        name = str(self._told)
        node = getattr(message, "node", "") or "feed"
        return Delivery(
            id=derive(self.now, name),
            to=Address("inventory", node, route_of_text(node)),
            message=message,
            occurred_at=self.now,
            correlation_id=derive(self.now, "correlation", name),
            causation_id=derive(self.now, "causation", name),
            actor="",
        )

    def receive(self, sku: str, units: int, node: str = OAK, *, minute: float = 0) -> list[Message]:
        """Goods from a supplier arrive."""
        name = f"receipt-{self._told}"
        return self.tell(move(name, sku, units, "supplier", "sellable", node=node, minute=minute))

    def promise(
        self,
        number: int,
        sku: str,
        units: int,
        node: str = OAK,
        *,
        priority: int = 3,
        promised_by: datetime | None = None,
        lot: str = "",
    ) -> int:
        """Accept a paid order of one line and reserve it at a node; returns the units granted."""
        self.demand(number, sku, units, priority=priority, promised_by=promised_by)
        return self.reserve(number, sku, units, node, lot=lot)

    def reserve(self, number: int, sku: str, units: int, node: str = OAK, *, lot: str = "") -> int:
        """Reserve what an accepted order wants at a node; returns the units granted."""
        tx = self.transaction()
        book = tx.book(ReservationBook)
        book.load(tx, [order(number)])
        want = Want(sku, node, units, order(number), 1, lot=lot)
        granted = reserve(tx, [want])[0]
        if granted:
            for promised in book.of(order(number)):
                book.place(promised, node, sku, lot=lot)
        self.commit(tx)
        return granted

    def demand(
        self,
        number: int,
        sku: str,
        units: int,
        *,
        priority: int = 3,
        promised_by: datetime | None = None,
    ) -> list[Message]:
        """Accept a paid order of one line without a node."""
        line = DemandedLine(line=1, sku=sku, quantity=units, promised_by=promised_by)
        return self.ask(
            AcceptDemand(
                order_id=order(number),
                channel="web",
                paid=True,
                placed_at=self.now,
                priority=priority,
                lines=(line,),
            )
        )

    def level(self, sku: str, node: str = OAK) -> tuple[int, int]:
        """(sellable, reserved)."""
        sellable, reserved = self.buckets(sku, node, "sellable", "reserved")
        return sellable, reserved

    def buckets(self, sku: str, node: str, *columns: str) -> tuple[int, ...]:
        """Those columns of a level, zeros if there is none."""
        row = self.connection.execute(
            f"SELECT {', '.join(columns)} FROM stock_level WHERE sku = %s AND node = %s",
            [sku, node],
        ).fetchone()
        self.connection.commit()
        return tuple(row) if row is not None else (0,) * len(columns)

    def lots(self, sku: str, node: str = OAK) -> dict[str, tuple[int, int]]:
        """(sellable, reserved) by lot."""
        rows = self.connection.execute(
            "SELECT lot, sellable, reserved FROM stock_level WHERE sku = %s AND node = %s"
            " ORDER BY lot",
            [sku, node],
        ).fetchall()
        self.connection.commit()
        return {lot: (sellable, reserved) for lot, sellable, reserved in rows}

    def ledger(self, sku: str) -> list[tuple[str, str, int, str]]:
        """(from_bucket, to_bucket, quantity, reason) of a SKU's moves, sorted."""
        rows = self.connection.execute(
            "SELECT from_bucket::text, to_bucket::text, quantity, reason FROM stock_ledger"
            " WHERE sku = %s ORDER BY 1, 2, 3, 4",
            [sku],
        ).fetchall()
        self.connection.commit()
        return [(str(a), str(b), int(c), str(d)) for a, b, c, d in rows]

    def reservations(self) -> list[tuple[str, str, int, str | None]]:
        """(order id, state, quantity, node), sorted."""
        rows = self.connection.execute(
            "SELECT order_id, state, quantity, node FROM reservation ORDER BY 1, 2, 3, 4"
        ).fetchall()
        self.connection.commit()
        return [(str(a), str(b), int(c), d) for a, b, c, d in rows]

    def cases(self) -> list[tuple[str, str, str]]:
        """(kind, subject, detail)."""
        rows = self.connection.execute(
            "SELECT kind, subject, detail FROM case_file ORDER BY 1, 2, 3"
        ).fetchall()
        self.connection.commit()
        return [(str(a), str(b), str(c)) for a, b, c in rows]

    def broken_rules(self) -> list[Violation]:
        """What breaks an invariant of inventory."""
        found = [v for v in check(self.connection) if v.invariant not in _OF_ORDERS]
        self.connection.rollback()
        return found


def move(
    name: str,
    sku: str,
    units: int,
    source: str = "sellable",
    into: str = "customer",
    *,
    node: str = OAK,
    minute: float = 0,
    reason: str = "sold",
    feed: str = "pos",
    lot: str = "",
    expires_on: date | None = None,
) -> InventoryMoved:
    """A feed's message with one move."""
    told = StockMove(name, sku, node, units, source, into, reason, at(minute), lot, expires_on)
    return InventoryMoved(source=feed, sequence=0, moves=(told,))


def chunk(sequence: int, moves: Sequence[InventoryMoved], *, feed: str = "pos") -> InventoryMoved:
    """The moves of several messages as one chunk."""
    return InventoryMoved(
        source=feed, sequence=sequence, moves=tuple(m for message in moves for m in message.moves)
    )


def count(
    minute: float,
    *,
    node: str = OAK,
    feed: str = "wms",
    full: bool = False,
    bucket: str = "sellable",
    **units: int,
) -> InventoryCounted:
    """A feed's count of SKUs as of a minute."""
    return InventoryCounted(
        source=feed,
        as_of=at(minute),
        node=node,
        counts=tuple(StockCount(sku, node, number, bucket) for sku, number in units.items()),
        full=full,
    )


def count_lots(
    minute: float, sku: str = "tea", *, node: str = OAK, full: bool = False, **units: int
) -> InventoryCounted:
    """A count of one SKU lot by lot as of a minute; `rest` is what is of no known lot."""
    counts = [
        StockCount(sku, node, number, lot="" if lot == "rest" else lot)
        for lot, number in units.items()
    ]
    return InventoryCounted(
        source="wms", as_of=at(minute), node=node, counts=tuple(counts), full=full
    )
