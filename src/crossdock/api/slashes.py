"""Slashes within a name: `%2F` in a path is part of a SKU, number or reference, not a separator.

A server decodes the path before anybody routes it, which makes the two the same. So the path is
decoded anew from its bytes, with a stand-in for each such slash until the route is found.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from litestar.types import HTTPScope

_STAND_IN = "\uffff"
"""No character: nothing that can be printed, and so no name, has it."""

_encoded = re.compile(rb"%2[fF]")


def keep(scope: HTTPScope) -> None:
    """Before the route is looked for: put the stand-in where the path has an encoded slash."""
    raw = scope.get("raw_path") or b""  # Which a server may leave out.
    if b"%2" in raw and _encoded.search(raw):
        parts = _encoded.split(raw.partition(b"?")[0])
        scope["path"] = _STAND_IN.join(unquote(part.decode("latin-1")) for part in parts)


def restore(scope: HTTPScope) -> None:
    """Once the route is found: make it a slash again, in the path and in its parameters."""
    if _STAND_IN in scope["path"]:
        scope["path"] = plain(scope["path"])
        # The router keeps the dictionary for the next request of the same path.
        scope["path_params"] = {name: plain(value) for name, value in scope["path_params"].items()}


def plain(path: str) -> str:
    """The path as it is for people."""
    return path.replace(_STAND_IN, "/")
