"""OpenTelemetry traces that need nothing stored: ids are derived, so that processes never meet.

The trace of a business case is named by its correlation id: an order's id, without its hyphens, is
its trace id. A span's id is a hash of what it is about, so that a worker names the request that
brought a message, and a dispatcher the handler that wanted an effect, as the parent of its span.
Whether a trace is kept depends on its id alone: all processes agree on it.

OpenTelemetry itself is an extra: `spans` imports it, and only `open_tracing` imports `spans`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from crossdock.kernel.errors import SettingRefused

if TYPE_CHECKING:
    from crossdock.engine.spans import Spans

_RANDOM_BITS = 56
"""The last bits of a trace id that are as good as random, in ours too (W3C Trace Context 2)."""
_traceparent = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch


class SpanName(NamedTuple):
    """What identifies a span everywhere."""

    trace_id: int
    span_id: int


class Caller(NamedTuple):
    """The span of whoever sent a request, as its traceparent header says."""

    name: SpanName
    sampled: bool


class Brought(NamedTuple):
    """A message that a request brought in."""

    message_id: str
    correlation_id: str
    message_type: str


class Work(NamedTuple):
    """What a span is about, when it is done."""

    name: str
    seconds: float
    about: Mapping[str, str | int]
    failed: bool = False


def trace_id(correlation_id: str) -> int:
    """The trace of a business case."""
    return UUID(correlation_id).int


def span_id(*parts: str) -> int:
    """Never 0, which means none."""
    return int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=8).digest()) or 1


def caller_of(traceparent: str) -> Caller | None:
    """The caller's span; None where the header is none or not well-formed."""
    found = _traceparent(traceparent)
    if found is None:
        return None
    name = SpanName(int(found[1], 16), int(found[2], 16))
    return Caller(name, bool(int(found[3], 16) & 1)) if all(name) else None


def keeps(trace: int, share: float) -> bool:
    """Whether the spans of a trace are kept: a share of all, the same in every process."""
    return (trace & ((1 << _RANDOM_BITS) - 1)) < share * (1 << _RANDOM_BITS)


def open_tracing(url: str, service: str, share: float) -> Spans | None:
    """Spans sent to an OTLP/HTTP collector; None without its URL. Raises SettingRefused."""
    if not url:
        return None
    try:
        from crossdock.engine.spans import to_collector
    except ImportError as missing:
        raise SettingRefused(
            "telemetry.traces_url is set, and OpenTelemetry is not installed.",
            advice="pip install 'crossdock[otel]', or unset it.",
        ) from missing
    return to_collector(url, service, share)
