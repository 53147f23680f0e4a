"""The operations that the OpenAPI document describes, to be asked one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from litestar import Litestar
from litestar.testing import TestClient

from crossdock.api.access.wiring import SECURITY_SCHEME

Client = TestClient[Any]

METHODS = ("get", "put", "post", "delete", "patch", "head")


class Operation(NamedTuple):
    """One operation of the OpenAPI document."""

    method: str
    path: str
    permission: str | None
    example: Any

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def parts(self) -> set[str]:
        """The names in its path."""
        return set(re.findall(r"\{(\w+)\}", self.path))

    def send(self, client: Client, headers: dict[str, str], **parts: str) -> Any:
        """Ask for it; a part of the path that is not given is 1."""
        path = re.sub(r"\{(\w+)\}", lambda part: parts.get(part[1], "1"), self.path)
        body = {} if self.example is None else {"json": self.example}
        return client.request(self.method.upper(), path, headers=headers, **body)


def operations(app: Litestar) -> Iterator[Operation]:
    """All of the document, as an integrator reads it."""
    document = app.openapi_schema.to_schema()
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                security = item[method]["security"]
                [permission] = security[0][SECURITY_SCHEME] if security else [None]
                yield Operation(method, path, permission, _body(item[method], document))


def _body(operation: dict[str, Any], document: dict[str, Any]) -> Any:
    """The example of its JSON body, or the least that its schema takes; None where it has none."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    for example in content.get("examples", {}).values():
        return example["value"]
    return _least(content["schema"], document)


def _least(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _least(document["components"]["schemas"][schema["$ref"].split("/")[-1]], document)
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        return _least(choice, document)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            return {name: _least(schema["properties"][name], document) for name in required}
        case "array":
            return [_least(schema["items"], document)]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "string" if schema.get("format") == "date-time":
            return "2026-11-27T12:00:00Z"
        case "string":
            return "1" * max(1, schema.get("minLength", 1))
    return None
