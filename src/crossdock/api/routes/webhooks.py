"""Webhooks: who is sent which events, how that goes, and sending them again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter
from msgspec import Meta

from crossdock import db
from crossdock.api import metrics, webhook_figures
from crossdock.api.access.caller import Caller
from crossdock.api.access.errors import PERMISSION_MISSING
from crossdock.api.documents import answers
from crossdock.api.first_answers import write_once
from crossdock.api.idempotency import IdempotencyKey
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from crossdock.api.problems import (
    IDEMPOTENCY_CONFLICT,
    MALFORMED,
    NOT_FOUND,
    ApiProblem,
    problem_type,
)
from crossdock.api.requests import TypedRequest
from crossdock.api.routes.events import (
    EVENTS_REMOVED,
    MOST_TYPES,
    check_kept,
    checked_types,
    events_removed,
)
from crossdock.api.services import Backend, Services
from crossdock.events import store as events
from crossdock.kernel.ids import derive, is_id
from crossdock.model.problems import Problem
from crossdock.webhooks import store
from crossdock.webhooks.addresses import AddressRefused, Guard, networks
from crossdock.webhooks.model import Webhook, WebhookStatus, new_secret
from crossdock.webhooks.sealing import SecretKeeper

URL_REFUSED = problem_type(
    "webhook_url_refused",
    422,
    "Nothing can be sent to that URL",
    cause="It is no https URL, its name is not known, or it leads into a network that is not"
    " public.",
    remedy="Send a public https URL; for a network of your own set webhooks.allow_networks.",
)
NOT_YOURS = PERMISSION_MISSING

_PRINTED = r"^[^\x00-\x1f\x7f]+$"
Code = Annotated[str, Meta(min_length=1, max_length=200, pattern=_PRINTED)]
Codes = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=1_000)] | None
Types = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=MOST_TYPES)]
Url = Annotated[str, Meta(min_length=1, max_length=2_000)]

WebhookId = Annotated[
    str, PathParameter(name="webhook", max_length=36, description="Its id, as it was answered.")
]


class WebhookWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook to be made."""

    name: Code
    url: Url
    types: Types
    """Event types, or beginnings of them that end in `*`."""
    channels: Codes = None
    """Only events of these channels' orders; null: all that you may see."""
    nodes: Codes = None
    """Only events of these nodes' work; null: all that you may see."""
    after: Annotated[int, Meta(ge=0, le=2**62)] | None = None
    """Begin after this event of GET /v1/events, which is kept; null: with what happens next."""


class WebhookChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be changed; what is left out stays. `active` also resumes a paused one."""

    name: Code | msgspec.UnsetType = msgspec.UNSET
    url: Url | msgspec.UnsetType = msgspec.UNSET
    types: Types | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET


class Replay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where to send again: after an event, or all that was recorded since a time."""

    after: Annotated[int, Meta(ge=0, le=2**62)] | None = None
    since: Annotated[datetime, Meta(tz=True)] | None = None


