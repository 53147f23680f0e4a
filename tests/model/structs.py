"""Hypothesis strategies for any of our objects, made from the types of their fields."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

_PLAIN: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    int: st.integers(1, 2**40),
    float: st.floats(0, 1),
    bool: st.booleans(),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    time: st.times(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False, places=4),
    type(None): st.none(),
    msgspec.Raw: st.just(msgspec.Raw(b'{"a":1}')),
}


def any_of(wanted: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return st.one_of(*(any_of(part) for part in parts))
    if origin is Literal:
        return st.sampled_from(parts)
    if origin is Annotated:
        return any_of(parts[0])
    if origin is dict:
        return st.dictionaries(any_of(parts[0]), any_of(parts[1]), max_size=2)
    if origin is tuple and Ellipsis not in parts:
        return st.tuples(*(any_of(part) for part in parts))
    if origin is not None:
        return st.lists(any_of(parts[0]), max_size=2).map(tuple)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return st.sampled_from(list(wanted))
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        fields = {field.name: any_of(field.type) for field in msgspec.structs.fields(wanted)}
        return st.builds(wanted, **fields)
    return _PLAIN[wanted]
