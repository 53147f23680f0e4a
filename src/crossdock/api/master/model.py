"""What is answered to who writes master data, and references to other systems."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.api.problems import ProblemError
from crossdock.api.work.model import Key, Word

MOST_RECORDS = 2_000

Records = Annotated[tuple[dict[str, object], ...], Meta(min_length=1, max_length=MOST_RECORDS)]
"""Records, whole or in part: a field that is not sent stays as it is."""


class RecordResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one record."""

    index: int
    key: str
    status: str
    """changed, unchanged or refused."""
    errors: Sequence[ProblemError] = ()


class RecordResults(msgspec.Struct, frozen=True):
    """One result for each record, in their order."""

    changed: int
    refused: int
    results: Sequence[RecordResult]


ReferenceKind = Literal["customer", "node", "product", "fulfillment"]


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What another system calls a thing of ours. Unique both ways, for each system and company."""

    system: Key
    company: Word = ""
    kind: ReferenceKind
    external_id: Key
    our_id: Key
    """A customer's, node's, product's or FulfillmentOrder's id here."""


class ReferenceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A reference, and when it was made or changed."""

    system: str
    company: str
    kind: str
    external_id: str
    our_id: str
    changed_at: datetime
