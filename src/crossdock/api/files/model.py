"""A file's job as it is asked for and shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from crossdock.api.problems import ProblemError
from crossdock.api.work.model import Moment, Word

PART_BYTES = 1 << 20
MOST_BYTES = 4 << 30
"""Of one file as it is sent, compressed or not."""
MOST_REFUSALS = 100_000
"""Rows of one file; with more of them the file is wrong as a whole and the job fails."""

FileKind = Literal["stock", "products", "prices"]


class NewFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that is about to be sent."""

    kind: FileKind
    format: Literal["ndjson", "csv"] = "ndjson"
    compression: Literal["none", "gzip"] = "none"
    name: Word = ""
    """For people."""
    full: bool = False
    """What it does not name is gone: stock of a node it names is zero, products are switched
    off. Prices are never full."""
    source: Word = ""
    """Of stock: the source whose numbers these are."""
    node: Word = ""
    """Of stock: the node of all rows that name none."""
    as_of: Moment | None = None
    """Of stock: when it was counted."""
    sha256: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] = ""
    """Of the file as it is sent; compared before anything is loaded."""


class FileJob(msgspec.Struct, frozen=True, kw_only=True):
    """How far a file has come."""

    id: str
    kind: str
    format: str
    compression: str
    name: str
    full: bool
    source: str
    node: str
    as_of: datetime | None
    status: str
    """receiving, waiting, running, done, failed or canceled."""
    created_at: datetime
    changed_at: datetime
    finished_at: datetime | None
    received_bytes: int
    """Where to go on with an interrupted upload."""
    rows_read: int
    rows_taken: int
    rows_refused: int
    rows_cleared: int
    """Of a full file: what it no longer names, set to zero or switched off."""
    messages_waiting: int
    """Of stock: chunks that are durable and not booked yet."""
    note: str
    """Why it failed, or what else a person should know."""


class RowResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one row; rows count from 1, a header and blank lines do not count."""

    row: int
    status: str
    """taken or refused."""
    key: str = ""
    """Of a refused row."""
    errors: Sequence[ProblemError] = ()
