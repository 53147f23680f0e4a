"""The spans of one process, as OpenTelemetry wants them; `tracing` says how they hang together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from crossdock.engine.capability import Delivery
from crossdock.engine.effects import ClaimedEffect, Done, EffectResult
from crossdock.engine.tracing import Brought, SpanName, Work, caller_of, keeps, span_id, trace_id

MOST_LINKS = 32
"""Links of one span; a bulk request brings more messages than a reader would follow."""


def to_collector(url: str, service: str, share: float) -> Spans:
    """Spans sent in the background to an OTLP/HTTP collector."""
    exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces")
    return Spans(BatchSpanProcessor(exporter), service, share)


class Spans:
    """The spans of one process. `watch` and the batches are a single worker's."""

    def __init__(self, processor: SpanProcessor, service: str, share: float = 1.0) -> None:
        self.share = share
        self._ids = _Ids()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # What is not kept is never begun.
            resource=Resource.create({"service.name": service}),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("crossdock")
        self._watched: dict[str, Delivery] = {}

    def _keeps(self, trace: int) -> bool:
        return keeps(trace, self.share)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def requested(self, work: Work, traceparent: str, brought: Sequence[Brought]) -> None:
        """A request is answered: the first span of each case it brought a message for.

        A caller with a trace of its own gets a span in that one too; links join the two.
        """
        caller = caller_of(traceparent)
        links = [caller.name] if caller else []
        ours: list[SpanName] = []
        for one in brought:
            name = SpanName(trace_id(one.correlation_id), span_id("received", one.message_id))
            if self._keeps(name.trace_id):
                ours.append(name)
                self._emit(SpanKind.SERVER, name, 0, work, links)
        if caller is not None and caller.sampled:
            theirs = SpanName(caller.name.trace_id, 0)
            self._emit(SpanKind.SERVER, theirs, caller.name.span_id, work, ours)
        elif caller is None and not brought:
            alone = SpanName(self._ids.generate_trace_id(), 0)
            if self._keeps(alone.trace_id):
                self._emit(SpanKind.SERVER, alone, 0, work)

    def batch_begins(self) -> None:
        """Forget what a batch that was undone had watched."""
        self._watched = {}

    def watch(self, deliveries: Sequence[Delivery]) -> None:
        """A round of the batch under way."""
        for delivery in deliveries:
            if self._keeps(trace_id(delivery.correlation_id)):
                self._watched[delivery.id] = delivery

    def batch_done(self, seconds: float) -> None:
        """The batch is committed: one span for each message, as long as the whole batch."""
        for one in self._watched.values():
            # What comes from outside is its own cause; whoever brought it is the parent.
            from_outside = one.causation_id == one.id
            parent = span_id("received" if from_outside else "handled", one.causation_id)
            about = {
                "crossdock.process": one.to.process,
                "crossdock.instance": one.to.instance,
                "crossdock.message.id": one.id,
                "crossdock.message.type": one.message.message_type,
            }
            name = SpanName(trace_id(one.correlation_id), span_id("handled", one.id))
            work = Work(f"{one.to.process} {type(one.message).__name__}", seconds, about)
            self._emit(SpanKind.CONSUMER, name, parent, work)
        self._watched = {}

    def sent(
        self, claimed: Sequence[ClaimedEffect], results: Sequence[EffectResult], seconds: float
    ) -> None:
        """A call of a connector has ended: one span for each of its effects."""
        for one, result in zip(claimed, results, strict=True):
            if not self._keeps(trace_id(one.correlation_id)):
                continue
            effect, failed = one.effect, not isinstance(result, Done)
            # The answer comes in as a message with the effect's id: this is what brought it.
            mine = ("tried", effect.id, str(effect.attempt)) if failed else ("received", effect.id)
            about: dict[str, str | int] = {
                "crossdock.connector": effect.connector,
                "crossdock.operation": effect.operation,
                "crossdock.effect.id": effect.id,
                "crossdock.effect.attempt": effect.attempt,
                "crossdock.effect.result": type(result).__name__,
            }
            name = SpanName(trace_id(one.correlation_id), span_id(*mine))
            work = Work(f"{effect.connector} {effect.operation}", seconds, about, failed)
            self._emit(SpanKind.CLIENT, name, span_id("handled", one.causation_id), work)

    def _emit(
        self,
        kind: SpanKind,
        span: SpanName,
        parent: int,
        work: Work,
        links: Sequence[SpanName] = (),
    ) -> None:
        """Begin a span in the past and end it now; a `span_id` of 0 leaves it to chance."""
        ended = time.time_ns()
        with self._ids.given(span):
            made = self._tracer.start_span(
                work.name,
                context=_within(span.trace_id, parent),
                kind=kind,
                attributes=work.about,
                links=[Link(_context(link)) for link in links[:MOST_LINKS]],
                start_time=ended - int(work.seconds * 1e9),
            )
        if work.failed:
            made.set_status(StatusCode.ERROR)
        made.end(ended)


class _Ids(IdGenerator):
    """Chance, unless ids are given for what this thread begins next."""

    def __init__(self) -> None:
        self._given = threading.local()
        self._chance = RandomIdGenerator()

    @contextmanager
    def given(self, span: SpanName) -> Iterator[None]:
        self._given.span = span
        try:
            yield
        finally:
            self._given.span = None

    def generate_trace_id(self) -> int:
        span: SpanName | None = getattr(self._given, "span", None)
        return span.trace_id if span else self._chance.generate_trace_id()

    def generate_span_id(self) -> int:
        span: SpanName | None = getattr(self._given, "span", None)
        return (span.span_id if span else 0) or self._chance.generate_span_id()


def _context(name: SpanName) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(name.trace_id, name.span_id, is_remote=True, trace_flags=flags)


def _within(trace: int, parent: int) -> Context:
    """The context of a parent in another process; an empty one for a first span."""
    if not parent:
        return Context()
    return set_span_in_context(NonRecordingSpan(_context(SpanName(trace, parent))), Context())
