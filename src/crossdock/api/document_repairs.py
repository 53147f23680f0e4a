"""What Litestar's document says otherwise than it is, put right; each repair says what it mends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import msgspec
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    Schema,
)

from crossdock.api.problems import PROBLEM_JSON

_METHODS = ("get", "put", "post", "delete", "patch", "head")


def repair(document: OpenAPI) -> None:
    """All repairs, in place; once the document has everything else."""
    strict = _strict_objects()
    for schema in _schemas(document):
        _without_anything(schema)
        if (schema.title, frozenset(schema.properties or ())) in strict:
            schema.additional_properties = False
    for operation in operations(document):
        _errors_are_problems(operation)
        _nothing_is_of_no_type(operation)
        for parameter in operation.parameters or []:
            if isinstance(parameter, Parameter) and isinstance(parameter.schema, Schema):
                _never_null(parameter.schema)


def operations(document: OpenAPI) -> Iterator[Operation]:
    """Every operation of the document."""
    for item in (document.paths or {}).values():
        for method in _METHODS:
            operation = getattr(item, method)
            if isinstance(operation, Operation):
                yield operation


def _without_anything(schema: Schema) -> None:
    """The items of `tuple[X, ...]` are X: the dots are no type, and would allow anything."""
    if isinstance(schema.items, Schema) and schema.items.one_of:
        kinds = [one for one in schema.items.one_of if one != Schema()]
        if len(kinds) == 1:
            schema.items = kinds[0]


def _never_null(schema: Schema) -> None:
    """An optional parameter may be left out; there is no way to send null in a URL."""
    null = Schema(type=OpenAPIType.NULL)
    kinds = [one for one in schema.one_of or () if one != null]
    if len(kinds) == 1 and isinstance(kinds[0], Schema):
        schema.one_of = None
        for field in fields(Schema):
            value = getattr(kinds[0], field.name)
            if value is not None and getattr(schema, field.name) is None:
                setattr(schema, field.name, value)


def _errors_are_problems(operation: Operation) -> None:
    """A parameter that does not fit is told as a problem, not as Litestar would tell it."""
    for status, answer in (operation.responses or {}).items():
        if int(status) < 400 or not isinstance(answer, OpenAPIResponse) or not answer.content:
            continue
        if set(answer.content) != {PROBLEM_JSON}:
            content = next(iter(answer.content.values()))
            content.schema = Reference(ref="#/components/schemas/ProblemDetails")
            content.examples = content.example = None
            answer.content = {PROBLEM_JSON: content}
            answer.description = "`malformed_request`: The request cannot be read"


def _nothing_is_of_no_type(operation: Operation) -> None:
    """An answer without a body has no media type; Litestar would tell of a JSON null."""
    answer = (operation.responses or {}).get("204")
    if isinstance(answer, OpenAPIResponse):
        answer.content = None


def _strict_objects() -> set[tuple[str | None, frozenset[str]]]:
    """The name and fields of every object that refuses fields it does not know."""
    found: set[tuple[str | None, frozenset[str]]] = set()
    kinds = [msgspec.Struct]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__struct_config__.forbid_unknown_fields:
            found.add((kind.__name__, frozenset(kind.__struct_encode_fields__)))
    return found


def _schemas(document: OpenAPI) -> Iterator[Schema]:
    """Every schema, however deep."""
    found: list[Any] = list((document.components.schemas or {}).values())
    for operation in operations(document):
        found += [p.schema for p in operation.parameters or [] if not isinstance(p, Reference)]
        for body in (operation.request_body, *(operation.responses or {}).values()):
            content = getattr(body, "content", None) or {}
            found += [each.schema for each in content.values()]
    while found:
        schema = found.pop()
        if isinstance(schema, Schema):
            yield schema
            found += [schema.items, *(schema.properties or {}).values()]
            found += [*(schema.one_of or ()), *(schema.all_of or ()), *(schema.any_of or ())]
