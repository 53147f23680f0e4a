"""Every router of the API; each owner of paths adds one entry."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from crossdock.api import health, metrics, reading
from crossdock.api.routes import (
    ats,
    checkout,
    events,
    files,
    inventory,
    keys,
    master,
    orders,
    orders_in,
    payments,
    promises,
    records,
    shipments,
    webhooks,
    work,
)

for _handler in orders.HANDLERS:  # One router per path: what is at /orders has to share it.
    orders_in.router.register(_handler)

ROUTERS: tuple[ControllerRouterHandler, ...] = (
    keys.router,
    orders_in.router,
    work.router,
    health.router,
    metrics.router,
    inventory.router,
    events.router,
    webhooks.router,
    master.router,
    ats.router,
    promises.router,
    checkout.router,
    files.router,
    shipments.router,
    payments.router,
    records.router,
    reading.router,
)
