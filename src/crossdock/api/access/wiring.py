"""Puts access into the application: handlers state permissions, requests are asked for them.

A handler says `opt={"permission": "orders:write"}` or `opt={"public": True}`; one that says neither
does not start. The guard runs before the body is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi.spec import OpenAPI
from litestar.routes import HTTPRoute
from litestar.types import Message, Scope

from crossdock import db
from crossdock.api.access import errors
from crossdock.api.access.caller import Caller
from crossdock.api.access.directory import Client, Directory
from crossdock.api.access.keys import is_secret
from crossdock.api.access.oidc import Issuer
from crossdock.api.access.permissions import PERMISSIONS, ROLES
from crossdock.api.access.quotas import Quotas, Standing
from crossdock.api.access.tokens import Tokens
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Services
from crossdock.kernel.errors import SettingRefused

SECURITY_SCHEME = "key"
"""The name of the one way to authenticate, in the OpenAPI document."""

POLICY = "requests"
"""The name of the quota in the RateLimit headers."""

_THREADS = 4
_METHODS = ("get", "put", "post", "delete", "patch", "head")


class Access:
    """One per process, in `app.state.access`."""

    def __init__(self, services: Services) -> None:
        """Raises SettingRefused where [access] or [oidc] cannot be used."""
        settings = services.settings
        _check_roles(settings.access.roles)
        issuer = None
        if settings.oidc.issuer:
            issuer = Issuer(settings.oidc, settings.access, services.clock)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="access")
        # Connections of its own: a credential is not to wait behind the slow work of others.
        self._pool = db.Pool(
            services.live.url, size=_THREADS, application_name="crossdock api access"
        )
        self.directory = Directory(self._pool, services.clock, settings.access, self._threads)
        # Threads of their own: an issuer that is slow to answer is not to delay the keys.
        self._slow_threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="tokens")
        self.tokens = Tokens(issuer, self.directory, settings.access, self._slow_threads)
        self.quotas = Quotas(
            self._pool, services.clock, settings.access.window_seconds, self._threads
        )

    async def identify(self, authorization: str | None) -> Client:
        """Who sends `Authorization`. Raises ApiProblem 401."""
        scheme, _, credential = (authorization or "").partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise errors.credential_missing()
        if is_secret(credential):
            return await self.directory.find(credential)
        return await self.tokens.find(credential)

    async def count(self, client: Client) -> Standing | None:
        """Count a request; None for a client without limit."""
        if client.requests == 0:
            return None
        return await self.quotas.take(client.caller.id, client.requests)

    def close(self) -> None:
        """End the threads and close the connections."""
        self._threads.shutdown()
        self._slow_threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Lets a request through whose credential permits it. Raises ApiProblem 401, 403 or 429."""
    permission = _permission(handler)
    if permission is None:
        return
    access: Access = connection.app.state.access
    client = await access.identify(connection.headers.get("authorization"))
    state = connection.scope["state"]
    state["caller"] = client.caller
    standing = await access.count(client)
    if standing is not None:
        state["rate_limit"] = standing
        if not standing.admitted:
            raise errors.too_many_requests(standing.reset_seconds)
    if not client.caller.may(permission):
        raise errors.permission_missing(permission)


def caller(request: TypedRequest) -> Caller:
    """The caller that the guard let through, as a dependency of handlers."""
    found: Caller = request.scope["state"]["caller"]
    return found


async def add_rate_limit_headers(message: Message, scope: Scope) -> None:
    """`RateLimit-Policy` and `RateLimit`, after draft-ietf-httpapi-ratelimit-headers-10."""
    if message["type"] != "http.response.start":
        return
    standing: Standing | None = scope["state"].get("rate_limit")
    if standing is None:
        return
    policy = f'"{POLICY}";q={standing.quota};w={standing.window_seconds}'
    left = f'"{POLICY}";r={standing.remaining};t={standing.reset_seconds}'
    message["headers"] = [
        *message["headers"],
        (b"ratelimit-policy", policy.encode()),
        (b"ratelimit", left.encode()),
    ]


def install(app: Litestar, services: Services) -> Litestar:
    """Last step of making the application: checks every handler, opens and closes with it."""
    require_permissions(app)
    state_security(app.openapi_schema, app)
    access = app.state.access = Access(services)
    app.on_shutdown.append(access.close)
    return app


def require_permissions(app: Litestar) -> None:
    """A handler that says neither permission nor public is a bug, and so is an unknown name."""
    for path, handler in _handlers(app):
        permission = handler.opt.get("permission")
        stated = permission in PERMISSIONS or handler.opt.get("public") is True
        assert stated, f"{path} {handler.handler_name}: no known permission and not public"


def state_security(document: OpenAPI, app: Litestar) -> None:
    """In the document, each operation requires the credential, with its permission, or none."""
    for path, handler in _handlers(app):
        item = (document.paths or {}).get(path)
        for method in _METHODS:
            operation = getattr(item, method, None)
            if operation is None or method.upper() not in handler.http_methods:
                continue
            permission = _permission(handler)
            operation.security = [{SECURITY_SCHEME: [permission]}] if permission else []
            if permission:
                said = (operation.description or "", f"Needs the permission `{permission}`.")
                operation.description = "\n\n".join(filter(None, said))


def _handlers(app: Litestar) -> Iterator[tuple[str, Any]]:
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            if getattr(handler, "http_methods", None) != {"OPTIONS"}:
                yield route.path_format, handler


def _permission(handler: BaseRouteHandler) -> str | None:
    """None for what is public; the answer to OPTIONS, which Litestar makes, is so too."""
    if handler.opt.get("public") or "permission" not in handler.opt:
        return None
    permission: str = handler.opt["permission"]
    return permission


def _check_roles(roles: Any) -> None:
    for role, permissions in roles.items():
        unknown = sorted(set(permissions) - set(PERMISSIONS))
        if unknown or role in ROLES:
            wrong = f"names {', '.join(unknown)}" if unknown else "is built in"
            raise SettingRefused(
                f"The role {role} of [access.roles] {wrong}.",
                advice="Give it a name of its own and permissions out of: "
                f"{', '.join(PERMISSIONS)}.",
            )
