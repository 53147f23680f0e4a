"""The operations that the OpenAPI document describes, to be asked one by one."""

from __future__ import annotations

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
    description: str
    example: Any
    fitting: dict[str, str]
    """A value that fits, for each part of its path."""

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def parts(self) -> set[str]:
        """The names in its path."""
        return set(self.fitting)

    def send(self, client: Client, headers: dict[str, str], **parts: str) -> Any:
        """Ask for it, with other parts of the path where they are given."""
        path = self.path.format(**{**self.fitting, **parts})
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
                fitting = {
                    one["name"]: str(_least(one["schema"], document))
                    for one in item[method].get("parameters", ())
                    if one["in"] == "path"
                }
                body = _body(item[method], document)
                description = item[method].get("description", "")
                yield Operation(method, path, permission, description, body, fitting)


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
        case "string" if schema.get("format") == "uuid":
            return "00000000-0000-8000-8000-000000000000"
        case "string":
            return "1" * max(1, schema.get("minLength", 1))
    return None
