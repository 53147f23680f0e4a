"""The AsyncAPI 3 document: what Crossdock sends, and what others send to it."""

from __future__ import annotations

from typing import Any

from crossdock import __version__
from crossdock.contracts.files import Contract
from crossdock.contracts.registry import Direction
from crossdock.model.envelope import MEDIA_TYPE

_REF = "#/components/messages/"

_ATTRIBUTES = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time", "subject", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "description": "The same however often it is sent."},
        "source": {"type": "string"},
        "type": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string", "description": "What it is about."},
        "correlationid": {"type": "string", "description": "The business case it belongs to."},
        "causationid": {"type": "string", "description": "The message that led to it."},
        "sequence": {"type": "string", "description": "Its place among all published events."},
        "partitionkey": {"type": "string", "description": "Events of one key come in order."},
    },
}


def document(contracts: list[Contract]) -> dict[str, Any]:
    """The whole document, as plain data; schemas are in it, so that nothing else has to be read."""
    sent = [one for one in contracts if one.direction is Direction.OUTGOING]
    messages = [one for one in contracts if one.kind == "message"]
    taken = [one for one in messages if one.direction is Direction.INCOMING]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Crossdock events and messages",
            "version": __version__,
            "description": "CloudEvents 1.0 in JSON. Events are sent to webhooks as the Standard "
            "Webhooks specification says, and read from GET /v1/events in the same order.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": MEDIA_TYPE,
        "channels": {
            "events": _channel("Published events, in one order.", "the receiver's own URL", sent),
            "messages": _channel("What channels, nodes and carriers tell.", "connectors", taken),
        },
        "operations": {
            "sendEvents": _operation("send", "events", "Send an event to those who want it.", sent),
            "receiveMessages": _operation("receive", "messages", "Take a message in.", taken),
        },
        "components": {
            "messages": {one.name: _message(one) for one in (*sent, *taken)},
            "messageTraits": {"cloudevent": {"contentType": MEDIA_TYPE}},
            "schemas": {
                "attributes": _ATTRIBUTES,
                **{part: schema for one in (*sent, *taken) for part, schema in _schemas(one)},
            },
        },
    }


def _channel(description: str, address: str, contracts: list[Contract]) -> dict[str, Any]:
    return {
        "address": None,
        "title": address,
        "description": description,
        "messages": {one.name: {"$ref": _REF + one.name} for one in contracts},
    }


def _operation(
    action: str, channel: str, summary: str, contracts: list[Contract]
) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{one.name}"} for one in contracts],
    }


def _message(one: Contract) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.schema["title"],
        "summary": one.description.partition("\n")[0],
        "description": f"{one.description}\n\nOwner: {one.owner}. {one.compatibility}",
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "payload": {
            "allOf": [
                {"$ref": "#/components/schemas/attributes"},
                {
                    "type": "object",
                    "properties": {
                        "type": {"const": one.name},
                        "data": {"$ref": f"#/components/schemas/{one.name}"},
                    },
                },
            ]
        },
    }


def _schemas(one: Contract) -> list[tuple[str, Any]]:
    """The schema and its parts; parts are named once, for all that have them."""
    whole = {key: part for key, part in one.schema.items() if key not in ("$schema", "$defs")}
    parts = one.schema.get("$defs", {})
    return [(one.name, _pointed(whole)), *((name, _pointed(part)) for name, part in parts.items())]


def _pointed(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/")
            if key == "$ref"
            else _pointed(value)
            for key, value in schema.items()
        }
    return [_pointed(one) for one in schema] if isinstance(schema, list) else schema
