"""From what a node tells to the canonical message, under its own name and its key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from crossdock.api.access.caller import Caller
from crossdock.api.idempotency import identity
from crossdock.api.problems import ApiProblem, problem_type
from crossdock.api.tellings import Telling
from crossdock.api.work.model import (
    Acknowledgement,
    Act,
    Decline,
    HandOver,
    Pack,
    Pick,
    RecallAnswer,
    Ship,
    Units,
)
from crossdock.api.work.store import FoundWork
from crossdock.engine.inbox import Inbound
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
    ShippedPackage,
    ShortLine,
)
from crossdock.ordering.model import FULFILLMENT_PROCESS

NOTHING_LEFT = problem_type(
    "nothing_left",
    409,
    "Nothing of the work is left at the node",
    cause="All its units were shipped, given back or found missing before.",
    remedy="Read the work again; name the lines if they left all the same.",
)


class Source(NamedTuple):
    """Who tells, and when it came."""

    caller: Caller
    now: datetime
    key: str | None
    """The Idempotency-Key; it stands in for a number that the node does not give."""


def telling_of(work: FoundWork, act: Act, source: Source) -> Telling:
    """The messages that an act is."""
    name = _name_of(act, source)
    names = [(f"work:{work.id}", name)]
    if source.key is not None:
        names.append(identity(source.caller, "work", source.key, ""))
    at = act.at or source.now
    inbounds = [
        Inbound(
            source=f"work:{work.id}",
            source_id=f"{name}/{message.message_type}",
            message=message,
            to=Address(FULFILLMENT_PROCESS, work.id, work.order_id),
            occurred_at=at,
            actor=source.caller.name,
            correlation_id=work.order_id,
        )
        for message in _MAKERS[type(act)](work, act, name.partition("/")[2], at)
    ]
    content = {"work": work.id, "is": name.partition("/")[0], **msgspec.structs.asdict(act)}
    return Telling(names, content, inbounds, None if inbounds else ApiProblem(NOTHING_LEFT))


def needs_a_name(act: Act) -> str | None:
    """The field that names this act, if it has one and it is not given."""
    field = _NAMED_BY.get(type(act))
    return field if field is not None and getattr(act, field) is None else None


def _name_of(act: Act, source: Source) -> str:
    kind = type(act).__name__.lower()
    field = _NAMED_BY.get(type(act))
    if field is None:
        return kind
    own = getattr(act, field) or source.key
    assert own, "the handler asked for a name"
    # A hand-over is a shipment too, and shares its numbers.
    return f"{'ship' if field == 'shipment_id' else kind}/{own}"


_NAMED_BY = {
    RecallAnswer: "request_id",
    Pick: "pick_id",
    Pack: "pack_id",
    Ship: "shipment_id",
    HandOver: "shipment_id",
}


def _accepted(work: FoundWork, act: Acknowledgement, name: str, at: datetime) -> list[Message]:
    return [FulfillmentAccepted(order_id=work.order_id, fulfillment_id=work.id)]


def _declined(work: FoundWork, act: Decline, name: str, at: datetime) -> list[Message]:
    return [FulfillmentDeclined(order_id=work.order_id, fulfillment_id=work.id, reason=act.reason)]


def _answered(work: FoundWork, act: RecallAnswer, name: str, at: datetime) -> list[Message]:
    return [
        RecallAnswered(
            order_id=work.order_id,
            fulfillment_id=work.id,
            request_id=name,
            given_back=_units(act.given_back),
        )
    ]


def _picked(work: FoundWork, act: Pick, name: str, at: datetime) -> list[Message]:
    return [
        ItemsPicked(
            order_id=work.order_id,
            fulfillment_id=work.id,
            pick_id=name,
            picked=_units(act.picked),
            short=tuple(ShortLine(one.line, one.quantity, one.reason) for one in act.short),
        )
    ]


def _packed(work: FoundWork, act: Pack, name: str, at: datetime) -> list[Message]:
    return [
        ItemsPacked(
            order_id=work.order_id, fulfillment_id=work.id, pack_id=name, lines=_units(act.lines)
        )
    ]


def _shipped(work: FoundWork, act: Ship, name: str, at: datetime) -> list[Message]:
    packages = tuple(
        ShippedPackage(
            lines=_units(one.lines),
            carrier=one.carrier,
            service=one.service,
            tracking=one.tracking,
            weight_grams=one.weight_grams,
        )
        for one in act.packages
    )
    return [_shipment(work, name, packages, at)]


def _handed_over(work: FoundWork, act: HandOver, name: str, at: datetime) -> list[Message]:
    """It left and arrived at once. No messages where nothing is left to be handed over."""
    lines = _units(act.lines) or tuple(LineQuantity(line, n) for line, n in work.lines if n > 0)
    if not lines:
        return []
    delivered = ShipmentDelivered(
        order_id=work.order_id,
        fulfillment_id=work.id,
        shipment_id=name,
        tracking="",
        delivered_at=at,
    )
    return [_shipment(work, name, (ShippedPackage(lines=lines),), at), delivered]


def _shipment(
    work: FoundWork, name: str, packages: tuple[ShippedPackage, ...], at: datetime
) -> FulfillmentShipped:
    return FulfillmentShipped(
        order_id=work.order_id,
        fulfillment_id=work.id,
        shipment_id=name,
        packages=packages,
        shipped_at=at,
    )


def _units(units: Sequence[Units]) -> tuple[LineQuantity, ...]:
    return tuple(LineQuantity(one.line, one.quantity) for one in units)


_MAKERS: dict[type[Act], Callable[[FoundWork, Any, str, datetime], list[Message]]] = {
    Acknowledgement: _accepted,
    Decline: _declined,
    RecallAnswer: _answered,
    Pick: _picked,
    Pack: _packed,
    Ship: _shipped,
    HandOver: _handed_over,
}
