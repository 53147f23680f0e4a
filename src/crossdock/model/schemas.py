"""JSON Schemas (2020-12) of what Crossdock publishes, made from the types themselves.

What a field means is said once, in the text below it in the source; here it becomes the schema's
`description`.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any, get_args

import msgspec

from crossdock.kernel.messages import Message
from crossdock.model.envelope import schema_name
from crossdock.model.examples import example_json

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """An object or message type that others may rely on."""

    name: str
    """With its version: `crossdock.sales_order.v1`."""
    kind: type[msgspec.Struct]
    owner: str
    """Who says it, or whose data it is."""

    @property
    def is_message(self) -> bool:
        """Whether it travels in an envelope."""
        return issubclass(self.kind, Message)

    @property
    def description(self) -> str:
        """What it is, in a sentence or two."""
        return description_of(self.kind)


def schema_of(published: Published) -> dict[str, Any]:
    """The whole schema of one type, with its parts under `$defs` and a filled example."""
    kind = published.kind
    (top,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    for part in structs_in(kind):
        _describe(parts[part.__name__], part)
    assert top == {"$ref": f"#/$defs/{kind.__name__}"}, f"{kind.__name__} is a whole of parts"
    whole = parts.pop(kind.__name__)
    return {
        "$schema": DIALECT,
        "$id": schema_name(published.name),
        **whole,
        **({"$defs": dict(sorted(parts.items()))} if parts else {}),
        "examples": [example_json(kind)],
    }


def structs_in(kind: type[msgspec.Struct]) -> tuple[type[msgspec.Struct], ...]:
    """The type itself and all structs it is made of, each once, in the order they are met."""
    met: dict[type[msgspec.Struct], None] = {}
    waiting = [kind]
    while waiting:
        one = waiting.pop(0)
        if one not in met:
            met[one] = None
            for field in msgspec.structs.fields(one):
                waiting.extend(_structs_of(field.type))
    return tuple(met)


def description_of(kind: type) -> str:
    """A type's docstring on one line per paragraph."""
    text = inspect.cleandoc(kind.__doc__ or "")
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


@cache
def notes_of(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """What the source says below each field, also of the types it inherits from."""
    notes: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("crossdock."):
            notes.update(_notes_in(base))
    return notes


def _notes_in(kind: type) -> Iterator[tuple[str, str]]:
    for top in _tree(kind.__module__).body:
        if isinstance(top, ast.ClassDef) and top.name == kind.__name__:
            for statement, below in pairwise(top.body):
                if (
                    isinstance(statement, ast.AnnAssign)
                    and isinstance(statement.target, ast.Name)
                    and isinstance(below, ast.Expr)
                    and isinstance(below.value, ast.Constant)
                    and isinstance(below.value.value, str)
                ):
                    yield statement.target.id, " ".join(below.value.value.split())


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))


def _describe(schema: dict[str, Any], kind: type[msgspec.Struct]) -> None:
    schema["description"] = description_of(kind)
    notes = notes_of(kind)
    fields = msgspec.structs.fields(kind)
    if kind.__struct_config__.array_like:
        items = schema.get("prefixItems", [])
        for field, item in zip(fields, items, strict=True):
            item["title"] = field.encode_name
    else:
        items = [schema["properties"][field.encode_name] for field in fields]
    for field, item in zip(fields, items, strict=True):
        if field.name in notes:
            item["description"] = notes[field.name]
        if datetime in (field.type, *get_args(field.type)):
            # msgspec leaves the format out, as Python's times may lack a zone. Ours never do.
            text = next(
                choice for choice in item.get("anyOf", [item]) if choice["type"] == "string"
            )
            text["format"] = "date-time"


def _structs_of(wanted: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        yield wanted
    for part in get_args(wanted):
        yield from _structs_of(part)
