"""The people at nodes and the carriers of test mode: they do their work as soon as they see it.

They keep nothing in mind: what is to be done next is read from the tables, and each step has a name
of its own, so that two looks at one state are one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from crossdock.api.test_mode import store
from crossdock.api.test_mode.store import OpenParcel, OpenWork
from crossdock.api.test_mode.wishes import (
    DECLINE,
    KEEP,
    LOSE_PARCEL,
    MANUAL,
    NEVER,
    SHORT,
    SILENT,
    wish_for,
)
from crossdock.db import Connection
from crossdock.engine.inbox import Inbound, receive
from crossdock.engine.process import Address
from crossdock.kernel.messages import Message
from crossdock.model.messages import (
    FulfillmentAccepted,
    FulfillmentDeclined,
    FulfillmentShipped,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    RecallAnswered,
    ShipmentDelivered,
    ShipmentLost,
    ShippedPackage,
    ShortLine,
)
from crossdock.ordering.model import FULFILLMENT_PROCESS

SOURCE = "test mode"


def work_once(connection: Connection, now: datetime) -> int:
    """One step for everything that is open; returns how many were new. The caller commits."""
    steps = [step for work in store.open_work(connection) for step in steps_of(work, now)]
    steps += [step for parcel in store.open_parcels(connection) for step in ends_of(parcel, now)]
    receipts = receive(connection, steps, now)
    return sum(bool(receipt.message_id) for receipt in receipts)


def steps_of(work: OpenWork, now: datetime) -> Iterator[Inbound]:
    """What the node does next, as the order wishes."""
    wish = wish_for(work.attributes, "node")
    if wish == MANUAL or (wish == SILENT and work.is_first):
        return
    yield from _answers(work, now, keeps=wish == KEEP)
    if work.acknowledgement == "submitted":
        if wish == DECLINE and work.is_first:
            declined = FulfillmentDeclined(
                order_id=work.order_id, fulfillment_id=work.id, reason="as the order wishes"
            )
            yield _told(work, "decline", declined, now)
        else:
            accepted = FulfillmentAccepted(order_id=work.order_id, fulfillment_id=work.id)
            yield _told(work, "accept", accepted, now)
    elif work.acknowledgement == "accepted":
        yield from _labor(work, now, falls_short=wish == SHORT and work.is_first)


def _labor(work: OpenWork, now: datetime, *, falls_short: bool) -> Iterator[Inbound]:
    """Pick what is there, then pack it, then ship it."""
    left = {line.line: line.quantity - line.short - line.given_back for line in work.lines}
    picked = {line.line: left[line.line] - line.picked for line in work.lines}
    packed = {line.line: line.picked - line.packed for line in work.lines}
    shipped = {line.line: line.packed - line.shipped for line in work.lines}
    if any(units > 0 for units in picked.values()):
        short = {}
        if falls_short and not any(line.short for line in work.lines):
            short = {line: 1 for line, units in picked.items() if units}
        found = {line: units - short.get(line, 0) for line, units in picked.items()}
        name = f"pick/{_sum(work, 'picked')}/{_sum(work, 'short')}"
        message: Message = ItemsPicked(
            order_id=work.order_id,
            fulfillment_id=work.id,
            pick_id=name,
            picked=_quantities(found),
            short=tuple(ShortLine(line, units, "not_in_stock") for line, units in short.items()),
        )
    elif any(units > 0 for units in packed.values()):
        name = f"pack/{_sum(work, 'packed')}"
        message = ItemsPacked(
            order_id=work.order_id, fulfillment_id=work.id, pack_id=name, lines=_quantities(packed)
        )
    elif any(units > 0 for units in shipped.values()):
        name = f"ship/{_sum(work, 'shipped')}"
        tracking = f"TEST{work.id.replace('-', '').upper()[-12:]}{_sum(work, 'shipped')}"
        package = ShippedPackage(
            lines=_quantities(shipped),
            carrier="test",
            service=work.service,
            tracking=tracking,
        )
        message = FulfillmentShipped(
            order_id=work.order_id,
            fulfillment_id=work.id,
            shipment_id=name,
            packages=(package,),
            shipped_at=now,
        )
    else:
        return
    yield _told(work, name, message, now)


def _answers(work: OpenWork, now: datetime, *, keeps: bool) -> Iterator[Inbound]:
    """Recalled units are given back while they are here, unless the order wishes otherwise."""
    for request_id, asked in work.recalls.items():
        answer = RecallAnswered(
            order_id=work.order_id,
            fulfillment_id=work.id,
            request_id=request_id,
            given_back=() if keeps else _quantities(asked),
        )
        yield _told(work, f"recall/{request_id}", answer, now)


def ends_of(parcel: OpenParcel, now: datetime) -> Iterator[Inbound]:
    """What becomes of a parcel on its way."""
    wish = wish_for(parcel.attributes, "carrier")
    if wish == NEVER or wish_for(parcel.attributes, "node") == MANUAL:
        return
    message: Message
    if wish == LOSE_PARCEL and parcel.is_first:
        message = ShipmentLost(
            order_id=parcel.order_id,
            fulfillment_id=parcel.fulfillment_id,
            shipment_id=parcel.reference,
            tracking=parcel.tracking,
        )
    else:
        message = ShipmentDelivered(
            order_id=parcel.order_id,
            fulfillment_id=parcel.fulfillment_id,
            shipment_id=parcel.reference,
            tracking=parcel.tracking,
            delivered_at=now,
        )
    yield Inbound(
        SOURCE,
        f"{parcel.fulfillment_id}/end/{parcel.reference}/{parcel.tracking}",
        message,
        Address(FULFILLMENT_PROCESS, parcel.fulfillment_id, parcel.order_id),
        now,
        "carrier of test mode",
    )


def _told(work: OpenWork, name: str, message: Message, now: datetime) -> Inbound:
    return Inbound(
        SOURCE,
        f"{work.id}/{name}",
        message,
        Address(FULFILLMENT_PROCESS, work.id, work.order_id),
        now,
        f"test staff of {work.node}",
    )


def _sum(work: OpenWork, field: str) -> int:
    return sum(getattr(line, field) for line in work.lines)


def _quantities(units: Mapping[int, int]) -> tuple[LineQuantity, ...]:
    return tuple(LineQuantity(line, n) for line, n in sorted(units.items()) if n > 0)
