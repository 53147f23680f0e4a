"""The examples of what nodes and systems send and are answered are of the types they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from litestar import Response, Router
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from crossdock.api.requests import decode
from crossdock.api.routes import files, inventory, master, payments, records, shipments, work
from crossdock.api.system_examples import EXAMPLES

MODULES = (files, inventory, master, payments, records, shipments, work)


def handlers() -> Iterator[HTTPRouteHandler]:
    for module in MODULES:
        router: Router = module.router
        for route in router.routes:
            if not isinstance(route, HTTPRoute):
                continue
            yield from (
                handler for handler in route.route_handlers if "OPTIONS" not in handler.http_methods
            )


NAMED = {handler.fn.__name__: handler for handler in handlers()}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_an_example_is_what_it_stands_for(name: str) -> None:
    body, answer = EXAMPLES[name]
    hints = get_type_hints(NAMED[name].fn, include_extras=True)
    if "data" in hints:
        assert decode(msgspec.json.encode(body), hints["data"]) is not None
    answered: Any = hints["return"]
    if getattr(answered, "__origin__", None) is Response:
        [answered] = get_args(answered)
    if answered is not type(None):
        assert msgspec.json.decode(msgspec.json.encode(answer), type=answered) is not None


def test_no_example_is_of_nothing() -> None:
    assert set(EXAMPLES) == set(NAMED)
