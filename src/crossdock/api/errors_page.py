"""The reference page of the errors, from the catalog."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import crossdock.api
from crossdock.api.problems import CATALOG

_INTRODUCTION = """\
# Errors of the API

Made by `crossdock contracts write` from the API's own catalog: do not edit it by hand.

Every error is a problem document of RFC 9457 (`application/problem+json`). Programs decide by
`code`; `type` is the same as an address (`/problems/<code>` of the API shows it); `errors` names
every field that is wrong, all at once, with its path, a code of its own and what to do.

```json
{
  "type": "/problems/malformed_request",
  "title": "The request cannot be read",
  "status": 400,
  "detail": "lines[0].quantity: Expected `int`, got `str`.",
  "instance": "/v1/orders",
  "code": "malformed_request",
  "errors": [
    {
      "path": "lines[0].quantity",
      "code": "wrong_type",
      "problem": "Expected `int`, got `str`.",
      "advice": "Correct the value."
    }
  ]
}
```

Send a request again after 429 and 503, no sooner than `Retry-After` says; with the same
`Idempotency-Key` that is safe for every write. All other errors stay what they are until the
request is another.
"""


def page() -> str:
    """Every error by status and code, with its cause and remedy."""
    for module in pkgutil.walk_packages(crossdock.api.__path__, "crossdock.api."):
        importlib.import_module(module.name)  # Each registers the problems it tells of.
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "| status | code | title |"
    yield "|---|---|---|"
    problems = sorted(CATALOG.values(), key=lambda one: (one.status, one.code))
    for one in problems:
        yield f"| {one.status} | [`{one.code}`](#{one.code}) | {one.title} |"
    for one in problems:
        yield from ("", f"## {one.code}", "", f"{one.status}: {one.title}.", "")
        yield f"- Cause: {one.cause}"
        yield f"- Remedy: {one.remedy}"
