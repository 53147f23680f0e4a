"""People and places, the only objects with personal data; what other systems call our things."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class PartyKind(StrEnum):
    """Who a party is."""

    PERSON = "person"
    ORGANIZATION = "organization"


class Party(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer or recipient. Everything else carries the id alone; erasing empties the rest."""

    id: str
    kind: PartyKind = PartyKind.PERSON
    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    language: str = ""
    """BCP 47, such as en-US."""
    recorded_at: datetime
    erased_at: datetime | None = None


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A street address. What decisions need of it is copied to the delivery group."""

    id: str
    party_id: str | None = None
    lines: tuple[str, ...] = ()
    city: str = ""
    administrative_area: str = ""
    postal_code: str = ""
    country: str
    """ISO 3166-1 alpha-2."""
    instructions: str = ""
    """For who delivers: `ring twice`."""
    recorded_at: datetime
    erased_at: datetime | None = None


class ExternalRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a system calls a thing of ours; unique both ways. Every look-up accepts one."""

    system: str
    """shopify, sap, ups ..."""
    company: str = ""
    """The system's own division, where the same number names different things."""
    kind: str
    """order, customer, invoice, shipment ..."""
    external_id: str
    our_id: str
