"""How values go to PostgreSQL and come back, where the driver's own way is too slow or another."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg.abc import Buffer, DumperKey
from psycopg.adapt import Dumper, Loader, PyFormat
from psycopg.pq import Format
from psycopg.types.array import BaseListDumper, ListBinaryDumper


class _UuidAsText(Loader):
    """Identifiers are text everywhere in Crossdock; PostgreSQL keeps them in 16 bytes."""

    def load(self, data: Buffer) -> str:
        return bytes(data).decode("ascii")


class _BinaryUuidAsText(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return str(UUID(bytes=bytes(data)))


class _Moment(Dumper):
    """A time as text, written once for the many columns and rows of a batch that share it.

    Each takes the driver 2 us, and an order has some thirty.
    """

    oid = psycopg.adapters.types["timestamptz"].oid

    def dump(self, obj: datetime) -> bytes:
        return _text_of(obj)


def _text_of(moment: datetime) -> bytes:
    # Only UTC may be kept, for the two passes of a repeated hour are equal within their zone; and
    # the server takes no offset of 16 hours or more, which RFC 3339 allows.
    if moment.tzinfo is not UTC:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            moment = moment.replace(tzinfo=UTC)  # Hours before the first year, or after the last.
    return _text_of_utc(moment)


@functools.lru_cache(maxsize=10_000)
def _text_of_utc(moment: datetime) -> bytes:
    return str(moment).encode()


class _ArrayLiteral(Dumper):
    """A list of text, whole numbers or times as an array literal of a type that a cast decides.

    Bulk statements pass columns of a thousand values; the driver looks at each by itself, which
    takes five times longer than joining them at once.
    """

    def dump(self, obj: list[Any]) -> bytes:
        kind = type(_first(obj))
        if kind is datetime:
            moments = (b"NULL" if each is None else b'"' + _text_of(each) + b'"' for each in obj)
            return b"{" + b",".join(moments) + b"}"
        if kind is int:
            return ("{" + ",".join(map(str, obj)) + "}").replace("None", "NULL").encode()
        try:
            joined = '","'.join(obj)
        except TypeError:
            joined = '"'  # There are nulls among them.
        # Joining alone makes so many quotes; another one, or a backslash, is a value's own.
        if "\\" in joined or joined.count('"') != 2 * len(obj) - 2:
            return ("{" + ",".join(map(_element, obj)) + "}").encode()
        return ('{"' + joined + '"}').encode()


def _element(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _first(values: list[Any]) -> Any:
    return next((value for value in values if value is not None), None)


_JOINED = (str, int, datetime)


class _Lists(ListBinaryDumper):
    """Hands lists of text, whole numbers and times to _ArrayLiteral, all others to the driver."""

    def get_key(self, obj: list[Any], format: PyFormat) -> DumperKey:
        kind = type(_first(obj))
        return (list, kind) if kind in _JOINED else super().get_key(obj, format)

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        if type(_first(obj)) in _JOINED:
            return cast(BaseListDumper, _ArrayLiteral(list))
        return super().upgrade(obj, format)


def register(connection: psycopg.Connection[Any]) -> None:
    """Let that connection send and read values so."""
    connection.adapters.register_loader("uuid", _UuidAsText)
    connection.adapters.register_loader("uuid", _BinaryUuidAsText)
    connection.adapters.register_dumper(list, _Lists)
    connection.adapters.register_dumper(datetime, _Moment)
