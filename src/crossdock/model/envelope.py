"""The envelope of whatever enters or leaves: a CloudEvent 1.0 in JSON, with two extensions.

`correlationid` names the business case a message belongs to, `causationid` the message that led to
it. Whoever sends a message again sends the same `source` and `id`: that is what makes it a repeat.
CloudEvents: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import NamedTuple

import msgspec

from crossdock.kernel.messages import Message, former, registered, upcast
from crossdock.model import messages
from crossdock.model.checks import Findings
from crossdock.model.problems import Problem
from crossdock.model.shape import convert, read_json
from crossdock.model.text import unstorable
from crossdock.model.validation import validate

MEDIA_TYPE = "application/cloudevents+json"
SPEC_VERSION = "1.0"
DATA_TYPE = "application/json"


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvent's attributes around a message; attributes nobody knows are let through."""

    specversion: str
    id: str
    """Of this message, unique within its source."""
    source: str
    """Who says so: a URI or a path such as /channels/web."""
    type: str
    """The message's type, `crossdock.<object>.<past participle>.v<N>`."""
    time: datetime | None = None
    """When it happened."""
    subject: str = ""
    """What it is about: an order's number, a node's code."""
    datacontenttype: str = DATA_TYPE
    dataschema: str = ""
    correlationid: str = ""
    causationid: str = ""
    data: msgspec.Raw
    """The message."""


class Received(NamedTuple):
    """An envelope and the message it held; its `data` is not read a second time."""

    envelope: Envelope
    message: Message


def encode(
    message: Message,
    *,
    id: str,
    source: str,
    time: datetime,
    subject: str = "",
    correlation_id: str = "",
    causation_id: str = "",
) -> bytes:
    """A message as it leaves."""
    assert message.message_type, "only registered messages leave"
    return msgspec.json.encode(
        Envelope(
            # Stated although constant: receivers may not know our defaults.
            specversion=SPEC_VERSION,
            id=id,
            source=source,
            type=message.message_type,
            time=time,
            subject=subject,
            dataschema=schema_name(message.message_type),
            correlationid=correlation_id,
            causationid=causation_id,
            data=msgspec.Raw(msgspec.json.encode(message)),
        )
    )


def decode(body: bytes) -> Received | list[Problem]:
    """A message as it came in, checked whole, or everything wrong with it.

    Codes of problems beside those of `validate` and `read_json`: unsupported_version,
    unsupported_content, unknown_type, time_without_zone, bad_key.
    """
    envelope = read_json(body, _decoder())
    if isinstance(envelope, list):
        return envelope
    problems = _attributes(envelope)
    if problems:
        return problems
    message = _message(envelope)
    problems = message if isinstance(message, list) else validate(message)
    if isinstance(message, list) or problems:
        return [msgspec.structs.replace(p, path=_in_data(p.path)) for p in problems]
    return Received(envelope, message)


def _message(envelope: Envelope) -> Message | list[Problem]:
    """The data as a message; of a former version, as the current one."""
    data = bytes(envelope.data)
    if envelope.type not in former():
        return read_json(data, _decoder_of(envelope.type))
    try:
        current, fields = upcast(envelope.type, msgspec.json.decode(data, type=dict))
    except (msgspec.DecodeError, LookupError, TypeError, ValueError) as error:
        problem = f"It is no {envelope.type}: {error!r}."
        return [Problem("", "wrong_type", problem, "Send what that version's schema says.")]
    return convert(fields, registered()[current])


@cache
def border_types() -> frozenset[str]:
    """The message types others may send; what our own parts say to each other never comes in."""
    return frozenset(
        name for name, kind in registered().items() if kind.__module__ == messages.__name__
    )


def schema_name(message_type: str) -> str:
    """The `$id` of a message type's JSON Schema."""
    return f"urn:crossdock:schema:{message_type}"


def _attributes(envelope: Envelope) -> list[Problem]:
    problems = unstorable(msgspec.structs.replace(envelope, data=msgspec.Raw(b"null")))
    found = Findings(problems)
    if envelope.specversion != SPEC_VERSION:
        found.add(
            "specversion",
            "unsupported_version",
            f"CloudEvents {envelope.specversion[:20]!r} is not understood.",
            f"Send {SPEC_VERSION!r}.",
        )
    if envelope.datacontenttype.partition(";")[0].strip().lower() != DATA_TYPE:
        found.add(
            "datacontenttype",
            "unsupported_content",
            f"{envelope.datacontenttype[:60]!r} is not understood.",
            f"Send {DATA_TYPE}.",
        )
    found.key(envelope.id, "", "id")
    found.key(envelope.source, "", "source")
    found.aware(envelope.time, "", "time")
    if former().get(envelope.type, envelope.type) not in border_types():
        found.add(
            "type",
            "unknown_type",
            f"{envelope.type[:100]!r} is no message that others may send.",
            f"Send one of {', '.join(sorted(border_types()))}.",
        )
    return problems


def _in_data(path: str) -> str:
    return f"data.{path}" if path else "data"


@cache
def _decoder() -> msgspec.json.Decoder[Envelope]:
    return msgspec.json.Decoder(Envelope)


@cache
def _decoder_of(message_type: str) -> msgspec.json.Decoder[Message]:
    return msgspec.json.Decoder(registered()[message_type])
