"""What stands around every request: probes, figures, limits, load shedding, the log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from crossdock import db
from crossdock.api.app import create_app
from crossdock.api.operations import Operations
from crossdock.api.services import Services
from crossdock.settings import LimitsSettings, Settings, TelemetrySettings
from tests.api.keys import bearer, make_key

Client = TestClient[Any]
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def operations_of(client: Client) -> Operations:
    found: Operations = client.app.state.operations
    return found


@contextlib.contextmanager
def api_with(url: str, **limits: Any) -> Iterator[Client]:
    """An API with limits of its own."""
    settings = Settings(
        limits=LimitsSettings(**limits), telemetry=TelemetrySettings(invariant_minutes=0)
    )
    with contextlib.closing(db.connect(url)) as connection:
        headers = bearer(make_key(connection))
    with contextlib.closing(Services.open(url, settings)) as services:
        with TestClient(create_app(services)) as client:
            client.headers.update(headers)
            yield client


def scraped(client: Client) -> Values:
    """Every sample of a fresh scrape by name and labels (without the process)."""
    operations_of(client).metrics._text = b""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, tuple(sorted(p for p in sample.labels.items() if p[0] != "process"))): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_health_answers_without_a_key(api: Client) -> None:
    answer = api.get("/health", headers={"authorization": ""})
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_a_process_is_ready_while_its_database_answers(api: Client) -> None:
    answer = api.get("/ready", headers={"authorization": ""})
    assert answer.status_code == 200, answer.text
    assert answer.json()["intake"] == "open"


def test_a_process_without_its_database_is_not_ready_and_says_why(api_url: str) -> None:
    with api_with(api_url) as api:
        watch = operations_of(api).watch
        watch.backend = type("Gone", (), {"connect": _unreachable})()
        watch._lost("The database does not answer.")
        answer = api.get("/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert answer.json()["detail"] == "The database does not answer."
        assert answer.headers["retry-after"]


def _unreachable(*_: Any) -> db.Connection:
    return db.connect("postgresql://127.0.0.1:1/none", connect_timeout_seconds=1)
