"""Logs and traces of a long-running process, as [telemetry] says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossdock.engine.tracing import open_tracing
from crossdock.kernel import logs
from crossdock.settings import TelemetrySettings

if TYPE_CHECKING:
    from crossdock.engine.spans import Spans


@contextlib.contextmanager
def observed(telemetry: TelemetrySettings, service: str) -> Iterator[Spans | None]:
    """Logs in their form; the block's spans, all sent at its end. Raises SettingRefused."""
    logs.configure(telemetry.log_format, telemetry.log_level)
    spans = open_tracing(telemetry.traces_url, service, telemetry.traces_share)
    try:
        yield spans
    finally:
        if spans is not None:
            spans.close()
