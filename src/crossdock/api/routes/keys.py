"""For administrators: API keys made, listed, rotated and revoked over the API.

Nobody gives or takes more than they have: a caller manages only keys whose permissions are all its
own, and with a test key only test keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta

from crossdock import db
from crossdock.api.access import keys
from crossdock.api.access.caller import Caller, Mode
from crossdock.api.access.errors import PERMISSION_MISSING
from crossdock.api.access.faults import KeyFault, KeyNameTaken, NoSuchKey
from crossdock.api.access.permissions import Scope, expand
from crossdock.api.access.store import KeyRow
from crossdock.api.documents import answers
from crossdock.api.first_answers import write_once
from crossdock.api.idempotency import IdempotencyKey
from crossdock.api.pages import DEFAULT_LIMIT, Cursor, Limit, Page, decode_cursor, page_of
from crossdock.api.problems import NOT_FOUND, ApiProblem, problem_type
from crossdock.api.requests import TypedRequest
from crossdock.api.services import Services

KEY_REFUSED = problem_type(
    "key_refused",
    422,
    "The key cannot be made so",
    cause="A grant is unknown, or would open more than the key's limits say.",
    remedy="Do what `detail` says; the permissions page lists roles, permissions and limits.",
)
KEY_EXISTS = problem_type(
    "key_exists",
    409,
    "There is a key of that name",
    cause="A key in use has the name. A creation sent twice ends here, without Idempotency-Key.",
    remedy="Take another name, or rotate the key to get a new secret.",
)

_PRINTED = r"^[^\x00-\x1f\x7f]+$"

Code = Annotated[str, Meta(min_length=1, max_length=200, pattern=_PRINTED)]
Codes = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=1_000)] | None
Name = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=r"^[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")
]
KeyName = Annotated[
    str,
    PathParameter(name="key", max_length=200, pattern=_PRINTED, description="Its id or its name."),
]


class KeyWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made. A scope that is left out is open; `*` in it says all on purpose."""

    name: Name
    grants: Annotated[tuple[Code, ...], Meta(min_length=1, max_length=100)]
    """Roles and permissions."""
    mode: Mode = "live"
    nodes: Codes = None
    brands: Codes = None
    regions: Codes = None
    channels: Codes = None
    requests: Annotated[int, Meta(ge=0, le=1_000_000_000)] | None = None
    """In each window; null is the installation's number, 0 without limit."""
    lifetime_days: Annotated[int, Meta(ge=1, le=3_650)] = keys.LIFETIME_DAYS


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a key changes its secret."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] = 86_400
    """How long the secrets that it has go on working."""


class KeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secrets."""

    id: str
    name: str
    mode: Mode
    grants: tuple[str, ...]
    nodes: tuple[str, ...] | None
    brands: tuple[str, ...] | None
    regions: tuple[str, ...] | None
    channels: tuple[str, ...] | None
    requests: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


_NO_STORE = {"Cache-Control": "no-store"}
_EXAMPLE = {
    "name": "Soho store",
    "grants": ["node"],
    "nodes": ["soho"],
    "lifetime_days": 365,
}


_ID = "019a3b5c-7c00-8a5e-9b1c-0123456789ab"
_ISSUED = {
    "id": _ID,
    "name": "Soho store",
    "secret": "crossdock_live_(43 characters that are shown once)",
    "expires_at": "2027-11-03T09:41:00Z",
    "others_end_at": None,
}
_SHOWN = {
    "id": _ID,
    "name": "Soho store",
    "mode": "live",
    "grants": ["node"],
    "nodes": ["soho"],
    "brands": None,
    "regions": None,
    "channels": None,
    "requests": None,
    "created_at": "2026-11-03T09:41:00Z",
    "expires_at": "2027-11-03T09:41:00Z",
    "revoked_at": None,
}


@post(
    "/keys",
    opt={"permission": "keys:write", "example": _EXAMPLE, "answer_example": _ISSUED},
    responses=answers(KEY_EXISTS, KEY_REFUSED),
    sync_to_thread=True,
)
def create_key(
    request: TypedRequest, data: JSONBody[KeyWanted], idempotency_key: IdempotencyKey = None
) -> Response[keys.IssuedKey]:
    """Make an API key. Its secret is in this answer and nowhere else.

    The same Idempotency-Key and credential get it again; another credential does not.
    """
    services, caller = request.services, request.caller
    own_roles = services.settings.access.roles
    nodes, brands, regions, channels = map(
        _set, (data.nodes, data.brands, data.regions, data.channels)
    )
    new = keys.NewKey(
        name=data.name,
        grants=data.grants,
        scope=Scope(nodes=nodes, brands=brands, regions=regions, channels=channels),
        mode=data.mode,
        requests=data.requests,
        lifetime_days=data.lifetime_days,
    )

    def write(connection: db.Connection) -> Response[keys.IssuedKey]:
        issued = keys.create(connection, new, services.clock.now(), caller.id, own_roles)
        _require_own(caller, services, new.grants, new.mode)
        return Response(issued, status_code=201, headers=_NO_STORE)

    with _faults_as_problems():
        return write_once(request, services.live, idempotency_key, write, data, secret=True)


@get(
    "/keys",
    opt={"permission": "keys:write", "answer_example": {"items": [_SHOWN], "next": None}},
    sync_to_thread=True,
)
def list_keys(
    services: NamedDependency[Services],
    revoked: Annotated[
        bool, QueryParameter(required=False, description="Those too that were revoked.")
    ] = False,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[KeyShown]:
    """List the keys in the order they were made, never their secrets."""
    after = decode_cursor(cursor, datetime, UUID) if cursor else None
    with services.live.reading() as connection:
        found = keys.listed(connection, revoked=revoked, after=after, limit=limit + 1)
    return page_of([_shown(key) for key in found], limit, lambda key: (key.created_at, key.id))


@post(
    "/keys/{key:str}/rotate",
    opt={
        "permission": "keys:write",
        "example": {"overlap_seconds": 86_400},
        "answer_example": {**_ISSUED, "others_end_at": "2026-11-04T09:41:00Z"},
    },
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def rotate_key(
    key: KeyName,
    request: TypedRequest,
    data: JSONBody[Rotation],
    idempotency_key: IdempotencyKey = None,
) -> Response[keys.IssuedKey]:
    """Give a key a new secret. Those it has go on working for the overlap, at most."""
    services = request.services

    def write(connection: db.Connection) -> Response[keys.IssuedKey]:
        _require_own_key(connection, request.caller, services, key)
        overlap = timedelta(seconds=data.overlap_seconds)
        issued = keys.rotate(connection, key, services.clock.now(), overlap)
        return Response(issued, status_code=201, headers=_NO_STORE)

    with _faults_as_problems():
        return write_once(request, services.live, idempotency_key, write, data, secret=True)


@delete(
    "/keys/{key:str}",
    opt={"permission": "keys:write"},
    responses=answers(NOT_FOUND),
    sync_to_thread=True,
)
def revoke_key(
    key: KeyName, request: TypedRequest, idempotency_key: IdempotencyKey = None
) -> Response[None]:
    """Revoke a key with all its secrets. It opens nothing any more within seconds."""
    services, caller = request.services, request.caller

    def write(connection: db.Connection) -> Response[None]:
        _require_own_key(connection, caller, services, key)
        keys.revoke(connection, key, services.clock.now(), caller.id)
        return Response(None, status_code=204)

    with _faults_as_problems():
        return write_once(request, services.live, idempotency_key, write)


@contextmanager
def _faults_as_problems() -> Iterator[None]:
    try:
        yield
    except NoSuchKey as fault:
        raise ApiProblem(NOT_FOUND, fault.problem) from fault
    except KeyNameTaken as fault:
        raise ApiProblem(KEY_EXISTS, fault.problem) from fault
    except KeyFault as fault:
        raise ApiProblem(KEY_REFUSED, f"{fault.problem} {fault.advice}".strip()) from fault


def _require_own_key(
    connection: db.Connection, caller: Caller, services: Services, key: str
) -> None:
    found = keys.existing(connection, key)
    _require_own(caller, services, found.grants, found.mode)


def _require_own(caller: Caller, services: Services, grants: Iterable[str], mode: str) -> None:
    permissions, _ = expand(grants, services.settings.access.roles)
    beyond = sorted(permissions - caller.permissions)
    if beyond or (caller.mode == "test" and mode != "test"):
        lacking = ", ".join(beyond) or "live mode"
        raise ApiProblem(PERMISSION_MISSING, f"You have not yourself: {lacking}.")


def _set(codes: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if codes is None else frozenset(codes)


def _sorted(codes: frozenset[str] | None) -> tuple[str, ...] | None:
    return None if codes is None else tuple(sorted(codes))


def _shown(key: KeyRow) -> KeyShown:
    return KeyShown(
        id=key.id,
        name=key.name,
        mode="test" if key.mode == "test" else "live",
        grants=key.grants,
        nodes=_sorted(key.scope.nodes),
        brands=_sorted(key.scope.brands),
        regions=_sorted(key.scope.regions),
        channels=_sorted(key.scope.channels),
        requests=key.requests,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


router = Router(
    "/v1", route_handlers=[create_key, list_keys, rotate_key, revoke_key], tags=["keys"]
)
