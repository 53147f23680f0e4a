"""A webhook, and one event on its way to it."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from crossdock.events.model import EventRow, Interest

SECRET_BYTES = 32

MARK = "whsec_"
"""What a secret begins with, after the specification."""


class WebhookStatus(StrEnum):
    """Whether a receiver is sent events."""

    ACTIVE = "active"
    PAUSED = "paused"
    """It failed for too long; goes on where it was, as far as that is kept, once resumed."""
    DISABLED = "disabled"
    """Switched off by its owner, gone as the receiver says (410), or its key was revoked."""


class Webhook(NamedTuple):
    """Who is sent what, and how that goes."""

    id: str
    name: str
    url: str
    types: list[str]
    channels: list[str] | None
    nodes: list[str] | None
    status: WebhookStatus
    reason: str
    position: int
    """The last published event that was looked at for it."""
    created_at: datetime
    changed_at: datetime
    created_by: str
    failing_since: datetime | None
    failures: int
    """In a row, over all its deliveries."""
    next_try_at: datetime | None
    secret: str
    former_secret: str | None
    secret_until: datetime | None
    missed_until: int | None = None
    """Events up to this one were removed unsent while it was paused or disabled."""

    @property
    def interest(self) -> Interest:
        """The events it is sent."""
        return Interest(
            tuple(self.types),
            None if self.channels is None else frozenset(self.channels),
            None if self.nodes is None else frozenset(self.nodes),
        )

    def secrets(self, now: datetime) -> list[str]:
        """What signs, as stored: for a time after a rotation also the former secret."""
        both = self.former_secret is not None and (self.secret_until or now) > now
        return [self.secret, *([self.former_secret] if both and self.former_secret else [])]


class Delivery(NamedTuple):
    """An event leased to be sent."""

    sequence: int
    attempt: int
    event: EventRow


def new_secret() -> str:
    """256 random bits in the form that the specification's libraries take."""
    return MARK + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
