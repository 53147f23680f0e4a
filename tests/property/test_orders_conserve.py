"""Whatever happens to an order, in whatever order: no unit and no cent is lost or made."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from crossdock.allocation.model import Action, OrderAllocated
from crossdock.engine.process import Effect
from crossdock.inventory.model import ShortageFound, StockArrived
from crossdock.model.effects import CustomerNotified, DocumentPosted
from crossdock.model.messages import (
    CancelRequested,
    FulfillmentAccepted,
    FulfillmentDeclined,
    FulfillmentShipped,
    HoldLifted,
    InterceptAnswered,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    RecallAnswered,
    ShipmentDelivered,
    ShipmentLost,
    ShippedPackage,
    ShortLine,
)
from crossdock.model.orders import Adjustment, Charge, Tender
from crossdock.ordering.policy import OrderPolicy
from tests.property.provider import Provider
from tests.unit.processes.world import ORDER, World, an_order

pytestmark = pytest.mark.slow

STATES = (
    "open", "soft", "backordered", "allocated", "released", "picked", "packed", "shipped",
    "canceled",
)  # fmt: skip
MAY_BE_STALE = {"AuthorizationExpiring", "PaymentOverdue", "BackorderExpired", "HoldLifted"}
MAY_BE_STALE |= {"FulfillmentAccepted", "InterceptAnswered", "OrderValidated"}
"""Reminders and second answers; what else comes is still waited for."""


class Life(RuleBasedStateMachine):
    """Everybody outside does what they like; see the invariants at the end."""

    world: World
    provider: Provider
    told: int

    # Outside systems ------------------------------------------------------------------------------

    @precondition(lambda self: self.world.effects)
    @rule(data=st.data(), yes=st.sampled_from([True, True, True, False]))
    def an_outside_system_answers(self, data: st.DataObject, yes: bool) -> None:
        """The oldest effect of a key is answered first, as the dispatcher sees to."""
        first: dict[tuple[str, str], Effect] = {}
        for _, effect in self.world.effects:
            first.setdefault((effect.connector, effect.order_key), effect)
        effect = data.draw(st.sampled_from(sorted(first.values(), key=lambda e: e.key)))
        self.world.answer(effect, self._answer(effect, yes))

    @precondition(lambda self: self._payments())
    @rule(data=st.data(), yes=st.booleans())
    def a_provider_answers(self, data: st.DataObject, yes: bool) -> None:
        """In any order, as answers may come that are not fetched by the dispatcher."""
        effect = data.draw(st.sampled_from(self._payments()))
        self.world.answer(effect, self._answer(effect, yes))

    def _payments(self) -> list[Effect]:
        return [effect for _, effect in self.world.effects if effect.connector == "payment"]

    def _answer(self, effect: Effect, yes: bool) -> Any:
        asked: Any = effect.payload
        key = effect.key
        if effect.connector == "notification":
            return CustomerNotified(key=key, event=asked.event)
        if effect.connector == "erp":
            return DocumentPosted(key=key, kind=asked.kind, document=key, amount=asked.amount)
        if effect.connector == "carrier":
            return InterceptAnswered(
                order_id=ORDER, fulfillment_id=asked.fulfillment_id,
                shipment_id=asked.shipment_id, tracking=asked.tracking,
                request_id=asked.request_id, stopped=yes,
            )  # fmt: skip
        return self.provider.answer(effect, yes, self.world.now)

    # Nodes and carriers ---------------------------------------------------------------------------

    def _work(self, data: st.DataObject) -> Any:
        works = [w for w in self.world.works() if w.stage in ("submitted", "working")]
        return data.draw(st.sampled_from(sorted(works, key=lambda w: w.id))) if works else None

    def _some(self, data: st.DataObject, work: Any, most: int = 3) -> dict[int, int]:
        return {line.line: data.draw(st.integers(0, min(most, line.left))) for line in work.lines}

    @rule(data=st.data(), apart=st.booleans())
    def a_node_ships(self, data: st.DataObject, apart: bool) -> None:
        if work := self._work(data):
            lines = tuple(LineQuantity(*one) for one in self._some(data, work).items() if one[1])
            self.told += 1
            parcels = [(line,) for line in lines] if apart else [lines]
            self.world.tell(
                FulfillmentShipped(
                    order_id=ORDER, fulfillment_id=work.id, shipment_id=f"s{self.told}",
                    shipped_at=self.world.now,
                    packages=tuple(
                        ShippedPackage(lines=parcel, tracking=f"t{self.told}-{n}")
                        for n, parcel in enumerate(parcels)
                    ),
                ),
                work.id,
            )  # fmt: skip

    @rule(data=st.data(), lost=st.booleans())
    def a_carrier_reports(self, data: st.DataObject, lost: bool) -> None:
        parcels = [
            (w.id, p.tracking, p.reference)
            for w in self.world.works()
            for p in w.packages
            if p.status == "on_way"
        ]
        if not parcels:
            return
        work_id, tracking, reference = data.draw(st.sampled_from(sorted(parcels)))
        names = {"order_id": ORDER, "fulfillment_id": work_id, "shipment_id": reference}
        told: Any = (
            ShipmentLost(**names, tracking=tracking)
            if lost
            else ShipmentDelivered(**names, tracking=tracking, delivered_at=self.world.now)
        )
        self.world.tell(told, work_id)

    @rule(data=st.data(), everything=st.booleans())
    def a_node_answers_a_recall(self, data: st.DataObject, everything: bool) -> None:
        asked = [
            (w.id, r.request_id, r.line, r.quantity) for w in self.world.works() for r in w.recalls
        ]
        if not asked:
            return
        work_id, request_id, line, quantity = data.draw(st.sampled_from(sorted(asked)))
        given = quantity if everything else data.draw(st.integers(0, quantity + 1))
        self.world.tell(
            RecallAnswered(
                order_id=ORDER, fulfillment_id=work_id, request_id=request_id,
                given_back=(LineQuantity(line, given),) if given else (),
            ),
            work_id,
        )  # fmt: skip

    # Customers, time -----------------------------------------------------------------------------

    @rule(data=st.data(), everything=st.booleans())
    def the_customer_wants_something_back(self, data: st.DataObject, everything: bool) -> None:
        lines: tuple[LineQuantity, ...] = ()
        if not everything:
            line = data.draw(st.sampled_from(self.world.order.lines))
            lines = (LineQuantity(line.number, data.draw(st.integers(1, line.quantity))),)
        self.told += 1
        self.world.tell(CancelRequested(order_id=ORDER, request_id=f"r{self.told}", lines=lines))

    @rule(hours=st.sampled_from([1, 30, 200, 600]))
    def time_passes(self, hours: int) -> None:
        self.world.wait(hours=hours)

    # What always holds ----------------------------------------------------------------------------

    @invariant()
    def every_unit_is_in_one_state(self) -> None:
        for line in self.world.order.lines:
            counts = [getattr(line, state) for state in STATES]
            assert min(counts) >= 0
            assert sum(counts) == line.quantity
            assert line.delivered + line.lost + line.returned <= line.shipped
            assert min(line.wanted_back, line.owed, line.demanded, line.settled) >= 0

    @invariant()
    def the_books_agree_with_the_order(self) -> None:
        if any(isinstance(message, OrderAllocated) for message in self.world.under_way):
            return  # The order does not know yet what the zone has taken for it.
        for line in self.world.order.lines:
            reserved = self.world.reserved
            queued = reserved[line.number, "soft", None], reserved[line.number, "backordered", None]
            bare = sum(
                own.bare for w in self.world.works() for own in w.lines if own.line == line.number
            )
            assert queued == (line.soft + bare, line.backordered)
            at_nodes = sum(
                n for (number, _, node), n in reserved.items() if number == line.number and node
            )
            here = line.allocated + line.released + line.picked + line.packed
            assert at_nodes + bare == here
            assert self.world.order.stage != "open" or not line.open

    @invariant()
    def nodes_and_order_agree(self) -> None:
        for line in self.world.order.lines:
            left = sum(
                own.left for w in self.world.works() for own in w.lines if own.line == line.number
            )
            assert left == line.released + line.picked + line.packed

    @invariant()
    def every_cent_is_somewhere(self) -> None:
        order = self.world.order
        assert sum(line.payable for line in order.lines) == order.facts.total
        for line in order.lines:
            if line.shipped + line.canceled == line.quantity:
                assert line.shipped_amount + line.canceled_amount == line.payable
        for tender in order.tenders:
            assert min(tender.used, tender.released, tender.debt) >= 0
            assert tender.used + tender.released <= max(tender.granted, tender.asking)
            assert tender.refunding <= tender.used

    @invariant()
    def nothing_is_refused_by_a_process(self) -> None:
        assert not [case for case in self.world.cases if "refuses" in case]
        assert not self.world.held or self.world.order.stage == "checking"

    @invariant()
    def nothing_that_was_asked_for_comes_too_late(self) -> None:
        assert set(self.world.stale) <= MAY_BE_STALE, self.world.stale

    def teardown(self) -> None:
        """In the end everybody does what they should, and the order is closed and square."""
        if not hasattr(self, "world"):
            return
        self._finish()
        order, provider = self.world.order, self.provider
        assert order.stage == "closed", (order, self.world.works(), self.world.effects)
        assert not +self.world.reserved
        assert not provider.baseless
        paid_before = sum(t.granted for t in order.tenders if t.status == "paid")
        billed = any(t.status == "account" for t in order.tenders)
        shipped = sum(line.shipped_amount - line.credited_amount for line in order.lines)
        debt = sum(t.debt for t in order.tenders)
        if not billed:
            assert paid_before + provider.kept + debt == shipped
        assert provider.held <= debt

    def _finish(self) -> None:
        world = self.world
        for _ in range(200):
            if world.order.stage == "closed":
                return
            while world.effects:
                effect = world.effects[0][1]
                world.answer(effect, self._answer(effect, True))
            for hold in sorted(world.holds):
                world.tell(HoldLifted(order_id=ORDER, hold=hold, approved=False))
            for work in world.works():
                self._finish_work(work)
            if not world.effects:
                world.let_zone_answer()
            world.wait(hours=24)
        assert world.order.stage == "closed", world.order

    def _finish_work(self, work: Any) -> None:
        world = self.world
        for recall in list(work.recalls):
            given = (LineQuantity(recall.line, recall.quantity),)
            world.tell(
                RecallAnswered(
                    order_id=ORDER, fulfillment_id=work.id,
                    request_id=recall.request_id, given_back=given,
                ),
                work.id,
            )  # fmt: skip
        if work.stage in ("submitted", "working"):
            self.told += 1
            left = tuple(LineQuantity(x.line, x.left) for x in work.lines if x.left)
            world.tell(
                FulfillmentShipped(
                    order_id=ORDER, fulfillment_id=work.id, shipment_id=f"s{self.told}",
                    shipped_at=world.now,
                    packages=(ShippedPackage(lines=left, tracking=f"t{self.told}"),),
                ),
                work.id,
            )  # fmt: skip
        for package in work.packages:
            if package.status == "on_way":
                world.tell(
                    ShipmentDelivered(
                        order_id=ORDER, fulfillment_id=work.id, shipment_id=package.reference,
                        tracking=package.tracking, delivered_at=world.now,
                    ),
                    work.id,
                )  # fmt: skip


class OrderLife(Life):
    """Any order, from before anybody has looked at it."""

    @initialize(
        quantities=st.lists(st.integers(1, 3), min_size=1, max_size=3),
        price=st.sampled_from([333, 1000, 1]),
        shipping=st.sampled_from([0, 499]),
        discount=st.sampled_from([0, 1]),
        paid=st.sampled_from(["card", "marketplace", "both", "account"]),
        resend=st.booleans(),
        wait_for_stock=st.booleans(),
        stock=st.integers(0, 4),
        unavailable=st.sampled_from([Action.BACKORDER, Action.HOLD, Action.CANCEL]),
        regret=st.sampled_from([0, 0, 1, 9]),
        delay=st.sampled_from(["", "question", "answer"]),
    )
    def place(
        self,
        quantities: list[int],
        price: int,
        shipping: int,
        discount: int,
        paid: str,
        resend: bool,
        wait_for_stock: bool,
        stock: int,
        unavailable: Action,
        regret: int,
        delay: Literal["", "question", "answer"],
    ) -> None:
        """`regret` units of the first line are wanted back before anybody has seen the order."""
        policy = OrderPolicy(
            on_lost_parcel="resend" if resend else "refund",
            on_nothing_available="backorder" if wait_for_stock else "cancel",
            capture_attempts=2,
        )
        lines = range(1, len(quantities) + 1)
        shelves = {node: dict.fromkeys(lines, stock) for node in ("boston", "salem", "lynn")}
        self.world = World(policy, shelves)
        self.world.unavailable = unavailable
        self.world.delay = delay
        self.told = 0
        self.provider = Provider()
        total = price * sum(quantities) + shipping - discount
        half = total // 2
        tenders = {
            "card": (Tender(number=1, amount=total),),
            "marketplace": (Tender(number=1, kind="marketplace", amount=total, paid=True),),
            "both": (
                Tender(number=1, kind="gift_card", amount=half, paid=True),
                Tender(number=2, amount=total - half, order_of_use=2),
            ),
            "account": (),
        }[paid]
        self.world.place(
            an_order(
                *quantities,
                price=price,
                tenders=[t for t in tenders if t.amount] if tenders else tenders,
                total=total,
                charges=(Charge(number=1, kind="shipping", amount=shipping),) if shipping else (),
                adjustments=(
                    (Adjustment(number=1, source="coupon", amount=-discount),) if discount else ()
                ),
            ),
            *[CancelRequested(order_id=ORDER, request_id="r0", lines=(LineQuantity(1, regret),))]
            * bool(regret),
        )

    # Zones ----------------------------------------------------------------------------------------

    @rule(delay=st.sampled_from(["question", "answer"]))
    def the_zone_takes_its_time(self, delay: Literal["question", "answer"]) -> None:
        self.world.delay = delay

    @rule()
    def the_zone_answers(self) -> None:
        self.world.delay = ""
        self.world.let_zone_answer()

    def _hear_the_zone(self) -> None:
        """What follows from what it took comes after its answer."""
        while any(isinstance(message, OrderAllocated) for message in self.world.under_way):
            self.world.let_zone_answer()

    # Nodes ----------------------------------------------------------------------------------------

    @rule(data=st.data())
    def a_node_accepts(self, data: st.DataObject) -> None:
        if work := self._work(data):
            self.world.tell(FulfillmentAccepted(order_id=ORDER, fulfillment_id=work.id), work.id)

    @rule(data=st.data())
    def a_node_declines(self, data: st.DataObject) -> None:
        if work := self._work(data):
            declined = FulfillmentDeclined(order_id=ORDER, fulfillment_id=work.id, reason="busy")
            self.world.tell(declined, work.id)

    @rule(data=st.data())
    def a_node_picks(self, data: st.DataObject) -> None:
        if work := self._work(data):
            picked, short = self._some(data, work), self._some(data, work, 1)
            self.told += 1
            self.world.tell(
                ItemsPicked(
                    order_id=ORDER, fulfillment_id=work.id, pick_id=str(self.told),
                    picked=tuple(LineQuantity(*one) for one in picked.items() if one[1]),
                    short=tuple(ShortLine(*one, "gone") for one in short.items() if one[1]),
                ),
                work.id,
            )  # fmt: skip

    @rule(data=st.data())
    def a_node_packs(self, data: st.DataObject) -> None:
        if work := self._work(data):
            lines = tuple(LineQuantity(*one) for one in self._some(data, work).items() if one[1])
            self.told += 1
            packed = ItemsPacked(
                order_id=ORDER, fulfillment_id=work.id, pack_id=str(self.told), lines=lines
            )
            self.world.tell(packed, work.id)

    # Stock and people -----------------------------------------------------------------------------

    @rule(data=st.data())
    def the_books_lose_a_unit(self, data: st.DataObject) -> None:
        self._hear_the_zone()
        held = [k for k, n in self.world.reserved.items() if n and k[1] == "allocated"]
        if not held:
            return
        line, state, node = data.draw(st.sampled_from(sorted(held, key=str)))
        self.world.reserved[line, state, node] -= 1
        self.world.reserved[line, "soft", None] += 1
        self.world.tell(
            ShortageFound(order_id=ORDER, line=line, quantity=1, node=node or "", reason="count")
        )

    @rule(data=st.data())
    def stock_arrives(self, data: st.DataObject) -> None:
        self._hear_the_zone()
        line = data.draw(st.sampled_from(self.world.order.lines)).number
        self.world.stock.setdefault("salem", {})[line] = (
            self.world.stock.get("salem", {}).get(line, 0) + 2
        )
        waiting = self.world.reserved[line, "backordered", None]
        served = min(2, waiting)
        if served:
            self.world.reserved[line, "backordered", None] -= served
            self.world.reserved[line, "soft", None] += served
            self.world.tell(StockArrived(order_id=ORDER, lines=(LineQuantity(line, served),)))

    @rule(approved=st.booleans())
    def a_person_decides(self, approved: bool) -> None:
        for hold in sorted(self.world.holds):
            self.world.tell(HoldLifted(order_id=ORDER, hold=hold, approved=approved))
            return


class PaymentLife(Life):
    """An order that is authorized and at its nodes: what is left is mostly about money."""

    @initialize(
        quantities=st.lists(st.integers(1, 2), min_size=1, max_size=2),
        cards=st.integers(1, 2),
        resend=st.booleans(),
    )
    def place(self, quantities: list[int], cards: int, resend: bool) -> None:
        policy = OrderPolicy(
            on_lost_parcel="resend" if resend else "refund",
            capture_attempts=3,
            acknowledgement_hours=0,
        )
        shelves = {"boston": {1: 9}, "salem": {2: 9}}
        self.world, self.provider, self.told = World(policy, shelves), Provider(), 0
        total = 1000 * sum(quantities)
        parts = [total] if cards == 1 else [total - 700, 700]
        tenders = [Tender(number=n, amount=part) for n, part in enumerate(parts, start=1)]
        self.world.place(an_order(*quantities, tenders=tenders))
        for effect in self._payments():
            self.world.answer(effect, self._answer(effect, True))


for life in (OrderLife, PaymentLife):
    life.TestCase.settings = settings(
        max_examples=250, stateful_step_count=30, deadline=None, derandomize=True
    )
test_no_unit_and_no_cent_is_lost = OrderLife.TestCase
test_nobody_pays_for_what_did_not_arrive = PaymentLife.TestCase