class WebhookShown(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and how it goes; never its secret."""

    id: str
    name: str
    url: str
    types: Sequence[str]
    channels: Sequence[str] | None
    nodes: Sequence[str] | None
    status: WebhookStatus
    reason: str
    """Why it is paused or disabled."""
    created_at: datetime
    failing_since: datetime | None
    last_event: int
    """The last event that was looked at for it; those after it come next."""
    open_deliveries: int
    """Events that it was not sent yet."""
    missed_until: int | None
    """Events up to this one were removed unsent while it was paused or disabled; null: none."""
    last_error: str


class WebhookSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook and what its deliveries are signed with."""

    webhook: WebhookShown
    secret: str
    """For a library of the Standard Webhooks specification."""


_EXAMPLE = {
    "name": "parcels to the app",
    "url": "https://app.example.com/hooks/crossdock",
    "types": ["crossdock.shipment.*", "crossdock.package.delivered.v1"],
}
_SHOWN = {
    "id": "019a61c2-7b40-8c1f-9d2e-5a0b1c2d3e4f",
    **_EXAMPLE,
    "channels": None,
    "nodes": None,
    "status": "active",
    "reason": "",
    "created_at": "2026-11-02T09:00:00Z",
    "failing_since": None,
    "last_event": 4711,
    "open_deliveries": 0,
    "missed_until": None,
    "last_error": "",
}
_WITH_SECRET = {"webhook": _SHOWN, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
_OPT = {"permission": "webhooks:write"}
_NO_STORE = {"Cache-Control": "no-store"}


@post(
    "/webhooks",
    opt={**_OPT, "example": _EXAMPLE, "answer_example": _WITH_SECRET},
    responses=answers(URL_REFUSED, IDEMPOTENCY_CONFLICT, EVENTS_REMOVED),
    sync_to_thread=True,
)
def create_webhook(
    request: TypedRequest, data: JSONBody[WebhookWanted], idempotency_key: IdempotencyKey = None
) -> Response[WebhookSecret]:
    """Subscribe to events. The secret that signs them is in this answer."""
    services, caller = request.services, request.caller
    backend = services.of(caller)
    checked_types(data.types, "types")
    _check_url(services, data.url)

    def write(connection: db.Connection) -> Response[WebhookSecret]:
        removed = events.removed(connection, hold=True)
        position = events.last_sequence(connection) if data.after is None else data.after
        check_kept(removed, position)
        webhook = _wanted(data, caller, services.clock.now(), position)
        stored = webhook._replace(secret=_keeper(backend).sealed(webhook.secret))
        store.insert(connection, stored)
        shown = _shown(connection, [webhook])[0]
        secret = WebhookSecret(webhook=shown, secret=webhook.secret)
        return Response(secret, headers=_NO_STORE)

    return write_once(request, backend, idempotency_key, write, data, secret=True)


def _wanted(data: WebhookWanted, caller: Caller, now: datetime, position: int) -> Webhook:
    secret = new_secret()
    return Webhook(
        id=derive(now, "webhook", caller.id, secret),
        name=data.name,
        url=data.url,
        types=list(data.types),
        channels=_within(caller.channels, data.channels, "channels"),
        nodes=_within(caller.nodes, data.nodes, "nodes"),
        status=WebhookStatus.ACTIVE,
        reason="",
        position=position,
        created_at=now,
        changed_at=now,
        created_by=caller.id,
        failing_since=None,
        failures=0,
        next_try_at=None,
        secret=secret,
        former_secret=None,
        secret_until=None,
    )


@get(
    "/webhooks",
    opt={**_OPT, "answer_example": {"items": [_SHOWN], "next": None}},
    sync_to_thread=True,
)
def list_webhooks(
    caller: NamedDependency[Caller],
    services: NamedDependency[Services],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[WebhookShown]:
    """List webhooks and how they go."""
    after = str(decode_cursor(cursor, UUID)[0]) if cursor else None
    with services.of(caller).reading() as connection:
        found = store.listed(connection, _owner(caller), after, limit + 1)
        shown = _shown(connection, found)
    return page_of(shown, limit, lambda one: (one.id,))


@get(
    "/webhooks/{webhook:str}",
    opt={**_OPT, "answer_example": _SHOWN},
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def read_webhook(
    webhook: WebhookId, caller: NamedDependency[Caller], services: NamedDependency[Services]
) -> WebhookShown:
    """Read one webhook and how it goes."""
    with services.of(caller).reading() as connection:
        return _shown(connection, [_found(connection, caller, webhook)])[0]


@patch(
    "/webhooks/{webhook:str}",
    opt={**_OPT, "example": {"active": True}, "answer_example": _SHOWN},
    responses=answers(NOT_FOUND, URL_REFUSED),
    sync_to_thread=True,
)
def change_webhook(
    webhook: WebhookId,
    request: TypedRequest,
    data: JSONBody[WebhookChange],
    idempotency_key: IdempotencyKey = None,
) -> Response[WebhookShown]:
    """Change, resume or disable a webhook."""
    services, caller = request.services, request.caller
    now = services.clock.now()
    changes: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name in ("name", "url", "types")
        if (value := getattr(data, name)) is not msgspec.UNSET
    }
    if "types" in changes:
        checked_types(changes["types"], "types")
    if "url" in changes:
        _check_url(services, changes["url"])
    if data.active is not msgspec.UNSET:
        status = WebhookStatus.ACTIVE if data.active else WebhookStatus.DISABLED
        changes |= {"status": status.value, "reason": "" if data.active else "by its owner"}
        changes |= {"failures": 0, "failing_since": None, "next_try_at": None}

    def write(connection: db.Connection) -> Response[WebhookShown]:
        events.removed(connection, hold=True)  # What it goes on with is not removed meanwhile.
        found = _found(connection, caller, webhook, lock=True)
        store.change(connection, found.id, {**changes, "changed_at": now})
        if data.active is True:
            store.close_case(connection, found.id, now)
            store.try_all_now(connection, found.id, now)
        return Response(_shown(connection, [_found(connection, caller, webhook)])[0])

    return write_once(request, services.of(caller), idempotency_key, write, data)


@post(
    "/webhooks/{webhook:str}/secret",
    opt={**_OPT, "answer_example": _WITH_SECRET},
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def rotate_webhook_secret(
    webhook: WebhookId, request: TypedRequest, idempotency_key: IdempotencyKey = None
) -> Response[WebhookSecret]:
    """Give a webhook a new secret. For a day both sign, so that no delivery is refused."""
    backend = request.services.of(request.caller)

    def write(connection: db.Connection) -> Response[WebhookSecret]:
        found = _found(connection, request.caller, webhook, lock=True)
        now, secret, keeper = backend.clock.now(), new_secret(), _keeper(backend)
        can_sign = keeper.opened(found.secret) is not None
        changes = {
            "secret": keeper.sealed(secret),
            "former_secret": found.secret if can_sign else None,
            "secret_until": now + timedelta(days=1),
            "changed_at": now,
        }
        store.change(connection, found.id, changes)
        shown = _shown(connection, [found])[0]
        return Response(WebhookSecret(webhook=shown, secret=secret), headers=_NO_STORE)

    return write_once(request, backend, idempotency_key, write, secret=True)


@post(
    "/webhooks/{webhook:str}/replay",
    opt={
        **_OPT,
        "example": {"since": "2026-11-02T09:00:00Z"},
        "answer_example": _SHOWN,
    },
    responses=answers(NOT_FOUND, EVENTS_REMOVED),
    sync_to_thread=True,
    status_code=202,
)
def replay_webhook(
    webhook: WebhookId,
    request: TypedRequest,
    data: JSONBody[Replay],
    idempotency_key: IdempotencyKey = None,
) -> Response[WebhookShown]:
    """Send events again from any point on that is kept, with the ids they had."""
    if (data.after is None) == (data.since is None):
        problem = Problem("", "not_one", "From where is not clear.", "Send `after` or `since`.")
        raise ApiProblem(MALFORMED, errors=[problem])

    def write(connection: db.Connection) -> Response[WebhookShown]:
        removed = events.removed(connection, hold=True)
        found = _found(connection, request.caller, webhook, lock=True)
        after = data.after
        if after is None:
            assert data.since is not None
            if removed.recorded_until is not None and data.since <= removed.recorded_until:
                raise events_removed(removed)
            after = events.sequence_before(connection, data.since)
        check_kept(removed, after)
        position = min(after, events.last_sequence(connection))
        store.change(connection, found.id, {"position": position})
        return Response(_shown(connection, [found._replace(position=position)])[0])

    backend = request.services.of(request.caller)
    return write_once(request, backend, idempotency_key, write, data)


@delete("/webhooks/{webhook:str}", opt=_OPT, responses=answers(NOT_FOUND), sync_to_thread=True)
def delete_webhook(
    webhook: WebhookId, request: TypedRequest, idempotency_key: IdempotencyKey = None
) -> Response[None]:
    """End a subscription, with what it was not sent yet."""
    backend = request.services.of(request.caller)

    def write(connection: db.Connection) -> Response[None]:
        found = _found(connection, request.caller, webhook, lock=True)
        store.delete(connection, found.id)
        store.close_case(connection, found.id, backend.clock.now())
        return Response(None)

    return write_once(request, backend, idempotency_key, write)


def _keeper(backend: Backend) -> SecretKeeper:
    return backend.one(SecretKeeper, lambda: SecretKeeper(backend.settings.payloads.keys))


def _check_url(services: Services, url: str) -> None:
    guard = Guard(networks(services.settings.webhooks.allow_networks))
    try:
        guard.check_url(url)
    except AddressRefused as refused:
        raise ApiProblem(
            URL_REFUSED,
            f"{refused}.",
            [Problem("url", "url_refused", f"{refused}.", "Send a public https URL.")],
        ) from refused


def _within(
    own: frozenset[str] | None, wanted: Sequence[str] | None, field: str
) -> list[str] | None:
    """What is wanted of what the caller may see. Raises ApiProblem 403 for more than that."""
    if wanted is None:
        return None if own is None else sorted(own)
    beyond = sorted(set(wanted) - own) if own is not None else []
    if beyond:
        raise ApiProblem(NOT_YOURS, f"{field}: you do not see {', '.join(beyond)[:200]}.")
    return sorted(set(wanted))


def _owner(caller: Caller) -> str | None:
    """A caller that sees everything manages all webhooks, others their own."""
    return None if caller.channels is None and caller.nodes is None else caller.id


def _found(
    connection: db.Connection, caller: Caller, webhook_id: str, *, lock: bool = False
) -> Webhook:
    found = store.find(connection, webhook_id, lock=lock) if is_id(webhook_id) else None
    if found is None or _owner(caller) not in (None, found.created_by):
        raise ApiProblem(NOT_FOUND, f"There is no webhook {webhook_id!r}.")
    return found


def _shown(connection: db.Connection, found: Sequence[Webhook]) -> list[WebhookShown]:
    deliveries = store.open_deliveries(connection, [one.id for one in found])
    return [
        WebhookShown(
            id=one.id,
            name=one.name,
            url=one.url,
            types=one.types,
            channels=one.channels,
            nodes=one.nodes,
            status=one.status,
            reason=one.reason,
            created_at=one.created_at,
            failing_since=one.failing_since,
            last_event=one.position,
            open_deliveries=deliveries.get(one.id, (0, ""))[0],
            missed_until=one.missed_until,
            last_error=deliveries.get(one.id, (0, ""))[1],
        )
        for one in found
    ]


metrics.SOURCES.append(webhook_figures.webhooks)

router = Router(
    "/v1",
    route_handlers=[
        create_webhook,
        list_webhooks,
        read_webhook,
        change_webhook,
        rotate_webhook_secret,
        replay_webhook,
        delete_webhook,
    ],
    tags=["webhooks"],
)
