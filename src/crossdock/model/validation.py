"""What an order or a message must be to come in: pure, and all problems at once.

Nothing here knows a catalog: that a SKU or a node exists is the catalog's to say. An order of two
lines takes some 10 microseconds, so that every order can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from crossdock.kernel.messages import Message
from crossdock.kernel.money import is_currency
from crossdock.kernel.quantity import MAX_QUANTITY
from crossdock.model.checks import FIRST_YEAR, MAX_MINOR, Findings, is_key, is_moment, is_price
from crossdock.model.messages import (
    AddressCorrected,
    CancelRequested,
    FulfillmentShipped,
    InventoryCounted,
    InventoryMoved,
    ItemsPacked,
    ItemsPicked,
    LineQuantity,
    OrderPlaced,
    RecallAnswered,
    ShipmentDelivered,
    ShortLine,
    StockCount,
    StockMove,
)
from crossdock.model.orders import COLLECTED_AT_A_NODE, DeliveryGroup, OrderLine, SalesOrder
from crossdock.model.outside import EPOCH, OutsideOrder, OutsideParty, TakenApart, take_apart
from crossdock.model.problems import Problem
from crossdock.model.text import unstorable

PARTY_KINDS = ("person", "organization")

MAX_MOVES = 5_000
"""Moves or counts of one chunk message."""

HOLDABLE = frozenset(
    (
        "half_a_place",
        "no_pickup_node",
        "no_place_on_earth",
        "tenders_do_not_add_up",
        "total_does_not_add_up",
        "unknown_country",
    )
)
"""Codes of problems a person can settle: such an order can be kept and held. Others cannot be."""


def validate(message: Message) -> list[Problem]:
    """Everything wrong with a message from outside; an empty list lets it in."""
    problems = unstorable(message)
    check = _CHECKS.get(type(message))
    if check is not None:
        check(message, Findings(problems))
    return problems


def validate_order(order: SalesOrder) -> list[Problem]:
    """Everything wrong with an order by itself; an empty list lets it in.

    Its id may be empty where intake gives it one. Totals must add up to the cent: the line totals
    are the channel's, so they are taken as they are and not compared with price times quantity.
    """
    problems = unstorable(order)
    _check_order(order, Findings(problems), "")
    return problems


def validate_outside(outside: OutsideOrder) -> list[Problem]:
    """Everything wrong with an order as the outside writes it, before it is taken apart.

    Paths name the fields of the SalesOrder it becomes; those of a group's address are the group's.
    """
    return examine(outside)[1]


def examine(outside: OutsideOrder) -> tuple[TakenApart | None, list[Problem]]:
    """The order taken apart, and everything wrong with it; None where it cannot be."""
    problems = unstorable(outside)
    found = Findings(problems)
    found.identifier(outside.checkout_id, "", "checkout_id")
    _check_party(outside.customer, found, "customer.")
    for index, group in enumerate(outside.groups):
        _check_party(group.recipient, found, f"groups[{index}].recipient.")
    before = len(problems)
    for index, line in enumerate(outside.lines):
        found.price(line.unit_price, f"lines[{index}].", "unit_price")
    if len(problems) > before:
        return None, problems  # such a price gives no total that could be checked
    readable = outside
    if not is_currency(outside.currency):
        found.currency(outside.currency, "", "currency")
        readable = msgspec.structs.replace(readable, currency="USD")
    if not is_moment(outside.placed_at):
        found.aware(outside.placed_at, "", "placed_at")
        readable = msgspec.structs.replace(readable, placed_at=EPOCH.replace(year=FIRST_YEAR))
    taken = take_apart(readable)
    _check_order(taken.order, found, "")
    return (taken if readable is outside else None), problems


def _check_party(party: OutsideParty | None, found: Findings, at: str) -> None:
    if party is not None and party.kind not in PARTY_KINDS:
        found.add(
            f"{at}kind",
            "unknown_kind",
            f"{party.kind[:40]!r} is no kind of party.",
            f"Send one of {', '.join(PARTY_KINDS)}.",
        )


def _check_order(order: SalesOrder, found: Findings, at: str) -> None:
    _check_head(order, found, at)
    groups = _check_groups(order.groups, found, at)
    lines = _check_lines(order.lines, groups, found, at)
    if len(groups) > 1:
        for number in sorted(groups.difference([line.group for line in order.lines])):
            found.add(
                f"{at}groups",
                "empty_group",
                f"Delivery group {number} has no lines.",
                "Leave the group out, or give a line its number.",
            )
    if order.charges or order.adjustments or order.taxes:
        _check_extras(order, lines, groups, found, at)
    _check_total(order, found, at)
    _check_tenders(order, found, at)
    found.attributes(order.attributes, at)


def _check_head(order: SalesOrder, found: Findings, at: str) -> None:
    found.key(order.channel, at, "channel")
    found.key(order.number, at, "number")
    found.identifier(order.id, at, "id")
    found.identifier(order.customer_id, at, "customer_id")
    found.aware(order.placed_at, at, "placed_at")
    found.currency(order.currency, at, "currency")
    _check_presentment(order, found, at)
    if not 1 <= order.priority <= 5:
        found.add(
            f"{at}priority",
            "bad_priority",
            f"{order.priority} is no priority.",
            "Send 1 (most urgent) to 5.",
        )
    if order.revision < 1:
        found.number(order.revision, at, "revision")


def _check_presentment(order: SalesOrder, found: Findings, at: str) -> None:
    shown = (order.presentment_total, order.exchange_rate, order.exchanged_at)
    if order.presentment_currency:
        found.currency(order.presentment_currency, at, "presentment_currency")
        found.amount(order.presentment_total or 0, at, "presentment_total")
        found.exchange_rate(order.exchange_rate, at, "exchange_rate")
        found.aware(order.exchanged_at, at, "exchanged_at")
    elif shown != (None, None, None):
        found.add(
            f"{at}presentment_currency",
            "no_presentment_currency",
            "There is a presentment total or a rate, but no presentment currency.",
            "Send the currency the customer saw, or leave all of them out.",
        )


def _check_lines(
    lines: Sequence[OrderLine], groups: set[int], found: Findings, at: str
) -> set[int]:
    if not lines:
        found.add(f"{at}lines", "no_lines", "The order has no lines.", "Send at least one.")
    for index, line in enumerate(lines):
        # One expression for the line as it should be; the path is built for others only.
        if not (
            0 < line.quantity <= MAX_QUANTITY
            and 0 <= line.total <= MAX_MINOR
            and 0 < line.number <= MAX_QUANTITY
            and line.group in groups
            and is_key(line.sku)
            and not line.attributes
            and is_price(line.unit_price)
            and (not line.channel_sku or is_key(line.channel_sku))
            and (not line.owner or is_key(line.owner))
        ):
            _check_line(line, groups, found, f"{at}lines[{index}].")
    numbers = [line.number for line in lines]
    found.distinct(numbers, "line", f"{at}lines")
    return set(numbers)


def _check_line(line: OrderLine, groups: set[int], found: Findings, at: str) -> None:
    found.number(line.number, at)
    found.key(line.sku, at, "sku")
    found.quantity(line.quantity, at)
    found.price(line.unit_price, at, "unit_price")
    found.amount(line.total, at, "total")
    found.reference(line.group, groups, at, "group")
    if line.channel_sku:
        found.key(line.channel_sku, at, "channel_sku")
    if line.owner:
        found.key(line.owner, at, "owner")
    found.attributes(line.attributes, at)


def _check_groups(groups: Sequence[DeliveryGroup], found: Findings, at: str) -> set[int]:
    if not groups:
        found.add(
            f"{at}groups",
            "no_groups",
            "The order has no delivery group.",
            "Send at least one: its method and its place.",
        )
    for index, group in enumerate(groups):
        _check_group(group, found, f"{at}groups[{index}].")
    numbers = [group.number for group in groups]
    found.distinct(numbers, "delivery group", f"{at}groups")
    return set(numbers)


def _check_group(group: DeliveryGroup, found: Findings, at: str) -> None:
    found.number(group.number, at)
    found.country(group.country, at)
    found.place(group.latitude, group.longitude, at)
    if group.pickup_node is not None:
        found.key(group.pickup_node, at, "pickup_node")
    elif group.method in COLLECTED_AT_A_NODE:
        found.add(
            f"{at}pickup_node",
            "no_pickup_node",
            f"A group by {group.method.value} names no node.",
            "Send the node where the customer collects it.",
        )
    found.identifier(group.recipient_id, at, "recipient_id")
    found.identifier(group.address_id, at, "address_id")
    found.aware(group.requested_by, at, "requested_by")
    found.aware(group.promised_by, at, "promised_by")


def _check_extras(
    order: SalesOrder, lines: set[int], groups: set[int], found: Findings, at: str
) -> None:
    charges = [charge.number for charge in order.charges]
    found.distinct(charges, "charge", f"{at}charges")
    found.distinct([a.number for a in order.adjustments], "adjustment", f"{at}adjustments")
    found.distinct([tax.number for tax in order.taxes], "tax line", f"{at}taxes")
    for index, charge in enumerate(order.charges):
        here = f"{at}charges[{index}]."
        found.number(charge.number, here)
        found.amount(charge.amount, here)
        found.reference(charge.line, lines, here, "line")
        found.reference(charge.group, groups, here, "group")
    for index, adjustment in enumerate(order.adjustments):
        here = f"{at}adjustments[{index}]."
        found.number(adjustment.number, here)
        found.amount(adjustment.amount, here, least=-MAX_MINOR)
        found.reference(adjustment.line, lines, here, "line")
        found.reference(adjustment.group, groups, here, "group")
    for index, tax in enumerate(order.taxes):
        here = f"{at}taxes[{index}]."
        found.number(tax.number, here)
        found.amount(tax.amount, here, least=-MAX_MINOR)
        found.price(tax.rate, here, "rate")
        found.reference(tax.line, lines, here, "line")
        found.reference(tax.charge, set(charges), here, "charge")


def _check_total(order: SalesOrder, found: Findings, at: str) -> None:
    summed = (
        sum([line.total for line in order.lines])
        + sum([charge.amount for charge in order.charges])
        + sum([adjustment.amount for adjustment in order.adjustments])
        + sum([tax.amount for tax in order.taxes if not tax.included])
    )
    found.amount(order.total, at, "total")
    if summed > MAX_MINOR:
        found.amount(summed, at, "lines")
    if summed != order.total:
        found.add(
            f"{at}total",
            "total_does_not_add_up",
            f"The total is {order.total}; what it is made of comes to {summed}.",
            "Lines, charges, adjustments and added taxes must sum to it, in minor units.",
        )


def _check_tenders(order: SalesOrder, found: Findings, at: str) -> None:
    if not order.tenders:
        return
    found.distinct([tender.number for tender in order.tenders], "tender", f"{at}tenders")
    for index, tender in enumerate(order.tenders):
        if not (0 <= tender.amount <= MAX_MINOR and 0 < tender.number <= MAX_QUANTITY):
            found.amount(tender.amount, f"{at}tenders[{index}].")
            found.number(tender.number, f"{at}tenders[{index}].")
        if not 0 < tender.order_of_use <= MAX_QUANTITY:
            found.number(tender.order_of_use, f"{at}tenders[{index}].", "order_of_use")
    paid = sum([tender.amount for tender in order.tenders])
    if paid < order.total:  # More is fine: only as much is asked for as the order costs.
        found.add(
            f"{at}tenders",
            "tenders_do_not_add_up",
            f"The tenders pay {paid} of {order.total}.",
            "Send every way of paying with its amount, or none at all.",
        )


def _check_placed(message: OrderPlaced, found: Findings) -> None:
    found.identifier(message.checkout_id, "", "checkout_id")
    _check_order(message.order, found, "order.")


def _check_units(
    units: Sequence[LineQuantity | ShortLine], found: Findings, name: str, least: int = 1
) -> None:
    for index, unit in enumerate(units):
        if unit.line < 1 or not least <= unit.quantity <= MAX_QUANTITY:
            found.number(unit.line, f"{name}[{index}].", "line")
            found.quantity(unit.quantity, f"{name}[{index}].", least=least)


def _check_cancel(message: CancelRequested, found: Findings) -> None:
    found.key(message.request_id, "", "request_id")
    _check_units(message.lines, found, "lines")


def _check_corrected(message: AddressCorrected, found: Findings) -> None:
    found.country(message.country, "")
    found.place(message.latitude, message.longitude, "")


def _check_recall(message: RecallAnswered, found: Findings) -> None:
    _check_units(message.given_back, found, "given_back")


def _check_picked(message: ItemsPicked, found: Findings) -> None:
    found.key(message.pick_id, "", "pick_id")
    _check_units(message.picked, found, "picked")
    _check_units(message.short, found, "short")


def _check_packed(message: ItemsPacked, found: Findings) -> None:
    found.key(message.pack_id, "", "pack_id")
    _check_units(message.lines, found, "lines")


def _check_shipped(message: FulfillmentShipped, found: Findings) -> None:
    found.key(message.shipment_id, "", "shipment_id")
    found.aware(message.shipped_at, "", "shipped_at")
    if not message.packages:
        found.add("packages", "no_packages", "Nothing was shipped.", "Send at least one package.")
    for index, package in enumerate(message.packages):
        _check_units(package.lines, found, f"packages[{index}].lines")
        found.quantity(package.weight_grams, f"packages[{index}].", "weight_grams", least=0)


def _check_delivered(message: ShipmentDelivered, found: Findings) -> None:
    found.aware(message.delivered_at, "", "delivered_at")


def _check_moves(message: InventoryMoved, found: Findings) -> None:
    found.key(message.source, "", "source")
    _check_chunk(len(message.moves), found, "moves")
    for index, move in enumerate(message.moves):
        if not (
            0 < move.quantity <= MAX_QUANTITY
            and move.from_bucket != move.to_bucket
            and is_key(move.sku)
            and is_key(move.node)
            and is_key(move.move_id)
            and move.occurred_at.tzinfo is not None
            and _is_lot(move)
        ):
            here = f"moves[{index}]."
            found.quantity(move.quantity, here)
            found.key(move.sku, here, "sku")
            found.key(move.node, here, "node")
            found.key(move.move_id, here, "move_id")
            found.aware(move.occurred_at, here, "occurred_at")
            found.lot(move.lot, move.expires_on, here)
            if move.from_bucket == move.to_bucket:
                found.add(
                    f"{here}to_bucket",
                    "moves_nowhere",
                    f"The units stay in {move.to_bucket!r}.",
                    "Name two buckets.",
                )


def _check_counts(message: InventoryCounted, found: Findings) -> None:
    found.key(message.source, "", "source")
    found.key(message.node, "", "node")
    found.aware(message.as_of, "", "as_of")
    for index, count in enumerate(message.counts):
        if not (0 <= count.quantity <= MAX_QUANTITY and is_key(count.sku) and _is_lot(count)):
            found.quantity(count.quantity, f"counts[{index}].", least=0)
            found.key(count.sku, f"counts[{index}].", "sku")
            found.lot(count.lot, count.expires_on, f"counts[{index}].")
        if count.node != message.node:
            found.add(
                f"counts[{index}].node",
                "foreign_node",
                f"The count of {message.node!r} counts {count.node!r}.",
                "Send one message per node.",
            )


def _is_lot(item: StockMove | StockCount) -> bool:
    return is_key(item.lot) if item.lot else item.expires_on is None


def _check_chunk(length: int, found: Findings, name: str) -> None:
    if not 0 < length <= MAX_MOVES:
        found.add(
            name,
            "bad_chunk",
            f"{length} {name} are no chunk.",
            f"Send 1 to {MAX_MOVES:,} in one message.",
        )


_CHECKS: dict[type[Message], Callable[[Any, Findings], None]] = {
    OrderPlaced: _check_placed,
    CancelRequested: _check_cancel,
    AddressCorrected: _check_corrected,
    RecallAnswered: _check_recall,
    ItemsPicked: _check_picked,
    ItemsPacked: _check_packed,
    FulfillmentShipped: _check_shipped,
    ShipmentDelivered: _check_delivered,
    InventoryMoved: _check_moves,
    InventoryCounted: _check_counts,
}
