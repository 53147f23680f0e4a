"""The ASGI application: routes, errors, document; made once per process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide

from crossdock.api import documents, problems
from crossdock.api.access.caller import Caller
from crossdock.api.requests import TypedRequest
from crossdock.api.routes import ROUTERS
from crossdock.api.services import Services

CallerOf = Callable[[ASGIConnection[Any, Any, Any, Any]], Caller]


def create_app(services: Services, caller_of: CallerOf) -> Litestar:
    """The API over `services`; `caller_of` tells who sends a request, or raises ApiProblem 401."""

    def caller(request: TypedRequest) -> Caller:
        return caller_of(request)

    def the_services() -> Services:
        return services

    app = Litestar(
        route_handlers=ROUTERS,
        request_class=TypedRequest,
        exception_handlers=problems.HANDLERS,
        dependencies={
            "caller": Provide(caller, sync_to_thread=False),
            "services": Provide(the_services, sync_to_thread=False),
        },
        state=State({"services": services}),
        openapi_config=documents.config(),
        request_max_body_size=None,
        logging_config=None,
    )
    documents.complete(app)
    return app
