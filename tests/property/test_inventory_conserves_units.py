"""Any sequence of sales, counts, damages, reservations, picks, shipments, cancels and returns, of
goods in lots or not, conserves units: checked against a model that only counts, and by every rule
there is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crossdock import db
from crossdock.inventory.model import (
    FreeLine,
    FreeReservations,
    PickStock,
    ShipStock,
    ShortageFound,
    UnpickStock,
)
from crossdock.kernel.messages import Message
from crossdock.model.messages import LineQuantity, ShortLine
from tests.inventory.stockroom import (
    DEPOT,
    NODES,
    OAK,
    Stockroom,
    at,
    count,
    count_lots,
    move,
    order,
)

pytestmark = pytest.mark.slow

SKUS = ("mug", "bowl")
DATES = {"old": date(2027, 3, 31), "new": date(2027, 5, 31)}
PLACES = [(sku, node) for sku in SKUS for node in (OAK, DEPOT)]
place = st.sampled_from(PLACES)
units = st.integers(1, 6)
lots = st.sampled_from(["", "", "old", "new"])

_connections: list[db.Connection] = []


class World(RuleBasedStateMachine):
    """Tells the stockroom facts and asks it for decisions, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = _connections[-1]
        empty(self.connection)
        self.stockroom = Stockroom(self.connection)
        self.number = 0
        self.minute = 60
        self.reserved: dict[int, tuple[str, str]] = {}
        """Orders by number with the place they were reserved at."""
        self.promised: dict[int, int] = {}
        self.gone: dict[int, int] = {}

    @initialize()
    def stock_arrives_first(self) -> None:
        for sku, node in PLACES:
            self.tell(move(self.name(), sku, 4, "supplier", "sellable", node=node, minute=1))

    def name(self) -> str:
        self.number += 1
        return f"m{self.number}"

    def later(self) -> float:
        self.minute += 1
        self.stockroom.now = at(self.minute)
        return self.minute

    def tell(self, message: Message) -> None:
        before = self.held()
        told = self.stockroom.tell(message)
        short: dict[str, int] = {}
        for each in told:
            if isinstance(each, ShortageFound):
                short[each.order_id] = short.get(each.order_id, 0) + each.quantity
        lost = {
            number: units - self.held().get(number, 0)
            for number, units in before.items()
            if units > self.held().get(number, 0)
        }
        assert lost == short, "what is broken is told to its order, and nothing else is"

    def held(self) -> dict[str, int]:
        """Units with a node per order."""
        found: dict[str, int] = {}
        for number, state, quantity, _ in self.stockroom.reservations():
            if state in ("allocated", "picked"):
                found[number] = found.get(number, 0) + quantity
        return found

    @rule(where=place, quantity=units, ago=st.integers(0, 20), lot=lots)
    def sell_in_store(self, where: tuple[str, str], quantity: int, ago: int, lot: str) -> None:
        minute = max(2, self.later() - ago)
        self.tell(move(self.name(), where[0], quantity, node=where[1], minute=minute, lot=lot))

    @rule(where=place, quantity=units, ago=st.integers(0, 20), lot=lots)
    def receive(self, where: tuple[str, str], quantity: int, ago: int, lot: str) -> None:
        minute = max(2, self.later() - ago)
        message = move(
            self.name(), where[0], quantity, "supplier", "sellable",
            node=where[1], minute=minute, lot=lot, expires_on=DATES.get(lot),
        )  # fmt: skip
        self.tell(message)
        before = self.stockroom.lots(*where)
        self.tell(message)
        assert self.stockroom.lots(*where) == before, "told twice is booked once"

    @rule(where=place, quantity=units, back=st.booleans(), lot=lots)
    def damage(self, where: tuple[str, str], quantity: int, back: bool, lot: str) -> None:
        source, into = ("damaged", "sellable") if back else ("sellable", "damaged")
        name, minute = self.name(), self.later()
        self.tell(
            move(name, where[0], quantity, source, into, node=where[1], minute=minute, lot=lot)
        )

    @rule(where=place, quantity=units)
    def customer_returns(self, where: tuple[str, str], quantity: int) -> None:
        name, minute = self.name(), self.later()
        bucket = "quality_control"
        self.tell(move(name, where[0], quantity, "customer", bucket, node=where[1], minute=minute))

    @rule(where=place, quantity=st.integers(0, 8), ago=st.integers(0, 30))
    def count(self, where: tuple[str, str], quantity: int, ago: int) -> None:
        minute = max(2, self.later() - ago)
        numbers = {where[0]: quantity}
        self.tell(count(minute, **numbers, node=where[1]))  # type: ignore[arg-type]

    @rule(where=place, quantity=st.integers(0, 8), ago=st.integers(0, 30), lot=lots)
    def count_a_lot(self, where: tuple[str, str], quantity: int, ago: int, lot: str) -> None:
        minute = max(2, self.later() - ago)
        numbers = {lot or "rest": quantity}
        self.tell(count_lots(minute, where[0], node=where[1], **numbers))  # type: ignore[arg-type]

    @rule(where=place, quantity=units, priority=st.integers(1, 5), lot=lots)
    def reserve(self, where: tuple[str, str], quantity: int, priority: int, lot: str) -> None:
        self.later()
        self.number += 1
        sellable, reserved = self.stockroom.lots(*where).get(lot, (0, 0))
        granted = self.stockroom.promise(
            self.number, *where[:1], quantity, where[1], priority=priority, lot=lot
        )
        assert granted == (quantity if sellable - reserved >= quantity else 0)
        self.reserved[self.number] = where
        self.promised[self.number] = quantity

    @precondition(lambda self: self.reserved)
    @rule(data=st.data(), quantity=units, short=st.integers(0, 2))
    def pick(self, data: st.DataObject, quantity: int, short: int) -> None:
        number, (_, node) = data.draw(st.sampled_from(sorted(self.reserved.items())))
        self.later()
        missing = (ShortLine(1, short, "not_in_stock"),) if short else ()
        self.stockroom.ask(
            PickStock(
                order_id=order(number),
                fulfillment_id=order(1000 + number),
                node=node,
                picked=(LineQuantity(1, quantity),),
                short=missing,
            )
        )

    @precondition(lambda self: self.reserved)
    @rule(data=st.data(), quantity=units)
    def unpick(self, data: st.DataObject, quantity: int) -> None:
        number, (_, node) = data.draw(st.sampled_from(sorted(self.reserved.items())))
        self.later()
        self.stockroom.ask(
            UnpickStock(
                order_id=order(number),
                fulfillment_id=order(1000 + number),
                node=node,
                lines=(LineQuantity(1, quantity),),
            )
        )

    @precondition(lambda self: self.reserved)
    @rule(data=st.data(), quantity=units, ago=st.integers(0, 5))
    def ship(self, data: st.DataObject, quantity: int, ago: int) -> None:
        number, (_, node) = data.draw(st.sampled_from(sorted(self.reserved.items())))
        minute = max(2, self.later() - ago)
        answer, *_ = self.stockroom.ask(
            ShipStock(
                order_id=order(number),
                fulfillment_id=order(1000 + number),
                node=node,
                shipment_id=order(2000 + number),
                lines=(LineQuantity(1, quantity),),
                shipped_at=at(minute),
            )
        )
        shipped = sum(line.quantity for line in getattr(answer, "lines", ()))
        self.gone[number] = self.gone.get(number, 0) + shipped
        assert self.gone[number] <= self.promised[number], "no order gets more than it wanted"

    @precondition(lambda self: self.reserved)
    @rule(data=st.data(), quantity=units, queued=st.booleans())
    def cancel(self, data: st.DataObject, quantity: int, queued: bool) -> None:
        number, (_, node) = data.draw(st.sampled_from(sorted(self.reserved.items())))
        self.later()
        line = FreeLine(1, quantity, None if queued else node)
        self.stockroom.ask(
            FreeReservations(order_id=order(number), lines=(line,), reason="canceled")
        )

    @invariant()
    def every_rule_holds(self) -> None:
        assert self.stockroom.broken_rules() == []

    @invariant()
    def units_are_conserved(self) -> None:
        """What went in and out of each place, by everybody's word, is what is there."""
        rows = self.connection.execute(
            """
            SELECT l.sku, l.node, l.units - moved.units
            FROM (SELECT sku, node,
                         sum(sellable + damaged + quality_control + in_transit) AS units
                  FROM stock_level GROUP BY sku, node) l
            JOIN (SELECT sku, node, sum(CASE WHEN from_bucket IN ('customer', 'supplier',
                                                                  'unexplained', 'lost')
                                             THEN quantity
                                             WHEN to_bucket IN ('customer', 'supplier',
                                                                'unexplained', 'lost')
                                             THEN -quantity ELSE 0 END) AS units
                  FROM stock_ledger GROUP BY sku, node) moved USING (sku, node)
            """
        ).fetchall()
        self.connection.rollback()
        assert all(difference == 0 for _, _, difference in rows), rows


def empty(connection: db.Connection) -> None:
    """Make the database as new, faster than a new one."""
    connection.rollback()
    connection.execute(
        "TRUNCATE stock_level, stock_total, stock_ledger, stock_balance, reservation,"
        " lot, shipped_lot, stock_move_seen, stock_feed, stock_reading, case_file, demand_gate"
    )
    connection.execute("DELETE FROM node WHERE code = ANY(%s)", [list(NODES)])
    connection.execute("DELETE FROM allocation_zone")
    connection.commit()


@pytest.fixture
def database(connection: db.Connection) -> Iterator[None]:
    """The connection that each run of the machine uses."""
    _connections.append(connection)
    with contextlib.suppress(IndexError):
        yield
    _connections.pop()


def test_any_sequence_of_facts_and_decisions_conserves_units(database: None) -> None:
    run_state_machine_as_test(
        World,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
