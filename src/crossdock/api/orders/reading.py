"""Finding orders: one by any of its names, pages of them by time, or by what changed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge

import msgspec

from crossdock.api.access.caller import Caller
from crossdock.api.orders import store
from crossdock.api.orders.model import (
    Destination,
    GroupRead,
    LineRead,
    MoneyRead,
    OrderRead,
    Person,
    TenderRead,
    TimesRead,
    UnitsRead,
)
from crossdock.api.orders.store import Filter, LogEntry, Street
from crossdock.api.pages import Page, decode_cursor, encode_cursor
from crossdock.api.problems import MALFORMED, NOT_FOUND, ApiProblem
from crossdock.api.references import resolve
from crossdock.api.references_store import our_ids
from crossdock.db import Connection, one_snapshot
from crossdock.kernel.ids import ORDER_SHARDS, is_id
from crossdock.kernel.messages import decode
from crossdock.model.messages import OrderPlaced
from crossdock.model.orders import DeliveryGroup, OrderLine, SalesOrder
from crossdock.model.problems import Problem

FIRST_ID = "00000000-0000-0000-0000-000000000000"
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

OF_CHANGES = "c."
"""A cursor over changes begins with this; one over orders cannot."""

NO_STREET = Street([], "", "", "")

CLOCK_SKEW = timedelta(seconds=10)
"""Workers' clocks may differ by so much: a reader from a time is told rather too much."""


def find_order(connection: Connection, caller: Caller, name: str) -> OrderRead:
    """An order by our id or an external reference. Raises ApiProblem 404."""
    storable = [name] if "\0" not in name else []
    id = resolve(connection, "order", storable, is_id).get(name)
    found = read_order(connection, id) if id is not None and is_id(id) else None
    if found is None or not caller.sees_channel(found.channel):
        raise ApiProblem(NOT_FOUND, f"There is no order {name[:200]!r}.")
    return found


def order_of_number(
    connection: Connection, caller: Caller, channel: str, number: str
) -> Page[OrderRead]:
    """The one order of a channel's number, or none."""
    id = our_ids(connection, "order", [(channel, "", number)]).get((channel, "", number))
    found = read_order(connection, id) if id is not None and is_id(id) else None
    return Page([found] if found is not None and caller.sees_channel(found.channel) else [])


def read_order(connection: Connection, id: str) -> OrderRead | None:
    """An order as it is, also one that is durable and was not looked at yet."""
    for _ in range(2):  # Between the two looks, it may have gone from the one to the other.
        found = store.read_orders(connection, [id]).get(id)
        if found is not None:
            return found
        body = store.waiting_order(connection, id)
        if body is not None:
            placed = decode("crossdock.order.placed.v1", body)
            assert isinstance(placed, OrderPlaced)
            return _received(connection, placed.order)
    return None


def orders_by_time(
    connection: Connection,
    wanted: Filter,
    placed_from: datetime | None,
    placed_before: datetime | None,
    cursor: str | None,
    limit: int,
) -> Page[OrderRead]:
    """Orders by the time they were placed at."""
    after = _id_at(placed_from) if placed_from else FIRST_ID
    if cursor is not None:
        (after,) = decode_cursor(cursor, str)
        if not is_id(after):
            raise _bad_cursor()
    before = _id_at(placed_before) if placed_before else LAST_ID
    with one_snapshot(connection):
        ids = store.order_ids(connection, wanted, after, before, limit + 1)
        shown = ids[:limit]
        orders = store.read_orders(connection, shown)
    items = [orders[id] for id in shown]
    return Page(items, encode_cursor(shown[-1]) if len(ids) > limit else None)


