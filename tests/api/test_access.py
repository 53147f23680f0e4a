"""Every operation of the document refuses every credential but the one it says it takes."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from typing import Any

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient

from crossdock import db
from crossdock.api.access import keys, wiring
from crossdock.api.access.permissions import PERMISSIONS
from crossdock.api.services import Services
from crossdock.kernel.clock import SystemClock
from crossdock.kernel.errors import SettingRefused
from crossdock.settings import AccessSettings, Settings
from tests.api.described import Operation, operations
from tests.api.keys import bearer, make_expired_key, make_key

Client = TestClient[Any]

OPEN_TO_ALL = re.compile(r"/(health|ready|docs|problems)(/|$)")
"""Nothing else may be public."""


@pytest.fixture(scope="module")
def asked(api: Client) -> list[Operation]:
    """The operations that ask for a credential."""
    return [operation for operation in operations(api.app) if operation.permission]


@pytest.fixture(scope="module")
def client(api: Client) -> Client:
    """The same API without a credential."""
    api.headers.pop("Authorization", None)
    return api


def refused_by(
    client: Client, asked: list[Operation], headers: dict[str, str]
) -> list[tuple[str, int, str]]:
    """What each operation answers."""
    return [
        (str(operation), answer.status_code, answer.json()["code"])
        for operation in asked
        for answer in [operation.send(client, headers)]
    ]


def test_only_what_is_meant_for_all_asks_for_no_credential(api: Client) -> None:
    public = [operation.path for operation in operations(api.app) if not operation.permission]
    assert [path for path in public if not OPEN_TO_ALL.match(path)] == []


def test_every_operation_says_which_permission_it_needs(asked: list[Operation]) -> None:
    assert len(asked) > 5
    assert {operation.permission for operation in asked} <= set(PERMISSIONS)
    for operation in asked:
        assert f"`{operation.permission}`" in operation.description, str(operation)


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic QWRhOnNlY3JldA==", "crossdock_live_x", "Token abc"],
)
def test_no_operation_answers_without_a_credential(
    client: Client, asked: list[Operation], header: str
) -> None:
    headers = {"Authorization": header} if header else {}
    expected = [(str(operation), 401, "credential_missing") for operation in asked]
    assert refused_by(client, asked, headers) == expected


@pytest.mark.parametrize(
    "credential",
    ["crossdock_live_" + "A" * 43, "crossdock_test_", "no-key-at-all", "a.b.c", "é" * 40],
)
def test_no_operation_answers_to_a_wrong_credential(
    client: Client, asked: list[Operation], credential: str
) -> None:
    expected = [(str(operation), 401, "credential_refused") for operation in asked]
    headers = {"Authorization": f"Bearer {credential}".encode()}
    assert refused_by(client, asked, headers) == expected  # type: ignore[arg-type]


def test_no_operation_answers_to_a_revoked_key(
    client: Client, asked: list[Operation], api_connection: db.Connection
) -> None:
    secret = make_key(api_connection)
    now = SystemClock().now()
    revoked = api_connection.execute(
        "SELECT key_id FROM api_key_secret WHERE hash = %s", [keys.hash_of(secret)]
    ).fetchone()
    assert revoked is not None
    keys.revoke(api_connection, revoked[0], now, "tests")
    api_connection.commit()
    expected = [(str(operation), 401, "credential_refused") for operation in asked]
    assert refused_by(client, asked, bearer(secret)) == expected


def test_no_operation_answers_to_an_expired_key(
    client: Client, asked: list[Operation], api_connection: db.Connection
) -> None:
    expected = [(str(operation), 401, "credential_expired") for operation in asked]
    assert refused_by(client, asked, bearer(make_expired_key(api_connection))) == expected


def test_no_operation_answers_to_a_key_that_may_do_all_but_this(
    client: Client, asked: list[Operation], api_connection: db.Connection
) -> None:
    for permission in sorted({operation.permission or "" for operation in asked}):
        others = [name for name in PERMISSIONS if name != permission]
        headers = bearer(make_key(api_connection, *others))
        needing = [operation for operation in asked if operation.permission == permission]
        expected = [(str(operation), 403, "permission_missing") for operation in needing]
        assert refused_by(client, needing, headers) == expected
        answer = needing[0].send(client, headers)
        assert permission in answer.json()["detail"]
        assert f'scope="{permission}"' in answer.headers["www-authenticate"]


def test_the_one_permission_is_enough(
    client: Client, asked: list[Operation], api_connection: db.Connection
) -> None:
    """Else the refusals above would prove nothing."""
    for permission in sorted({operation.permission or "" for operation in asked}):
        headers = bearer(make_key(api_connection, permission))
        for operation in asked:
            if operation.permission == permission:
                answer = operation.send(client, headers)
                assert answer.status_code not in (401, 403), f"{operation}: {answer.text}"


def test_a_refusal_says_how_to_authenticate(
    client: Client, asked: list[Operation], api_connection: db.Connection
) -> None:
    missing = asked[0].send(client, {})
    assert missing.headers["www-authenticate"] == 'Bearer realm="crossdock"'
    expired = asked[0].send(client, bearer(make_expired_key(api_connection)))
    assert 'error="invalid_token"' in expired.headers["www-authenticate"]
    assert missing.headers["content-type"] == "application/problem+json"


def test_an_application_with_a_handler_that_states_nothing_does_not_start() -> None:
    @get("/forgotten")
    async def forgotten() -> None: ...

    @get("/misspelled", opt={"permission": "orders:reed"})
    async def misspelled() -> None: ...

    for handler in (forgotten, misspelled):
        with pytest.raises(AssertionError, match="no known permission and not public"):
            wiring.require_permissions(Litestar([handler], openapi_config=None))


@pytest.mark.parametrize(
    ("role", "permissions", "said"),
    [("cashier", ("till:open",), "till:open"), ("node", ("orders:read",), "built in")],
)
def test_roles_of_ones_own_are_checked_at_the_start(
    role: str, permissions: tuple[str, ...], said: str, database_url: str
) -> None:
    settings = Settings(access=AccessSettings(roles={role: permissions}))
    with contextlib.closing(Services.open(database_url, settings)) as services:
        with pytest.raises(SettingRefused, match=said):
            wiring.Access(services)


def test_a_rotated_key_opens_with_both_secrets_and_stays_the_same_client(
    client: Client, asked: list[Operation], api_connection: db.Connection
) -> None:
    now = SystemClock().now()
    new = keys.NewKey(name="rotated", grants=("administrator",), requests=0)
    first = keys.create(api_connection, new, now, "tests")
    second = keys.rotate(api_connection, "rotated", now, timedelta(hours=1))
    api_connection.commit()
    for issued in (first, second):
        answer = asked[0].send(client, bearer(issued.secret))
        assert answer.status_code not in (401, 403), answer.text
    third = keys.rotate(api_connection, first.id, now, timedelta(0))
    api_connection.commit()
    answers = [asked[0].send(client, bearer(one.secret)) for one in (third, second, first)]
    assert answers[0].status_code not in (401, 403)
    assert [one.json()["code"] for one in answers[1:]] == ["credential_expired"] * 2
