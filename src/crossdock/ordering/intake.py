"""The door for orders: personal data go to their own rows, the order to the inbox, all durable
once the caller commits.

`take_orders` takes whatever can be written down, as files and simulations bring it;
`ordering.door.admit_orders` asks the master data and the channel's policy before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from crossdock import db
from crossdock.engine import inbox
from crossdock.engine.inbox import Inbound
from crossdock.engine.process import Address
from crossdock.model.messages import OrderPlaced
from crossdock.model.outside import TakenApart
from crossdock.model.problems import Problem
from crossdock.ordering import personal, store
from crossdock.ordering.model import ORDER_PROCESS
from crossdock.ordering.rules import flaws_of

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Taken(StrEnum):
    """What became of an order at the door, in order of precedence from the second on."""

    ACCEPTED = "accepted"
    FLAWED = "flawed"
    """It cannot be written down; `reason` says why."""
    NUMBER_TAKEN = "number_taken"
    """The channel used that number for another order; `reason` names the field that differs."""
    REPEATED = "repeated"
    """The same order came before."""
    REFUSED = "refused"
    """By the channel's policy, before anything was written; `problems` say why."""


class OrderReceipt(NamedTuple):
    """Tells a channel what became of its order; `order_id` is ours, also of a repeated one."""

    result: Taken
    order_id: str
    reason: str = ""
    message_id: str = ""
    """Of the message that an accepted order came in as."""
    problems: tuple[Problem, ...] = ()
    """Of an order that was taken: why it will be held."""


def take_orders(
    connection: db.Connection, orders: Sequence[TakenApart], now: datetime
) -> list[OrderReceipt]:
    """Take orders in, in a fixed number of statements; one receipt each, in their order."""
    flaws = [flaws_of(taken.order) for taken in orders]
    sound = [taken for taken, found in zip(orders, flaws, strict=True) if not found]
    receipts = iter(_take_sound(connection, sound, now) if sound else ())
    return [
        OrderReceipt(Taken.FLAWED, taken.order.id, "; ".join(found)) if found else next(receipts)
        for taken, found in zip(orders, flaws, strict=True)
    ]


def _take_sound(
    connection: db.Connection, orders: Sequence[TakenApart], now: datetime
) -> list[OrderReceipt]:
    named = store.name_orders(
        connection, [(t.order.channel, t.order.number, t.order.id) for t in orders]
    )
    ours = [t for t in orders if named[t.order.channel, t.order.number] == t.order.id]
    received = iter(inbox.receive(connection, [_inbound(t) for t in ours], now, zones={}))
    receipts = []
    new: list[TakenApart] = []
    for taken in orders:
        order_id = named[taken.order.channel, taken.order.number]
        if order_id != taken.order.id:
            receipts.append(OrderReceipt(Taken.NUMBER_TAKEN, order_id, "placed_at"))
            continue
        receipt = next(received)
        if receipt.result is inbox.Received.ACCEPTED:
            new.append(taken)
            receipts.append(OrderReceipt(Taken.ACCEPTED, order_id, message_id=receipt.message_id))
        elif receipt.result is inbox.Received.REPEATED:
            receipts.append(OrderReceipt(Taken.REPEATED, order_id))
        else:
            field = receipt.field.removeprefix("order.")
            if field == inbox.APART:
                field = personal.first_difference(connection, taken)
            receipts.append(OrderReceipt(Taken.NUMBER_TAKEN, order_id, field))
    parties = {key: party for taken in new for key, party in taken.parties}
    store.save_parties(connection, sorted(parties.items(), key=lambda item: item[0]), now)
    store.save_addresses(connection, [a for taken in new for a in taken.addresses], now)
    return receipts


def _inbound(taken: TakenApart) -> Inbound:
    order = taken.order
    return Inbound(
        source=order.channel,
        source_id=f"order/{order.number}",
        message=OrderPlaced(order=order, checkout_id=taken.checkout_id),
        to=Address(ORDER_PROCESS, order.id, order.id),
        occurred_at=order.placed_at,
        apart=_encode((taken.parties, taken.addresses)),
    )
