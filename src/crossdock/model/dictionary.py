"""The data dictionary in Markdown: every object and message, its fields, a filled example."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from crossdock.model.examples import example_json
from crossdock.model.schemas import Published, description_of, notes_of, structs_in

_INTRODUCTION = """\
# Data dictionary

Made by `crossdock schema dictionary FILE` from the types themselves: do not edit it by hand.

Money is integer minor units of the currency beside it (ISO 4217). Quantities are integers in the
SKU's base unit. Times are RFC 3339 with their zone. Fields without *required* may be left out.
Parts marked *written as a list* are JSON arrays of their fields in the order given here; fields are
only ever appended. JSON Schemas of all of these: `crossdock schema export DIR`.
"""

_WORDS: dict[object, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    datetime: "time",
    date: "date",
    time: "time of day",
    Decimal: "decimal, as text",
    msgspec.Raw: "any JSON",
    type(None): "null",
}


def dictionary(published: Sequence[Published]) -> str:
    """The whole page. The same types give the same text."""
    objects = [one for one in published if not one.is_message]
    messages = [one for one in published if one.is_message]
    named = {one.kind for one in published}
    parts = {part for one in published for part in structs_in(one.kind)} - named
    lines = [_INTRODUCTION, "## Objects", ""]
    for one in objects:
        lines += _entry(one)
    lines += ["## Messages", ""]
    lines += ["Each travels in an envelope (`crossdock.envelope.v1`) as its `data`.", ""]
    for one in messages:
        lines += _entry(one)
    lines += ["## Parts", ""]
    for part in sorted(parts, key=lambda kind: kind.__name__):
        lines += [f"### {part.__name__}", "", _sentence(part), "", *fields_table(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def _entry(one: Published) -> Iterator[str]:
    yield f"### {one.kind.__name__}"
    yield ""
    yield f"`{one.name}` · {one.owner}"
    yield ""
    yield _sentence(one.kind)
    yield ""
    yield from fields_table(one.kind)
    yield ""
    yield "```json"
    yield json.dumps(example_json(one.kind), indent=2, ensure_ascii=False)
    yield "```"
    yield ""


def _sentence(kind: type[msgspec.Struct]) -> str:
    listed = " *Written as a list.*" if kind.__struct_config__.array_like else ""
    return description_of(kind) + listed


def fields_table(kind: type[msgspec.Struct]) -> Iterator[str]:
    """A type's fields as a Markdown table; nothing for one without fields."""
    notes = notes_of(kind)
    fields = msgspec.structs.fields(kind)
    if not fields:
        return
    yield "| field | type | | meaning |"
    yield "|---|---|---|---|"
    config = kind.__struct_config__
    if config.tag is not None:
        yield f"| `{config.tag_field}` | always `{config.tag}` | required | |"
    for field in fields:
        meaning = notes.get(field.name, "").replace("|", "\\|")
        presence = "required" if field.required else ""
        yield f"| `{field.encode_name}` | {_type(field.type)} | {presence} | {meaning} |"


def _type(wanted: Any) -> str:
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in parts)
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin is Annotated:
        return _type(parts[0])
    if origin is dict:
        return f"map of {_type(parts[1])}"
    if origin is tuple and Ellipsis not in parts:
        return "list of " + ", ".join(_type(part) for part in parts)
    if origin is not None:
        return f"list of {_type(parts[0])}"
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return ", ".join(f"`{member.value}`" for member in wanted)
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return f"[{wanted.__name__}](#{wanted.__name__.lower()})"
    return _WORDS.get(wanted, str(wanted))
