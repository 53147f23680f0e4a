"""Which of the personal data of a repeated order are not those that came first."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from crossdock import db
from crossdock.model.outside import TakenApart
from crossdock.ordering import store

SOME = "customer"
"""Where what came first has been corrected or erased since, nobody can say more."""


def first_difference(connection: db.Connection, taken: TakenApart) -> str:
    """The path of the first field that differs from what is kept, in the sender's words."""
    parties = store.kept_parties(connection, [key for key, _ in taken.parties])
    addresses = store.kept_addresses(connection, [key for key, _, _ in taken.addresses])
    places = {group.address_id: i for i, group in enumerate(taken.order.groups)}
    roles = {group.recipient_id: i for i, group in enumerate(taken.order.groups)}
    for key, party in taken.parties:
        is_customer = key == taken.order.customer_id
        at = "customer" if is_customer else f"groups[{roles[key]}].recipient"
        for field in _differing(party, parties.get(key, {})):
            return f"{at}.{field}"
    for key, _, address in taken.addresses:
        for field in _differing(address, addresses.get(key, {})):
            return f"groups[{places[key]}].address.{field}"
    return SOME


def _differing(new: msgspec.Struct, kept: dict[str, object]) -> Iterator[str]:
    for field, value in msgspec.structs.asdict(new).items():
        if field in kept and kept[field] != (list(value) if isinstance(value, tuple) else value):
            yield field
