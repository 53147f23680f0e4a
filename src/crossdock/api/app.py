"""The ASGI application: routes, errors, document; made once per process."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide

from crossdock.api import documents, operations, problems
from crossdock.api.access import wiring
from crossdock.api.access.caller import Caller
from crossdock.api.requests import TypedRequest
from crossdock.api.routes import ROUTERS
from crossdock.api.services import Services


async def gate(request: Request[Any, Any, Any]) -> None:
    """All that is asked of a request before its body is read.

    No guard of Litestar's: it copies the handler for each, which takes longer than all that is
    asked.
    """
    handler = request.route_handler
    operations.admit(request, handler)
    await wiring.guard(request, handler)


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
        before_request=gate,
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
