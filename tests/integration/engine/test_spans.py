"""One trace per business case, its spans made by processes that never meet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from crossdock import db
from crossdock.engine.dispatcher import Dispatcher
from crossdock.engine.effects import TryLater
from crossdock.engine.runner import Runner
from crossdock.engine.spans import Spans
from crossdock.engine.tracing import Brought, Work, caller_of, keeps, open_tracing, trace_id
from crossdock.kernel.clock import VirtualClock
from crossdock.kernel.errors import SettingRefused
from tests.integration.engine.test_dispatcher import Waiter
from tests.integration.engine.test_runner import put
from tests.integration.engine.toy import NOON, Filled, Poured, inbound, kettle_id, kitchen

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
POST = Work("POST /v1/kettles", 0.25, {"http.response.status_code": 201})


class Lab:
    """Every process of a deployment with spans of its own, all sent to one collector."""

    def __init__(self) -> None:
        self.collector = InMemorySpanExporter()

    def spans(self, service: str, share: float = 1.0) -> Spans:
        return Spans(SimpleSpanProcessor(self.collector), service, share)

    def seen(self) -> tuple[ReadableSpan, ...]:
        return self.collector.get_finished_spans()

    def of(self, name: str) -> dict[str, ReadableSpan]:
        """The spans of a kettle's trace by name."""
        wanted = trace_id(kettle_id(name))
        return {
            span.name: span
            for span in self.seen()
            if span.context and span.context.trace_id == wanted
        }


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.collector.shutdown()


def work_off(connection: db.Connection, spans: Spans) -> None:
    """What a worker does around its batches."""
    runner = Runner(kitchen(), connection, VirtualClock(NOON), watch=spans.watch)
    runner.start()
    while True:
        spans.batch_begins()
        if not runner.run_batch().taken:
            return
        spans.batch_done(0.5)


def fill_and_pour(connection: db.Connection, lab: Lab, name: str, traceparent: str = "") -> None:
    """Two requests, each of which brought one message."""
    api = lab.spans("api")
    for number, message in enumerate((Filled(cups=2), Poured(cups=1))):
        (receipt,) = put(connection, inbound(name, message, f"{name}{number}"))
        brought = Brought(receipt.message_id, kettle_id(name), message.message_type)
        api.requested(POST._replace(name=type(message).__name__), traceparent, [brought])


def parent_of(span: ReadableSpan) -> int:
    return int(span.parent.span_id) if span.parent else 0


def id_of(span: ReadableSpan) -> int:
    assert span.context
    return int(span.context.span_id)


def test_a_trace_leads_from_the_request_to_the_call_outside_and_back(
    connection: db.Connection, lab: Lab
) -> None:
    fill_and_pour(connection, lab, "blue")
    work_off(connection, lab.spans("worker"))
    Dispatcher({"table": Waiter()}, VirtualClock(NOON), tracing=lab.spans("dispatcher")).drain(
        connection
    )
    work_off(connection, lab.spans("another worker"))
    found = lab.of("blue")
    line = ["Poured", "kettle Poured", "table serve", "kettle Whistled"]
    assert parent_of(found[line[0]]) == 0, "the request is where it begins"
    for cause, effect in pairwise(line):
        assert parent_of(found[effect]) == id_of(found[cause]), f"{cause} led to {effect}"
    assert parent_of(found["kettle Boiled"]) == id_of(found["kettle Filled"])
    known = {id_of(span) for span in found.values()}
    assert {parent_of(span) for span in found.values()} <= known | {0}, "no parent is missing"
    assert [found[name].kind for name in line] == [
        *(SpanKind.SERVER, SpanKind.CONSUMER, SpanKind.CLIENT, SpanKind.CONSUMER)
    ]
    served = {span.resource.attributes["service.name"] for span in found.values()}
    assert served == {"api", "worker", "dispatcher", "another worker"}


def test_a_call_that_fails_is_a_span_of_its_own_beside_the_one_that_does_not(
    connection: db.Connection, lab: Lab
) -> None:
    fill_and_pour(connection, lab, "blue")
    work_off(connection, lab.spans("worker"))
    waiter, clock = Waiter(), VirtualClock(NOON)
    waiter.mood[kettle_id("blue")] = [TryLater("tray full", seconds=0)]
    Dispatcher({"table": waiter}, clock, tracing=lab.spans("dispatcher")).drain(connection)
    calls = [span for span in lab.seen() if span.name == "table serve"]
    assert [span.status.status_code for span in calls] == [StatusCode.ERROR, StatusCode.UNSET]
    assert len({id_of(span) for span in calls}) == 2
    assert len({parent_of(span) for span in calls}) == 1


def test_a_caller_with_a_trace_of_its_own_finds_ours_by_a_link(
    connection: db.Connection, lab: Lab
) -> None:
    fill_and_pour(connection, lab, "blue", traceparent=CALLER)
    caller = caller_of(CALLER)
    assert caller is not None
    theirs = [s for s in lab.seen() if s.context and s.context.trace_id == caller.name.trace_id]
    assert {parent_of(span) for span in theirs} == {caller.name.span_id}
    ours = lab.of("blue")["Poured"]
    (link,) = theirs[-1].links
    assert link.context.span_id == id_of(ours)
    assert ours.links[0].context.span_id == caller.name.span_id


def test_a_request_that_brought_nothing_is_a_trace_of_its_own(lab: Lab) -> None:
    lab.spans("api").requested(POST._replace(name="GET /v1/kettles", failed=True), "", [])
    (span,) = lab.seen()
    assert span.parent is None and span.status.status_code is StatusCode.ERROR
    assert span.end_time and span.start_time
    assert span.end_time - span.start_time == 250_000_000


def test_all_processes_keep_the_same_share_of_traces(connection: db.Connection, lab: Lab) -> None:
    names = [f"kettle {number}" for number in range(40)]
    kept = {name for name in names if keeps(trace_id(kettle_id(name)), 0.3)}
    assert 3 <= len(kept) <= 25
    api = lab.spans("api", share=0.3)
    for name in names:
        (receipt,) = put(connection, inbound(name, Filled(cups=1), name))
        api.requested(POST, "", [Brought(receipt.message_id, kettle_id(name), "filled")])
    work_off(connection, lab.spans("worker", share=0.3))
    assert {name for name in names if POST.name in lab.of(name)} == kept
    assert {name for name in names if "kettle Filled" in lab.of(name)} == kept


@pytest.mark.parametrize(
    "header",
    ["", "nonsense", CALLER.upper(), CALLER + "-00", f"00-{'0' * 32}-00f067aa0ba902b7-01"],
)
def test_a_traceparent_that_is_none_is_ignored(header: str) -> None:
    assert caller_of(header) is None


def test_without_a_collector_there_are_no_traces() -> None:
    assert open_tracing("", "api", 1.0) is None


def test_a_collector_without_opentelemetry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "crossdock.engine.spans", None)
    with pytest.raises(SettingRefused, match="not installed"):
        open_tracing("http://127.0.0.1:4318", "api", 1.0)
