"""A filled example of any object or message: Ada in Cambridge buys a brass lamp and two bulbs.

Values are made from the names and types of fields, the same every time, so that nothing published
is ever without an example. Orders, whose figures must add up, are written out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from crossdock.kernel.ids import derive
from crossdock.model.envelope import SPEC_VERSION, Envelope, schema_name
from crossdock.model.example_values import BY_NAME, BY_TYPE, NOON, PLACED
from crossdock.model.fulfillment import LineMoney, LineUnits
from crossdock.model.messages import FulfillmentAccepted
from crossdock.model.orders import (
    Adjustment,
    Charge,
    DeliveryGroup,
    OrderLine,
    SalesOrder,
    TaxLine,
    Tender,
)
from crossdock.model.outside import (
    OutsideAddress,
    OutsideGroup,
    OutsideLine,
    OutsideOrder,
    OutsideParty,
)
from crossdock.model.problems import Problem

T = TypeVar("T", bound=msgspec.Struct)

_SAY_NOTHING = (msgspec.NODEFAULT, None, "", 0, 0.0, (), False)


def example_of(kind: type[T]) -> T:
    """The example of an object, message or part of one; every field is filled."""
    write = _WRITTEN.get(kind)
    if write is None:
        return kind(
            **{field.name: _of_field(field, kind) for field in msgspec.structs.fields(kind)}
        )
    written = write()
    assert isinstance(written, kind)
    return written


def example_json(kind: type[msgspec.Struct]) -> object:
    """The example as a JSON value that shows every field, also those that could be left out."""
    return _shown(example_of(kind))


def _shown(value: object) -> object:
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    if isinstance(value, tuple | list):
        return [_shown(item) for item in value]
    if not isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
    fields = {written: _shown(getattr(value, name)) for name, written in names}
    config = value.__struct_config__
    if config.array_like:
        return list(fields.values())
    return {config.tag_field: config.tag, **fields} if config.tag_field else fields


def example_id(kind: str) -> str:
    """The id that the example of that kind has everywhere: `order`, `shipment`, `customer`."""
    kind = {"salesorder": "order", "our": "order", "fulfillmentorder": "fulfillment"}.get(
        kind, kind
    )
    return derive(PLACED, "example", kind)


def _of_field(field: msgspec.structs.FieldInfo, of: type[msgspec.Struct]) -> object:
    said = BY_TYPE.get(of.__name__, {})
    if field.name in said:
        return msgspec.convert(said[field.name], field.type)
    # A default that says something is a better example than a made-up word.
    if field.name not in BY_NAME and field.default not in _SAY_NOTHING:
        return field.default
    return _value(field.name, field.type, of)


def _value(name: str, wanted: Any, of: type[msgspec.Struct]) -> object:
    if name in BY_NAME and _fits(BY_NAME[name], wanted):
        return msgspec.convert(BY_NAME[name], wanted)
    if name == "id":
        return example_id(of.__name__.lower())
    if name.endswith("_id"):
        return example_id(name.removesuffix("_id"))
    return _of_type(wanted, name, of)


def _fits(value: object, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return False
    return True


def _of_type(wanted: Any, name: str, of: type[msgspec.Struct]) -> object:
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        chosen = next(part for part in parts if part is not type(None))
        return _value(name, chosen, of)
    if origin is Literal:
        return parts[0]
    if origin is Annotated:
        return _value(name, parts[0], of)
    if origin is dict:
        return {name: _value(name, parts[1], of)}
    if origin is tuple and Ellipsis not in parts:
        return tuple(_value(name, part, of) for part in parts)
    if origin is not None:
        return (_value(name.removesuffix("s"), parts[0], of),)
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return example_of(wanted)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return next(iter(wanted))
    plain: dict[object, object] = {
        str: name.replace("_", " "),
        int: 1,
        float: 0.06,
        bool: True,
        datetime: NOON,
        date: date(2026, 11, 3),
        time: time(9),
        Decimal: Decimal("89.00"),
    }
    return plain.get(wanted)


def _order() -> SalesOrder:
    rate = Decimal("0.0625")
    return SalesOrder(
        id=example_id("order"),
        channel="web",
        number="W-10041",
        placed_at=PLACED,
        currency="USD",
        total=10_553,
        lines=(
            OrderLine(
                number=1,
                sku="LAMP-BRASS",
                quantity=1,
                unit_price=Decimal("89.00"),
                total=8_900,
                channel_sku="B00LAMP6",
                attributes={"lumen.gift_note": "Happy birthday, Ada"},
            ),
            OrderLine(number=2, sku="BULB-E27", quantity=2, unit_price=Decimal("4.995"), total=999),
        ),
        groups=(
            DeliveryGroup(
                recipient_id=example_id("recipient"),
                address_id=example_id("address"),
                country="US",
                postal_code="02139",
                latitude=42.3647,
                longitude=-71.1042,
                requested_by=NOON + timedelta(days=2),
                promised_by=NOON + timedelta(days=3),
            ),
        ),
        charges=(Charge(number=1, kind="shipping", amount=599, group=1),),
        adjustments=(Adjustment(number=1, source="WELCOME5", amount=-500, line=1),),
        taxes=(
            TaxLine(number=1, jurisdiction="US-MA", rate=rate, amount=525, line=1),
            TaxLine(number=2, jurisdiction="US-MA", rate=rate, amount=30, charge=1),
            TaxLine(number=3, jurisdiction="US-MA", rate=rate, amount=59, line=2, included=True),
        ),
        tenders=(
            Tender(number=1, kind="gift_card", amount=2_000, reference="GC-77", paid=True),
            Tender(number=2, amount=8_553, reference="tok_visa", order_of_use=2),
        ),
        customer_id=example_id("customer"),
        brand="lumen",
        selling_entity="lumen-us",
        presentment_currency="EUR",
        presentment_total=9_733,
        exchange_rate=Decimal("1.0842"),
        exchanged_at=PLACED,
        attributes={"lumen.campaign": "autumn"},
    )


def _outside_order() -> OutsideOrder:
    order = _order()
    return OutsideOrder(
        channel=order.channel,
        number=order.number,
        placed_at=order.placed_at,
        currency=order.currency,
        total=order.total,
        customer=OutsideParty(name="Ada Lovelace", number="C-1815", email="ada@example.com"),
        lines=tuple(
            OutsideLine(
                number=line.number,
                sku=line.sku,
                quantity=line.quantity,
                unit_price=line.unit_price,
                total=line.total,
                channel_sku=line.channel_sku,
                attributes=line.attributes,
            )
            for line in order.lines
        ),
        groups=(
            OutsideGroup(
                address=OutsideAddress(
                    country="US",
                    postal_code="02139",
                    lines=("14 Oak Street",),
                    city="Cambridge",
                    administrative_area="MA",
                    latitude=42.3647,
                    longitude=-71.1042,
                ),
                promised_by=NOON + timedelta(days=3),
            ),
        ),
        charges=order.charges,
        adjustments=order.adjustments,
        taxes=order.taxes,
        tenders=order.tenders,
        brand=order.brand,
        presentment_currency=order.presentment_currency,
        presentment_total=order.presentment_total,
        exchange_rate=order.exchange_rate,
        exchanged_at=order.exchanged_at,
    )


def _envelope() -> Envelope:
    accepted = example_of(FulfillmentAccepted)
    return Envelope(
        specversion=SPEC_VERSION,
        id="ack-9001",
        source="/nodes/S014",
        type=accepted.message_type,
        time=NOON,
        subject="W-10041",
        dataschema=schema_name(accepted.message_type),
        correlationid=example_id("order"),
        causationid=example_id("fulfillment"),
        data=msgspec.Raw(msgspec.json.encode(accepted)),
    )


def _problem() -> Problem:
    return Problem(
        "lines[0].quantity",
        "bad_quantity",
        "0 is no quantity here.",
        "Send 1 to 2,147,483,647.",
    )


def _line_units() -> LineUnits:
    return LineUnits(line=2, quantity=4, released=1, shipped=2, canceled=1, delivered=1)


def _line_money() -> LineMoney:
    return LineMoney(line=1, total=8_900, charges=525, adjustments=-500, taxes=551, payable=9_476)


_WRITTEN: dict[type[msgspec.Struct], Callable[[], msgspec.Struct]] = {
    SalesOrder: _order,
    OutsideOrder: _outside_order,
    Envelope: _envelope,
    Problem: _problem,
    LineUnits: _line_units,
    LineMoney: _line_money,
}
