"""Rate limits: one quota for a client, whichever process its requests come to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient

from crossdock import db
from crossdock.api.access.quotas import Quotas
from crossdock.api.app import create_app
from crossdock.api.services import Services
from crossdock.kernel.clock import VirtualClock
from crossdock.settings import AccessSettings, Settings
from tests.api.described import operations
from tests.api.keys import bearer, make_key
from tests.api.test_orders_in import lamp

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
WINDOW_SECONDS = 10
DECLARED = {"ratelimit", "ratelimit-policy", "retry-after"}


class Process:
    """What one API process has of its own."""

    def __init__(self, url: str, now: datetime = NOON) -> None:
        self.clock = VirtualClock(now)
        self.threads = ThreadPoolExecutor(2)
        self.pool = db.Pool(url, size=2, application_name="quota test")
        self.quotas = Quotas(self.pool, self.clock, WINDOW_SECONDS, self.threads)

    def take(self, requests: int, quota: int, client: str = "shop", at_once: int = 50) -> int:
        """How many of so many requests are admitted, some of them at the same time."""
        return asyncio.run(self._take(requests, quota, client, at_once))

    async def _take(self, requests: int, quota: int, client: str, at_once: int) -> int:
        left = requests

        async def sender() -> int:
            nonlocal left
            admitted = 0
            while left > 0:
                left -= 1
                admitted += (await self.quotas.take(client, quota)).admitted
            return admitted

        return sum(await asyncio.gather(*(sender() for _ in range(at_once))))

    def close(self) -> None:
        self.threads.shutdown()
        self.pool.close()


@pytest.fixture
def processes(database_url: str) -> Iterator[tuple[Process, Process]]:
    with (
        contextlib.closing(Process(database_url)) as one,
        contextlib.closing(Process(database_url)) as two,
    ):
        yield one, two


def test_processes_together_admit_the_quota_and_not_one_request_more(
    processes: tuple[Process, Process],
) -> None:
    """Each asks for more than all of it, so that neither ends with a part of a block in hand."""
    with ThreadPoolExecutor(2) as threads:
        admitted = sum(threads.map(lambda process: process.take(1_500, quota=1_000), processes))
    assert admitted == 1_000


def test_no_row_is_written_per_request(processes: tuple[Process, Process]) -> None:
    one, two = processes
    assert one.take(6_000, quota=10_000) == 6_000
    assert 3_800 <= two.take(6_000, quota=10_000) <= 4_000
    written = one.quotas.blocks_taken + two.quotas.blocks_taken
    assert written < 120
    assert one.take(5_000, quota=10_000) == 0
    assert one.quotas.blocks_taken + two.quotas.blocks_taken <= written + 1


def test_the_next_window_begins_afresh(processes: tuple[Process, Process]) -> None:
    one, two = processes
    assert one.take(30, quota=20) == 20
    for process in processes:
        process.clock.move_to(NOON + timedelta(seconds=WINDOW_SECONDS))
    assert two.take(15, quota=20) == 15
    assert one.take(15, quota=20) == 5


def test_a_process_whose_clock_is_behind_takes_of_the_newer_window(
    processes: tuple[Process, Process], database_url: str
) -> None:
    one, _ = processes
    with contextlib.closing(Process(database_url, NOON - timedelta(seconds=25))) as behind:
        assert one.take(15, quota=20) == 15
        assert behind.take(15, quota=20) == 5
        assert one.take(15, quota=20) == 0


def test_clients_do_not_share(processes: tuple[Process, Process]) -> None:
    one, two = processes
    assert one.take(30, quota=20, client="shop") == 20
    assert two.take(30, quota=20, client="app") == 20


def test_a_process_that_stops_takes_a_fiftieth_along_at_most(
    processes: tuple[Process, Process],
) -> None:
    one, two = processes
    assert one.take(1, quota=1_000) == 1
    assert two.take(2_000, quota=1_000) >= 1_000 - 20


def test_old_rows_go_away(processes: tuple[Process, Process], connection: db.Connection) -> None:
    one, _ = processes
    one.take(1, quota=10, client="once")
    one.clock.move_to(NOON + timedelta(days=3))
    one.take(1, quota=10, client="again")
    assert connection.execute("SELECT client FROM request_quota").fetchall() == [("again",)]


@pytest.fixture(scope="module")
def limited(api_url: str) -> Iterator[tuple[TestClient[Any], VirtualClock]]:
    """An API with five requests in ten seconds, four seconds into a window."""
    clock = VirtualClock(NOON + timedelta(seconds=4))
    settings = Settings(access=AccessSettings(requests=5, window_seconds=10))
    with (
        contextlib.closing(Services.open(api_url, settings, clock)) as services,
        TestClient(create_app(services)) as client,
    ):
        yield client, clock


def test_answers_say_what_is_left_and_one_too_many_is_told_when_to_come_back(
    limited: tuple[TestClient[Any], VirtualClock], api_connection: db.Connection
) -> None:
    api, clock = limited
    key = bearer(make_key(api_connection, requests=None, now=NOON))
    answers = [api.post("/v1/orders", json=lamp("Q-1"), headers=key) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201] * 5 + [429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"requests";q=5;w=10'}
    left = [answer.headers["ratelimit"] for answer in answers]
    assert left == [f'"requests";r={n};t=6' for n in (4, 3, 2, 1, 0, 0)]
    refused = answers[-1]
    assert refused.headers["retry-after"] == "6"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_requests"
    clock.move_to(NOON + timedelta(seconds=10))
    assert api.post("/v1/orders", json=lamp("Q-1"), headers=key).status_code == 201


def test_what_is_forbidden_counts_too(
    limited: tuple[TestClient[Any], VirtualClock], api_connection: db.Connection
) -> None:
    api, _ = limited
    key = bearer(make_key(api_connection, "node", requests=2, now=NOON))
    codes = [api.post("/v1/orders", json={}, headers=key).status_code for _ in range(3)]
    assert codes == [403, 403, 429]


def test_a_key_without_limit_has_no_headers(
    limited: tuple[TestClient[Any], VirtualClock], api_connection: db.Connection
) -> None:
    api, _ = limited
    key = bearer(make_key(api_connection, requests=0, now=NOON))
    answers = [api.post("/v1/orders", json=lamp("Q-1"), headers=key) for _ in range(7)]
    assert {answer.status_code for answer in answers} == {201}
    assert not any("ratelimit" in answer.headers for answer in answers)


def test_the_document_declares_the_headers_of_every_answer_that_has_them(
    limited: tuple[TestClient[Any], VirtualClock], api_connection: db.Connection
) -> None:
    api, _ = limited
    document = api.get("/docs/openapi.json").json()
    assert set(document["components"]["headers"]) > {"RateLimit", "RateLimit-Policy", "Retry-After"}
    wrong, seen = [], set()
    for operation in operations(api.app):
        described = document["paths"][operation.path][operation.method]["responses"]
        # A key for each, so that one that rotates or revokes keys leaves the others alone.
        weak = bearer(make_key(api_connection, "events:read", requests=1, now=NOON))
        strong = bearer(make_key(api_connection, requests=1, now=NOON))
        for key in (weak, weak, strong):
            answer = operation.send(api, key)
            headers = described[str(answer.status_code)].get("headers", {})
            sent = {name for name in answer.headers if name in DECLARED}
            seen |= {(answer.status_code, name) for name in sent}
            if not sent <= {name.lower() for name in headers}:
                wrong.append(f"{operation}: {answer.status_code} sends {sent}")
        for status in {"429", "503"} & set(described):
            if "Retry-After" not in described[status].get("headers", {}):
                wrong.append(f"{operation}: {status} Retry-After")
    assert not wrong, "\n".join(wrong)
    assert {(429, name) for name in DECLARED} <= seen
    assert {(200, "ratelimit"), (403, "ratelimit")} <= seen
