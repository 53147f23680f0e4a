"""The door in: messages are deduplicated and durable before anybody is told that we have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
import psycopg

from crossdock.engine import store
from crossdock.engine.process import Address
from crossdock.engine.routing import shard_number
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Message

Connection = psycopg.Connection[Any]

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Inbound(NamedTuple):
    """A message from outside. (source, source_id) names it; the same content may come again."""

    source: str
    source_id: str
    message: Message
    to: Address
    occurred_at: datetime
    actor: str = ""
    correlation_id: str = ""
    """A UUID; the routing id's own when it is not given."""
    apart: bytes = b""
    """What came with the message and is kept elsewhere, as bytes: another one is other content."""


class Received(StrEnum):
    """What became of an inbound message."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    CONFLICT = "conflict"


class Receipt(NamedTuple):
    """ACCEPTED is durable once the caller commits; CONFLICT names the field that differs."""

    result: Received
    message_id: str = ""
    field: str = ""


def receive(
    connection: Connection,
    inbound: Sequence[Inbound],
    now: datetime,
    zones: Mapping[str, int] | None = None,
) -> list[Receipt]:
    """Take messages in, in a fixed number of statements; the caller commits.

    `zones` (zone -> shard) may be passed by callers that have read it already.
    """
    if not inbound:
        return []
    zone_shards = store.zone_shards(connection) if zones is None else zones
    contents = [
        Content(
            item.source,
            item.source_id,
            item.message.message_type,
            _encode(item.message),
            item.apart,
        )
        for item in inbound
    ]
    receipts = take_once(connection, contents, now)
    new = [
        (item, content.body)
        for item, content, receipt in zip(inbound, contents, receipts, strict=True)
        if receipt.result is Received.ACCEPTED
    ]
    ids = iter(_deliver(connection, new, now, zone_shards))
    return [
        Receipt(Received.ACCEPTED, next(ids)) if r.result is Received.ACCEPTED else r
        for r in receipts
    ]


def deliver(
    connection: Connection,
    inbound: Sequence[Inbound],
    now: datetime,
    zones: Mapping[str, int] | None = None,
) -> list[str]:
    """Put messages into the inbox that are known to be new; returns their ids."""
    zone_shards = store.zone_shards(connection) if zones is None else zones
    return _deliver(connection, [(i, _encode(i.message)) for i in inbound], now, zone_shards)


def _deliver(
    connection: Connection,
    new: Sequence[tuple[Inbound, bytes]],
    now: datetime,
    zones: Mapping[str, int],
) -> list[str]:
    ids = [str(derive(now, item.source, item.source_id)) for item, _ in new]
    rows = [
        _row(item, message_id, body, now, zones)
        for (item, body), message_id in zip(new, ids, strict=True)
    ]
    if rows:
        store.copy_rows(connection, f"inbox (shard, {store.MESSAGE_COLUMNS})", rows)
    return ids


APART = "(what is kept apart)"
"""The field of a CONFLICT between messages that differ only in what came with them."""


class Content(NamedTuple):
    """What (source, source_id) stands for. `body` is MessagePack with its keys in order."""

    source: str
    source_id: str
    type: str
    body: bytes
    apart: bytes = b""

    @property
    def hash(self) -> bytes:
        """Of its name, 16 bytes."""
        return blake2b(f"{self.source}\x1f{self.source_id}".encode(), digest_size=16).digest()

    @property
    def fingerprint(self) -> bytes:
        """Of all of it, 16 bytes."""
        return blake2b(self.body + self.apart, digest_size=16).digest()


def content_of(source: str, source_id: str, kind: str, content: object) -> Content:
    """The content of a write that is no message, to be taken once by `take_once`."""
    return Content(source, source_id, kind, _encode(content))


def take_once(connection: Connection, contents: Sequence[Content], now: datetime) -> list[Receipt]:
    """Note contents under their names; ACCEPTED is new, and the caller's to act on.

    In a fixed number of statements; the caller commits. A name that another transaction is just
    noting is waited for.
    """
    hashes = [content.hash for content in contents]
    first: dict[bytes, int] = {}
    for position, hashed in enumerate(hashes):
        first.setdefault(hashed, position)
    new = store.insert_hashes(
        connection,
        [
            (hashed, contents[p].fingerprint, contents[p].type, contents[p].body, now)
            for hashed, p in sorted(first.items())  # One order of locks for all who write here.
        ],
    )
    known = {hashed for hashed in first if hashed not in new}
    stored = store.known_hashes(connection, list(known)) if known else {}
    receipts: list[Receipt] = []
    for position, (hashed, content) in enumerate(zip(hashes, contents, strict=True)):
        if hashed in new and first[hashed] == position:
            receipts.append(Receipt(Received.ACCEPTED))
        elif hashed in new:
            before = contents[first[hashed]]
            receipts.append(_compare(before.fingerprint, before.body, content))
        else:
            fingerprint, _, old_body = stored[hashed]
            receipts.append(_compare(fingerprint, old_body, content))
    return receipts


def kept_bodies(connection: Connection, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    """The bodies noted under those names, as far as they are still kept."""
    found = store.known_hashes(connection, hashes)
    return {hashed: body for hashed, (_, _, body) in found.items() if body is not None}


def forget(connection: Connection, hashes: Sequence[bytes]) -> None:
    """Names under which nothing was done after all may be used again."""
    store.delete_hashes(connection, hashes)


def _row(
    item: Inbound, message_id: str, body: bytes, now: datetime, zones: Mapping[str, int]
) -> tuple[Any, ...]:
    correlation = item.correlation_id or _as_uuid(item.to.route, message_id)
    return (
        shard_number(item.to, zones),
        message_id,
        *item.to,
        item.message.message_type,
        body,
        item.occurred_at,
        now,
        correlation,
        message_id,
        item.actor or item.source,
    )


def _as_uuid(route: str, otherwise: str) -> str:
    return route if len(route) == 36 else otherwise


def _compare(fingerprint: bytes, old_body: bytes | None, content: Content) -> Receipt:
    """REPEATED for the same content, else CONFLICT with the first field that differs."""
    if fingerprint == content.fingerprint:
        return Receipt(Received.REPEATED)
    if old_body is None:
        return Receipt(Received.CONFLICT, field="(the first body is no longer kept)")
    old, new = msgspec.msgpack.decode(old_body), msgspec.msgpack.decode(content.body)
    return Receipt(Received.CONFLICT, field=first_difference(old, new) or APART)


def first_difference(old: object, new: object, path: str = "") -> str:
    """The path of the first field in which two decoded bodies differ; "" when they are equal."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}, key=str):
            found = first_difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)
            if found:
                return found
        return ""
    if isinstance(old, list) and isinstance(new, list):
        for position in range(max(len(old), len(new))):
            pair = [x[position] if position < len(x) else None for x in (old, new)]
            found = first_difference(pair[0], pair[1], f"{path}[{position}]")
            if found:
                return found
        return ""
    return "" if old == new else path or "(body)"
