"""What a batch writes, as rows: a function for each table, in the order of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from crossdock.engine.capability import Delivery
from crossdock.engine.process import Effect, OpenCase, StartTimer
from crossdock.engine.routing import shard_number
from crossdock.kernel.ids import derive
from crossdock.kernel.messages import Message, encode

LOG_COLUMNS = (
    "shard, number, process, instance, activity, occurred_at, recorded_at, actor, message_id,"
    " correlation_id, causation_id, objects, told"
)
OUTBOX_COLUMNS = (
    "id, connector, operation, order_key, key, payload, process, instance, route,"
    " correlation_id, causation_id, created_at, available_at"
)
CASE_COLUMNS = "id, kind, subject, detail, priority, process, instance, correlation_id, opened_at"
PROCESS_COLUMNS = (
    "id, process, shard, version, stage, parked, holding, opened_at, changed_at, state"
)

Row = tuple[Any, ...]

_encode = msgspec.msgpack.Encoder().encode


def message(delivery: Delivery, zones: Mapping[str, int], now: datetime) -> Row:
    """Of the inbox, and of messages that are held."""
    to = delivery.to
    return (
        shard_number(to, zones),
        delivery.id,
        to.process,
        to.instance,
        to.route,
        delivery.message.message_type,
        encode(delivery.message),
        delivery.occurred_at,
        now,
        delivery.correlation_id,
        delivery.causation_id,
        delivery.actor,
    )


def log_entry(
    delivery: Delivery,
    shard: int,
    number: int,
    activity: str,
    objects: Sequence[str],
    told: Sequence[Message],
    now: datetime,
) -> Row:
    """Of the event log."""
    return (
        shard,
        number,
        delivery.to.process,
        delivery.to.instance,
        activity,
        delivery.occurred_at,
        now,
        delivery.actor or delivery.to.process,
        delivery.id,
        delivery.correlation_id,
        delivery.causation_id,
        "{" + ",".join(objects) + "}",
        _encode([(one.message_type, one) for one in told]) if told else None,
    )


def effect(wanted: Effect, cause: Delivery, now: datetime) -> Row:
    """Of the outbox."""
    return (
        derive(now, wanted.connector, wanted.key),
        wanted.connector,
        wanted.operation,
        wanted.order_key,
        wanted.key,
        _encode(wanted.payload),
        *cause.to,
        cause.correlation_id,
        cause.id,
        now,
        now,
    )


def timer(started: StartTimer, cause: Delivery, zones: Mapping[str, int]) -> Row:
    """Of the timers."""
    return (
        cause.to.instance,
        started.name,
        cause.to.process,
        cause.to.route,
        shard_number(cause.to, zones),
        started.due,
        started.message.message_type,
        encode(started.message),
        cause.correlation_id,
        cause.id,
    )


def case(opened: OpenCase, cause: Delivery, position: int, now: datetime) -> Row:
    """Of the cases; `position` tells several of one cause apart."""
    return (
        derive(now, "case", cause.id, opened.kind, str(position)),
        opened.kind,
        opened.subject,
        opened.detail,
        opened.priority,
        cause.to.process,
        cause.to.instance,
        cause.correlation_id,
        now,
    )
