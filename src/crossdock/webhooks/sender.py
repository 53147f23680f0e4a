"""One delivery: a signed POST as the Standard Webhooks specification has it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import NamedTuple

import httpcore2
import msgspec
import standardwebhooks

from crossdock import __version__
from crossdock.events.model import EventRow, public
from crossdock.model.envelope import MEDIA_TYPE
from crossdock.webhooks.addresses import AddressRefused, Guard, GuardedBackend

ENOUGH_BYTES = 64 * 1024
"""Of an answer's body: more is not read, and ends the connection."""


class Sent(NamedTuple):
    """What came of one attempt."""

    delivered: bool
    error: str = ""
    gone: bool = False
    """The receiver wants nothing more (410)."""
    retry_after_seconds: float | None = None
    answered: bool = True
    """False when nobody was there to answer: others would fare no better."""


class Sender:
    """Sends from one thread, over connections that it keeps."""

    def __init__(self, guard: Guard, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._backend = GuardedBackend(guard)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpcore2.default_ssl_context(),
            max_connections=20,
            keepalive_expiry=30.0,
            network_backend=self._backend,
        )

    def send(self, url: str, secrets: list[str], event: EventRow, now: datetime) -> Sent:
        """POST the event; anything but a 2xx is a failure, a redirect too."""
        body = msgspec.json.encode(public(event))
        headers: list[tuple[bytes | str, bytes | str]] = [
            ("Content-Type", MEDIA_TYPE),
            ("User-Agent", f"Crossdock/{__version__}"),
            *signature(secrets, event.id, body, now).items(),
        ]
        self._backend.deadline = time.monotonic() + self.timeout_seconds
        try:
            with self._pool.stream("POST", url, headers=headers, content=body) as response:
                _read_some(response)
        except AddressRefused as refused:
            return Sent(False, f"not sent: {refused}", answered=False)
        except (httpcore2.TimeoutException, httpcore2.NetworkError) as error:
            return Sent(False, f"no answer: {type(error).__name__} {error}", answered=False)
        except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol) as error:
            return Sent(False, f"no HTTP: {error}")
        if 200 <= response.status < 300:
            return Sent(True)
        error_text = f"answered {response.status}"
        if 300 <= response.status < 400:
            error_text += ": redirects are not followed"
        return Sent(
            False,
            error_text,
            gone=response.status == 410,
            retry_after_seconds=_retry_after(response),
        )

    def close(self) -> None:
        """End its connections."""
        self._pool.close()


def signature(secrets: list[str], event_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The specification's three headers; each secret signs."""
    text = body.decode()
    signed = [standardwebhooks.Webhook(secret).sign(event_id, now, text) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _read_some(response: httpcore2.Response) -> None:
    size = 0
    for chunk in response.iter_stream():
        size += len(chunk)
        if size > ENOUGH_BYTES:
            return


def _retry_after(response: httpcore2.Response) -> float | None:
    if response.status not in (429, 503):
        return None
    for name, value in response.headers:
        if name.lower() == b"retry-after" and value.isdigit():
            return float(value)
    return None
