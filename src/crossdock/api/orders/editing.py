"""From an edit to the message that asks for it, and the rows with the personal data it names.

Names and addresses never travel in messages: an edit writes them to rows of their own, whose ids
are made of the request and of what it says, so that the same request twice is the same message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from crossdock import db
from crossdock.api.orders.model import (
    AddressEdit,
    Destination,
    GroupRead,
    OrderEdit,
    OrderRead,
    Person,
    PersonEdit,
)
from crossdock.engine import inbox
from crossdock.engine.inbox import Inbound, Receipt, Received
from crossdock.kernel.ids import Id, derive
from crossdock.model.checks import Findings
from crossdock.model.messages import EditedGroup, EditedLine, OrderEditRequested
from crossdock.model.outside import OutsideAddress, OutsideParty
from crossdock.model.problems import Problem
from crossdock.model.text import unstorable
from crossdock.ordering import store as ordering_store

T = TypeVar("T")


class Edit(NamedTuple):
    """An edit on its way: the message, and rows that are written if it is new."""

    inbound: Inbound
    parties: Sequence[tuple[Id, OutsideParty]]
    addresses: Sequence[tuple[Id, Id | None, OutsideAddress]]


class Asked(NamedTuple):
    """What an edit says: the message with the rows it names."""

    message: OrderEditRequested
    parties: list[tuple[Id, OutsideParty]]
    addresses: list[tuple[Id, Id | None, OutsideAddress]]


def write_edits(
    connection: db.Connection, edits: Sequence[Edit], now: datetime
) -> Sequence[Receipt]:
    """All edits that wait, in a fixed number of statements."""
    receipts = inbox.receive(connection, [edit.inbound for edit in edits], now)
    new = [e for e, r in zip(edits, receipts, strict=True) if r.result is Received.ACCEPTED]
    parties = {id: party for edit in new for id, party in edit.parties}
    addresses = {row[0]: row for edit in new for row in edit.addresses}
    ordering_store.save_parties(connection, sorted(parties.items(), key=lambda p: p[0]), now)
    ordering_store.save_addresses(connection, list(addresses.values()), now)
    return receipts


def problems_of(edit: OrderEdit, order: OrderRead) -> list[Problem]:
    """Everything that does not fit the order."""
    problems = unstorable(edit)
    found = Findings(problems)
    if edit == OrderEdit():
        found.add("", "nothing_to_edit", "It changes nothing.", "Name a field.")
    if edit.attributes is not UNSET:
        found.attributes(edit.attributes, "")
    lines = {line.number for line in order.lines}
    groups = {group.number for group in order.groups}
    found.distinct([line.number for line in edit.lines], "line", "lines")
    found.distinct([group.number for group in edit.groups], "delivery group", "groups")
    for index, line in enumerate(edit.lines):
        found.reference(line.number, lines, f"lines[{index}].", "number")
        found.attributes(line.attributes, f"lines[{index}].")
    for index, group in enumerate(edit.groups):
        found.reference(group.number, groups, f"groups[{index}].", "number")
    return problems


def asked_of(edit: OrderEdit, order: OrderRead, request_id: str, revision: int) -> Asked:
    """The message an edit is; it fits the order."""
    parties: list[tuple[Id, OutsideParty]] = []
    addresses: list[tuple[Id, Id | None, OutsideAddress]] = []

    def party(role: str, said: PersonEdit | UnsetType, known: Person | None) -> Id | None:
        if said is UNSET:
            return None
        id = _id(order, request_id, role, said)
        parties.append((id, _person(said, known)))
        return id

    def address(group: GroupRead, said: AddressEdit | UnsetType, whose: Id | None) -> Id | None:
        if said is UNSET:
            return None
        id = _id(order, request_id, f"address {group.number}", said)
        recipient = Id(group.recipient.id) if group.recipient is not None else None
        addresses.append((id, whose or recipient, _address(said, group.address)))
        return id

    customer = party("customer", edit.customer, order.customer)
    known = {group.number: group for group in order.groups}
    groups = []
    for one in edit.groups:
        group = known[one.number]
        recipient = party(f"recipient {one.number}", one.recipient, group.recipient)
        place = address(group, one.address, recipient)
        groups.append(EditedGroup(number=one.number, recipient_id=recipient, address_id=place))
    message = OrderEditRequested(
        order_id=order.id,
        request_id=request_id,
        expected_revision=revision,
        customer_id=customer,
        attributes=None if edit.attributes is UNSET else edit.attributes,
        lines=tuple(EditedLine(number=o.number, attributes=o.attributes) for o in edit.lines),
        groups=tuple(groups),
    )
    return Asked(message, parties, addresses)


def _id(order: OrderRead, request_id: str, role: str, said: msgspec.Struct) -> Id:
    content = msgspec.json.encode(said, order="deterministic").decode()
    return derive(order.placed_at, "edit", order.id, request_id, role, content)


def _person(said: PersonEdit, known: Person | None) -> OutsideParty:
    known = known or Person("")
    return OutsideParty(
        name=_or(said.name, known.name),
        company=_or(said.company, known.company),
        email=_or(said.email, known.email),
        phone=_or(said.phone, known.phone),
        language=_or(said.language, known.language),
    )


def _address(said: AddressEdit, known: Destination) -> OutsideAddress:
    return OutsideAddress(
        country=known.country,
        postal_code=known.postal_code,
        lines=_or(said.lines, tuple(known.lines)),
        city=_or(said.city, known.city),
        administrative_area=_or(said.administrative_area, known.administrative_area),
        instructions=_or(said.instructions, known.instructions),
        latitude=known.latitude,
        longitude=known.longitude,
    )


def _or(said: T | UnsetType, known: T) -> T:
    value: Any = known if said is UNSET else said
    return value  # type: ignore[no-any-return]
