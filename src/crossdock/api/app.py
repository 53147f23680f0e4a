"""The ASGI application: routes, errors, document; made once per process."""

from __future__ import annotations

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide

from crossdock.api import documents, operations, problems
from crossdock.api.access import wiring
from crossdock.api.requests import TypedRequest
from crossdock.api.routes import ROUTERS
from crossdock.api.services import Services


def create_app(services: Services) -> Litestar:
    """The API over `services`. Raises SettingRefused where [access] or [oidc] cannot be used."""

    def the_services() -> Services:
        return services

    app = Litestar(
        route_handlers=ROUTERS,
        request_class=TypedRequest,
        exception_handlers=problems.HANDLERS,
        guards=[operations.admit, wiring.guard],
        before_send=[wiring.add_rate_limit_headers],
        dependencies={
            "caller": Provide(wiring.caller, sync_to_thread=False),
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
