"""A published event, as `GET /v1/events` and webhooks have it: a CloudEvent 1.0 in JSON."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

import msgspec

from crossdock.model.envelope import DATA_TYPE, SPEC_VERSION, schema_name

SOURCE = "/crossdock"


class EventRow(NamedTuple):
    """A published event as a row."""

    sequence: int
    id: str
    type: str
    order_id: str
    subject: str
    occurred_at: datetime
    correlation_id: str
    causation_id: str
    data: str


class PublicEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent. Whoever has seen its `id` may ignore it; ignore attributes you do not know."""

    specversion: str = SPEC_VERSION
    id: str
    source: str = SOURCE
    type: str
    """`crossdock.<object>.<past participle>.v<N>`; docs/reference/messages.md has them all."""
    time: datetime
    """When it happened."""
    subject: str
    """The order as its channel names it: channel:number; channel:id of a checkout, node:sku of a
    level."""
    datacontenttype: str = DATA_TYPE
    dataschema: str
    sequence: str
    """Its place among all published events, a whole number: what `after` takes."""
    partitionkey: str
    """The id of the order, checkout or level: its events come in the order they happened."""
    correlationid: str
    """The business case."""
    causationid: str
    """The message that led to it."""
    data: msgspec.Raw


def public(row: EventRow) -> PublicEvent:
    """The event as the world sees it."""
    return PublicEvent(
        id=row.id,
        type=row.type,
        time=row.occurred_at,
        subject=row.subject,
        dataschema=schema_name(row.type),
        sequence=str(row.sequence),
        partitionkey=row.order_id,
        correlationid=row.correlation_id,
        causationid=row.causation_id,
        data=msgspec.Raw(row.data.encode()),
    )


class Interest(NamedTuple):
    """Which events somebody wants and may see; None stands for all."""

    types: tuple[str, ...] | None = None
    """Event types, or beginnings of them that end in `*`."""
    channels: frozenset[str] | None = None
    nodes: frozenset[str] | None = None
    order_id: str | None = None

    @property
    def patterns(self) -> list[str] | None:
        """The types as patterns of SQL's LIKE."""
        if self.types is None:
            return None
        escaped = (re.sub(r"([\\_%])", r"\\\1", one) for one in self.types)
        return [one[:-1] + "%" if one.endswith("*") else one for one in escaped]
