"""The ASGI application: routes, errors, document; made once per process."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.handlers.base import BaseRouteHandler

from crossdock.api import documents, operations, problems
from crossdock.api.access import wiring
from crossdock.api.access.caller import Caller
from crossdock.api.requests import TypedRequest
from crossdock.api.routes import ROUTERS
from crossdock.api.services import Services


async def gate(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """All that is asked of a request before its body is read.

    One guard and no thread: Litestar copies the handler for each, and runs a synchronous one in a
    thread, which together take longer than all that is asked.
    """
    operations.admit(connection, handler)
    await wiring.guard(connection, handler)


def create_app(services: Services) -> Litestar:
    """The API over `services`. Raises SettingRefused where [access] or [oidc] cannot be used."""

    def the_services() -> Services:
        return services

    def the_caller(request: TypedRequest, services: NamedDependency[Services]) -> Caller:
        # Dependencies of equal rank get a task each; one after the other they cost a tenth.
        return request.caller

    app = Litestar(
        route_handlers=ROUTERS,
        request_class=TypedRequest,
        exception_handlers=problems.HANDLERS,
        guards=[gate],
        before_send=[wiring.add_rate_limit_headers],
        dependencies={
            "caller": Provide(the_caller, sync_to_thread=False),
            "services": Provide(the_services, sync_to_thread=False),
        },
        state=State({"services": services}),
        openapi_config=documents.config(),
        request_max_body_size=None,
        logging_config=None,
    )
    wiring.install(app, services)
    documents.complete(app)
    return operations.install(app, services)