def orders_by_change(
    connection: Connection,
    wanted: Filter,
    since: datetime | None,
    cursor: str | None,
    limit: int,
) -> Page[OrderRead]:
    """Orders that changed, each as it is now. `next` is never empty: ask again later with it.

    The log is read by a place per shard: whatever commits meanwhile, nothing is stepped over.
    """
    if cursor is not None:
        places = _places_of(cursor)
    else:
        assert since is not None, "a list of changes begins somewhere"
        places = store.places_at(connection, since - CLOCK_SKEW)
    with one_snapshot(connection):
        per_shard = max(16, limit // 4)
        entries = store.log_entries(connection, places, per_shard)
        changed = _changed(entries, places, per_shard, limit)
        ids = [id for id in changed if is_id(id)]
        kept = store.wanted_of(connection, wanted, ids)
        orders = store.read_orders(connection, [id for id in ids if id in kept])
    return Page([orders[id] for id in ids if id in orders], _cursor_of(places))


def _changed(
    entries: Sequence[Sequence[LogEntry]], places: list[int], per_shard: int, limit: int
) -> list[str]:
    """At most `limit` orders in the order of change; `places` go on to what was looked at.

    Where a shard's part ends that may have more behind it, so does the page: what comes next in
    time may be there.
    """
    changed: dict[str, None] = {}
    full = {of_shard[-1].shard: of_shard[-1] for of_shard in entries if len(of_shard) == per_shard}
    for entry in merge(*entries, key=lambda e: e.recorded_at):
        if entry.order_id is not None and entry.order_id not in changed:
            if len(changed) == limit:
                break
            changed[entry.order_id] = None
        places[entry.shard] = entry.number
        if full.get(entry.shard) is entry:
            break
    return list(changed)


def is_of_changes(cursor: str | None) -> bool:
    """Whether a cursor follows changes."""
    return cursor is not None and cursor.startswith(OF_CHANGES)


def _cursor_of(places: Sequence[int]) -> str:
    packed = base64.urlsafe_b64encode(msgspec.msgpack.encode(list(places)))
    return OF_CHANGES + packed.decode().rstrip("=")


def _places_of(cursor: str) -> list[int]:
    text = cursor.removeprefix(OF_CHANGES)
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        places = msgspec.msgpack.decode(packed, type=list[int])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise _bad_cursor() from None
    if len(places) != ORDER_SHARDS or not all(0 <= place < 2**62 for place in places):
        raise _bad_cursor()
    return places


def _bad_cursor() -> ApiProblem:
    problem = Problem(
        "cursor", "bad_cursor", "It is no cursor of this list.", "Send `next` as it is."
    )
    return ApiProblem(MALFORMED, errors=[problem])


def _id_at(moment: datetime) -> str:
    """Below every id of an order that was placed at that moment or later."""
    milliseconds = max(0, int(moment.astimezone(UTC).timestamp() * 1000))
    text = f"{min(milliseconds, 2**48 - 1):012x}"
    return f"{text[:8]}-{text[8:]}-0000-0000-000000000000"


def _received(connection: Connection, order: SalesOrder) -> OrderRead:
    """What is known of an order before anybody looked at it."""
    people = [order.customer_id, *(group.recipient_id for group in order.groups)]
    persons = store.persons(connection, [id for id in people if id is not None])
    places = [group.address_id for group in order.groups if group.address_id is not None]
    streets = store.streets(connection, places)
    return OrderRead(
        id=order.id,
        channel=order.channel,
        number=order.number,
        stage="received",
        revision=order.revision,
        placed_at=order.placed_at,
        currency=order.currency,
        total=order.total,
        priority=order.priority,
        brand=order.brand,
        selling_entity=order.selling_entity,
        test=order.test,
        substitutes_allowed=order.substitutes_allowed,
        customer=persons.get(order.customer_id or ""),
        attributes=order.attributes,
        lines=[_line(line) for line in order.lines],
        groups=[
            _group(
                group,
                persons.get(group.recipient_id or ""),
                streets.get(group.address_id or "", NO_STREET),
            )
            for group in order.groups
        ],
        money=_money(order),
        tenders=[
            TenderRead(number=t.number, kind=t.kind, status="unused", amount=t.amount)
            for t in order.tenders
        ],
    )


def _line(line: OrderLine) -> LineRead:
    return LineRead(
        number=line.number,
        sku=line.sku,
        quantity=line.quantity,
        unit_price=line.unit_price,
        total=line.total,
        payable=line.total,
        group=line.group,
        units=UnitsRead(open=line.quantity),
        attributes=line.attributes,
    )


def _group(group: DeliveryGroup, recipient: Person | None, street: Street) -> GroupRead:
    return GroupRead(
        number=group.number,
        method=group.method,
        service=group.service,
        recipient=recipient,
        address=Destination(
            country=group.country,
            postal_code=group.postal_code,
            lines=street.lines,
            city=street.city,
            administrative_area=street.administrative_area,
            instructions=street.instructions,
            latitude=group.latitude,
            longitude=group.longitude,
        ),
        pickup_node=group.pickup_node,
        requested=TimesRead(arrive_by=group.requested_by),
        first=TimesRead(arrive_by=group.promised_by),
    )


def _money(order: SalesOrder) -> list[MoneyRead]:
    found = [
        MoneyRead(part="adjustment", number=a.number, kind=a.source, amount=a.amount, line=a.line,
                  group=a.group)
        for a in order.adjustments
    ]  # fmt: skip
    found += [
        MoneyRead(part="charge", number=c.number, kind=c.kind, amount=c.amount, line=c.line,
                  group=c.group)
        for c in order.charges
    ]  # fmt: skip
    found += [
        MoneyRead(part="tax", number=t.number, kind=t.jurisdiction, amount=t.amount, line=t.line,
                  included=t.included)
        for t in order.taxes
    ]  # fmt: skip
    return found
