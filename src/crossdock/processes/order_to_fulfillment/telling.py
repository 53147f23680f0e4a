"""What the ERP and the customer are told: effects with stable keys, in order per SalesOrder.

And what the world is told: `order.news.told`, which the log takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crossdock.engine.process import Effect
from crossdock.model.effects import ERP, NOTIFICATION, Document, DocumentLine, Notice, SentInstead
from crossdock.model.events import (
    ClosedLine,
    PlacedLine,
    SalesOrderAccepted,
    SalesOrderClosed,
    SalesOrderPlaced,
)
from crossdock.processes.order_to_fulfillment.state import SalesOrderState, Work

Units = Iterable[tuple[int, int, int]]
"""(line, quantity, amount)."""


def post(
    order: SalesOrderState,
    kind: str,
    units: Units,
    amount: int,
    key: str = "",
    shipment_id: str = "",
    node: str = "",
    work: Work | None = None,
) -> Effect:
    """Post a document of that kind; `key` tells several of one kind apart. What has left names
    its `work`, which knows what was sent in place of what was ordered."""
    facts = order.facts
    return Effect(
        connector=ERP,
        operation="post",
        order_key=order.id,
        key=f"{order.id}/{kind}/{key}" if key else f"{order.id}/{kind}",
        payload=Document(
            order_id=order.id,
            kind=kind,
            channel=facts.channel,
            number=facts.number,
            currency=facts.currency,
            amount=amount,
            company=facts.company,
            customer_id=facts.customer_id,
            shipment_id=shipment_id,
            node=node,
            lines=tuple(
                _document_line(number, order.look(number).sku, quantity, money, work)
                for number, quantity, money in units
            ),
        ),
    )


def _document_line(
    number: int, ordered: str, quantity: int, money: int, work: Work | None
) -> DocumentLine:
    sent = work.substitute_for(number) if work is not None else ""
    if not sent:
        return DocumentLine(number, ordered, quantity, money)
    return DocumentLine(number, sent, quantity, money, instead_of=ordered)


def sent_instead(order: SalesOrderState, units: Units, work: Work) -> tuple[SentInstead, ...]:
    """Of what left, what is not what was ordered."""
    sent = ((number, work.substitute_for(number), quantity) for number, quantity, _ in units)
    return tuple(
        SentInstead(number, sku, quantity, order.look(number).sku)
        for number, sku, quantity in sent
        if sku
    )


def tell(
    order: SalesOrderState,
    event: str,
    key: str = "",
    *,
    amount: int = 0,
    tracking: tuple[str, ...] = (),
    substitutes: tuple[SentInstead, ...] = (),
) -> Iterator[Effect]:
    """Tell the customer, where there is one; `key` tells several of one event apart."""
    facts = order.facts
    party = facts.customer_id or order.groups[0].recipient_id
    if party is None:
        return
    yield Effect(
        connector=NOTIFICATION,
        operation="notify",
        order_key=order.id,
        key=f"{order.id}/{event}/{key}" if key else f"{order.id}/{event}",
        payload=Notice(
            order_id=order.id,
            party_id=party,
            event=event,
            channel=facts.channel,
            number=facts.number,
            tracking=tracking,
            amount=amount,
            substitutes=substitutes,
        ),
    )


def announce(order: SalesOrderState) -> Iterator[Effect]:
    """The order is taken: what is left of it by now."""
    lines = [
        (line.number, line.quantity - line.canceled, line.payable - line.canceled_amount)
        for line in order.lines
    ]
    amount = sum(money for _, _, money in lines)
    order.news.told.append(SalesOrderAccepted(order_id=order.id, amount=amount))
    yield post(order, "order", lines, amount)
    yield from tell(order, "confirmed", amount=amount)


def placed(order: SalesOrderState) -> None:
    """The world hears that we have the order."""
    facts = order.facts
    order.news.told.append(
        SalesOrderPlaced(
            order_id=order.id,
            channel=facts.channel,
            number=facts.number,
            placed_at=facts.placed_at,
            currency=facts.currency,
            total=facts.total,
            lines=tuple(PlacedLine(line.number, line.sku, line.quantity) for line in order.lines),
        )
    )


def closed(order: SalesOrderState) -> None:
    """The world hears what became of every unit."""
    order.news.told.append(
        SalesOrderClosed(
            order_id=order.id,
            lines=tuple(
                ClosedLine(
                    line=line.number,
                    quantity=line.quantity,
                    shipped=line.shipped,
                    canceled=line.canceled,
                    delivered=line.delivered,
                    lost=line.lost,
                    returned=line.returned,
                )
                for line in order.lines
            ),
        )
    )
