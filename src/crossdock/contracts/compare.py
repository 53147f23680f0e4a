"""What breaks between two versions of a JSON Schema, as msgspec writes them.

Whoever writes and whoever reads may be of either version. Incoming and stored: the old writes and
the new reads. Outgoing: the new writes and the old reads, who lets unknown fields pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from crossdock.contracts.registry import Direction

Schema = Mapping[str, Any]


class Break(NamedTuple):
    """One change that somebody out there cannot follow."""

    path: str
    problem: str


class Side(NamedTuple):
    """A schema with the whole it is part of, in which its references are looked up."""

    schema: Schema
    whole: Schema

    def at(self, schema: Schema) -> Side:
        """A part of the same whole, with its reference followed."""
        while "$ref" in schema:
            schema = self.whole["$defs"][schema["$ref"].rpartition("/")[2]]
        return Side(schema, self.whole)


def breaks(old: Schema, new: Schema, direction: Direction) -> list[Break]:
    """Every breaking change, each named once, in the order of the old schema's fields."""
    before, after = Side(old, old), Side(new, new)
    found: dict[Break, None] = dict.fromkeys(_removed(before, after, "", set()))
    if direction is not Direction.OUTGOING:
        found |= dict.fromkeys(_refused(before, after, "", set()))
    if direction in (Direction.OUTGOING, Direction.BOTH):
        found |= dict.fromkeys(_refused(after, before, "", set()))
    return list(found)


def _removed(old: Side, new: Side, path: str, seen: set[int]) -> Iterator[Break]:
    """Fields that are gone, or mean something else when they are left out."""
    old, new = old.at(old.schema), new.at(new.schema)
    if id(old.schema) in seen:
        return
    seen.add(id(old.schema))
    former, current = old.schema.get("properties", {}), new.schema.get("properties", {})
    for name, part in former.items():
        where = f"{path}.{name}" if path else name
        if new.schema.get("type") == "object" and name not in current:
            yield Break(where, "the field is gone")
            continue
        other = current.get(name)
        if other is None:
            continue
        if "default" in part and part["default"] != other.get("default", part["default"]):
            yield Break(
                where, f"left out, it means {other['default']!r} instead of {part['default']!r}"
            )
        yield from _removed(old.at(part), new.at(other), where, seen)
    pairs = [*zip(_alternatives(old), _alternatives(new), strict=False)]
    for one, other_one in pairs if "anyOf" in old.schema else ():
        yield from _removed(one, other_one, path, seen)
    for key in ("items", "additionalProperties"):
        mine, theirs = old.schema.get(key), new.schema.get(key)
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
            yield from _removed(old.at(mine), new.at(theirs), f"{path}[]", seen)


def _refused(writer: Side, reader: Side, path: str, seen: set[tuple[int, int]]) -> Iterator[Break]:
    """Why a value that fits `writer` may not fit `reader`."""
    writer, reader = writer.at(writer.schema), reader.at(reader.schema)
    if (id(writer.schema), id(reader.schema)) in seen:
        return
    seen.add((id(writer.schema), id(reader.schema)))
    if "anyOf" in writer.schema or "anyOf" in reader.schema:
        yield from _alternatives_refused(writer, reader, path, seen)
        return
    yield from _type_refused(writer.schema, reader.schema, path)
    yield from _bounds_refused(writer.schema, reader.schema, path)
    yield from _fields_refused(writer, reader, path, seen)
    yield from _items_refused(writer, reader, path, seen)


def _alternatives(side: Side) -> list[Side]:
    return [side.at(one) for one in side.schema.get("anyOf", [side.schema])]


def _alternatives_refused(
    writer: Side, reader: Side, path: str, seen: set[tuple[int, int]]
) -> Iterator[Break]:
    """Each alternative of the writer must fit one of the reader's; the nearest says why not."""
    for one in _alternatives(writer):
        reasons = [list(_refused(one, other, path, set(seen))) for other in _alternatives(reader)]
        if all(reasons):
            yield from min(reasons, key=lambda why: (not _same_type(one, why), len(why)))


def _same_type(one: Side, why: list[Break]) -> bool:
    return not any(reason.problem.startswith("may be of type") for reason in why)


def _type_refused(writer: Schema, reader: Schema, path: str) -> Iterator[Break]:
    wanted, given = reader.get("type"), writer.get("type")
    if wanted is not None and given != wanted and (given, wanted) != ("integer", "number"):
        yield Break(path, f"may be of type {given or 'any'}, where {wanted} is expected")
    for key in ("enum", "const"):
        if key not in reader:
            continue
        allowed = reader["enum"] if key == "enum" else [reader["const"]]
        written = writer.get("enum", [writer["const"]] if "const" in writer else None)
        for value in written if written is not None else ["any value"]:
            if value not in allowed:
                yield Break(path, f"may be {value!r}, which is not among what is expected")
    for key in ("format", "pattern"):
        if key in reader and reader[key] != writer.get(key):
            yield Break(path, f"need not be of the {key} {reader[key]}, which is expected")


_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def _bounds_refused(writer: Schema, reader: Schema, path: str) -> Iterator[Break]:
    for key in (*_LOWER, *_UPPER):
        if key not in reader or (key == "minItems" and "prefixItems" in reader):
            continue
        bound, given = reader[key], writer.get(key)
        if given is None or (given < bound if key in _LOWER else given > bound):
            yield Break(path, f"may go beyond the {key} of {bound}")


def _fields_refused(
    writer: Side, reader: Side, path: str, seen: set[tuple[int, int]]
) -> Iterator[Break]:
    given, wanted = writer.schema.get("properties", {}), reader.schema.get("properties", {})
    for name in reader.schema.get("required", ()):
        if name not in writer.schema.get("required", ()):
            yield Break(f"{path}.{name}" if path else name, "may be missing, and is required")
    for name, part in given.items():
        where = f"{path}.{name}" if path else name
        if name in wanted:
            yield from _refused(writer.at(part), reader.at(wanted[name]), where, seen)
        elif reader.schema.get("additionalProperties") is False:
            yield Break(where, "may be there, and no unknown field is let in")
    mine, theirs = (side.schema.get("additionalProperties") for side in (writer, reader))
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        yield from _refused(writer.at(mine), reader.at(theirs), f"{path}[]", seen)


def _items_refused(
    writer: Side, reader: Side, path: str, seen: set[tuple[int, int]]
) -> Iterator[Break]:
    """Lists; and structs written as lists, whose fields are told by their places."""
    given, wanted = writer.schema.get("prefixItems", ()), reader.schema.get("prefixItems", ())
    most = writer.schema.get("minItems", 0)
    if wanted and reader.schema.get("minItems", 0) > most:
        yield Break(path, f"may have {most} places, where {reader.schema['minItems']} are needed")
    for place, (mine, theirs) in enumerate(zip(given, wanted, strict=False)):
        where = f"{path}[{place}]"
        if mine.get("title") != theirs.get("title"):
            yield Break(where, f"is {mine.get('title')!r}, where {theirs.get('title')!r} was")
        yield from _refused(writer.at(mine), reader.at(theirs), where, seen)
    one, other = (side.schema.get("items") for side in (writer, reader))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        yield from _refused(writer.at(one), reader.at(other), f"{path}[]", seen)
