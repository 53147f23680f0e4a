"""The readable reference of messages: what is sent, what is taken, and what is only kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from crossdock.contracts.registry import RULES, Direction, direction_of
from crossdock.model.dictionary import fields_table
from crossdock.model.examples import example_json
from crossdock.model.schemas import Published, description_of, structs_in

_INTRODUCTION = """\
# Messages and events

Made by `crossdock contracts write` from the types themselves: do not edit it by hand.

Everything that enters or leaves is a [CloudEvent](https://cloudevents.io) 1.0 in JSON, and `data`
is what this page describes. A type's name ends in its version; no version breaks its rule: each
change is checked against the last release (`crossdock contracts check`). JSON Schemas are in
`contracts/`, the [AsyncAPI](asyncapi.json) document holds all that crosses the border, and the
[data dictionary](data-dictionary.md) explains every field of every object.
"""

_EVENT = """\
An event as `GET /v1/events` and webhooks have it:

```json
%s
```

| attribute | meaning |
|---|---|
| `id` | the same however often it is sent: whoever has seen it ignores it |
| `time` | when it happened |
| `subject` | the order as its channel names it, `channel:number` |
| `sequence` | its place among all published events; `GET /v1/events?after=` takes it |
| `partitionkey` | the order's, checkout's or level's id: its events come as they happened |
| `correlationid`, `causationid` | the business case, and the message that led to it |
"""

_SECTIONS = (
    (Direction.OUTGOING, "## Events that Crossdock publishes"),
    (Direction.INCOMING, "## Messages that others send"),
    (Direction.INTERNAL, "## Messages that stay inside"),
)


def page(published: Sequence[Published]) -> str:
    """The whole page. The same types give the same text."""
    return "\n".join(_lines(published)).rstrip() + "\n"


def _lines(published: Sequence[Published]) -> Iterator[str]:
    yield _INTRODUCTION
    messages = [one for one in published if one.is_message]
    for direction, title in _SECTIONS:
        these = [one for one in messages if direction_of(one) is direction]
        yield from (title, "", f"Rule: {RULES[direction]}", "")
        if direction is Direction.OUTGOING:
            yield _EVENT % json.dumps(_envelope(these), indent=2, ensure_ascii=False)
        if direction is Direction.INTERNAL:
            yield from _table(these)
        else:
            yield from _table(these)
            for one in these:
                yield from _entry(one)
    yield from _parts([one for one in messages if direction_of(one) is not Direction.INTERNAL])


def _table(messages: Sequence[Published]) -> Iterator[str]:
    yield "| type | owner | |"
    yield "|---|---|---|"
    for one in messages:
        yield f"| `{one.name}` | {one.owner} | {description_of(one.kind).partition(chr(10))[0]} |"
    yield ""


def _entry(one: Published) -> Iterator[str]:
    yield from (f"### {one.name}", "", one.description, "")
    yield from fields_table(one.kind)
    yield from ("", "```json", json.dumps(example_json(one.kind), ensure_ascii=False), "```", "")


def _parts(messages: Sequence[Published]) -> Iterator[str]:
    """Parts of messages alone; those of orders are in the data dictionary."""
    parts = {part for one in messages for part in structs_in(one.kind)[1:]}
    yield from ("## Parts", "")
    for part in sorted(parts, key=lambda kind: kind.__name__):
        if part.__module__.endswith((".messages", ".events")):
            listed = " *Written as a list.*" if part.__struct_config__.array_like else ""
            yield from (f"### {part.__name__}", "", description_of(part) + listed, "")
            yield from (*fields_table(part), "")


def _envelope(events: Sequence[Published]) -> dict[str, object]:
    shown = next(one for one in events if one.name == "crossdock.package.delivered.v1")
    data = example_json(shown.kind)
    assert isinstance(data, dict)
    return {
        "specversion": "1.0",
        "id": "019a61c2-7b40-8c1f-9d2e-5a0b1c2d3e4f",
        "source": "/crossdock",
        "type": shown.name,
        "time": data["delivered_at"],
        "subject": "web:W-10041",
        "datacontenttype": "application/json",
        "dataschema": f"urn:crossdock:schema:{shown.name}",
        "sequence": "4711",
        "partitionkey": data["order_id"],
        "correlationid": data["order_id"],
        "causationid": "019a61c2-7b3f-8a00-b111-0123456789ab",
        "data": data,
    }
