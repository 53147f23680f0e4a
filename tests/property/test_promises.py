"""Whatever happens in whatever order: units are promised once, and none is lost without a word."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock import db
from crossdock.allocation.model import OrderAllocated
from crossdock.inventory.model import (
    DemandAccepted,
    FreeLine,
    FreeReservations,
    PickStock,
    ReservationsFreed,
    ShipStock,
    ShortageFound,
    StockArrived,
    StockPicked,
    StockShipped,
    StockUnpicked,
    UnpickStock,
)
from crossdock.kernel.messages import Message
from crossdock.model.messages import LineQuantity, ShortLine
from tests.allocation.market import BOSTON, HARTFORD, PROVIDENCE, Market, order, request
from tests.conftest import temporary_database

pytestmark = pytest.mark.slow

NODES = (BOSTON, PROVIDENCE, HARTFORD)
SKUS = ("mug", "jug", "tea-set")
ORDERS = 4

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["receive", "lose", "accept", "allocate", "free", "pick", "ship", "unpick", "decline"]
        ),
        st.integers(1, ORDERS),
        st.sampled_from(SKUS),
        st.sampled_from(NODES),
        st.integers(1, 4),
        st.booleans(),
    ),
    min_size=5,
    max_size=25,
)


class Story:
    """Plays steps and keeps count of every unit that was promised to an order."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.open: Counter[int] = Counter()
        """By order, units the customer was promised and did not get or give up yet."""
        self.skus: dict[int, str] = {}
        self.attempts = 0

    def play(self, step: tuple[str, int, str, str, int, bool]) -> None:
        kind, number, sku, node, units, flag = step
        getattr(self, kind)(number, sku, node, units, flag)

    def receive(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        self.market.receive("mug" if sku == "tea-set" else sku, units, node)

    def lose(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        self.market.lose("mug" if sku == "tea-set" else sku, units, node)

    def accept(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        if number in self.skus:
            return
        self.skus[number] = sku
        (answer,) = self.market.accept(request(number, (sku, units)))
        assert isinstance(answer, DemandAccepted)
        told = _units(answer.soft) + _units(answer.backordered)
        assert told == units, "a paid order is never refused"
        self.open[number] = units

    def allocate(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        if not self.open[number]:
            return
        self.attempts += 1
        wanted = request(
            number,
            (self.skus[number], units),
            attempt=self.attempts,
            final=flag,
            excluded=(node,) if flag else (),
        )
        (answer,) = self.market.allocate("east", wanted)
        assert isinstance(answer, OrderAllocated)
        planned = sum(_units(p.lines) for p in answer.fulfillments)
        assert planned + _units(answer.unsourced) == units, "every unit asked for is answered for"

    def free(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        place = node if flag else None
        lines = (FreeLine(1, units, place),)
        for answer in self._ask(
            FreeReservations(order_id=order(number), lines=lines, reason="customer")
        ):
            if isinstance(answer, ReservationsFreed):
                self.open[number] -= _units(answer.lines)

    def decline(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        lines = (FreeLine(1, units, node),)
        self._ask(
            FreeReservations(order_id=order(number), lines=lines, reason="declined", requeue=True)
        )

    def pick(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        short = (ShortLine(1, units, "damaged" if units % 2 else "not_in_stock"),)
        command = PickStock(
            order_id=order(number),
            fulfillment_id=order(500),
            node=node,
            picked=() if flag else (LineQuantity(1, units),),
            short=short if flag else (),
        )
        assert any(isinstance(answer, StockPicked) for answer in self._ask(command))

    def unpick(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        command = UnpickStock(
            order_id=order(number),
            fulfillment_id=order(500),
            node=node,
            lines=(LineQuantity(1, units),),
            requeue=flag,
        )
        for answer in self._ask(command):
            if isinstance(answer, StockUnpicked) and not flag:
                self.open[number] -= _units(answer.lines)

    def ship(self, number: int, sku: str, node: str, units: int, flag: bool) -> None:
        command = ShipStock(
            order_id=order(number),
            fulfillment_id=order(500),
            node=node,
            shipment_id=order(501),
            lines=(LineQuantity(1, units),),
        )
        for answer in self._ask(command):
            if isinstance(answer, StockShipped):
                self.open[number] -= _units(answer.lines)

    def _ask(self, command: Any) -> list[Message]:
        answers = self.market.ask(command)
        known = (ReservationsFreed, StockPicked, StockUnpicked, StockShipped)
        assert all(isinstance(each, (*known, ShortageFound, StockArrived)) for each in answers)
        return answers

    def judge(self) -> None:
        """Every open unit has a live reservation, every invariant holds."""
        assert self.market.broken_rules() == []
        for number in range(1, ORDERS + 1):
            assert self._live(number) == self.open[number], f"order {number}"

    def _live(self, number: int) -> int:
        """Units of the order's line that are promised; of a kit, by its scarcest component."""
        rows = self.market.connection.execute(
            "SELECT sku, kit, sum(quantity)::int / min(per_unit) FROM reservation"
            " WHERE order_id = %s::uuid GROUP BY sku, kit",
            [order(number)],
        ).fetchall()
        self.market.connection.commit()
        whole = sum(units for _, kit, units in rows if not kit)
        parts = [units for _, kit, units in rows if kit]
        assert len(set(parts)) <= 1, "components of a kit are promised together"
        return int(whole + min(parts, default=0))


def _units(lines: Any) -> int:
    return sum(line.quantity for line in lines)


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=steps)
def test_units_are_promised_once_and_none_is_lost(
    server_url: str, template_database: str, steps: list[tuple[str, int, str, str, int, bool]]
) -> None:
    with temporary_database(server_url, template_database) as url, db.connect(url) as connection:
        market = Market(connection)
        market.open()
        story = Story(market)
        for step in steps:
            story.play(step)
            story.judge()
