"""The line that each request leaves in the log, and the trace that begins with it."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from crossdock import db
from crossdock.api.app import create_app
from crossdock.api.logs import RequestLine, RequestLog
from crossdock.api.operations import Operations
from crossdock.api.services import Services
from crossdock.app import registry
from crossdock.connectors.fakes import CarrierFake, ErpFake, NotificationFake, PaymentFake
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.spans import Spans
from crossdock.engine.tracing import trace_id
from crossdock.engine.worker import Worker, WorkerLimits
from crossdock.kernel.clock import SystemClock
from crossdock.settings import TelemetrySettings
from tests.api.keys import bearer, make_key
from tests.api.test_orders_in import lamp
from tests.integration.engine.test_worker import until
from tests.integration.orders.shop import BOSTON, Shop, outside_order

Client = TestClient[Any]
GRACE = {"name": "Grace Hopper", "email": "grace@navy.example", "phone": "+1 555 010 9999"}


class Listener:
    """An API with its log in memory and its spans collected."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.operations: Operations = client.app.state.operations
        self.stream = io.StringIO()
        self.collector = InMemorySpanExporter()
        self.operations.log = RequestLog(TelemetrySettings(log_format="json"), self.stream)
        self.operations.spans = self.spans("crossdock-api")

    def spans(self, service: str) -> Spans:
        return Spans(SimpleSpanProcessor(self.collector), service)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def listener(api_url: str, api_connection: db.Connection) -> Iterator[Listener]:
    with contextlib.closing(Services.open(api_url)) as services:
        with TestClient(create_app(services)) as client:
            client.headers.update(bearer(make_key(api_connection)))
            yield Listener(client)


def test_a_request_is_one_line_with_its_id_its_caller_and_its_case(listener: Listener) -> None:
    answer = listener.client.post("/v1/orders", json=lamp("L-1"))
    (line,) = listener.lines()
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["correlation_id"] == answer.json()["id"]
    assert line["route"] == "POST /v1/orders"
    assert (line["status"], line["messages"], line["level"]) == (201, 1, "info")
    assert line["caller"] and line["milliseconds"] > 0 and line["bytes_in"] > 200


def test_a_line_holds_no_personal_data_and_no_secret(listener: Listener) -> None:
    client = listener.client
    client.post("/v1/orders", json=lamp("L-2", customer=GRACE))
    client.post("/v1/orders", json=lamp("L-2", customer={"name": 5, "email": GRACE["email"]}))
    client.get("/v1/nowhere/grace@navy.example?phone=555-010-9999")
    client.get("/health", headers={"x-request-id": "grace@navy.example"})
    client.get("/metrics", headers={"authorization": "Bearer crossdock_live_stolen"})
    text = listener.stream.getvalue()
    assert [line["status"] for line in listener.lines()] == [201, 400, 404, 200, 401]
    # The number as a whole: 555 alone is in the digits of an id now and then.
    numbers = ("555 010", "555-010", "5550109999")
    for secret in ("race", "navy", *numbers, "stolen", "crossdock_live_", "address"):
        assert secret not in text.replace("trace", "")


def test_a_refused_request_says_by_which_problem(listener: Listener) -> None:
    listener.client.post("/v1/orders", json={"channel": "web"})
    (line,) = listener.lines()
    assert (line["problem"], line["status"]) == ("malformed_request", 400)
    assert "correlation_id" not in line


def test_a_client_may_name_its_request(listener: Listener) -> None:
    name = "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"
    answer = listener.client.get("/health", headers={"X-Request-Id": name})
    assert answer.headers["x-request-id"] == name == listener.lines()[0]["request_id"]


def test_only_what_is_asked_for_is_logged() -> None:
    for settings, logged in (
        (TelemetrySettings(log_requests="all"), [200, 404, 503, 0]),
        (TelemetrySettings(log_requests="failed"), [404, 503, 0]),
        (TelemetrySettings(log_level="error"), [503]),
        (TelemetrySettings(log_requests="none"), []),
    ):
        log = RequestLog(settings)
        assert [status for status in (200, 404, 503, 0) if log.wants(status)] == logged


def test_on_a_terminal_a_line_is_for_people() -> None:
    stream = io.StringIO()
    line = RequestLine(
        timestamp="2026-11-03T09:41:00Z",
        level="info",
        event="request",
        route="GET /v1/orders",
        status=404,
        milliseconds=2.5,
        request_id="4bf92f35",
        problem="not_found",
    )
    RequestLog(TelemetrySettings(log_format="text"), stream).write(line)
    assert stream.getvalue() == (
        "2026-11-03T09:41:00Z GET /v1/orders 404 2.5 ms 4bf92f35 not_found\n"
    )


def test_one_trace_leads_from_the_request_to_the_call_of_the_erp(
    listener: Listener, api_url: str, api_connection: db.Connection
) -> None:
    Shop(api_connection).stock(BOSTON, mug=5)
    mug = msgspec.json.encode(outside_order("1001", ("mug", 2)))
    answer = listener.client.post("/v1/orders", content=mug)
    assert answer.status_code == 201, answer.text
    order = answer.json()["id"]
    clock, stop = SystemClock(), threading.Event()
    worker = Worker(
        registry(),
        lambda autocommit: db.connect(api_url, autocommit=autocommit),
        clock,
        name="tracer",
        waits=WorkerLimits(idle_seconds=0.01),
        tracing=listener.spans("crossdock-worker"),
    )
    systems = (PaymentFake(clock), CarrierFake(clock), ErpFake(clock), NotificationFake(clock))
    caller = Dispatcher(
        {system.name: system for system in systems},
        clock,
        tracing=listener.spans("crossdock-dispatcher"),
    )
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    threads = caller.run(lambda: db.connect(api_url), stop, threads_per_connector=1)

    def spans_of_order() -> dict[str, Any]:
        finished = listener.collector.get_finished_spans()
        return {s.name: s for s in finished if s.context and s.context.trace_id == trace_id(order)}

    try:
        until(lambda: any(name.startswith("erp ") for name in spans_of_order()))
    finally:
        stop.set()
        for each in (thread, *threads):
            each.join(30)
    found = spans_of_order()
    posting = next(span for name, span in found.items() if name.startswith("erp "))
    by_id = {span.context.span_id: span for span in found.values()}
    way = [posting]
    while way[-1].parent is not None:
        way.append(by_id[way[-1].parent.span_id])
    assert way[-1].name == "POST /v1/orders"
    services = [span.resource.attributes["service.name"] for span in way]
    assert services[0] == "crossdock-dispatcher" and services[-1] == "crossdock-api"
    assert "crossdock-worker" in services
