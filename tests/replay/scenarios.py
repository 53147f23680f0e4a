"""Lives of orders worth keeping on record."""

from __future__ import annotations

from collections.abc import Callable

from crossdock.connectors.fakes import Mood
from crossdock.engine.process import Address
from crossdock.model.effects import PaymentReceived
from crossdock.model.messages import AddressCorrected, OrderEditRequested
from crossdock.model.orders import Tender
from crossdock.model.outside import OutsideAddress
from tests.integration.orders.checkouts import drop, extend, reserve
from tests.integration.orders.shop import BOSTON, CARD, DENVER, PROVIDENCE, Shop


def smooth(shop: Shop) -> None:
    """Two lines, paid by card, everything as it should be."""
    shop.stock(BOSTON, mug=5, jug=5)
    order = shop.place("1", ("mug", 2), ("jug", 1), tenders=[CARD])
    work = shop.work(order)
    shop.accept(work)
    shop.pick(work)
    shop.pack(work)
    [tracking] = shop.ship(work)
    shop.deliver(work, tracking)


def short_pick(shop: Shop) -> None:
    """A unit is not found; another node sends it."""
    shop.stock(BOSTON, mug=3)
    shop.stock(PROVIDENCE, mug=3)
    order = shop.place("1", ("mug", 3))
    shop.pick(shop.work(order), short={1: 1})
    shop.finish(order)


def decline_and_silence(shop: Shop) -> None:
    """One node declines, one never looks; the far one sends it."""
    for node in (BOSTON, PROVIDENCE, DENVER):
        shop.stock(node, mug=1)
    order = shop.place("1", ("mug", 1))
    shop.decline(shop.work(order))
    shop.wait(hours=36)
    shop.finish(order)


def backorder(shop: Shop) -> None:
    """Nothing is there; part arrives, the rest expires."""
    order = shop.place("1", ("mug", 2), tenders=[CARD])
    shop.wait(days=2)
    shop.stock(BOSTON, mug=1)
    shop.finish(order)
    shop.wait(days=30)


def cancellations(shop: Shop) -> None:
    """One unit before the pick, one after it, one on its way, one too late."""
    shop.stock(BOSTON, mug=4)
    order = shop.place("1", ("mug", 4), tenders=[CARD])
    work = shop.work(order)
    shop.cancel(order, (1, 1))
    shop.answer_recalls(work)
    shop.pick(shop.work(order))
    shop.cancel(order, (1, 1))
    shop.answer_recalls(work)
    first, second = shop.ship(shop.work(order), {1: 1}, {1: 1})
    shop.cancel(order, (1, 1))
    for tracking in (first, second):
        if tracking not in shop.carrier.stopped:
            shop.deliver(work, tracking)
    shop.cancel(order, (1, 1))


def payments(shop: Shop) -> None:
    """A declined card, a second one, a capture refused and collected."""
    shop.stock(BOSTON, jug=1)
    declined = Tender(number=1, kind="card", amount=0, reference="declined_card")
    order = shop.place("1", ("jug", 1), tenders=[declined, CARD])
    work = shop.work(order)
    shop.payment.mood = Mood(refuses=1.0)
    [tracking] = shop.ship(work)
    shop.deliver(work, tracking)
    shop.payment.mood = Mood()
    shop.wait(days=1)


def unasked_payments(shop: Shop) -> None:
    """Money for an order that is held for it: too little, and then all of it."""
    shop.stock(BOSTON, jug=1)
    declined = Tender(number=1, kind="card", amount=0, reference="declined_card")
    order = shop.place("1", ("jug", 1), tenders=[declined])
    for number, amount in (("a1", 2999), ("a2", 3000), ("a3", 3000)):
        shop.tell(
            PaymentReceived(
                payment_id=order[:-2] + number,
                provider="bank",
                reference=number,
                amount=amount,
                currency="USD",
            ),
            Address("order-to-fulfillment", order, order),
        )
    shop.finish(order)


def holds(shop: Shop) -> None:
    """An address to correct, a suspicion to decide, one order refused."""
    shop.stock(BOSTON, jug=400)
    order = shop.place("1", ("jug", 350), tenders=[CARD], address=OutsideAddress(country="US"))
    shop.tell_order(AddressCorrected(order_id=order, group=1, country="US", postal_code="02110"))
    shop.lift(order, "suspicion")
    shop.finish(order)
    refused = shop.place("2", ("jug", 350), tenders=[CARD])
    shop.lift(refused, "suspicion", approved=False)


def lost_parcel(shop: Shop) -> None:
    """Lost, sent again, arrived."""
    shop.stock(BOSTON, mug=4)
    order = shop.place("1", ("mug", 2), tenders=[CARD])
    work = shop.work(order)
    [tracking] = shop.ship(work)
    shop.lose(work, tracking)
    shop.finish(order)


def shortage(shop: Shop) -> None:
    """A count finds less than is reserved; another node sends the difference."""
    shop.stock(BOSTON, mug=2)
    shop.stock(PROVIDENCE, mug=2)
    order = shop.place("1", ("mug", 2))
    shop.wait(minutes=5)
    shop.count(BOSTON, mug=1)
    shop.finish(order)


def checkouts(shop: Shop) -> None:
    """One becomes an order, one waits longer and is left, one is dropped, one is not paid for."""
    shop.stock(BOSTON, mug=6)
    bought = reserve(shop, "bought", ("mug", 2))
    left = reserve(shop, "left", ("mug", 2), seconds=60)
    dropped = reserve(shop, "dropped", ("mug", 4))
    extend(shop, left, 120)
    drop(shop, dropped)
    order = shop.place("1", ("mug", 1), checkout_id=bought)
    shop.tell_order(
        OrderEditRequested(
            order_id=order, request_id="e1", expected_revision=1, attributes={"lumen.wrap": "red"}
        )
    )
    shop.tell_order(OrderEditRequested(order_id=order, request_id="e2", expected_revision=1))
    shop.wait(minutes=3)
    unpaid = reserve(shop, "unpaid", ("mug", 1))
    declined = Tender(number=1, kind="card", amount=1250, reference="declined")
    shop.cancel(shop.place("2", ("mug", 1), checkout_id=unpaid, tenders=[declined]))
    shop.finish(order)


def substitutes(shop: Shop) -> None:
    """Jugs go for mugs; one is not found, a tray goes for it, and what waits gets its mug."""
    shop.sell("mug", "jug", "tray")
    shop.stock(BOSTON, jug=2)
    order = shop.place("1", ("mug", 3), tenders=[CARD], substitutes_allowed=True)
    shop.stock(BOSTON, jug=1)
    shop.stock(PROVIDENCE, tray=1)
    shop.pick(shop.work(order), short={1: 1})
    shop.finish(order)
    shop.stock(BOSTON, jug=1)
    waiting = shop.place("2", ("mug", 1), substitutes_allowed=True)
    shop.decline(shop.work(waiting))
    shop.stock(DENVER, mug=1)
    shop.finish(waiting)


SCENARIOS: dict[str, Callable[[Shop], None]] = {
    scenario.__name__: scenario
    for scenario in (
        smooth,
        short_pick,
        decline_and_silence,
        backorder,
        cancellations,
        payments,
        unasked_payments,
        holds,
        lost_parcel,
        shortage,
        checkouts,
        substitutes,
    )
}
