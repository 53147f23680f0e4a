"""Reading JSON into a typed object, with every field that does not fit named at once.

msgspec stops at the first; a person who corrects a file wants to see them all. So the fast way is
tried first, and only what it refuses is walked field by field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

from crossdock.model.problems import Problem

T = TypeVar("T", bound=msgspec.Struct)


def read_json(text: bytes, decoder: msgspec.json.Decoder[T]) -> T | list[Problem]:
    """The object in `text`, or everything that keeps it from being one."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        refused = error
    try:
        document = msgspec.json.decode(text.decode())
    except UnicodeDecodeError as error:
        return [
            Problem("", "not_utf8", f"Byte {error.start + 1} is not UTF-8.", "Save it as UTF-8.")
        ]
    except msgspec.DecodeError as error:
        return [Problem("", "not_json", f"{error}.", "Send one complete JSON object.")]
    return list(_walk(document, decoder.type, "")) or [_leaf(refused, "")]


def convert(document: object, wanted: type[T]) -> T | list[Problem]:
    """The same for what is decoded already, such as a table of a TOML file."""
    try:
        return msgspec.convert(document, wanted)
    except msgspec.ValidationError as error:
        return list(_walk(document, wanted, "")) or [_leaf(error, "")]


def _walk(value: object, wanted: Any, path: str) -> Iterator[Problem]:
    """Down to the deepest values that do not fit."""
    if wanted is msgspec.Raw:
        return  # whatever it is
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        refused = error
    else:
        return
    if get_origin(wanted) in (Union, UnionType):
        # A field that may be null is the only union our objects have.
        wanted = next(choice for choice in get_args(wanted) if choice is not type(None))
    if isinstance(value, Mapping) and _is_object(wanted):
        yield from _in_object(value, wanted, path)
    elif isinstance(value, list) and get_origin(wanted) in (tuple, list):
        for index, item in enumerate(value):
            yield from _walk(item, get_args(wanted)[0], f"{path}[{index}]")
    elif isinstance(value, Mapping) and get_origin(wanted) is dict:
        for key, item in value.items():
            for part, kind in zip((key, item), get_args(wanted), strict=True):
                yield from _walk(part, kind, f"{path}.{key}")
    else:
        yield _leaf(refused, path)


def _is_object(wanted: Any) -> bool:
    return (
        isinstance(wanted, type)
        and issubclass(wanted, msgspec.Struct)
        and not wanted.__struct_config__.array_like
    )


def _in_object(
    value: Mapping[object, object], wanted: type[msgspec.Struct], path: str
) -> Iterator[Problem]:
    fields = msgspec.structs.fields(wanted)
    for field in fields:
        inner = f"{path}.{field.encode_name}" if path else field.encode_name
        if field.encode_name in value:
            yield from _walk(value[field.encode_name], field.type, inner)
        elif field.required:
            yield Problem(inner, "missing", "The field is missing.", "Send it.")
    config = wanted.__struct_config__
    if config.forbid_unknown_fields:
        known = {field.encode_name for field in fields} | {config.tag_field}
        for key in value:
            if key not in known:
                inner = f"{path}.{key}" if path else str(key)
                yield Problem(
                    inner, "unknown_field", "No field has that name.", "Correct it or leave it out."
                )


def _leaf(error: Exception, path: str) -> Problem:
    message, _, deeper = str(error).partition(" - at `$")
    return Problem(
        (path + deeper.rstrip("`")).lstrip("."), "wrong_type", f"{message}.", "Correct the value."
    )
