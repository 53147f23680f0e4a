"""Every router of the API; each owner of paths adds one entry."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from crossdock.api import health, metrics
from crossdock.api.routes import events, inventory, keys, master, orders_in, webhooks, work

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
)
