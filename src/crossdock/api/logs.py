"""One line for each request: what was asked for and how it ended, never for whom.

A line holds the route's template instead of the path, and no query, header, body or address of the
client: of a person there is nothing in it. It is written past structlog, whose way costs 20 times
as much, in the same form and to the same place.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from crossdock.settings import TelemetrySettings


class RequestLine(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A request as it stands in the log."""

    timestamp: str
    level: str
    event: str = ""
    route: str
    status: int
    milliseconds: float
    request_id: str
    caller: str = ""
    """The id of the client, never its name or its key."""
    correlation_id: str = ""
    """Of the first message that it brought in."""
    messages: int = 0
    """How many it brought in."""
    problem: str = ""
    """The code of the error it ended with."""
    bytes_in: int = 0
    bytes_out: int = 0


class RequestLog:
    """Writes what the settings ask for."""

    def __init__(self, settings: TelemetrySettings, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._as_json = settings.log_format == "json" or (
            settings.log_format == "auto" and not self._stream.isatty()
        )
        self._least = {"all": 0, "failed": 400, "none": 1_000}[settings.log_requests]
        if settings.log_level in ("warning", "error"):
            self._least = max(self._least, 500)
        self._encode = msgspec.json.Encoder().encode

    def wants(self, status: int) -> bool:
        """Whether a request that ended like this is logged; status 0 is a client that went away."""
        return (status or 499) >= self._least

    def write(self, line: RequestLine) -> None:
        """One line, at once."""
        if self._as_json:
            text = self._encode(line).decode()
        else:
            about = line.correlation_id or line.request_id
            text = f"{line.timestamp} {line.route} {line.status} {line.milliseconds:g} ms {about}"
            text = f"{text} {line.problem}".rstrip()
        self._stream.write(text + "\n")
        self._stream.flush()


def level_of(status: int) -> str:
    """What is our fault is an error; what clients do is not."""
    return "error" if status == 500 else "warning" if status >= 500 or status == 0 else "info"


def now_text() -> str:
    """The machine's time, as structlog writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
