"""The publisher: reads the log per shard without a gap, and appends what it tells, in one order.

Any number may run; one at a time publishes. The order across shards is that of recording as far as
one look sees it; the order within a shard, and so within an order, is the log's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog

from crossdock import db
from crossdock.engine import upkeep
from crossdock.engine.upkeep_store import take_turn
from crossdock.events import store
from crossdock.events.store import Told
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import decode
from crossdock.model.events import CheckoutEvent, Event, OrderEvent

log = structlog.get_logger(__name__)

PER_SHARD = 200
"""Entries of one shard that are read in one look."""
IDLE_SECONDS = 0.1
RETRY_SECONDS = 1.0

_pairs = msgspec.msgpack.Decoder(list[tuple[str, msgspec.Raw]]).decode
_json = msgspec.json.Encoder().encode


def publish(connection: db.Connection, per_shard: int = PER_SHARD) -> int:
    """Publish what the log has for it and commit; returns how many entries were looked at.

    0 also while another publishes.
    """
    # Looked at first without a lock: a lock is a write, ten times a second.
    last = store.lock_publisher(connection) if store.is_behind(connection) else None
    entries = store.unread(connection, per_shard) if last is not None else []
    if last is None or not entries:
        connection.rollback()
        return 0
    rows = _rows(connection, entries, last)
    if rows:
        store.append(connection, rows)
    store.save_places(connection, {entry.shard: entry.number for entry in entries if entry.last})
    connection.commit()
    return len(entries)


def _rows(connection: db.Connection, entries: Sequence[Told], last: int) -> list[tuple[Any, ...]]:
    told = [
        (entry, place, event)
        for entry in entries
        if entry.told is not None
        for place, event in enumerate(_events(entry.told))
    ]
    of_orders = {event.order_id for _, _, event in told if isinstance(event, OrderEvent)}
    orders = store.references(connection, sorted(of_orders))
    rows = []
    for sequence, (entry, place, event) in enumerate(told, start=last + 1):
        if isinstance(event, OrderEvent):
            key = event.order_id
            channel, number = orders.get(key, ("", ""))
        else:
            assert isinstance(event, CheckoutEvent), "the log tells of orders and checkouts"
            key = number = event.checkout_id
            channel = event.channel
        rows.append(
            (
                sequence,
                entry.recorded_at,
                entry.occurred_at,
                derive(entry.recorded_at, str(entry.shard), str(entry.number), str(place)),
                key,
                entry.correlation_id,
                entry.message_id,
                event.message_type,
                f"{channel}:{number}",
                channel,
                getattr(event, "node", ""),
                _json(event).decode(),
            )
        )
    return rows


def _events(told: bytes) -> list[Event]:
    events = [decode(name, bytes(body)) for name, body in _pairs(told)]
    assert all(isinstance(event, Event) for event in events), "only public events are told"
    return events  # type: ignore[return-value]


def run(
    connect: Callable[[bool], db.Connection],
    stop: threading.Event,
    then: Callable[[db.Connection], object] = lambda connection: None,
) -> None:
    """Publish until `stop` is set, in this thread; `then` follows each look and commits itself.

    Trouble is waited out.
    """
    connection: db.Connection | None = None
    while not stop.is_set():
        try:
            connection = connection or connect(False)
            looked_at = publish(connection)
            then(connection)
            if not looked_at:
                stop.wait(IDLE_SECONDS)
        except Exception as error:
            log.warning("publishing waits", seconds=RETRY_SECONDS, error=str(error))
            if connection is not None:
                connection.close()
                connection = None
            stop.wait(RETRY_SECONDS)
    if connection is not None:
        connection.close()


def keep_up(connection: db.Connection, now: datetime) -> None:
    """The next months' partitions; the caller commits."""
    if take_turn(connection, "events"):
        upkeep.make_partitions(connection, "published_event", now)
