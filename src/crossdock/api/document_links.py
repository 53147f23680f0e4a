"""Links of the document: what an operation has made leads to what can be done with it.

By the paths alone: whoever posts to /v1/orders gets an `id`, which /v1/orders/{order} and all below
it take.
"""

from __future__ import annotations

from collections.abc import Iterator

from litestar.openapi.spec import (
    Link,
    OpenAPI,
    OpenAPIResponse,
    Operation,
    PathItem,
    Reference,
    Schema,
)

_METHODS = ("get", "put", "post", "delete", "patch")


def add_links(document: OpenAPI) -> None:
    """In place, once the document has everything else."""
    paths = document.paths or {}
    for path, item in paths.items():
        if item.post is None:
            continue
        targets = list(_below(path, paths))
        for status, answer in (item.post.responses or {}).items():
            if status.startswith("2") and isinstance(answer, OpenAPIResponse):
                where = _where_the_id_is(document, answer)
                if where and targets:
                    answer.links = {
                        str(operation.operation_id): Link(
                            operation_id=operation.operation_id,
                            parameters={parameter: f"$response.body#{where}"},
                        )
                        for parameter, operation in targets
                    }


def _below(path: str, paths: dict[str, PathItem]) -> Iterator[tuple[str, Operation]]:
    """What is done with one of a path's objects: the name of its parameter, and the operation."""
    start = path + "/{"
    for other, item in paths.items():
        if other.startswith(start) and other.count("{") == 1:
            parameter = other[len(start) :].partition("}")[0]
            for method in _METHODS:
                operation = getattr(item, method)
                if operation is not None:
                    yield parameter, operation


def _where_the_id_is(document: OpenAPI, answer: OpenAPIResponse) -> str:
    """`/id`, or in the one object that the answer holds; empty where there is none."""
    for content in (answer.content or {}).values():
        properties = _properties(document, content.schema)
        if "id" in properties:
            return "/id"
        for name, each in properties.items():
            if "id" in _properties(document, each):
                return f"/{name}/id"
    return ""


def _properties(document: OpenAPI, schema: object) -> dict[str, object]:
    if isinstance(schema, Reference):
        schema = (document.components.schemas or {}).get(schema.ref.rpartition("/")[2])
    return dict(schema.properties or {}) if isinstance(schema, Schema) else {}
