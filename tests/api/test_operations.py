"""What stands around every request: probes, figures, limits, load shedding, the log."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from crossdock import db
from crossdock.api.app import create_app
from crossdock.api.figures import ApiFigures
from crossdock.api.operations import Operations
from crossdock.api.problems import ApiProblem, ProblemType
from crossdock.api.services import Services
from crossdock.api.shedding import OVERLOADED, Shedding
from crossdock.engine.figures import WorkerFigures
from crossdock.kernel.clock import SystemClock
from crossdock.settings import LimitsSettings, Settings
from tests.api.keys import bearer, make_key
from tests.api.test_orders_in import lamp

Client = TestClient[Any]
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def operations_of(client: Client) -> Operations:
    found: Operations = client.app.state.operations
    return found


@contextlib.contextmanager
def api_with(url: str, **limits: Any) -> Iterator[Client]:
    """An API with limits of its own."""
    settings = Settings(limits=LimitsSettings(**limits))
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


def test_metrics_need_a_key_that_may_read_them(api: Client, api_connection: db.Connection) -> None:
    assert api.get("/metrics", headers={"authorization": ""}).status_code == 401
    store = bearer(make_key(api_connection, "orders:read"))
    assert api.get("/metrics", headers=store).status_code == 403


def test_metrics_show_requests_by_template_and_never_by_path(api: Client) -> None:
    before = scraped(api)
    for _ in range(3):
        api.get("/v1/nowhere/ada@example.org")
    api.get("/health")
    after = scraped(api)
    missed = ("crossdock_requests_total", (("route", "GET (none)"), ("status", "404")))
    assert after[missed] - before.get(missed, 0) == 3
    assert after["crossdock_request_seconds_count", (("route", "GET /health"),)] >= 1
    assert "ada" not in api.get("/metrics").text


def test_metrics_show_queues_commits_and_other_processes(
    api: Client, api_connection: db.Connection
) -> None:
    clock = SystemClock()
    worker = WorkerFigures("worker elsewhere")
    worker.batch_done(taken=3, handled=12, dead=0, seconds=0.1)
    worker.report(api_connection, clock.now())
    api_connection.commit()
    waiting = scraped(api)["crossdock_inbox_messages", ()]
    assert api.post("/v1/orders", json=lamp("M-1")).status_code == 201
    operations_of(api).watch.look(api_connection)
    found = scraped(api)
    assert found["crossdock_inbox_messages", ()] == waiting + 1
    assert found["crossdock_inbox_oldest_seconds", (("queue", "orders"),)] > 0
    assert found["crossdock_commit_items_sum", (("group", "live orders"),)] >= 1
    assert found["crossdock_messages_handled_total", ()] == 12
    assert found["crossdock_ready", ()] == 1


def test_metrics_show_freshness_effects_and_what_went_wrong(
    api: Client, api_connection: db.Connection
) -> None:
    now = SystemClock().now()
    anybody = "00000000-0000-8000-8000-000000000001"
    api_connection.execute(
        "INSERT INTO stock_feed (source, node, heard_at)"
        " VALUES ('wms', 'DC1', %s), ('wms', 'S1', %s)",
        (now - timedelta(seconds=30), now - timedelta(hours=2)),
    )
    api_connection.execute(
        "INSERT INTO outbox (id, connector, operation, order_key, key, payload, process, instance,"
        " route, correlation_id, causation_id, created_at, available_at) VALUES"
        " (%s, 'erp', 'post', 'o', 'k', '', 'p', 'i', 'r', %s, %s, %s, %s)",
        (anybody, anybody, anybody, now - timedelta(minutes=5), now + timedelta(minutes=1)),
    )
    api_connection.execute(
        "INSERT INTO case_file (id, kind, subject, detail, priority, opened_at)"
        " VALUES (%s, 'effect keeps failing', 'o', 'd', 2, %s)",
        (anybody, now),
    )
    api_connection.commit()
    found = scraped(api)
    wms, erp = (("source", "wms"),), (("connector", "erp"),)
    assert found["crossdock_stock_feed_nodes", wms] == 2
    assert found["crossdock_stock_feed_oldest_seconds", wms] == pytest.approx(7_200, abs=60)
    assert found["crossdock_stock_feed_newest_seconds", wms] == pytest.approx(30, abs=60)
    assert found["crossdock_outbox_effects", erp] == 1
    assert found["crossdock_outbox_due", erp] == 0
    assert found["crossdock_outbox_oldest_seconds", erp] == pytest.approx(300, abs=60)
    assert found["crossdock_open_cases", (("kind", "effect keeps failing"),)] == 1


def test_metrics_are_shown_although_the_database_is_gone(api_url: str) -> None:
    with api_with(api_url) as api:
        operations = operations_of(api)
        operations.watch._lost("gone")

        class Gone:
            clock = SystemClock()

            def reading(self) -> Any:
                _unreachable()

        operations.metrics.backend = Gone()  # type: ignore[assignment]
        found = scraped(api)
        assert found["crossdock_ready", ()] == 0
        assert ("crossdock_inbox_messages", ()) not in found
        assert any(name == "crossdock_requests_in_flight" for name, _ in found)


def test_a_path_tells_all_its_methods(api: Client) -> None:
    assert api.options("/v1/orders").headers["allow"] == "GET, POST, OPTIONS"
    refused = api.put("/v1/orders")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(refused.headers["allow"].split(", "))
    assert api.options("/v1/nowhere").status_code == 404


def test_a_time_that_is_none_is_refused_by_name(api: Client) -> None:
    answer = api.get("/v1/orders?changed_since=0")
    assert answer.status_code == 400
    assert [error["path"] for error in answer.json()["errors"]] == ["changed_since"]


def test_the_document_links_what_is_made_with_what_can_be_done_with_it(api: Client) -> None:
    paths = api.get("/docs/openapi.json").json()["paths"]
    operations = {
        operation["operationId"]: f"{method} {path}"
        for path, item in paths.items()
        for method, operation in item.items()
    }
    links = paths["/v1/orders"]["post"]["responses"]["201"]["links"].values()
    led_to = {operations[link["operationId"]]: link["parameters"] for link in links}
    assert led_to["get /v1/orders/{order}"] == {"order": "$response.body#/id"}
    assert "post /v1/orders/{order}/cancel" in led_to


def refusal(shedding: Shedding, **opt: Any) -> ProblemType | None:
    """Admits one request that never ends, or says how it is refused."""
    try:
        shedding.admit({"state": {}}, opt)  # type: ignore[typeddict-item]
    except ApiProblem as refused:
        assert int(refused.headers["Retry-After"]) > 0
        return refused.problem_type
    return None


def test_reports_are_shed_first_and_the_intake_last() -> None:
    limits = LimitsSettings(requests_in_flight=10, others_in_flight=6, reports_in_flight=2)
    shedding = Shedding(limits, ApiFigures("api test"))
    assert [refusal(shedding, shed="first") for _ in range(3)] == [None, None, OVERLOADED]
    assert [refusal(shedding) for _ in range(5)] == [*[None] * 4, OVERLOADED]
    assert [refusal(shedding, shed="last") for _ in range(5)] == [*[None] * 4, OVERLOADED]
    value = shedding.figures.registry.get_sample_value
    assert value("crossdock_requests_in_flight", {"tier": "last"}) == 4
    assert value("crossdock_requests_refused_total", {"reason": "overloaded_first"}) == 1


def test_a_request_that_ends_makes_room() -> None:
    limits = LimitsSettings(requests_in_flight=1)
    shedding = Shedding(limits, ApiFigures("api test"))
    one: Any = {"state": {}}
    shedding.admit(one, {})
    assert refusal(shedding) is OVERLOADED
    shedding.leave(one)
    shedding.leave(one)
    assert refusal(shedding) is None


def test_the_intake_closes_while_the_oldest_message_waits_too_long(
    api_url: str, api_connection: db.Connection
) -> None:
    with api_with(api_url, oldest_waiting_seconds=60) as api:
        assert api.post("/v1/orders", json=lamp("S-1")).status_code == 201
        api_connection.execute("UPDATE inbox SET recorded_at = recorded_at - interval '2 minutes'")
        api_connection.commit()
        watch = operations_of(api).watch
        watch.look(api_connection)
        refused = api.post("/v1/orders", json=lamp("S-2"))
        assert (refused.status_code, refused.json()["code"]) == (503, "intake_closed")
        assert refused.headers["retry-after"] == "5"
        assert api.get("/ready").json()["intake"] == "closed"
        assert api.get("/metrics").status_code == 200, "everything else is served"
        api_connection.execute("DELETE FROM inbox")
        api_connection.commit()
        watch.look(api_connection)
        assert api.post("/v1/orders", json=lamp("S-2")).status_code == 201


def test_messages_of_a_database_restored_to_an_older_state_are_waited_for_too(
    api_url: str, api_connection: db.Connection
) -> None:
    with api_with(api_url, oldest_waiting_seconds=60) as api:
        watch = operations_of(api).watch
        watch.stop()
        assert api.post("/v1/orders", json=lamp("S-3")).status_code == 201
        last = api_connection.execute("SELECT max(number) FROM inbox").fetchone()
        api_connection.execute("DELETE FROM inbox")
        api_connection.commit()
        for _ in range(40):
            watch.look(api_connection)
        watch._lost("The database does not answer.")
        api_connection.execute("SELECT setval('inbox_number_seq', 1, false)")
        api_connection.commit()
        assert api.post("/v1/orders", json=lamp("S-4")).status_code == 201
        api_connection.execute("UPDATE inbox SET recorded_at = recorded_at - interval '2 minutes'")
        api_connection.commit()
        watch.look(api_connection)
        assert api.get("/ready").json()["intake"] == "closed"
        api_connection.execute("DELETE FROM inbox")
        api_connection.execute("SELECT setval('inbox_number_seq', %s)", last)
        api_connection.commit()


def test_metrics_show_how_the_last_check_of_each_invariant_ended(
    api: Client, api_connection: db.Connection
) -> None:
    ended = SystemClock().now() - timedelta(minutes=10)
    api_connection.execute(
        "INSERT INTO invariant_check (invariant, begun_at, ended_at, seconds, violations, error)"
        " VALUES ('holds', %(at)s, %(at)s, 1, 0, ''), ('broken', %(at)s, %(at)s, 1, 3, ''),"
        " ('slow', %(at)s, %(at)s, 10, NULL, 'timed out')",
        {"at": ended},
    )
    api_connection.commit()
    found = scraped(api)
    violations = {labels[0][1]: v for (name, labels), v in found.items() if "violations" in name}
    assert violations == {"holds": 0, "broken": 3}, "nobody knows about the slow one"
    for rule in ("holds", "broken", "slow"):
        age = found["crossdock_invariant_checked_seconds", (("invariant", rule),)]
        assert age == pytest.approx(600, abs=60)
